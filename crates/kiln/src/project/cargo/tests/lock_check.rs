use super::*;

const MANIFEST: &str = "[dependencies]\nserde = \"1.0.100\"\nlocal = { path = \"local\" }\nfork = { git = \"https://example.test/fork\" }\n\
                        maybe = { version = \"0.3\", optional = true }\n[dev-dependencies]\ntester = \"2\"\napp = { path = \".\" }\n";

const LOCK: &str = r#"version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "fork",
 "local",
 "maybe 0.3.1",
 "serde",
 "tester",
]

[[package]]
name = "fork"
version = "0.9.0"
source = "git+https://example.test/fork#0123"
dependencies = [
 "maybe 0.2.0",
]

[[package]]
name = "local"
version = "0.1.0"

[[package]]
name = "maybe"
version = "0.2.0"
source = "registry+https://example.test/index"

[[package]]
name = "maybe"
version = "0.3.1"
source = "registry+https://example.test/index"

[[package]]
name = "serde"
version = "1.0.200"
source = "registry+https://example.test/index"

[[package]]
name = "tester"
version = "2.1.0"
source = "registry+https://example.test/index"
"#;

fn disagreements(manifest: &str, lock: &str) -> String {
    let fixture = Fixture::new().binary(".", "app", manifest).library("local", "local", "").file("Cargo.lock", lock);
    let found = load(&fixture).lock_disagreements();
    let lines = found.iter().map(|found| {
        format!("{}:{} {:?}", found.manifest, found.line.map_or("-".to_owned(), |line| line.to_string()), found.kind)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_current_lock_has_no_disagreements() {
    assert_eq!(disagreements(MANIFEST, LOCK), "");
    let generated = Fixture::generated(20, 60);
    assert_eq!(load(&generated).lock_disagreements(), []);
}

#[test]
fn a_stale_lock_names_the_dependency_and_its_line() {
    insta::assert_snapshot!(disagreements(&MANIFEST.replace("1.0.100", "1.0.201"), LOCK), @r#"Cargo.toml:6 Version { alias: "serde", dependency: "serde", requirement: "1.0.201", locked: ["1.0.200"] }"#);
    insta::assert_snapshot!(disagreements(&MANIFEST.replace("\"0.3\"", "\"0.2\""), LOCK), @r#"Cargo.toml:9 Version { alias: "maybe", dependency: "maybe", requirement: "0.2", locked: ["0.3.1"] }"#);
    insta::assert_snapshot!(disagreements(&MANIFEST.replace("tester", "other"), LOCK), @r#"
    Cargo.toml:11 Missing { alias: "other", dependency: "other" }
    Cargo.toml:- Unneeded { dependency: "tester" }
    "#);
    insta::assert_snapshot!(disagreements(&MANIFEST.replace("serde = \"1.0.100\"", "serde = { git = \"https://example.test/serde\" }"), LOCK), @r#"Cargo.toml:6 Source { alias: "serde", dependency: "serde" }"#);
    insta::assert_snapshot!(disagreements(&MANIFEST.replace("local = { path = \"local\" }", "local = \"0.1\""), LOCK), @r#"Cargo.toml:7 Source { alias: "local", dependency: "local" }"#);
    insta::assert_snapshot!(disagreements(MANIFEST, &LOCK.replace("name = \"app\"\nversion = \"0.1.0\"", "name = \"app\"\nversion = \"0.0.9\"")), @r#"Cargo.toml:- MemberVersion { manifest: "0.1.0", locked: "0.0.9" }"#);
    insta::assert_snapshot!(disagreements(MANIFEST, &LOCK.replace("name = \"app\"", "name = \"old-name\"")), @"Cargo.toml:- MemberMissing");
}

#[test]
fn what_cargo_alone_can_judge_is_no_disagreement() {
    let patched =
        format!("{}[patch.crates-io]\nserde = {{ git = \"https://example.test/serde\" }}\n", MANIFEST.replace("1.0.100", "7"));
    assert_eq!(disagreements(&patched, LOCK), "");
    assert_eq!(disagreements(&MANIFEST.replace("1.0.100", "not a requirement"), LOCK), "");
    assert_eq!(disagreements(&MANIFEST.replace("\"1.0.100\"", "{ version = \"1\", registry = \"company\" }"), LOCK), "");
    assert_eq!(disagreements(MANIFEST, ""), "Cargo.toml:- MemberMissing");
}
