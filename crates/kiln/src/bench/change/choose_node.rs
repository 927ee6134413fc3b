//! What the frontend's scenarios mean in a repository.

use camino::{Utf8Path, Utf8PathBuf};
use semver::Version;
use serde_json::Value;

use super::choose::Chosen;
use super::files::read;
use super::{Change, LockTool, NotApplicable, ToolError, script};
use crate::plan::{NodeService, PackageManager, Service, ServiceKind, join};
use crate::project::Project;
use crate::project::cargo::paths::relative;
use crate::project::node::{DependencySection, NodeDependency, NodePackage, NodeWorkspace};

/// So many versions of a dependency are enough.
const MOST: usize = 12;
/// So many dependencies are asked for their versions.
const TRIED: usize = 6;

/// A service of a Node package.
pub(super) struct Frontend<'a> {
    pub(super) service: &'a Service,
    node: &'a NodeService,
    workspace: &'a NodeWorkspace,
    package: &'a NodePackage,
    /// Folder with the lock, relative to the root.
    folder: Utf8PathBuf,
    root: &'a Utf8Path,
    tools: &'a dyn LockTool,
}

impl<'a> Frontend<'a> {
    pub(super) fn new(project: &'a Project, service: &'a Service, root: &'a Utf8Path, tools: &'a dyn LockTool) -> Option<Self> {
        let ServiceKind::Node(node) = &service.kind else { return None };
        let folder = join(&service.context, &node.workspace);
        let workspace = project.node.iter().find(|workspace| relative(&project.root, &workspace.directory) == folder)?;
        let own = join(&service.context, &node.package);
        let package = workspace.packages.iter().find(|package| join(&folder, &package.directory) == own)?;
        Some(Self { service, node, workspace, package, folder, root, tools })
    }

    /// The package's folder, relative to the root.
    fn own(&self) -> Utf8PathBuf {
        join(&self.folder, &self.package.directory)
    }

    pub(super) fn source(&self) -> Result<Chosen, NotApplicable> {
        let own = self.own();
        let entry = script::entry(&self.root.join(&own), self.package);
        let path = join(&own, &entry.ok_or_else(|| NotApplicable::NoEntry { folder: own.clone() })?);
        Ok(Chosen::new(format!("{path}: one line"), Change::Script { path }))
    }

    fn npm_lock(&self) -> Option<Utf8PathBuf> {
        let lock = self.workspace.lockfile().filter(|lock| lock.manager == PackageManager::Npm)?;
        Some(join(&self.folder, &lock.name))
    }

    /// Key of the package in npm's lock.
    fn key(&self) -> String {
        if self.package.directory == "." { String::new() } else { self.package.directory.to_string() }
    }

    pub(super) fn version(&self) -> Result<Chosen, NotApplicable> {
        let manifest = join(&self.own(), Utf8Path::new("package.json"));
        let version = self.package.manifest.version.as_deref().and_then(|version| Version::parse(version).ok());
        let from = version.ok_or_else(|| NotApplicable::NoVersion { manifest: manifest.clone() })?.to_string();
        let lock = self.npm_lock();
        let what = match &lock {
            Some(lock) => format!("{manifest} and {}: the version", lock.file_name().unwrap_or_default()),
            // The locks of other managers do not hold it.
            None => format!("{manifest}: the version"),
        };
        Ok(Chosen::new(what, Change::NpmVersion { manifest, lock, key: self.key(), from }))
    }

    /// Another version of a dependency that has none of its own and that only this package asks for.
    pub(super) fn dependency(&self) -> Result<Chosen, NotApplicable> {
        if self.node.manager != PackageManager::Npm {
            return Err(NotApplicable::OtherManager { manager: manager_name(self.node.manager) });
        }
        let missing = || NotApplicable::NoLock { path: join(&self.folder, Utf8Path::new("package-lock.json")) };
        let lock = self.npm_lock().ok_or_else(missing)?;
        let text = read(self.root, &lock).map_err(|error| NotApplicable::Failed(error.to_string()))?;
        let document: Value = serde_json::from_str(&text).map_err(|error| NotApplicable::Failed(format!("{lock}: {error}")))?;
        let leaves = leaves(&document, self.package);
        let mut best: Option<(&NodeDependency, Vec<String>)> = None;
        for (dependency, locked) in leaves.iter().take(TRIED) {
            let known = match self.tools.npm_versions(&self.root.join(&self.folder), &dependency.name) {
                Ok(known) => known,
                Err(ToolError::Missing { program }) => return Err(NotApplicable::NoTool { program }),
                Err(ToolError::Process(error)) => return Err(NotApplicable::Failed(error.to_string())),
                Err(_) => continue,
            };
            let versions = versions(&known, locked);
            if versions.len() > 1 && best.as_ref().is_none_or(|(_, best)| best.len() < versions.len()) {
                best = Some((dependency, versions));
            }
            if best.as_ref().is_some_and(|(_, best)| best.len() > 5) {
                break;
            }
        }
        let nothing = || NotApplicable::NoPackage("no dependency without dependencies of its own has another version".to_owned());
        let (dependency, versions) = best.ok_or_else(nothing)?;
        let what = format!("{lock}: `{}` {} to {}", dependency.name, versions[0], versions[1]);
        let rounds = versions.len() - 1;
        let change = Change::NpmMove {
            directory: self.folder.clone(),
            lock,
            member: (self.package.directory != ".").then(|| self.package.directory.clone()),
            package: dependency.name.clone(),
            development: dependency.section == DependencySection::Development,
            versions,
        };
        Ok(Chosen::new(what, change).rounds(rounds))
    }
}

/// The direct dependencies that have none of their own, with their locked version; those that end up in the product first.
fn leaves<'a>(lock: &Value, package: &'a NodePackage) -> Vec<(&'a NodeDependency, Version)> {
    let entry = |name: &str| {
        let nested = format!("{}/node_modules/{name}", package.directory);
        let packages = lock.get("packages")?;
        packages.get(nested).or_else(|| packages.get(format!("node_modules/{name}")))
    };
    let is_empty = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_object).is_none_or(serde_json::Map::is_empty);
    let direct = package.manifest.dependencies.iter();
    let direct =
        direct.filter(|dependency| matches!(dependency.section, DependencySection::Normal | DependencySection::Development));
    let mut leaves: Vec<_> = direct
        .filter_map(|dependency| {
            let entry = entry(&dependency.name)?;
            let alone = ["dependencies", "optionalDependencies", "peerDependencies"].iter().all(|key| is_empty(entry, key));
            // A script, a link or a source other than the registry makes it something else than a version.
            let plain = entry.get("hasInstallScript").is_none() && entry.get("link").is_none();
            let published = entry.get("resolved").and_then(Value::as_str).is_none_or(|source| source.starts_with("http"));
            let version = Version::parse(entry.get("version")?.as_str()?).ok()?;
            (alone && plain && published && !dependency.specifier.contains(':')).then_some((dependency, version))
        })
        .collect();
    leaves.sort_by_key(|(dependency, _)| dependency.section == DependencySection::Development);
    leaves
}

/// The locked version, then compatible ones: older ones first, nearest first.
fn versions(known: &[Version], locked: &Version) -> Vec<String> {
    let compatible = |version: &&Version| {
        let zero = locked.major == 0;
        version.major == locked.major && (!zero || version.minor == locked.minor) && version.pre.is_empty() && *version != locked
    };
    let fitting = known.iter().filter(compatible);
    let older = fitting.clone().filter(|version| *version < locked).rev();
    let newer = fitting.filter(|version| *version > locked);
    std::iter::once(locked).chain(older.chain(newer).take(MOST)).map(Version::to_string).collect()
}

const fn manager_name(manager: PackageManager) -> &'static str {
    match manager {
        PackageManager::Npm => "npm",
        PackageManager::Pnpm => "pnpm",
        PackageManager::YarnClassic | PackageManager::YarnBerry => "yarn",
        PackageManager::Bun => "bun",
    }
}
