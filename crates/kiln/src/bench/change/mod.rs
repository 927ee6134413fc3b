//! What a scenario means in one repository, and how its change is made.

mod apply;
mod candidates;
mod cargo_files;
mod choose;
mod choose_node;
mod error;
mod files;
mod host;
mod rust_source;
mod script;
#[cfg(test)]
mod tests;
mod tool;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::Scenario;

pub use choose::{choose, choose_from, edits_of_all};
pub use error::{ChangeError, NotApplicable, ToolError};
pub use files::Snapshot;
pub use host::HostTools;
pub use tool::{LockTool, Release};

/// What a scenario means in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The scenario.
    pub scenario: Scenario,
    /// Name of the service whose image is timed.
    pub service: String,
    /// What is changed, for people: `src/main.rs: one line in fn main`.
    pub what: String,
    /// How many rounds are possible; as many as one likes when absent.
    pub max_rounds: Option<u32>,
    /// The change.
    pub change: Change,
}

/// A change by its data. Paths are relative to the root of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// Nothing is edited: what differs is the state of the builder.
    None,
    /// A statement in the body of `fn main`, or an item at the end of the file where no such function is found.
    RustMain {
        /// The source file.
        path: Utf8PathBuf,
    },
    /// An item at the end of the root module of a library.
    RustLibrary {
        /// The source file.
        path: Utf8PathBuf,
        /// Whether it is a procedural macro, which cannot export items.
        proc_macro: bool,
    },
    /// A comment at the end of a Rust file.
    RustComment {
        /// The source file.
        path: Utf8PathBuf,
    },
    /// A line at the end of a text.
    Text {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A statement in a JavaScript or TypeScript module or in a component.
    Script {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The version of one or several local packages, in manifest and lock. Round N is the patch version of the first plus N.
    CargoVersion {
        /// The manifest that holds the version.
        manifest: Utf8PathBuf,
        /// Whether it stands in `[workspace.package]`.
        inherited: bool,
        /// The lock.
        lock: Utf8PathBuf,
        /// The packages that have this version.
        packages: Vec<String>,
        /// The version before round 1.
        from: String,
    },
    /// A new external crate, another one in each round.
    CargoAdd {
        /// The manifest of the binary's package.
        manifest: Utf8PathBuf,
        /// The lock.
        lock: Utf8PathBuf,
        /// The binary's package.
        package: String,
        /// Names of the crates, round by round.
        crates: Vec<String>,
    },
    /// Another version of a locked crate in each round.
    CargoMove {
        /// Folder of the workspace.
        workspace: Utf8PathBuf,
        /// The crate.
        package: String,
        /// Its versions, round by round; the first is the one before round 1.
        versions: Vec<String>,
    },
    /// The version of a Node package, in manifest and lock.
    NpmVersion {
        /// The manifest.
        manifest: Utf8PathBuf,
        /// npm's lock, if there is one.
        lock: Option<Utf8PathBuf>,
        /// Key of the package in the lock's `packages`: its folder, empty for the root.
        key: String,
        /// The version before round 1.
        from: String,
    },
    /// Another version of a direct npm dependency in each round.
    NpmMove {
        /// Folder with the lock.
        directory: Utf8PathBuf,
        /// The lock.
        lock: Utf8PathBuf,
        /// The workspace member that has the dependency, relative to the folder; absent for the root package.
        member: Option<Utf8PathBuf>,
        /// The dependency.
        package: String,
        /// Whether it stands in `devDependencies`.
        development: bool,
        /// Its versions, round by round; the first is the one before round 1.
        versions: Vec<String>,
    },
    /// To another branch and back. [`Choice::apply`] makes the other branch; the way back is [`Snapshot::restore`] of
    /// the files before it.
    Branch {
        /// What the other branch has changed.
        changes: Vec<Self>,
    },
}
