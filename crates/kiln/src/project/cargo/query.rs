//! Questions that recipes and plans ask of a workspace.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::graph::LockGraph;
use super::{Binary, CargoPackage, CargoWorkspace, DependencyKind, DependencySource, paths};

impl CargoPackage {
    /// The manifest, relative to the workspace root.
    #[must_use]
    pub fn manifest(&self) -> Utf8PathBuf {
        paths::normalize(&self.directory.join("Cargo.toml"))
    }

    /// The binary that `cargo run` would choose: `default-run`, else the only one.
    #[must_use]
    pub fn default_binary(&self) -> Option<&Binary> {
        match (&self.default_run, self.binaries.as_slice()) {
            (Some(name), binaries) => binaries.iter().find(|binary| binary.name == *name),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl CargoWorkspace {
    /// The local package of that name; a member, where a package outside has the same name.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&CargoPackage> {
        let mut named = self.packages.iter().filter(|package| package.name == name);
        let first = named.next()?;
        if first.member { Some(first) } else { named.find(|package| package.member).or(Some(first)) }
    }

    /// The local package in a folder, given relative to the workspace root as in [`CargoPackage::directory`].
    #[must_use]
    pub fn package_in(&self, directory: &Utf8Path) -> Option<&CargoPackage> {
        self.packages.iter().find(|package| package.directory == directory)
    }

    /// The members, ordered by folder.
    pub fn members(&self) -> impl Iterator<Item = &CargoPackage> {
        self.packages.iter().filter(|package| package.member)
    }

    /// Every binary of every member, with its package, ordered by folder.
    #[must_use]
    pub fn binaries(&self) -> Vec<(&CargoPackage, &Binary)> {
        self.members().flat_map(|package| package.binaries.iter().map(move |binary| (package, binary))).collect()
    }

    /// The absolute folder of a package.
    #[must_use]
    pub fn folder(&self, package: &CargoPackage) -> Utf8PathBuf {
        paths::normalize(&self.directory.join(&package.directory))
    }

    /// The local packages that building `package` can need, itself first and the others ordered by folder; empty if there is no
    /// such package.
    ///
    /// Normal and build dependencies count, optional or not and for every platform; development dependencies only of `package`
    /// itself, and only if `development` says so. Packages that take the place of external ones by `[patch]` or `[replace]` count
    /// where the lock leads to them.
    #[must_use]
    pub fn closure(&self, package: &str, development: bool) -> Vec<&CargoPackage> {
        let Some(root) = self.package(package) else { return Vec::new() };
        let by_folder: BTreeMap<&Utf8Path, &CargoPackage> =
            self.packages.iter().map(|package| (package.directory.as_path(), package)).collect();
        let replacing = self.replacing();
        let mut reached: BTreeSet<&Utf8Path> = BTreeSet::from([root.directory.as_path()]);
        let mut next = vec![root];
        while let Some(package) = next.pop() {
            for dependency in &package.dependencies {
                let counts =
                    dependency.kind != DependencyKind::Development || (development && package.directory == root.directory);
                let folder = match &dependency.source {
                    DependencySource::Path(folder) => Some(folder.as_path()),
                    _ => replacing.get(dependency.package.as_str()).copied(),
                };
                let found = folder.filter(|_| counts).and_then(|folder| by_folder.get(folder));
                if let Some(found) = found
                    && reached.insert(found.directory.as_path())
                {
                    next.push(found);
                }
            }
            if next.is_empty() && !replacing.is_empty() {
                for name in self.reached_through_lock(&reached) {
                    if let Some(found) = replacing.get(name).and_then(|folder| by_folder.get(folder))
                        && reached.insert(found.directory.as_path())
                    {
                        next.push(found);
                    }
                }
            }
        }
        reached.remove(root.directory.as_path());
        let others = reached.into_iter().filter_map(|folder| by_folder.get(folder).copied());
        std::iter::once(root).chain(others).collect()
    }

    /// Folders of local packages that replace external ones, by package name.
    fn replacing(&self) -> BTreeMap<&str, &Utf8Path> {
        let patches = self.patches.iter().chain(&self.replacements);
        let local = patches.filter_map(|patch| match &patch.dependency.source {
            DependencySource::Path(folder) => Some((patch.dependency.package.as_str(), folder.as_path())),
            _ => None,
        });
        local.collect()
    }

    /// Names of the packages that the lock reaches from local packages.
    fn reached_through_lock(&self, local: &BTreeSet<&Utf8Path>) -> BTreeSet<&str> {
        let Some(lock) = &self.lock else { return BTreeSet::new() };
        let graph = LockGraph::new(lock);
        let roots = self.packages.iter().filter(|package| local.contains(package.directory.as_path()));
        let reached = graph.reached_from(roots.filter_map(|package| graph.local(package)));
        reached.into_iter().map(|index| lock.packages[index].name.as_str()).collect()
    }

    /// The locked packages that building `package` can need: those that the lock reaches from its closure, external and local.
    ///
    /// The lock does not tell features, kinds or platforms, so this is more than what is compiled, never less; development
    /// dependencies of local packages are left out. Empty without a lock.
    #[must_use]
    pub fn locked_closure(&self, package: &str) -> Vec<&super::LockedPackage> {
        let Some(lock) = &self.lock else { return Vec::new() };
        let graph = LockGraph::new(lock);
        let mut roots = Vec::new();
        let mut local = Vec::new();
        for package in self.closure(package, false) {
            let Some(index) = graph.local(package) else { continue };
            local.push(index);
            let needed: BTreeSet<&str> = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .map(|dependency| dependency.package.as_str())
                .collect();
            let dependencies = graph.dependencies(index).iter().copied();
            roots.extend(dependencies.filter(|index| needed.contains(lock.packages[*index].name.as_str())));
        }
        // Local packages are entered through the closure only, so that their development dependencies stay out.
        let external = roots.into_iter().filter(|index| lock.packages[*index].source.is_some());
        let mut reached = graph.reached_from(external);
        reached.extend(local);
        reached.into_iter().map(|index| &lock.packages[index]).collect()
    }
}
