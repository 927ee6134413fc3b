//! [`LockTool`] by the cargo and npm of this machine.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use semver::Version;

use super::{LockTool, ToolError};
use crate::process::Cancel;

/// The cargo and npm of this machine.
#[derive(Debug, Clone)]
pub struct HostTools {
    /// Folder of cargo's own files (`CARGO_HOME`, or `~/.cargo`): its copy of the registry's index tells versions.
    pub cargo_home: Utf8PathBuf,
    /// Ends running programs.
    pub cancel: Cancel,
    /// How long one call may take.
    pub timeout: Duration,
}

impl HostTools {
    /// With a timeout of two minutes for each call.
    #[must_use]
    pub const fn new(cargo_home: Utf8PathBuf, cancel: Cancel) -> Self {
        Self { cargo_home, cancel, timeout: Duration::from_secs(120) }
    }
}

impl LockTool for HostTools {
    fn crate_versions(&self, _workspace: &Utf8Path, _name: &str, _checksum: Option<&str>) -> Result<Vec<Version>, ToolError> {
        Err(ToolError::Missing { program: "cargo".to_owned() })
    }

    fn move_crate(&self, _workspace: &Utf8Path, _name: &str, _from: &str, _to: &str) -> Result<(), ToolError> {
        Err(ToolError::Missing { program: "cargo".to_owned() })
    }

    fn npm_versions(&self, _directory: &Utf8Path, _name: &str) -> Result<Vec<Version>, ToolError> {
        Err(ToolError::Missing { program: "npm".to_owned() })
    }

    fn move_npm(&self, _directory: &Utf8Path, _name: &str, _to: &str, _development: bool) -> Result<(), ToolError> {
        Err(ToolError::Missing { program: "npm".to_owned() })
    }
}
