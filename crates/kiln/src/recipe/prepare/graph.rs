//! The local packages as a graph: where each dependency leads, and what each feature means.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use camino::Utf8Path;

use super::error::PrepareError;
use super::lock::{self, Id, Index};
use super::patch::Patches;
use super::platform::{Machines, Side, Verdict};
use crate::project::cargo::{CargoPackage, Dependency, DependencySource, Resolver};

/// Position among the workspace's packages.
pub(super) type Package = usize;

/// Where a dependency of a local package leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// To another local package.
    Local(Package),
    /// To a registry or git; which entry of the lock it is is found when it is needed.
    External,
    /// To a local package whose manifest was not read (a `[patch]` path outside the repository).
    Opaque,
}

/// A value in a `[features]` list or of `--features`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeatureValue<'w> {
    /// `feature`
    Feature(&'w str),
    /// `dep:alias`
    Dependency(&'w str),
    /// `alias/feature`, `alias?/feature`
    DependencyFeature { alias: &'w str, feature: &'w str, weak: bool },
}

impl<'w> FeatureValue<'w> {
    pub(super) fn parse(text: &'w str) -> Self {
        if let Some((alias, feature)) = text.split_once('/') {
            return match alias.strip_suffix('?') {
                Some(alias) => Self::DependencyFeature { alias, feature, weak: true },
                None => Self::DependencyFeature { alias, feature, weak: false },
            };
        }
        text.strip_prefix("dep:").map_or(Self::Feature(text), Self::Dependency)
    }
}

/// Everything that the resolution asks about.
#[derive(Debug)]
pub(super) struct Graph<'w> {
    pub(super) packages: &'w [CargoPackage],
    pub(super) resolver: Resolver,
    pub(super) machines: &'w Machines,
    pub(super) lock: &'w Index<'w>,
    pub(super) patches: &'w Patches,
    by_directory: HashMap<&'w Utf8Path, Package>,
    /// By package: the aliases that some feature names as `dep:alias`, which therefore are no features themselves.
    explicit: Vec<OnceCell<HashSet<&'w str>>>,
}

impl<'w> Graph<'w> {
    pub(super) fn new(
        packages: &'w [CargoPackage],
        resolver: Resolver,
        machines: &'w Machines,
        lock: &'w Index<'w>,
        patches: &'w Patches,
    ) -> Self {
        let by_directory = packages.iter().enumerate().map(|(index, package)| (package.directory.as_path(), index)).collect();
        Self { packages, resolver, machines, lock, patches, by_directory, explicit: vec![OnceCell::new(); packages.len()] }
    }

    pub(super) fn dependency(&self, package: Package, index: usize) -> &'w Dependency {
        &self.packages[package].dependencies[index]
    }

    /// Where a dependency leads. Asked only about those that are in force: others need not be in the lock.
    pub(super) fn destination(&self, package: Package, index: usize) -> Result<Destination, PrepareError> {
        let dependency = self.dependency(package, index);
        if let DependencySource::Path(folder) = &dependency.source {
            return self.by_directory.get(folder.as_path()).map(|found| Destination::Local(*found)).ok_or_else(|| {
                PrepareError::PathDependency {
                    manifest: lock::manifest(&self.packages[package]),
                    line: dependency.line,
                    dependency: dependency.alias.clone(),
                    path: folder.clone(),
                }
            });
        }
        if self.patches.paths(&dependency.package).next().is_some() {
            let id = self.lock.replaced(self.locked(package, index)?)?;
            if self.lock.get(id).source.is_none() {
                let known = self.patches.paths(&dependency.package).find_map(|folder| self.by_directory.get(folder));
                return Ok(known.map_or(Destination::Opaque, |found| Destination::Local(*found)));
            }
        }
        Ok(Destination::External)
    }

    /// The lock's entry for an external dependency.
    pub(super) fn locked(&self, package: Package, index: usize) -> Result<Id, PrepareError> {
        self.lock.resolve(&self.packages[package], self.dependency(package, index), self.patches)
    }

    /// Whether a dependency's platform applies on that side.
    pub(super) fn applies(&self, package: Package, index: usize, side: Side) -> Result<Verdict, PrepareError> {
        let dependency = self.dependency(package, index);
        let verdict =
            self.machines.applies(dependency.platform.as_deref(), side).map_err(|message| PrepareError::BadPlatform {
                file: lock::manifest(&self.packages[package]),
                platform: dependency.platform.clone().unwrap_or_default(),
                message,
            })?;
        // Only what cargo itself can decide later may stay open, and it never sees an edge between local packages.
        Ok(match verdict {
            Verdict::Unknown if matches!(dependency.source, DependencySource::Path(_)) => Verdict::No,
            verdict => verdict,
        })
    }

    /// What a feature of a local package turns on; none if there is no such feature.
    pub(super) fn feature(&self, package: Package, name: &'w str) -> Option<Vec<FeatureValue<'w>>> {
        let this = &self.packages[package];
        if let Some(values) = this.features.get(name) {
            return Some(values.iter().map(|value| FeatureValue::parse(value)).collect());
        }
        // An optional dependency is a feature of its own name, unless any feature speaks of it as `dep:name`.
        let implicit = this.dependencies.iter().any(|dependency| dependency.optional && dependency.alias == name)
            && !self.explicit(package).contains(name);
        implicit.then(|| vec![FeatureValue::Dependency(name)])
    }

    /// Names of all features, for "did you mean".
    pub(super) fn feature_names(&self, package: Package) -> impl Iterator<Item = &'w str> {
        let this = &self.packages[package];
        let explicit = self.explicit(package);
        let implicit =
            this.dependencies.iter().filter(|dependency| dependency.optional).map(|dependency| dependency.alias.as_str());
        this.features.keys().map(String::as_str).chain(implicit.filter(|alias| !explicit.contains(alias)))
    }

    fn explicit(&self, package: Package) -> &HashSet<&'w str> {
        self.explicit[package].get_or_init(|| {
            let values = self.packages[package].features.values().flatten();
            values.filter_map(|value| value.strip_prefix("dep:").filter(|alias| !alias.contains('/'))).collect()
        })
    }

    /// Whether the library is a procedural macro, and so always built for the host.
    pub(super) fn is_proc_macro(&self, package: Package) -> bool {
        self.packages[package].library.as_ref().is_some_and(|library| library.proc_macro)
    }
}
