//! Reads a context from disk as BuildKit's client would send it.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::hashes::Question;
use super::{Entry, FolderMatches, Hashes, IgnoreError, IgnoreFile, Tree};
use crate::dockerfile::parse::MAX_FILE;
use crate::parallel;

/// More files than this are no context: kiln stops instead of reading a whole disk.
pub const MAX_ENTRIES: usize = 2_000_000;
/// So many folders are worth a thread.
const FOLDERS_PER_THREAD: usize = 4;

/// A context that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A file or folder cannot be read; BuildKit could not send it either.
    #[error("cannot read `{path}`")]
    Read {
        /// The file or folder.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The ignore file has a pattern that BuildKit refuses.
    #[error("`{path}` is not a valid ignore file")]
    Ignore {
        /// The ignore file.
        path: Utf8PathBuf,
        /// The pattern.
        source: IgnoreError,
    },
    /// There are more files than [`MAX_ENTRIES`].
    #[error("`{path}` holds more than {MAX_ENTRIES} files and folders")]
    TooMany {
        /// The context.
        path: Utf8PathBuf,
    },
}

/// The ignore file that counts for a Dockerfile: the one beside it if there is one, else that of the context.
///
/// # Errors
/// A file that cannot be read, or a pattern that BuildKit refuses.
pub fn read_ignore(context: &Utf8Path, dockerfile: Option<&Utf8Path>) -> Result<(IgnoreFile, Option<Utf8PathBuf>), ContextError> {
    let beside = dockerfile.map(|dockerfile| Utf8PathBuf::from(format!("{dockerfile}.dockerignore")));
    for path in beside.into_iter().chain([context.join(".dockerignore")]) {
        match read_text_file(&path) {
            Ok(bytes) if bytes.len() > MAX_FILE => {
                let source = io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than the 16 MiB that BuildKit reads");
                return Err(ContextError::Read { path, source });
            }
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let parsed = IgnoreFile::parse(&text);
                return match parsed {
                    Ok(ignore) => Ok((ignore, Some(path))),
                    Err(source) => Err(ContextError::Ignore { path, source }),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ContextError::Read { path, source }),
        }
    }
    Ok((IgnoreFile::default(), None))
}

/// Reads a Dockerfile or an ignore file: a regular one, and no more of it than Docker takes (its parser then says that it is too large).
///
/// # Errors
/// What the system says, and anything that is no file: a pipe would never end.
pub(crate) fn read_text_file(path: &Utf8Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files of a folder that are not ignored, with hashes of their contents. Links are not followed, so no loop can catch it.
///
/// # Errors
/// What BuildKit's client could not read either, and too many files.
pub fn read_context(root: &Utf8Path, ignore: &IgnoreFile, hashes: &mut Hashes) -> Result<Tree, ContextError> {
    let mut walk = Walk { entries: Vec::new(), files: Vec::new() };
    let mut level = vec![(String::new(), FolderMatches::default())];
    while !level.is_empty() {
        let read = parallel::try_map(&level, FOLDERS_PER_THREAD, |(folder, matches)| read_folder(root, folder, matches, ignore))?;
        level.clear();
        for folder in read {
            walk.entries.extend(folder.entries);
            walk.files.extend(folder.files);
            level.extend(folder.folders);
        }
        if walk.entries.len() + walk.files.len() > MAX_ENTRIES {
            return Err(ContextError::TooMany { path: root.to_owned() });
        }
    }
    let ids = hashes.answer(root, &walk.files).map_err(|(path, source)| ContextError::Read { path: root.join(path), source })?;
    walk.entries.extend(walk.files.into_iter().zip(ids).map(|(file, content)| {
        let mode = file.metadata.permissions().mode() & 0o7777;
        (file.path, Entry::File { mode, content })
    }));
    Ok(Tree::new(walk.entries))
}

struct Walk {
    entries: Vec<(String, Entry)>,
    files: Vec<Question>,
}

#[derive(Default)]
struct Folder {
    entries: Vec<(String, Entry)>,
    files: Vec<Question>,
    folders: Vec<(String, FolderMatches)>,
}

fn read_folder(root: &Utf8Path, folder: &str, matches: &FolderMatches, ignore: &IgnoreFile) -> Result<Folder, ContextError> {
    let mut found = Folder::default();
    let directory = root.join(folder);
    let failed = |path: Utf8PathBuf| move |source| ContextError::Read { path, source };
    for entry in fs::read_dir(&directory).map_err(failed(directory.clone()))? {
        let entry = entry.map_err(failed(directory.clone()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let (excluded, below) = ignore.enter(matches, &path);
        if excluded && !ignore.has_inclusions() {
            continue;
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // It went while the folder was read: as if it had never been there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(ContextError::Read { path: root.join(path), source }),
        };
        if metadata.is_dir() {
            // An excluded folder is there all the same when something in it is brought back: the tree adds it then.
            if !excluded {
                found.entries.push((path.clone(), Entry::Folder));
            }
            found.folders.push((path, below));
        } else if excluded {
        } else if metadata.is_symlink() {
            let full = directory.join(entry.file_name().to_string_lossy().as_ref());
            let target = fs::read_link(entry.path()).map_err(failed(full))?;
            found.entries.push((path, Entry::Link { target: target.to_string_lossy().into_owned() }));
        } else if metadata.is_file() {
            found.files.push(Question { path, metadata });
        }
    }
    Ok(found)
}
