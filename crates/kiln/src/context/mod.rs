//! The build context: which files BuildKit sees.

pub mod ignore;
mod pattern;

pub use ignore::{IgnoreError, IgnoreFile};
