//! Why a scenario does not apply, and why a change could not be made.

use std::io;

use camino::Utf8PathBuf;
use thiserror::Error;

use super::super::Scenario;

/// Why a scenario means nothing in a repository. The sentences are made to stand behind `skipped: `.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotApplicable {
    /// Nothing can be built.
    #[error("there is no service to build")]
    NoService,
    /// No service is built by cargo.
    #[error("no service is built by cargo")]
    NoRustService,
    /// No service is a Node package.
    #[error("no service is a Node package")]
    NoNodeService,
    /// There is no text for people that no step reads.
    #[error("there is no README or other text at the root or beside the service")]
    NoDocs,
    /// The binary depends on no local library.
    #[error("`{package}` depends on no library of this repository")]
    NoLibrary {
        /// The binary's package.
        package: String,
    },
    /// The lock is missing.
    #[error("`{path}` is missing; it is what the scenario changes")]
    NoLock {
        /// The lock, relative to the repository.
        path: Utf8PathBuf,
    },
    /// The lock has an old format.
    #[error("`{path}` has the format {version}; `cargo update --workspace` writes a new one")]
    OldLock {
        /// The lock, relative to the repository.
        path: Utf8PathBuf,
        /// Its version.
        version: u32,
    },
    /// No package fits, or no other version of any that fits resolves.
    #[error("{0}")]
    NoPackage(String),
    /// No module that the bundler starts from was found.
    #[error("no entry module was found in `{folder}`")]
    NoEntry {
        /// The package's folder, relative to the repository.
        folder: Utf8PathBuf,
    },
    /// `package.json` has no version.
    #[error("`{manifest}` has no version")]
    NoVersion {
        /// The manifest, relative to the repository.
        manifest: Utf8PathBuf,
    },
    /// The lock of another package manager than npm.
    #[error("the lock of `{manager}` is not changed by the bench; it knows npm's")]
    OtherManager {
        /// Name of the package manager.
        manager: &'static str,
    },
    /// A program that is not there.
    #[error("it needs `{program}` on this machine to change the lock")]
    NoTool {
        /// Its name.
        program: String,
    },
    /// A file or program failed while looking.
    #[error("{0}")]
    Failed(String),
}

/// Why a change could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be replaced.
    #[error("cannot replace `{path}`")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A path leads out of the copy, by `..` or by a symbolic link.
    #[error("`{path}` lies outside of `{root}`, which alone may be changed")]
    Outside {
        /// The file.
        path: Utf8PathBuf,
        /// The copy.
        root: Utf8PathBuf,
    },
    /// A file is not what it was when the change was chosen.
    #[error("`{path}`:{line}: {expected} was expected")]
    Unexpected {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// What should be there.
        expected: String,
    },
    /// There is no such round.
    #[error("round {round} of `{}` is not possible: there are {rounds}", scenario.name())]
    NoRound {
        /// The scenario.
        scenario: Scenario,
        /// The round asked for, from 1.
        round: u32,
        /// How many there are.
        rounds: u32,
    },
    /// The lock could not be changed.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

/// Why a [`LockTool`](super::LockTool) did not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The program is not on this machine.
    #[error("needs `{program}` on this machine to change the lock")]
    Missing {
        /// Its name.
        program: String,
    },
    /// The program ran and refused.
    #[error("`{command}` failed: {message}")]
    Failed {
        /// The command line.
        command: String,
        /// The end of what it said.
        message: String,
    },
    /// The program could not be run to its end.
    #[error(transparent)]
    Process(#[from] crate::process::ProcessError),
    /// What a program printed is not what was expected.
    #[error("cannot understand the answer of `{command}`: {message}")]
    Answer {
        /// The command line.
        command: String,
        /// What is wrong with it.
        message: String,
    },
}
