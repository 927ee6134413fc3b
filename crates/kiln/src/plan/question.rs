//! What kiln will not guess, and asks for.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Something kiln will not guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The service it is about, where there is one already.
    pub service: Option<String>,
    /// The file that raises it, relative to the project root.
    pub path: Utf8PathBuf,
    /// Line in that file, from 1, where one line is to blame.
    pub line: Option<usize>,
    /// What is open.
    pub kind: QuestionKind,
    /// The lines to write into `kiln.toml`, where a setting answers it.
    pub setting: Option<String>,
}

/// What kiln could not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum QuestionKind {
    /// A workspace has several binaries and none is the default.
    WhichBinary {
        /// `package/binary` names.
        candidates: Vec<String>,
    },
    /// A cargo workspace without any binary.
    NoBinary,
    /// A manifest without its lockfile.
    MissingLock {
        /// The lockfile that is expected.
        expected: String,
        /// The command that makes it.
        command: String,
    },
    /// Lock and manifest disagree.
    StaleLock {
        /// The dependency that the lock lacks or has at another version.
        dependency: String,
        /// The command that updates the lock.
        command: String,
    },
    /// Two lockfiles of different package managers stand side by side.
    WhichPackageManager {
        /// The lockfiles found.
        lockfiles: Vec<String>,
    },
    /// A manifest or lockfile is a link to a file that is not sent to the builder.
    LinkedOut {
        /// The file at its end, relative to the project root where it lies below it.
        target: Utf8PathBuf,
        /// The build context.
        context: Utf8PathBuf,
    },
    /// `kiln.toml` names a service and nothing says where it is.
    UnknownService {
        /// What could be built, as `path` or `path: package/binary`.
        candidates: Vec<String>,
    },
    /// `kiln.toml` names a folder in which nothing can be built.
    NothingAt {
        /// The folder.
        folder: Utf8PathBuf,
        /// What could be built.
        candidates: Vec<String>,
    },
    /// `kiln.toml` names a binary or package that the workspace does not have.
    NoSuchBinary {
        /// The name.
        wanted: String,
        /// `package/binary` names.
        candidates: Vec<String>,
    },
    /// A folder holds a cargo workspace and a Node package, and nothing says which one is meant.
    WhichKind,
    /// A Node package whose bundle folder or start command is not recognised.
    WhatToServe {
        /// The bundler or framework that was recognised, by kiln's name for it.
        bundler: Option<String>,
    },
    /// Nothing buildable was found at all.
    NothingFound,
}
