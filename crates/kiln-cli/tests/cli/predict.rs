//! `kiln predict` and `kiln why`

use crate::support::Test;

const DOCKERFILE: &str = "FROM debian\nCOPY package.json /app/\nRUN npm ci\nCOPY src /app/src\nRUN make\n";

/// A repository with a Dockerfile of its own.
fn foreign() -> Test {
    Test::new().write("Dockerfile", DOCKERFILE).write("package.json", "{}").write("src/a.js", "a").write("README.md", "hi")
}

/// Verdicts of the steps, in order.
fn verdicts(test: Test, changed: &[&str]) -> Vec<String> {
    let mut args = vec!["predict", "--json", "--dockerfile", "Dockerfile"];
    args.extend(changed.iter().flat_map(|path| ["--changed", path]));
    let document = test.args(args).run().json();
    let steps = document["steps"].as_array().expect("steps").clone();
    steps.iter().map(|step| step["verdict"].as_str().expect("a verdict").to_owned()).collect()
}

#[test]
fn what_an_edit_would_cost_is_told_without_engine_and_record() {
    assert_eq!(verdicts(foreign(), &["README.md"]), ["cached", "cached", "cached", "cached"]);
    assert_eq!(verdicts(foreign(), &["src/a.js"]), ["cached", "cached", "runs", "runs"]);
    assert_eq!(verdicts(foreign(), &["src/new.js"]), ["cached", "cached", "runs", "runs"]);
    assert_eq!(verdicts(foreign(), &["package.json"]), ["runs", "runs", "runs", "runs"]);
    assert_eq!(verdicts(foreign(), &[]), ["runs", "runs", "runs", "runs"], "no earlier build is known");
    let output = foreign().args(["predict", "--dockerfile", "Dockerfile", "--changed", "src/a.js"]).run();
    assert_eq!(output.code, Some(0));
    assert!(output.stdout.contains("`src/a.js` changed"), "{}", output.stdout);
    assert!(output.stdout.contains("after `stage-0` line 4"), "{}", output.stdout);
}

#[test]
fn dependencies_that_would_be_installed_again_fail_the_check() {
    let check = |path| foreign().args(["predict", "-f", "Dockerfile", "--fail-if", "dependencies", "--changed", path]).run();
    assert_eq!(check("src/a.js").code, Some(0));
    let failed = check("package.json");
    assert_eq!(failed.code, Some(4));
    assert!(failed.stderr.contains("line 3"), "{}", failed.stderr);
}

#[test]
fn a_dockerfile_that_cannot_be_built_is_an_error_with_its_line() {
    let output = Test::new().write("Dockerfile", "FROM debian\nCOPPY a b\n").args(["predict", "-f", "Dockerfile"]).run();
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("Dockerfile") && output.stderr.contains("line 2"), "{}", output.stderr);
    let missing = Test::new().args(["predict", "-f", "nothing"]).run();
    assert_eq!(missing.code, Some(1));
}

#[test]
fn why_without_records_says_so() {
    let output = Test::new().args(["why"]).run();
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("no build is recorded yet"), "{}", output.stderr);
}
