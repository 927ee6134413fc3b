//! `kiln doctor` on what `kiln init` writes, and on files that are not what their names say.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::init::package;
use crate::sqlx::{shop, with_data};
use crate::support::{Ran, Test};

/// Puts a folder's files into the project, without what tools made.
fn copied(test: &Test, from: &Utf8Path, to: &Utf8Path) {
    fs::create_dir_all(test.project().join(to)).expect("a folder");
    for entry in from.read_dir_utf8().expect("a folder").flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if !path.is_dir() {
            fs::copy(path, test.project().join(to).join(name)).expect("copied");
        } else if !matches!(name, "target" | "node_modules" | ".git" | ".kiln" | "dist") {
            copied(test, path, &to.join(name));
        }
    }
}

fn kiro() -> Test {
    let test = Test::new();
    copied(&test, &Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kiro"), Utf8Path::new(""));
    // As it was before anybody ran `kiln init`.
    for folder in ["", "backend", "frontend"] {
        let entries = test.project().join(folder).read_dir_utf8().expect("a folder");
        let paths: Vec<Utf8PathBuf> = entries.flatten().map(|entry| entry.path().to_owned()).collect();
        let is_generated = |name: &str| {
            name.starts_with("Dockerfile") || matches!(name, ".dockerignore" | "compose.yaml" | "docker-bake.hcl" | "kiln.mk")
        };
        for path in paths.iter().filter(|path| path.file_name().is_some_and(is_generated)) {
            fs::remove_file(path).expect("removed");
        }
    }
    test
}

fn workspace() -> Test {
    let member = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    let locked = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    Test::new()
        .write("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n")
        .write("crates/api/Cargo.toml", &format!("{}\n[dependencies]\nmodel = {{ path = \"../model\" }}\n", member("api")))
        .write("crates/api/src/main.rs", "fn main() {}\n")
        .write("crates/worker/Cargo.toml", &member("worker"))
        .write("crates/worker/src/main.rs", "fn main() {}\n")
        .write("crates/model/Cargo.toml", &member("model"))
        .write("crates/model/src/lib.rs", "")
        .write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90\"\n")
        .write(
            "Cargo.lock",
            &format!(
                "version = 4\n\n{}dependencies = [\n \"model\",\n]\n\n{}\n{}",
                locked("api"),
                locked("model"),
                locked("worker")
            ),
        )
        .write(
            "kiln.toml",
            "[services.api]\npath = \".\"\nbinary = \"api\"\n\n[services.worker]\npath = \".\"\nbinary = \"worker\"\n",
        )
        .write(".gitignore", "/target\n")
}

fn pnpm() -> Test {
    Test::new()
        .write(
            "package.json",
            "{\n  \"name\": \"site\",\n  \"version\": \"1.0.0\",\n  \"private\": true,\n  \"type\": \"module\",\n  \"packageManager\": \"pnpm@10.4.1\",\n  \"scripts\": { \"build\": \"vite build\" },\n  \"devDependencies\": { \"vite\": \"^6.0.0\" }\n}\n",
        )
        .write(
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\nimporters:\n\n  .:\n    devDependencies:\n      vite:\n        specifier: ^6.0.0\n        version: 6.0.1\n\npackages:\n\n  vite@6.0.1:\n    resolution: {integrity: sha512-AAAA}\n    engines: {node: ^18.0.0 || ^20.0.0 || >=22.0.0}\n    hasBin: true\n\nsnapshots:\n\n  vite@6.0.1: {}\n",
        )
        .write("vite.config.js", "import { defineConfig } from 'vite';\n\nexport default defineConfig({});\n")
        .write("index.html", "<!doctype html>\n<script type=\"module\" src=\"/src/main.js\"></script>\n")
        .write("src/main.js", "document.title = 'site';\n")
        .write(".gitignore", "node_modules\ndist\n")
}

/// Gives every file the mode that git gives it with the usual umask.
fn usual_modes(folder: &Utf8Path) {
    for entry in folder.read_dir_utf8().expect("a folder").flatten() {
        if entry.path().is_dir() {
            usual_modes(entry.path());
        } else {
            let mode = fs::metadata(entry.path()).expect("a file").permissions().mode();
            fs::set_permissions(entry.path(), Permissions::from_mode(if mode & 0o100 == 0 { 0o644 } else { 0o755 }))
                .expect("set");
        }
    }
}

fn findings(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let list = document["findings"].as_array().expect("findings");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|finding| {
            format!("{} {}:{} {}", text(finding, "rule"), text(finding, "path"), finding["line"], text(finding, "message"))
        })
        .collect()
}

#[test]
fn what_init_writes_has_no_findings() {
    let queries = || {
        with_data(shop("fn main() {\n    sqlx::query!(\"SELECT 1\");\n}\n"), "SELECT 1")
            .write("migrations/20250101000000_first.sql", "CREATE TABLE t (id INT);\n")
            .write(".gitignore", "/target\n")
    };
    let makers: [(&str, &dyn Fn() -> Test); 5] =
        [("a package", &package), ("a workspace", &workspace), ("pnpm", &pnpm), ("queries", &queries), ("kiro", &kiro)];
    for (name, make) in makers {
        for engine in ["kiln", "chef"] {
            let mut test = make();
            let init = test.run_with(["init", "--engine", engine]);
            assert_eq!(init.code, Some(0), "{name} {engine}: {init}");
            assert!(init.stdout.contains("Dockerfile.fast") && init.stdout.contains(".dockerignore"), "{name} {engine}: {init}");
            usual_modes(&test.project());
            let ran = test.run_with(["doctor", "--severity", "note", "--json"]);
            assert_eq!((ran.code, findings(&ran)), (Some(0), Vec::new()), "{name} {engine}");
        }
    }
}

#[test]
fn files_that_are_not_what_their_names_say_are_findings_and_no_failures() {
    let test = Test::new()
        .write("package.json", "{ \"name\": \"web\", }\n")
        .write("api/Cargo.toml", "[package\n")
        .write("Dockerfile.good", "FROM debian:12\nRUN true\nUSER 65532\n")
        .args(["doctor", "--json"]);
    let project = test.project();
    fs::write(project.join("Dockerfile"), b"FROM debian:12\nRUN \xff\xfe\x00\n").expect("written");
    fs::write(project.join("Dockerfile.latin"), b"# caf\xe9\nFROM debian\n").expect("written");
    fs::write(project.join("Dockerfile.empty"), b"").expect("written");
    File::create(project.join("Dockerfile.huge")).and_then(|file| file.set_len(3 << 30)).expect("a file with a hole");
    symlink("Dockerfile.loop", project.join("Dockerfile.loop")).expect("linked");
    symlink("api", project.join("Dockerfile.folder")).expect("linked");
    symlink("..", project.join("api/up")).expect("linked");
    fs::create_dir(project.join("Dockerfile.d")).expect("a folder");
    fs::write(project.join(".dockerignore"), b"\xff\xfe\nnode_modules\n").expect("written");
    let ran = test.run();
    assert_eq!(ran.code, Some(4), "{ran}");
    let found = findings(&ran);
    for expected in [
        "broken-manifest package.json:1 no build gets past this: ",
        "broken-manifest api/Cargo.toml:1 no build gets past this: ",
        "dockerfile-syntax Dockerfile:1 the build stops: `line 2: the line is not valid UTF-8`",
        "dockerfile-syntax Dockerfile.empty:1 the build stops: `file with no instructions`",
        "dockerfile-syntax Dockerfile.huge:1 the build stops: `the file is larger than the 16777216 bytes",
        "dockerfile-syntax Dockerfile.latin:1 a comment has bytes that are not UTF-8",
        "dockerfile-syntax Dockerfile.loop:1 the build stops: `failed to read dockerfile`: Too many levels of symbolic links",
    ] {
        assert!(found.iter().any(|finding| finding.starts_with(expected)), "no `{expected}` in {found:#?}");
    }
    assert!(
        !found.iter().any(|finding| finding.contains("Dockerfile.good") || finding.contains("Dockerfile.folder")),
        "{found:#?}"
    );
}

#[test]
fn a_fix_replaces_no_link_and_nothing_that_is_no_text() {
    let mut test = Test::new()
        .write("package.json", "{ \"name\": \"web\", \"scripts\": { \"start\": \"node server.js\" } }\n")
        .write("package-lock.json", "{ \"name\": \"web\", \"lockfileVersion\": 3, \"packages\": {} }\n")
        .write("docker/real", "FROM node:22\r\nMAINTAINER somebody\r\nCOPY . .\r\n");
    let project = test.project();
    symlink("docker/real", project.join("Dockerfile")).expect("linked");
    fs::write(project.join(".dockerignore"), b"# \xff\n.git\n").expect("written");
    let ran = test.run_with(["doctor", "--json"]);
    let document = ran.json();
    let list = document["findings"].as_array().expect("findings");
    for rule in ["maintainer", "node-modules-not-ignored"] {
        let finding = list.iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("no {rule}: {ran}"));
        assert!(finding["fix"].is_null(), "{finding}");
    }
    test.run_with(["doctor", "--fix"]);
    assert!(fs::symlink_metadata(project.join("Dockerfile")).expect("there").is_symlink());
    assert_eq!(fs::read(project.join(".dockerignore")).expect("read"), b"# \xff\n.git\n");
    fs::remove_file(project.join("Dockerfile")).expect("removed");
    fs::rename(project.join("docker/real"), project.join("Dockerfile")).expect("renamed");
    fs::remove_file(project.join(".dockerignore")).expect("removed");
    let ran = test.run_with(["doctor", "--fix"]);
    assert!(ran.stdout.contains("+++ b/Dockerfile\n") && ran.stdout.contains("+++ b/.dockerignore\n"), "{ran}");
    let text = fs::read_to_string(project.join("Dockerfile")).expect("read");
    assert_eq!(text, "FROM node:22\r\nLABEL org.opencontainers.image.authors=\"somebody\"\r\nCOPY . .\r\n");
    assert_eq!(test.run_with(["doctor", "--fix"]).stdout.matches("+++").count(), 0);
}
