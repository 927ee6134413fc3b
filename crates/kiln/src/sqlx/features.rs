//! Which features of local packages are on when the workspace is compiled.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::data::Database;
use crate::plan::{Plan, ServiceKind};
use crate::project::cargo::{CargoPackage, CargoWorkspace, Dependency, DependencyKind, DependencySource, paths};

/// The features that a compile is asked for, as cargo's flags say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureChoice {
    /// `NAME` for every member that has it, or `PACKAGE/NAME`.
    pub features: BTreeSet<String>,
    /// Members without their default features, by name.
    pub no_default_features: BTreeSet<String>,
    /// Every feature of every member.
    pub all_features: bool,
}

impl FeatureChoice {
    /// The features with which the services of a plan are built from a workspace of the repository at `root`.
    #[must_use]
    pub fn of_plan(plan: &Plan, root: &Utf8Path, workspace: &CargoWorkspace) -> Self {
        let mut chosen = Self::default();
        for service in &plan.services {
            let ServiceKind::Rust(rust) = &service.kind else { continue };
            if paths::normalize(&root.join(&service.context).join(&rust.workspace)) != workspace.directory {
                continue;
            }
            let qualified = |feature: &String| match feature.contains('/') {
                true => feature.clone(),
                false => format!("{}/{feature}", rust.package),
            };
            chosen.features.extend(rust.features.iter().map(qualified));
            if rust.no_default_features {
                chosen.no_default_features.insert(rust.package.clone());
            }
        }
        chosen
    }
}

/// Features by package folder.
pub(super) type Enabled = BTreeMap<Utf8PathBuf, BTreeSet<String>>;

struct Walk<'w> {
    workspace: &'w CargoWorkspace,
    enabled: Enabled,
    /// Optional dependencies that are on, with their package.
    active: BTreeSet<(&'w Utf8Path, &'w str)>,
    changed: bool,
}

/// Turns on what the choice leads to, over all members, as `cargo build --workspace` does.
pub(super) fn enabled(workspace: &CargoWorkspace, choice: &FeatureChoice) -> Enabled {
    let mut walk = Walk { workspace, enabled: Enabled::new(), active: BTreeSet::new(), changed: true };
    for package in workspace.members() {
        if !choice.no_default_features.contains(&package.name) || choice.all_features {
            walk.feature(package, "default");
        }
        if choice.all_features {
            let optional = package.dependencies.iter().filter(|dependency| dependency.optional);
            let names = package.features.keys().chain(optional.map(|dependency| &dependency.alias));
            names.for_each(|name| walk.feature(package, name));
        }
        for asked in &choice.features {
            match asked.split_once('/') {
                Some((of, name)) if of == package.name => walk.feature(package, name),
                None => walk.feature(package, asked),
                Some(_) => {}
            }
        }
    }
    while std::mem::take(&mut walk.changed) {
        for package in &workspace.packages {
            walk.dependencies(package);
        }
    }
    walk.enabled
}

impl<'w> Walk<'w> {
    fn feature(&mut self, package: &'w CargoPackage, name: &str) {
        let values = package.features.get(name);
        let optional = package.dependencies.iter().find(|dependency| dependency.alias == name && dependency.optional);
        if (values.is_none() && optional.is_none())
            || !self.enabled.entry(package.directory.clone()).or_default().insert(name.to_owned())
        {
            return;
        }
        self.changed = true;
        let Some(values) = values else {
            // An optional dependency is a feature of its own name.
            self.active.extend(optional.map(|dependency| (package.directory.as_path(), dependency.alias.as_str())));
            return;
        };
        for value in values {
            if let Some(alias) = value.strip_prefix("dep:") {
                self.changed |= self.active.insert((&package.directory, alias));
            } else if let Some((alias, feature)) = value.split_once('/') {
                self.dependency_feature(package, alias, feature);
            } else {
                self.feature(package, value);
            }
        }
    }

    fn dependency_feature(&mut self, package: &'w CargoPackage, alias: &'w str, feature: &str) {
        let name = alias.strip_suffix('?').unwrap_or(alias);
        let Some(dependency) = package.dependencies.iter().find(|dependency| dependency.alias == name) else { return };
        if dependency.optional && name == alias {
            self.changed |= self.active.insert((&package.directory, name));
        }
        // A weak one of a dependency that is off turns on too much here: harmless, nothing of that package is compiled.
        if let Some(local) = self.local(dependency) {
            self.feature(local, feature);
        }
    }

    fn dependencies(&mut self, package: &'w CargoPackage) {
        for dependency in &package.dependencies {
            let on = !dependency.optional || self.active.contains(&(package.directory.as_path(), dependency.alias.as_str()));
            let Some(local) = self.local(dependency).filter(|_| on) else { continue };
            if dependency.default_features {
                self.feature(local, "default");
            }
            for feature in &dependency.features {
                self.feature(local, feature);
            }
        }
    }

    fn local(&self, dependency: &Dependency) -> Option<&'w CargoPackage> {
        match &dependency.source {
            DependencySource::Path(folder) => self.workspace.package_in(folder),
            _ => None,
        }
    }
}

/// The databases whose drivers the manifests turn on in `sqlx`; empty where they name none.
pub(super) fn drivers(workspace: &CargoWorkspace) -> BTreeSet<Database> {
    let mut found = BTreeSet::new();
    for package in &workspace.packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.package == "sqlx") {
            let through = package.features.values().flatten().filter_map(|value| {
                let (alias, feature) = value.split_once('/')?;
                (alias.trim_end_matches('?') == dependency.alias).then_some(feature)
            });
            for feature in dependency.features.iter().map(String::as_str).chain(through) {
                let of = |database: &Database| feature == database.feature() || feature.starts_with("sqlite-unbundled");
                found.extend(
                    Database::ALL
                        .into_iter()
                        .filter(|database| of(database) && (*database == Database::Sqlite || !feature.starts_with("sqlite"))),
                );
            }
        }
    }
    found
}

/// Whether a package may have query macros: they refer to `::sqlx`, so it must depend on it directly.
pub(super) fn uses_sqlx(package: &CargoPackage) -> bool {
    package.dependencies.iter().any(|dependency| dependency.package == "sqlx")
}

/// Whether it depends on it for its tests only.
pub(super) fn only_for_tests(package: &CargoPackage) -> bool {
    let mut kinds =
        package.dependencies.iter().filter(|dependency| dependency.package == "sqlx").map(|dependency| dependency.kind);
    kinds.all(|kind| kind == DependencyKind::Development)
}
