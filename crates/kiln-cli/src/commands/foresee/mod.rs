//! What `kiln predict`, `why` and `build` share: which images are meant, and sentences about misses.

pub(crate) mod repository;
pub(crate) mod sentence;
pub(crate) mod subjects;
