//! Which files are copied.

use std::collections::BTreeSet;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::WalkBuilder;

use super::Sent;
use crate::context::{Entry, Hashes, read_context};
use crate::git;
use crate::plan::join;
use crate::process::{Cancel, Finished};

/// What kiln itself keeps.
const STATE: &str = ".kiln";
const GIT: &str = ".git";

/// Files and links, relative to the root: what git would commit, or ignore files let through where there is no git, and what contexts hold
/// besides. The latter is what git ignores and builds read all the same, and git's own folder where it is not left out of a context.
pub(super) fn list(root: &Utf8Path, sent: &[Sent], cancel: &Cancel) -> io::Result<BTreeSet<Utf8PathBuf>> {
    let mut files = seen(root, cancel)?;
    for (folder, ignore) in sent {
        // What cannot be read cannot be sent either, and is said by the build that needs it.
        if let Ok(context) = read_context(&root.join(folder), ignore, &mut Hashes::default()) {
            let paths = context.entries().iter().filter(|(_, entry)| *entry != Entry::Folder).map(|(path, _)| path);
            files.extend(paths.map(|path| join(folder, Utf8Path::new(path))));
        }
    }
    files.retain(|path| !path.starts_with(STATE));
    Ok(files)
}

/// Whether a path is git's own folder, or in it.
pub(super) fn is_of_git(path: &Utf8Path) -> bool {
    path.components().any(|part| part.as_str() == GIT)
}

/// What git, or else ignore files, let through.
fn seen(folder: &Utf8Path, cancel: &Cancel) -> io::Result<BTreeSet<Utf8PathBuf>> {
    let Some(listed) = listed_by_git(folder, cancel) else { return walked(folder) };
    let mut files = BTreeSet::new();
    for path in listed {
        let full = folder.join(&path);
        if !full.is_symlink() && full.is_dir() {
            // A submodule, or a repository within the repository: git names its folder only. One that is not checked out has no git of its own.
            let inner = if full.join(GIT).exists() { seen(&full, cancel)? } else { walked(&full)? };
            files.extend(inner.into_iter().map(|inner| path.join(inner)));
        } else {
            files.insert(path);
        }
    }
    Ok(files)
}

/// Tracked files and untracked ones that are not ignored, relative to the folder; nothing where git does not know the folder.
fn listed_by_git(folder: &Utf8Path, cancel: &Cancel) -> Option<Vec<Utf8PathBuf>> {
    let run = git::command(folder, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let finished = run.output(cancel).ok().filter(Finished::success)?;
    let text = finished.stdout.trim_end_matches('\n');
    let paths: Vec<Utf8PathBuf> = text.split('\0').filter(|path| !path.is_empty()).map(Utf8PathBuf::from).collect();
    // An ignored folder of a larger repository has no files that git would name.
    (!paths.is_empty()).then_some(paths)
}

/// What ignore files let through, where there is no git.
fn walked(folder: &Utf8Path) -> io::Result<BTreeSet<Utf8PathBuf>> {
    let mut builder = WalkBuilder::new(folder);
    builder.hidden(false).ignore(false).git_global(false).parents(false).require_git(false).follow_links(false);
    builder.filter_entry(|entry| entry.file_name() != GIT && entry.file_name() != STATE);
    let mut files = BTreeSet::new();
    for entry in builder.build() {
        let entry = entry.map_err(io::Error::other)?;
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = Utf8PathBuf::try_from(entry.into_path()).map_err(camino::FromPathBufError::into_io_error)?;
        if let Ok(relative) = path.strip_prefix(folder)
            && !is_folder
        {
            files.insert(relative.to_owned());
        }
    }
    Ok(files)
}
