//! Commits, trees and files of a git repository.
//!
//! How revisions are named is a language of git's own, and so is what differs between a work tree and a commit (clean filters, line endings,
//! Git LFS, sparse checkouts): for these git is asked. Commits, trees and blobs are read from the object database itself, in parallel.
//! Git's id of a blob is the hash of its content, so the files of a commit need not be read to know whether they changed.

mod attributes;
mod error;
mod history;
mod objects;
mod repository;
#[cfg(test)]
pub(crate) mod tests;
mod worktree;

pub use attributes::{Attribute, attributes};
pub use error::GitError;
pub use history::{Change, Commit, History};
pub use objects::{Node, NodeKind, Objects};
pub use repository::Repository;
pub(crate) use repository::command;
pub use worktree::{Before, Worktree};
