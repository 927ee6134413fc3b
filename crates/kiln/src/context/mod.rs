//! The build context: which files BuildKit sees, and what it would take them for.

pub mod evolving;
mod expression;
mod glob;
mod hashes;
pub mod ignore;
mod paths;
mod pattern;
#[cfg(test)]
mod random_tests;
mod select;
mod stamp;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use evolving::Evolving;
pub use hashes::{ContentId, Hashes};
pub use ignore::{FolderMatches, IgnoreError, IgnoreFile, PatternError};
pub(crate) use paths::is_within;
pub use select::{Selection, Selector};
pub(crate) use stamp::Stamp;
pub use tree::{Difference, Entry, Tree};
pub(crate) use walk::read_text_file;
pub use walk::{ContextError, MAX_ENTRIES, read_context, read_ignore};
