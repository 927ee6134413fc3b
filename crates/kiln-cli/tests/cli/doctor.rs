//! `kiln doctor`

use std::fs;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use crate::sqlx::{shop, with_data};
use crate::support::{Ran, Test};

const MANIFEST: &str = "{\n  \"name\": \"web\",\n  \"devDependencies\": {\n    \"rollup\": \"^4.0.0\"\n  }\n}\n";

/// A package without a lockfile.
fn unlocked() -> Test {
    Test::new().write("package.json", MANIFEST)
}

#[test]
fn findings_are_shown_with_the_text_pointed_at() {
    assert_snapshot!(unlocked().args(["doctor"]).run());
    assert_snapshot!(Test::new().write("package.json", "{}").args(["doctor"]).run());
}

#[test]
fn the_severity_decides_the_exit_code() {
    let mut test = unlocked().write("kiln.toml", "[doctor]\nignore = [\"node-lock-missing\"]\n").args(["doctor"]);
    assert_eq!(test.run().code, Some(0));
    fs::write(test.project().join("kiln.toml"), "[doctor]\nignore = [\"cargo-lock-missing\"]\n").expect("written");
    assert_eq!(test.run_with(["doctor", "unused-silence"]).code, Some(0), "the silenced rule was not asked");
    assert_eq!(test.run_with(["doctor", "--severity", "error"]).code, Some(4));
    assert_eq!(test.run_with(["doctor", "cargo-lock-missing", "unused-silence"]).code, Some(4));
    assert_eq!(test.run_with(["doctor", "cargo-lock-missing", "unused-silence", "--severity", "error"]).code, Some(0));
}

#[test]
fn notes_fail_only_where_they_are_asked_for() {
    let mut test = Test::new().write("Dockerfile", "FROM debian:12\nCMD [\"sleep\", \"1\"]\n");
    let ran = test.run_with(["doctor", "runs-as-root"]);
    assert!(ran.stdout.contains("note[runs-as-root]"), "{ran}");
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(test.run_with(["doctor", "runs-as-root", "--severity", "note"]).code, Some(4));
}

#[test]
fn json_is_one_document_and_the_list_has_every_rule() {
    let document = unlocked().args(["doctor", "--json"]).run().json();
    assert_eq!(document["schema"], 1);
    let finding = &document["findings"][0];
    assert_eq!((finding["rule"].as_str(), finding["line"].as_u64()), (Some("node-lock-missing"), Some(4)));
    assert_eq!(finding["severity"], "error");
    let list = unlocked().args(["doctor", "--list", "--json"]).run().json();
    let text = unlocked().args(["doctor", "--list"]).run().stdout;
    let rules = list["rules"].as_array().expect("rules");
    for rule in rules {
        assert!(text.contains(rule["id"].as_str().expect("an id")), "{rule}");
    }
}

#[test]
fn a_rule_that_is_not_there_is_a_usage_error() {
    assert_snapshot!(unlocked().args(["doctor", "node-lock-mising"]).run());
}

#[test]
fn sarif_has_what_the_standard_requires() {
    let test = unlocked().args(["doctor", "--sarif", "out.sarif"]);
    assert_eq!(test.run().code, Some(4));
    let log: Value = serde_json::from_str(&fs::read_to_string(test.project().join("out.sarif")).expect("read")).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "kiln");
    let rules = driver["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().expect("a level")));
        assert!(!result["message"]["text"].as_str().expect("a text").is_empty());
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uriBaseId"], "%SRCROOT%");
        assert!(!location["artifactLocation"]["uri"].as_str().expect("a URI").starts_with('/'));
        let region = &location["region"];
        for key in ["startLine", "startColumn", "endColumn"] {
            assert!(region[key].as_u64().is_some_and(|number| number >= 1), "{key} of {result}");
        }
        assert!(region["endColumn"].as_u64() > region["startColumn"].as_u64());
    }
    for rule in rules {
        assert!(rule["shortDescription"]["text"].is_string() && rule["help"]["text"].is_string());
        assert!(["note", "warning", "error"].contains(&rule["defaultConfiguration"]["level"].as_str().expect("a level")));
    }
    let leftovers = test
        .project()
        .read_dir_utf8()
        .expect("read")
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().contains(".kiln-")));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn files_of_one_folder_about_which_the_same_is_said_are_one_finding() {
    let mut test = with_data(shop("fn main() { sqlx::query!(\"SELECT 1\"); }\n"), "SELECT 1").args(["doctor", "sqlx-data-dead"]);
    for number in 2..7 {
        test = with_data(test, &format!("SELECT {number}"));
    }
    assert_snapshot!("same_of_many_files", test.run());
    let document = test.run_with(["doctor", "sqlx-data-dead", "--json", "--sarif", "out.sarif"]).json();
    let [finding] = document["findings"].as_array().expect("findings").as_slice() else { panic!("one finding: {document}") };
    let others = finding["others"].as_array().expect("the other files");
    assert_eq!(others.len(), 4, "{finding}");
    let log: Value = serde_json::from_str(&fs::read_to_string(test.project().join("out.sarif")).expect("read")).expect("JSON");
    let related = log["runs"][0]["results"][0]["relatedLocations"].as_array().expect("related locations");
    let related: Vec<&Value> = related.iter().map(|location| &location["physicalLocation"]["artifactLocation"]["uri"]).collect();
    assert_eq!(related, others.iter().collect::<Vec<_>>());
    // A silence of one file speaks for that one alone.
    let silence = format!("[doctor]\nignore = [\"sqlx-data-dead:{}\"]\n", finding["path"].as_str().expect("a path"));
    fs::write(test.project().join("kiln.toml"), silence).expect("written");
    let document = test.run_with(["doctor", "sqlx-data-dead", "unused-silence", "--json"]).json();
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(1), "{document}");
    assert_eq!(
        (&document["findings"][0]["path"], document["findings"][0]["others"].as_array().map(Vec::len)),
        (&others[0], Some(3))
    );
}

#[test]
fn a_sarif_file_that_cannot_be_written_is_named() {
    let ran = unlocked().args(["doctor", "--sarif", "missing/out.sarif"]).run();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("cannot write `missing/out.sarif`"), "{ran}");
}

const CONFIG: &str = "// What rollup builds.\nexport default { input: 'src/index.js', output: { file: 'dist/index.js' } };\n";

/// An ES module in `.cjs`, which a script names.
fn wrong_extension() -> Test {
    Test::new()
        .write("package.json", "{ \"name\": \"web\", \"scripts\": { \"build\": \"rollup -c rollup.config.cjs\" } }\n")
        .write("rollup.config.cjs", CONFIG)
}

#[test]
fn fix_shows_the_difference_applies_it_and_does_nothing_the_second_time() {
    let mut test = wrong_extension().args(["doctor"]);
    let before = test.run();
    assert_eq!(before.code, Some(4), "{before}");
    assert!(
        before.stdout.contains("fix: rename to rollup.config.mjs") && before.stderr.contains("kiln doctor --fix"),
        "{before}"
    );
    let fixed = test.run_with(["doctor", "--fix"]);
    assert_eq!(fixed.code, Some(0), "{fixed}");
    for line in
        ["rename from rollup.config.cjs\nrename to rollup.config.mjs\n", "+++ b/package.json\n", "rollup -c rollup.config.mjs"]
    {
        assert!(fixed.stdout.contains(line), "{fixed}");
    }
    let again = test.run_with(["doctor", "--fix"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""), "{again}");
    assert_eq!(fs::read_to_string(test.project().join("rollup.config.mjs")).expect("read"), CONFIG);
    assert!(!test.project().join("rollup.config.cjs").exists());
}

#[test]
fn a_fix_after_which_rollup_loads_no_more_is_taken_back() {
    // Stands for a Node whose rollup loads `.cjs` and nothing else.
    let node = "#!/bin/sh\ncase \"$3\" in *.cjs) exit 0;; esac\necho 'Unexpected token' >&2\nexit 1\n";
    let test = wrong_extension().program("node", node).args(["doctor", "--fix"]);
    let ran = test.run();
    assert_eq!(ran.code, Some(70), "{ran}");
    assert!(ran.stderr.contains("no longer loads `rollup.config.mjs`") && ran.stderr.contains("Unexpected token"), "{ran}");
    assert_eq!(fs::read_to_string(test.project().join("rollup.config.cjs")).expect("read"), CONFIG);
    assert!(!test.project().join("rollup.config.mjs").exists());
    assert!(fs::read_to_string(test.project().join("package.json")).expect("read").contains("rollup.config.cjs"));
}

#[test]
fn an_engine_that_will_delete_the_mounts_is_told_of_if_it_answers_at_once() {
    let rule = "printf 'Name: default\\nDriver: docker\\n\\nNodes:\\nGC Policy rule#0:\\n Filters: type==source.local,type==exec.cachemount\\n Keep Duration: 48h0m0s\\n Max Used Space: 1.5GiB\\n'";
    let with = |version: &str, inspect: &str| {
        let dockerfile = "FROM node:20-slim\nRUN --mount=type=cache,id=x-npm,target=/root/.npm npm ci\n";
        let test = Test::new().docker().write("Dockerfile", dockerfile).fake("version", version).fake("inspect", inspect);
        test.args(["doctor", "mounts-collected"])
    };
    assert_snapshot!(with("echo 29.6.1", rule).run());
    assert_eq!(with("echo 28.5.2", rule).run().code, Some(0), "it has the rule, and never applies it");
    let silent = with("exit 1", "exit 1").run();
    assert_eq!(silent.code, Some(0), "{silent}");
    assert!(silent.stderr.contains("no engine answers"), "{silent}");
    let mut others = with("echo 29.6.1", rule);
    others.run_with(["doctor", "cargo-lock-missing"]);
    assert!(!others.calls().contains("buildx inspect"), "no rule wants to know");
}

/// What the repository is worth is not a matter of the machine on which it is looked at.
#[test]
fn an_engine_decides_no_exit_code_unless_its_rule_is_named() {
    let rule = "printf 'Name: default\\nDriver: docker\\n\\nNodes:\\nGC Policy rule#0:\\n Filters: type==exec.cachemount\\n Keep Duration: 48h0m0s\\n'";
    let with = |inspect: &str, settings: &str| {
        let dockerfile = "FROM scratch\nRUN --mount=type=cache,id=x-npm,target=/root/.npm npm ci\n";
        let test = Test::new().docker().write("Dockerfile", dockerfile).write("kiln.toml", settings);
        test.fake("version", "echo 29.6.1").fake("inspect", inspect).args(["doctor", "--sarif", "found.sarif"])
    };
    let of_engine = |ran: &Ran| ran.stdout.contains("mounts-collected");
    let (test, gone) = (with(rule, ""), with("exit 1", "").run());
    let asked = test.run();
    assert!(of_engine(&asked) && !of_engine(&gone), "{asked}\n{gone}");
    assert_eq!(asked.code, gone.code, "{asked}\n{gone}");
    let sarif: Value = serde_json::from_slice(&fs::read(test.project().join("found.sarif")).expect("written")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert!(results.iter().all(|result| result["ruleId"] != "mounts-collected"), "{sarif:#}");
    let severe = |test: Test| test.args(["--severity", "error"]).run().code;
    assert_eq!((severe(with(rule, "")), severe(with("exit 1", ""))), (Some(0), Some(0)));
    // A silence that some machines need is superfluous on no other.
    for inspect in [rule, "exit 1"] {
        let silenced = with(inspect, "[doctor]\nignore = [\"mounts-collected\"]\n").run();
        assert_eq!((silenced.code, silenced.stdout), (gone.code, gone.stdout.clone()));
    }
    let begun = Instant::now();
    let slow = with("/bin/sleep 60", "").run();
    assert_eq!(slow.code, gone.code, "{slow}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
