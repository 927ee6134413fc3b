//! A file that processes lock in turns.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::process::Cancel;

/// How often a lock that somebody else holds is asked for again.
const POLL: Duration = Duration::from_millis(20);

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum LockError {
    /// The file cannot be made or locked.
    File {
        /// The file, or its folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The wait was cancelled.
    Cancelled,
}

/// Takes the exclusive lock on a file, which is made if it is not there, and waits for whoever holds it; `waiting` is called once before that.
/// The lock is let go when the value is dropped, and by the system when the process is killed.
pub(crate) fn exclusive(path: &Path, cancel: &Cancel, waiting: impl FnOnce()) -> Result<File, LockError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LockError::File { path, source }
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed(parent))?;
    }
    let file = File::options().create(true).append(true).open(path).map_err(failed(path))?;
    let mut waiting = Some(waiting);
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                if cancel.is_set() {
                    return Err(LockError::Cancelled);
                }
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                std::thread::sleep(POLL);
            }
            // A file system without locks: the work is done as if nobody else were there.
            Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::NOSYS | rustix::io::Errno::NOLCK) => return Ok(file),
            Err(error) => return Err(failed(path)(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for_until_it_is_let_go_or_the_wait_is_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks/one");
        let held = exclusive(&path, &Cancel::new(), || panic!("nobody holds it")).unwrap();
        let cancel = Cancel::new();
        let mut told = 0;
        let error = exclusive(&path, &cancel, || {
            told += 1;
            cancel.set();
        });
        assert!(matches!(error, Err(LockError::Cancelled)), "{error:?}");
        assert_eq!(told, 1);
        let other = std::thread::spawn(move || exclusive(&path, &Cancel::new(), || ()).is_ok());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!other.is_finished());
        drop(held);
        assert!(other.join().unwrap());
    }
}
