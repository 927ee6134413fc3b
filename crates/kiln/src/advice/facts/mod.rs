//! Facts that several rules share, made of what the [`Context`](super::Context) has read.

pub(super) mod configs;
pub(super) mod node_image;
pub(super) mod node_lock;
pub(super) mod run_time_reads;
pub(super) mod rust_image;
