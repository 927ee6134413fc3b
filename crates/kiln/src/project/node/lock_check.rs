//! Where lock and manifests disagree, such that a frozen install refuses to start.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DependencySection, Lockfile, NodeDependency, NodeError, NodePackage, Range, Version, json};
use crate::plan::PackageManager;

/// A dependency of a manifest that the lock does not hold as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The manifest, relative to the workspace root.
    pub path: Utf8PathBuf,
    /// Line in the manifest, from 1.
    pub line: usize,
    /// Name of the dependency (or of the workspace member).
    pub dependency: String,
    /// What the manifest asks for.
    pub wanted: String,
    /// What the lock has.
    pub refusal: Refusal,
}

/// What the lock has instead of what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "lock", rename_all = "kebab-case")]
pub enum Refusal {
    /// Nothing.
    Missing,
    /// A version that the range does not hold.
    OtherVersion {
        /// The version in the lock.
        locked: String,
    },
    /// A lock made for another range, URL or tag.
    OtherSpecifier {
        /// The specifier in the lock.
        locked: String,
    },
    /// No entry for the workspace member itself.
    UnknownMember,
}

/// The first disagreement, manifests in order, dependencies in the order of their lines.
pub(super) fn check(root: &Utf8Path, packages: &[NodePackage], lock: &Lockfile) -> Result<Option<Disagreement>, NodeError> {
    let path = root.join(&lock.name);
    match lock.manager {
        PackageManager::Npm => Ok(npm(packages, &json::parse(&path, &json::read_text(&path)?)?)),
        PackageManager::Pnpm => pnpm(packages, &path, &json::read_text(&path)?),
        PackageManager::YarnClassic | PackageManager::YarnBerry => Ok(yarn(packages, &json::read_text(&path)?)),
        PackageManager::Bun => Ok(None),
    }
}

fn first(
    packages: &[NodePackage],
    mut refuses: impl FnMut(&NodePackage, &NodeDependency) -> Option<Refusal>,
) -> Option<Disagreement> {
    packages.iter().find_map(|package| {
        let overridden = |name: &str| packages.first().is_some_and(|root| overrides(root, name));
        let mut dependencies = package.manifest.dependencies.iter().filter(|d| !overridden(&d.name)).collect::<Vec<_>>();
        dependencies.sort_by_key(|dependency| dependency.line);
        dependencies.into_iter().find_map(|dependency| {
            refuses(package, dependency).map(|refusal| Disagreement {
                path: manifest_path(package),
                line: dependency.line,
                dependency: dependency.name.clone(),
                wanted: dependency.specifier.clone(),
                refusal,
            })
        })
    })
}

fn manifest_path(package: &NodePackage) -> Utf8PathBuf {
    if package.directory == "." { "package.json".into() } else { package.directory.join("package.json") }
}

/// Whether the root manifest replaces the dependency: then the lock holds something else by right.
fn overrides(root: &NodePackage, name: &str) -> bool {
    let document = &root.manifest.document;
    let tables =
        [document.get("overrides"), document.get("resolutions"), document.get("pnpm").and_then(|pnpm| pnpm.get("overrides"))];
    tables.into_iter().flatten().filter_map(Value::as_object).flatten().any(|(key, _)| key.contains(name))
}

/// npm compares the tree that the manifests ask for with the locked one: an entry must be there, and its version in range.
fn npm(packages: &[NodePackage], lock: &Value) -> Option<Disagreement> {
    let entries = lock.get("packages").and_then(Value::as_object);
    let old = lock.get("dependencies").and_then(Value::as_object);
    if let Some(entries) = entries {
        let unknown = packages.iter().skip(1).find(|package| !entries.contains_key(package.directory.as_str()));
        if let Some(package) = unknown {
            return Some(Disagreement {
                path: manifest_path(package),
                line: package.manifest.line_of(&["name"]),
                dependency: package.manifest.name.clone().unwrap_or_else(|| package.directory.to_string()),
                wanted: package.manifest.version.clone().unwrap_or_default(),
                refusal: Refusal::UnknownMember,
            });
        }
    }
    first(packages, |package, dependency| {
        let NodeDependency { name, specifier, section, .. } = dependency;
        let entry = match (entries, old) {
            (Some(entries), _) => {
                let nested = package.directory.join("node_modules").join(name);
                let nested = (package.directory != ".").then(|| entries.get(nested.as_str())).flatten();
                nested.or_else(|| entries.get(&format!("node_modules/{name}")))
            }
            (None, Some(old)) => old.get(name),
            (None, None) => None,
        };
        let peer_optional = || {
            let meta = package.manifest.document.get("peerDependenciesMeta").and_then(|meta| meta.get(name)?.get("optional"));
            meta == Some(&Value::Bool(true))
        };
        let Some(entry) = entry else {
            let lenient = *section == DependencySection::Peer && (entries.is_none() || peer_optional());
            return (!lenient).then_some(Refusal::Missing);
        };
        if let Some(range) = range_of(specifier) {
            let target = entry.get("link").and(entry.get("resolved")).and_then(Value::as_str);
            let entry = target.and_then(|target| entries?.get(target)).unwrap_or(entry);
            let locked = entry.get("version").and_then(Value::as_str)?;
            let version = Version::parse(locked)?;
            return (!range.contains(&version)).then(|| Refusal::OtherVersion { locked: locked.to_owned() });
        }
        // A tag is satisfied by any version; a URL or path must be the locked one.
        let is_source = specifier.contains([':', '/']) && !specifier.starts_with("npm:") && !specifier.starts_with("workspace:");
        let own = entries?.get(if package.directory == "." { "" } else { package.directory.as_str() })?;
        let locked = own.get(section.key())?.get(name)?.as_str()?;
        (is_source && locked != specifier).then(|| Refusal::OtherSpecifier { locked: locked.to_owned() })
    })
}

/// The range of `^1`, `npm:other@^1`.
fn range_of(specifier: &str) -> Option<Range> {
    let specifier = match specifier.strip_prefix("npm:") {
        Some(alias) => alias.rsplit_once('@').filter(|(name, _)| !name.is_empty())?.1,
        None => specifier,
    };
    Range::parse(specifier)
}

#[derive(Deserialize)]
struct PnpmLock {
    #[serde(default)]
    importers: BTreeMap<String, Importer>,
    #[serde(flatten)]
    root: Importer,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Importer {
    dependencies: BTreeMap<String, Entry>,
    dev_dependencies: BTreeMap<String, Entry>,
    optional_dependencies: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Full { specifier: String },
    Old(serde::de::IgnoredAny),
}

/// pnpm compares specifiers letter by letter.
fn pnpm(packages: &[NodePackage], path: &Utf8Path, text: &str) -> Result<Option<Disagreement>, NodeError> {
    // pnpm 11 writes a document of its own before the lock.
    let text = text.rsplit("\n---\n").next().unwrap_or(text);
    let mut lock: PnpmLock = serde_saphyr::from_str(text).map_err(|source| NodeError::Yaml {
        path: path.to_owned(),
        line: source.location().map_or(1, |location| location.line()),
        source: Box::new(source),
    })?;
    if lock.importers.is_empty() {
        lock.importers.insert(".".to_owned(), lock.root);
    }
    Ok(first(packages, |package, dependency| {
        let importer = lock.importers.get(package.directory.as_str());
        let table = importer.and_then(|importer| match dependency.section {
            DependencySection::Normal => Some(&importer.dependencies),
            DependencySection::Development => Some(&importer.dev_dependencies),
            DependencySection::Optional => Some(&importer.optional_dependencies),
            DependencySection::Peer => None,
        });
        if dependency.section == DependencySection::Peer {
            return None;
        }
        // A dependency that stands in two sections is locked in one.
        let elsewhere = importer.and_then(|importer| {
            let tables = [&importer.dependencies, &importer.optional_dependencies, &importer.dev_dependencies];
            tables.into_iter().find_map(|table| table.get(&dependency.name))
        });
        match table.and_then(|table| table.get(&dependency.name)).or(elsewhere) {
            None => Some(Refusal::Missing),
            Some(Entry::Full { specifier }) if *specifier != dependency.specifier => {
                Some(Refusal::OtherSpecifier { locked: specifier.clone() })
            }
            Some(_) => None,
        }
    }))
}

/// yarn looks up `name@range`; berry writes the protocol (`name@npm:range`). Members and local paths have other keys.
fn yarn(packages: &[NodePackage], text: &str) -> Option<Disagreement> {
    let keys = text
        .lines()
        .filter(|line| !line.starts_with([' ', '#']) && line.ends_with(':'))
        .flat_map(|line| line.trim_end_matches(':').split(','))
        .map(|key| key.trim().trim_matches('"'))
        .collect::<std::collections::BTreeSet<_>>();
    let members = packages.iter().filter_map(|package| package.manifest.name.as_deref()).collect::<Vec<_>>();
    first(packages, |_, dependency| {
        let NodeDependency { name, specifier, section, .. } = dependency;
        let checkable = *section != DependencySection::Peer && range_of(specifier).is_some() && !members.contains(&name.as_str());
        let found = || {
            let bare = format!("{name}@{specifier}");
            keys.contains(&*bare)
                || keys.contains(&*format!("{name}@npm:{specifier}"))
                || keys.iter().any(|key| key.starts_with(&format!("{name}@patch:")))
        };
        (checkable && !found()).then_some(Refusal::Missing)
    })
}
