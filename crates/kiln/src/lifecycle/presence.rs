//! Who works with a project's caches on this machine: a lock that builds share and a clean-up has alone, and where projects are.

use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::files::replace_file;
use crate::text::short_hash;

/// Held as long as it lives; the system lets go of it when kiln is killed.
#[derive(Debug)]
pub struct Presence {
    _file: File,
    /// Where the end of shared work is noted.
    worked: Option<Utf8PathBuf>,
}

impl Presence {
    /// Takes part in the work on a project. Waits for a clean-up to end, and calls `waiting` before it does.
    ///
    /// # Errors
    /// Why the lock cannot be had.
    pub fn share(folder: &Utf8Path, project: &str, waiting: impl FnOnce()) -> io::Result<Self> {
        let file = open(folder, project)?;
        // Without locks on this file system a build is as it was.
        if flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK) {
            waiting();
            flock(&file, FlockOperation::LockShared)?;
        }
        let presence = Self { _file: file, worked: Some(worked(folder, project)) };
        presence.note();
        Ok(presence)
    }

    /// When somebody last worked with the project's caches, whether or not it became the record of a build.
    #[must_use]
    pub fn last_work(folder: &Utf8Path, project: &str) -> Option<Timestamp> {
        fs::read_to_string(worked(folder, project)).ok()?.trim().parse().ok()
    }

    /// What goes wrong here makes a clean-up careful, and is no reason not to build.
    fn note(&self) {
        if let Some(path) = &self.worked {
            let _ = replace_file(path, Timestamp::now().to_string());
        }
    }

    /// Has the project's caches alone; `None` if somebody builds.
    ///
    /// # Errors
    /// Why the lock cannot be had.
    pub fn alone(folder: &Utf8Path, project: &str) -> io::Result<Option<Self>> {
        let file = open(folder, project)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file, worked: None })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.note();
    }
}

fn worked(folder: &Utf8Path, project: &str) -> Utf8PathBuf {
    folder.join(format!("{}.worked", short_hash(project.as_bytes())))
}

fn open(folder: &Utf8Path, project: &str) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    File::options().create(true).append(true).open(folder.join(format!("{}.lock", short_hash(project.as_bytes()))))
}

/// A checkout of a project in which kiln has built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// Its folder, absolute.
    pub root: Utf8PathBuf,
    /// Name of the project.
    pub project: String,
}

impl Checkout {
    /// Remembers it in a folder that all projects of a user share.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn remember(&self, folder: &Utf8Path) -> io::Result<()> {
        let path = folder.join(format!("{}.json", short_hash(self.root.as_str().as_bytes())));
        let bytes = serde_json::to_vec(self)?;
        if fs::read(&path).is_ok_and(|known| known == bytes) {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        replace_file(&path, bytes)
    }

    /// All that are remembered and still there.
    #[must_use]
    pub fn all(folder: &Utf8Path) -> Vec<Self> {
        let Ok(entries) = folder.read_dir_utf8() else { return Vec::new() };
        let files = entries.flatten().filter(|entry| entry.path().extension() == Some("json"));
        let known = files.filter_map(|entry| serde_json::from_slice::<Self>(&fs::read(entry.path()).ok()?).ok());
        known.filter(|checkout| checkout.root.is_dir()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_share_and_a_clean_up_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let first = Presence::share(folder, "shop", || ()).unwrap();
        let second = Presence::share(folder, "shop", || panic!("nobody cleans")).unwrap();
        assert!(Presence::alone(folder, "shop").unwrap().is_none());
        assert!(Presence::alone(folder, "other").unwrap().is_some());
        let begun = Presence::last_work(folder, "shop").unwrap();
        drop((first, second));
        let ended = Presence::last_work(folder, "shop").unwrap();
        assert!(begun < ended, "{begun} {ended}");
        // A program that another test has just started holds what was open here until it is executed.
        let free = || Presence::alone(folder, "shop").unwrap().is_some();
        assert!((0..400).any(|_| free() || {
            std::thread::sleep(std::time::Duration::from_millis(5));
            false
        }));
        // A clean-up uses nothing.
        assert_eq!((Presence::last_work(folder, "shop"), Presence::last_work(folder, "other")), (Some(ended), None));
    }

    #[test]
    fn checkouts_are_remembered_while_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let here = Checkout { root: folder.to_owned(), project: "shop".to_owned() };
        here.remember(&folder.join("projects")).unwrap();
        here.remember(&folder.join("projects")).unwrap();
        Checkout { root: folder.join("gone"), project: "x".to_owned() }.remember(&folder.join("projects")).unwrap();
        assert_eq!(Checkout::all(&folder.join("projects")), [here]);
        assert_eq!(Checkout::all(&folder.join("none")), []);
    }
}
