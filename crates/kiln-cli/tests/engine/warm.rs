//! `kiln warm` on an engine of its own that has base images and nothing else.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::lifecycle::engine_records;
use crate::own_engine::{OwnEngine, succeeded};
use crate::support::copy_tree;

const MAIN: &str = "crates/shop/src/main.rs";
const IMAGES: [&str; 3] = ["rust:1.95.0-slim-bookworm", "debian:bookworm-slim", "node:20-bookworm-slim"];

/// A copy of the small workspace beside this file, and the engine to build it on.
struct Shop<'a> {
    folder: tempfile::TempDir,
    engine: &'a OwnEngine,
}

impl<'a> Shop<'a> {
    fn new(engine: &'a OwnEngine) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/shop"), folder.path());
        let shop = Self { folder, engine };
        succeeded(shop.command(&["init"]).output());
        shop
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        self.engine.kiln(self.folder.path(), arguments)
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.folder.path().join(MAIN);
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "`{from}` stands in {text}");
        fs::write(path, text.replacen(from, to, 1)).expect("written");
    }

    /// A change of what the program does, which no earlier run has made.
    fn say(&self, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos();
        self.edit("fn main() {\n", &format!("fn main() {{\n    println!(\"{text}, {now}\");\n"));
    }

    fn start(&self) -> Child {
        let mut command = self.command(&["warm", "--json", "--progress", "plain"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kiln starts")
    }

    /// Exit code, and the targets that are not warm: `name status`.
    fn warm(&self) -> (Option<i32>, Vec<String>) {
        let output = self.start().wait_with_output().expect("kiln ends");
        (output.status.code(), changed(&output))
    }

    /// Steps that a build of all images runs, and the external crates that it compiles.
    fn build(&self) -> (Vec<String>, usize) {
        let text = succeeded(self.command(&["build", "--json", "--progress", "plain"]).output());
        let document: Value = serde_json::from_str(&text).expect("a document");
        let (mut ran, mut external) = (Vec::new(), 0);
        for build in document["builds"].as_array().expect("builds") {
            external += build["external_crates_compiled"].as_array().map_or(0, Vec::len);
            let steps = build["steps"].as_array().expect("steps").iter().filter(|step| step["status"] == "ran");
            ran.extend(steps.map(|step| {
                let instruction = step["instruction"].as_str().unwrap_or("?").split(' ').next().unwrap_or("?");
                format!("{} {} {instruction}", build["service"].as_str().unwrap_or("?"), step["stage"].as_str().unwrap_or("?"))
            }));
        }
        (ran, external)
    }
}

fn changed(output: &Output) -> Vec<String> {
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let targets = document["targets"].as_array().expect("targets").iter();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let lines = targets.filter(|target| target["status"] != "warm");
    lines.map(|target| format!("{} {}", text(&target["name"]), text(&target["status"]))).collect()
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_empty_engine_is_warmed_and_stays_so_through_faults() {
    let engine = OwnEngine::up("warm-test", &[]);
    engine.images(&IMAGES);
    let shop = Shop::new(&engine);
    let (code, made) = shop.warm();
    assert_eq!(code, Some(0), "{made:?}");
    assert!(made.contains(&"shop-prod-deps built".to_owned()), "{made:?}");
    assert_eq!(shop.warm(), (Some(0), Vec::new()), "nothing runs a second time");
    nothing_takes_no_time(&shop);
    status_accounts_for_what_was_built(&shop);
    an_edit_compiles_only_what_is_edited(&shop);
    pruning_takes_no_stage_and_mounts_are_filled_again(&shop);
    one_failing_stage_leaves_the_others(&shop);
    two_at_once_do_not_disturb_each_other(&shop);
    an_engine_that_stops_halfway_is_gone_on_with(&shop);
    what_a_container_holds_stays_and_all_else_goes(&shop);
}

fn an_edit_compiles_only_what_is_edited(shop: &Shop<'_>) {
    shop.say("an edit");
    only_the_edit_is_built(shop);
}

fn only_the_edit_is_built(shop: &Shop<'_>) {
    let (ran, external) = shop.build();
    assert_eq!(external, 0, "no dependency is compiled");
    let of_the_edit = ["shop planner RUN", "shop builder RUN", "shop runtime COPY"];
    assert_eq!(ran, of_the_edit, "no dependency is installed, nothing is pulled");
}

/// What was measured, for whoever reads along.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// On this engine nobody else has built. What its base images hold was there before.
fn status_accounts_for_what_was_built(shop: &Shop<'_>) {
    let records = engine_records(Some(&shop.engine.host));
    let of_a_base = |record: &Value| {
        let what = record["Description"].as_str().unwrap_or_default();
        // The containerd store has layers that the engine unpacked by itself; nothing is said of them.
        what.starts_with("pulled from ") || what.starts_with("from local") || what.is_empty()
    };
    let built: u64 = records.iter().filter(|record| !of_a_base(record)).filter_map(|record| record["Size"].as_u64()).sum();
    let text = succeeded(shop.command(&["status", "--json"]).output());
    let status: Value = serde_json::from_str(&text).expect("a document");
    let accounted = status["totals"]["project"]["bytes"].as_u64().expect("bytes");
    let percent = accounted as f64 / built as f64 * 100.0;
    say(&format!("status accounts for {accounted} of {built} bytes, {percent:.2} %"));
    assert!(accounted as f64 >= built as f64 * 0.95, "{accounted} of {built} bytes: {status:#}");
    for entry in status["entries"].as_array().expect("entries").iter().filter(|entry| entry["kind"] == "layer") {
        let named = |list: &str| entry[list].as_array().is_some_and(|names| !names.is_empty());
        assert!(named("owners") && named("stages"), "by service and stage: {entry:#}");
    }
}

/// When all is warm nothing runs, which takes less than two seconds; the best of three, as the machine has other work, too.
fn nothing_takes_no_time(shop: &Shop<'_>) {
    let times: Vec<Duration> = (0..3)
        .map(|_| {
            let begun = Instant::now();
            assert_eq!(shop.warm(), (Some(0), Vec::new()));
            begun.elapsed()
        })
        .collect();
    say(&format!("warm when all is warm: {times:?}"));
    assert!(times.iter().min().is_some_and(|time| *time < Duration::from_secs(2)), "{times:?}");
}

/// What a tag names is not pruned; cache mounts are.
fn pruning_takes_no_stage_and_mounts_are_filled_again(shop: &Shop<'_>) {
    assert_eq!(shop.warm().0, Some(0));
    shop.engine.docker(&["builder", "prune", "--force"]);
    let (code, made) = shop.warm();
    assert_eq!(code, Some(0));
    if shop.engine.on_containerd() {
        // With this store BuildKit forgets with any removal what lies on images that the engine had by itself: stages are made again.
        assert_eq!(shop.warm(), (Some(0), Vec::new()));
        return;
    }
    assert!(made.iter().all(|line| line.ends_with("-mounts built")), "the stages are there: {made:?}");
    assert!(made.contains(&"shop-prod-deps-mounts built".to_owned()), "{made:?}");
    assert_eq!(shop.warm(), (Some(0), Vec::new()));
    shop.say("after pruning");
    only_the_edit_is_built(shop);
    assert_eq!(shop.warm().0, Some(0));
    let dangling = shop.engine.docker(&["images", "--quiet", "--filter", "dangling=true"]);
    assert_eq!(dangling.trim(), "", "no image is left behind by a tag that moved on");
}

fn one_failing_stage_leaves_the_others(shop: &Shop<'_>) {
    shop.edit("fn main", "this is no Rust\nfn main");
    let (code, made) = shop.warm();
    assert_eq!(code, Some(3), "{made:?}");
    assert!(made.contains(&"shop-prod-builder failed".to_owned()), "{made:?}");
    assert!(made.contains(&"shop-prod-runtime skipped".to_owned()), "{made:?}");
    assert!(made.iter().all(|line| line.starts_with("shop-")), "{made:?}");
    shop.edit("this is no Rust\n", "");
}

fn two_at_once_do_not_disturb_each_other(shop: &Shop<'_>) {
    shop.say("two at once");
    let (one, two) = (shop.start(), shop.start());
    for child in [one, two] {
        let output = child.wait_with_output().expect("kiln ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(shop.warm(), (Some(0), Vec::new()));
}

/// Everything is gone but the base images; the engine stops while dependencies are compiled, and comes back later.
fn an_engine_that_stops_halfway_is_gone_on_with(shop: &Shop<'_>) {
    let engine = shop.engine;
    let _ = fs::remove_dir_all(shop.folder.path().join(".kiln/builds"));
    engine.docker(&["image", "rm", "--force", "shop-test-cache:shop-prod-deps", "shop-test-cache:shop-prod-builder"]);
    engine.docker(&["builder", "prune", "--all", "--force"]);
    let child = shop.start();
    let until = Instant::now() + Duration::from_secs(120);
    let works = || {
        let records = fs::read_dir(shop.folder.path().join(".kiln/builds")).into_iter().flatten().flatten();
        records.filter(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| text.contains("\"target\":\"deps\""))).count()
            > 0
    };
    while !works() {
        assert!(Instant::now() < until, "dependencies are not built");
        std::thread::sleep(Duration::from_millis(50));
    }
    engine.stop();
    let output = child.wait_with_output().expect("kiln ends");
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{talk}");
    assert!(talk.contains("; trying again in "), "{talk}");
    engine.start();
    assert_eq!(shop.warm().0, Some(0), "it goes on");
    assert_eq!(shop.warm(), (Some(0), Vec::new()));
}

/// A container works with the image of a stage: its tag moves on without it, and goes only when the container has gone. Nobody else is on
/// this engine, so all else goes, whatever its store is.
fn what_a_container_holds_stays_and_all_else_goes(shop: &Shop<'_>) {
    let tag = "shop-test-cache:shop-prod-builder";
    let container = shop.engine.docker(&["run", "--detach", "--entrypoint", "sleep", tag, "600"]);
    let container = container.trim();
    let runs = || shop.engine.docker(&["inspect", "--format", "{{.State.Running}}", container]).trim() == "true";
    shop.say("while a container uses the stage");
    let (code, made) = shop.warm();
    assert_eq!((code, runs()), (Some(0), true), "{made:?}");
    assert!(made.contains(&"shop-prod-builder built".to_owned()), "{made:?}");
    let held = shop.engine.docker(&["run", "--detach", "--entrypoint", "sleep", tag, "600"]);
    let document = |arguments: &[&str]| -> Value {
        let text = succeeded(shop.command(arguments).output());
        serde_json::from_str(&text).expect("a document")
    };
    let reason = |document: &Value| -> String {
        let stays = document["kept"].as_array().into_iter().flatten().find(|stays| stays["id"] == tag);
        stays.and_then(|stays| stays["why"].as_str()).unwrap_or("it does not stay").to_owned()
    };
    let planned = document(&["clean", "--all", "--dry-run", "--json"]);
    let cleaned = document(&["clean", "--all", "--json"]);
    let expected = format!("the container {} uses it", &held[..12]);
    assert_eq!((reason(&planned), reason(&cleaned)), (expected.clone(), expected), "{planned:#}\n{cleaned:#}");
    assert_eq!(planned["removed"], cleaned["removed"], "a dry run says what goes");
    assert!(runs(), "the container is no matter of a clean-up");
    let status = document(&["status", "--json"]);
    assert_eq!(status["tags"], serde_json::json!([tag]), "{status:#}");
    shop.engine.docker(&["rm", "--force", container, held.trim()]);
    document(&["clean", "--all", "--json"]);
    let status = document(&["status", "--json"]);
    assert_eq!(status["tags"], serde_json::json!([]), "{status:#}");
    // The image that the first container had lost its tag meanwhile; what is in it stays with it.
    let is_own = |entry: &&Value| entry["kind"] != "tool" && entry["shared"] != "image";
    let own = status["entries"].as_array().expect("entries").iter().filter(is_own);
    assert_eq!(own.count(), 0, "{status:#}");
}
