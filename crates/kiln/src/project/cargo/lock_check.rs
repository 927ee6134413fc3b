//! Whether lock and manifests agree, as `cargo build --locked` would ask.
//!
//! Only what is certain counts: where a patch, a replacement or an unusual requirement makes the answer depend on cargo's
//! resolver, nothing is reported.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use semver::{Version, VersionReq};
use serde::Serialize;

use super::{CargoLock, CargoPackage, CargoWorkspace, Dependency, DependencyKind, DependencySource, LockGraph};

/// One point on which `Cargo.lock` and a manifest differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The member.
    pub package: String,
    /// Its manifest, relative to the workspace root.
    pub manifest: Utf8PathBuf,
    /// The line of the dependency, from 1, where the manifest has one.
    pub line: Option<usize>,
    /// What differs.
    pub kind: DisagreementKind,
}

/// How lock and manifest differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DisagreementKind {
    /// The lock does not list the member.
    MemberMissing,
    /// The lock has the member at another version.
    MemberVersion {
        /// Version in the manifest.
        manifest: String,
        /// Version in the lock.
        locked: String,
    },
    /// The manifest asks for a dependency that the lock does not have for this member.
    Missing {
        /// Key of the dependency.
        alias: String,
        /// Package name.
        dependency: String,
    },
    /// The locked versions do not satisfy the manifest.
    Version {
        /// Key of the dependency.
        alias: String,
        /// Package name.
        dependency: String,
        /// Requirement in the manifest.
        requirement: String,
        /// Versions in the lock.
        locked: Vec<String>,
    },
    /// The lock has the dependency from another kind of source (a registry instead of git, and so on).
    Source {
        /// Key of the dependency.
        alias: String,
        /// Package name.
        dependency: String,
    },
    /// The lock has a dependency for the member that its manifest does not ask for any more.
    Unneeded {
        /// Package name.
        dependency: String,
    },
}

impl DisagreementKind {
    /// The name of the package that the disagreement is about, if it is not the member itself.
    #[must_use]
    pub fn dependency(&self) -> Option<&str> {
        match self {
            Self::MemberMissing | Self::MemberVersion { .. } => None,
            Self::Missing { dependency, .. }
            | Self::Version { dependency, .. }
            | Self::Source { dependency, .. }
            | Self::Unneeded { dependency } => Some(dependency),
        }
    }
}

impl CargoWorkspace {
    /// Where lock and manifests differ, in the order of members and lines; empty without a lock.
    #[must_use]
    pub fn lock_disagreements(&self) -> Vec<Disagreement> {
        let Some(lock) = &self.lock else { return Vec::new() };
        let graph = LockGraph::new(lock);
        let replaced: BTreeSet<&str> =
            self.patches.iter().chain(&self.replacements).map(|patch| patch.dependency.package.as_str()).collect();
        let check = Check { workspace: self, lock, graph, replaced };
        let mut found = Vec::new();
        for package in self.members() {
            check.member(package, &mut found);
        }
        found
    }
}

struct Check<'a> {
    workspace: &'a CargoWorkspace,
    lock: &'a CargoLock,
    graph: LockGraph<'a>,
    /// Names that `[patch]` or `[replace]` speak of.
    replaced: BTreeSet<&'a str>,
}

impl Check<'_> {
    fn member(&self, package: &CargoPackage, found: &mut Vec<Disagreement>) {
        let at = |line, kind| Disagreement { package: package.name.clone(), manifest: package.manifest(), line, kind };
        let Some(entry) = self.graph.local(package) else {
            found.push(at(None, DisagreementKind::MemberMissing));
            return;
        };
        let locked = &self.lock.packages[entry];
        if locked.version != package.version {
            let kind = DisagreementKind::MemberVersion { manifest: package.version.clone(), locked: locked.version.clone() };
            found.push(at(None, kind));
        }
        let mut listed: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for dependency in &locked.dependencies {
            let name = dependency.split(' ').next().unwrap_or(dependency);
            listed.entry(name).or_default().extend(self.graph.resolve(dependency));
        }
        for dependency in &package.dependencies {
            if let Some(kind) = self.dependency(package, dependency, &listed) {
                found.push(at(Some(dependency.line), kind));
            }
        }
        let wanted: BTreeSet<&str> = package.dependencies.iter().map(|dependency| dependency.package.as_str()).collect();
        for name in listed.into_keys().filter(|name| !wanted.contains(name) && self.replaced.is_empty()) {
            found.push(at(None, DisagreementKind::Unneeded { dependency: name.to_owned() }));
        }
    }

    fn dependency(
        &self,
        package: &CargoPackage,
        dependency: &Dependency,
        listed: &BTreeMap<&str, Vec<usize>>,
    ) -> Option<DisagreementKind> {
        let name = dependency.package.as_str();
        let alias = dependency.alias.clone();
        // cargo leaves a development dependency of a package on itself out of the lock.
        if dependency.kind == DependencyKind::Development && name == package.name {
            return None;
        }
        let Some(entries) = listed.get(name) else {
            return Some(DisagreementKind::Missing { alias, dependency: name.to_owned() });
        };
        if self.replaced.contains(name) || entries.is_empty() {
            return None;
        }
        let mut candidates = entries.iter().map(|index| &self.lock.packages[*index]);
        let fits = |source: &Option<String>| match &dependency.source {
            DependencySource::Path(_) => source.is_none(),
            DependencySource::Git { .. } => source.as_deref().is_some_and(|source| source.starts_with("git+")),
            DependencySource::Registry(_) => {
                source.as_deref().is_some_and(|source| !source.starts_with("git+") && !source.starts_with("path+"))
            }
        };
        if !candidates.clone().any(|candidate| fits(&candidate.source)) {
            // Configuration can replace whole sources; then the lock still tells the original one, but be careful.
            let patched_elsewhere = self.workspace.configs.iter().any(|config| config.text.contains("patch"));
            return (!patched_elsewhere).then(|| DisagreementKind::Source { alias, dependency: name.to_owned() });
        }
        let requirement = dependency.requirement.as_deref()?;
        let parsed = VersionReq::parse(requirement).ok()?;
        let satisfied = candidates.clone().filter(|candidate| fits(&candidate.source)).any(|candidate| {
            // An unreadable version is no proof of a disagreement.
            Version::parse(&candidate.version).map_or(true, |version| parsed.matches(&version))
        });
        if satisfied {
            return None;
        }
        Some(DisagreementKind::Version {
            alias,
            dependency: name.to_owned(),
            requirement: requirement.to_owned(),
            locked: candidates.by_ref().map(|candidate| candidate.version.clone()).collect(),
        })
    }
}
