//! Folders for the time of one command.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU32, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A folder of one command's own. It is removed with the value, and by the next command if the process is killed before that: whoever
/// lives holds a lock on its folder, which the system lets go for the dead.
#[derive(Debug)]
pub struct Scratch {
    folder: Utf8PathBuf,
    /// Absent where the file system has no locks: then nobody removes anything of others.
    _lock: Option<File>,
}

/// How often a folder is made again that another process took for a dead one's.
const ATTEMPTS: usize = 100;

impl Scratch {
    /// Makes a folder `PURPOSE-…` in another one, which is made, too, and removes those for the same purpose that nobody uses any more.
    ///
    /// # Errors
    /// A folder that cannot be made. Those that cannot be removed stay.
    pub fn new(parent: &Utf8Path, purpose: &str) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(parent)?;
        clear(parent, purpose);
        for _ in 0..ATTEMPTS {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = parent.join(format!("{purpose}-{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Ok(()) => {}
                // A process of this number lives elsewhere, with the same files.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            match locked(&folder) {
                Locked::Yes(lock) => return Ok(Self { folder, _lock: Some(lock) }),
                Locked::Unable => return Ok(Self { folder, _lock: None }),
                Locked::No => {}
            }
        }
        Err(io::Error::other(format!("no folder in `{parent}` stays")))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next one.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

enum Locked {
    Yes(File),
    /// Somebody else has it, or it is gone.
    No,
    /// The file system does not lock folders.
    Unable,
}

fn locked(folder: &Utf8Path) -> Locked {
    let Ok(file) = File::open(folder) else { return Locked::No };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Locked::No,
        Err(_) => return Locked::Unable,
    }
    // Between opening and locking, whoever had the lock may have removed the folder.
    let same = || Some((file.metadata().ok()?.ino(), fs::symlink_metadata(folder).ok()?.ino()));
    match same() {
        Some((own, there)) if own == there => Locked::Yes(file),
        _ => Locked::No,
    }
}

/// Removes the folders of the dead.
fn clear(parent: &Utf8Path, purpose: &str) {
    for entry in parent.read_dir_utf8().into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let number = entry.file_name().strip_prefix(purpose).and_then(|rest| rest.strip_prefix('-'));
        let is_one = number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()));
        if is_folder
            && is_one
            && let Locked::Yes(_lock) = locked(entry.path())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let parent = Utf8Path::from_path(folder.path()).unwrap().join("state");
        let left = parent.join("replay-4711/0");
        for kept in ["replay-x", "replay", "since-4711", "other"] {
            fs::create_dir_all(parent.join(kept)).unwrap();
        }
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("Cargo.toml"), "").unwrap();
        fs::write(parent.join("replay-1"), "a file").unwrap();
        let alive = Scratch::new(&parent, "replay").unwrap();
        fs::write(alive.path().join("file"), "").unwrap();
        assert!(!left.exists(), "nobody holds it");
        let second = Scratch::new(&parent, "replay").unwrap();
        assert!(alive.path().join("file").exists(), "its owner lives");
        assert_ne!(alive.path(), second.path());
        for kept in ["replay-x", "replay", "since-4711", "other", "replay-1"] {
            assert!(parent.join(kept).exists(), "{kept}");
        }
        let gone = second.path().to_owned();
        drop(second);
        assert!(!gone.exists());
    }
}
