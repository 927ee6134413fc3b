//! Why a repository cannot be read.

use camino::Utf8PathBuf;

use crate::context::ContentId;
use crate::process::ProcessError;

/// A repository, revision or object that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// Git cannot be run, or was stopped.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The folder lies in no repository.
    #[error("`{folder}` is in no git repository")]
    NoRepository {
        /// The folder.
        folder: Utf8PathBuf,
    },
    /// The repository has no work tree.
    #[error("`{folder}` is in a bare git repository, which has no files to build from")]
    Bare {
        /// The folder.
        folder: Utf8PathBuf,
    },
    /// There is no commit yet.
    #[error("the git repository `{root}` has no commit yet")]
    NoCommit {
        /// Root of the work tree.
        root: Utf8PathBuf,
    },
    /// Git knows no such revision or range.
    #[error("git knows no revision `{revision}` here")]
    Revision {
        /// As it was given.
        revision: String,
        /// Whether the clone is shallow, so that it may only lack it.
        shallow: bool,
    },
    /// The objects are named by another hash than SHA-1.
    #[error("the git repository `{root}` names its objects by {format}, which kiln does not read")]
    Format {
        /// Root of the work tree.
        root: Utf8PathBuf,
        /// The hash, in git's words.
        format: String,
    },
    /// Git failed for a reason of its own.
    #[error("`git {command}` failed: {said}")]
    Failed {
        /// The subcommand.
        command: String,
        /// Its last words.
        said: String,
    },
    /// The object database cannot be opened.
    #[error("cannot open the git objects in `{path}`")]
    Open {
        /// The folder of objects.
        path: Utf8PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// An object is not in this clone: a partial clone fetches it when git asks for it, a shallow one lacks it.
    #[error("the git object {id} is not in this clone")]
    Missing {
        /// Its id.
        id: ContentId,
    },
    /// An object is there and cannot be read.
    #[error("the git object {id} cannot be read: {why}")]
    Object {
        /// Its id.
        id: ContentId,
        /// Why.
        why: String,
    },
}
