//! The `[workspace]` table: members, and what members inherit.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{Item, TableLike};

use super::document::Document;
use super::{CargoError, Dependency, dependencies, paths};

/// What a workspace offers to its members.
pub(super) struct Inherited {
    /// The root manifest.
    pub(super) path: Utf8PathBuf,
    /// `[workspace.package]`: the keys that kiln reads.
    pub(super) package: BTreeMap<String, String>,
    /// `[workspace.dependencies]` with `default-features` as written.
    pub(super) dependencies: BTreeMap<String, (Dependency, Option<bool>)>,
}

/// A `[workspace]` table.
pub(super) struct WorkspaceTable {
    /// Absolute folder of the root manifest.
    pub(super) folder: Utf8PathBuf,
    /// `members`, each with its line.
    pub(super) members: Vec<(String, usize)>,
    /// `exclude`.
    pub(super) exclude: Vec<String>,
    /// `default-members`, each with its line.
    pub(super) default_members: Vec<(String, usize)>,
    /// `resolver`.
    pub(super) resolver: Option<String>,
}

impl WorkspaceTable {
    /// The `[workspace]` table of a manifest, if it has one.
    pub(super) fn read(document: &Document) -> Result<Option<Self>, CargoError> {
        let Some(table) = document.table(document.root(), "", "workspace")? else { return Ok(None) };
        let lined = |keys: &[&str]| document.lined_strings(table, "workspace", keys).map(Option::unwrap_or_default);
        Ok(Some(Self {
            folder: document.path.parent().unwrap_or(Utf8Path::new("/")).to_owned(),
            members: lined(&["members"])?,
            exclude: document.strings(table, "workspace", &["exclude"])?.unwrap_or_default(),
            default_members: lined(&["default-members"])?,
            resolver: document.string(table, "workspace", "resolver")?,
        }))
    }

    /// Whether `exclude` covers a folder and `members` does not name it.
    pub(super) fn excludes(&self, folder: &Utf8Path) -> bool {
        let covers = |entry: &str| folder.starts_with(paths::normalize(&self.folder.join(entry)));
        self.exclude.iter().any(|entry| covers(entry)) && !self.members.iter().any(|(entry, _)| covers(entry))
    }
}

impl Inherited {
    /// What the manifest's `[workspace]` offers; dependency paths become relative to `root`.
    pub(super) fn read(document: &Document, root: &Utf8Path) -> Result<Self, CargoError> {
        let folder = document.path.parent().unwrap_or(Utf8Path::new("/"));
        let mut inherited = Self { path: document.path.clone(), package: BTreeMap::new(), dependencies: BTreeMap::new() };
        let Some(table) = document.table(document.root(), "", "workspace")? else { return Ok(inherited) };
        if let Some(package) = document.table(table, "workspace", "package")? {
            for key in ["version", "edition", "rust-version"] {
                if let Some(value) = document.string(package, "workspace.package", key)? {
                    inherited.package.insert(key.to_owned(), value);
                }
            }
        }
        inherited.dependencies = dependencies::offered(document, table, root, folder)?;
        Ok(inherited)
    }
}

/// A string of `[package]`, inherited where it says `workspace = true`.
pub(super) fn package_string(
    document: &Document,
    package: &dyn TableLike,
    key: &str,
    inherited: Option<&Inherited>,
) -> Result<Option<String>, CargoError> {
    let Some(table) = package.get(key).and_then(Item::as_table_like) else {
        return document.string(package, "package", key);
    };
    let named = format!("package.{key}");
    if document.boolean(table, &named, &["workspace"])? != Some(true) {
        return Err(document.wrong_type(package, "package", key, "a string"));
    }
    let line = document.line_of(package, key);
    let Some(inherited) = inherited else {
        return Err(CargoError::NoWorkspace { path: document.path.clone(), line, key: named });
    };
    match inherited.package.get(key) {
        Some(value) => Ok(Some(value.clone())),
        None => Err(CargoError::NotInherited {
            path: document.path.clone(),
            line,
            key: named,
            root: inherited.path.clone(),
            wanted: format!("workspace.package.{key}"),
        }),
    }
}
