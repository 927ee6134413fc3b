//! The object database: commits, trees and blobs, packed or loose, with alternates.

use std::fmt;

use camino::Utf8Path;
use gix_object::Find as _;
use gix_object::tree::EntryKind;

use super::GitError;
use crate::context::ContentId;

/// Bytes of unpacked objects that each thread remembers: those of one history are stored as differences from each other.
const PACK_CACHE: usize = 16 << 20;

/// What a name in a tree stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A file that may be executed.
    Executable,
    /// A symbolic link; the blob is its target.
    Link,
    /// A commit of another repository, whose files are not in this one.
    Submodule,
}

/// What stands at a path of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Id of the tree, blob or commit.
    pub id: ContentId,
}

/// A name in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) node: Node,
}

/// Reads objects. Each thread has a copy of its own; they share what is mapped into memory.
#[derive(Clone)]
pub struct Objects {
    handle: gix_odb::HandleArc,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

impl Objects {
    /// Opens `.git/objects`.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Utf8Path) -> Result<Self, GitError> {
        let failed = |source| GitError::Open { path: folder.to_owned(), source };
        let handle = gix_odb::at(folder.as_std_path(), gix_hash::Kind::Sha1).map_err(failed)?;
        let handle = handle.into_arc().map_err(failed)?;
        let cache = || Box::new(gix_pack::cache::lru::MemoryCappedHashmap::new(PACK_CACHE)) as Box<gix_odb::cache::PackCache>;
        Ok(Self { handle: handle.with_pack_cache(cache) })
    }

    /// The content of a blob.
    ///
    /// # Errors
    /// An object that is not there, or is damaged.
    pub fn blob(&self, id: ContentId) -> Result<Vec<u8>, GitError> {
        Ok(self.find(id, gix_object::Kind::Blob, &mut Vec::new())?.to_vec())
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// An object that is not there, or is damaged.
    pub fn link(&self, id: ContentId) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.blob(id)?).into_owned())
    }

    /// The text of a commit object.
    pub(super) fn commit(&self, id: ContentId) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(self.find(id, gix_object::Kind::Commit, &mut Vec::new())?).into_owned())
    }

    /// The names in a tree, in git's order.
    pub(super) fn tree(&self, id: ContentId, buffer: &mut Vec<u8>) -> Result<Vec<Named>, GitError> {
        let data = self.find(id, gix_object::Kind::Tree, buffer)?;
        let damaged = || GitError::Object { id, why: "it is no tree".to_owned() };
        let mut names = Vec::new();
        for entry in gix_object::TreeRefIter::from_bytes(data, gix_hash::Kind::Sha1) {
            let entry = entry.map_err(|_| damaged())?;
            let kind = match entry.mode.kind() {
                EntryKind::Tree => NodeKind::Folder,
                EntryKind::Blob => NodeKind::File,
                EntryKind::BlobExecutable => NodeKind::Executable,
                EntryKind::Link => NodeKind::Link,
                EntryKind::Commit => NodeKind::Submodule,
            };
            let id = ContentId::from_bytes(entry.oid.as_bytes()).ok_or_else(damaged)?;
            names.push(Named { name: String::from_utf8_lossy(entry.filename).into_owned(), node: Node { kind, id } });
        }
        Ok(names)
    }

    /// Reads an object, with the buffer as its place.
    fn find<'a>(&self, id: ContentId, expected: gix_object::Kind, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], GitError> {
        let unreadable = |why: String| GitError::Object { id, why };
        let oid = gix_hash::oid::try_from_bytes(id.as_bytes()).map_err(|error| unreadable(error.to_string()))?;
        match self.handle.try_find(oid, buffer).map_err(|error| unreadable(error.to_string()))? {
            None => Err(GitError::Missing { id }),
            Some(data) if data.kind == expected => Ok(data.data),
            Some(data) => Err(unreadable(format!("it is a {}, not a {expected}", data.kind))),
        }
    }
}
