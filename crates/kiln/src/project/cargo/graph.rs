//! The lock as a graph: its `dependencies` strings become positions in its list of packages.

use std::collections::{BTreeMap, BTreeSet};

use super::{CargoLock, CargoPackage, LockedPackage};

/// The edges of a lock, by position in [`CargoLock::packages`].
#[derive(Debug)]
pub struct LockGraph<'a> {
    lock: &'a CargoLock,
    by_name: BTreeMap<&'a str, Vec<usize>>,
    edges: Vec<Vec<usize>>,
}

impl<'a> LockGraph<'a> {
    /// Resolves every edge; one that leads nowhere is left out.
    #[must_use]
    pub fn new(lock: &'a CargoLock) -> Self {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, package) in lock.packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(index);
        }
        let mut graph = Self { lock, by_name, edges: Vec::new() };
        graph.edges = lock
            .packages
            .iter()
            .map(|package| package.dependencies.iter().filter_map(|text| graph.resolve(text)).collect())
            .collect();
        graph
    }

    /// The package that a `dependencies` entry (`name`, `name version` or `name version (source)`) means.
    #[must_use]
    pub fn resolve(&self, dependency: &str) -> Option<usize> {
        let mut words = dependency.splitn(3, ' ');
        let name = words.next()?;
        let version = words.next();
        let source = words.next().map(|source| source.trim_start_matches('(').trim_end_matches(')'));
        let fits = |package: &LockedPackage| {
            version.is_none_or(|version| package.version == version)
                && source.is_none_or(|source| package.source.as_deref() == Some(source))
        };
        // `name version` without a source is a local package where two have that name and version; in lists of version 1 always.
        let candidates: Vec<usize> = self.named(name).iter().copied().filter(|index| fits(&self.lock.packages[*index])).collect();
        let local = candidates.iter().copied().find(|index| self.lock.packages[*index].source.is_none());
        let index = if source.is_none() && version.is_some() {
            local.or(candidates.first().copied())
        } else {
            candidates.first().copied()
        };
        index.map(|index| self.replaced(index))
    }

    /// `[replace]`d entries stand for what replaces them.
    fn replaced(&self, index: usize) -> usize {
        let Some(replacement) = &self.lock.packages[index].replace else { return index };
        let mut words = replacement.splitn(3, ' ');
        let (Some(name), version) = (words.next(), words.next()) else { return index };
        let source = words.next().map(|source| source.trim_start_matches('(').trim_end_matches(')'));
        let fits = |package: &LockedPackage| {
            package.replace.is_none()
                && version.is_none_or(|version| package.version == version)
                && package.source.as_deref() == source
        };
        self.named(name).iter().copied().find(|other| fits(&self.lock.packages[*other])).unwrap_or(index)
    }

    /// Positions of the packages of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The entry of a local package.
    #[must_use]
    pub fn local(&self, package: &CargoPackage) -> Option<usize> {
        let mut local = self.named(&package.name).iter().copied().filter(|index| self.lock.packages[*index].source.is_none());
        let first = local.next()?;
        let same = |index: usize| self.lock.packages[index].version == package.version;
        if same(first) { Some(first) } else { local.find(|index| same(*index)).or(Some(first)) }
    }

    /// Where the dependencies of a package are.
    #[must_use]
    pub fn dependencies(&self, index: usize) -> &[usize] {
        self.edges.get(index).map_or(&[], Vec::as_slice)
    }

    /// Everything reachable from some packages, themselves included, in file order.
    #[must_use]
    pub fn reached_from(&self, roots: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut next: Vec<usize> = roots.into_iter().collect();
        let mut reached: BTreeSet<usize> = next.iter().copied().collect();
        while let Some(index) = next.pop() {
            next.extend(self.dependencies(index).iter().copied().filter(|index| reached.insert(*index)));
        }
        reached
    }
}
