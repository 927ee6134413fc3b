use std::io;

use camino::Utf8PathBuf;

use crate::project::node::{Disagreement, NodeError};

/// Why an npm recipe cannot be prepared or written.
#[derive(Debug, thiserror::Error)]
pub enum NpmRecipeError {
    /// The workspace cannot be read.
    #[error(transparent)]
    Project(#[from] NodeError),
    /// There is no lockfile.
    #[error("`{path}` has no lockfile beside it")]
    MissingLock {
        /// The manifest.
        path: Utf8PathBuf,
    },
    /// Lockfiles of several package managers.
    #[error("`{path}` holds lockfiles of several package managers: {}", lockfiles.join(", "))]
    SeveralLocks {
        /// The folder.
        path: Utf8PathBuf,
        /// Their names.
        lockfiles: Vec<String>,
    },
    /// Lock and manifest disagree.
    #[error("`{}` line {}: `{}` asks for `{}`, which `{lockfile}` does not hold", found.path, found.line, found.dependency, found.wanted)]
    StaleLock {
        /// The lockfile, relative to the workspace root.
        lockfile: Utf8PathBuf,
        /// Where they disagree.
        found: Box<Disagreement>,
    },
    /// A configuration file that cannot be parsed.
    #[error("`{path}` is not valid TOML")]
    Toml {
        /// The file.
        path: Utf8PathBuf,
        /// What the parser says, with line and column.
        source: Box<toml_edit::TomlError>,
    },
    /// A lock that is no object.
    #[error("`{path}` is not an npm lockfile")]
    Lock {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file or folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output folder holds something already.
    #[error("`{path}` is not empty")]
    OutputNotEmpty {
        /// The folder.
        path: Utf8PathBuf,
    },
}
