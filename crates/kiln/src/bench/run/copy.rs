//! A copy of a repository: what git would see, uncommitted changes included.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::WalkBuilder;

use crate::context::IgnoreFile;
use crate::process::{Cancel, Finished, Run};

/// Folders that are never copied: history, and what kiln itself keeps.
const LEFT_OUT: [&str; 2] = [".git", ".kiln"];

/// Copies the repository at `from` to `to`, a folder that is not there yet. Gives a hash of what was copied.
pub(super) fn copy(from: &Utf8Path, to: &Utf8Path, cancel: &Cancel) -> io::Result<String> {
    let mut paths = match listed_by_git(from, cancel) {
        Some(paths) => paths,
        None => walked(from)?,
    };
    paths.sort();
    paths.dedup();
    fs::create_dir_all(to)?;
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        copy_entry(from, to, &path, &mut hasher)?;
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// Tracked files and untracked ones that are not ignored, relative to the folder; nothing where git does not know the folder.
fn listed_by_git(folder: &Utf8Path, cancel: &Cancel) -> Option<Vec<Utf8PathBuf>> {
    let run =
        Run::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).cwd(folder).capture(64 << 20);
    let finished = run.output(cancel).ok().filter(Finished::success)?;
    let text = finished.stdout.trim_end_matches('\n');
    let paths: Vec<Utf8PathBuf> = text.split('\0').filter(|path| !path.is_empty()).map(Utf8PathBuf::from).collect();
    // An ignored folder of a larger repository has no files that git would name.
    (!paths.is_empty()).then_some(paths)
}

/// What ignore files let through, where there is no git.
fn walked(folder: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let mut builder = WalkBuilder::new(folder);
    builder.hidden(false).ignore(false).git_global(false).parents(false).require_git(false).follow_links(false);
    builder.filter_entry(|entry| !LEFT_OUT.iter().any(|name| entry.file_name() == *name));
    let mut paths = Vec::new();
    for entry in builder.build() {
        let entry = entry.map_err(io::Error::other)?;
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = Utf8PathBuf::try_from(entry.into_path()).map_err(camino::FromPathBufError::into_io_error)?;
        if let Ok(relative) = path.strip_prefix(folder)
            && !is_folder
        {
            paths.push(relative.to_owned());
        }
    }
    Ok(paths)
}

fn copy_entry(from: &Utf8Path, to: &Utf8Path, path: &Utf8Path, hasher: &mut blake3::Hasher) -> io::Result<()> {
    if path.components().next().is_some_and(|first| LEFT_OUT.contains(&first.as_str())) {
        return Ok(());
    }
    let (source, target) = (from.join(path), to.join(path));
    let kind = match fs::symlink_metadata(&source) {
        Ok(metadata) => metadata.file_type(),
        // Tracked, but deleted.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if kind.is_dir() {
        // A submodule, or a repository within the repository: git names its folder only.
        for inner in walked(&source)? {
            copy_entry(from, to, &path.join(inner), hasher)?;
        }
        return Ok(());
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    hasher.update(path.as_str().as_bytes()).update(&[0]);
    if kind.is_symlink() {
        let link = fs::read_link(&source)?;
        hasher.update(link.as_os_str().as_encoded_bytes());
        std::os::unix::fs::symlink(link, &target)
    } else if kind.is_file() {
        fs::copy(&source, &target)?;
        hasher.update(blake3::hash(&fs::read(&target)?).as_bytes());
        Ok(())
    } else {
        // Sockets and devices are nothing that is built.
        Ok(())
    }
}

/// A hash of what a build context holds: paths, modes and contents of all files that the ignore file lets through.
pub(super) fn context_hash(context: &Utf8Path, ignore: &IgnoreFile) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut folders = vec![Utf8PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut entries = context.join(&folder).read_dir_utf8()?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by(|a, b| a.file_name().cmp(b.file_name()));
        for entry in entries {
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if path == ".kiln" || (!kind.is_dir() && ignore.excludes(path.as_str())) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            hasher.update(path.as_str().as_bytes()).update(&[0]);
            if kind.is_file() {
                let mode = entry.metadata()?.permissions().mode();
                hasher.update(&mode.to_le_bytes()).update(blake3::hash(&fs::read(entry.path())?).as_bytes());
            } else if kind.is_symlink() {
                hasher.update(fs::read_link(entry.path())?.as_os_str().as_encoded_bytes());
            }
        }
    }
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(root: &Utf8Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
    }

    #[test]
    fn a_copy_has_what_git_would_see_with_and_without_git() {
        for with_git in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let root = Utf8Path::from_path(folder.path()).unwrap();
            let from = root.join("from");
            let files = [
                ("a.txt", "a"),
                ("src/new.rs", "uncommitted"),
                (".gitignore", "ignored\n"),
                ("ignored/x", "x"),
                (".kiln/state", "s"),
                ("deleted", "d"),
                (".cargo/config.toml", ""),
            ];
            tree(&from, &files);
            std::os::unix::fs::symlink("a.txt", from.join("link")).unwrap();
            if with_git {
                let git = |args: &[&str]| {
                    let finished = Run::new("git").args(args).cwd(&from).output(&Cancel::new()).unwrap();
                    assert!(finished.success(), "{args:?}: {}", finished.stderr);
                };
                git(&["init", "--quiet"]);
                git(&["add", "--force", "a.txt", "deleted", "ignored/x"]);
            }
            fs::remove_file(from.join("deleted")).unwrap();
            let to = root.join("to");
            let hash = copy(&from, &to, &Cancel::new()).unwrap();
            for (path, copied) in [
                ("a.txt", true),
                ("src/new.rs", true),
                (".gitignore", true),
                (".cargo/config.toml", true),
                // Tracked counts more than ignored.
                ("ignored/x", with_git),
                ("deleted", false),
                (".kiln/state", false),
                (".git", false),
            ] {
                assert_eq!(to.join(path).exists(), copied, "{path} with git: {with_git}");
            }
            assert_eq!(fs::read_link(to.join("link")).unwrap(), std::path::Path::new("a.txt"));
            assert_eq!(copy(&from, &root.join("same"), &Cancel::new()).unwrap(), hash);
            tree(&from, &[("a.txt", "b")]);
            assert_ne!(copy(&from, &root.join("other"), &Cancel::new()).unwrap(), hash);
        }
    }

    #[test]
    fn a_context_differs_by_what_is_sent_only() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let ignore = IgnoreFile::parse("docs\n!docs/kept.md\n").unwrap();
        tree(root, &[("a", "1"), ("docs/b.md", "1"), ("docs/kept.md", "1"), (".kiln/x", "1")]);
        let hash = || context_hash(root, &ignore).unwrap();
        let first = hash();
        tree(root, &[("docs/b.md", "2"), (".kiln/x", "2")]);
        assert_eq!(hash(), first);
        tree(root, &[("docs/kept.md", "2")]);
        let second = hash();
        assert_ne!(second, first);
        tree(root, &[("docs/kept.md", "1"), ("c", "")]);
        assert!(hash() != first && hash() != second);
    }
}
