//! A masked `package-lock.json`: what it says of local packages is masked as their manifests are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// How the entry of one local package is masked.
pub(super) struct SelfEntry {
    /// Whether the name stays.
    pub(super) keep_name: bool,
    /// What takes the version's place.
    pub(super) version: Option<String>,
    /// Whether an install script stays.
    pub(super) install_script: bool,
}

/// Masks a lock of format 1, 2 or 3. `local` is keyed as `packages` is: `""` for the root, else the folder.
pub(super) fn masked(lock: &Map<String, Value>, local: &BTreeMap<String, SelfEntry>) -> Map<String, Value> {
    let mut out = lock.clone();
    if let Some(root) = local.get("") {
        mask(&mut out, root);
    }
    if let Some(Value::Object(packages)) = out.get_mut("packages") {
        for (key, own) in local {
            if let Some(Value::Object(entry)) = packages.get_mut(key) {
                mask(entry, own);
                for aside in ["license", "funding", "deprecated"] {
                    entry.shift_remove(aside);
                }
                if !own.install_script {
                    entry.shift_remove("hasInstallScript");
                }
            }
        }
    }
    out
}

fn mask(entry: &mut Map<String, Value>, own: &SelfEntry) {
    if !own.keep_name {
        entry.shift_remove("name");
    }
    match (&own.version, entry.get_mut("version")) {
        (Some(version), Some(slot)) => *slot = version.clone().into(),
        (None, Some(_)) => {
            entry.shift_remove("version");
        }
        (_, None) => {}
    }
}

/// Specifiers under which locked packages ask for `names`.
pub(super) fn specifiers(lock: &Map<String, Value>, wanted: impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
    let packages = lock.get("packages").and_then(Value::as_object).into_iter().flatten();
    let tables = packages.flat_map(|(_, entry)| {
        ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]
            .into_iter()
            .filter_map(|key| entry.get(key)?.as_object())
    });
    let entries = tables.flatten().filter_map(|(name, specifier)| Some((name.as_str(), specifier.as_str()?)));
    entries.filter(|(name, _)| wanted(name)).collect()
}
