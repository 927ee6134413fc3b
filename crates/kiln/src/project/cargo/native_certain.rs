//! Which system packages one compile wants for certain.
//!
//! `native_needs` joins all that may be wanted, for images that are to be written. Whoever says that an image which is there lacks
//! something must be sure of it: here only what the features that are on lead to counts.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::native::{Features, follow, is_for_linux, is_open, needs, turned_on};
use super::{CargoPackage, CargoWorkspace, Dependency, DependencyKind, DependencySource, Distribution, LockGraph, NativeNeed};

/// The features that a cargo command asks for by its flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedFeatures {
    /// Not `--no-default-features`.
    pub default: bool,
    /// `--all-features`.
    pub all: bool,
    /// `--features`, one by one: `NAME` or `PACKAGE/NAME`.
    pub names: BTreeSet<String>,
}

/// Local packages by folder, with the features that are on.
type On<'w> = BTreeMap<&'w Utf8Path, (&'w CargoPackage, BTreeSet<&'w str>)>;

/// What the crates want that building `package` with these features compiles, ordered by crate.
///
/// The lock joins what every member, its tests and all features lead to. Where a manifest asks more of a crate than this compile
/// does, it cannot be told which of that crate's dependencies are compiled: nothing behind it counts. Empty without a lock.
#[must_use]
pub fn certain_native_needs(
    workspace: &CargoWorkspace,
    package: &str,
    asked: &AskedFeatures,
    distribution: Distribution,
) -> Vec<NativeNeed> {
    let (Some(lock), Some(root)) = (&workspace.lock, workspace.package(package)) else { return Vec::new() };
    let graph = LockGraph::new(lock);
    let on = packages_on(workspace, root, asked);
    let features = features(&on);
    let mut first = Vec::new();
    for (package, enabled) in on.values() {
        let Some(index) = graph.local(package) else { continue };
        let needed: BTreeSet<&str> = dependencies_on(package, enabled).map(|dependency| dependency.package.as_str()).collect();
        let edges = graph.dependencies(index).iter().copied();
        first.extend(edges.filter(|edge| {
            let locked = &lock.packages[*edge];
            locked.source.is_some() && needed.contains(locked.name.as_str())
        }));
    }
    let open = open(workspace, &graph, &on, &features);
    let mut reached = follow(lock, &graph, first, &features, &open);
    reached.retain(|index| !is_open(&lock.packages[*index].name, &features));
    needs(lock, &reached, &features, distribution)
}

/// The package and the local ones that it leads to.
fn packages_on<'w>(workspace: &'w CargoWorkspace, root: &'w CargoPackage, asked: &'w AskedFeatures) -> On<'w> {
    let mut first: BTreeSet<&str> = asked.names.iter().map(|name| own(name, &root.name)).collect();
    if asked.default || asked.all {
        first.insert("default");
    }
    if asked.all {
        first.extend(root.features.keys().map(String::as_str));
        first.extend(root.dependencies.iter().filter(|dependency| dependency.optional).map(|dependency| &*dependency.alias));
    }
    let mut on = On::new();
    let mut next = vec![(root, first)];
    while let Some((package, names)) = next.pop() {
        let known = on.get(package.directory.as_path()).map(|(_, enabled)| enabled);
        let mut enabled = turned_on(package, names);
        enabled.extend(known.into_iter().flatten().copied());
        if known == Some(&enabled) {
            continue;
        }
        for dependency in dependencies_on(package, &enabled) {
            let DependencySource::Path(folder) = &dependency.source else { continue };
            let Some(local) = workspace.package_in(folder) else { continue };
            next.push((local, asked_of(dependency, &enabled).collect()));
        }
        on.insert(&package.directory, (package, enabled));
    }
    on
}

/// `PACKAGE/NAME` of this package is a feature of its own; others are asked of a dependency.
fn own<'a>(name: &'a str, package: &str) -> &'a str {
    name.strip_prefix(package).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
}

/// The dependencies that are compiled for Linux.
fn dependencies_on<'w>(package: &'w CargoPackage, enabled: &BTreeSet<&str>) -> impl Iterator<Item = &'w Dependency> {
    package.dependencies.iter().filter(|dependency| {
        let alias = dependency.alias.as_str();
        let turned_on = || {
            enabled.iter().any(|name| {
                *name == alias
                    || name.strip_prefix("dep:") == Some(alias)
                    || name.split_once('/').is_some_and(|(of, _)| of == alias)
            })
        };
        dependency.kind != DependencyKind::Development
            && is_for_linux(dependency.platform.as_deref())
            && (!dependency.optional || turned_on())
    })
}

/// The features that a dependency is asked for.
fn asked_of<'w>(dependency: &'w Dependency, enabled: &BTreeSet<&'w str>) -> impl Iterator<Item = &'w str> {
    let through = enabled.iter().filter_map(|name| name.split_once('/'));
    let through = through.filter(|(of, _)| of.trim_end_matches('?') == dependency.alias).map(|(_, feature)| feature);
    let through: Vec<&str> = through.collect();
    let default = dependency.default_features.then_some("default");
    default.into_iter().chain(dependency.features.iter().map(String::as_str)).chain(through)
}

/// What is asked of crates: for certain, by what is on; possibly, by everything else that is not for tests.
fn features(on: &On<'_>) -> Features {
    let mut features = Features::default();
    for (package, enabled) in on.values() {
        for dependency in dependencies_on(package, enabled) {
            features.packages.insert(dependency.package.clone());
            features.certain.extend(asked_of(dependency, enabled).map(|feature| format!("{}/{feature}", dependency.package)));
        }
    }
    for (package, _) in on.values() {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development) {
            let every: BTreeSet<&str> = package.features.values().flatten().map(String::as_str).collect();
            features.possible.extend(asked_of(dependency, &every).map(|feature| format!("{}/{feature}", dependency.package)));
        }
    }
    features.possible.retain(|feature| !features.certain.contains(feature));
    features
}

/// Positions of packages of which something that is not compiled asks more.
fn open(workspace: &CargoWorkspace, graph: &LockGraph<'_>, on: &On<'_>, features: &Features) -> BTreeSet<usize> {
    let package_of = |feature: &str| feature.split('/').next().unwrap_or_default().to_owned();
    let mut open: BTreeSet<usize> =
        graph.reached_from(features.possible.iter().flat_map(|feature| graph.named(&package_of(feature)).to_vec()));
    // Tests and other members, too, may turn on features of the same crates.
    for package in &workspace.packages {
        let is_on = on.contains_key(package.directory.as_path());
        let every: BTreeSet<&str> = package.features.values().flatten().map(String::as_str).collect();
        for dependency in &package.dependencies {
            let counted = is_on && dependency.kind != DependencyKind::Development;
            let is_more = |feature: &str| !features.certain.contains(&format!("{}/{feature}", dependency.package));
            if !counted && asked_of(dependency, &every).any(is_more) {
                open.extend(graph.named(&dependency.package));
            }
        }
    }
    open
}
