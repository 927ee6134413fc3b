//! What a scenario means in one repository, and how its change is made.

mod error;
mod files;
mod host;
mod tool;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::plan::Plan;
use crate::project::Project;

pub use error::{ChangeError, NotApplicable, ToolError};
pub use files::Snapshot;
pub use host::HostTools;
pub use tool::LockTool;

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
        /// The versions, round by round, before round 1 first.
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
        /// The dependency.
        package: String,
        /// Whether it stands in `devDependencies`.
        development: bool,
        /// Its versions, round by round.
        versions: Vec<String>,
    },
    /// To another branch and back. [`Choice::apply`] makes the other branch; the way back is [`Snapshot::restore`] of
    /// the files before it.
    Branch {
        /// What the other branch has changed.
        changes: Vec<Self>,
    },
}

/// What every scenario means in this repository, in the order of [`Scenario::ALL`], or why it does not apply.
///
/// `root` is the copy that will be measured: `project` and `plan` may stem from the original. To prove that another version of a
/// dependency resolves, locks in the copy are changed and put back.
#[must_use]
pub fn choose(
    project: &Project,
    plan: &Plan,
    root: &Utf8Path,
    tools: &dyn LockTool,
) -> Vec<(Scenario, Result<Choice, NotApplicable>)> {
    let _ = (project, plan, root, tools);
    Scenario::ALL.into_iter().map(|scenario| (scenario, Err(NotApplicable::NoService))).collect()
}

impl Choice {
    /// Makes the change of round `round` (from 1) in the copy at `root`, and says which files differ now, relative to it.
    ///
    /// Each round builds on the one before and differs from all earlier ones, so that no cache of this run has seen it. Rounds are the
    /// same in each run: whoever measures keeps the caches of runs apart.
    ///
    /// # Errors
    /// A file that cannot be read or replaced or is not what it was, a tool that failed, or a round beyond
    /// [`max_rounds`](Self::max_rounds). Files are replaced whole; after an error some may be changed and others not.
    pub fn apply(&self, root: &Utf8Path, round: u32, tools: &dyn LockTool) -> Result<Vec<Utf8PathBuf>, ChangeError> {
        let _ = (root, tools);
        Err(ChangeError::NoRound { scenario: self.scenario, round, rounds: 0 })
    }

    /// The files that [`apply`](Self::apply) may change, relative to the root.
    #[must_use]
    pub fn files(&self) -> Vec<Utf8PathBuf> {
        Vec::new()
    }
}
