//! Build: the seam to BuildKit.
