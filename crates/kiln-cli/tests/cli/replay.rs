//! `kiln replay` and `kiln predict --since`

use std::process::Command;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::Test;

const DOCKERFILE: &str = "FROM debian\nCOPY package.json /app/\nRUN npm ci\nCOPY . /app\nRUN make\n";

/// Runs git in the project.
#[expect(clippy::disallowed_methods, reason = "tests make repositories as a user does")]
fn git(test: &Test, args: &[&str]) {
    let mut command = Command::new("git");
    command.args(args).current_dir(test.project()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
        command.env(name, "someone@example.org");
    }
    command.env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z").env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A world whose `PATH` has git, too.
fn test() -> Test {
    let test = Test::new();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", test.root().join("bin"));
    test.env("PATH", &path)
}

fn commit(test: Test, subject: &str) -> Test {
    git(&test, &["add", "--all"]);
    git(&test, &["commit", "--quiet", "-m", subject]);
    test
}

/// A repository with a Dockerfile of its own and five commits.
fn foreign() -> Test {
    let test = test().write("Dockerfile", DOCKERFILE).write(".dockerignore", ".git\n.kiln\n").write("package.json", "{}");
    let test = test.write("src/a.js", "1").write("docs/changelog.md", "1").write("Makefile", "all:\n");
    git(&test, &["init", "--quiet", "--initial-branch=main"]);
    let test = commit(test, "begin");
    let test = commit(test.write("docs/changelog.md", "2"), "a note");
    let test = commit(test.write("src/a.js", "2"), "a source");
    let test = commit(test.write("docs/changelog.md", "3"), "another note");
    commit(test.write("package.json", "{ }").write("Makefile", "all: x\n"), "a dependency")
}

#[test]
fn past_commits_are_judged_by_todays_dockerfile() {
    assert_snapshot!(foreign().args(["replay", "--dockerfile", "Dockerfile"]).run());
}

#[test]
fn the_document_has_each_commit_with_its_steps() {
    let document = foreign().args(["replay", "-n", "2", "-f", "Dockerfile", "--json"]).run().json();
    assert_eq!(document["schema"], 1);
    let commits = document["commits"].as_array().expect("commits");
    let subjects: Vec<_> = commits.iter().map(|commit| commit["subject"].as_str().expect("a subject")).collect();
    assert_eq!(subjects, ["another note", "a dependency"]);
    let steps = commits[0]["builds"][0]["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert_eq!(steps[0], json!({ "step": 2, "verdict": "runs", "paths": ["docs/changelog.md"] }));
    assert_eq!(document["images"][0]["totals"]["rebuilds"], 2);
    assert_eq!(document["images"][0]["steps"][1]["instruction"], "RUN npm ci");
    assert_eq!(document["images"][0]["worst"][0]["ignorable"], true);
}

#[test]
fn the_report_shows_the_last_replay() {
    let mut test = foreign().args(["replay", "-f", "Dockerfile"]);
    assert_eq!(test.run().code, Some(0));
    assert_eq!(test.run_with(["report"]).code, Some(0));
    let page = std::fs::read_to_string(test.project().join(".kiln/report.html")).expect("a page");
    assert!(page.contains("What would the last 4 commits have cost?"), "no picture");
    assert!(page.contains("docs/changelog.md: 2 rebuilds; ignore it"), "no file is blamed");
    std::fs::write(test.project().join(".kiln/replay.json"), "{").expect("written");
    let ran = test.run_with(["report"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("replay.json"), "{ran}");
}

#[test]
fn a_service_is_replayed_under_its_own_dockerfile_and_kilns() {
    let dockerfile = "FROM node\nCOPY . /app\nRUN npm ci\n";
    let test = test().service("web", dockerfile).write("web/server.js", "1").write("web/.dockerignore", "node_modules\n");
    git(&test, &["init", "--quiet", "--initial-branch=main"]);
    let test = commit(test, "begin");
    let test = commit(test.write("web/server.js", "2"), "a source");
    let test = commit(test.write("web/README.md", "hello"), "a word");
    let test = commit(test.write("other/file", "1"), "elsewhere");
    let document = test.args(["replay", "--json"]).run().json();
    let images = document["images"].as_array().expect("images").clone();
    let whose: Vec<_> = images.iter().map(|image| image["whose"].as_str().expect("whose")).collect();
    assert_eq!(whose, ["repository", "kiln"]);
    assert_eq!(images[0]["totals"]["rebuilds"], 2, "{:#}", images[0]);
    let installs = |image: usize| {
        let is_install = |step: &serde_json::Value| {
            images[image]["steps"][usize::try_from(step["step"].as_u64().expect("a number")).expect("small")]["instruction"]
                .as_str()
                .is_some_and(|text| text.contains("npm ci"))
        };
        let commits = document["commits"].as_array().expect("commits");
        let steps = commits.iter().flat_map(|commit| commit["builds"][image]["steps"].as_array().cloned().unwrap_or_default());
        steps.filter(is_install).count()
    };
    assert_eq!(installs(0), 2, "each change of the context");
    assert_eq!(installs(1), 0, "sources are no part of kiln's recipe");
}

#[test]
fn measured_times_are_the_price_and_others_are_said_to_be_unknown() {
    let test = test().service("web", "FROM node\nCOPY . /app\nRUN npm ci\nRUN npm test\n").write("web/server.js", "1");
    git(&test, &["init", "--quiet", "--initial-branch=main"]);
    let test = commit(test, "begin");
    let test = commit(test.write("web/server.js", "2"), "a source");
    let test = commit(test.write("web/CHANGELOG.md", "new"), "a word");
    let header = json!({
        "line": "header", "schema": 1, "kiln": "0.1.0", "plan": "00", "service": "web", "variant": "prod", "image": "shop/web:latest",
        "dockerfile": "web/Dockerfile", "started": "2026-11-01T00:00:00Z",
    });
    let place = json!({ "stage": "stage-0", "index": 3, "total": 4, "instruction": "RUN npm ci" });
    let step =
        json!({ "line": "step", "step": 0, "name": "[3/4] RUN npm ci", "place": place, "status": "ran", "seconds": 4000.0 });
    let end = json!({ "line": "end", "ending": "succeeded", "seconds": 4001.0 });
    let record = format!("{header}\n{step}\n{end}\n");
    let ran = test.write(".kiln/builds/20261101T000000.000Z-web-prod.jsonl", &record).args(["replay"]).run();
    assert_eq!(ran.code, Some(0), "{ran}");
    let expected = "web/Dockerfile: 2 of 2 commits rebuild, 6 steps, 2 h 13 min and 4 that were never measured";
    assert!(ran.stdout.contains(expected), "{ran}");
    let file = "`CHANGELOG.md` cost 1 rebuild, 1 h 06 min and 2 steps never measured; ignore it";
    assert!(ran.stdout.contains(file), "{ran}");
}

#[test]
fn what_keeps_kiln_from_replaying_is_said() {
    let outside = test().write("Dockerfile", DOCKERFILE).args(["replay", "-f", "Dockerfile"]).run();
    assert_eq!(outside.code, Some(1));
    assert!(outside.stderr.contains("is in no git repository"), "{outside}");
    let unknown = foreign().args(["replay", "nothing..HEAD", "-f", "Dockerfile"]).run();
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("git knows no revision `nothing..HEAD` here"), "{unknown}");
    let without = foreign().env("PATH", "/nowhere").args(["replay", "-f", "Dockerfile"]).run();
    assert_eq!(without.code, Some(1));
    assert!(without.stderr.contains("`git` was not found") && without.stderr.contains("install git"), "{without}");
    let usage = foreign().args(["replay", "-n", "0"]).run();
    assert_eq!(usage.code, Some(2));
    let fresh = test().write("Dockerfile", DOCKERFILE);
    git(&fresh, &["init", "--quiet"]);
    let fresh = commit(fresh, "only one").args(["replay", "-f", "Dockerfile"]).run();
    assert_eq!(fresh.code, Some(1));
    assert!(fresh.stderr.contains("no commit to compare"), "{fresh}");
}

#[test]
fn a_pull_request_is_checked_without_any_record() {
    let check = |test: Test| test.args(["predict", "-f", "Dockerfile", "--since", "HEAD", "--fail-if", "dependencies"]).run();
    let same = check(foreign());
    assert_eq!(same.code, Some(0), "{same}");
    let source = check(foreign().write("src/a.js", "3"));
    assert_eq!(source.code, Some(0), "{source}");
    assert!(source.stdout.contains("`src/a.js` changed"), "{source}");
    let dependency = check(foreign().write("package.json", "{\n}"));
    assert_eq!(dependency.code, Some(4), "{dependency}");
    assert!(dependency.stderr.contains("line 3"), "{dependency}");
    let text = check(foreign().write("Dockerfile", &DOCKERFILE.replace("npm ci", "npm ci --ignore-scripts")));
    assert_eq!(text.code, Some(4), "{text}");
    assert!(text.stdout.contains("its text changed"), "{text}");
    let unknown = foreign().args(["predict", "-f", "Dockerfile", "--since", "nothing"]).run();
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("git knows no revision `nothing` here"), "{unknown}");
    let earlier = foreign().args(["predict", "-f", "Dockerfile", "--since", "HEAD~2"]).run();
    assert!(earlier.stdout.contains("`docs/changelog.md`") && !earlier.stdout.contains("src/a.js"), "{earlier}");
}

#[test]
fn what_killed_runs_left_is_cleared_away() {
    let mut test = foreign().write(".kiln/replay-4711/0/Cargo.toml", "").write(".kiln/since-4711/then/Cargo.toml", "");
    let left = |test: &Test| {
        let names = ["replay-4711", "since-4711"].into_iter();
        names.filter(|name| test.project().join(".kiln").join(name).exists()).collect::<Vec<_>>()
    };
    assert_eq!(test.run_with(["replay", "-f", "Dockerfile"]).code, Some(0));
    assert_eq!(left(&test), ["since-4711"], "each clears what is its own");
    assert_eq!(test.run_with(["predict", "-f", "Dockerfile", "--since", "HEAD"]).code, Some(0));
    assert_eq!(left(&test), [""; 0]);
}
