//! `kiln bench` on a small workspace: it measures what it says, and leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use kiln::dockerfile::{Peer, render_peer};
use kiln::plan::ImageEngine;
use kiln::settings::{At, Settings};
use serde_json::Value;

use crate::support::{command, docker, kiln, repository};

const LOCK: &str = r#"version = 4

[[package]]
name = "cfg-if"
version = "1.0.4"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "9330f8b2ff13f34540b44e946ef35111825727b38d33286ef986142615121801"

[[package]]
name = "tiny"
version = "0.1.0"
dependencies = [
 "cfg-if",
 "tiny-core",
]

[[package]]
name = "tiny-core"
version = "0.1.0"
"#;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tiny() -> Folder {
    let root = std::env::temp_dir().join(format!("kiln-engine-test-bench-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    let manifest = |name: &str, dependencies: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{dependencies}")
    };
    for (path, text) in [
        ("kiln.toml", "[project]\nname = \"tiny\"\n"),
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"core\"]\n"),
        ("Cargo.lock", LOCK),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
        ("app/Cargo.toml", &manifest("tiny", "tiny-core = { path = \"../core\" }\ncfg-if = \"1\"\n")),
        ("app/src/main.rs", "fn main() {\n    println!(\"{}\", tiny_core::answer());\n}\n"),
        ("core/Cargo.toml", &manifest("tiny-core", "")),
        ("core/src/lib.rs", "pub fn answer() -> u32 {\n    42\n}\n"),
    ] {
        let file = root.join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("folder is created");
        fs::write(file, text).expect("file is written");
    }
    Folder(root)
}

/// What the engine has of bench runs of this project.
fn left(name: &str) -> Vec<String> {
    let lists = [
        docker(&["images", "--all", "--format", "{{.Repository}}:{{.Tag}}"]),
        docker(&["ps", "--all", "--format", "{{.Names}}"]),
        docker(&["volume", "ls", "--format", "{{.Name}}"]),
        docker(&["buildx", "du", "--verbose"]),
        docker(&["images", "--all", "--quiet", "--filter", &format!("label=kiln.bench={name}")]),
    ];
    let [names @ .., labelled] = lists;
    let named = names.iter().flat_map(|list| list.lines()).filter(|line| line.contains(name));
    named.chain(labelled.lines()).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_bench_counts_what_is_compiled_and_leaves_nothing() {
    let tiny = tiny();
    let exports = docker(&["info", "--format", "{{.DriverStatus}}"]).contains("io.containerd.snapshotter");
    let scenarios = "no-op,source-bin,fresh-builder";
    let args = ["bench", "--scenario", scenarios, "--against", "naive,mounts,native", "--runs", "2", "--json"];
    let output = command(kiln()).args(args).current_dir(&tiny.0).output().expect("kiln starts");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON document");
    let rows: Vec<_> = document["scenarios"]
        .as_array()
        .expect("scenarios")
        .iter()
        .map(|row| {
            let number = |key: &str| row[key].as_u64().expect("a number");
            let text = |key: &str| row[key].as_str().expect("text");
            (text("name"), text("strategy"), number("local_crates_compiled"), number("external_crates_compiled"))
        })
        .collect();
    let mut expected = vec![
        // A first build compiles everything.
        ("cold", "kiln", 2, 1),
        ("cold", "naive", 2, 1),
        ("cold", "mounts", 2, 1),
        ("cold", "native", 2, 1),
        ("no-op", "kiln", 0, 0),
        ("no-op", "naive", 0, 0),
        ("no-op", "mounts", 0, 0),
        ("no-op", "native", 0, 0),
        ("source-bin", "kiln", 1, 0),
        ("source-bin", "naive", 2, 1),
        ("source-bin", "mounts", 1, 0),
        ("source-bin", "native", 1, 0),
    ];
    if exports {
        // Only what is in a layer can be imported: mounts cannot, and the members never are.
        expected.extend([("fresh-builder", "kiln", 2, 0), ("fresh-builder", "naive", 2, 1), ("fresh-builder", "mounts", 2, 1)]);
    }
    assert_eq!(rows, expected, "{document:#}");
    for row in document["scenarios"].as_array().expect("scenarios") {
        let idle = row["name"] == "no-op" || row["strategy"] == "native";
        assert_eq!(row["steps_ran"].as_u64() == Some(0), idle, "{row:#}");
        // Where nothing ran the layers may not have been asked for.
        if row["name"] != "no-op" {
            let image = row["strategy"] != "native";
            assert_eq!(row["layer_bytes"].as_array().map(Vec::is_empty), Some(!image), "{row:#}");
        }
    }
    let name = document["run"].as_str().expect("a name");
    assert_eq!(left(name), Vec::<String>::new());
    assert_eq!(document["clean_up"]["left"].as_array().map(Vec::len), Some(0), "{document:#}");
    assert!(document["clean_up"]["records"].as_u64() > Some(10), "{:#}", document["clean_up"]);
    let entries: Vec<_> = fs::read_dir(tiny.0.join(".kiln/bench")).expect("folder").flatten().collect();
    assert_eq!(entries.len(), 1, "only the result is left: {entries:?}");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn the_usual_dockerfiles_pass_the_check_of_buildkit() {
    let root = repository().join("examples/kiro");
    let root = Utf8Path::from_path(&root).expect("UTF-8");
    let project = kiln::project::look(root).expect("kiro is read");
    let mut settings = Settings::load(root).expect("settings are read");
    settings.project.engine = Some(At { value: ImageEngine::Chef, line: 0 });
    let plan = kiln::plan::plan(&project, &settings);
    let folder = Folder(std::env::temp_dir().join(format!("kiln-engine-test-check-{}", std::process::id())));
    fs::create_dir_all(&folder.0).expect("folder is created");
    for service in &plan.services {
        for peer in [Peer::Naive, Peer::Mounts, Peer::Chef] {
            let Some(dockerfile) = render_peer(&plan, service, peer, "/kiln-bench/check-0") else { continue };
            let file = folder.0.join(format!("{}-{peer:?}.Dockerfile", service.name));
            fs::write(&file, dockerfile.to_string()).expect("file is written");
            let context = root.join(&service.context);
            check(&file, context.as_std_path());
        }
    }
}

fn check(file: &Path, context: &Path) {
    let output = command("docker").args(["build", "--check", "--file"]).arg(file).arg(context).output().expect("docker starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("Check complete, no warnings found."), "{}: {text}", file.display());
}
