//! Node packages: `package.json`, lockfiles, workspaces.
//!
//! [`NodeWorkspace::load`] reads the files of one folder (and of its workspace members) and states facts; it runs nothing.
//! [`find_roots`] tells which of the `package.json` folders of a repository are such folders.

mod bundler;
mod error;
mod install;
mod install_files;
pub(crate) mod javascript;
mod json;
mod lock;
mod lock_check;
mod manifest;
mod members;
mod native;
mod range;
mod role;
mod roots;
mod runtime;
mod typescript;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

pub use bundler::{Bundle, Bundler, Output};
pub use error::NodeError;
pub(crate) use install::install_inputs;
pub use install::{InstallScript, install_script_names};
pub use install_files::SourceNeed;
pub(crate) use install_files::{script_closure, within as path_within};
pub(crate) use json::span_of;
pub use lock::Lockfile;
pub(super) use lock::NAMES as LOCKFILES;
pub use lock_check::{Disagreement, Refusal};
pub use manifest::{DependencySection, Manifest, NodeDependency};
pub use members::WorkspaceGlobs;
pub(crate) use members::pnpm_patches;
pub use native::NativeAddon;
pub use range::{Range, Version};
pub use role::{Role, ServerStart};
pub use roots::{NodeRoot, find_roots};
pub use runtime::{NodeVersion, PinnedManager};
pub use typescript::TypeScript;

use crate::plan::PackageManager;

/// A folder with a lockfile and the packages that it locks, or a lone package without a lock.
#[derive(Debug, Clone, Serialize)]
pub struct NodeWorkspace {
    /// Absolute folder of the root `package.json`.
    pub directory: Utf8PathBuf,
    /// The root package (folder `.`) first, then workspace members ordered by folder.
    pub packages: Vec<NodePackage>,
    /// Lockfiles side by side in the folder.
    pub lockfiles: Vec<Lockfile>,
    /// `packageManager` (or `devEngines.packageManager`, or `volta`) of the root manifest.
    pub pinned_manager: Option<PinnedManager>,
    /// Which Node version the repository asks for, and where.
    pub node_version: Option<NodeVersion>,
    /// Dependencies, direct and locked, whose install compiles C or C++ or needs system libraries.
    pub native_addons: Vec<NativeAddon>,
    /// The first place where lock and manifests disagree, such that a frozen install refuses.
    pub disagreement: Option<Disagreement>,
    /// Files that configure the package manager (`.npmrc`, `.yarnrc.yml`, `pnpm-workspace.yaml`, …), relative to the folder.
    pub config_files: Vec<Utf8PathBuf>,
    /// Whether it lies in a folder for examples, fixtures, tests or vendored code, below the folder that was looked at: no service
    /// unless someone says so.
    pub incidental: bool,
}

/// One package of a workspace.
#[derive(Debug, Clone, Serialize)]
pub struct NodePackage {
    /// Folder relative to the workspace root (`.` for the root package).
    pub directory: Utf8PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// What it is: application, library or tooling.
    pub role: Role,
    /// Bundler, with its output.
    pub bundle: Option<Bundle>,
    /// What its TypeScript compiler writes, if it has one.
    pub typescript: Option<TypeScript>,
    /// How a server is started, where the package is one.
    pub server: Option<ServerStart>,
    /// Scripts that the package manager runs at install.
    pub install_scripts: Vec<InstallScript>,
}

impl NodePackage {
    /// Whether the package makes something an image can serve: tooling and libraries do not.
    #[must_use]
    pub const fn buildable(&self) -> bool {
        matches!(self.role, Role::Application)
    }
}

impl NodeWorkspace {
    /// Reads the workspace (or lone package) rooted in `directory`.
    ///
    /// # Errors
    ///
    /// A manifest, lockfile or configuration file that cannot be read or understood: the error names the file and, where there is
    /// one, the line.
    pub fn load(directory: &Utf8Path) -> Result<Self, NodeError> {
        let root = Manifest::load(&directory.join("package.json"))?;
        let globs = WorkspaceGlobs::read(directory, &root)?;
        let lockfiles = lock::find(directory)?;
        let pinned_manager = runtime::pinned_manager(&root);
        let node_version = runtime::node_version(directory, &root)?;
        let manager = choose_manager(&lockfiles, pinned_manager.as_ref());

        let mut manifests = vec![(Utf8PathBuf::from("."), root)];
        for member in members::expand(directory, &globs)? {
            let manifest = Manifest::load(&directory.join(&member).join("package.json"))?;
            manifests.push((member, manifest));
        }
        let depended_on = members::depended_on(&manifests);
        let has_members = manifests.len() > 1;
        let packages = manifests
            .into_iter()
            .map(|(path, manifest)| {
                let folder = directory.join(&path);
                let bundle = bundler::detect(&folder, &manifest);
                let server = role::server_start(&folder, &manifest, bundle.as_ref());
                let is_workspace_root = has_members && path == ".";
                let used = manifest.name.as_ref().is_some_and(|name| depended_on.contains(name));
                let role = role::role(&folder, &manifest, bundle.as_ref(), server.as_ref(), is_workspace_root, used);
                let install_scripts = install::classify(directory, &path, &manifest, manager);
                let typescript = TypeScript::read(&folder, &manifest);
                NodePackage { directory: path, manifest, role, bundle, typescript, server, install_scripts }
            })
            .collect::<Vec<_>>();
        let native_addons = native::find(directory, &packages, &lockfiles);
        let disagreement = match lockfiles.iter().find(|lock| Some(lock.manager) == manager) {
            Some(lock) => lock_check::check(directory, &packages, lock)?,
            None => None,
        };
        let config_files = members::config_files(directory);
        Ok(Self {
            directory: directory.to_owned(),
            packages,
            lockfiles,
            pinned_manager,
            node_version,
            native_addons,
            disagreement,
            config_files,
            incidental: false,
        })
    }

    /// The package manager: the only lockfile's, or the one that `packageManager` names among several. `None` asks.
    #[must_use]
    pub fn manager(&self) -> Option<PackageManager> {
        choose_manager(&self.lockfiles, self.pinned_manager.as_ref())
    }

    /// The lockfile of [`NodeWorkspace::manager`].
    #[must_use]
    pub fn lockfile(&self) -> Option<&Lockfile> {
        let manager = self.manager()?;
        self.lockfiles.iter().find(|lock| lock.manager == manager)
    }

    /// The root package.
    #[must_use]
    pub fn root(&self) -> Option<&NodePackage> {
        self.packages.first()
    }
}

/// npm prefers `npm-shrinkwrap.json`; two files of one manager are no conflict. With no lockfile the pinned manager stands, else npm.
fn choose_manager(lockfiles: &[Lockfile], pinned: Option<&PinnedManager>) -> Option<PackageManager> {
    if let Some(pinned) = pinned {
        if lockfiles.is_empty() {
            return Some(pinned.manager);
        }
        if let Some(lock) = lockfiles.iter().find(|lock| lock.manager == pinned.manager || lock.same_family(pinned.manager)) {
            return Some(lock.manager);
        }
    }
    let Some(first) = lockfiles.first() else { return Some(PackageManager::Npm) };
    lockfiles.iter().all(|lock| lock.manager == first.manager).then_some(first.manager)
}
