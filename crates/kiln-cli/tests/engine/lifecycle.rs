//! `kiln status` and `kiln clean` against the engine's own count.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{Copy, command, docker, on_containerd};

/// A package with one small dependency, which is compiled in a way that no earlier run of the tests has asked for: steps of the same text with
/// the same input are one, whoever runs them, and an engine keeps what was cooked before.
fn project(name: &str) -> Copy {
    let copy = Copy::of(
        name,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nitoa = \"=1.0.14\"\n",
            ),
            (
                "Cargo.lock",
                "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"itoa\",\n]\n\n[[package]]\nname = \"itoa\"\nversion = \"1.0.14\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"d75a2a4b1b190afb6f5425f10f6a8f959d2ea0b9c2b1d79553551850539e4674\"\n",
            ),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
            ("src/main.rs", ""),
        ],
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_millis();
    let manifest = fs::read_to_string(copy.root.join("Cargo.toml")).expect("read");
    copy.write("Cargo.toml", &format!("{manifest}\n[profile.release]\ncodegen-units = {}\n", 1 + now % 1_000_000_000));
    // The source names the project: nothing of it is ever another's.
    copy.write(
        "src/main.rs",
        &format!("fn main() {{ println!(\"{}\", itoa::Buffer::new().format(1)); }} // {}\n", "{}", copy.project),
    );
    copy.run(&["init"]);
    copy.build(&[]);
    copy
}

fn json(copy: &Copy, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.push("--json");
    serde_json::from_slice(&copy.run(&all).stdout).expect("stdout is one JSON document")
}

fn ran(copy: &Copy) -> Vec<String> {
    copy.build(&[]).stages_that_ran("app")
}

/// The engine's own list of cache records, with exact bytes.
pub(crate) fn engine_records(host: Option<&str>) -> Vec<Value> {
    let mut command = command("docker");
    command.args(["system", "dial-stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(host) = host {
        command.env("DOCKER_HOST", host);
    }
    let mut child = command.spawn().expect("docker starts");
    let request = b"GET /system/df?type=build-cache HTTP/1.0\r\nHost: docker\r\n\r\n";
    // It stays open: the engine does not answer someone who has hung up.
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(request).expect("the engine listens");
    let output = child.wait_with_output().expect("docker ends");
    drop(stdin);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (_, body) = text.split_once("\r\n\r\n").expect("an answer");
    let answer: Value = serde_json::from_str(body).expect("JSON");
    answer["BuildCache"].as_array().cloned().unwrap_or_default()
}

/// Bytes of the engine's records by their ids, as it counts them. It may have thousands of others, and take some of them meanwhile: so
/// what is compared are records, not sums.
fn engine_bytes() -> BTreeMap<String, f64> {
    let records = engine_records(None);
    let id = |record: &Value| record["ID"].as_str().map(str::to_owned);
    records.iter().filter_map(|record| Some((id(record)?, record["Size"].as_f64()?))).collect()
}

fn bytes(value: &Value) -> f64 {
    value.as_f64().expect("bytes")
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn cleaning_one_project_leaves_every_cache_of_the_other() {
    let (one, two) = (project("clean-one"), project("clean-two"));
    assert_eq!((ran(&one), ran(&two)), (vec![], vec![]), "both are warm");
    let cleaned = json(&one, &["clean", "--all"]);
    assert_eq!(ran(&two), Vec::<String>::new(), "{cleaned:#}");
    if on_containerd() {
        // This store forgets what lies on the engine's own base images with any removal: so there was none.
        assert!(cleaned["forgets"]["layers"].as_u64() > Some(0), "{cleaned:#}");
        assert_eq!(ran(&one), Vec::<String>::new(), "{cleaned:#}");
        return;
    }
    assert!(!cleaned["removed"].as_array().expect("removed").is_empty(), "{cleaned:#}");
    let left = json(&one, &["status"]);
    let is_own = |entry: &&Value| entry["shared"] != "others";
    let own: Vec<&Value> = left["entries"].as_array().expect("entries").iter().filter(is_own).collect();
    assert!(own.is_empty(), "{own:#?}\n{cleaned:#}");
    assert!(!docker(&["buildx", "du", "--verbose"]).contains(&format!("/{}-", one.project)), "a mount is left");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn after_a_bump_the_old_layers_go_and_the_engine_counts_the_same() {
    let copy = project("clean-bump");
    let before = engine_bytes();
    copy.edit("Cargo.toml", "=1.0.14", "=1.0.19");
    copy.edit("Cargo.lock", "1.0.14", "1.0.19");
    copy.edit(
        "Cargo.lock",
        "d75a2a4b1b190afb6f5425f10f6a8f959d2ea0b9c2b1d79553551850539e4674",
        "3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4",
    );
    copy.build(&[]);
    let status = json(&copy, &["status"]);
    let full = engine_bytes();
    // What the bump added to the engine is in the project's status.
    let project = bytes(&status["totals"]["project"]["bytes"]);
    let added: f64 = full.iter().filter(|(id, _)| !before.contains_key(*id)).map(|(_, size)| size).sum();
    assert!(project >= added * 0.95, "{project} of {added}: {status:#}");
    let planned = json(&copy, &["clean", "--dry-run"]);
    let cleaned = json(&copy, &["clean"]);
    assert_eq!(planned["removed"], cleaned["removed"], "a dry run says what goes");
    if on_containerd() {
        assert!(cleaned["forgets"]["records"].as_u64() > Some(0), "{cleaned:#}");
        assert_eq!(ran(&copy), Vec::<String>::new(), "what is current stays");
        return;
    }
    assert!(
        cleaned["removed"]
            .as_array()
            .is_some_and(|removed| removed.iter().any(|it| it["what"].as_str().is_some_and(|what| what.contains("cook")))),
        "{cleaned:#}"
    );
    let freed = bytes(&cleaned["bytes"]);
    let left = engine_bytes();
    let removed = cleaned["removed"].as_array().into_iter().flatten().filter_map(|it| it["id"].as_str());
    let counted: f64 = removed.filter(|id| !left.contains_key(*id)).filter_map(|id| full.get(id)).sum();
    // The client rounds what it says it freed to four digits.
    assert!(counted > 0.0 && (freed - counted).abs() <= counted * 0.01, "kiln says {freed}, the engine {counted}");
    assert_eq!(ran(&copy), Vec::<String>::new(), "what is current stays");
    let again = json(&copy, &["clean"]);
    assert_eq!(again["removed"], serde_json::json!([]), "nothing stale is left");
    json(&copy, &["clean", "--all"]);
}
