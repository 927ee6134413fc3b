//! Putting files into place: all are written beside their targets first, then each is renamed.

use std::fs;
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Comparison, FilesError};

/// Files and folders that are not yet in place; removed when dropped.
#[derive(Default)]
struct Staged {
    /// Temporary file, its target, and the target relative to the root.
    files: Vec<(Utf8PathBuf, Utf8PathBuf, Utf8PathBuf)>,
    folders: Vec<Utf8PathBuf>,
}

impl Comparison {
    /// Writes what is created or updated. If anything cannot be prepared, nothing is changed.
    pub fn write(&self) -> Result<(), FilesError> {
        let mut staged = Staged::default();
        for entry in self.out_of_date() {
            if let (Some(saved_as), Some(old)) = (&entry.saved_as, &entry.old) {
                staged.stage(&self.root, saved_as, old, Some(&entry.path))?;
            }
            staged.stage(&self.root, &entry.path, &entry.new, None)?;
        }
        staged.commit()
    }
}

/// Replaces whole files: path relative to `root`, text, and the file that lends its mode where the path is new.
///
/// # Errors
///
/// As [`Comparison::write`].
pub(crate) fn replace_files(root: &Utf8Path, files: &[(Utf8PathBuf, String, Option<Utf8PathBuf>)]) -> Result<(), FilesError> {
    let mut staged = Staged::default();
    for (path, text, like) in files {
        staged.stage(root, path, text, like.as_deref())?;
    }
    staged.commit()
}

/// Puts a file of kiln's own in place as a whole: written beside its target, then renamed, so that a reader never sees half of it. The folder has
/// to be there.
///
/// # Errors
///
/// What the system says; the target is then as it was.
pub fn replace_file(path: &Utf8Path, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
    let temporary = Utf8PathBuf::from(format!("{path}.{}.new", std::process::id()));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // It is of no use to anybody.
        let _ = fs::remove_file(&temporary);
    }
    written
}

impl Staged {
    /// Writes a temporary file beside its target. `like` lends its mode where the target does not exist.
    fn stage(&mut self, root: &Utf8Path, path: &Utf8Path, text: &str, like: Option<&Utf8Path>) -> Result<(), FilesError> {
        let target = root.join(path);
        let folder = target.parent().unwrap_or(root).to_owned();
        let failed = |source| FilesError::Folder { folder: folder.clone(), source };
        self.make_folder(&folder).map_err(failed)?;
        let name = target.file_name().unwrap_or("file");
        let temporary = folder.join(format!(".{name}.kiln-{}", std::process::id()));
        self.files.push((temporary.clone(), target.clone(), path.to_owned()));
        let mut file = fs::File::create(&temporary).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        let model = like.map_or_else(|| target.clone(), |like| root.join(like));
        if let Ok(metadata) = fs::metadata(&model) {
            file.set_permissions(metadata.permissions()).map_err(failed)?;
        }
        Ok(())
    }

    fn make_folder(&mut self, folder: &Utf8Path) -> std::io::Result<()> {
        let missing: Vec<Utf8PathBuf> =
            folder.ancestors().take_while(|folder| !folder.exists()).map(Utf8Path::to_owned).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(&folder)?;
            self.folders.push(folder);
        }
        Ok(())
    }

    fn commit(mut self) -> Result<(), FilesError> {
        self.folders.clear();
        while !self.files.is_empty() {
            let (temporary, target, path) = &self.files[0];
            fs::rename(temporary, target).map_err(|source| FilesError::Replace { path: path.clone(), source })?;
            self.files.remove(0);
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed is left: there is nobody to tell, and the error that led here is told already.
        for (temporary, ..) in &self.files {
            let _ = fs::remove_file(temporary);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}
