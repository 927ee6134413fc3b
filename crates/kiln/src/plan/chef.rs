//! What only images without kiln need to be told: what cargo-chef's recipe and a plain `COPY` of manifests leave out.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, TableLike};

use super::paths::{is_within, join, relative};
use super::rust::Place;
use super::{LateScript, NodeService, Service, ServiceKind};
use crate::project::cargo::{CargoConfig, DependencySource};
use crate::recipe::npm::{NpmRemark, prepare_npm};

/// Who prepares and cooks dependencies in generated Dockerfiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageEngine {
    /// kiln, mounted into the steps that need it.
    #[default]
    Kiln,
    /// cargo-chef and the package managers alone: no generated file knows of kiln.
    Chef,
}

impl ImageEngine {
    /// All engines.
    pub const ALL: [Self; 2] = [Self::Kiln, Self::Chef];

    /// The name in flags and in `kiln.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kiln => "kiln",
            Self::Chef => "chef",
        }
    }
}

/// What an install reads, where no recipe says it at build time. Paths are relative to the folder with the lockfile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInstall {
    /// Manifests, lock, configuration, patches and files of install scripts.
    pub files: Vec<Utf8PathBuf>,
    /// Programs of local packages, which must be there to be linked; their content does not matter.
    pub stubs: Vec<Utf8PathBuf>,
    /// Scripts that the install would run and that need the sources.
    pub without: Vec<LateScript>,
}

/// Tells a Node service what its install reads.
pub(super) fn complete(root: &Utf8Path, service: &mut Service) {
    let context = root.join(&service.context);
    if let ServiceKind::Node(node) = &mut service.kind {
        node.install = Some(node_install(&context, node));
    }
}

fn node_install(context: &Utf8Path, node: &NodeService) -> NodeInstall {
    let Ok(recipe) = prepare_npm(&join(context, &node.workspace)) else {
        // What is wrong with the workspace is asked elsewhere.
        return NodeInstall { files: vec!["package.json".into(), node.lockfile.clone().into()], ..NodeInstall::default() };
    };
    let mut install = NodeInstall::default();
    for (path, file) in recipe.files {
        let list = if file.is_stub() { &mut install.stubs } else { &mut install.files };
        list.push(path);
    }
    install.without.extend(recipe.remarks.into_iter().filter_map(|remark| match remark {
        NpmRemark::LateScript { directory, script, .. } => Some(LateScript { directory, script }),
        _ => None,
    }));
    install
}

/// What cargo reads to compile dependencies although it is neither a member's manifest nor the root's configuration: path
/// dependencies and patches that are no members, vendored sources, and configuration above the workspace. Relative to the context.
pub(super) fn beside(place: Place<'_>, context: &Utf8Path) -> Vec<Utf8PathBuf> {
    let workspace = place.workspace;
    let members: BTreeSet<&Utf8Path> =
        workspace.packages.iter().filter(|package| package.member).map(|package| package.directory.as_path()).collect();
    let packages = workspace.packages.iter().map(|package| package.directory.as_path());
    let patches = workspace.patches.iter().chain(&workspace.replacements).filter_map(|patch| match &patch.dependency.source {
        DependencySource::Path(directory) => Some(directory.as_path()),
        _ => None,
    });
    let configs = workspace.configs.iter().map(|config| config.path.as_path()).filter(|path| path.starts_with(".."));
    let vendored: Vec<Utf8PathBuf> = workspace.configs.iter().flat_map(vendored_folders).collect();
    let all = packages.chain(patches).filter(|directory| !members.contains(directory)).chain(configs);
    let all = all.chain(vendored.iter().map(Utf8PathBuf::as_path));
    let all: BTreeSet<Utf8PathBuf> = all.filter_map(|path| relative(&join(place.folder, path), context)).collect();
    let nested = |path: &Utf8PathBuf| all.iter().any(|other| other != path && is_within(path, other));
    all.iter().filter(|path| !nested(path)).cloned().collect()
}

/// Folders that a configuration puts in a registry's place, relative to the workspace. What is no TOML is said elsewhere.
fn vendored_folders(config: &CargoConfig) -> Vec<Utf8PathBuf> {
    let Ok(document) = config.text.parse::<DocumentMut>() else { return Vec::new() };
    // Paths are relative to the folder that has `.cargo` in it.
    let base = config.path.parent().and_then(Utf8Path::parent).unwrap_or(Utf8Path::new(""));
    let sources = document.get("source").and_then(Item::as_table_like);
    let paths = sources.into_iter().flat_map(TableLike::iter).flat_map(|(_, source)| {
        ["directory", "local-registry"].into_iter().filter_map(|key| source.get(key).and_then(Item::as_str))
    });
    paths.map(|path| join(base, Utf8Path::new(path))).collect()
}
