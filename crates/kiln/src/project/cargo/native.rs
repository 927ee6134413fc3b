//! Which system packages the crates of a build want.
//!
//! The answers are a table (`native_packages.toml`); this file finds the crates and reads the conditions. The lock does not
//! tell features, but two things tell most of it: optional dependencies are locked only where a feature brings them, and local
//! manifests name the features that they ask for. Where both are open, both answers are joined: a package too many costs seconds,
//! one too few costs the build.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cargo_platform::{Cfg, Platform};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{CargoLock, CargoPackage, CargoWorkspace, DependencyKind, LockGraph};

/// The family of a base image: what its packages are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Debian and what descends from it; names are those of bookworm.
    Debian,
    /// Alpine.
    Alpine,
}

/// What one crate wants from the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NativeNeed {
    /// Name of the crate, or the configuration file of cargo that names a linker.
    pub krate: String,
    /// Packages for the stages that compile, sorted.
    pub build: Vec<String>,
    /// Packages for the stage that runs the program, sorted.
    pub runtime: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Packages {
    build: Vec<String>,
    runtime: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    debian: Packages,
    alpine: Packages,
    ignore: Vec<String>,
    weak: BTreeMap<String, Vec<String>>,
    when: Vec<When>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct When {
    depends: Vec<String>,
    features: Vec<String>,
    beside: Vec<String>,
    before: Option<String>,
    debian: Packages,
    alpine: Packages,
}

type Table = BTreeMap<String, Entry>;

static TABLE: LazyLock<Table> = LazyLock::new(|| parse().unwrap_or_default());

fn parse() -> Result<Table, toml_edit::de::Error> {
    toml_edit::de::from_str(include_str!("native_packages.toml"))
}

/// What the crates want that building `package` can compile, ordered by crate; crates that want nothing are left out.
///
/// Only crates that the lock reaches from the package's normal and build dependencies count. Empty without a lock.
#[must_use]
pub fn native_needs(workspace: &CargoWorkspace, package: &str, distribution: Distribution) -> Vec<NativeNeed> {
    let Some(lock) = &workspace.lock else { return Vec::new() };
    let graph = LockGraph::new(lock);
    let closure = workspace.closure(package, false);
    let features = Features::of(&closure);
    let reached = reached(lock, &graph, &closure, &features);
    needs(lock, &reached, &features, distribution)
}

/// What each of these crates wants.
pub(super) fn needs(
    lock: &CargoLock,
    reached: &BTreeSet<usize>,
    features: &Features,
    distribution: Distribution,
) -> Vec<NativeNeed> {
    let names: BTreeSet<&str> = reached.iter().map(|index| lock.packages[*index].name.as_str()).collect();
    let mut needs: BTreeMap<&str, NativeNeed> = BTreeMap::new();
    for index in reached {
        let locked = &lock.packages[*index];
        let Some(entry) = TABLE.get(&locked.name) else { continue };
        let dependencies = locked.dependencies.iter().filter_map(|dependency| dependency.split(' ').next());
        let found = Found { version: &locked.version, dependencies: dependencies.collect(), names: &names, features };
        let need = needs.entry(&locked.name).or_insert_with(|| NativeNeed {
            krate: locked.name.clone(),
            build: Vec::new(),
            runtime: Vec::new(),
        });
        for packages in found.answers(entry, distribution) {
            need.build.extend(packages.build.iter().cloned());
            need.runtime.extend(packages.runtime.iter().cloned());
        }
        if need.build.iter().any(|package| package.ends_with("-dev")) {
            let pkg_config = match distribution {
                Distribution::Debian => "pkg-config",
                Distribution::Alpine => "pkgconf",
            };
            need.build.push(pkg_config.to_owned());
        }
        for list in [&mut need.build, &mut need.runtime] {
            list.sort();
            list.dedup();
        }
    }
    needs.into_values().filter(|need| !need.build.is_empty() || !need.runtime.is_empty()).collect()
}

/// Positions of the locked packages that the closure can compile on Linux.
fn reached(lock: &CargoLock, graph: &LockGraph<'_>, closure: &[&CargoPackage], features: &Features) -> BTreeSet<usize> {
    let mut next = Vec::new();
    for package in closure {
        let Some(index) = graph.local(package) else { continue };
        let needed: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development && is_for_linux(dependency.platform.as_deref()))
            .map(|dependency| dependency.package.as_str())
            .collect();
        let edges = graph.dependencies(index).iter().copied();
        next.extend(edges.filter(|edge| needed.contains(lock.packages[*edge].name.as_str())));
    }
    // Local packages are in the closure already; entering them here would bring their development dependencies.
    next.retain(|index| lock.packages[*index].source.is_some());
    follow(lock, graph, next, features, &BTreeSet::new())
}

/// Positions of what these external packages lead to, themselves included; not further than those whose own dependencies are open.
pub(super) fn follow(
    lock: &CargoLock,
    graph: &LockGraph<'_>,
    mut next: Vec<usize>,
    features: &Features,
    open: &BTreeSet<usize>,
) -> BTreeSet<usize> {
    let mut reached: BTreeSet<usize> = next.iter().copied().collect();
    while let Some(index) = next.pop() {
        if open.contains(&index) {
            continue;
        }
        let entry = TABLE.get(&lock.packages[index].name);
        let follows = |name: &str| {
            entry.is_none_or(|entry| {
                !entry.ignore.iter().any(|ignored| ignored == name || ignored == "*")
                    && entry.weak.get(name).is_none_or(|weak| features.may_ask(weak))
            })
        };
        for edge in graph.dependencies(index) {
            let package = &lock.packages[*edge];
            if package.source.is_some() && follows(&package.name) && reached.insert(*edge) {
                next.push(*edge);
            }
        }
    }
    reached
}

/// Whether what a crate wants depends on a feature of which it cannot be told whether it is on.
pub(super) fn is_open(krate: &str, features: &Features) -> bool {
    let conditions = TABLE.get(krate).into_iter().flat_map(|entry| &entry.when).flat_map(|when| &when.features);
    conditions.into_iter().any(|feature| features.possible.contains(feature))
}

/// Whether a `[target.'…']` key holds on Linux; yes where it cannot be told.
pub(super) fn is_for_linux(platform: Option<&str>) -> bool {
    let Some(parsed) = platform.and_then(|platform| platform.parse::<Platform>().ok()) else { return true };
    // What differs from image to image counts as given both ways, so that `not(…)` of it holds as well.
    let common = ["unix", "target_os=\"linux\"", "target_family=\"unix\"", "target_has_atomic=\"64\"", "panic=\"unwind\""];
    let differing = [
        ["target_arch=\"x86_64\"", "target_env=\"gnu\"", "target_pointer_width=\"64\"", "target_endian=\"little\""],
        ["target_arch=\"aarch64\"", "target_env=\"gnu\"", "target_pointer_width=\"64\"", "target_endian=\"little\""],
        ["target_arch=\"x86_64\"", "target_env=\"musl\"", "target_pointer_width=\"64\"", "target_endian=\"little\""],
    ];
    let triples = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-musl"];
    triples.iter().zip(differing).any(|(triple, own)| {
        let cfgs: Vec<Cfg> = common.iter().chain(&own).filter_map(|cfg| cfg.parse().ok()).collect();
        parsed.matches(triple, &cfgs)
    })
}

/// `package/feature` as local manifests ask for them.
#[derive(Debug, Default)]
pub(super) struct Features {
    /// Asked for in any case: by a dependency entry, or through a package's default features.
    pub(super) certain: BTreeSet<String>,
    /// Asked for only if a feature is turned on.
    pub(super) possible: BTreeSet<String>,
    /// Packages that local manifests name, and that therefore say what they want of them.
    pub(super) packages: BTreeSet<String>,
}

impl Features {
    /// Whether one of these features may be on; no, if manifests name one of the packages and none of the features.
    fn may_ask(&self, features: &[String]) -> bool {
        let asked = features.iter().any(|feature| self.certain.contains(feature) || self.possible.contains(feature));
        let named = |feature: &String| feature.split('/').next().is_some_and(|package| self.packages.contains(package));
        asked || !features.iter().any(named)
    }

    fn of(closure: &[&CargoPackage]) -> Self {
        let mut features = Self { certain: BTreeSet::new(), possible: BTreeSet::new(), packages: BTreeSet::new() };
        for package in closure {
            for dependency in package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development) {
                features.packages.insert(dependency.package.clone());
                let list = if dependency.optional { &mut features.possible } else { &mut features.certain };
                list.extend(dependency.features.iter().map(|feature| format!("{}/{feature}", dependency.package)));
            }
            let by_default = by_default(package);
            for (name, enabled) in &package.features {
                let list = if by_default.contains(name.as_str()) { &mut features.certain } else { &mut features.possible };
                for (alias, feature) in enabled.iter().filter_map(|enabled| enabled.split_once('/')) {
                    let alias = alias.trim_end_matches('?');
                    let named = package.dependencies.iter().find(|dependency| dependency.alias == alias);
                    list.insert(format!("{}/{feature}", named.map_or(alias, |dependency| &dependency.package)));
                }
            }
        }
        features
    }
}

/// The features that `default` turns on, itself included.
fn by_default(package: &CargoPackage) -> BTreeSet<&str> {
    turned_on(package, BTreeSet::from(["default"]))
}

/// What features of a package turn on, themselves included: also `dep:…` and `…/…`, as they are written.
pub(super) fn turned_on<'p>(package: &'p CargoPackage, mut on: BTreeSet<&'p str>) -> BTreeSet<&'p str> {
    let mut next: Vec<&str> = on.iter().copied().collect();
    while let Some(name) = next.pop() {
        for enabled in package.features.get(name).into_iter().flatten() {
            if on.insert(enabled) {
                next.push(enabled);
            }
        }
    }
    on
}

/// One crate as it was found.
struct Found<'a> {
    version: &'a str,
    dependencies: BTreeSet<&'a str>,
    names: &'a BTreeSet<&'a str>,
    features: &'a Features,
}

/// Whether a condition holds.
#[derive(PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    Open,
}

impl Found<'_> {
    /// The packages to install: one answer, or several where a condition is open.
    fn answers<'e>(&self, entry: &'e Entry, distribution: Distribution) -> Vec<&'e Packages> {
        let choose = |debian: &'e Packages, alpine: &'e Packages| match distribution {
            Distribution::Debian => debian,
            Distribution::Alpine => alpine,
        };
        let mut answers = Vec::new();
        for when in &entry.when {
            let holds = self.holds(when);
            if holds != Holds::No {
                answers.push(choose(&when.debian, &when.alpine));
            }
            if holds == Holds::Yes {
                return answers;
            }
        }
        answers.push(choose(&entry.debian, &entry.alpine));
        answers
    }

    fn holds(&self, when: &When) -> Holds {
        let asked = |features: &BTreeSet<String>| when.features.iter().any(|feature| features.contains(feature));
        let older = when.before.as_deref().is_some_and(|before| match (Version::parse(self.version), Version::parse(before)) {
            (Ok(version), Ok(before)) => version < before,
            _ => false,
        });
        let beside = when.beside.iter().any(|name| self.names.contains(name.as_str()));
        if older || beside || asked(&self.features.certain) {
            Holds::Yes
        } else if asked(&self.features.possible) {
            Holds::Open
        } else if when.depends.iter().any(|name| self.dependencies.contains(name.as_str())) {
            Holds::Yes
        } else {
            Holds::No
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_and_is_not_small() {
        let table = parse().unwrap();
        assert!(table.len() > 150, "{}", table.len());
        for (name, entry) in &table {
            for when in &entry.when {
                let conditions = [when.depends.len(), when.features.len(), when.beside.len(), usize::from(when.before.is_some())];
                assert!(conditions.iter().any(|count| *count > 0), "{name} has a `when` without a condition");
                assert!(when.features.iter().all(|feature| feature.contains('/')), "{name}");
            }
        }
    }

    #[test]
    fn platforms_are_those_of_linux_images() {
        for (platform, expected) in [
            ("cfg(unix)", true),
            ("cfg(windows)", false),
            ("cfg(target_os = \"macos\")", false),
            ("cfg(not(target_os = \"macos\"))", true),
            ("cfg(target_env = \"musl\")", true),
            ("cfg(not(target_env = \"musl\"))", true),
            ("cfg(all(target_os = \"linux\", target_arch = \"aarch64\"))", true),
            ("x86_64-unknown-linux-gnu", true),
            ("x86_64-pc-windows-msvc", false),
            ("cfg(broken", true),
        ] {
            assert_eq!(is_for_linux(Some(platform)), expected, "{platform}");
        }
    }
}
