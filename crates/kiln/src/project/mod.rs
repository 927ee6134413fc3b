//! Look: a directory becomes a [`Project`]. Facts only; nothing is decided here and nothing is run.

pub mod cargo;
#[cfg(test)]
pub(crate) mod fixture;
pub mod node;

use camino::Utf8PathBuf;
use serde::Serialize;

use cargo::CargoWorkspace;
use node::NodeWorkspace;

/// What is in a repository.
#[derive(Debug, Clone, Serialize)]
pub struct Project {
    /// Absolute path of the repository (or of the folder kiln was pointed at).
    pub root: Utf8PathBuf,
    /// Name of the folder, made fit for an image name.
    pub name: String,
    /// Cargo workspaces, at any depth, ordered by path.
    pub cargo: Vec<CargoWorkspace>,
    /// Node package roots (folders with a lockfile of their own, or a lone `package.json`), ordered by path.
    pub node: Vec<NodeWorkspace>,
    /// Dockerfiles, compose, bake and ignore files that exist, relative to the root.
    pub docker_files: Vec<Utf8PathBuf>,
}
