//! Which external crates to move, and to which versions.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use semver::{Version, VersionReq};

use super::files::{Snapshot, read};
use super::{LockTool, NotApplicable, Release, ToolError, cargo_files};
use crate::project::cargo::{CargoLock, CargoWorkspace, DependencySource, LockGraph, LockedPackage};
use crate::recipe::{Context, Recipe};

/// So many rounds make a crate good enough, without a look at others.
const ENOUGH: usize = 5;
/// So many rounds are proven at most.
const MOST: usize = 8;
/// So many crates are tried.
const TRIED: usize = 8;

/// A crate that can be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movable {
    pub(super) name: String,
    /// Its versions: the locked one, then those of the rounds.
    pub(super) versions: Vec<String>,
    /// Others that move with it.
    pub(super) with: BTreeSet<String>,
}

/// What is asked of a crate to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Asked for by local packages only; the fewer crates below it, the better.
    Leaf,
    /// About half of the crates depend on it.
    Core,
    /// In the lock, but not needed for the binary.
    Unreached,
}

/// The crates of the lock that fit, best first.
pub(super) fn ranked<'a>(lock: &'a CargoLock, recipe: &Recipe, wanted: Wanted) -> Vec<&'a LockedPackage> {
    let graph = LockGraph::new(lock);
    let used: BTreeSet<(&str, &str)> = recipe.lock.iter().map(|entry| (entry.name.as_str(), entry.version.as_str())).collect();
    let is_used = |package: &LockedPackage| used.contains(&(package.name.as_str(), package.version.as_str()));
    let positions = || (0..lock.packages.len()).filter(|index| lock.packages[*index].source.is_some());
    // A lock may have edges that the binary's features leave out: the pruned one has only nodes that are used.
    let below: BTreeMap<usize, BTreeSet<usize>> = positions()
        .filter(|index| wanted == Wanted::Unreached || is_used(&lock.packages[*index]))
        .map(|index| (index, graph.reached_from([index])))
        .collect();
    let above = |index: usize| below.iter().filter(|(other, reached)| **other != index && reached.contains(&index)).count();
    let from_registry = |package: &LockedPackage| {
        package.source.as_ref().is_some_and(|source| source.starts_with("registry+") || source.starts_with("sparse+"))
    };
    let for_target = |package: &LockedPackage| {
        let mut asked = recipe.requirements.iter().filter(|requirement| requirement.context == Context::Target);
        asked.any(|requirement| requirement.name == package.name && requirement.version == package.version)
    };
    let mut fitting: Vec<(usize, &LockedPackage)> = below
        .iter()
        .map(|(index, reached)| (*index, reached.len(), &lock.packages[*index]))
        .filter(|(.., package)| from_registry(package))
        .filter_map(|(index, reached, package)| {
            let rank = match wanted {
                Wanted::Leaf => {
                    (for_target(package) && above(index) == 0 && !package.name.ends_with("-sys")).then_some(reached)?
                }
                Wanted::Core => (2 * above(index)).abs_diff(below.len()),
                Wanted::Unreached => (!is_used(package)).then_some(reached)?,
            };
            Some((rank, package))
        })
        .collect();
    fitting.sort_by(|(left, first), (right, second)| (left, &first.name).cmp(&(right, &second.name)));
    fitting.into_iter().map(|(_, package)| package).collect()
}

/// The versions to try: compatible with the locked one and with what local manifests ask for. Older ones come first, nearest
/// first, since what the lock's other crates need today is seldom new; then newer ones that the toolchain compiles.
fn versions(releases: &[Release], locked: &Version, requirements: &[VersionReq], toolchain: Option<&Version>) -> Vec<Version> {
    let compatible = |version: &Version| {
        let same = match (locked.major, locked.minor) {
            (0, 0) => false,
            (0, minor) => (version.major, version.minor) == (0, minor),
            (major, _) => version.major == major,
        };
        same && version.pre.is_empty() && requirements.iter().all(|requirement| requirement.matches(version))
    };
    let compiles = |release: &Release| match (&release.rust_version, toolchain) {
        (Some(needed), Some(toolchain)) => {
            VersionReq::parse(&format!(">={needed}")).is_ok_and(|needed| needed.matches(toolchain))
        }
        (needed, _) => needed.is_none(),
    };
    let fitting = releases.iter().filter(|release| compatible(&release.version));
    let older = fitting.clone().filter(|release| release.version < *locked).rev();
    let newer = fitting.filter(|release| release.version > *locked && compiles(release));
    older.chain(newer).map(|release| release.version.clone()).collect()
}

/// Moves crates of a workspace's lock, in the copy, to see how far it goes.
pub(super) struct Trials<'a> {
    pub(super) root: &'a Utf8Path,
    /// Folder of the workspace, relative to the root.
    pub(super) folder: &'a Utf8Path,
    pub(super) workspace: &'a CargoWorkspace,
    pub(super) recipe: &'a Recipe,
    pub(super) toolchain: Option<Version>,
    pub(super) tools: &'a dyn LockTool,
}

impl Trials<'_> {
    /// The first crate that can be moved often enough, else the one that can be moved most often. The lock is put back.
    pub(super) fn find(&self, lock: &CargoLock, wanted: Wanted) -> Result<Movable, NotApplicable> {
        let failed = |error: &dyn std::error::Error| NotApplicable::Failed(error.to_string());
        let path = self.folder.join("Cargo.lock");
        let snapshot = Snapshot::take(self.root, std::slice::from_ref(&path)).map_err(|error| failed(&error))?;
        let ranked = ranked(lock, self.recipe, wanted);
        let mut best: Option<Movable> = None;
        for package in ranked.iter().take(TRIED) {
            let tried = self.try_package(package, wanted);
            snapshot.restore().map_err(|error| failed(&error))?;
            let movable = match tried {
                Ok(movable) => movable,
                Err(ToolError::Missing { program }) => return Err(NotApplicable::NoTool { program }),
                Err(error @ ToolError::Process(_)) => return Err(failed(&error)),
                // This one does not move; another may.
                Err(_) => continue,
            };
            let rounds = movable.versions.len();
            if rounds > 1 && best.as_ref().is_none_or(|best| best.versions.len() < rounds) {
                best = Some(movable);
            }
            if rounds > ENOUGH {
                break;
            }
        }
        best.ok_or_else(|| NotApplicable::NoPackage(nothing(wanted, &ranked)))
    }

    fn try_package(&self, package: &LockedPackage, wanted: Wanted) -> Result<Movable, ToolError> {
        let mut movable = Movable { name: package.name.clone(), versions: vec![package.version.clone()], with: BTreeSet::new() };
        let Ok(locked) = Version::parse(&package.version) else { return Ok(movable) };
        let directory = self.root.join(self.folder);
        let releases = self.tools.crate_releases(&directory, &package.name, &package.version, package.checksum.as_deref())?;
        let requirements = self.requirements(package);
        let before = self.packages();
        let mut current = package.version.clone();
        for version in versions(&releases, &locked, &requirements, self.toolchain.as_ref()) {
            if movable.versions.len() > MOST {
                break;
            }
            let version = version.to_string();
            // Where the lock has that version beside this one, they would become one.
            if before.contains(&(package.name.clone(), version.clone())) {
                continue;
            }
            let previous = Snapshot::take(self.root, &[self.folder.join("Cargo.lock")]).ok();
            match self.tools.move_crate(&directory, &package.name, &current, &version) {
                Ok(()) => {}
                // The requirements of the others do not allow it.
                Err(ToolError::Failed { .. }) => continue,
                Err(error) => return Err(error),
            }
            let after = self.packages();
            let moved: BTreeSet<&str> = before.symmetric_difference(&after).map(|(name, _)| name.as_str()).collect();
            let reached = |name: &str| self.recipe.lock.iter().any(|entry| entry.name == name);
            let is_there = after.contains(&(package.name.clone(), version.clone()));
            let is_kept = wanted != Wanted::Unreached || !moved.iter().any(|name| *name != package.name && reached(name));
            if !is_there || !is_kept {
                // Each round starts from the one before: a step that does not count must not be one.
                if previous.is_none_or(|previous| previous.restore().is_err()) {
                    break;
                }
                continue;
            }
            movable.with.extend(moved.into_iter().filter(|name| *name != package.name).map(str::to_owned));
            movable.versions.push(version.clone());
            current = version;
        }
        Ok(movable)
    }

    fn packages(&self) -> BTreeSet<(String, String)> {
        let lock = read(self.root, &self.folder.join("Cargo.lock")).unwrap_or_default();
        cargo_files::locked(&lock).into_iter().map(|(name, version)| (name.to_owned(), version.to_owned())).collect()
    }

    /// What local manifests ask of the crate, where the locked version is what they get.
    fn requirements(&self, package: &LockedPackage) -> Vec<VersionReq> {
        let Ok(version) = Version::parse(&package.version) else { return Vec::new() };
        let dependencies = self.workspace.packages.iter().flat_map(|local| &local.dependencies);
        let asked = dependencies.filter(|dependency| {
            dependency.package == package.name && matches!(dependency.source, DependencySource::Registry(_))
        });
        let requirements = asked.filter_map(|dependency| VersionReq::parse(dependency.requirement.as_deref()?).ok());
        requirements.filter(|requirement| requirement.matches(&version)).collect()
    }
}

fn nothing(wanted: Wanted, ranked: &[&LockedPackage]) -> String {
    let which = match wanted {
        Wanted::Leaf => "external crate that no other one depends on",
        Wanted::Core => "external crate",
        Wanted::Unreached => "locked crate outside of the binary's reach",
    };
    match ranked {
        [] => format!("there is no {which}"),
        [first, ..] => format!("no {which} has another version that the lock can move to (`{}` was tried first)", first.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_tried_from_the_nearest_older_one() {
        let release = |text: &str, rust: Option<&str>| Release {
            version: Version::parse(text).unwrap(),
            rust_version: rust.map(str::to_owned),
        };
        let releases = [
            release("0.9.0", None),
            release("1.0.0", None),
            release("1.1.0", None),
            release("1.2.0-rc.1", None),
            release("1.2.0", None),
            release("1.2.1", None),
            release("1.3.0", Some("1.70")),
            release("1.4.0", Some("1.99")),
            release("2.0.0", None),
        ];
        let toolchain = Version::new(1, 85, 0);
        let found = |locked: &str, requirement: &str| {
            let requirement = VersionReq::parse(requirement).unwrap();
            let found = versions(&releases, &Version::parse(locked).unwrap(), &[requirement], Some(&toolchain));
            found.into_iter().map(|version| version.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("1.2.1", "1"), ["1.2.0", "1.1.0", "1.0.0", "1.3.0"]);
        assert_eq!(found("1.2.1", "1.1"), ["1.2.0", "1.1.0", "1.3.0"]);
        assert!(found("1.2.1", "=1.2.1").is_empty());
        assert!(found("0.9.0", "*").is_empty());
    }
}
