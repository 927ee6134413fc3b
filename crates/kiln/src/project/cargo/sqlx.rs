//! How a package uses SQLx: macros that check queries while compiling, their saved data, and migrations.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::sources::{self, Source};
use super::{CargoPackage, CargoWorkspace, SourceFacts, paths};

/// SQLx in the closure of a package. Paths are relative to the workspace root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SqlxUse {
    /// Version in the lock, or none without a lock.
    pub version: Option<String>,
    /// Folders with query data (`.sqlx`), in the order in which SQLx prefers them: of packages, then of the workspace.
    pub data: Vec<Utf8PathBuf>,
    /// Query data of SQLx 0.6 and before (`sqlx-data.json`).
    pub legacy_data: Vec<Utf8PathBuf>,
    /// Folders with migrations: those that `migrate!` names, and `migrations` folders of packages and of the workspace.
    pub migrations: Vec<Utf8PathBuf>,
    /// Whether macros of the `query!` family are used, which want query data or a database while compiling.
    pub checked_queries: bool,
    /// Whether `migrate!` is used, which puts the migrations into the program.
    pub embedded_migrations: bool,
}

/// The macros that check queries.
const QUERIES: [&str; 12] = [
    "query",
    "query_as",
    "query_as_unchecked",
    "query_file",
    "query_file_as",
    "query_file_as_unchecked",
    "query_file_scalar",
    "query_file_scalar_unchecked",
    "query_file_unchecked",
    "query_scalar",
    "query_scalar_unchecked",
    "query_unchecked",
];

/// [`SourceFacts::sqlx`].
pub(super) fn of_closure(facts: &mut SourceFacts, workspace: &CargoWorkspace, package: &str) -> Option<SqlxUse> {
    let closure = workspace.closure(package, false);
    let locked = workspace.locked_closure(package).into_iter().find(|locked| locked.name == "sqlx");
    let asked = closure.iter().flat_map(|package| &package.dependencies).any(|dependency| dependency.package == "sqlx");
    if locked.is_none() && !(asked && workspace.lock.is_none()) {
        return None;
    }
    let mut found = SqlxUse {
        version: locked.map(|locked| locked.version.clone()),
        data: Vec::new(),
        legacy_data: Vec::new(),
        migrations: Vec::new(),
        checked_queries: false,
        embedded_migrations: false,
    };
    let mut migrations = BTreeSet::new();
    for package in &closure {
        let facts = facts.of(workspace, package);
        found.checked_queries |= facts.checked_queries;
        found.embedded_migrations |= !facts.migrations.is_empty();
        migrations.extend(facts.migrations.iter().cloned());
    }
    let mut folders: Vec<Utf8PathBuf> = closure.iter().map(|package| workspace.folder(package)).collect();
    folders.retain(|folder| *folder != workspace.directory);
    folders.push(workspace.directory.clone());
    let relative = |path: &Utf8Path| paths::relative(&workspace.directory, path);
    for folder in &folders {
        if holds(&folder.join(".sqlx"), |name| name.starts_with("query-") && name.ends_with(".json")) {
            found.data.push(relative(&folder.join(".sqlx")));
        }
        if folder.join("sqlx-data.json").is_file() {
            found.legacy_data.push(relative(&folder.join("sqlx-data.json")));
        }
        migrations.insert(folder.join("migrations"));
    }
    migrations.retain(|folder| holds(folder, |name| name.ends_with(".sql")));
    found.migrations = migrations.iter().map(|folder| relative(folder)).collect();
    Some(found)
}

/// Where a package embeds migrations with `migrate!`: the file, absolute, and the byte at which the macro begins.
#[must_use]
pub fn embeds_migrations(workspace: &CargoWorkspace, package: &CargoPackage) -> Option<(Utf8PathBuf, usize)> {
    if !package.dependencies.iter().any(|dependency| dependency.package == "sqlx") {
        return None;
    }
    let found = sources::each(&workspace.folder(package), |source| {
        let (name, rest) = sources::macros(source.text, &["migrate"]).next()?;
        Some((source.path.to_owned(), source.text.len() - rest.len() - name.len() - 1))
    });
    found.into_iter().flatten().min()
}

/// The folders that `migrate!` names, absolute.
pub(super) fn migrate_folders(source: &Source<'_>) -> Vec<Utf8PathBuf> {
    let each = sources::macros(source.text, &["migrate"]).filter_map(|(_, rest)| sources::arguments(rest));
    let named = each.map(|arguments| sources::literals(arguments).first().copied().unwrap_or("./migrations"));
    named.map(|path| paths::normalize(&source.folder.join(path))).collect()
}

/// Whether a text uses a macro that checks queries.
pub(super) fn has_queries(text: &str) -> bool {
    sources::macros(text, &QUERIES).any(|(_, rest)| rest.trim_start().starts_with(['(', '[', '{']))
}

/// Whether a folder directly holds something of such a name.
fn holds(folder: &Utf8Path, fits: impl Fn(&str) -> bool) -> bool {
    let Ok(entries) = folder.read_dir_utf8() else { return false };
    entries.flatten().any(|entry| fits(entry.file_name()))
}
