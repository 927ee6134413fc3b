//! Look: a directory becomes a [`Project`]. Facts only; nothing is decided here and nothing is run.

pub mod cargo;
#[cfg(test)]
pub(crate) mod fixture;
pub mod node;

mod error;
#[cfg(test)]
mod tests;
mod walk;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

pub(crate) use walk::is_incidental;

use cargo::CargoWorkspace;
use node::NodeWorkspace;

pub use error::LookError;

/// What is in a repository.
#[derive(Debug, Clone, Serialize)]
pub struct Project {
    /// Absolute path of the repository (or of the folder kiln was pointed at).
    pub root: Utf8PathBuf,
    /// Name of the folder, made fit for an image name.
    pub name: String,
    /// Cargo workspaces, at any depth, ordered by path.
    pub cargo: Vec<CargoWorkspace>,
    /// Folders of packages, relative to the root, that lie below a workspace root which neither lists nor excludes them; cargo
    /// refuses to build them.
    pub strays: Vec<Utf8PathBuf>,
    /// Node package roots (folders with a lockfile of their own, or a lone `package.json`), ordered by path.
    pub node: Vec<NodeWorkspace>,
    /// Dockerfiles, compose, bake and ignore files that exist, relative to the root.
    pub docker_files: Vec<Utf8PathBuf>,
}

/// Looks at a repository, or at any folder: what is built by cargo, what by a Node package manager, and which Docker files exist.
///
/// Ignored by git, hidden, `target` and `node_modules` folders are not looked into, and symbolic links are not followed. Nothing
/// above `root` is read, except for path dependencies that lead there.
///
/// # Errors
///
/// A folder that cannot be read, or a manifest, lock or configuration file that is broken; but none in folders for examples, tests
/// or vendored code, unless `root` lies in one.
pub fn look(root: &Utf8Path) -> Result<Project, LookError> {
    let root = camino::absolute_utf8(root).map_err(|source| LookError::Read { path: root.to_owned(), source })?;
    let root = cargo::paths::normalize(&root);
    let candidates = walk::walk(&root)?;
    let cargo::Found { workspaces, strays } = cargo::find(&root, &candidates.cargo, is_incidental)?;
    Ok(Project {
        name: image_name(root.file_name().unwrap_or_default()),
        cargo: workspaces,
        strays,
        node: node_workspaces(&root, &candidates.node)?,
        docker_files: candidates.docker_files,
        root,
    })
}

fn node_workspaces(root: &Utf8Path, folders: &[Utf8PathBuf]) -> Result<Vec<NodeWorkspace>, LookError> {
    let roots = node::find_roots(root, folders).or_else(|_| {
        // The broken one may be among the incidental ones, which are not worth an error.
        let is_sound = |folder: &Utf8PathBuf| {
            !is_incidental(folder) || node::Manifest::load(&root.join(folder).join("package.json")).is_ok()
        };
        let own: Vec<Utf8PathBuf> = folders.iter().filter(|folder| is_sound(folder)).cloned().collect();
        node::find_roots(root, &own)
    })?;
    let mut workspaces = Vec::new();
    for found in roots {
        let incidental = is_incidental(&found.directory);
        match NodeWorkspace::load(&cargo::paths::normalize(&root.join(&found.directory))) {
            Ok(workspace) => workspaces.push(NodeWorkspace { incidental, ..workspace }),
            Err(_) if incidental => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(workspaces)
}

/// A folder's name as the first part of an image name: small letters and digits, with single separators inside.
fn image_name(folder: &str) -> String {
    let mut name = String::new();
    for letter in folder.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => name.push(letter),
            letter if name.ends_with(|last: char| last.is_ascii_alphanumeric()) => {
                name.push(if matches!(letter, '.' | '_') { letter } else { '-' });
            }
            _ => {}
        }
    }
    let name = name.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}
