//! `kiln init --ci github`: what it writes, and its commands as they stand, with a fake `docker`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::Test;

/// A `docker` whose image has a `kiln` that notes how it is called.
const IMAGE: &str = "if [[ $1 == create ]]; then echo c0ffee; elif [[ $1 == cp ]]; then printf '#!/bin/sh\\necho \"kiln $*\" >>\"$FAKE_DOCKER/calls\"\\n' >\"$3\"; /bin/chmod +x \"$3\"; fi";
const PATH: &str = ".github/workflows/images.yml";

fn shop(settings: &str) -> Test {
    let test = Test::new().docker().write("kiln.toml", &format!("[project]\nname = \"shop\"\n{settings}"));
    let mut test = test.fake("workflow", IMAGE).service("api", "").service("web", "");
    for service in ["api", "web"] {
        fs::remove_file(test.project().join(service).join("Dockerfile")).expect("as written");
    }
    let ran = test.run_with(["init", "--ci", "github"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    test
}

fn workflow(test: &Test) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(test.project().join(PATH)).expect("as written")).expect("as written")
}

fn steps<'a>(workflow: &'a Value, job: &str) -> impl Iterator<Item = &'a Value> {
    workflow["jobs"][job]["steps"].as_array().expect("as written").iter()
}

/// What GitHub would put in the place of the expressions that the workflow uses.
fn expanded(text: &str, pull_request_of_a_fork: bool) -> String {
    match text.strip_prefix("${{ ").and_then(|text| text.strip_suffix(" }}")) {
        None => text.to_owned(),
        Some("github.event.repository.default_branch") => "main".to_owned(),
        Some(expression) if expression.starts_with("github.event_name != 'pull_request'") => {
            (!pull_request_of_a_fork).to_string()
        }
        Some(expression) => expression.strip_prefix("secrets.").unwrap_or_else(|| panic!("{expression}")).to_lowercase(),
    }
}

/// Runs the commands of a job one after the other, as a runner does, and gives what reached `docker` and `kiln`.
#[expect(clippy::disallowed_methods, reason = "tests run the commands as a runner does")]
fn run(test: &Test, job: &str, branch: &str, fork: bool) -> String {
    let root = test.root();
    let workflow = workflow(test);
    let file = |name: &str| root.join(name);
    for name in ["env", "path", "summary"] {
        fs::write(file(name), "").expect("as written");
    }
    fs::write(root.join("fake/calls"), "").expect("as written");
    let mut environment: BTreeMap<String, String> = BTreeMap::from([
        ("FAKE_DOCKER".to_owned(), file("fake").into_string()),
        ("GITHUB_REPOSITORY".to_owned(), "Acme/Shop".to_owned()),
        ("GITHUB_REPOSITORY_OWNER".to_owned(), "Acme".to_owned()),
        ("GITHUB_REF_NAME".to_owned(), branch.to_owned()),
        ("GITHUB_ENV".to_owned(), file("env").into_string()),
        ("GITHUB_PATH".to_owned(), file("path").into_string()),
        ("GITHUB_STEP_SUMMARY".to_owned(), file("summary").into_string()),
        ("RUNNER_TEMP".to_owned(), file("home").into_string()),
    ]);
    let pairs = |value: &Value| -> Vec<(String, String)> {
        let entries = value.as_object().into_iter().flatten();
        entries.map(|(name, value)| (name.clone(), expanded(value.as_str().expect("as written"), fork))).collect()
    };
    environment.extend(pairs(&workflow["jobs"][job]["env"]));
    for step in steps(&workflow, job).filter(|step| step["run"].is_string()) {
        let mut own = environment.clone();
        own.extend(pairs(&step["env"]));
        let path = fs::read_to_string(file("path")).expect("as written").lines().collect::<Vec<_>>().join(":");
        let output = Command::new("/bin/bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"].as_str().expect("as written")])
            .env_clear()
            .envs(&own)
            .env("PATH", format!("{path}:{}:/usr/bin:/bin", file("bin")))
            .current_dir(test.project())
            .output()
            .expect("as written");
        assert!(output.status.success(), "{step:#}\n{}", String::from_utf8_lossy(&output.stderr));
        let added = fs::read_to_string(file("env")).expect("as written");
        environment.extend(
            added.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
    }
    fs::read_to_string(root.join("fake/calls")).expect("as written").replace(root.as_str(), "<root>")
}

#[test]
fn all_images_are_built_at_once_with_the_cache_of_the_branch_then_of_main() {
    let test = shop("");
    insta::assert_snapshot!(run(&test, "build", "fix/one thing", false));
    // A fork reads only.
    let calls = run(&test, "build", "12/merge", true);
    assert!(calls.contains("cache-from=type=registry,ref=ghcr.io/acme/shop/cache:api-prod-12-merge"), "{calls}");
    assert!(!calls.contains("cache-to"), "{calls}");
}

#[test]
fn measuring_takes_kiln_from_its_image() {
    let test = shop("");
    insta::assert_snapshot!(run(&test, "bench", "main", false).replace(env!("CARGO_PKG_VERSION"), "<version>"));
}

#[test]
fn a_workflow_may_do_no_more_than_it_must() {
    let test = shop(
        "tool-image = \"registry.example/tools/kiln:7\"\n[services.api]\nsecrets = [{ id = \"npm\", env = \"NPM_TOKEN\", as-env = \"NPM_TOKEN\" }]\n",
    );
    let workflow = workflow(&test);
    assert_eq!(workflow["permissions"], serde_json::json!({}), "nothing unless a job says so");
    assert_eq!(workflow["jobs"]["build"]["permissions"], serde_json::json!({ "contents": "read", "packages": "write" }));
    assert_eq!(workflow["jobs"]["bench"]["permissions"], serde_json::json!({ "contents": "read", "packages": "read" }));
    assert!(workflow["concurrency"]["group"].is_string());
    for job in ["build", "bench"] {
        assert!(workflow["jobs"][job]["timeout-minutes"].is_number());
        for step in steps(&workflow, job) {
            if let Some(action) = step["uses"].as_str() {
                let commit = action.split_once('@').unwrap().1;
                assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
            }
            if let Some(command) = step["run"].as_str() {
                assert!(!command.contains("${{"), "what others choose never is part of a command: {command}");
            }
        }
    }
    let bake = steps(&workflow, "build").last().unwrap();
    assert_eq!(bake["env"]["NPM_TOKEN"], "${{ secrets.NPM_TOKEN }}");
    let calls = run(&test, "bench", "main", false);
    assert!(calls.contains("create registry.example/tools/kiln:7 /kiln"), "{calls}");
}

#[test]
fn a_workflow_is_kept_up_to_date_until_somebody_edits_it() {
    let mut test = shop("");
    let path = test.project().join(PATH);
    let first = fs::read_to_string(&path).unwrap();
    fs::remove_dir_all(test.project().join("web")).unwrap();
    // Without the flag: it is kiln's.
    let ran = test.run_with(["init"]);
    assert!(ran.stdout.contains("updated    .github/workflows/images.yml"), "{ran}");
    assert!(!fs::read_to_string(&path).unwrap().contains("web-prod"));
    fs::write(&path, first + "# mine\n").unwrap();
    let ran = test.run_with(["init"]);
    assert!(ran.stdout.contains("kept       .github/workflows/images.yml"), "{ran}");
    fs::remove_file(&path).unwrap();
    let ran = test.run_with(["init"]);
    assert!(!ran.stdout.contains(".github") && !path.exists(), "nobody asked for one: {ran}");
}
