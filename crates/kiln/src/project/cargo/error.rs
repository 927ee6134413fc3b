//! What can be wrong with a cargo workspace on disk, each with the file and, where one line is to blame, the line.

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

/// Why a workspace could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CargoError {
    /// A file or folder cannot be read, or does not exist.
    #[error("cannot read `{path}`")]
    Read {
        /// The file or folder.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that must be text is not UTF-8.
    #[error("`{path}` is not valid UTF-8 text (line {line})")]
    NotText {
        /// The file.
        path: Utf8PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
    },
    /// A file or folder name that cargo would have to use is not UTF-8.
    #[error("the name `{name}` in `{folder}` is not valid UTF-8")]
    NameNotUtf8 {
        /// Folder that holds it.
        folder: Utf8PathBuf,
        /// The name, with the unreadable parts replaced.
        name: String,
    },
    /// A file is not TOML.
    #[error("{path}:{line}:{column}: {message}")]
    Toml {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the TOML parser said.
        message: String,
    },
    /// A value has the wrong type.
    #[error("{path}:{line}: `{key}` must be {expected}")]
    Type {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key with its tables.
        key: String,
        /// What is expected there, with its article.
        expected: &'static str,
    },
    /// A key that cargo requires is absent.
    #[error("{path}:{line}: `{key}` is missing")]
    MissingKey {
        /// The file.
        path: Utf8PathBuf,
        /// Line of the table that lacks it, from 1.
        line: usize,
        /// The key with its tables.
        key: String,
    },
    /// A manifest with neither `[package]` nor `[workspace]`.
    #[error("`{path}` has neither `[package]` nor `[workspace]`")]
    NotAManifest {
        /// The manifest.
        path: Utf8PathBuf,
    },
    /// A binary is declared, and no source file is where cargo looks for it.
    #[error("{path}:{line}: no source file for binary `{binary}` at `src/bin/{binary}.rs` or `src/bin/{binary}/main.rs`")]
    MissingTarget {
        /// The manifest.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// Name of the binary.
        binary: String,
    },
    /// `members` or `default-members` names a folder without a `Cargo.toml`.
    #[error("{path}:{line}: member `{member}` has no manifest: `{folder}/Cargo.toml` does not exist")]
    MissingMember {
        /// The root manifest.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The entry as written.
        member: String,
        /// The folder that it names, or one that its glob matches.
        folder: Utf8PathBuf,
    },
    /// An entry of `default-members` is not a member.
    #[error("{path}:{line}: default member `{member}` is not a member of the workspace")]
    NotADefaultMember {
        /// The root manifest.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The entry as written.
        member: String,
    },
    /// A glob in `members` cannot be understood.
    #[error("{path}:{line}: `{pattern}` is not a valid glob")]
    Glob {
        /// The root manifest.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: glob::PatternError,
    },
    /// A path dependency points to a folder without a `Cargo.toml`.
    #[error("{path}:{line}: path dependency `{alias}` has no manifest: `{folder}/Cargo.toml` does not exist")]
    MissingPathDependency {
        /// The manifest.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// Key of the dependency.
        alias: String,
        /// The folder that it points to.
        folder: Utf8PathBuf,
    },
    /// A path dependency points to a package of another name.
    #[error("{path}:{line}: dependency on `{expected}` by path, but `{folder}` holds `{found}`")]
    WrongPackage {
        /// The manifest.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// Package name that the dependency asks for.
        expected: String,
        /// Package name found.
        found: String,
        /// The folder that it points to.
        folder: Utf8PathBuf,
    },
    /// `workspace = true` for something that the workspace root does not have.
    #[error("{path}:{line}: `{key}` is inherited, but `{root}` has no `{wanted}`")]
    NotInherited {
        /// The manifest that inherits.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The inheriting key with its tables.
        key: String,
        /// The root manifest that lacks it.
        root: Utf8PathBuf,
        /// The key that it lacks.
        wanted: String,
    },
    /// `workspace = true` in a package that belongs to no workspace.
    #[error("{path}:{line}: `{key}` is inherited, but the package belongs to no workspace")]
    NoWorkspace {
        /// The manifest that inherits.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The inheriting key with its tables.
        key: String,
    },
    /// Two members have the same name.
    #[error("two packages are named `{name}`: `{first}` and `{second}`")]
    DuplicateName {
        /// The name.
        name: String,
        /// Manifest of the first.
        first: Utf8PathBuf,
        /// Manifest of the second.
        second: Utf8PathBuf,
    },
    /// A member has a `[workspace]` table of its own.
    #[error("two workspace roots in one workspace: `{root}` and `{other}`")]
    SeveralRoots {
        /// The root manifest.
        root: Utf8PathBuf,
        /// The other manifest with `[workspace]`.
        other: Utf8PathBuf,
    },
    /// A package lies below a workspace root that neither lists nor excludes it; cargo refuses to build it.
    #[error("`{path}` lies below the workspace `{root}`, which neither lists nor excludes it")]
    Unlisted {
        /// The package's manifest.
        path: Utf8PathBuf,
        /// The root manifest.
        root: Utf8PathBuf,
    },
    /// Local packages depend on each other in a circle.
    #[error("{path}:{line}: packages depend on each other in a circle: {}", packages.join(" -> "))]
    Cycle {
        /// Manifest of the package that closes the circle.
        path: Utf8PathBuf,
        /// Line of the dependency that closes it, from 1.
        line: usize,
        /// The packages, first and last being the same.
        packages: Vec<String>,
    },
    /// The lockfile has the marks of a merge that nobody has finished.
    #[error("{path}:{line}: a merge conflict is not resolved; take one side (`git checkout --ours {}`) and run `cargo update -w`", path.file_name().unwrap_or_default())]
    LockConflict {
        /// The lockfile.
        path: Utf8PathBuf,
        /// Line of the first mark, from 1.
        line: usize,
    },
    /// The lockfile is of a version that came after this kiln.
    #[error(
        "{path}:{line}: the lockfile is of version {version}, and this kiln knows versions up to {newest}; update kiln, or lock with an older cargo"
    )]
    LockVersion {
        /// The lockfile.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// Its version.
        version: u32,
        /// The newest version that is known.
        newest: u32,
    },
    /// The lockfile is TOML, and is not a lockfile.
    #[error("{path}:{line}: {message}")]
    Lock {
        /// The lockfile.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: &'static str,
    },
}

impl CargoError {
    /// The file or folder that is to blame, and the line in it, from 1; the first where no single line is.
    #[must_use]
    pub fn place(&self) -> (&Utf8Path, usize) {
        match self {
            Self::Read { path, .. }
            | Self::NotAManifest { path }
            | Self::Unlisted { path, .. }
            | Self::NameNotUtf8 { folder: path, .. }
            | Self::DuplicateName { second: path, .. }
            | Self::SeveralRoots { other: path, .. } => (path, 1),
            Self::NotText { path, line }
            | Self::Toml { path, line, .. }
            | Self::Type { path, line, .. }
            | Self::MissingKey { path, line, .. }
            | Self::MissingTarget { path, line, .. }
            | Self::MissingMember { path, line, .. }
            | Self::NotADefaultMember { path, line, .. }
            | Self::Glob { path, line, .. }
            | Self::MissingPathDependency { path, line, .. }
            | Self::WrongPackage { path, line, .. }
            | Self::NotInherited { path, line, .. }
            | Self::NoWorkspace { path, line, .. }
            | Self::Cycle { path, line, .. }
            | Self::LockConflict { path, line }
            | Self::LockVersion { path, line, .. }
            | Self::Lock { path, line, .. } => (path, *line),
        }
    }
}
