//! The local packages of a source tree, as far as `compile` needs them: folders, names, and who uses SQLx.
//!
//! Reads the manifests of the tree as it is and, for the guard, as the last build saw it. A manifest that cannot be read is left
//! to cargo, which will say more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};

/// Local packages by folder, relative to the source folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packages {
    by_folder: BTreeMap<PathBuf, Package>,
    vendored: BTreeSet<PathBuf>,
    /// Names of the packages of the workspace and its path dependencies; `None` if there is no lock that says so.
    locked: Option<BTreeSet<String>>,
    /// Manifests in which something changed that cargo does not read.
    silent: BTreeSet<PathBuf>,
    /// Manifests that describe a package otherwise: build scripts get that as variables.
    described: BTreeSet<PathBuf>,
}

/// What is known about a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Package {
    names: BTreeSet<String>,
    sqlx: bool,
}

impl Packages {
    /// Reads the manifests among `files` below each of the roots: the source as it is, and the mirror as it was; and the lock of
    /// the workspace.
    #[must_use]
    pub(super) fn read(roots: &[&Path], workspace: &Path, files: &[PathBuf]) -> Self {
        let locks = roots.iter().filter_map(|root| fs::read_to_string(root.join(workspace).join("Cargo.lock")).ok());
        let locks: Vec<DocumentMut> = locks.filter_map(|text| text.parse().ok()).collect();
        let locked = (!locks.is_empty()).then(|| locks.iter().flat_map(local_names).collect());
        let mut packages = Self { locked, ..Self::default() };
        let mut shared_sqlx = BTreeSet::new();
        let mut documents = Vec::new();
        for file in files {
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            if file.ends_with(".cargo-checksum.json") {
                packages.vendored.insert(folder);
            } else if file.ends_with("Cargo.toml") {
                let (mut unread, mut descriptions) = (BTreeSet::new(), BTreeSet::new());
                for root in roots {
                    let text = fs::read_to_string(root.join(file)).ok();
                    let document = text.and_then(|text| text.parse::<DocumentMut>().ok());
                    unread.insert(document.as_ref().map(unread_by_cargo));
                    descriptions.insert(document.as_ref().map(description));
                    let Some(document) = document else { continue };
                    if let Some(workspace) = document.get("workspace").and_then(Item::as_table_like) {
                        shared_sqlx.extend(sqlx_names(workspace));
                    }
                    documents.push((folder.clone(), document));
                }
                if unread.len() > 1 {
                    packages.silent.insert(file.clone());
                }
                if descriptions.len() > 1 {
                    packages.described.insert(file.clone());
                }
            }
        }
        for (folder, document) in documents {
            let Some(name) = document.get("package").and_then(|package| package.get("name")).and_then(Item::as_str) else {
                continue;
            };
            let package = packages.by_folder.entry(folder).or_default();
            package.names.insert(name.to_owned());
            package.sqlx |= uses_sqlx(document.as_table(), &shared_sqlx);
        }
        packages.by_folder.retain(|folder, _| !folder.ancestors().any(|above| packages.vendored.contains(above)));
        packages
    }

    /// Folders of the packages with a name.
    #[must_use]
    pub(super) fn folders_of(&self, name: &str) -> Vec<&Path> {
        self.by_folder.iter().filter(|(_, package)| package.names.contains(name)).map(|(folder, _)| folder.as_path()).collect()
    }

    /// Folder of the package that a path lies in: the nearest above it.
    #[must_use]
    pub(super) fn owner(&self, path: &Path) -> Option<&Path> {
        path.ancestors().skip(1).find_map(|folder| self.by_folder.get_key_value(folder)).map(|(folder, _)| folder.as_path())
    }

    /// Whether the package in a folder has the name of one that the workspace uses. Others are of other workspaces, or data.
    #[must_use]
    pub(super) fn is_locked(&self, folder: &Path) -> bool {
        let Some(locked) = &self.locked else { return true };
        self.by_folder.get(folder).is_some_and(|package| package.names.iter().any(|name| locked.contains(name)))
    }

    /// Folder of the nearest such package around a folder.
    #[must_use]
    pub(super) fn locked_around(&self, folder: &Path) -> Option<&Path> {
        let mut around = folder.ancestors().skip(1).filter_map(|above| self.by_folder.get_key_value(above));
        around.find(|(folder, _)| self.is_locked(folder)).map(|(folder, _)| folder.as_path())
    }

    /// Whether a folder is a package's.
    #[must_use]
    pub(super) fn is_package(&self, folder: &Path) -> bool {
        self.by_folder.contains_key(folder)
    }

    /// Whether a folder holds a vendored package.
    #[must_use]
    pub(super) fn is_vendored(&self, folder: &Path) -> bool {
        self.vendored.contains(folder)
    }

    /// Whether something changed in a manifest that cargo does not read, but a macro or a build script may.
    #[must_use]
    pub(super) fn changed_silently(&self, manifest: &Path) -> bool {
        self.silent.contains(manifest)
    }

    /// Whether a manifest describes its package, or the workspace's packages, otherwise than before.
    #[must_use]
    pub(super) fn describes_otherwise(&self, manifest: &Path) -> bool {
        self.described.contains(manifest)
    }

    /// Whether a folder is a package's or has packages below it.
    #[must_use]
    pub(super) fn any_below(&self, folder: &Path) -> bool {
        self.by_folder.keys().any(|other| other.starts_with(folder))
    }

    /// Whether other packages lie below a package's folder.
    #[must_use]
    pub(super) fn contains_others(&self, folder: &Path) -> bool {
        self.by_folder.keys().any(|other| other != folder && other.starts_with(folder))
    }

    /// Whether a package depends on SQLx.
    #[must_use]
    pub(super) fn uses_sqlx(&self, folder: &Path) -> bool {
        self.by_folder.get(folder).is_some_and(|package| package.sqlx)
    }
}

/// Names of the packages that a lock takes from no registry or repository.
fn local_names(lock: &DocumentMut) -> Vec<String> {
    let packages = lock.get("package").and_then(Item::as_array_of_tables);
    let local = packages.into_iter().flatten().filter(|package| !package.contains_key("source"));
    local.filter_map(|package| package.get("name")?.as_str().map(str::to_owned)).collect()
}

/// The tables of a manifest that cargo reads: they decide fingerprints.
const READ_BY_CARGO: &[&str] = &[
    "badges",
    "bench",
    "bin",
    "build-dependencies",
    "cargo-features",
    "dependencies",
    "dev-dependencies",
    "example",
    "features",
    "lib",
    "lints",
    "package",
    "patch",
    "profile",
    "replace",
    "target",
    "test",
    "workspace",
];

/// The rest of a manifest, as text.
fn unread_by_cargo(document: &DocumentMut) -> String {
    let metadata = ["package", "workspace"].iter().filter_map(|table| document.get(table)?.get("metadata"));
    let others = document.iter().filter(|(key, _)| !READ_BY_CARGO.contains(key)).map(|(_, item)| item);
    metadata.chain(others).map(text).collect()
}

/// An item with all that is in it: shown as text, a table leaves out the tables below it.
fn text(item: &Item) -> String {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(key, item)| format!("{key} = {}\n", text(item))).collect();
    }
    match item.as_array_of_tables() {
        Some(tables) => tables.iter().map(|table| text(&Item::Table(table.clone()))).collect(),
        None => item.to_string(),
    }
}

/// What a manifest says about its package, without the version, which gives units another name.
fn description(document: &DocumentMut) -> String {
    let shared = document.get("workspace").and_then(|workspace| workspace.get("package"));
    let tables = [document.get("package"), shared].into_iter().flatten().filter_map(Item::as_table_like);
    let entries = tables.flat_map(|table| table.iter().collect::<Vec<_>>());
    entries.filter(|(key, _)| *key != "version").map(|(key, item)| format!("{key} = {item}\n")).collect()
}

/// Names under which a manifest's tables know SQLx.
fn sqlx_names(table: &dyn TableLike) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = table.get(kind).and_then(Item::as_table_like) else { continue };
        for (key, item) in dependencies.iter() {
            let package = item.as_table_like().and_then(|item| item.get("package")).and_then(Item::as_str).unwrap_or(key);
            if package == "sqlx" || package.starts_with("sqlx-") {
                names.insert(key.to_owned());
            }
        }
    }
    names
}

fn uses_sqlx(manifest: &dyn TableLike, shared: &BTreeSet<String>) -> bool {
    let inherits = |table: &dyn TableLike| {
        let dependencies = ["dependencies", "build-dependencies"].iter().filter_map(|kind| table.get(kind)?.as_table_like());
        dependencies.flat_map(TableLike::iter).any(|(key, _)| shared.contains(key))
    };
    let targets = manifest.get("target").and_then(Item::as_table_like);
    let targets = targets.into_iter().flat_map(TableLike::iter).filter_map(|(_, item)| item.as_table_like());
    [manifest].into_iter().chain(targets).any(|table| !sqlx_names(table).is_empty() || inherits(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) -> PathBuf {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        PathBuf::from(path)
    }

    #[test]
    fn what_cargo_does_not_read_is_compared_with_all_that_is_in_it() {
        let unread = |text: &str| unread_by_cargo(&text.parse().unwrap());
        let base = unread("[package]\nname = 'a'\n[dependencies]\nb = '1'\n");
        assert_eq!(base, unread("[package]\nname = 'c'\nversion = '2.0.0'\n"));
        for more in [
            "[package.metadata.x]\ny = 1",
            "[[workspace.metadata.z]]\ny = 1",
            "[workspace.metadata]\nx.y = 1",
            "[other.x]\ny = 1",
        ] {
            assert_ne!(unread(more), base, "{more}");
            assert_ne!(unread(more), unread(&more.replace("y = 1", "y = 2")), "{more}");
        }
    }

    #[test]
    fn packages_are_found_with_their_owners_and_sqlx() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let files = [
            write(
                root,
                "Cargo.toml",
                "[workspace]\nmembers=['a','b']\n[workspace.dependencies]\ndb={package='sqlx',version='1'}",
            ),
            write(root, "a/Cargo.toml", "[package]\nname='a'\n[dependencies]\ndb={workspace=true}"),
            write(root, "b/Cargo.toml", "[package]\nname='b'"),
            write(root, "b/inner/Cargo.toml", "[package]\nname='inner'\n[target.'cfg(unix)'.dependencies]\nsqlx='1'"),
            write(root, "vendor/x/Cargo.toml", "[package]\nname='x'"),
            write(root, "vendor/x/.cargo-checksum.json", "{}"),
            write(root, "b/inner/template/Cargo.toml", "[package]\nname='new'"),
        ];
        let lock = "[[package]]\nname='a'\n[[package]]\nname='inner'\n[[package]]\nname='new'\nsource='registry'\n";
        write(root, "Cargo.lock", lock);
        let packages = Packages::read(&[root], Path::new(""), &files);
        assert_eq!(packages.owner(Path::new("a/src/main.rs")), Some(Path::new("a")));
        assert_eq!(packages.owner(Path::new("b/inner/src/lib.rs")), Some(Path::new("b/inner")));
        assert_eq!(packages.owner(Path::new("README.md")), None);
        assert_eq!(packages.owner(Path::new("vendor/x/src/lib.rs")), None);
        assert!(packages.is_vendored(Path::new("vendor/x")));
        assert!(packages.contains_others(Path::new("b")) && !packages.contains_others(Path::new("a")));
        let sqlx = ["a", "b", "b/inner"].map(|folder| packages.uses_sqlx(Path::new(folder)));
        assert_eq!(sqlx, [true, false, true]);
        let template = Path::new("b/inner/template");
        assert!(packages.is_locked(Path::new("a")) && !packages.is_locked(template));
        assert_eq!(packages.locked_around(template), Some(Path::new("b/inner")));
    }
}
