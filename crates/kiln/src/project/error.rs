//! Why a repository could not be looked at.

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

use super::cargo::CargoError;
use super::node::NodeError;

/// Why a repository could not be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LookError {
    /// A folder cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The folder.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A folder that holds a manifest has a name that is not UTF-8.
    #[error("the name `{name}` in `{folder}` is not valid UTF-8")]
    NameNotUtf8 {
        /// Folder that holds it, as far as it can be written.
        folder: Utf8PathBuf,
        /// The name, with the unreadable parts replaced.
        name: String,
    },
    /// A cargo workspace cannot be read.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// A Node package cannot be read.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl LookError {
    /// The file or folder that is to blame, and the line in it, from 1; the first where no single line is.
    #[must_use]
    pub fn place(&self) -> (&Utf8Path, usize) {
        match self {
            Self::Read { path, .. } | Self::NameNotUtf8 { folder: path, .. } => (path, 1),
            Self::Cargo(error) => error.place(),
            Self::Node(error) => error.place(),
        }
    }
}
