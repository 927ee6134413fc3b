//! Node packages: `package.json`, lockfiles, workspaces.

use serde::Serialize;

/// A folder with a lockfile and the packages that it locks.
#[derive(Debug, Clone, Serialize)]
pub struct NodeWorkspace {}
