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
    /// Manifests and lockfiles that are symbolic links, ordered by path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Dockerfiles, compose, bake and ignore files that exist, relative to the root.
    pub docker_files: Vec<Utf8PathBuf>,
    /// Those of them that begin with kiln's header, edited since or not. The others are a person's.
    pub generated_files: Vec<Utf8PathBuf>,
}

/// A symbolic link to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The link, relative to the root.
    pub path: Utf8PathBuf,
    /// The file at its end: relative to the root where it lies in the repository, else absolute.
    pub target: Utf8PathBuf,
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
    let (project, broken) = look_past_errors(root)?;
    match broken.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(project),
    }
}

/// The same, but goes on after a folder, workspace or package that cannot be read: it is left out, and the reasons are given beside what was
/// found.
///
/// # Errors
///
/// The repository's own folder cannot be read.
pub fn look_past_errors(root: &Utf8Path) -> Result<(Project, Vec<LookError>), LookError> {
    let root = camino::absolute_utf8(root).map_err(|source| LookError::Read { path: root.to_owned(), source })?;
    let root = cargo::paths::normalize(&root);
    let candidates = walk::walk(&root)?;
    let cargo::Found { workspaces, strays, broken } = cargo::find(&root, &candidates.cargo, is_incidental);
    let mut broken: Vec<LookError> = candidates.broken.into_iter().chain(broken.into_iter().map(LookError::from)).collect();
    let project = Project {
        name: image_name(root.file_name().unwrap_or_default()),
        cargo: workspaces,
        strays,
        node: node_workspaces(&root, candidates.node, &mut broken),
        links: candidates.links.into_iter().filter_map(|path| link(&root, path)).collect(),
        generated_files: candidates.docker_files.iter().filter(|path| is_generated_at(&root, path)).cloned().collect(),
        docker_files: candidates.docker_files,
        root,
    };
    Ok((project, broken))
}

/// Where a link leads; nothing for one that leads nowhere.
fn link(root: &Utf8Path, path: Utf8PathBuf) -> Option<Link> {
    let target = root.join(&path).canonicalize_utf8().ok()?;
    let inside = root.canonicalize_utf8().ok().and_then(|root| Some(target.strip_prefix(root).ok()?.to_owned()));
    Some(Link { path, target: inside.unwrap_or(target) })
}

/// Whether kiln wrote a file. One that cannot be read is taken for a person's.
fn is_generated_at(root: &Utf8Path, path: &Utf8Path) -> bool {
    std::fs::read_to_string(root.join(path)).is_ok_and(|text| crate::files::is_generated(path, &text))
}

fn node_workspaces(root: &Utf8Path, mut folders: Vec<Utf8PathBuf>, broken: &mut Vec<LookError>) -> Vec<NodeWorkspace> {
    let roots = loop {
        let error = match node::find_roots(root, &folders) {
            Ok(roots) => break roots,
            Err(error) => error,
        };
        // Once more without it. Broken manifests among test data are not worth a word.
        let guilty = error.place().0.parent().map(Utf8Path::to_owned).unwrap_or_default();
        let before = folders.len();
        folders.retain(|folder| cargo::paths::normalize(&root.join(folder)) != guilty);
        let is_known = folders.len() < before;
        if !is_known || !guilty.strip_prefix(root).is_ok_and(is_incidental) {
            broken.push(error.into());
        }
        if !is_known {
            break Vec::new();
        }
    };
    let mut workspaces = Vec::new();
    for found in roots {
        let incidental = is_incidental(&found.directory);
        match NodeWorkspace::load(&cargo::paths::normalize(&root.join(&found.directory))) {
            Ok(workspace) => workspaces.push(NodeWorkspace { incidental, ..workspace }),
            Err(_) if incidental => {}
            Err(error) => broken.push(error.into()),
        }
    }
    workspaces
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
