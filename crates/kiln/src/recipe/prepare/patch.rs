//! `[patch]` and `[replace]`: packages that are put in the place of others.
//!
//! A patch to another registry or to git stays an external package and is kept in the recipe, if the lock uses it. A patch to a
//! path makes the package local: its own dependencies are then part of the closure like those of any member.

use camino::{Utf8Path, Utf8PathBuf};

use super::canonical::{self, Table, Value};
use super::config::Config;
use super::lock;
use crate::project::cargo::{CargoWorkspace, Dependency, DependencySource};
use crate::recipe::LockEntry;

/// One entry.
#[derive(Debug)]
struct Entry {
    /// What is patched: `crates-io`, a registry name or a URL; none for `[replace]`, whose alias is the replaced spec.
    source: Option<String>,
    alias: String,
    package: String,
    /// The entry as TOML, without what cargo ignores in patches.
    table: Table,
    path: Option<Utf8PathBuf>,
}

/// All patches in force.
#[derive(Debug)]
pub(super) struct Patches {
    entries: Vec<Entry>,
}

impl Patches {
    /// Those of the manifest, and those of the configuration that the manifest does not have.
    pub(super) fn read(workspace: &CargoWorkspace, config: &Config) -> Self {
        let mut entries: Vec<Entry> =
            workspace.patches.iter().map(|patch| entry(Some(&patch.target), &patch.dependency)).collect();
        entries.extend(
            workspace
                .replacements
                .iter()
                .map(|replacement| Entry { alias: replacement.target.clone(), ..entry(None, &replacement.dependency) }),
        );
        for (source, dependencies) in &config.patches {
            for (alias, value) in dependencies.as_table().into_iter().flatten() {
                if !entries.iter().any(|entry| entry.source.as_ref() == Some(source) && entry.alias == *alias) {
                    entries.push(from_config(source, alias, value));
                }
            }
        }
        Self { entries }
    }

    /// Whether any patch is for a package of this name.
    pub(super) fn has(&self, package: &str) -> bool {
        self.entries.iter().any(|entry| entry.package == package)
    }

    /// Folders that packages of this name are patched to.
    pub(super) fn paths(&self, package: &str) -> impl Iterator<Item = &Utf8Path> {
        self.entries.iter().filter(move |entry| entry.package == package).filter_map(|entry| entry.path.as_deref())
    }

    /// The patches that the pruned lock uses, as canonical text.
    pub(super) fn text(&self, lock: &[LockEntry]) -> String {
        let mut sources = Table::new();
        let mut replacements = Table::new();
        for entry in self.entries.iter().filter(|entry| entry.path.is_none() && entry.used(lock)) {
            let Some(source) = &entry.source else {
                replacements.insert(entry.alias.clone(), Value::Table(entry.table.clone()));
                continue;
            };
            let source = sources.entry(source.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Some(dependencies) = source.as_table_mut() {
                dependencies.insert(entry.alias.clone(), Value::Table(entry.table.clone()));
            }
        }
        let mut text =
            Table::from([("patch".to_owned(), Value::Table(sources)), ("replace".to_owned(), Value::Table(replacements))]);
        text.retain(|_, table| table.as_table().is_some_and(|table| !table.is_empty()));
        canonical::render(&text)
    }
}

impl Entry {
    fn used(&self, lock: &[LockEntry]) -> bool {
        let text = |key: &str| self.table.get(key).and_then(Value::as_str);
        lock.iter().filter(|locked| locked.name == self.package).any(|locked| match text("git") {
            Some(url) => {
                let reference =
                    ["branch", "tag", "rev"].into_iter().find_map(|kind| text(kind).map(|value| format!("{kind}={value}")));
                lock::is_git(&locked.source, url, reference.as_deref())
            }
            None => !locked.source.starts_with("git+"),
        })
    }
}

fn entry(source: Option<&str>, dependency: &Dependency) -> Entry {
    let mut table = Table::new();
    let mut put = |key: &str, value: &str| {
        table.insert(key.to_owned(), Value::Text(value.to_owned()));
    };
    let mut path = None;
    if dependency.package != dependency.alias && source.is_some() {
        put("package", &dependency.package);
    }
    if let Some(requirement) = &dependency.requirement {
        put("version", requirement);
    }
    match &dependency.source {
        DependencySource::Registry(None) => {}
        DependencySource::Registry(Some(registry)) => {
            put(if registry.contains("://") { "registry-index" } else { "registry" }, registry);
        }
        DependencySource::Git { url, reference } => {
            put("git", url);
            if let Some((kind, value)) = reference.as_deref().and_then(|reference| reference.split_once('=')) {
                put(kind, value);
            }
        }
        DependencySource::Path(folder) => path = Some(folder.clone()),
    }
    Entry { source: source.map(str::to_owned), alias: dependency.alias.clone(), package: dependency.package.clone(), table, path }
}

fn from_config(source: &str, alias: &str, value: &Value) -> Entry {
    const KEPT: [&str; 8] = ["version", "git", "branch", "tag", "rev", "registry", "registry-index", "package"];
    let mut table = match value {
        Value::Table(table) => table.clone(),
        other => Table::from([("version".to_owned(), other.clone())]),
    };
    let text = |table: &Table, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let path = text(&table, "path").map(Utf8PathBuf::from);
    let package = text(&table, "package").unwrap_or_else(|| alias.to_owned());
    table.retain(|key, _| KEPT.contains(&key.as_str()));
    Entry { source: Some(source.to_owned()), alias: alias.to_owned(), package, table, path }
}
