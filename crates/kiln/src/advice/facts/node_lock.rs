//! What a Node lockfile holds, as far as rules ask: versions by name, engines, install scripts, platform packages.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::advice::Context;
use crate::plan::PackageManager;
use crate::project::node::{NodeWorkspace, Range, Version};

/// A locked package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locked {
    pub(crate) version: Version,
    /// Line of its entry, from 1.
    pub(crate) line: usize,
    /// `engines.node`; only npm's locks have it.
    pub(crate) node: Option<String>,
    /// Whether it has install scripts; only npm's locks tell.
    pub(crate) install_script: bool,
    /// Peer dependencies, with their ranges; npm's locks only.
    pub(crate) peers: BTreeMap<String, String>,
    /// Names of `peers` that may be absent.
    pub(crate) optional_peers: Vec<String>,
    /// Where it is in the tree (`node_modules/a/node_modules/b`); npm's locks only.
    pub(crate) key: String,
}

/// A lockfile's packages by name.
#[derive(Debug, Clone)]
pub(crate) struct NodeLock {
    pub(crate) packages: BTreeMap<String, Vec<Locked>>,
}

impl NodeLock {
    /// Reads the workspace's lock; `None` without one, and for bun's binary lock.
    pub(crate) fn read(context: &Context<'_>, workspace: &NodeWorkspace) -> Option<Self> {
        let lock = workspace.lockfile()?;
        let file = context.file(&context.relative(&workspace.directory)?.join(&lock.name))?;
        let packages = match lock.manager {
            PackageManager::Npm => npm(&file.text)?,
            PackageManager::Pnpm => pnpm(&file.text),
            PackageManager::YarnClassic | PackageManager::YarnBerry => yarn(&file.text),
            PackageManager::Bun => bun(&file.text),
        };
        Some(Self { packages })
    }

    /// The version at the top of the tree, or the only one.
    pub(crate) fn version(&self, name: &str) -> Option<&Version> {
        let list = self.packages.get(name)?;
        let top = list.iter().find(|locked| locked.key == format!("node_modules/{name}"));
        top.or_else(|| list.first()).map(|locked| &locked.version)
    }
}

/// The major version of a dependency: the locked one, else the lowest that the manifest asks for.
pub(crate) fn major_of(lock: Option<&NodeLock>, workspace: &NodeWorkspace, name: &str) -> Option<u64> {
    if let Some(version) = lock.and_then(|lock| lock.version(name)) {
        return Some(version.major);
    }
    let mut dependencies = workspace.packages.iter().flat_map(|package| &package.manifest.dependencies);
    let asked = dependencies.find(|dependency| dependency.name == name)?;
    Range::parse(&asked.specifier)?.lower_bounds().first().map(|version| version.major)
}

fn locked(version: &str, line: usize) -> Option<Locked> {
    Some(Locked {
        version: Version::parse(version)?,
        line,
        node: None,
        install_script: false,
        peers: BTreeMap::new(),
        optional_peers: Vec::new(),
        key: String::new(),
    })
}

fn npm(text: &str) -> Option<BTreeMap<String, Vec<Locked>>> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let mut packages: BTreeMap<String, Vec<Locked>> = BTreeMap::new();
    if let Some(entries) = value.get("packages").and_then(Value::as_object) {
        let lines = lines_of_keys(text);
        for (key, entry) in entries {
            let Some((_, name)) = key.rsplit_once("node_modules/") else { continue };
            let line = lines.get(key.as_str()).copied().unwrap_or(1);
            let string = |key: &str| entry.get(key).and_then(Value::as_str);
            let Some(mut package) = string("version").and_then(|version| locked(version, line)) else { continue };
            package.node = entry.get("engines").and_then(|e| e.get("node")).and_then(Value::as_str).map(str::to_owned);
            package.install_script = entry.get("hasInstallScript") == Some(&Value::Bool(true));
            let table = |key: &str| entry.get(key).and_then(Value::as_object).into_iter().flatten();
            package.peers = table("peerDependencies").filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
            let optional = table("peerDependenciesMeta").filter(|(_, meta)| meta.get("optional") == Some(&Value::Bool(true)));
            package.optional_peers = optional.map(|(name, _)| name.clone()).collect();
            package.key.clone_from(key);
            packages.entry(name.to_owned()).or_default().push(package);
        }
    } else {
        old_npm(value.get("dependencies")?, &mut packages);
    }
    Some(packages)
}

fn old_npm(dependencies: &Value, into: &mut BTreeMap<String, Vec<Locked>>) {
    for (name, entry) in dependencies.as_object().into_iter().flatten() {
        let version = entry.get("version").and_then(Value::as_str);
        into.entry(name.clone()).or_default().extend(version.and_then(|version| locked(version, 1)));
        if let Some(nested) = entry.get("dependencies") {
            old_npm(nested, into);
        }
    }
}

/// Line of each key at the indentation of lock entries.
fn lines_of_keys(text: &str) -> BTreeMap<&str, usize> {
    let key = |line: &'_ str| line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(key, _)| key.len());
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let length = key(line)?;
            let start = line.len() - line.trim_start().len() + 1;
            let key = line.get(start..start + length)?;
            key.contains("node_modules/").then_some((key, index + 1))
        })
        .collect()
}

/// `name@1.2.3` or `@scope/name@1.2.3(peer@1)`, or `/name/1.2.3` of old locks.
fn split_key(key: &str) -> Option<(&str, &str)> {
    let key = key.trim_start_matches('/');
    let key = key.split('(').next().unwrap_or(key);
    let at = key[1.min(key.len())..].find('@').map(|at| at + 1);
    match at {
        Some(at) => Some((&key[..at], &key[at + 1..])),
        None => key.rsplit_once('/'),
    }
}

fn pnpm(text: &str) -> BTreeMap<String, Vec<Locked>> {
    let mut packages: BTreeMap<String, Vec<Locked>> = BTreeMap::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if !line.starts_with(' ') && !line.is_empty() {
            inside = line == "packages:";
        }
        let entry =
            line.strip_prefix("  ").filter(|rest| inside && !rest.starts_with(' ')).and_then(|rest| rest.strip_suffix(':'));
        let Some((name, version)) = entry.and_then(|key| split_key(key.trim_matches('\''))) else { continue };
        packages.entry(name.to_owned()).or_default().extend(locked(version, index + 1));
    }
    packages
}

fn yarn(text: &str) -> BTreeMap<String, Vec<Locked>> {
    let mut packages: BTreeMap<String, Vec<Locked>> = BTreeMap::new();
    let mut name: Option<(String, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        if !line.starts_with([' ', '#']) && line.ends_with(':') {
            let first = line.trim_end_matches(':').split(',').next().unwrap_or_default().trim().trim_matches('"');
            name = split_key(first).map(|(name, _)| (name.to_owned(), index + 1));
        } else if let Some(version) = line.strip_prefix("  version") {
            let version = version.trim_start_matches(':').trim().trim_matches('"');
            if let Some((name, line)) = name.take() {
                packages.entry(name).or_default().extend(locked(version, line));
            }
        }
    }
    packages
}

/// bun's text lock: `"name": ["name@1.2.3", …]`.
fn bun(text: &str) -> BTreeMap<String, Vec<Locked>> {
    let mut packages: BTreeMap<String, Vec<Locked>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let Some((_, rest)) = line.trim_start().split_once("\": [\"") else { continue };
        let Some((name, version)) = rest.split('"').next().and_then(split_key) else { continue };
        packages.entry(name.to_owned()).or_default().extend(locked(version, index + 1));
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_lock_tells_versions_and_lines() {
        let table = [
            (npm("{\n\"packages\": {\n \"node_modules/@a/b\": {\"version\": \"1.2.3\"}}}"), 3),
            (
                Some(pnpm(
                    "lockfileVersion: '9.0'\n\npackages:\n\n  '@a/b@1.2.3':\n    resolution: {}\n\nsnapshots:\n  x@1.0.0:\n",
                )),
                5,
            ),
            (Some(pnpm("packages:\n\n  /@a/b@1.2.3(c@2.0.0):\n    resolution: {}\n")), 3),
            (Some(pnpm("packages:\n\n  /@a/b/1.2.3:\n")), 3),
            (Some(yarn("# yarn\n\"@a/b@^1.0.0\", \"@a/b@^1.2.0\":\n  version \"1.2.3\"\n")), 2),
            (Some(yarn("__metadata:\n  version: 8\n\n\"@a/b@npm:^1\":\n  version: 1.2.3\n")), 4),
            (Some(bun("{\n \"packages\": {\n  \"@a/b\": [\"@a/b@1.2.3\", \"\", {}],\n")), 3),
        ];
        for (index, (packages, line)) in table.into_iter().enumerate() {
            let packages = packages.unwrap();
            let found: Vec<_> = packages["@a/b"].iter().map(|locked| (locked.version.to_string(), locked.line)).collect();
            assert_eq!(found, [("1.2.3".to_owned(), line)], "{index}");
            assert_eq!(packages.len(), 1, "{index}: {packages:?}");
        }
    }
}
