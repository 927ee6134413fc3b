//! Seeds: a layer that one engine published is where another, empty one starts.
//!
//! Needs the test bed's registry besides an engine, and starts a second engine, which has a network, and so a localhost, of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::own_engine::OwnEngine;
use crate::support::{Build, command, environment, kiln, this_run};

const IMAGES: [&str; 2] = ["rust:1.95.0-slim-bookworm", "debian:bookworm-slim"];

/// A small program with a dozen crates, some with build scripts.
struct Program {
    root: PathBuf,
    name: String,
    registry: String,
}

impl Program {
    fn new() -> Self {
        let name = format!("seed-test-{}", this_run());
        let root = std::env::temp_dir().join(format!("kiln-engine-test-{name}"));
        let _ = fs::remove_dir_all(&root);
        let registry = environment("KILN_TEST_REGISTRY").expect("KILN_TEST_REGISTRY names a registry: run `make engine-test`");
        let program = Self { root, name, registry };
        program.write("kiln.toml", &format!("[project]\nname = \"{}\"\n", program.name));
        // Part of the recipe: else the engine would have the layer of an earlier run, and cook nothing.
        program.write(".cargo/config.toml", &format!("[env]\nRUN = \"{}\"\n", program.name));
        program.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n");
        program.write("src/main.rs", "fn main() { println!(\"{}\", http::StatusCode::OK); }\n");
        program.write(".git/refs/heads/main", "0123456789abcdef\n");
        program.write(".git/refs/heads/fix/1", "0123456789abcdef\n");
        program.itoa("1.0.14");
        program.branch("main");
        program.kiln(&["init"], None);
        program
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folder is created");
        fs::write(path, text).expect("file is written");
    }

    /// Chooses the version of a crate that another one, `http`, depends on.
    fn itoa(&self, version: &str) {
        let manifest = format!(
            "[package]\nname = \"seeded\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nitoa = \"={version}\"\n\
             http = \"=1.2.0\"\nbytes = \"=1.10.1\"\nfnv = \"=1.0.7\"\nanyhow = \"=1.0.98\"\nlibc = \"=0.2.172\"\nsemver = \"=1.0.26\"\n\
             memchr = \"=2.7.4\"\nryu = \"=1.0.20\"\ncfg-if = \"=1.0.0\"\nsmallvec = \"=1.15.0\"\nbitflags = \"=2.9.1\"\nhex = \"=0.4.3\"\n"
        );
        self.write("Cargo.toml", &manifest);
        let made =
            command("cargo").args(["update", "--workspace", "--quiet"]).current_dir(&self.root).status().expect("cargo starts");
        assert!(made.success(), "cargo makes a lock");
    }

    fn branch(&self, name: &str) {
        self.write(".git/HEAD", &format!("ref: refs/heads/{name}\n"));
    }

    fn reference(&self, tag: &str) -> String {
        format!("{}/kiln/{}:{tag}", self.registry, self.name)
    }

    fn kiln(&self, arguments: &[&str], engine: Option<&str>) -> Output {
        let mut kiln = command(kiln());
        kiln.args(arguments).current_dir(&self.root);
        if let Some(engine) = engine {
            kiln.env("DOCKER_HOST", engine);
        }
        let output = kiln.output().expect("kiln starts");
        let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kiln {arguments:?} failed with {}:\n{text}", output.status);
        output
    }

    fn build(&self, arguments: &[&str], engine: Option<&str>) -> Build {
        self.build_with("plain", arguments, engine)
    }

    fn build_with(&self, progress: &str, arguments: &[&str], engine: Option<&str>) -> Build {
        let all: Vec<&str> = ["build", "--json", "--progress", progress].iter().chain(arguments).copied().collect();
        let output = self.kiln(&all, engine);
        Build {
            document: serde_json::from_slice(&output.stdout).expect("stdout is one JSON document"),
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What cargo itself compiles here after what it has compiled before: `name version`.
    fn native(&self) -> BTreeSet<String> {
        let output = command("cargo")
            .args(["build", "--release", "--quiet", "--message-format=json"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.with_extension("native"))
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let compiled = messages.filter(|message| message["reason"] == "compiler-artifact" && message["fresh"] == false);
        let ids = compiled.filter_map(|message| message["package_id"].as_str().map(str::to_owned));
        ids.filter_map(|id| Some(id.strip_prefix("registry+")?.rsplit_once('#')?.1.replace('@', " "))).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
        let _ = fs::remove_dir_all(self.root.with_extension("native"));
        let _ = command("docker").args(["rmi", "--force", &format!("{}/seeded:latest", self.name)]).output();
    }
}

/// Starts an engine that has base images and nothing else, but reaches a registry.
fn empty_engine() -> OwnEngine {
    let engine = OwnEngine::up("kiln-seed-test", &["--store", "containerd"]);
    engine.registry();
    engine.images(&IMAGES);
    engine
}

fn externals(build: &Build) -> BTreeSet<String> {
    let crates = build.service("seeded")["external_crates_compiled"].as_array().expect("a list").iter();
    crates
        .filter_map(Value::as_str)
        .map(|name| name.split(' ').take(2).collect::<Vec<_>>().join(" ").replace(" v", " "))
        .collect()
}

/// What the steps printed, from events as JSON lines.
fn output_of_steps(build: &Build) -> String {
    let events = build.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["event"] == "step-log").filter_map(|event| event["text"].as_str().map(str::to_owned)).collect()
}

fn ran(build: &Build) -> Vec<String> {
    build.stages_that_ran("seeded")
}

#[test]
#[ignore = "needs a Docker Engine and a registry: run `make engine-test`"]
fn an_empty_engine_compiles_and_downloads_what_differs_from_the_nearest_published_layer() {
    let program = Program::new();
    let template = program.reference("{service}-{variant}-{branch}");
    let main = program.reference("seeded-prod-main");

    // One engine builds and publishes; a second time there is nothing to do.
    let build = program.build(&["--seed-to", &template], None);
    let all = externals(&build);
    assert!(all.len() >= 12 && build.log.contains(&format!("as `{main}`")), "{all:?}\n{}", build.log);
    assert_eq!(program.native(), all, "kiln compiles what cargo does");
    let build = program.build(&["--seed-to", &template], None);
    assert!(ran(&build).is_empty() && build.log.contains("has these dependencies already"), "{}", build.log);

    // The recipe changes. The builder that has compiled it needs no seed.
    program.branch("fix/1");
    program.itoa("1.0.15");
    let native = program.native();
    assert_eq!(native, ["http 1.2.0", "itoa 1.0.15"].map(str::to_owned).into(), "what cargo compiles again");
    let seeds = ["--seed", template.as_str(), "--seed", main.as_str()];
    let build = program.build(&seeds, None);
    assert_eq!((externals(&build), &build.service("seeded")["seed"]), (native.clone(), &Value::Null), "{}", build.log);

    // An engine that has nothing takes main's, since the branch has published none.
    fs::remove_file(program.root.join(".kiln/seeds.json")).expect("what this checkout remembers of the other engine");
    let empty = empty_engine();
    let build = program.build_with("json", &seeds, Some(&empty.host));
    let said = output_of_steps(&build);
    assert_eq!(externals(&build), native, "{said}");
    let downloaded: BTreeSet<&str> = said
        .lines()
        .filter_map(|line| line.split_once("Downloaded "))
        .map(|(_, what)| what.trim())
        .filter(|what| what.contains(" v"))
        .collect();
    assert_eq!(downloaded, BTreeSet::from(["itoa v1.0.15"]), "{said}");
    let pin = build.service("seeded")["seed"].as_str().expect("a seed").to_owned();
    assert!(pin.starts_with(&format!("{}/kiln/{}@sha256:", program.registry, program.name)), "{pin}");

    // The seed is pinned: nothing runs again, whatever main publishes, and without being asked for.
    for arguments in [seeds.as_slice(), &[]] {
        let build = program.build(arguments, Some(&empty.host));
        assert_eq!((ran(&build), &build.service("seeded")["seed"]), (Vec::new(), &Value::from(pin.as_str())), "{}", build.log);
    }

    // A pin that its registry has forgotten costs a cook on a warm mount, not the build.
    let file = program.root.join(".kiln/seeds.json");
    let pins = fs::read_to_string(&file).expect("pins");
    let digest = pin.split_once("@sha256:").expect("a digest").1;
    fs::write(&file, pins.replace(digest, &"0".repeat(64))).expect("written");
    let build = program.build(&seeds, Some(&empty.host));
    assert!(build.log.contains("going on without its seed"), "{}", build.log);
    assert_eq!((externals(&build), &build.service("seeded")["seed"]), (BTreeSet::new(), &Value::Null), "{}", build.log);
    assert_eq!(ran(&program.build(&seeds, Some(&empty.host))), Vec::<String>::new());
}
