//! SQLx without a database: the queries of a workspace, and the data with which SQLx checks them offline.
//!
//! [`check`] reads the sources as the compiler does (tokens, the module tree, `cfg`s), computes the name of the file that
//! SQLx looks for, and looks where that version of SQLx looks; it runs nothing. [`prepare`] makes the data. The rules are those of `sqlx-macros` 0.6 and
//! of `sqlx-macros-core` 0.7 to 0.9, as their sources have them.

mod cfg;
mod check;
mod data;
mod environment;
mod features;
mod find;
mod outcome;
mod prepare;
mod program;
mod scan;
mod targets;
#[cfg(test)]
mod tests;
mod tokens;
mod version;

pub use check::{CheckError, CheckOptions, check};
pub use data::{Database, file_name, hash};
pub use features::FeatureChoice;
pub use outcome::{Check, DeadData, DuplicatedData, Query, Scope, SplitData, State, Unread, Unresolved, UnresolvedReason};
pub use prepare::{Change, Changed, DatabaseUrl, Placement, PrepareError, PrepareEvent, PrepareOptions, Prepared, prepare};
pub(crate) use program::program_files;
pub(crate) use tokens::{Place, is_punct, name, string};
pub use version::{Layout, Version};
