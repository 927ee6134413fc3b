//! `kiln bench` on a small workspace: it measures what it says, and leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

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
        let image = row["strategy"] != "native" && !idle;
        assert_eq!(row["layer_bytes"].as_array().map(Vec::is_empty), Some(!image), "{row:#}");
    }
    let name = document["run"].as_str().expect("a name");
    assert_eq!(left(name), Vec::<String>::new());
    assert_eq!(document["clean_up"]["left"].as_array().map(Vec::len), Some(0), "{document:#}");
    assert!(document["clean_up"]["records"].as_u64() > Some(10), "{:#}", document["clean_up"]);
    let entries: Vec<_> = fs::read_dir(tiny.0.join(".kiln/bench")).expect("folder").flatten().collect();
    assert_eq!(entries.len(), 1, "only the result is left: {entries:?}");
}

/// The one JSON document that kiln prints in a folder.
fn json(root: &Path, args: &[&str]) -> Value {
    let output = command(kiln()).args(args).current_dir(root).output().expect("kiln starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON document")
}

/// A bench that goes on, once it has begun to measure edits.
fn bench_in_the_middle(root: &Path, folder_of_results: &Path) -> Child {
    let mut command = command(kiln());
    command.args(["bench", "--scenario", "source-bin", "--against", "naive", "--runs", "9", "--slow-runs", "9", "--json"]);
    let mut child = command.current_dir(root).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kiln starts");
    let until = Instant::now() + Duration::from_secs(300);
    let measures_edits = || {
        let files = fs::read_dir(folder_of_results).into_iter().flatten().flatten();
        let mut texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        texts.any(|text| !text.contains("\"line\":\"end\"") && text.contains("\"line\":\"sample\",\"scenario\":\"source-bin\""))
    };
    while !measures_edits() {
        assert!(child.try_wait().expect("a child").is_none(), "the bench has ended before it was in the middle");
        assert!(Instant::now() < until, "the bench does not come to edits");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

/// Crates that `kiln build` compiles after an edit, and whether it ran nothing before it.
fn warmth(root: &Path, edit: &str) -> (Vec<String>, usize) {
    let steps = |document: &Value| {
        let steps = document["builds"][0]["steps"].as_array().expect("steps");
        steps.iter().filter(|step| step["status"] == "ran").count()
    };
    let idle = steps(&json(root, &["build", "--json"]));
    let main = root.join("app/src/main.rs");
    let text = fs::read_to_string(&main).expect("a file");
    fs::write(&main, text.replace("fn main() {\n", &format!("fn main() {{\n    println!(\"{edit}\");\n"))).expect("written");
    let edited = json(root, &["build", "--json"]);
    let names = |key: &str| edited["builds"][0][key].as_array().expect("a list").clone();
    let crates = [names("local_crates_compiled"), names("external_crates_compiled")].concat();
    (crates.iter().map(|name| name.as_str().expect("text").to_owned()).collect(), idle)
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn caches_of_a_warm_project_are_as_warm_behind_a_bench_whatever_becomes_of_it() {
    let tiny = tiny();
    let root = tiny.0.as_path();
    let results = root.join(".kiln/bench");
    json(root, &["init", "--json"]);
    json(root, &["build", "--json"]);
    assert_eq!(warmth(root, "warm"), (vec!["tiny (bin)".to_owned()], 0), "the project is not warm to begin with");

    let document = json(root, &["bench", "--scenario", "source-bin,gc-ed-mount,fresh-builder", "--runs", "1", "--json"]);
    assert_eq!(warmth(root, "whole"), (vec!["tiny (bin)".to_owned()], 0));
    assert_eq!(left(document["run"].as_str().expect("a name")), Vec::<String>::new());

    let name = || {
        let files =
            fs::read_dir(&results).expect("a folder").flatten().map(|file| file.file_name().into_string().expect("UTF-8"));
        files.filter_map(|file| file.strip_prefix("work-").map(str::to_owned)).max().expect("a run that goes on")
    };
    let mut interrupted = bench_in_the_middle(root, &results);
    let run = name();
    let pid = rustix::process::Pid::from_child(&interrupted);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a process");
    assert_eq!(interrupted.wait().expect("an end").code(), Some(130));
    assert_eq!(left(&run), Vec::<String>::new(), "an interrupted run cleans up");
    assert_eq!(warmth(root, "interrupted"), (vec!["tiny (bin)".to_owned()], 0));

    fs::remove_dir_all(&results).expect("removed");
    let mut killed = bench_in_the_middle(root, &results);
    let run = name();
    killed.kill().expect("a process");
    killed.wait().expect("an end");
    assert_ne!(left(&run), Vec::<String>::new(), "a killed run cannot clean up");
    assert_eq!(warmth(root, "killed"), (vec!["tiny (bin)".to_owned()], 0));
    // Builds that nobody waits for go on for a moment.
    std::thread::sleep(Duration::from_secs(10));
    json(root, &["bench", "--scenario", "no-op", "--runs", "1", "--json"]);
    assert_eq!(left(&run), Vec::<String>::new(), "the next run cleans up behind it");
    assert!(!results.join(format!("work-{run}")).exists());
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
