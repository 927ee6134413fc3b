//! What npm's locks say of an installation: the lock of a project, and the one that npm leaves in `node_modules` of what is there.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// Scripts that npm runs for the project itself, and for its members, once everything is installed.
const LIFECYCLE: [&str; 7] = ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// The table `packages` of a lock, by folder: `""` is the project.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lock {
    document: Map<String, Value>,
}

impl Lock {
    /// Reads a lock; `None` where there is none that has the table (format 1, or not JSON).
    pub(super) fn read(path: &Path) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        document.get("packages").is_some_and(Value::is_object).then_some(Self { document })
    }

    fn packages(&self) -> impl Iterator<Item = (&str, &Value)> {
        let table = self.document.get("packages").and_then(Value::as_object);
        table.into_iter().flatten().map(|(folder, entry)| (folder.as_str(), entry))
    }

    fn package(&self, folder: &str) -> Option<&Value> {
        self.document.get("packages")?.get(folder)
    }

    /// How many packages are installed, links to members aside.
    pub(super) fn installed(&self) -> usize {
        self.packages().filter(|(folder, entry)| is_installed(folder) && !flag(entry, "link")).count()
    }

    /// How many of them another lock has at the same place with the same content.
    pub(super) fn shared_with(&self, other: &Self) -> usize {
        let same = |folder: &str, entry: &Value| other.package(folder).is_some_and(|found| same_content(entry, found));
        self.packages().filter(|(folder, entry)| is_installed(folder) && !flag(entry, "link") && same(folder, entry)).count()
    }

    /// Why npm itself has to install this from nothing: something in it has no checksum by which npm could tell that it is unchanged, or
    /// a script of a member is to be run. `project` is the folder of the lock.
    pub(super) fn obstacle(&self, project: &Path) -> Option<String> {
        self.packages().find_map(|(folder, entry)| {
            if folder.is_empty() || flag(entry, "inBundle") {
                return None;
            }
            if flag(entry, "link") {
                let target = entry.get("resolved").and_then(Value::as_str).unwrap_or_default();
                let outside = target.starts_with("..") || self.package(target).is_none();
                return outside.then(|| format!("`{folder}` links to `{target}`, which is no member"));
            }
            if !is_installed(folder) {
                let script = lifecycle_script(&project.join(folder))?;
                return Some(format!("`{folder}` has a script `{script}`"));
            }
            let checksum = entry.get("integrity").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            let fetched = entry.get("resolved").and_then(Value::as_str).is_none_or(|source| source.starts_with("http"));
            (!(checksum && fetched)).then(|| format!("`{folder}` has no checksum"))
        })
    }

    /// Folders of packages that have install scripts.
    pub(super) fn with_scripts(&self) -> Vec<String> {
        let scripted = self.packages().filter(|(folder, entry)| is_installed(folder) && flag(entry, "hasInstallScript"));
        scripted.map(|(folder, _)| folder.to_owned()).collect()
    }

    /// The first difference between this lock and what npm says is there. An optional package may be missing: it can be one of another
    /// platform.
    pub(super) fn difference(&self, there: &Self, arguments: &[String]) -> Option<String> {
        let without_dev = arguments.iter().any(|argument| matches!(argument.as_str(), "--omit=dev" | "--production"));
        let may_miss = |entry: &Value| {
            flag(entry, "optional") || flag(entry, "devOptional") || flag(entry, "peer") || (without_dev && flag(entry, "dev"))
        };
        let wanted = self.packages().filter(|(folder, _)| is_installed(folder)).find_map(|(folder, entry)| {
            let found = there.package(folder);
            let fine = found.map_or_else(|| may_miss(entry), |found| same_content(entry, found));
            (!fine).then(|| format!("`{folder}` is not what the lock says"))
        });
        wanted.or_else(|| {
            let mut others = there.packages().filter(|(folder, _)| is_installed(folder) && self.package(folder).is_none());
            others.next().map(|(folder, _)| format!("`{folder}` is not in the lock"))
        })
    }

    /// The lock without packages and what lies in their folders, as JSON.
    pub(super) fn without(mut self, folders: &[String]) -> Vec<u8> {
        if let Some(Value::Object(packages)) = self.document.get_mut("packages") {
            packages.retain(|place, _| !folders.iter().any(|folder| is_within(place, folder)));
        }
        Value::Object(self.document).to_string().into_bytes()
    }
}

/// Whether a path is a folder or lies in it.
pub(super) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The first script of a package that an install runs. A package with `binding.gyp` has one of npm's own.
pub(super) fn lifecycle_script(package: &Path) -> Option<String> {
    if package.join("binding.gyp").exists() {
        return Some("install".to_owned());
    }
    let manifest: Value = serde_json::from_slice(&fs::read(package.join("package.json")).ok()?).ok()?;
    let scripts = manifest.get("scripts")?.as_object()?;
    LIFECYCLE.into_iter().find(|name| scripts.contains_key(*name)).map(str::to_owned)
}

/// Whether npm puts it there, other than the project and its members.
fn is_installed(folder: &str) -> bool {
    folder.starts_with("node_modules/") || folder.contains("/node_modules/")
}

fn flag(entry: &Value, name: &str) -> bool {
    entry.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// Whether two entries are of the same package: by checksum, or for those that came with another by version.
fn same_content(entry: &Value, other: &Value) -> bool {
    let same = |key: &str| entry.get(key) == other.get(key);
    match flag(entry, "link") || flag(other, "link") {
        true => same("link") && same("resolved"),
        false => same("version") && same("integrity"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn lock(packages: Value) -> Lock {
        let Value::Object(document) = serde_json::json!({ "lockfileVersion": 3, "packages": packages }) else { unreachable!() };
        Lock { document }
    }

    fn package(version: &str) -> Value {
        serde_json::json!({ "version": version, "resolved": "https://registry.example/a.tgz", "integrity": format!("sha512-{version}") })
    }

    fn with(mut entry: Value, key: &str, value: Value) -> Value {
        entry[key] = value;
        entry
    }

    #[test]
    fn only_what_npm_can_tell_by_a_checksum_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        for (member, scripts) in [("packages/ui", "{}"), ("packages/app", r#"{"prepare": "tsc"}"#)] {
            let member = folder.path().join(member);
            fs::create_dir_all(&member).unwrap();
            fs::write(member.join("package.json"), format!(r#"{{"scripts": {scripts}}}"#)).unwrap();
        }
        let member = || serde_json::json!({ "version": "1.0.0" });
        let link = |to: &str| serde_json::json!({ "resolved": to, "link": true });
        let table = [
            (serde_json::json!({ "": {}, "node_modules/a": package("1") }), None),
            (
                serde_json::json!({ "node_modules/a": with(package("1"), "resolved", "git+ssh://git@host/a.git".into()) }),
                Some("`node_modules/a` has no checksum"),
            ),
            (
                serde_json::json!({ "node_modules/a": with(package("1"), "resolved", "file:a.tgz".into()) }),
                Some("`node_modules/a` has no checksum"),
            ),
            (serde_json::json!({ "node_modules/a": { "version": "1" } }), Some("`node_modules/a` has no checksum")),
            (serde_json::json!({ "node_modules/a/node_modules/b": { "version": "1", "inBundle": true } }), None),
            (serde_json::json!({ "node_modules/ui": link("packages/ui"), "packages/ui": member() }), None),
            (
                serde_json::json!({ "node_modules/app": link("packages/app"), "packages/app": member() }),
                Some("`packages/app` has a script `prepare`"),
            ),
            (
                serde_json::json!({ "node_modules/x": link("../x"), "../x": member() }),
                Some("`node_modules/x` links to `../x`, which is no member"),
            ),
        ];
        for (packages, expected) in table {
            assert_eq!(lock(packages.clone()).obstacle(folder.path()).as_deref(), expected, "{packages}");
        }
    }

    #[test]
    fn what_is_there_has_to_be_what_is_locked() {
        let wanted = lock(serde_json::json!({
            "": {}, "node_modules/a": package("1"), "node_modules/b": with(package("1"), "dev", true.into()),
            "node_modules/mac": with(package("1"), "optional", true.into()),
        }));
        let complete = serde_json::json!({ "node_modules/a": package("1"), "node_modules/b": package("1") });
        let change = |key: &str, entry: Option<Value>| {
            let mut packages = complete.clone();
            match entry {
                Some(entry) => packages[key] = entry,
                None => {
                    packages.as_object_mut().unwrap().remove(key);
                }
            }
            lock(packages)
        };
        let table = [
            (lock(complete.clone()), None),
            (change("node_modules/a", Some(package("2"))), Some("`node_modules/a` is not what the lock says")),
            (
                change("node_modules/a", Some(with(package("1"), "integrity", "sha512-x".into()))),
                Some("`node_modules/a` is not what the lock says"),
            ),
            (change("node_modules/b", None), Some("`node_modules/b` is not what the lock says")),
            (change("node_modules/c", Some(package("1"))), Some("`node_modules/c` is not in the lock")),
        ];
        for (there, expected) in table {
            assert_eq!(wanted.difference(&there, &[]).as_deref(), expected, "{there:?}");
        }
        assert_eq!(wanted.difference(&change("node_modules/b", None), &["--omit=dev".to_owned()]), None);
    }

    #[test]
    fn a_package_is_left_out_with_all_that_lies_in_it() {
        let all = lock(serde_json::json!({
            "node_modules/a": package("1"), "node_modules/a/node_modules/b": package("1"), "node_modules/ab": package("1"),
        }));
        assert_eq!(all.installed(), 3);
        let rest: Value = serde_json::from_slice(&all.without(&["node_modules/a".to_owned()])).unwrap();
        let left: Vec<PathBuf> = rest["packages"].as_object().unwrap().keys().map(PathBuf::from).collect();
        assert_eq!(left, [PathBuf::from("node_modules/ab")]);
    }
}
