//! The life of a project's caches: made before they are needed, known, kept, and gone when they are of no more use.
//!
//! Each command is a plan, a value that follows from what is there, and a result. Whoever runs a plan asks the engine through
//! [`Engine`](crate::engine::Engine).

pub mod clean;
pub mod gc;
pub mod known;
pub mod presence;
pub mod status;
mod tag;
#[cfg(test)]
mod tests;
pub mod warm;

pub use tag::{CacheTag, cache_repository};
