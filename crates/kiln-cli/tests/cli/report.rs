//! `kiln report`

use std::fs;

use insta::assert_snapshot;

use crate::records::{Recorded, write_bench};
use crate::support::Test;

/// A service that was built cold, for nothing, after an edit, and in vain; and a bench run.
fn shop() -> Test {
    let test = Test::new().write("kiln.toml", "[project]\nname = \"shop\"\n").service("api", "FROM scratch\n");
    let build = |minute| Recorded::new("api", minute);
    Recorded { compiles: Some(60.0), ..build(0) }.write(&test.project());
    build(1).write(&test.project());
    let edited = vec!["src/main.rs", "a|b `c`.rs"];
    Recorded { compiles: Some(8.0), edited, commit: 'b', ..build(2) }.write(&test.project());
    let log = vec!["error[E0308]: mismatched types".to_owned(), "\u{1b}[31m</pre><script>alert(1)</script>\u{0}".to_owned()];
    let failure = Some((log, "process \"/bin/sh -c kiln recipe compile\" did not complete: exit code: 101".to_owned()));
    Recorded { compiles: Some(2.0), failure, commit: 'b', ..build(3) }.write(&test.project());
    write_bench(&test.project());
    test
}

#[test]
fn the_last_build_is_bars_in_the_terminal() {
    let mut test = shop();
    assert_snapshot!(test.run_with(["report", "--last"]));
    fs::remove_file(test.project().join(".kiln/builds/20261101T000300.000Z-api-prod.jsonl")).unwrap();
    assert_snapshot!(test.run_with(["report", "--last"]));
    let document = test.run_with(["report", "--last", "--json"]).json();
    let steps = document["last"][0]["steps"].as_array().unwrap();
    let critical: Vec<&str> =
        steps.iter().filter(|step| step["critical"] == true).map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(critical, ["BuildKit", "BuildKit", "planner 1/1", "builder 1/1", "runtime 2/2", "BuildKit"]);
    let reasons: Vec<&str> = steps.iter().filter_map(|step| step["reasons"][0]["kind"].as_str()).collect();
    assert_eq!(reasons, ["files-changed", "files-changed", "upstream-output"]);
}

#[test]
fn the_markdown_tells_of_set_up_cost_use_and_measurements() {
    let mut test = shop();
    assert_snapshot!(test.run_with(["report", "--markdown"]));
    let text = fs::read_to_string(test.project().join("DOCKER_BUILD_OPTIMIZATION.md")).unwrap();
    let (header, body) = text.split_once("\n# ").unwrap();
    assert!(header.starts_with("<!-- Written by kiln ") && header.ends_with("-->"), "{header}");
    assert_snapshot!(body);
    // Nothing has changed, so nothing is to be committed again.
    assert!(test.run_with(["report", "--markdown"]).stdout.starts_with("unchanged"));
    // Only targets that are there are named.
    assert!(!text.contains("make "), "{text}");
    let mut test = test.write("kiln.mk", "docker-build:\n\tkiln build $(ARGS)\n");
    assert!(test.run_with(["report", "--markdown"]).stdout.starts_with("updated"));
    let text = fs::read_to_string(test.project().join("DOCKER_BUILD_OPTIMIZATION.md")).unwrap();
    assert!(text.contains("| `make docker-build` | `kiln build` | ") && text.contains("|  | `kiln warm` | "), "{text}");
}

#[test]
fn what_a_person_edited_is_kept() {
    let mut test = shop();
    let path = test.project().join("notes/builds.md");
    assert_eq!(test.run_with(["report", "--markdown", "notes/builds.md"]).code, Some(0));
    let edited = fs::read_to_string(&path).unwrap().replace("# Docker builds", "# Our Docker builds");
    fs::write(&path, &edited).unwrap();
    let ran = test.run_with(["report", "--markdown", "notes/builds.md"]);
    assert!(ran.stdout.starts_with("kept") && ran.stderr.contains("`--force`"), "{ran}");
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    let ran = test.run_with(["report", "--markdown", "notes/builds.md", "--force", "--json"]);
    assert_eq!(ran.json()["files"][0]["status"], "updated");
    assert_eq!(fs::read_to_string(test.project().join("notes/builds.md.kept")).unwrap(), edited);
    fs::write(test.project().join("mine.html"), "<p>mine</p>").unwrap();
    assert_eq!(test.run_with(["report", "--html", "mine.html", "--json"]).json()["files"][0]["status"], "kept");
    assert_eq!(fs::read_to_string(test.project().join("mine.html")).unwrap(), "<p>mine</p>");
}

#[test]
fn the_page_is_one_file_in_which_nothing_of_others_is_markup() {
    let mut test = shop().docker();
    let document = test.run_with(["report", "--json"]).json();
    assert_eq!(document["files"][0]["path"], ".kiln/report.html");
    assert_eq!((&document["builds"], &document["bench_runs"]), (&4.into(), &1.into()));
    let page = fs::read_to_string(test.project().join(".kiln/report.html")).unwrap();
    // One that runs, and one for each build, which is text.
    assert_eq!((page.matches("<script>").count(), page.matches("<script").count()), (1, 1 + 4));
    assert!(page.contains("␛[31m&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;␀"));
    assert!(page.contains("default-src &#39;none&#39;"));
    for outside in ["http://", "https://", "src=", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // `.kiln` keeps itself out of git, also where no build has made it.
    assert!(test.project().join(".kiln/.gitignore").exists());
}

#[test]
fn nothing_recorded_and_damaged_files_are_told() {
    let mut test = Test::new().service("api", "FROM scratch\n");
    let ran = test.run_with(["report", "--last"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no build is recorded") && ran.stderr.contains("hint: `kiln build`"), "{ran}");
    let ran = test.run_with(["report"]);
    assert!(ran.code == Some(0) && ran.stdout.starts_with("created"), "{ran}");
    let test = test.write(".kiln/builds/20261101T000000.000Z-api-prod.jsonl", "not a record\n");
    let mut test = test.write(".kiln/bench/1.jsonl", "\u{0}\n");
    let ran = test.run_with(["report"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.stderr.matches("warning: left out: ").count(), 2, "{ran}");
    let ran = test.run_with(["report", "--project", "nowhere"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("`nowhere` is no folder"), "{ran}");
    let ran = test.run_with(["report", "--html", "api"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("`api` is a folder, expected a file"), "{ran}");
}
