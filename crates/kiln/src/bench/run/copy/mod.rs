//! A copy of a repository: the files from which its images would be built now.
//!
//! Files are taken as they lie there. A `git worktree` has those of the last commit, so all that differs would have to be brought there by the
//! same means; docs/design/0005-measuring.md has more against it.

mod files;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::context::IgnoreFile;
use crate::process::Cancel;

/// A build context: its folder, relative to the root of the repository, and what is left out of it.
pub(in crate::bench) type Sent = (Utf8PathBuf, IgnoreFile);

/// Copies the repository at `from` to `to`, a folder that is not there yet: what git would commit, uncommitted changes included, and whatever
/// else builds are sent. Gives a hash of what was copied, git's own folder left out of it.
pub(super) fn copy(from: &Utf8Path, to: &Utf8Path, sent: &[Sent], cancel: &Cancel) -> io::Result<String> {
    fs::create_dir_all(to)?;
    let mut hasher = blake3::Hasher::new();
    for path in files::list(from, sent, cancel)? {
        if cancel.is_set() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        copy_entry(from, to, &path, &mut hasher)?;
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

fn copy_entry(from: &Utf8Path, to: &Utf8Path, path: &Utf8Path, hasher: &mut blake3::Hasher) -> io::Result<()> {
    let (source, target) = (from.join(path), to.join(path));
    let kind = match fs::symlink_metadata(&source) {
        Ok(metadata) => metadata.file_type(),
        // Tracked, but deleted.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    // The index changes whenever somebody asks git for the status.
    let counts = !files::is_of_git(path);
    if counts {
        hasher.update(path.as_str().as_bytes()).update(&[0]);
    }
    if kind.is_symlink() {
        let link = fs::read_link(&source)?;
        if counts {
            hasher.update(link.as_os_str().as_encoded_bytes());
        }
        std::os::unix::fs::symlink(link, &target)
    } else if kind.is_file() {
        fs::copy(&source, &target)?;
        if counts {
            let mut content = blake3::Hasher::new();
            content.update_reader(File::open(&target)?)?;
            hasher.update(content.finalize().as_bytes());
        }
        Ok(())
    } else {
        // Sockets and devices are nothing that is built.
        Ok(())
    }
}
