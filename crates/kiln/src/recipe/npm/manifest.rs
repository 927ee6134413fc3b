//! A masked `package.json`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::project::node::{InstallScript, Manifest};

/// What a package manager reads at install, in the order in which it is written. `name`, `version`, `scripts`, `type` and `config` are
/// treated apart.
const KEPT: [&str; 30] = [
    "private",
    "packageManager",
    "devEngines",
    "workspaces",
    "engines",
    "os",
    "cpu",
    "libc",
    "bin",
    "directories",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "dependenciesMeta",
    "bundleDependencies",
    "bundledDependencies",
    "overrides",
    "resolutions",
    "pnpm",
    "catalog",
    "catalogs",
    "allowScripts",
    "trustedDependencies",
    "patchedDependencies",
    "installConfig",
    "gypfile",
    "flat",
    "preferUnplugged",
];

/// Tables whose order means nothing.
const UNORDERED: [&str; 7] = [
    "engines",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "dependenciesMeta",
];

/// What of a manifest stays as it is.
pub(super) struct Mask<'a> {
    /// Whether the name matters.
    pub(super) keep_name: bool,
    /// What takes the version's place.
    pub(super) version: Option<&'a str>,
    /// The package's install scripts.
    pub(super) scripts: &'a [InstallScript],
}

/// The manifest with nothing but what an install reads.
pub(super) fn masked(manifest: &Manifest, mask: &Mask<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    if let (true, Some(name)) = (mask.keep_name, &manifest.name) {
        out.insert("name".to_owned(), name.clone().into());
    }
    if let (Some(_), Some(version)) = (&manifest.version, mask.version) {
        out.insert("version".to_owned(), version.into());
    }
    let scripts = kept_scripts(manifest, mask.scripts);
    let with_scripts: &[&str] = if scripts.is_empty() { &[] } else { &["type", "config"] };
    for key in KEPT.iter().chain(with_scripts) {
        let Some(value) = manifest.document.get(*key) else { continue };
        let value = match value {
            Value::Object(table) if UNORDERED.contains(key) => sorted(table),
            Value::Object(table) if *key == "directories" => match table.get("bin") {
                Some(bin) => serde_json::json!({ "bin": bin }),
                None => continue,
            },
            other => other.clone(),
        };
        out.insert((*key).to_owned(), value);
    }
    if !scripts.is_empty() {
        out.insert("scripts".to_owned(), Value::Object(scripts));
    }
    out
}

fn sorted(table: &Map<String, Value>) -> Value {
    let mut entries = table.iter().collect::<Vec<_>>();
    entries.sort_by_key(|(key, _)| *key);
    Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Scripts that run at install and those that they run.
fn kept_scripts(manifest: &Manifest, scripts: &[InstallScript]) -> Map<String, Value> {
    let mut kept = Map::new();
    let mut called = BTreeSet::new();
    for script in scripts {
        if let InstallScript::Files { name, command, scripts, .. } = script {
            kept.insert(name.clone(), command.clone().into());
            called.extend(scripts);
        }
    }
    for name in called {
        if let Some(command) = manifest.scripts.get(name) {
            kept.entry(name.clone()).or_insert_with(|| command.clone().into());
        }
    }
    kept
}

/// Whether a script that npm marks in the lock (`hasInstallScript`) stays.
pub(super) fn has_install_script(scripts: &[InstallScript]) -> bool {
    scripts.iter().any(|script| matches!(script, InstallScript::Files { name, .. } if ["preinstall", "install", "postinstall"].contains(&name.as_str())))
}
