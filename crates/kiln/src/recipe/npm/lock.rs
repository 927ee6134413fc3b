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

/// A `bun.lock` with the versions of its workspace members masked. They stand behind the name, before the section `packages`.
pub(super) fn masked_bun(text: &str, masks: &BTreeMap<String, String>) -> String {
    let (members, rest) = text.find("\n  \"packages\"").map_or((text, ""), |at| text.split_at(at));
    let mut mask = "0.0.0";
    let mut lines = Vec::new();
    for line in members.lines() {
        let trimmed = line.trim_start();
        let value = |key: &str| trimmed.strip_prefix(key).map(|value| value.trim().trim_end_matches(',').trim_matches('"'));
        if let Some(name) = value("\"name\":") {
            mask = masks.get(name).map_or("0.0.0", String::as_str);
        }
        if value("\"version\":").is_some() {
            let indent = &line[..line.len() - trimmed.len()];
            lines.push(format!("{indent}\"version\": \"{mask}\","));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n") + rest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_members_are_masked_in_a_bun_lock_and_those_of_packages_are_not() {
        let text = "{\n  \"workspaces\": {\n    \"packages/ui\": {\n      \"name\": \"ui\",\n      \"version\": \"2.3.4\",\n    },\n  },\n  \"packages\": {\n    \"version\": [\"x\"],\n  }\n}\n";
        let masks = BTreeMap::from([("ui".to_owned(), "2.0.0".to_owned())]);
        assert_eq!(masked_bun(text, &masks), text.replace("2.3.4", "2.0.0"));
    }
}
