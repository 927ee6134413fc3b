//! Which SQLx a workspace uses, and what that version does differently.

use serde::Serialize;

use crate::project::cargo::CargoWorkspace;

/// A version of SQLx: from the lock, or from the manifests if there is no lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(semver::Version);

/// How query data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One `sqlx-data.json` for all queries: SQLx 0.6 and before.
    SingleFile,
    /// One `query-<hash>.json` for each query in a folder `.sqlx`: SQLx 0.7 and later.
    Folder,
}

/// From where `SQLX_OFFLINE_DIR` is taken when SQLx looks for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfflineDirectory {
    /// 0.6 has no such variable.
    No,
    /// The environment, else the `.env` of the package or of a folder above the working directory.
    Environment,
    /// 0.8.6: only those `.env` files. The environment decides only where `cargo sqlx prepare` writes.
    DotenvOnly,
    /// 0.9: the environment, else every `.env` from the package upwards, of which the outermost wins.
    Ancestors,
}

impl Version {
    /// The version that is locked; without a lock the lowest that the manifests allow.
    #[must_use]
    pub fn of(workspace: &CargoWorkspace) -> Option<Self> {
        let locked = workspace.lock.as_ref().and_then(|lock| {
            let named = lock.packages.iter().filter(|package| package.name == "sqlx");
            named.filter_map(|package| semver::Version::parse(&package.version).ok()).max()
        });
        let asked = || {
            let all = workspace.packages.iter().flat_map(|package| &package.dependencies);
            let requirements = all.filter(|dependency| dependency.package == "sqlx").filter_map(|dep| dep.requirement.as_deref());
            requirements.filter_map(lowest).max()
        };
        locked.or_else(asked).map(Self)
    }

    /// From its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        semver::Version::parse(text.trim()).ok().map(Self)
    }

    /// How it keeps query data.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        if self.0.major == 0 && self.0.minor <= 6 { Layout::SingleFile } else { Layout::Folder }
    }

    /// `0.8`: what must be equal for the data of one to be read by the other.
    #[must_use]
    pub fn series(&self) -> (u64, u64) {
        (self.0.major, if self.0.major == 0 { self.0.minor } else { 0 })
    }

    pub(super) fn offline_directory(&self) -> OfflineDirectory {
        match (self.0.major, self.0.minor, self.0.patch) {
            (0, ..=6, _) => OfflineDirectory::No,
            (0, 7, _) => OfflineDirectory::Environment,
            (0, 8, patch) if patch < 6 => OfflineDirectory::Environment,
            (0, 8, _) => OfflineDirectory::DotenvOnly,
            _ => OfflineDirectory::Ancestors,
        }
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The lowest version of a requirement that names one: `0.8`, `^0.8.2`, `=0.7.4`.
fn lowest(requirement: &str) -> Option<semver::Version> {
    let requirement = semver::VersionReq::parse(requirement).ok()?;
    let first = requirement.comparators.first()?;
    Some(semver::Version::new(first.major, first.minor.unwrap_or(0), first.patch.unwrap_or(0)))
}
