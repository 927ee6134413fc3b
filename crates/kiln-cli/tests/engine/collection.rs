//! What the engine's own garbage collection takes: that `kiln status` foresees it, that it happens, and that `kiln warm` mends it.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::faults::Project;
use crate::lifecycle::engine_records;
use crate::own_engine::{OwnEngine, succeeded};
use crate::support::command;

const IMAGE: &str = "node:20-bookworm-slim";
/// The rule that Docker Engine has for mounts, with seconds for its two days.
const RULES: &str = r#"[ { "filter": ["type=exec.cachemount", "unused-for=60s"] }, { "all": true, "maxUsedSpace": "40GB" } ]"#;
/// An engine collects at most once a minute, and begins with that a while after a build.
const PATIENCE: Duration = Duration::from_secs(200);

fn status(project: &Project<'_>) -> Value {
    let text = succeeded(project.command(&["status", "--json"]).output());
    serde_json::from_str(&text).expect("a document")
}

fn mounts(status: &Value) -> Vec<String> {
    let entries = status["entries"].as_array().expect("entries").iter().filter(|entry| entry["kind"] == "mount");
    entries.filter_map(|entry| entry["what"].as_str().map(str::to_owned)).collect()
}

fn is_there(engine: &OwnEngine, mount: &str) -> bool {
    let words = format!("/{mount}\"");
    engine_records(Some(&engine.host))
        .iter()
        .any(|record| record["Description"].as_str().is_some_and(|text| text.contains(&words)))
}

/// A build that does nothing but to use a mount.
fn uses(engine: &OwnEngine, mount: &str, nonce: usize) {
    let mut child = command("docker")
        .args(["build", "--quiet", "-"])
        .env("DOCKER_HOST", &engine.host)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("docker starts");
    let text = format!("FROM {IMAGE}\nRUN --mount=type=cache,id={mount},target=/mount echo {nonce}\n");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("docker reads");
    assert!(child.wait().expect("docker ends").success());
}

#[test]
#[ignore = "needs a Docker Engine and minutes: run `make engine-test-long`"]
fn the_mount_of_a_project_that_rests_is_taken_as_status_says_and_no_other() {
    let engine = OwnEngine::up("collection-test", &["--gc", RULES]);
    engine.images(&[IMAGE]);
    let (rests, works) = (Project::new("collection-rests", &engine), Project::new("collection-works", &engine));
    let warm = |project: &Project<'_>| {
        let (code, talk, _) = project.warm();
        assert_eq!(code, Some(0), "{talk}");
    };
    // At once: on a busy machine the engine may well collect while the other project is warmed.
    warm(&rests);
    let foreseen = status(&rests);
    let forecast = &foreseen["gc"]["forecasts"][0];
    let expected = ("exec.cachemount", 60, true);
    let found = (forecast["kind"].as_str(), forecast["unused_seconds"].as_u64(), forecast["due"].as_bool());
    assert_eq!(found, (Some(expected.0), Some(expected.1), Some(expected.2)), "{foreseen:#}");
    let tree = succeeded(rests.command(&["status"]).output());
    warm(&works);
    let (resting, working) = (mounts(&foreseen), mounts(&status(&works)));
    assert!(!resting.is_empty() && !working.is_empty() && resting.iter().all(|id| !working.contains(id)), "{foreseen:#}");
    for mount in &resting {
        assert!(
            tree.contains(&format!("the mount `{mount}`, ")) && tree.contains("is removed after 60 s without a build"),
            "{tree}"
        );
    }
    assert!(tree.contains(" if none comes)") && tree.contains("`kiln init --gc docker` prints the setting"), "{tree}");

    let begun = Instant::now();
    let mut nonce = 0;
    while resting.iter().any(|mount| is_there(&engine, mount)) {
        assert!(begun.elapsed() < PATIENCE, "the engine has not taken {resting:?}");
        nonce += 1;
        working.iter().for_each(|mount| uses(&engine, mount, nonce));
        std::thread::sleep(Duration::from_secs(5));
    }
    assert!(working.iter().all(|mount| is_there(&engine, mount)), "what is used stays");
    assert_eq!(mounts(&status(&rests)), Vec::<String>::new());
    // The rule takes mounts only: builds are as quick as before, until an edit asks for what was in there.
    rests.assert_warm();
    let (code, talk, states) = rests.warm();
    assert_eq!(code, Some(0), "{talk}");
    let made: Vec<&String> = states.iter().filter(|state| !state.ends_with(" warm")).collect();
    assert!(!made.is_empty() && made.iter().all(|state| state.contains("-mounts built")), "{states:?}");
    assert_eq!(mounts(&status(&rests)), resting);
}
