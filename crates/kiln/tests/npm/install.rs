//! `kiln recipe install` against plain `npm ci`: after every change the two leave the same files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kiln::process::Cancel;
use kiln::recipe::npm::{InstallError, InstallReport, InstallRequest, install};
use serde_json::{Map, Value, json};

use super::registry::Registry;

const PACKAGES: [(&str, &[(&str, &str)]); 6] = [
    ("plain-1.0.0", &[("package.json", r#"{"name": "plain", "version": "1.0.0"}"#), ("index.js", "exports.version = 1;\n")]),
    (
        "plain-2.0.0",
        &[("package.json", r#"{"name": "plain", "version": "2.0.0"}"#), ("index.js", "exports.version = 2;\n"), ("new.js", "\n")],
    ),
    (
        "tool-1.0.0",
        &[
            ("package.json", r#"{"name": "tool", "version": "1.0.0", "bin": {"tool": "cli.js"}}"#),
            ("cli.js", "#!/usr/bin/env node\n"),
        ],
    ),
    (
        "tool-1.1.0",
        &[
            ("package.json", r#"{"name": "tool", "version": "1.1.0", "bin": {"tool": "bin/cli.js"}}"#),
            ("bin/cli.js", "#!/usr/bin/env node\n"),
        ],
    ),
    (
        "native-1.0.0",
        &[
            (
                "package.json",
                r#"{"name": "native", "version": "1.0.0", "bin": {"native": "cli.js"}, "scripts": {"postinstall": "node build.js"}}"#,
            ),
            ("cli.js", "#!/usr/bin/env node\n"),
            (
                "build.js",
                "const fs = require('fs'); fs.writeFileSync('built', ''); fs.appendFileSync('../plain/index.js', '// native\\n');\n",
            ),
        ],
    ),
    ("mac-1.0.0", &[("package.json", r#"{"name": "mac", "version": "1.0.0", "os": ["aix"]}"#)]),
];

/// A project that is installed twice: by kiln from a mount that stays, and by npm from nothing.
struct Both {
    folder: tempfile::TempDir,
    registry: Registry,
    step: usize,
}

impl Both {
    /// `None` where there is no npm.
    fn new() -> Option<Self> {
        if Command::new("npm").arg("--version").output().is_err() {
            use std::io::Write as _;
            let _ = std::io::stderr().write_all(b"SKIPPED: there is no npm on this machine\n");
            return None;
        }
        Some(Self { folder: tempfile::tempdir().unwrap(), registry: Registry::of(&PACKAGES), step: 0 })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lock of a project that needs packages, by name and version; `more` are entries that it has besides.
    fn lock(&self, packages: &[&str], more: &[(&str, Value)]) -> String {
        let mut entries = Map::new();
        let mut wanted = Map::new();
        for package in packages {
            let (name, version) = package.rsplit_once('-').unwrap();
            let mut entry = self.registry.entry(package);
            let manifest = PACKAGES.iter().find(|(known, _)| known == package).unwrap().1[0].1;
            let manifest: Value = serde_json::from_str(manifest).unwrap();
            for key in ["bin", "os"] {
                if let Some(value) = manifest.get(key) {
                    entry[key] = value.clone();
                }
            }
            if manifest.get("scripts").is_some() {
                entry["hasInstallScript"] = true.into();
            }
            let optional = manifest.get("os").is_some();
            if optional {
                entry["optional"] = true.into();
            } else {
                wanted.insert(name.to_owned(), version.into());
            }
            entries.insert(format!("node_modules/{name}"), entry);
        }
        let optional: Map<String, Value> =
            packages.iter().filter(|package| package.starts_with("mac-")).map(|_| ("mac".to_owned(), "1.0.0".into())).collect();
        entries.insert(String::new(), json!({ "dependencies": wanted, "optionalDependencies": optional }));
        for (key, entry) in more {
            entries.insert((*key).to_owned(), entry.clone());
        }
        entries.sort_keys();
        json!({ "lockfileVersion": 3, "requires": true, "packages": entries }).to_string()
    }

    /// Installs with kiln, and says what npm said.
    fn with_kiln(&mut self, files: &[(&str, &str)]) -> (Result<InstallReport, InstallError>, PathBuf, Vec<String>) {
        self.step += 1;
        let project = self.path(&format!("kiln-{}", self.step));
        write(&project, files);
        let arguments = self.arguments();
        let mount = self.path("mount");
        fs::create_dir_all(&mount).unwrap();
        let request = InstallRequest { project: &project, mount: &mount, npm: Path::new("npm"), arguments: &arguments };
        let mut said = Vec::new();
        let result = install(&request, &Cancel::new(), &mut |line| said.push(line.to_owned()));
        (result, project, said)
    }

    fn arguments(&self) -> Vec<String> {
        let cache = self.path("cache").display().to_string();
        let registry = self.registry.address();
        ["--no-audit", "--no-fund", "--cache", &cache, "--registry", &registry].map(str::to_owned).to_vec()
    }

    /// Installs both ways, sees that they agree, and gives the report.
    fn agree(&mut self, files: &[(&str, &str)]) -> InstallReport {
        let (report, project, said) = self.with_kiln(files);
        let report = report.unwrap_or_else(|error| panic!("{error}: {said:#?}"));
        let plain = self.path(&format!("npm-{}", self.step));
        write(&plain, files);
        let output = Command::new("npm").arg("ci").args(self.arguments()).current_dir(&plain).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = Command::new("diff").args(["-r", "--no-dereference"]).args([&plain, &project]).output().unwrap();
        assert!(output.status.success(), "{}{said:#?}", String::from_utf8_lossy(&output.stdout));
        let modes = |root: &Path| {
            let output = Command::new("find").args([".", "-printf", "%P %M\n"]).current_dir(root).output().unwrap();
            let mut lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(modes(&plain), modes(&project));
        report
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The manifest of what a lock says of the project, with scripts.
fn manifest(lock: &str, scripts: &Value) -> String {
    let lock: Value = serde_json::from_str(lock).unwrap();
    let mut root = lock["packages"][""].clone();
    root["scripts"] = scripts.clone();
    root.to_string()
}

#[test]
fn only_what_changed_is_unpacked_and_the_tree_is_that_of_npm_ci() {
    let Some(mut both) = Both::new() else { return };
    let none = json!({});
    let mut kept = Vec::new();
    let steps: [(&[&str], Value); 7] = [
        (&["plain-1.0.0", "tool-1.0.0", "mac-1.0.0"], none.clone()),
        (&["plain-2.0.0", "tool-1.0.0", "mac-1.0.0"], none.clone()),
        // A script of a package, which changes another one.
        (&["plain-2.0.0", "tool-1.0.0", "native-1.0.0"], none.clone()),
        (&["plain-2.0.0", "tool-1.1.0", "native-1.0.0"], none.clone()),
        // What it did is not there when it is gone.
        (&["plain-2.0.0", "tool-1.1.0"], none.clone()),
        // The same for a script of the project.
        (&["plain-2.0.0", "tool-1.0.0"], json!({ "postinstall": "echo patched >> node_modules/plain/index.js" })),
        (&["plain-2.0.0", "tool-1.1.0"], none),
    ];
    for (packages, scripts) in steps {
        let lock = both.lock(packages, &[]);
        let report = both.agree(&[("package.json", &manifest(&lock, &scripts)), ("package-lock.json", &lock)]);
        assert_eq!(report.plain, None);
        kept.push((report.packages, report.kept));
    }
    assert_eq!(kept, [(2, 0), (2, 1), (3, 2), (3, 2), (2, 2), (2, 1), (2, 1)]);
}

#[test]
fn members_are_linked_and_have_packages_of_their_own() {
    let Some(mut both) = Both::new() else { return };
    for (version, member) in [("plain-1.0.0", "tool-1.0.0"), ("plain-2.0.0", "tool-1.0.0"), ("plain-2.0.0", "tool-1.1.0")] {
        let ui = r#"{"name": "ui", "version": "0.0.0", "bin": {"ui": "ui.js"}, "dependencies": {"plain": "1.0.0"}}"#;
        let mut more = vec![
            ("node_modules/ui", json!({ "resolved": "packages/ui", "link": true })),
            ("packages/ui", json!({ "version": "0.0.0", "bin": { "ui": "ui.js" }, "dependencies": { "plain": "1.0.0" } })),
        ];
        if version == "plain-2.0.0" {
            more.push(("packages/ui/node_modules/plain", both.registry.entry("plain-1.0.0")));
        }
        let lock = both.lock(&[version, member], &more);
        let mut lock: Value = serde_json::from_str(&lock).unwrap();
        lock["packages"][""]["workspaces"] = json!(["packages/*"]);
        let lock = lock.to_string();
        let files = [
            ("package.json", &*manifest(&lock, &json!({}))),
            ("package-lock.json", &*lock),
            ("packages/ui/package.json", ui),
            ("packages/ui/ui.js", "#!/usr/bin/env node\n"),
        ];
        let report = both.agree(&files);
        assert_eq!(report.plain, None);
    }
}

#[test]
fn what_npm_cannot_tell_by_a_checksum_is_installed_from_nothing() {
    let Some(mut both) = Both::new() else { return };
    let lock = both.lock(&["plain-1.0.0"], &[]);
    let mut other: Value = serde_json::from_str(&lock).unwrap();
    other["packages"]["node_modules/plain"].as_object_mut().unwrap().remove("integrity");
    let other = other.to_string();
    let report = both.agree(&[("package.json", &manifest(&other, &json!({}))), ("package-lock.json", &other)]);
    assert_eq!(report.plain.as_deref(), Some("`node_modules/plain` has no checksum"));
}

#[test]
fn a_failure_says_what_npm_says_and_spoils_nothing() {
    let Some(mut both) = Both::new() else { return };
    let lock = both.lock(&["plain-1.0.0", "native-1.0.0"], &[]);
    let good = manifest(&lock, &json!({}));
    let stale = good.replace("\"plain\":\"1.0.0\"", "\"plain\":\"2.0.0\"");
    assert_ne!(good, stale);
    let failing = manifest(&lock, &json!({ "postinstall": "echo broken >&2; exit 3" }));
    // From nothing, and with packages that are kept.
    for round in 0..2 {
        let (result, _, said) = both.with_kiln(&[("package.json", &stale), ("package-lock.json", &lock)]);
        assert_eq!(result.unwrap_err().to_string(), "`npm ci` failed with exit code 1");
        assert!(said.iter().any(|line| line.contains("can only install packages when")), "{said:#?}");
        let (result, _, said) = both.with_kiln(&[("package.json", &failing), ("package-lock.json", &lock)]);
        assert_eq!(result.unwrap_err().to_string(), "`npm install` failed with exit code 3");
        assert!(said.iter().any(|line| line.contains("broken")), "{said:#?}");
        let report = both.agree(&[("package.json", &good), ("package-lock.json", &lock)]);
        assert_eq!(report.kept, 2, "round {round}");
    }
}

#[test]
fn half_a_tree_is_not_taken_for_a_whole_one() {
    let Some(mut both) = Both::new() else { return };
    let lock = both.lock(&["plain-1.0.0", "tool-1.0.0"], &[]);
    let files = [("package.json", &*manifest(&lock, &json!({}))), ("package-lock.json", &*lock)];
    both.agree(&files);
    // As after a kill in the middle: no mark, and a file that is missing.
    let mount = both.path("mount");
    fs::remove_file(mount.join("complete")).unwrap();
    fs::remove_file(mount.join("tree/node_modules/plain/index.js")).unwrap();
    assert_eq!(both.agree(&files).kept, 0);
    assert_eq!(both.agree(&files).kept, 2);
}
