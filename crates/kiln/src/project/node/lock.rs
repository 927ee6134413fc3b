//! Which lockfiles there are, by name and content.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde_json::Value;

use super::{NodeError, json};
use crate::plan::PackageManager;

/// A lockfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lockfile {
    /// File name, relative to the workspace root.
    pub name: Utf8PathBuf,
    /// Whose it is.
    pub manager: PackageManager,
    /// Format version, where the file tells it (`lockfileVersion`, `__metadata.version`).
    pub version: Option<String>,
}

impl Lockfile {
    /// Whether `manager` and this lock's manager are the two yarns.
    #[must_use]
    pub const fn same_family(&self, manager: PackageManager) -> bool {
        use PackageManager::{YarnBerry, YarnClassic};
        matches!((self.manager, manager), (YarnClassic, YarnBerry) | (YarnBerry, YarnClassic))
    }
}

/// File names in the order of precedence: npm reads `npm-shrinkwrap.json` first, bun `bun.lock`.
pub(in crate::project) const NAMES: [&str; 6] =
    ["npm-shrinkwrap.json", "package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"];

/// Names of the lockfiles in a folder, unread.
pub(super) fn find_names(directory: &Utf8Path) -> Vec<&'static str> {
    NAMES.into_iter().filter(|name| directory.join(name).is_file()).collect()
}

/// The lockfiles of a folder. A second file of the same manager that it would not read is left out.
pub(super) fn find(directory: &Utf8Path) -> Result<Vec<Lockfile>, NodeError> {
    let mut found: Vec<Lockfile> = Vec::new();
    for name in find_names(directory) {
        let path = directory.join(name);
        let (manager, version) = match name {
            "pnpm-lock.yaml" => (PackageManager::Pnpm, pnpm_version(&json::read_text(&path)?)),
            "yarn.lock" => yarn(&json::read_text(&path)?),
            "bun.lock" | "bun.lockb" => (PackageManager::Bun, None),
            _ => {
                let value = json::parse(&path, &json::read_text(&path)?)?;
                let version = value.get("lockfileVersion").and_then(Value::as_u64);
                (PackageManager::Npm, version.map(|version| version.to_string()))
            }
        };
        if found.iter().all(|lock| lock.manager != manager) {
            found.push(Lockfile { name: name.into(), manager, version });
        }
    }
    Ok(found)
}

fn pnpm_version(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("lockfileVersion:"))?;
    Some(line.trim().trim_matches(['\'', '"']).to_owned())
}

fn yarn(text: &str) -> (PackageManager, Option<String>) {
    let Some((_, metadata)) = text.split_once("__metadata:") else { return (PackageManager::YarnClassic, Some("1".to_owned())) };
    let version =
        metadata.lines().skip(1).take_while(|line| line.starts_with(' ')).find_map(|line| line.trim().strip_prefix("version:"));
    (PackageManager::YarnBerry, version.map(|version| version.trim().to_owned()))
}
