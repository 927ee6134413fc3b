//! `kiln bench`

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ran, Test};

const SETTINGS: &str = "[project]\nname = \"shop\" # ours\n";
/// What the engine says it has: objects of this run, of another one, and the user's.
const OBJECTS: &str = r#"case "$1 $2" in
"images "*) echo 0123abcd ;;
"volume ls") echo other-shop-bench-volume ;;
esac"#;

/// A Node service whose builds take as long as the fake engine wants.
fn shop() -> Test {
    Test::new()
        .docker()
        .write("kiln.toml", SETTINGS)
        .service("web", "FROM mine\n")
        .write("web/server.js", "require('http').createServer((q, s) => s.end('hello')).listen(3000);\n")
        .write("tool.sh", "#!/bin/sh\n")
        .env("KILN_TOOL", "tool.sh")
        .fake("objects", OBJECTS)
        .fake("build", "stream noop")
}

/// Name, strategy and number of samples of each row.
fn rows(document: &Value) -> Vec<String> {
    let rows = document["scenarios"].as_array().expect("scenarios").iter();
    rows.map(|row| {
        let text = |key: &str| row[key].as_str().expect("text").to_owned();
        format!("{} {} {} × {}", text("name"), text("service"), text("strategy"), row["samples"])
    })
    .collect()
}

/// The document, times and all.
fn document(test: &Test, args: &[&str]) -> (Ran, Value) {
    let child = test.spawn_with(args.iter().copied());
    let output = child.wait_with_output().expect("kiln ends");
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (test.ran(&output), document)
}

fn results(test: &Test) -> Vec<String> {
    let entries = fs::read_dir(test.project().join(".kiln/bench")).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect()
}

#[test]
fn every_strategy_is_measured_and_nothing_is_left() {
    let test = shop();
    let args = ["bench", "--scenario", "no-op", "--against", "naive,mounts,chef,own", "--runs", "3", "--json"];
    let (ran, document) = document(&test, &args);
    assert_eq!(ran.code, Some(0), "{ran}");
    let expected = ["cold", "no-op"].iter().flat_map(|scenario| {
        let samples = if *scenario == "cold" { 1 } else { 3 };
        ["kiln", "naive", "mounts", "own"].map(|strategy| format!("{scenario} web {strategy} × {samples}"))
    });
    assert_eq!(rows(&document), expected.collect::<Vec<_>>());
    let reasons: Vec<&str> =
        document["not_measured"].as_array().unwrap().iter().map(|skipped| skipped["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["cargo-chef is for Rust"]);
    // The copy and what was in the engine are gone; the repository is as it was.
    let files = results(&test);
    assert!(files.len() == 1 && files[0].ends_with(".jsonl"), "{files:?}");
    assert_eq!(fs::read_to_string(test.project().join("kiln.toml")).unwrap(), SETTINGS);
    let remembered = test.root().join("home/.local/state/kiln");
    assert!(!remembered.exists(), "the copies are remembered in {remembered}");
    assert_eq!(fs::read_to_string(test.project().join("web/Dockerfile")).unwrap(), "FROM mine\n");
    let calls = test.calls();
    assert!(calls.contains("\nrmi --force 0123abcd"), "{calls}");
    assert!(!calls.contains("volume rm"), "another project's volume stays: {calls}");
    // Every build has a name of the run's own.
    for call in calls.lines().filter(|call| call.contains("--tag")) {
        assert!(call.contains("--tag shop-bench-"), "{call}");
    }
}

#[test]
fn the_copy_has_what_builds_are_sent_though_git_ignores_it() {
    // What of these is in a context, told at each build.
    let look = "for folder; do :; done; for file in .git/HEAD certificate.pem node_modules/left; do \
                if [[ -e $folder/$file ]]; then echo \"$file\" >>\"$FAKE_DOCKER/seen\"; fi; done; stream noop";
    let lock = r#"{ "name": "web", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": { "": { "name": "web", "version": "1.0.0" } } }"#;
    for (against, seen) in [("naive", vec!["certificate.pem"]), ("own", vec![".git/HEAD", "certificate.pem"])] {
        let test = Test::new()
            .docker()
            .write("kiln.toml", SETTINGS)
            .write("package.json", r#"{ "name": "web", "version": "1.0.0", "scripts": { "start": "node server.js" } }"#)
            .write("package-lock.json", lock)
            .write("server.js", "require('http').createServer().listen(3000);\n")
            .write("Dockerfile", "FROM mine\n")
            .write(".gitignore", "certificate.pem\nnode_modules\n")
            .write("certificate.pem", "of this machine\n")
            .write("node_modules/left", "")
            .write(".git/HEAD", "ref: refs/heads/main\n")
            .write("tool.sh", "#!/bin/sh\n")
            .env("KILN_TOOL", "tool.sh")
            .fake("objects", OBJECTS)
            .fake("build", look);
        let (ran, _) = document(&test, &["bench", "--scenario", "no-op", "--against", against, "--runs", "1", "--json"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        let text = fs::read_to_string(test.root().join("fake/seen")).unwrap();
        let found: std::collections::BTreeSet<&str> = text.lines().collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), seen, "{against}");
    }
}

#[test]
fn an_interrupted_run_cleans_up_and_goes_on() {
    // The eighth build of all never ends.
    let slow = "echo >>\"$FAKE_DOCKER/builds\"; stream noop; \
                if (($(/usr/bin/wc -l <\"$FAKE_DOCKER/builds\") == 8)); then echo stuck >\"$FAKE_DOCKER/stuck\"; /bin/sleep 60; fi";
    let test = shop().fake("build", slow);
    let args = ["bench", "--scenario", "no-op", "--against", "naive", "--runs", "4", "--json"];
    let child = test.spawn_with(args);
    let until = Instant::now() + Duration::from_secs(60);
    while !test.root().join("fake/stuck").exists() {
        assert!(Instant::now() < until, "the build does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = test.ran(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(ran.stderr.contains("hint: what was measured is kept; `kiln bench --continue`"), "{ran}");
    assert!(test.calls().contains("\nrmi --force 0123abcd"));
    assert_eq!(results(&test).len(), 1, "the copy is gone: {:?}", results(&test));

    let test = test.fake("build", "stream noop");
    let before = test.calls().lines().filter(|call| call.starts_with("buildx build")).count();
    let (ran, document) = document(&test, &["bench", "--continue", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    // The continued run has first builds of its own, which are as good as any.
    let expected = ["cold web kiln × 2", "cold web naive × 2", "no-op web kiln × 4", "no-op web naive × 4"];
    assert_eq!(rows(&document), expected);
    assert!(test.calls().lines().filter(|call| call.starts_with("buildx build")).count() > before);
    assert_eq!(results(&test).len(), 1);
    // It has ended now.
    let again = test.spawn_with(["bench", "--continue"]);
    let ran = test.ran(&again.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("there is no interrupted run to go on with"), "{ran}");
}

#[test]
fn another_state_of_the_files_is_not_mixed_in() {
    let test = shop().fake("build", "stream stopped-halfway >/dev/null 2>&1; kill -9 $$");
    let (ran, _) = document(&test, &["bench", "--scenario", "no-op"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let test = test.fake("build", "stream noop").write("web/server.js", "changed();\n");
    let (ran, _) = document(&test, &["bench", "--continue"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("error: the repository has changed since the run `shop-bench-"), "{ran}");
}

#[test]
fn measurements_of_another_engine_are_not_mixed_in() {
    let test = shop().fake("build", "stream stopped-halfway >/dev/null 2>&1; kill -9 $$");
    let (ran, _) = document(&test, &["bench", "--scenario", "no-op"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let test = test.fake("build", "stream noop").fake("info", CONTAINERD);
    let (ran, _) = document(&test, &["bench", "--continue"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains(" was measured by kiln 0.1.0 on ") && ran.stderr.contains("Docker 29.1.0, overlayfs"), "{ran}");
    assert!(ran.stderr.contains("hint: measurements of the two do not belong into one table"), "{ran}");
}

#[test]
fn a_run_that_goes_on_is_not_continued_beside_itself() {
    let test = shop().fake("build", "echo stuck >\"$FAKE_DOCKER/stuck\"; /bin/sleep 60");
    let mut first = test.spawn_with(["bench", "--scenario", "no-op"]);
    let until = Instant::now() + Duration::from_secs(60);
    while !test.root().join("fake/stuck").exists() {
        assert!(Instant::now() < until, "the build does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (ran, _) = document(&test, &["bench", "--continue"]);
    assert_eq!(ran.code, Some(75), "{ran}");
    assert!(ran.stderr.contains("error: another `kiln bench` is writing `") && ran.stderr.contains("hint: wait until"), "{ran}");
    // The first is where it was: nothing of it was taken for what a killed run leaves.
    assert!(first.try_wait().unwrap().is_none());
    assert_eq!(results(&test).iter().filter(|name| name.starts_with("work-")).count(), 1);
    let pid = rustix::process::Pid::from_child(&first);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(test.ran(&first.wait_with_output().unwrap()).code, Some(130));
}

#[test]
fn a_rule_that_is_broken_has_an_exit_code_of_its_own() {
    let test = shop();
    let args =
        ["bench", "--scenario", "frontend-source", "--runs", "1", "--fail-under", "99.5", "--max-seconds", "0.001", "--json"];
    let (ran, document) = document(&test, &args);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("error: `frontend-source` of `web` takes"), "{ran}");
    assert!(ran.stderr.contains("points less than `--fail-under 99.5` asks for"), "{ran}");
    assert!(ran.stderr.contains("more than `--max-seconds 0.001` allows"), "{ran}");
    let verdicts = document["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.iter().map(|verdict| &verdict["passed"]).collect::<Vec<_>>(), [false, false]);
    let (ran, _) = self::document(&test, &["bench", "--scenario", "frontend-source", "--runs", "1", "--max-seconds", "600"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn demands_of_the_settings_hold_unless_a_flag_says_otherwise() {
    let settings = format!("{SETTINGS}\n[bench]\nfail-under = 99.5\nmax-seconds = 600\n");
    let test = shop().write("kiln.toml", &settings);
    let args = ["bench", "--scenario", "frontend-source", "--runs", "1", "--json"];
    let (ran, all) = document(&test, &args);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("points less than `fail-under = 99.5` (kiln.toml:5) asks for"), "{ran}");
    assert!(ran.stderr.contains("`max-seconds = 600` (kiln.toml:6) holds"), "{ran}");
    let verdicts: Vec<_> = all["verdicts"].as_array().unwrap().iter().map(|it| (&it["passed"], &it["demanded_by"])).collect();
    assert_eq!(verdicts, [(&Value::from(false), &Value::from("kiln.toml")), (&Value::from(true), &Value::from("kiln.toml"))]);
    // What is compared with is measured because the settings ask for it.
    assert!(rows(&all).contains(&"frontend-source web naive × 1".to_owned()), "{:?}", rows(&all));

    let (ran, all) = document(&test, &[&args[..], &["--max-seconds", "0.001"]].concat());
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("more than `--max-seconds 0.001` allows"), "{ran}");
    assert_eq!(all["verdicts"][1]["demanded_by"], "command line");
    // Settings judge what is measured, and ask for no more than that.
    let (ran, all) = document(&test, &["bench", "--scenario", "no-op", "--runs", "1", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(rows(&all), ["cold web kiln × 1", "no-op web kiln × 1"]);
    let (ran, _) = document(&shop().write("kiln.toml", "[bench]\nfail-under = 800\n"), &args);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("kiln.toml:2: `fail-under` is the number 800"), "{ran}");
}

#[test]
fn percentages_follow_from_the_document_alone() {
    let test = shop().fake("build", "/bin/sleep 0.0$((RANDOM % 10)); stream noop");
    let args = ["bench", "--scenario", "no-op,frontend-source", "--against", "naive,mounts", "--runs", "4", "--json"];
    let (ran, document) = document(&test, &args);
    assert_eq!(ran.code, Some(0), "{ran}");
    let rows = document["scenarios"].as_array().unwrap();
    let median = |row: &Value| {
        let mut all: Vec<f64> = row["all_seconds"].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect();
        all.sort_by(f64::total_cmp);
        assert_eq!(all.len() as u64, row["samples"].as_u64().unwrap(), "{row:#}");
        assert_eq!(
            (all[0], all[all.len() - 1]),
            (row["seconds"]["min"].as_f64().unwrap(), row["seconds"]["max"].as_f64().unwrap())
        );
        f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2])
    };
    let near = |left: &Value, right: f64| {
        assert!((left.as_f64().unwrap() - right).abs() < 0.001, "{left} is not {right}: {document:#}");
    };
    let mut compared = 0;
    for row in rows {
        near(&row["seconds"]["median"], median(row));
        let other = |strategy: &str| {
            let same = |other: &&Value| {
                other["name"] == row["name"] && other["service"] == row["service"] && other["strategy"] == strategy
            };
            median(rows.iter().find(same).expect("the other strategy"))
        };
        near(&row["times_kiln"], median(row) / other("kiln"));
        let range = row["seconds"]["max"].as_f64().unwrap() - row["seconds"]["min"].as_f64().unwrap();
        near(&row["spread_pct"], range / median(row) * 100.0);
        if row["strategy"] != "naive" {
            near(&row["reduction_pct"], (1.0 - median(row) / other("naive")) * 100.0);
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

#[test]
fn each_build_is_a_line_that_says_what_is_left() {
    let test = shop();
    let (ran, _) = document(&test, &["bench", "--scenario", "no-op", "--against", "naive", "--runs", "2", "--progress", "plain"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let timed: Vec<&&str> = lines.iter().filter(|line| line.contains(" left")).collect();
    assert_eq!(timed.len(), 6, "{ran}");
    assert!(timed[0].starts_with("6 left ") && timed[0].contains("cold "), "{ran}");
    assert!(timed[1].starts_with("5 left, under a minute "), "{ran}");
    assert!(timed[5].contains("no-op") && timed[5].contains("2/2") && timed[5].contains("nothing ran"), "{ran}");
}

#[test]
fn every_service_has_an_edit_in_a_quick_run() {
    let test = shop().service("shop", "").write("shop/server.js", "require('http').createServer().listen(3001);\n");
    let (ran, document) = document(&test, &["bench", "--quick", "--runs", "1", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let edits: Vec<String> = rows(&document).into_iter().filter(|row| row.starts_with("frontend-source")).collect();
    assert_eq!(edits, ["frontend-source shop kiln × 1", "frontend-source web kiln × 1"]);
    // Where cargo builds nothing, the dependency is one of the frontend.
    assert_eq!(document["options"]["scenarios"], serde_json::json!(["no-op", "frontend-source", "frontend-dependency"]));
    let changes = document["changes"]["frontend-source"].as_str().unwrap();
    assert!(changes.contains("shop/server.js") && changes.contains("web/server.js"), "{changes}");
}

#[test]
fn a_builder_that_cannot_export_is_named_with_the_way_out() {
    let test = shop();
    let (ran, document) = document(&test, &["bench", "--scenario", "no-op,fresh-builder", "--runs", "1", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let skipped = &document["not_measured"][0];
    assert_eq!(skipped["scenario"], "fresh-builder");
    let reason = skipped["reason"].as_str().unwrap();
    assert!(reason.contains("cannot export a cache from overlay2") && reason.contains("docs/cache.md"), "{reason}");
}

#[test]
fn the_table_says_what_the_numbers_are_worth() {
    let test = shop();
    let (ran, _) = document(
        &test,
        &["bench", "--scenario", "no-op,source-bin", "--against", "naive", "--runs", "1", "--markdown", "out.md"],
    );
    assert_eq!(ran.code, Some(0), "{ran}");
    let head: Vec<&str> = ran.stdout.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["scenario", "service", "kiln", "naive", "kiln", "saves", "kiln's", "work"]);
    for part in ["medians of 1 sample, ", "no-op: ", "source-bin: not measured: no service is built by cargo"] {
        assert!(ran.stdout.contains(part), "{part}: {ran}");
    }
    let markdown = fs::read_to_string(test.project().join("out.md")).unwrap();
    assert!(
        markdown.starts_with(
            "| change | service | kiln | naive | kiln saves | kiln's work |\n|---|---|---:|---:|---:|---:|\n| cold: a first build"
        ),
        "{markdown}"
    );
}

/// Programs that keep so many processors busy as disturb a bench, until they are dropped, and for a minute at most.
struct Busy(Vec<std::process::Child>);

impl Busy {
    #[expect(clippy::disallowed_methods, reason = "it is no part of the world that kiln sees")]
    fn start() -> Self {
        let script = "end=$((SECONDS + 60)); while ((SECONDS < end)); do :; done";
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let start = |_| std::process::Command::new("bash").args(["-c", script]).spawn().expect("bash starts");
        Self((0..=cores / 10).map(start).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_run_beside_other_work_says_that_it_is_noisy() {
    let test = shop();
    let _busy = Busy::start();
    let args =
        ["bench", "--scenario", "frontend-source", "--runs", "1", "--max-seconds", "0.001", "--json", "--progress", "plain"];
    let (ran, document) = document(&test, &args);
    assert_eq!(ran.code, Some(4), "{ran}");
    for row in document["scenarios"].as_array().unwrap() {
        assert_eq!(row["noisy"], true, "{row:#}");
        let other = row["doubts"].as_array().unwrap().iter().find(|doubt| doubt["kind"] == "other-work").expect("other work");
        assert!(other["processors"].as_f64().unwrap() > 0.5, "{row:#}");
    }
    assert!(ran.stderr.contains("(other work keeps "), "{ran}");
    assert!(ran.stderr.contains("hint: the measurement is noisy: repeat it on a quiet machine"), "{ran}");
}

#[test]
fn a_markdown_file_is_replaced_when_the_new_one_is_whole() {
    let test = shop().write("out.md", "earlier\n").fake("build", "stream stopped-halfway >/dev/null 2>&1; kill -9 $$");
    let args = ["bench", "--scenario", "no-op", "--runs", "1", "--markdown", "out.md"];
    let (ran, _) = document(&test, &args);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(fs::read_to_string(test.project().join("out.md")).unwrap(), "earlier\n");
    let test = test.fake("build", "stream noop");
    let (ran, _) = document(&test, &args);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(fs::read_to_string(test.project().join("out.md")).unwrap().starts_with("| change |"));
    let left =
        fs::read_dir(test.project()).unwrap().flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(".new"));
    assert_eq!(left.count(), 0);
}

/// An engine that has unpacked the base image of somebody's layers by itself, with the containerd store.
const FORGETFUL: &str = r#"case "$1 $2" in
"images "*) echo 0123abcd ;;
"buildx du")
  printf 'ID:           base\nType:         regular\n\n'
  printf 'ID:           users\nParents:\n - base\nDescription:  [app 2/2] WORKDIR /app\nType:         regular\n\n'
  name=$(/bin/sed -n 's/.*--tag \(shop-bench-[0-9a-f]*\).*/\1/p' "$FAKE_DOCKER/calls" | /usr/bin/tail -n 1)
  /bin/grep -q "^buildx prune" "$FAKE_DOCKER/calls" || printf 'ID:           own\nSize:         2MB\nDescription:  [app 2/3] WORKDIR /kiln-bench/%s-web-kiln-0\nType:         regular\n' "$name"
  ;;
esac"#;
const CONTAINERD: &str = r#"echo '{"ServerVersion":"29.1.0","Driver":"overlayfs","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]],"ClientInfo":{"Version":"29.1.0","Plugins":[{"Name":"buildx","Version":"0.30.0"}]}}'"#;

#[test]
fn an_engine_that_would_forget_layers_of_others_keeps_those_of_the_run() {
    let test = shop().fake("info", CONTAINERD).fake("objects", FORGETFUL);
    let args = ["bench", "--scenario", "no-op,fresh-builder,gc-ed-mount", "--runs", "1", "--json", "--progress", "plain"];
    let (ran, all) = document(&test, &args);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!test.calls().contains("buildx prune"), "{}", test.calls());
    assert_eq!(all["clean_up"]["kept"]["others"], 1, "{all:#}");
    assert!(ran.stderr.contains("kept in the engine: 1 layer or mount of the run (2.0 MB), since with their removal it would forget 1 other layer (docs/cache.md)"), "{ran}");
    let reasons: Vec<_> = all["not_measured"].as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    for reason in reasons {
        assert!(reason.contains("would forget layers of others") && reason.contains("`--prune`"), "{reason}");
    }
    let (ran, _) = document(&test, &["bench", "--scenario", "no-op", "--runs", "1", "--prune"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(test.calls().contains("buildx prune --all --force --filter id~=^(own)$"), "{}", test.calls());
}

#[test]
fn what_cannot_be_measured_is_said_before_anything_runs() {
    for (args, code, message) in [
        (vec!["--scenario", "source-bim"], 2, "did you mean `source-bin`?"),
        (vec!["--against", "bazel"], 2, "possible values: naive, mounts, chef, native, own"),
        (vec!["--quick", "--full"], 2, "cannot be used with"),
        (vec!["--continue", "--quick"], 2, "cannot be used with"),
        (vec!["--fail-under=-1"], 2, "not a positive number"),
        (vec!["--continue"], 1, "hint: start one: `kiln bench --quick`"),
        (vec!["--scenario", "source-bin"], 1, "caused by: source-bin: not measured: no service is built by cargo"),
        (vec!["--markdown", "no/such/folder.md"], 1, "cannot write `no/such/folder.md`"),
    ] {
        let mut all = vec!["bench"];
        all.extend(args);
        let test = shop();
        let (ran, _) = document(&test, &all);
        assert_eq!(ran.code, Some(code), "{all:?}: {ran}");
        assert!(ran.stderr.contains(message), "{all:?}: {ran}");
        assert!(!test.calls().contains("buildx build"), "{all:?}: {}", test.calls());
    }
}
