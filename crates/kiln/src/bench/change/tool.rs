//! What changes locks: cargo and npm behind a trait, so that choices can be tested without them.

use camino::Utf8Path;
use semver::Version;

use super::ToolError;

/// A published version of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// The oldest Rust that it says it compiles with (`1.70`).
    pub rust_version: Option<String>,
}

/// Asks registries for versions and moves packages of a lock from one version to another.
///
/// Folders are absolute and lie in the copy that is measured.
pub trait LockTool {
    /// The versions of a locked crate that its registry has, without yanked ones, ascending. `checksum` is that of the locked
    /// version and tells registries apart.
    ///
    /// # Errors
    /// When cargo is not there or does not know the crate.
    fn crate_releases(
        &self,
        workspace: &Utf8Path,
        name: &str,
        version: &str,
        checksum: Option<&str>,
    ) -> Result<Vec<Release>, ToolError>;

    /// Moves one locked crate from one version to another: `cargo update --package NAME@FROM --precise TO`.
    ///
    /// # Errors
    /// When cargo is not there, or the requirements of the others do not allow that version.
    fn move_crate(&self, workspace: &Utf8Path, name: &str, from: &str, to: &str) -> Result<(), ToolError>;

    /// The versions of an npm package, ascending.
    ///
    /// # Errors
    /// When npm is not there or does not know the package.
    fn npm_versions(&self, directory: &Utf8Path, name: &str) -> Result<Vec<Version>, ToolError>;

    /// Moves one direct npm dependency to an exact version, in manifest and lock, without installing anything. `directory` holds
    /// the lock, `member` is the workspace member whose dependency it is, and `development` says that it stands in
    /// `devDependencies`.
    ///
    /// # Errors
    /// When npm is not there, or refuses.
    fn move_npm(
        &self,
        directory: &Utf8Path,
        member: Option<&Utf8Path>,
        name: &str,
        to: &str,
        development: bool,
    ) -> Result<(), ToolError>;
}
