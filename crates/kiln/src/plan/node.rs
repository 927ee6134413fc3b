//! Decides what is built for each Node package: manager, script, bundle or server, images, port and user.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{NativePackages, NodeService, PackageManager, Question};
use crate::project::node::NodeWorkspace;

/// What was decided for one buildable package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeDecision {
    /// Suggested service name: the folder's, else the package's. Not yet unique within the project.
    pub name: String,
    /// Folder of the package, relative to the project root.
    pub path: Utf8PathBuf,
    /// Build context, relative to the project root: the folder of the workspace root. `service.workspace` and `service.package`
    /// are relative to it.
    pub context: Utf8PathBuf,
    /// The Node part of the service.
    pub service: NodeService,
    /// Base of the stages that install and bundle.
    pub build_image: String,
    /// Base of the production runtime.
    pub runtime_image: String,
    /// Port on which the image listens.
    pub port: u16,
    /// `uid:gid` of the production image.
    pub user: String,
    /// Debian packages for native addons.
    pub native_packages: NativePackages,
    /// Environment of the runtime stage.
    pub environment: BTreeMap<String, String>,
    /// Setting key (as in `kiln.toml`) to the file it was read off, relative to the project root. What is not here is a default.
    pub sources: Vec<(String, Utf8PathBuf)>,
}

/// What a person wrote in `kiln.toml` about one package; it wins over what is detected and answers questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeChoice {
    /// Package manager.
    pub manager: Option<PackageManager>,
    /// Node version.
    pub node_version: Option<String>,
    /// Build script.
    pub build_script: Option<String>,
    /// Development script.
    pub dev_script: Option<String>,
    /// Folder of a static bundle, relative to the package.
    pub output: Option<Utf8PathBuf>,
    /// Command of a server, in exec form.
    pub command: Option<Vec<String>>,
}

/// Decisions and open questions of one workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NodePlan {
    /// One for each buildable package without an open question, ordered by path.
    pub decisions: Vec<NodeDecision>,
    /// What could not be decided.
    pub questions: Vec<Question>,
}

/// Decides for every buildable package of a workspace. `project_root` is the absolute folder against which all paths of the
/// result are relative; `choices` are keyed by the package's folder relative to it (`.` for the root itself).
#[must_use]
pub fn plan_node(project_root: &Utf8Path, workspace: &NodeWorkspace, choices: &BTreeMap<Utf8PathBuf, NodeChoice>) -> NodePlan {
    let _ = (project_root, workspace, choices);
    NodePlan::default()
}
