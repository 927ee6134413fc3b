//! The source files that a package's targets are compiled from, found along `mod` as the compiler does.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};

use super::cfg::Predicate;
use super::outcome::Unread;
use super::scan::{FileScan, Module, ModuleFile, scan};
use super::tokens;
use crate::project::cargo::{CargoPackage, paths};

/// More `cfg`s than any file has above it.
const DEEPEST: usize = 64;

/// When a target is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetKind {
    /// With `cargo build`, for the program: libraries, binaries.
    Build,
    /// With `cargo build`, to run while it builds: build scripts.
    Script,
    /// With `--all-targets`: tests, benches, examples.
    Test,
}

/// A file of a target, with the `cfg`s on the way to it.
pub(super) struct Reached {
    pub(super) kind: TargetKind,
    pub(super) path: Utf8PathBuf,
    pub(super) conditions: Vec<Predicate>,
    pub(super) scan: Rc<FileScan>,
}

/// Reads files, each once.
#[derive(Default)]
pub(super) struct Reader {
    scans: BTreeMap<Utf8PathBuf, Option<Rc<FileScan>>>,
    pub(super) unread: Vec<Unread>,
}

impl Reader {
    fn scan(&mut self, path: &Utf8Path) -> Option<Rc<FileScan>> {
        if let Some(known) = self.scans.get(path) {
            return known.clone();
        }
        let found = match fs::read_to_string(path) {
            Err(_) => None,
            Ok(text) => match tokens::read(&text) {
                Ok(stream) => Some(Rc::new(scan(stream))),
                Err(place) => {
                    self.unread.push(Unread { path: path.to_owned(), line: place.line });
                    None
                }
            },
        };
        self.scans.insert(path.to_owned(), found.clone());
        found
    }

    /// Every file of a package, along `mod` from the roots of its targets.
    pub(super) fn files(&mut self, folder: &Utf8Path, package: &CargoPackage) -> Vec<Reached> {
        let mut reached = Vec::new();
        for (kind, root) in roots(folder, package) {
            let mut seen = HashSet::new();
            let mut next = vec![Next { path: root, owns_folder: true, conditions: Vec::new() }];
            while let Some(file) = next.pop() {
                // A file that leads back to itself under ever more conditions would go on for ever.
                if file.conditions.len() > DEEPEST || !seen.insert((file.path.clone(), file.conditions.clone())) {
                    continue;
                }
                let Some(scan) = self.scan(&file.path) else { continue };
                next.extend(scan.modules.iter().filter_map(|module| file.child(module)));
                reached.push(Reached { kind, path: file.path, conditions: file.conditions, scan });
            }
        }
        reached
    }
}

struct Next {
    path: Utf8PathBuf,
    /// Whether its modules lie beside it: a root, `mod.rs`, or a file that was named by its path.
    owns_folder: bool,
    conditions: Vec<Predicate>,
}

impl Next {
    fn child(&self, module: &Module) -> Option<Self> {
        let beside = self.path.parent()?;
        let stem = self.path.file_stem().unwrap_or_default();
        let own = if self.owns_folder { beside.to_owned() } else { beside.join(stem) };
        let folder = module.inline.iter().fold(own, |folder, part| folder.join(part));
        let (path, owns_folder) = match &module.file {
            ModuleFile::Named(name) => {
                let flat = folder.join(format!("{name}.rs"));
                if flat.is_file() { (flat, false) } else { (folder.join(name).join("mod.rs"), true) }
            }
            // In a file itself a path is relative to the file, in an inline module to the folder of that module.
            ModuleFile::Path(path) if module.inline.is_empty() => (beside.join(path), true),
            ModuleFile::Path(path) => (folder.join(path), true),
            ModuleFile::Included(path) => (beside.join(path), self.owns_folder),
        };
        let conditions = self.conditions.iter().chain(&module.conditions).cloned().collect();
        Some(Self { path: paths::normalize(&path), owns_folder, conditions })
    }
}

/// The root files of a package's targets, absolute.
fn roots(folder: &Utf8Path, package: &CargoPackage) -> Vec<(TargetKind, Utf8PathBuf)> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let manifest = toml_edit::Document::parse(manifest).ok();
    let text = |table: &str, key: &str| {
        let table = manifest.as_ref()?.as_table().get(table)?.as_table_like()?;
        table.get(key)?.as_str().map(str::to_owned)
    };
    let mut found = Vec::new();
    let mut add = |kind, path: &str| found.push((kind, paths::normalize(&folder.join(path))));
    if package.library.is_some() {
        add(TargetKind::Build, &text("lib", "path").unwrap_or_else(|| "src/lib.rs".to_owned()));
    }
    for binary in &package.binaries {
        add(TargetKind::Build, binary.path.as_str());
    }
    if package.build_script {
        add(TargetKind::Script, &text("package", "build").unwrap_or_else(|| "build.rs".to_owned()));
    }
    for (table, directory) in [("test", "tests"), ("bench", "benches"), ("example", "examples")] {
        let declared = manifest.as_ref().and_then(|manifest| manifest.as_table().get(table)?.as_array_of_tables());
        for target in declared.into_iter().flatten() {
            if let Some(path) = target.get("path").and_then(|path| path.as_str()) {
                add(TargetKind::Test, path);
            }
        }
        let Ok(entries) = folder.join(directory).read_dir_utf8() else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.ends_with(".rs") {
                add(TargetKind::Test, &format!("{directory}/{name}"));
            } else if entry.path().join("main.rs").is_file() {
                add(TargetKind::Test, &format!("{directory}/{name}/main.rs"));
            }
        }
    }
    found
}
