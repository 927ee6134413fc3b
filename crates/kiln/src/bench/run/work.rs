//! The folder of a run that goes on: the copy and everything else that is removed at the end.
//!
//! A lock tells a folder in use from one that a killed run left, whose state the next run removes.

use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use super::cleanup::{CleanUp, Cleaner, Made, What};

const PREFIX: &str = "work-";
const LOCK: &str = "lock";

/// A run's folder. Dropped, it is removed, and what the run made in the engine with it. It stays, without the copy, as long as the engine
/// keeps something of the run.
#[derive(Debug)]
pub(super) struct Work {
    folder: Utf8PathBuf,
    name: String,
    cleaner: Cleaner,
    removed: bool,
    _lock: File,
}

impl Work {
    /// Makes the folder of the run `name`.
    pub(super) fn create(parent: &Utf8Path, cleaner: &Cleaner, name: &str) -> io::Result<Self> {
        let folder = parent.join(format!("{PREFIX}{name}"));
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { folder, name: name.to_owned(), cleaner: cleaner.clone(), removed: false, _lock: lock })
    }

    /// Name of the run.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the copy is.
    pub(super) fn copy(&self) -> Utf8PathBuf {
        self.folder.join("copy")
    }

    /// Where Dockerfiles and links to contexts are.
    pub(super) fn state(&self) -> Utf8PathBuf {
        self.folder.join("state")
    }

    /// Removes everything.
    pub(super) fn remove(mut self) -> CleanUp {
        self.take_away()
    }

    fn take_away(&mut self) -> CleanUp {
        self.removed = true;
        let mut cleaned = self.cleaner.clean_up(&self.name, What::Everything, &Made::at(&self.state()));
        let removed = if cleaned.left.is_empty() && cleaned.kept.is_none() {
            fs::remove_dir_all(&self.folder)
        } else {
            // The folder's name is all by which the next run can find what is left in the engine, to try again.
            fs::remove_dir_all(self.copy())
        };
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            cleaned.left.push(format!("{} ({error})", self.folder));
        }
        cleaned
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.removed {
            self.take_away();
        }
    }
}

/// Removes what killed runs left.
pub(super) fn remove_orphans(parent: &Utf8Path, cleaner: &Cleaner) -> Vec<CleanUp> {
    let Ok(entries) = parent.read_dir_utf8() else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).map(camino::Utf8DirEntry::into_path);
    let orphans = folders.filter_map(|folder| {
        let name = folder.file_name()?.strip_prefix(PREFIX)?.to_owned();
        let lock = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK)).ok()?;
        // A run that goes on holds it.
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Work { folder, name, cleaner: cleaner.clone(), removed: false, _lock: lock }.remove())
    });
    orphans.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_runs_folder_is_removed_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let parent = Utf8Path::from_path(folder.path()).unwrap();
        let cleaner = Cleaner::new("/bin/true", false);
        let alive = Work::create(parent, &cleaner, "app-bench-1").unwrap();
        fs::create_dir_all(parent.join("work-app-bench-2/copy")).unwrap();
        fs::write(parent.join("result.jsonl"), "").unwrap();
        assert_eq!(remove_orphans(parent, &cleaner).len(), 1);
        assert!(alive.folder.exists() && !parent.join("work-app-bench-2").exists() && parent.join("result.jsonl").exists());
        let path = alive.folder.clone();
        drop(alive);
        assert!(!path.exists());
    }
}
