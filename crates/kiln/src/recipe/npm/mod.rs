//! The npm recipe: what decides what a package manager installs, and nothing else; and [`install()`], which installs it with npm.
//!
//! [`prepare_npm`] reads a workspace and gives the files that a frozen install needs: manifests without what does not matter,
//! the lock, registry configuration without secrets, patches, and the files that install scripts read. A version bump, a new script
//! or another description leaves them byte-identical; a changed dependency, override, patch or registry does not.
//!
//! Versions of local packages are masked alike in manifests and lock, because package managers compare the two. A member that another
//! package asks for by range gets the lowest version that answers every such range as the real one does (module `versions`).

mod config;
mod error;
mod install;
mod lock;
mod manifest;
mod prepare;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

pub use error::NpmRecipeError;
pub use install::{InstallError, InstallReport, InstallRequest, install};
pub use prepare::prepare_npm;
pub(crate) use prepare::{BIN_STUB, cleaned_configuration};

use crate::plan::PackageManager;
use crate::project::node::SourceNeed;

/// What is installed, as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpmRecipe {
    /// Whose lock it is.
    pub manager: PackageManager,
    /// Files relative to the workspace root.
    pub files: BTreeMap<Utf8PathBuf, RecipeFile>,
    /// What was left out or could not be resolved.
    pub remarks: Vec<NpmRemark>,
}

/// A file of the recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Something that a person should know about a recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NpmRemark {
    /// A secret that stands in a file; it does not go into a layer.
    SecretLeftOut {
        /// The file, relative to the workspace root.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key, without its value.
        key: String,
    },
    /// An install script that needs the sources; it is to be run after them.
    LateScript {
        /// Folder of the package, relative to the workspace root.
        directory: Utf8PathBuf,
        /// Name of the script.
        script: String,
        /// What cannot be resolved to files.
        why: String,
    },
    /// A local dependency outside of the workspace; the install sees only its lock entry.
    OutsideDependency {
        /// Name of the dependency.
        name: String,
        /// The path as written.
        path: String,
    },
}

impl RecipeFile {
    /// Whether it stands for a program whose content does not matter.
    pub(crate) fn is_stub(&self) -> bool {
        self.bytes == BIN_STUB.as_bytes()
    }
}

impl NpmRemark {
    fn late(directory: &Utf8Path, script: &str, why: &SourceNeed) -> Self {
        Self::LateScript { directory: directory.to_owned(), script: script.to_owned(), why: why.to_string() }
    }
}

impl NpmRecipe {
    /// Writes the files into a folder, which is made if need be. What a former recipe left there and this one does not have is not
    /// removed: so the folder must be empty or absent.
    ///
    /// # Errors
    ///
    /// A folder that is not empty, or a file that cannot be written.
    pub fn write(&self, output: &Utf8Path) -> Result<(), NpmRecipeError> {
        let failed = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source: io::Error| NpmRecipeError::Write { path, source }
        };
        fs::create_dir_all(output).map_err(failed(output))?;
        if output.read_dir_utf8().map_err(failed(output))?.next().is_some() {
            return Err(NpmRecipeError::OutputNotEmpty { path: output.to_owned() });
        }
        for (path, file) in &self.files {
            let target = output.join(path);
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder).map_err(failed(folder))?;
            }
            fs::write(&target, &file.bytes).map_err(failed(&target))?;
            set_mode(&target, if file.executable { 0o755 } else { 0o644 }).map_err(failed(&target))?;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn set_mode(path: &Utf8Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Utf8Path, _: u32) -> io::Result<()> {
    Ok(())
}
