//! Caches in folders of this machine.
//!
//! BuildKit writes such a cache as an OCI layout: `index.json` names a manifest per tag, `blobs/` has everything else by digest. It
//! only ever adds blobs, so a folder that it writes to grows with each build, and it stops a whole build because of a tag that a
//! folder lacks. So an export goes to a folder of its own inside the cache (`.kiln/`, where what is already there is a hard link and
//! is not written again) and becomes part of the cache only when it is whole: first its blobs, then the index in one step. A
//! build that is interrupted leaves the cache as it was. What no tag names any more is deleted when nobody uses the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

use super::CacheRef;
use crate::engine::EngineError;

const INDEX: &str = "index.json";
const LAYOUT: &str = "oci-layout";
const BLOBS: &str = "blobs/sha256";
/// kiln's own part of a cache folder.
const OWN: &str = ".kiln";
/// Held shared by everyone who reads blobs or is about to add some, and alone by whom deletes.
const USERS: &str = ".kiln/users.lock";
/// Held by who changes the index.
const WRITER: &str = ".kiln/writer.lock";
const TAG: &str = "org.opencontainers.image.ref.name";
/// Where BuildKit looks when it is told no tag.
const DEFAULT_TAG: &str = "latest";

/// Why a folder is not used as a cache, or what an export could not do.
#[derive(Debug, thiserror::Error)]
pub enum LocalCacheError {
    /// There is no cache in the folder.
    #[error("there is none yet")]
    Absent,
    /// There are caches, but none with this tag.
    #[error("it has nothing under the tag `{tag}`")]
    NoTag {
        /// The tag.
        tag: String,
    },
    /// A file of the cache is missing or cut off.
    #[error("it is incomplete: blob `{digest}` is missing or cut off")]
    Incomplete {
        /// Digest of the blob.
        digest: String,
    },
    /// A file of the cache is not what it should be.
    #[error("`{path}` is no part of an OCI layout")]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

type Result<T> = std::result::Result<T, LocalCacheError>;

/// The caches of one build, with what is kept in folders made ready.
#[derive(Debug, Default)]
pub(in crate::engine) struct LocalCaches {
    /// What the engine is told to import.
    pub(in crate::engine) from: Vec<CacheRef>,
    /// What the engine is told to export.
    pub(in crate::engine) to: Vec<CacheRef>,
    /// Folders that are not used, and why.
    pub(in crate::engine) skipped: Vec<(Utf8PathBuf, LocalCacheError)>,
    stagings: Vec<Staging>,
    /// Nobody deletes from a folder as long as it is open.
    users: Vec<File>,
}

impl LocalCaches {
    /// Looks into the folders to import from, and prepares those to export to. A source without a tag is looked for under `own_tag`
    /// first.
    pub(in crate::engine) fn prepare(
        from: &[CacheRef],
        to: &[CacheRef],
        own_tag: &str,
    ) -> std::result::Result<Self, EngineError> {
        let mut caches = Self::default();
        for reference in from {
            match reference.folder() {
                None => caches.from.push(reference.clone()),
                Some(folder) => {
                    // A folder that kiln never wrote to, or may not write to, has no lock, and nobody who deletes.
                    caches.users.extend(open_lock(folder, USERS).ok().filter(|file| file.lock_shared().is_ok()));
                    match find(folder, reference, own_tag) {
                        Ok(found) => caches.from.push(found),
                        Err(reason) => caches.skipped.push((folder.to_owned(), reason)),
                    }
                }
            }
        }
        for reference in to {
            match reference.folder() {
                None => caches.to.push(reference.clone()),
                Some(folder) => {
                    let staging = Staging::new(folder, reference.get("tag").unwrap_or(DEFAULT_TAG));
                    let staging = staging.map_err(|source| EngineError::LocalCache { folder: folder.to_owned(), source })?;
                    let mut staged = reference.clone();
                    staged.set("dest", staging.path.as_str());
                    caches.to.push(staged);
                    caches.stagings.push(staging);
                }
            }
        }
        Ok(caches)
    }

    /// Makes what was exported part of the caches. Gives each folder for which that failed.
    pub(in crate::engine) fn commit(mut self) -> Vec<(Utf8PathBuf, LocalCacheError)> {
        self.users.clear();
        let stagings = std::mem::take(&mut self.stagings);
        stagings.into_iter().filter_map(|staging| Some((staging.folder.clone(), staging.commit().err()?))).collect()
    }
}

/// The reference with the tag under which the folder has a whole cache.
fn find(folder: &Utf8Path, reference: &CacheRef, own_tag: &str) -> Result<CacheRef> {
    let index = read_json(&folder.join(INDEX))?;
    let mut found = reference.clone();
    if let Some(digest) = reference.get("digest") {
        let named = manifests(&index).find(|manifest| manifest["digest"] == digest);
        let bare = json!({ "digest": digest, "mediaType": "application/vnd.oci.image.manifest.v1+json" });
        whole(folder, named.unwrap_or(&bare))?;
        return Ok(found);
    }
    let tags = match reference.get("tag") {
        Some(tag) => vec![tag],
        None => vec![own_tag, DEFAULT_TAG],
    };
    let entry = tags.iter().find_map(|tag| Some((*tag, tagged(&index, tag)?)));
    let Some((tag, entry)) = entry else { return Err(LocalCacheError::NoTag { tag: tags[0].to_owned() }) };
    whole(folder, entry)?;
    found.set("tag", tag);
    Ok(found)
}

/// An export on its way.
#[derive(Debug)]
struct Staging {
    /// The cache.
    folder: Utf8PathBuf,
    /// Where the engine writes.
    path: Utf8PathBuf,
    tag: String,
    users: File,
}

impl Staging {
    fn new(folder: &Utf8Path, tag: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let own = folder.join(OWN);
        fs::create_dir_all(&own).map_err(|source| failed(&own, source))?;
        let users = open_lock(folder, USERS)?;
        users.lock_shared().map_err(|source| failed(&folder.join(USERS), source))?;
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = own.join(name);
        // From a killed process that had the same number.
        let _ = fs::remove_dir_all(&path);
        let staging = Self { folder: folder.to_owned(), path: path.clone(), tag: tag.to_owned(), users };
        let blobs = path.join(BLOBS);
        fs::create_dir_all(&blobs).map_err(|source| failed(&blobs, source))?;
        // What the cache has need not be written again. Where there are no hard links it is, and so is what was cut off.
        let index = read_json(&folder.join(INDEX)).unwrap_or(Value::Null);
        let known = manifests(&index).filter_map(|manifest| collect(folder, manifest).ok()).flatten();
        for (blob, size) in known {
            let known = folder.join(BLOBS).join(&blob);
            if has_size(&known, size) {
                let _ = fs::hard_link(known, blobs.join(blob));
            }
        }
        Ok(staging)
    }

    fn commit(self) -> Result<()> {
        let index = match read_json(&self.path.join(INDEX)) {
            // The engine could not export, and said so.
            Err(LocalCacheError::Absent) => return Ok(()),
            index => index?,
        };
        let entry = tagged(&index, &self.tag).ok_or_else(|| LocalCacheError::NoTag { tag: self.tag.clone() })?;
        let blobs = whole(&self.path, entry)?;
        let writer = open_lock(&self.folder, WRITER)?;
        writer.lock().map_err(|source| failed(&self.folder.join(WRITER), source))?;
        let target = self.folder.join(BLOBS);
        fs::create_dir_all(&target).map_err(|source| failed(&target, source))?;
        for (blob, size) in &blobs {
            let to = target.join(blob);
            if !has_size(&to, *size) {
                fs::rename(self.path.join(BLOBS).join(blob), &to).map_err(|source| failed(&to, source))?;
            }
        }
        let others = read_json(&self.folder.join(INDEX)).unwrap_or(Value::Null);
        let mut all: Vec<&Value> =
            manifests(&others).filter(|manifest| manifest["annotations"][TAG] != self.tag.as_str()).collect();
        all.push(entry);
        let merged = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": all,
        });
        self.replace(LAYOUT, &json!({ "imageLayoutVersion": "1.0.0" }))?;
        self.replace(INDEX, &merged)?;
        // Only whoever is alone deletes, so that no build loses a layer that it has not fetched yet. Others leave it to the last one.
        let _ = self.users.unlock();
        if self.users.try_lock().is_ok() {
            tidy(&self.folder, &merged);
        }
        Ok(())
    }

    /// Replaces a file of the cache in one step.
    fn replace(&self, name: &str, value: &Value) -> Result<()> {
        let (new, old) = (self.path.join(format!("{name}.new")), self.folder.join(name));
        let write = || {
            let mut file = File::create(&new)?;
            io::Write::write_all(&mut file, value.to_string().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &old)
        };
        write().map_err(|source| failed(&old, source))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Deletes blobs that no tag names, and what killed processes left behind. What fails to go now goes another time; if some manifest
/// cannot be read, nobody knows what it names, and nothing goes.
fn tidy(folder: &Utf8Path, index: &Value) {
    let mut named = BTreeSet::new();
    for manifest in manifests(index) {
        match collect(folder, manifest) {
            Ok(blobs) => named.extend(blobs.into_keys()),
            Err(_) => return,
        }
    }
    for entry in folder.join(BLOBS).read_dir_utf8().into_iter().flatten().flatten() {
        if !named.contains(entry.file_name()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    for entry in folder.join(OWN).read_dir_utf8().into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The blobs of a manifest, all there and of the right size.
fn whole(folder: &Utf8Path, manifest: &Value) -> Result<BTreeMap<String, Option<u64>>> {
    let blobs = collect(folder, manifest)?;
    match blobs.iter().find(|(blob, size)| !has_size(&folder.join(BLOBS).join(blob), **size)) {
        Some((blob, _)) => Err(LocalCacheError::Incomplete { digest: format!("sha256:{blob}") }),
        None => Ok(blobs),
    }
}

/// Names and sizes of the blobs that a manifest names, itself among them.
fn collect(folder: &Utf8Path, manifest: &Value) -> Result<BTreeMap<String, Option<u64>>> {
    let mut blobs = BTreeMap::new();
    let mut open = vec![manifest.clone()];
    while let Some(descriptor) = open.pop() {
        let malformed = || LocalCacheError::Malformed { path: folder.join(INDEX) };
        let digest = descriptor["digest"].as_str().ok_or_else(malformed)?;
        let blob = digest.strip_prefix("sha256:").filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let blob = blob.ok_or_else(malformed)?.to_owned();
        let kind = descriptor["mediaType"].as_str().unwrap_or_default();
        if blobs.insert(blob.clone(), descriptor["size"].as_u64()).is_some() {
            continue;
        }
        if ["manifest.v1+json", "index.v1+json", "manifest.v2+json", "manifest.list.v2+json"]
            .iter()
            .any(|end| kind.ends_with(end))
        {
            let content = match read_json(&folder.join(BLOBS).join(&blob)) {
                Err(LocalCacheError::Absent) => return Err(LocalCacheError::Incomplete { digest: digest.to_owned() }),
                content => content?,
            };
            open.extend(content.get("config").cloned());
            let lists = ["manifests", "layers"].into_iter().filter_map(|list| content[list].as_array());
            open.extend(lists.flatten().cloned());
        }
    }
    Ok(blobs)
}

fn manifests(index: &Value) -> impl Iterator<Item = &Value> {
    index["manifests"].as_array().into_iter().flatten()
}

fn tagged<'a>(index: &'a Value, tag: &str) -> Option<&'a Value> {
    manifests(index).find(|manifest| manifest["annotations"][TAG] == tag)
}

fn has_size(path: &Utf8Path, size: Option<u64>) -> bool {
    fs::metadata(path).is_ok_and(|metadata| size.is_none_or(|size| metadata.len() == size))
}

fn read_json(path: &Utf8Path) -> Result<Value> {
    let text = fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LocalCacheError::Absent,
        _ => failed(path, source),
    })?;
    serde_json::from_slice(&text).map_err(|_| LocalCacheError::Malformed { path: path.to_owned() })
}

fn open_lock(folder: &Utf8Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    opened.map_err(|source| failed(&path, source))
}

fn failed(path: &Utf8Path, source: io::Error) -> LocalCacheError {
    LocalCacheError::File { path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
