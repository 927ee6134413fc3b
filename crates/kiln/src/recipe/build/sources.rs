//! Registry and git sources: what a layer carries of `CARGO_HOME`, and how it gets into another one.
//!
//! A layer has the `.crate` files of the packages that were used, not their unpacked sources: cargo unpacks them itself, and only
//! reads manifests of what is fresh. Index entries are reduced to the locked versions, so that they do not depend on the day.
//! A `CARGO_HOME` is shared between builds: files are added under cargo's own lock, by renaming, and never taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::export::{FileKind, LayerFile, copy, file_digest, name_of};
use super::index::{Entry, entry_path};
use super::step::{At as _, StepError, lock, parallel, remove, write_atomically};
use super::target::{entries, tree};
use crate::process::Cancel;
use crate::recipe::LockEntry;

/// Which sources a layer must carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Names of `.crate` files without the ending.
    crates: BTreeSet<String>,
    /// Locked versions of each registry package: index entries.
    versions: BTreeMap<String, Vec<String>>,
    /// Folders of git checkouts: name in `git/db` and short revision.
    checkouts: BTreeSet<(String, String)>,
}

/// A package that cargo needs on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
    source: Option<String>,
}

/// Reads what `cargo metadata` says. cargo downloads more packages than it compiles (all that an optional feature might reach),
/// and would miss them in a layer.
pub(super) fn packages(metadata: &str) -> Option<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    serde_json::from_str(metadata).ok().map(|metadata: Metadata| metadata.packages)
}

impl Wanted {
    /// The sources of packages, and what cargo's resolver reads.
    pub(super) fn new(packages: &[Package], locked: &[LockEntry], cargo_home: &Path) -> Self {
        let mut wanted = Self::default();
        let checkouts = cargo_home.join("git").join("checkouts");
        for package in packages.iter().filter(|package| package.source.is_some()) {
            if let Ok(path) = package.manifest_path.strip_prefix(&checkouts) {
                let mut parts = path.iter().filter_map(|part| part.to_str());
                if let (Some(name), Some(revision)) = (parts.next(), parts.next()) {
                    wanted.checkouts.insert((name.to_owned(), revision.to_owned()));
                }
            } else {
                wanted.crates.insert(format!("{}-{}", package.name, package.version));
            }
        }
        for entry in locked.iter().filter(|entry| !entry.source.starts_with("git+")) {
            wanted.versions.entry(entry.name.clone()).or_default().push(entry.version.clone());
        }
        wanted
    }
}

/// Copies the wanted sources of a `CARGO_HOME` to a layer.
pub(super) fn export(home: &Path, output: &Path, wanted: &Wanted) -> Result<Vec<LayerFile>, StepError> {
    let mut paths = BTreeSet::new();
    let mut files = Vec::new();
    for registry in entries(&home.join("registry").join("cache"))? {
        let Some(name) = registry.file_name() else { continue };
        let found: Vec<&String> =
            wanted.crates.iter().filter(|package| registry.join(format!("{package}.crate")).is_file()).collect();
        if found.is_empty() {
            continue;
        }
        let cache = Path::new("registry").join("cache").join(name);
        paths.extend(found.iter().map(|package| cache.join(format!("{package}.crate"))));
        let index = Path::new("registry").join("index").join(name);
        if home.join(&index).join("config.json").is_file() {
            paths.insert(index.join("config.json"));
        }
        for (package, versions) in &wanted.versions {
            let path = index.join(".cache").join(entry_path(package));
            let Ok(bytes) = fs::read(home.join(&path)) else { continue };
            let bytes = Entry::parse(&bytes).map_or(bytes, |mut entry| {
                entry.keep(&versions.iter().map(String::as_str).collect::<Vec<_>>());
                entry.to_bytes()
            });
            let to = output.join(&path);
            write_atomically(&to, &bytes)?;
            let name = name_of(&path)?;
            let digest = file_digest(&to)?;
            files.push(LayerFile {
                path: name,
                kind: FileKind::File { size: bytes.len() as u64, digest, executable: false, within: None },
            });
        }
    }
    for (name, revision) in &wanted.checkouts {
        let git = Path::new("git");
        for folder in [git.join("db").join(name), git.join("checkouts").join(name).join(revision)] {
            for path in tree(&home.join(&folder))?.into_keys().filter(|path| !volatile(path)) {
                paths.extend(path.strip_prefix(home).ok().map(Path::to_owned));
            }
        }
    }
    for parent in paths.iter().filter_map(|path| output.join(path).parent().map(Path::to_owned)).collect::<BTreeSet<_>>() {
        fs::create_dir_all(&parent).at("create", &parent)?;
    }
    let paths: Vec<PathBuf> = paths.into_iter().collect();
    files.extend(parallel(&paths, |path| copy(home, output, path))?);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Files of a git folder that tell when and how it was fetched, not what is in it. cargo finds a locked revision by its objects,
/// and needs no reference to it.
fn volatile(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let database = text.contains("/git/db/");
    let by_name = matches!(name, "index" | "FETCH_HEAD" | "ORIG_HEAD" | "logs") || name.ends_with(".sample");
    (database || text.contains("/.git/")) && (by_name || text.contains("/logs/"))
        || database && (text.contains("/refs/remotes") || text.contains("/refs/commit") || name == "packed-refs")
}

/// Adds the sources of a layer that a `CARGO_HOME` lacks; gives how many files were added.
pub(super) fn seed(layer: &Path, sources: &[LayerFile], home: &Path, cancel: &Cancel) -> Result<usize, StepError> {
    let from = layer.join("cargo");
    let mut missing = Vec::new();
    let mut folders = BTreeSet::new();
    for file in sources {
        if let Some(folder) = git_folder(&file.path) {
            folders.insert(folder);
        } else if file.path.contains("/.cache/") || !has(&home.join(&file.path), file) {
            missing.push(file);
        }
    }
    folders.retain(|folder| !complete(&home.join(folder)));
    missing.retain(|file| !file.path.contains("/.cache/") || entry_lacks(&from.join(&file.path), &home.join(&file.path)));
    if missing.is_empty() && folders.is_empty() {
        return Ok(0);
    }
    // cargo's own lock on downloads.
    let _held = lock(&home.join(".package-cache"), cancel)?;
    let added = parallel(&missing, |file| {
        let (source, destination) = (from.join(&file.path), home.join(&file.path));
        let mut bytes = fs::read(&source).at("read", &source)?;
        if let (Some(mut own), Some(new)) = (fs::read(&destination).ok().as_deref().and_then(Entry::parse), Entry::parse(&bytes))
        {
            own.unite(&new);
            bytes = own.to_bytes();
        }
        write_atomically(&destination, &bytes)
    })?
    .len();
    for folder in &folders {
        add_folder(&from, home, folder)?;
    }
    Ok(added + folders.len())
}

/// Whether the file is there with the layer's size: cargo checks the checksum of what it unpacks.
fn has(path: &Path, file: &LayerFile) -> bool {
    let FileKind::File { size, .. } = file.kind else { return true };
    fs::metadata(path).is_ok_and(|metadata| metadata.len() == size || path.ends_with("config.json"))
}

/// Whether an index entry lacks versions that the layer's has. One that is not understood is left alone.
fn entry_lacks(layer: &Path, own: &Path) -> bool {
    let Ok(own) = fs::read(own) else { return true };
    let (Some(mut own), Ok(layer)) = (Entry::parse(&own), fs::read(layer)) else { return false };
    Entry::parse(&layer).is_some_and(|layer| own.unite(&layer))
}

/// `git/db/<name>` or `git/checkouts/<name>/<revision>`, for a path in it.
fn git_folder(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["git", "db", name, ..] => Some(format!("git/db/{name}")),
        ["git", "checkouts", name, revision, ..] => Some(format!("git/checkouts/{name}/{revision}")),
        _ => None,
    }
}

fn complete(folder: &Path) -> bool {
    folder.join("HEAD").is_file() || folder.join(".cargo-ok").is_file()
}

fn add_folder(from: &Path, home: &Path, folder: &str) -> Result<(), StepError> {
    let destination = home.join(folder);
    let temporary = home.join(format!("{folder}.kiln-new"));
    remove(&temporary)?;
    let source = from.join(folder);
    let paths: Vec<PathBuf> =
        tree(&source)?.into_keys().filter_map(|path| path.strip_prefix(&source).ok().map(Path::to_owned)).collect();
    for path in &paths {
        copy(&source, &temporary, path)?;
    }
    remove(&destination)?;
    fs::rename(&temporary, &destination).at("write", &destination)
}
