//! The build context: which files BuildKit sees.

mod expression;
pub mod ignore;
mod pattern;

pub use ignore::{FolderMatches, IgnoreError, IgnoreFile, PatternError};
