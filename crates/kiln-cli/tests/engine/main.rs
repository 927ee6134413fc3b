//! The real `kiln` against a real Docker Engine.
//!
//! `make engine-test` builds the static binary, brings up an engine and base images, and runs these. They are `#[ignore]`d in a plain
//! `cargo test`, and fail rather than pass silently when they are asked for and no engine answers.

mod bench;
mod cache;
mod collection;
mod edits;
mod faults;
mod guard;
mod images;
mod leaving;
mod lifecycle;
mod make;
mod node;
mod own_engine;
mod predict;
mod quiet;
mod replay;
mod robustness;
mod seed;
mod sqlx;
mod support;
mod warm;
