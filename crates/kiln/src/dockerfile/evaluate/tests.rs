//! Scope and stages, against BuildKit.
