//! The lock: from a requirement to the locked package, and from those to the part of the lock that they reach.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use camino::Utf8PathBuf;
use semver::{Version, VersionReq};

use super::error::PrepareError;
use super::patch::Patches;
use crate::project::cargo::{CargoLock, CargoPackage, Dependency, DependencySource, LockedPackage};
use crate::recipe::LockEntry;

/// Position in the lock's packages.
pub(super) type Id = usize;

/// The lock, indexed.
#[derive(Debug)]
pub(super) struct Index<'w> {
    packages: &'w [LockedPackage],
    by_name: HashMap<&'w str, Vec<Id>>,
    registries: &'w BTreeMap<String, String>,
}

impl<'w> Index<'w> {
    pub(super) fn new(lock: &'w CargoLock, registries: &'w BTreeMap<String, String>) -> Self {
        let mut by_name: HashMap<&str, Vec<Id>> = HashMap::with_capacity(lock.packages.len());
        for (id, package) in lock.packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(id);
        }
        Self { packages: &lock.packages, by_name, registries }
    }

    pub(super) fn get(&self, id: Id) -> &'w LockedPackage {
        &self.packages[id]
    }

    /// The entry of a local package, of the manifest's version if there are several of its name.
    pub(super) fn local(&self, package: &CargoPackage) -> Result<Id, PrepareError> {
        let candidates = || self.named(&package.name).filter(|id| self.packages[*id].source.is_none());
        let exact = candidates().find(|id| self.packages[*id].version == package.version);
        exact
            .or_else(|| candidates().next())
            .ok_or_else(|| PrepareError::LockLacksPackage { manifest: manifest(package), package: package.name.clone() })
    }

    /// The locked package that a dependency of a local package stands for.
    pub(super) fn resolve(&self, package: &CargoPackage, dependency: &Dependency, patches: &Patches) -> Result<Id, PrepareError> {
        let entry = self.local(package)?;
        let mut found = Vec::new();
        for spelled in &self.packages[entry].dependencies {
            if name_of(spelled) == dependency.package {
                found.push(self.follow(&package.name, spelled)?);
            }
        }
        let stale = |found: &[Id]| PrepareError::LockStale {
            manifest: manifest(package),
            line: dependency.line,
            dependency: dependency.package.clone(),
            requirement: dependency.requirement.clone(),
            found: found.iter().map(|id| self.packages[*id].version.clone()).collect(),
        };
        let requirement = match &dependency.requirement {
            None => VersionReq::STAR,
            Some(text) => VersionReq::parse(text).map_err(|error| PrepareError::BadRequirement {
                manifest: manifest(package),
                line: dependency.line,
                requirement: text.clone(),
                message: error.to_string(),
            })?,
        };
        let patched = patches.has(&dependency.package);
        found
            .iter()
            .copied()
            .filter_map(|id| {
                let locked = &self.packages[id];
                let own = self.is_from(locked, &dependency.source);
                let version = Version::parse(&locked.version).ok()?;
                let satisfies = requirement == VersionReq::STAR || requirement.matches(&version);
                (satisfies && (own || patched)).then_some((own, version, id))
            })
            .max_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)))
            .map(|(_, _, id)| id)
            .ok_or_else(|| stale(&found))
    }

    /// What stands in the place of an entry by `[replace]`; itself otherwise.
    pub(super) fn replaced(&self, id: Id) -> Result<Id, PrepareError> {
        let package = &self.packages[id];
        package.replace.as_ref().map_or(Ok(id), |replace| self.follow(&package.name, replace))
    }

    fn named(&self, name: &str) -> impl Iterator<Item = Id> + '_ {
        self.by_name.get(name).into_iter().flatten().copied()
    }

    /// The entry that `name`, `name version` or `name version (source)` means.
    fn follow(&self, from: &str, spelled: &str) -> Result<Id, PrepareError> {
        let mut parts = spelled.splitn(3, ' ');
        let name = parts.next().unwrap_or_default();
        let version = parts.next();
        let source = parts.next().map(|source| source.trim_start_matches('(').trim_end_matches(')'));
        let mut fitting = self.named(name).filter(|id| {
            let locked = &self.packages[*id];
            version.is_none_or(|version| version == locked.version)
                && source.is_none_or(|source| {
                    locked.source.as_deref().is_some_and(|locked| without_commit(locked) == without_commit(source))
                })
        });
        let first = fitting.next();
        let second = fitting.next();
        match (first, second) {
            (Some(id), None) => Ok(id),
            // A name and version that two sources share means the local one.
            (Some(first), Some(second)) => [first, second]
                .into_iter()
                .chain(fitting)
                .find(|id| self.packages[*id].source.is_none())
                .ok_or_else(|| PrepareError::LockBroken { package: from.to_owned(), dependency: spelled.to_owned() }),
            (None, _) => Err(PrepareError::LockBroken { package: from.to_owned(), dependency: spelled.to_owned() }),
        }
    }

    fn is_from(&self, locked: &LockedPackage, source: &DependencySource) -> bool {
        let Some(locked) = locked.source.as_deref() else { return matches!(source, DependencySource::Path(_)) };
        match source {
            DependencySource::Path(_) => false,
            DependencySource::Git { url, reference } => is_git(locked, url, reference.as_deref()),
            DependencySource::Registry(None) => is_crates_io(locked),
            DependencySource::Registry(Some(name)) => {
                let index = if name.contains("://") { Some(name) } else { self.registries.get(name) };
                match index {
                    Some(index) => registry_url(index) == registry_url(locked),
                    // Its index may come from the environment.
                    None => !is_crates_io(locked) && !locked.starts_with("git+"),
                }
            }
        }
    }

    /// Those of `roots` that can be built without any local package, and the part of the lock that these reach.
    ///
    /// An external package that depends on a local one (by a `[patch]` to a path) cannot be built before the sources are there.
    pub(super) fn prune(&self, roots: impl IntoIterator<Item = Id>) -> Result<Pruned, PrepareError> {
        let mut states = HashMap::new();
        let mut reached = BTreeSet::new();
        for root in roots {
            if !self.is_tainted(root, &mut states)? {
                self.reach(root, &mut reached)?;
            }
        }
        let mut versions: HashMap<&str, BTreeMap<&str, usize>> = HashMap::new();
        for id in &reached {
            let package = &self.packages[*id];
            *versions.entry(&package.name).or_default().entry(&package.version).or_default() += 1;
        }
        let mut entries = Vec::with_capacity(reached.len());
        for id in &reached {
            let package = &self.packages[*id];
            let spell = |spelled: &String| {
                let target = &self.packages[self.follow(&package.name, spelled)?];
                Ok(spell(&target.name, &target.version, target.source.as_deref(), &versions))
            };
            let mut dependencies = package.dependencies.iter().map(spell).collect::<Result<Vec<_>, _>>()?;
            dependencies.sort();
            entries.push(LockEntry {
                name: package.name.clone(),
                version: package.version.clone(),
                source: encoded(package.source.as_deref().unwrap_or_default()).into_owned(),
                checksum: package.checksum.clone(),
                dependencies,
                replace: package.replace.as_ref().map(spell).transpose()?,
            });
        }
        entries.sort();
        Ok(Pruned { reached, entries })
    }

    fn is_tainted(&self, id: Id, states: &mut HashMap<Id, bool>) -> Result<bool, PrepareError> {
        if let Some(known) = states.get(&id) {
            return Ok(*known);
        }
        let package = &self.packages[id];
        // Also ends cycles; those of external packages go through no local one.
        let mut tainted = package.source.is_none();
        states.insert(id, tainted);
        for spelled in package.dependencies.iter().chain(&package.replace) {
            tainted = tainted || self.is_tainted(self.follow(&package.name, spelled)?, states)?;
        }
        states.insert(id, tainted);
        Ok(tainted)
    }

    fn reach(&self, id: Id, reached: &mut BTreeSet<Id>) -> Result<(), PrepareError> {
        if reached.insert(id) {
            let package = &self.packages[id];
            for spelled in package.dependencies.iter().chain(&package.replace) {
                self.reach(self.follow(&package.name, spelled)?, reached)?;
            }
        }
        Ok(())
    }
}

/// The part of a lock that a recipe keeps.
#[derive(Debug)]
pub(super) struct Pruned {
    /// The packages in it.
    pub(super) reached: BTreeSet<Id>,
    /// Their entries, sorted, with dependencies spelled as cargo would spell them in a lock of just these.
    pub(super) entries: Vec<LockEntry>,
}

/// `name`, with the version where the name is not enough, with the source where the version is not.
pub(super) fn spell(name: &str, version: &str, source: Option<&str>, versions: &HashMap<&str, BTreeMap<&str, usize>>) -> String {
    let known = versions.get(name);
    let single = known.is_none_or(|known| known.len() == 1);
    let twice = known.and_then(|known| known.get(version)).is_some_and(|count| *count > 1);
    match source {
        Some(source) if twice => format!("{name} {version} ({})", encoded(without_commit(source))),
        _ if single => name.to_owned(),
        _ => format!("{name} {version}"),
    }
}

/// The manifest of a package, relative to the workspace root.
pub(super) fn manifest(package: &CargoPackage) -> Utf8PathBuf {
    if package.directory == "." { "Cargo.toml".into() } else { package.directory.join("Cargo.toml") }
}

/// The source id as in the lock, with special characters as lock version 4 writes them.
pub(super) fn encoded(source: &str) -> Cow<'_, str> {
    let Some((base, rest)) = source.split_once('?').filter(|_| source.starts_with("git+")) else { return Cow::Borrowed(source) };
    let (query, commit) = rest.split_once('#').map_or((rest, None), |(query, commit)| (query, Some(commit)));
    let Some((kind, value)) = query.split_once('=') else { return Cow::Borrowed(source) };
    // A lock of version 4 has no such character in a value; one of version 3 has no escapes.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_' | b'%' | b'+');
    if value.bytes().all(plain) {
        return Cow::Borrowed(source);
    }
    let mut text = format!("{base}?{kind}=");
    for byte in value.bytes() {
        if plain(byte) && !matches!(byte, b'%' | b'+') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    if let Some(commit) = commit {
        text.push('#');
        text.push_str(commit);
    }
    Cow::Owned(text)
}

/// Whether a locked source is that git repository at that reference (`branch=…`, `tag=…`, `rev=…`).
pub(super) fn is_git(locked: &str, url: &str, reference: Option<&str>) -> bool {
    let Some(locked) = locked.strip_prefix("git+") else { return false };
    let locked = without_commit(locked);
    let (locked_url, query) = locked.split_once('?').map_or((locked, None), |(url, query)| (url, Some(query)));
    canonical_url(locked_url) == canonical_url(url) && query.map(decoded) == reference.map(Cow::Borrowed)
}

/// As cargo compares repositories: no final slash, no `.git`, GitHub's names in lower case.
fn canonical_url(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    if url.contains("://github.com/") { url.to_lowercase() } else { url.to_owned() }
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_crates_io(source: &str) -> bool {
    registry_url(source) == "https://github.com/rust-lang/crates.io-index"
}

fn registry_url(source: &str) -> &str {
    let url = source.strip_prefix("registry+").or_else(|| source.strip_prefix("sparse+")).unwrap_or(source);
    url.trim_end_matches('/')
}

fn without_commit(source: &str) -> &str {
    source.split('#').next().unwrap_or(source)
}

fn name_of(spelled: &str) -> &str {
    spelled.split(' ').next().unwrap_or(spelled)
}
