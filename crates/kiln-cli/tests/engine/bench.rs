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

use crate::support::{command, docker, environment, kiln, on_containerd, repository, this_run};

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

/// What is of this run of the tests alone: an engine finds in its cache what earlier ones built.
fn unique() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    format!("{}-{}", this_run(), since.as_millis())
}

/// A workspace of two members with one dependency. `KILN_TEST_BASES=REGISTRY/` takes its base images from there.
fn tiny(test: &str) -> Folder {
    let root = std::env::temp_dir().join(format!("kiln-engine-test-{test}-{}", this_run()));
    let _ = fs::remove_dir_all(&root);
    let manifest = |name: &str, dependencies: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{dependencies}")
    };
    let mut settings = kiln::text::Text::new(format!("[project]\nname = \"tiny-{test}-{}\"\n", this_run()));
    if let Some(bases) = environment("KILN_TEST_BASES") {
        settings += format_args!(
            "[services.tiny]\npath = \".\"\nbinary = \"tiny\"\nbuild-image = \"{bases}rust:1.95.0-slim-bookworm\"\n\
             runtime-image = \"{bases}debian:bookworm-slim\"\n"
        );
    }
    let settings = settings.finish();
    for (path, text) in [
        ("kiln.toml", settings.as_str()),
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"core\"]\n"),
        ("Cargo.lock", LOCK),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
        ("app/Cargo.toml", &manifest("tiny", "tiny-core = { path = \"../core\" }\ncfg-if = \"1\"\n")),
        ("app/src/main.rs", &format!("// {}\nfn main() {{\n    println!(\"{{}}\", tiny_core::answer());\n}}\n", unique())),
        ("core/Cargo.toml", &manifest("tiny-core", "")),
        ("core/src/lib.rs", "pub fn answer() -> u32 {\n    42\n}\n"),
    ] {
        let file = root.join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("folder is created");
        fs::write(file, text).expect("file is written");
    }
    Folder(root)
}

/// Images, containers and volumes of a bench run that the engine still has.
fn objects(name: &str) -> Vec<String> {
    let lists = [
        docker(&["images", "--all", "--format", "{{.Repository}}:{{.Tag}}"]),
        docker(&["ps", "--all", "--format", "{{.Names}}"]),
        docker(&["volume", "ls", "--format", "{{.Name}}"]),
    ];
    let named = lists.iter().flat_map(|list| list.lines()).filter(|line| line.contains(name)).map(str::to_owned);
    let labelled = docker(&["images", "--all", "--quiet", "--filter", &format!("label=kiln.bench={name}")]);
    named.chain(labelled.lines().map(str::to_owned)).collect()
}

/// Lines of the build cache that name a bench run.
fn records(name: &str) -> Vec<String> {
    let cache = docker(&["buildx", "du", "--verbose"]);
    cache.lines().filter(|line| line.contains(name)).map(str::to_owned).collect()
}

/// That nothing of a run is left, unless the engine would forget layers of others: then only what is in the build cache.
fn assert_clean(name: &str, kept: bool) {
    assert_eq!(objects(name), Vec::<String>::new());
    assert_eq!(records(name).is_empty(), !kept, "{:#?}", records(name));
}

/// Whether a bench leaves the build cache alone: the engine would forget layers with the removal of others.
fn forgets() -> bool {
    on_containerd() && environment("KILN_TEST_BASES").is_none()
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_bench_counts_what_is_compiled_and_leaves_nothing() {
    let tiny = tiny("bench");
    let args = ["bench", "--scenario", "no-op,source-bin,fresh-builder", "--against", "naive,mounts,native", "--runs", "1"];
    let document = json(&tiny.0, &[&args[..], &["--json"]].concat());
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
    if on_containerd() && !forgets() {
        // Only what is in a layer can be imported: mounts cannot, and the members never are.
        expected.extend([("fresh-builder", "kiln", 2, 0), ("fresh-builder", "naive", 2, 1), ("fresh-builder", "mounts", 2, 1)]);
    }
    assert_eq!(rows, expected, "{document:#}");
    let row = |scenario: &str, strategy: &str| {
        let is = |row: &&Value| row["name"] == scenario && row["strategy"] == strategy;
        document["scenarios"].as_array().and_then(|rows| rows.iter().find(is)).expect("a row")
    };
    for row in document["scenarios"].as_array().expect("scenarios") {
        let idle = row["name"] == "no-op" || row["strategy"] == "native";
        assert_eq!(row["steps_ran"].as_u64() == Some(0), idle, "{row:#}");
        let has_image = row["strategy"] != "native";
        assert_eq!(row["image_bytes"].is_u64(), has_image, "{row:#}");
        assert_eq!(row["layer_bytes"].as_array().map(Vec::is_empty), Some(!has_image), "{row:#}");
    }
    // A build that does nothing leaves the image that was there.
    for strategy in ["kiln", "naive", "mounts"] {
        for key in ["image_bytes", "layer_bytes"] {
            assert_eq!(row("no-op", strategy)[key], row("cold", strategy)[key], "{document:#}");
        }
    }
    let clean_up = &document["clean_up"];
    // Where layers of others would be forgotten, all of it is kept; another test has such layers for sure.
    let kept = clean_up["kept"].is_object();
    assert!(!kept || forgets(), "{clean_up:#}");
    assert_clean(document["run"].as_str().expect("a name"), kept);
    assert_eq!(clean_up["left"].as_array().map(Vec::len), Some(0), "{clean_up:#}");
    let records = if kept { &clean_up["kept"]["records"] } else { &clean_up["records"] };
    assert!(records.as_u64() > Some(10), "{clean_up:#}");
    if !kept {
        let entries: Vec<_> = fs::read_dir(tiny.0.join(".kiln/bench")).expect("folder").flatten().collect();
        assert_eq!(entries.len(), 1, "only the result is left: {entries:?}");
    }
}

/// The one JSON document that kiln prints in a folder.
fn json(root: &Path, args: &[&str]) -> Value {
    let output = command(kiln()).args(args).current_dir(root).output().expect("kiln starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON document")
}

/// A bench that goes on and has begun to measure edits, with the name of its run. It is killed when dropped.
struct Going(Child, String);

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bench_in_the_middle(root: &Path) -> Going {
    let results = root.join(".kiln/bench");
    let files = || {
        let files = fs::read_dir(&results).into_iter().flatten().flatten().map(|file| file.path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")).collect::<Vec<_>>()
    };
    let before = files();
    let mut command = command(kiln());
    command.args(["bench", "--scenario", "source-bin", "--runs", "9", "--json"]);
    let child = command.current_dir(root).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kiln starts");
    let mut going = Going(child, String::new());
    let until = Instant::now() + Duration::from_secs(300);
    loop {
        assert!(going.0.try_wait().expect("a child").is_none(), "the bench has ended before it was in the middle");
        assert!(Instant::now() < until, "the bench does not come to edits");
        let new = files().into_iter().find(|file| !before.contains(file));
        let text = new.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        if text.contains("\"line\":\"sample\",\"scenario\":\"source-bin\"") {
            let header: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("a header");
            header["name"].as_str().expect("a name").clone_into(&mut going.1);
            // In the middle of the next build.
            std::thread::sleep(Duration::from_millis(1500));
            return going;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// That `kiln build` has nothing to do, and compiles nothing but the edited crate after an edit.
fn assert_warm(root: &Path, edit: &str) {
    let idle = json(root, &["build", "--json"]);
    let ran = |document: &Value| -> Vec<String> {
        let steps = document["builds"][0]["steps"].as_array().expect("steps");
        steps.iter().filter(|step| step["status"] == "ran").map(|step| step["instruction"].to_string()).collect()
    };
    assert_eq!(ran(&idle), Vec::<String>::new(), "{edit}: steps ran, though nothing was changed");
    let main = root.join("app/src/main.rs");
    let text = fs::read_to_string(&main).expect("a file");
    let line = format!("fn main() {{\n    println!(\"{edit} {}\");\n", unique());
    fs::write(&main, text.replace("fn main() {\n", &line)).expect("written");
    let edited = json(root, &["build", "--json"]);
    let names = |key: &str| edited["builds"][0][key].as_array().expect("a list").clone();
    let crates = [names("local_crates_compiled"), names("external_crates_compiled")].concat();
    assert_eq!(crates, ["tiny (bin)"], "{edit}: {edited:#}");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn caches_of_a_warm_project_are_as_warm_behind_a_bench_whatever_becomes_of_it() {
    let tiny = tiny("warm");
    let root = tiny.0.as_path();
    json(root, &["init", "--json"]);
    json(root, &["build", "--json"]);
    assert_warm(root, "before");

    let mut interrupted = bench_in_the_middle(root);
    let pid = rustix::process::Pid::from_child(&interrupted.0);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a process");
    assert_eq!(interrupted.0.wait().expect("an end").code(), Some(130));
    assert_clean(&interrupted.1, forgets());
    assert_warm(root, "interrupted");

    let kill = |mut going: Going| {
        going.0.kill().expect("a process");
        going.0.wait().expect("an end");
        assert_ne!(records(&going.1), Vec::<String>::new(), "a killed run cannot clean up");
        going.1.clone()
    };
    let continued = kill(bench_in_the_middle(root));
    let document = json(root, &["bench", "--continue", "--json"]);
    assert_eq!(document["run"], continued.as_str());
    let is_edit = |row: &&Value| row["name"] == "source-bin";
    let edits = document["scenarios"].as_array().and_then(|rows| rows.iter().find(is_edit)).expect("edits");
    assert_eq!(edits["samples"], 9, "{document:#}");
    // In the engine it went on under another name, which no document tells.
    let (any_run, _) = continued.rsplit_once('-').expect("a number");
    assert_clean(any_run, forgets());
    assert_warm(root, "continued");

    let killed = kill(bench_in_the_middle(root));
    assert_warm(root, "killed");

    // It takes mounts and layers away from itself, and cleans up behind the one that was killed.
    let scenarios = if forgets() { "source-bin" } else { "source-bin,gc-ed-mount" };
    let document = json(root, &["bench", "--scenario", scenarios, "--runs", "1", "--json"]);
    assert_clean(any_run, forgets());
    assert_clean(&killed, forgets());
    assert_clean(document["run"].as_str().expect("a name"), forgets());
    assert_warm(root, "whole");
    if forgets() {
        // Who says so has all of it removed, at the price that is told.
        let document = json(root, &["bench", "--scenario", "gc-ed-mount", "--runs", "1", "--prune", "--json"]);
        for name in [any_run, &interrupted.1, &killed, document["run"].as_str().expect("a name")] {
            assert_clean(name, false);
        }
    }
    let left = fs::read_dir(root.join(".kiln/bench")).expect("a folder").flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("work-")).collect();
    assert!(left.is_empty(), "{left:?}");
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
    let folder = Folder(std::env::temp_dir().join(format!("kiln-engine-test-check-{}", this_run())));
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
