//! A copy of the source in a mount that is brought up to date by content.
//!
//! The source of a build step is a fresh checkout with times that mean nothing. [`Plan::make`] compares its contents with a
//! [`Ledger`] of what the copy holds and gives the [`Change`]s; [`Plan::apply`] writes them. Unchanged files keep their time in the
//! copy, changed ones get a new one that is later than every time before, so cargo sees what changed and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use serde::{Deserialize, Serialize};

use super::links::Links;
use super::step::{At as _, StepError, parallel, remove, write_atomically};
use super::target::entries;

/// Version of the ledger; another one is as good as none.
const LEDGER_SCHEMA: u32 = 1;

/// A time before that of any unit, in nanoseconds since the epoch.
const OLDEST: u64 = 1_000_000_000;

/// A time that no file has.
const NO_TIME: u64 = u64::MAX;

/// What a mirror holds, and what else the last build saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Version of the form.
    pub(super) schema: u32,
    /// Files, links and folders by path.
    pub(super) files: BTreeMap<String, Entry>,
    /// The latest time that was given to a file or seen after a build, in nanoseconds since the epoch.
    pub(super) latest: u64,
    /// Whether the last build noted that time at its end. One that was killed has left later ones behind.
    #[serde(default)]
    pub(super) finished: bool,
    /// Environment of the last build: names with digests of their values.
    pub(super) environment: BTreeMap<String, String>,
    /// Digest of the system files (installed packages) of the last build.
    pub(super) system: String,
}

/// A file, link or folder of a mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What it is, with its content.
    #[serde(flatten)]
    pub(super) node: Node,
    /// Its time in the mirror, in nanoseconds since the epoch; 0 for links and folders.
    pub(super) time: u64,
}

/// What a path is, without its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Node {
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// BLAKE3.
        digest: String,
        /// Permissions.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        to: String,
    },
    /// A folder.
    Folder,
}

/// A path whose content is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// Path below the source folder.
    pub(super) path: PathBuf,
    /// What happened.
    pub(super) kind: ChangeKind,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChangeKind {
    /// It is new.
    Added,
    /// Its content, mode or kind differs.
    Modified,
    /// It is gone.
    Removed,
    /// The build itself changed or made it in the mirror.
    Drifted,
}

impl Ledger {
    /// Reads a ledger; `None` when there is none or it cannot be understood: then nothing is known about the mount.
    #[must_use]
    pub(super) fn read(path: &Path) -> Option<Self> {
        let ledger: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (ledger.schema == LEDGER_SCHEMA).then_some(ledger)
    }

    /// Makes the next comparison one of contents. The times that kiln itself gives to old files are all one: after a run that was
    /// killed before it wrote its ledger they do not tell which content a file has.
    pub(super) fn distrust_times(&mut self) {
        self.files.values_mut().for_each(|entry| entry.time = NO_TIME);
    }

    /// Writes the ledger.
    ///
    /// # Errors
    /// [`StepError`], when it cannot be written.
    pub(super) fn write(&mut self, path: &Path) -> Result<(), StepError> {
        self.schema = LEDGER_SCHEMA;
        let bytes = serde_json::to_vec(self).map_err(|source| StepError::Format { path: path.to_owned(), source })?;
        write_atomically(path, &bytes)
    }
}

/// What brings a mirror up to date.
#[derive(Debug)]
pub(super) struct Plan {
    source: PathBuf,
    mirror: PathBuf,
    nodes: BTreeMap<String, Node>,
    /// Paths to write.
    write: Vec<String>,
    /// Paths to remove from the mirror.
    remove: Vec<PathBuf>,
    times: BTreeMap<String, u64>,
    /// What changed since the ledger was written, sorted.
    pub(super) changes: Vec<Change>,
}

impl Plan {
    /// Compares a source folder with the ledger, and the mirror with both.
    ///
    /// # Errors
    /// [`StepError`], when something cannot be read.
    pub(super) fn make(source: &Path, mirror: &Path, ledger: &Ledger) -> Result<Self, StepError> {
        let paths = walk(source, true)?;
        let found: Vec<(&PathBuf, &fs::Metadata)> = paths.iter().collect();
        let described = parallel(&found, |(path, metadata)| Ok((key(path), describe(&source.join(path), metadata)?)))?;
        let nodes: BTreeMap<String, Node> = described.into_iter().collect();
        let mut changes = Vec::new();
        let mut plan = Self {
            source: source.to_owned(),
            mirror: mirror.to_owned(),
            nodes,
            write: vec![],
            remove: vec![],
            times: BTreeMap::new(),
            changes: vec![],
        };
        let existing: BTreeMap<String, (PathBuf, fs::Metadata)> =
            walk(mirror, false)?.into_iter().map(|(path, metadata)| (key(&path), (path, metadata))).collect();
        for (name, (path, _)) in &existing {
            if !plan.nodes.contains_key(name) {
                plan.remove.push(path.clone());
            }
            if !ledger.files.contains_key(name) {
                // Made by the build; or by an earlier run that was killed before it wrote the ledger.
                changes.push(Change { path: path.clone(), kind: ChangeKind::Drifted });
            }
        }
        for (name, entry) in &ledger.files {
            if entry.node == Node::Folder {
                if !plan.nodes.contains_key(name) && is_empty(name, &ledger.files) {
                    changes.push(Change { path: path_of(name), kind: ChangeKind::Removed });
                }
                continue;
            }
            let path = path_of(name);
            let there = existing.get(name).map(|(_, metadata)| metadata);
            if matches!(present(&mirror.join(&path), there, &entry.node, Some(entry.time))?, Present::Different) {
                changes.push(Change { path: path.clone(), kind: ChangeKind::Drifted });
            }
            if !plan.nodes.contains_key(name) {
                changes.push(Change { path, kind: ChangeKind::Removed });
            }
        }
        for (name, node) in &plan.nodes {
            let path = path_of(name);
            let known = ledger.files.get(name);
            let same = known.is_some_and(|entry| entry.node == *node);
            // Folders come and go with what is in them; one without anything, or that was something else, is a change.
            if !same && (*node != Node::Folder || known.is_some() || is_empty(name, &plan.nodes)) {
                let kind = if known.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
                changes.push(Change { path: path.clone(), kind });
            }
            let there = existing.get(name).map(|(_, metadata)| metadata);
            let time = known.filter(|_| same).map(|entry| entry.time);
            match present(&mirror.join(&path), there, node, time)? {
                Present::Equal(time) => {
                    plan.times.insert(name.clone(), time);
                }
                Present::Different => plan.write.push(name.clone()),
            }
        }
        changes.sort();
        plan.changes = changes;
        Ok(plan)
    }

    /// Paths of all files of the source.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.nodes.iter().filter(|(_, node)| matches!(node, Node::File { .. })).map(|(name, _)| path_of(name))
    }

    /// Folders of vendored packages that are new or of another version. Their files are as immutable as those of a registry, and
    /// get one old time: units that a layer brings are older than any checkout. A file that is edited by hand is like any other.
    fn vendored(&self) -> BTreeSet<PathBuf> {
        let checksums = self.write.iter().filter(|name| name.ends_with("/.cargo-checksum.json"));
        checksums.filter_map(|name| path_of(name).parent().map(Path::to_owned)).collect()
    }

    /// The symbolic links of the source and, as it was, of the mirror.
    pub(super) fn links(&self, ledger: &Ledger) -> Links {
        let nodes = ledger.files.iter().map(|(name, entry)| (name, &entry.node)).chain(&self.nodes);
        Links::new(nodes.filter_map(|(name, node)| match node {
            Node::Link { to } => Some((path_of(name), path_of(to))),
            Node::File { .. } | Node::Folder => None,
        }))
    }

    /// Brings the mirror up to date. Files that are written get the time `stamp`. Gives the files for the new ledger.
    ///
    /// # Errors
    /// [`StepError`], when something cannot be written; the old ledger then still leads to the same plan.
    pub(super) fn apply(self, stamp: u64) -> Result<BTreeMap<String, Entry>, StepError> {
        fs::create_dir_all(&self.mirror).at("create", &self.mirror)?;
        // Deepest first, so that a folder is empty when its turn comes.
        for path in self.remove.iter().rev() {
            remove(&self.mirror.join(path))?;
        }
        let vendored = self.vendored();
        let time_of = |path: &Path| if path.ancestors().any(|above| vendored.contains(above)) { OLDEST } else { stamp };
        let (folders, rest): (Vec<&String>, Vec<&String>) =
            self.write.iter().partition(|name| self.nodes.get(*name) == Some(&Node::Folder));
        for name in folders {
            let path = self.mirror.join(path_of(name));
            remove_other_kind(&path, true)?;
            fs::create_dir_all(&path).at("create", &path)?;
        }
        parallel(&rest, |name| {
            let path = path_of(name);
            match self.nodes.get(*name) {
                Some(Node::File { mode, .. }) => {
                    write_file(&self.source.join(&path), &self.mirror.join(&path), *mode, time_of(&path))
                }
                Some(Node::Link { to }) => {
                    let link = self.mirror.join(&path);
                    remove(&link)?;
                    symlink(path_of(to), &link).at("write", &link)
                }
                _ => Ok(()),
            }
        })?;
        let mut times = self.times;
        times.extend(rest.into_iter().map(|name| (name.clone(), time_of(&path_of(name)))));
        let entries = self.nodes.into_iter().map(|(name, node)| {
            let time = if matches!(node, Node::File { .. }) { times.get(&name).copied().unwrap_or_default() } else { 0 };
            (name, Entry { node, time })
        });
        Ok(entries.collect())
    }
}

/// Gives everything in a mirror the same, old time: used when the clock has gone back behind recorded times. What is stale has been
/// forgotten by then, so no time has to tell it. Folders and links too: for a script that watches a folder cargo looks at both.
///
/// # Errors
/// [`StepError`], when a time cannot be set.
pub(super) fn reset_times(mirror: &Path, files: &mut BTreeMap<String, Entry>) -> Result<(), StepError> {
    let names: Vec<&String> = files.keys().collect();
    parallel(&names, |name| set_oldest(&mirror.join(path_of(name))))?;
    for entry in files.values_mut().filter(|entry| matches!(entry.node, Node::File { .. })) {
        entry.time = OLDEST;
    }
    Ok(())
}

/// How the mirror has a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Present {
    /// As it should be, with this time.
    Equal(u64),
    /// Not, or with another content.
    Different,
}

/// Whether the mirror has a node. `recorded` is the time at which it was known to have it: contents are compared if that is
/// another one or none, for then the build wrote the file, or an earlier run that was killed.
fn present(path: &Path, there: Option<&fs::Metadata>, node: &Node, recorded: Option<u64>) -> Result<Present, StepError> {
    let Some(metadata) = there else { return Ok(Present::Different) };
    let equal = match node {
        Node::Folder => metadata.is_dir(),
        Node::Link { to } => metadata.is_symlink() && key(&fs::read_link(path).at("read", path)?) == *to,
        Node::File { size, mode, .. } => {
            let time = nanoseconds(metadata);
            let alike = metadata.is_file() && metadata.len() == *size && metadata.mode() & 0o777 == *mode;
            // A time in the future would confuse cargo.
            return Ok(if alike && (recorded == Some(time) || time <= now() && describe(path, metadata)? == *node) {
                Present::Equal(time)
            } else {
                Present::Different
            });
        }
    };
    Ok(if equal { Present::Equal(0) } else { Present::Different })
}

fn describe(path: &Path, metadata: &fs::Metadata) -> Result<Node, StepError> {
    Ok(if metadata.is_dir() {
        Node::Folder
    } else if metadata.is_symlink() {
        Node::Link { to: key(&fs::read_link(path).at("read", path)?) }
    } else {
        let digest = super::export::file_digest(path)?;
        // The owner must be able to replace it.
        Node::File { size: metadata.len(), digest, mode: (metadata.mode() & 0o777) | 0o600 }
    })
}

fn write_file(source: &Path, destination: &Path, mode: u32, stamp: u64) -> Result<(), StepError> {
    remove_other_kind(destination, false)?;
    let mut name = destination.file_name().unwrap_or_default().to_owned();
    name.push(".kiln-new");
    let temporary = destination.with_file_name(name);
    remove(&temporary)?;
    let contents = fs::read(source).at("read", source)?;
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&temporary).at("write", &temporary)?;
    file.write_all(&contents).at("write", &temporary)?;
    file.set_permissions(fs::Permissions::from_mode(mode)).at("write", &temporary)?;
    file.set_times(FileTimes::new().set_modified(time(stamp))).at("set the time of", &temporary)?;
    fs::rename(&temporary, destination).at("write", destination)
}

fn remove_other_kind(path: &Path, folder: bool) -> Result<(), StepError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() != folder => remove(path),
        _ => Ok(()),
    }
}

/// Everything below a folder. cargo's own target directories are no source and are left out when asked for.
fn walk(root: &Path, skip_caches: bool) -> Result<BTreeMap<PathBuf, fs::Metadata>, StepError> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        let paths = entries(&folder)?;
        if skip_caches && folder != root && is_cargo_cache(&folder, &paths) {
            let relative = folder.strip_prefix(root).unwrap_or(&folder);
            found.remove(relative);
            continue;
        }
        for path in paths {
            let metadata = fs::symlink_metadata(&path).at("read", &path)?;
            let kind = metadata.file_type();
            if kind.is_dir() {
                pending.push(path.clone());
            } else if !kind.is_file() && !kind.is_symlink() {
                // Sockets and pipes have no content.
                continue;
            }
            if let Ok(relative) = path.strip_prefix(root) {
                found.insert(relative.to_owned(), metadata);
            }
        }
    }
    Ok(found)
}

/// Whether a folder has nothing in it, given the tree by keys.
fn is_empty<T>(folder: &str, tree: &BTreeMap<String, T>) -> bool {
    let below = format!("{folder}{}", if folder.starts_with('\0') { "2f" } else { "/" });
    !tree.range(below.clone()..).next().is_some_and(|(name, _)| name.starts_with(&below))
}

fn is_cargo_cache(folder: &Path, paths: &[PathBuf]) -> bool {
    paths.iter().any(|path| path.ends_with("CACHEDIR.TAG"))
        && fs::read_to_string(folder.join("CACHEDIR.TAG")).is_ok_and(|text| text.contains("created by cargo"))
}

/// A path as a key of the ledger: itself, or escaped when it is not valid UTF-8.
fn key(path: &Path) -> String {
    path.to_str().filter(|text| !text.starts_with('\0')).map_or_else(
        || path.as_os_str().as_bytes().iter().fold("\0".to_owned(), |text, byte| text + &format!("{byte:02x}")),
        str::to_owned,
    )
}

fn path_of(key: &str) -> PathBuf {
    let Some(hex) = key.strip_prefix('\0') else { return PathBuf::from(key) };
    let digits: Vec<u8> = hex.bytes().map(|digit| char::from(digit).to_digit(16).map_or(0, |value| value as u8)).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

/// Modification time in nanoseconds since the epoch; 0 for times before it.
pub(super) fn nanoseconds(metadata: &fs::Metadata) -> u64 {
    metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

pub(super) fn time(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// Sets the time of a file, a folder or a link itself.
fn set_oldest(path: &Path) -> Result<(), StepError> {
    let time = Timespec { tv_sec: (OLDEST / 1_000_000_000).cast_signed(), tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(std::io::Error::from).at("set the time of", path)
}

#[cfg(test)]
mod tests;
