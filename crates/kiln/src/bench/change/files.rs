//! Reading and replacing files of the copy.

use std::fs;
use std::io::{self, Write as _};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::ChangeError;

/// The content of some files, to be put back.
#[derive(Debug, Clone)]
pub struct Snapshot {
    root: Utf8PathBuf,
    /// Path relative to the root, and content; absent where there was no file.
    files: Vec<(Utf8PathBuf, Option<Vec<u8>>)>,
}

impl Snapshot {
    /// Reads the files, given relative to `root`.
    ///
    /// # Errors
    /// A file that cannot be read, or lies outside of `root`.
    pub fn take(root: &Utf8Path, files: &[Utf8PathBuf]) -> Result<Self, ChangeError> {
        let mut taken = Vec::new();
        for path in files {
            let absolute = inside(root, path)?;
            let content = match fs::read(&absolute) {
                Ok(content) => Some(content),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(source) => return Err(ChangeError::Read { path: path.clone(), source }),
            };
            taken.push((path.clone(), content));
        }
        Ok(Self { root: root.to_owned(), files: taken })
    }

    /// The files that differ from what they were, relative to the root.
    ///
    /// # Errors
    /// A path that leads out of the root by now.
    pub fn changed(&self) -> Result<Vec<Utf8PathBuf>, ChangeError> {
        let mut changed = Vec::new();
        for (path, content) in &self.files {
            if fs::read(inside(&self.root, path)?).ok() != *content {
                changed.push(path.clone());
            }
        }
        Ok(changed)
    }

    /// Puts the files back that differ from what they were, and says which, relative to the root. They get the time of now, as
    /// `git checkout` gives them.
    ///
    /// # Errors
    /// A file that cannot be read or replaced.
    pub fn restore(&self) -> Result<Vec<Utf8PathBuf>, ChangeError> {
        let restored = self.changed()?;
        for (path, content) in self.files.iter().filter(|(path, _)| restored.contains(path)) {
            match content {
                Some(content) => replace(&self.root, path, content)?,
                None => fs::remove_file(inside(&self.root, path)?)
                    .map_err(|source| ChangeError::Write { path: path.clone(), source })?,
            }
        }
        Ok(restored)
    }
}

/// The absolute path of a file in the copy; an error if it leads out of it.
pub(super) fn inside(root: &Utf8Path, path: &Utf8Path) -> Result<Utf8PathBuf, ChangeError> {
    let outside = || ChangeError::Outside { path: path.to_owned(), root: root.to_owned() };
    if path.components().any(|part| !matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir)) {
        return Err(outside());
    }
    let absolute = root.join(path);
    // A link in the copy may lead to the original.
    let real = |path: &Utf8Path| path.canonicalize_utf8();
    let existing = absolute.ancestors().find(|path| path.exists()).unwrap_or(root);
    match (real(root), real(existing)) {
        (Ok(root), Ok(existing)) if existing.starts_with(&root) => Ok(absolute),
        (Err(source), _) => Err(ChangeError::Read { path: root.to_owned(), source }),
        _ => Err(outside()),
    }
}

/// The text of a file in the copy.
pub(super) fn read(root: &Utf8Path, path: &Utf8Path) -> Result<String, ChangeError> {
    let absolute = inside(root, path)?;
    fs::read_to_string(&absolute).map_err(|source| ChangeError::Read { path: path.to_owned(), source })
}

/// Replaces a file of the copy as a whole: written beside it, then renamed. It keeps its mode.
pub(super) fn replace(root: &Utf8Path, path: &Utf8Path, content: &[u8]) -> Result<(), ChangeError> {
    let target = inside(root, path)?;
    let failed = |source| ChangeError::Write { path: path.to_owned(), source };
    let temporary = target.with_file_name(format!(".{}.kiln-{}", target.file_name().unwrap_or("file"), std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(content)?;
        if let Ok(metadata) = fs::metadata(&target) {
            file.set_permissions(metadata.permissions())?;
        }
        fs::rename(&temporary, &target)
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}
