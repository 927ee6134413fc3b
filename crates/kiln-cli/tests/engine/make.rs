//! The targets of `kiln.mk` in a clean clone of a small repository that has a Makefile of its own, and `kiln refresh` with base images from a
//! registry, one of which moves.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{Copy, command, docker, environment, git, kiln, this_run};

const BUILD: &str = "rust:1.95.0-slim-bookworm";
const RUNTIME: &str = "debian:bookworm-slim";

/// A clone as a colleague gets it. It goes with its value.
struct Clone {
    folder: tempfile::TempDir,
}

impl Clone {
    fn of(copy: &Copy) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let git = |arguments: &[&str]| git(&copy.root, arguments);
        git(&["init", "-q", "-b", "main"]);
        git(&["add", "--all"]);
        git(&["commit", "-q", "-m", "all"]);
        git(&["clone", "-q", ".", &folder.path().join("clone").to_string_lossy()]);
        Self { folder }
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("clone")
    }

    /// `make TARGET ARGS=…`, as a person types it; `kiln` is the one under test.
    fn make(&self, target: &str, arguments: &str) -> Output {
        let program = format!("KILN={}", kiln().display());
        let arguments = format!("ARGS={arguments}");
        command("make").args(["--silent", target, &program, &arguments]).current_dir(self.root()).output().expect("make starts")
    }

    fn document(&self, target: &str, arguments: &str) -> Value {
        let output = self.make(target, &format!("{arguments} --json --progress plain"));
        assert!(output.status.success(), "{target}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("stdout is one JSON document")
    }

    /// Names of the targets that pass.
    fn targets(document: &Value, passes: impl Fn(&Value) -> bool) -> Vec<&str> {
        list(document, "targets")
            .iter()
            .filter(|target| passes(target))
            .map(|target| target["name"].as_str().unwrap_or("?"))
            .collect()
    }

    /// Steps that a build of everything runs.
    fn steps_that_run(&self) -> Vec<String> {
        let document = self.document("docker-build", "");
        let steps = list(&document, "builds").iter().flat_map(|build| list(build, "steps"));
        steps.filter(|step| step["status"] == "ran").map(|step| step["instruction"].to_string()).collect()
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("no `{name}` in {value:#}"))
}

/// An image under a name of this run in the registry of the tests; the engine forgets the name when dropped.
struct Published(String);

impl Published {
    fn new(image: &str, name: &str) -> Self {
        let registry = environment("KILN_TEST_REGISTRY").expect("KILN_TEST_REGISTRY: run `make engine-test`");
        let published = Self(format!("{registry}/kiln-test-{}/{name}:1", this_run()));
        docker(&["tag", image, &published.0]);
        docker(&["push", "--quiet", &published.0]);
        published
    }

    /// The registry has another image of this name from now on, and the engine still the old one.
    fn move_on(&self, folder: &Path) {
        let next = format!("{}-next", self.0);
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join("Dockerfile"), format!("# {}\nFROM {}\nCOPY Dockerfile /moved\n", this_run(), self.0))
            .expect("written");
        docker(&["build", "--quiet", "--provenance=false", "--tag", &next, &folder.to_string_lossy()]);
        let before = docker(&["image", "inspect", "--format", "{{.Id}}", &self.0]);
        docker(&["tag", &next, &self.0]);
        docker(&["push", "--quiet", &self.0]);
        docker(&["tag", &before, &self.0]);
        docker(&["image", "rm", &next]);
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let _ = command("docker").args(["image", "rm", "--force", &self.0]).output();
    }
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn the_targets_warm_show_refresh_and_clean() {
    let (build, runtime) = (Published::new(BUILD, "build"), Published::new(RUNTIME, "runtime"));
    let copy = Copy::of(
        "make",
        &[
            ("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
            ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n"),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
            ("Makefile", "hello:\n\t@echo of mine\n"),
        ],
    );
    copy.write("src/main.rs", &format!("fn main() {{ println!(\"{}\"); }}\n", copy.project));
    let service = format!(
        "\n[services.app]\npath = \".\"\nbinary = \"app\"\nbuild-image = \"{}\"\nruntime-image = \"{}\"\n",
        build.0, runtime.0
    );
    copy.write("kiln.toml", &format!("[project]\nname = \"{}\"\n{service}", copy.project));
    copy.run(&["init"]);
    let clone = Clone::of(&copy);
    assert_eq!(String::from_utf8_lossy(&clone.make("hello", "").stdout), "of mine\n", "the Makefile is still its owner's");

    let warmed = clone.document("warm-cache", "");
    assert!(!Clone::targets(&warmed, |target| target["status"] == "built").is_empty(), "{warmed:#}");
    assert_eq!(clone.steps_that_run(), Vec::<String>::new(), "all of it is warm");
    let status = clone.document("cache-status", "");
    assert!(status["totals"]["project"]["bytes"].as_u64() > Some(0) && !list(&status, "tags").is_empty(), "{status:#}");

    // Nothing has moved; then the runtime's name stands for another image.
    let refreshed = clone.document("refresh-cache", "app");
    assert_eq!(Clone::targets(&refreshed, |target| target["moved"].is_object()), Vec::<&str>::new(), "{refreshed:#}");
    assert_eq!(Clone::targets(&refreshed, |target| target["status"] != "warm"), Vec::<&str>::new(), "{refreshed:#}");
    runtime.move_on(&copy.root.join("moved"));
    let refreshed = clone.document("refresh-cache", "app");
    assert_eq!(Clone::targets(&refreshed, |target| target["moved"].is_object()), [runtime.0.as_str()], "{refreshed:#}");
    let built = Clone::targets(&refreshed, |target| target["kind"] == "stage" && target["status"] == "built");
    assert_eq!(built, ["app-prod-runtime"], "what lies on it is made again, and nothing else: {refreshed:#}");
    assert_eq!(clone.steps_that_run(), Vec::<String>::new(), "all of it is warm again");

    let cleaned = clone.document("clean-cache", "--all");
    assert!(!list(&cleaned, "removed").is_empty(), "{cleaned:#}");
    let status = clone.document("cache-status", "");
    assert_eq!(list(&status, "tags"), &Vec::<Value>::new());
    let left: Vec<&Value> = list(&status, "entries").iter().filter(|entry| entry["shared"] != "others").collect();
    assert!(cleaned["forgets"].is_object() || left.is_empty(), "{left:#?}\n{cleaned:#}");
}
