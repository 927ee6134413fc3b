//! Caches outside of the engine: what a fresh builder does with one.
//!
//! On an engine of its own with the containerd store, which can export; `prune --all` makes it as fresh as a new one, mounts and all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::own_engine::{OwnEngine, succeeded};
use crate::support::{command, copy_tree, kiln, this_run};

const MAIN: &str = "crates/shop/src/main.rs";

const IMAGES: [&str; 3] = ["rust:1.95.0-slim-bookworm", "debian:bookworm-slim", "node:20-bookworm-slim"];

/// An engine that can export, with a registry.
fn engine(name: &'static str) -> OwnEngine {
    let engine = OwnEngine::up(name, &["--store", "containerd"]);
    engine.registry();
    engine.images(&IMAGES);
    engine
}

/// Forgets every build: layers, cache mounts and images of the shop.
fn forget(engine: &OwnEngine) {
    engine.docker(&["rmi", "--force", "shop-test/shop", "shop-test/web", "kiln"]);
    engine.docker(&["buildx", "prune", "--all", "--force"]);
    assert_eq!(engine.docker(&["buildx", "du", "--format", "json"]).trim(), "", "the builder is fresh");
}

/// A copy of the small workspace beside this file: a Rust service with twelve dependencies and a Node service.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/shop"), &folder.path().join("shop"));
        let shop = Self { folder };
        succeeded(command(kiln()).arg("init").current_dir(shop.root()).output());
        shop
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.root().join(MAIN);
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "`{from}` stands in {text}");
        fs::write(path, text.replace(from, to)).expect("written");
    }

    fn try_build(&self, host: Option<&str>, branch: &str, arguments: &[&str]) -> Output {
        let mut command = command(kiln());
        command.args(["build", "--json", "--progress", "plain"]).args(arguments).env("KILN_BRANCH", branch);
        if let Some(host) = host {
            command.env("DOCKER_HOST", host);
        }
        command.current_dir(self.root()).output().expect("kiln starts")
    }

    fn build(&self, engine: &OwnEngine, branch: &str, arguments: &[&str]) -> Build {
        let output = self.try_build(Some(&engine.host), branch, arguments);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{log}");
        Build {
            document: serde_json::from_slice(&output.stdout).expect("a document"),
            log,
            records: self.root().join(".kiln/builds"),
        }
    }
}

struct Build {
    document: Value,
    log: String,
    records: PathBuf,
}

impl Build {
    fn builds(&self) -> impl Iterator<Item = &Value> {
        self.document["builds"].as_array().into_iter().flatten()
    }

    /// `service stage` of each step that ran.
    fn ran(&self) -> Vec<String> {
        let mut ran: Vec<String> = Vec::new();
        for build in self.builds() {
            let steps = build["steps"].as_array().into_iter().flatten().filter(|step| step["status"] == "ran");
            ran.extend(
                steps.map(|step| {
                    format!("{} {}", build["service"].as_str().unwrap_or("?"), step["stage"].as_str().unwrap_or("?"))
                }),
            );
        }
        ran.dedup();
        ran
    }

    fn crates(&self, kind: &str) -> Vec<&str> {
        let names = self.builds().flat_map(|build| build[kind].as_array().into_iter().flatten());
        names.filter_map(|name| name.as_str()?.split(' ').next()).collect()
    }

    /// What the steps of the last builds printed, from their records.
    fn output_of_steps(&self) -> String {
        let mut records: Vec<PathBuf> =
            fs::read_dir(&self.records).expect("records").map(|entry| entry.expect("an entry").path()).collect();
        records.sort();
        let last = records.len().saturating_sub(self.builds().count());
        records[last..].iter().map(|path| fs::read_to_string(path).expect("a record")).collect()
    }

    /// An edit of the program: its step and what comes behind it ran, the members were compiled, and nothing was fetched.
    #[track_caller]
    fn assert_only_the_edit(&self) {
        assert_eq!(self.ran(), ["shop planner", "shop builder", "shop runtime"], "{}", self.log);
        let mut local = self.crates("local_crates_compiled");
        local.sort_unstable();
        assert_eq!(local, ["greeting", "shop"], "the members, since the mount of the old build is gone");
        assert_eq!(self.crates("external_crates_compiled"), Vec::<&str>::new());
        let output = self.output_of_steps();
        for word in ["Downloading", "Downloaded", "Updating"] {
            assert!(!output.contains(word) && !self.log.contains(word), "`{word}` is in the output of a step");
        }
    }
}

/// The blobs of a cache folder that are there, and those that its index names.
fn blobs(cache: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let read = |path: PathBuf| serde_json::from_slice::<Value>(&fs::read(path).expect("read")).expect("JSON");
    let folder = cache.join("blobs/sha256");
    let name = |descriptor: &Value| descriptor["digest"].as_str().expect("a digest").trim_start_matches("sha256:").to_owned();
    let mut named = BTreeSet::new();
    for entry in read(cache.join("index.json"))["manifests"].as_array().expect("manifests") {
        let manifest = read(folder.join(name(entry)));
        named.extend([name(entry), name(&manifest["config"])]);
        named.extend(manifest["layers"].as_array().expect("layers").iter().map(name));
    }
    let there =
        fs::read_dir(folder).expect("blobs").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    (there.collect(), named)
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_fresh_builder_with_an_imported_cache_does_the_work_of_the_edit_only() {
    let engine = &engine("cache-test");
    let shop = Shop::new();
    let cache = shop.folder.path().join("cache");
    let registry = format!("localhost:5000/kiln-test-{}:{{service}}-{{branch}}", this_run());
    let (to_local, from_local) = (format!("type=local,dest={}", cache.display()), format!("type=local,src={}", cache.display()));

    let first = shop.build(engine, "main", &["--cache-to", &to_local, "--cache-to", &registry]);
    assert_eq!(first.crates("external_crates_compiled").len(), 12, "{}", first.log);
    assert!(!first.log.contains("not written"), "{}", first.log);
    let printed = engine.docker(&["run", "--rm", "shop-test/shop"]);

    forget(engine);
    let unchanged = shop.build(engine, "main", &["--cache-from", &from_local]);
    assert_eq!(unchanged.ran(), Vec::<String>::new(), "{}", unchanged.log);
    assert_eq!(engine.docker(&["run", "--rm", "shop-test/shop"]), printed);
    assert_eq!(engine.docker(&["run", "--rm", "shop-test/web"]).trim(), "sleeps 9s");

    // The cache replaces itself: what the edit made replaces what it was before.
    forget(engine);
    shop.edit(" at {}", " from the folder {}");
    let (before, _) = blobs(&cache);
    let edited = shop.build(engine, "main", &["--cache-from", &from_local, "--cache-to", &to_local]);
    edited.assert_only_the_edit();
    assert!(engine.docker(&["run", "--rm", "shop-test/shop"]).contains("from the folder"));
    let (there, named) = blobs(&cache);
    assert_eq!(there, named, "nothing of the old cache is left over");
    assert!(!there.is_superset(&before), "what the edit replaced is gone");

    // A branch that has no cache yet takes that of `main`.
    forget(engine);
    shop.edit(" from the folder {}", " from the registry {}");
    let main = registry.replace("{branch}", "main");
    let edited = shop.build(engine, "feature/x", &["--cache-from", &registry, "--cache-from", &main]);
    edited.assert_only_the_edit();
    let absent = registry.replace("{service}-{branch}", "shop-feature-x");
    assert!(edited.log.contains(&format!("cache `{absent}` not used: there is none yet")), "{}", edited.log);
    assert!(engine.docker(&["run", "--rm", "shop-test/shop"]).contains("from the registry"));

    // Neither a cache that is not there nor one that cannot be written costs an image.
    let nowhere =
        ["--cache-from", "type=local,src=nowhere", "--cache-from", "localhost:1/x", "--cache-to", "localhost:1/{service}"];
    let built = shop.build(engine, "main", &nowhere);
    assert!(
        built.log.contains("cache `localhost:1/x` not used: ") && built.log.contains("/nowhere` not used: there is none yet")
    );
    assert!(built.log.contains("warning: the cache of `shop` (prod) was not written (registry): "), "{}", built.log);
}

/// The commands of the workflow of `kiln init --ci github`, as they stand: what a run on the main branch leaves in the registry is what a
/// run on a branch begins with.
#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn the_workflow_keeps_its_cache_in_the_registry() {
    let engine = &engine("workflow-test");
    let shop = &Shop::new();
    // Its quickest service: what counts is the image of kiln that a build leaves.
    shop.build(engine, "main", &["web"]);
    succeeded(command(kiln()).args(["init", "--ci", "github"]).current_dir(shop.root()).output());
    let tool = format!("localhost:5000/acme-{0}/kiln:{1}", this_run(), env!("CARGO_PKG_VERSION"));
    engine.docker(&["tag", "kiln:latest", &tool]);
    engine.docker(&["push", "--quiet", &tool]);
    let cooked = "\"phase\":\"cook\"";
    forget(engine);
    let first = workflow(engine, shop, "main");
    assert!(first.contains(cooked), "{first}");
    forget(engine);
    let second = workflow(engine, shop, "feature/x y");
    assert!(!second.contains(cooked) && second.contains("CACHED"), "{second}");
    // The branch has a cache of its own now.
    forget(engine);
    let third = workflow(engine, shop, "feature/x y");
    assert!(!third.contains(cooked), "{third}");
    for target in ["shop-prod", "web-prod"] {
        let missing = format!("localhost:5000/acme-{}/shop/cache:{target}-feature-x-y: not found", this_run());
        assert!(second.contains(&missing) && !third.contains(&missing), "{missing}\n{second}\n{third}");
    }
}

/// Runs the commands of the job that builds, as a runner does; gives what the last one printed.
fn workflow(engine: &OwnEngine, shop: &Shop, branch: &str) -> String {
    let text = fs::read_to_string(shop.root().join(".github/workflows/images.yml")).expect("a workflow");
    let workflow: Value = serde_saphyr::from_str(&text).expect("YAML");
    let folder = tempfile::tempdir().expect("a folder");
    let variables = folder.path().join("env");
    fs::write(&variables, "").expect("written");
    let repository = format!("Acme-{}/Shop", this_run());
    let mut environment: BTreeMap<String, String> = BTreeMap::from([
        ("DOCKER_HOST".to_owned(), engine.host.clone()),
        ("GITHUB_ENV".to_owned(), variables.to_string_lossy().into_owned()),
        ("GITHUB_REF_NAME".to_owned(), branch.to_owned()),
        ("GITHUB_REPOSITORY".to_owned(), repository.clone()),
        ("GITHUB_REPOSITORY_OWNER".to_owned(), repository.trim_end_matches("/Shop").to_owned()),
        // The registry is a variable of the job, and this one needs no password.
        ("REGISTRY".to_owned(), "localhost:5000".to_owned()),
    ]);
    let mut last = String::new();
    for step in workflow["jobs"]["build"]["steps"].as_array().expect("steps").iter().filter(|step| step["run"].is_string()) {
        let mut own = environment.clone();
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            let value = value.as_str().expect("text");
            let value = match value.strip_prefix("${{ ") {
                None => value,
                Some(expression) if expression.starts_with("github.event.repository.default_branch") => "main",
                Some(_) => "true",
            };
            own.insert(name.clone(), value.to_owned());
        }
        let script = step["run"].as_str().expect("a script");
        let output = command("bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script])
            .envs(&own)
            .current_dir(shop.root())
            .output()
            .expect("bash starts");
        last = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}\n{last}");
        let added = fs::read_to_string(&variables).expect("variables");
        environment
            .extend(added.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())));
    }
    last
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_engine_that_cannot_export_is_named_with_its_store() {
    let info = succeeded(command("docker").args(["info", "--format", "{{.Driver}} {{.DriverStatus}}"]).output());
    let shop = Shop::new();
    let output = shop.try_build(None, "main", &["shop", "--cache-to", "type=local,dest=../cache"]);
    let log = String::from_utf8_lossy(&output.stderr);
    if info.contains("io.containerd.snapshotter") {
        assert!(output.status.success() && shop.folder.path().join("cache/index.json").exists(), "this engine can export: {log}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{log}");
    let store = info.split(' ').next().unwrap_or_default();
    assert!(log.contains(&format!("error: the engine cannot export a cache: it keeps images in the `{store}` store")), "{log}");
    assert!(log.contains("containerd-snapshotter") && log.contains("--builder NAME") && log.contains("type=inline"), "{log}");
    assert!(!shop.folder.path().join("cache/index.json").exists());
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["builds"][0]["steps"], serde_json::json!([]), "no step ran before");
}
