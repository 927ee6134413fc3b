//! `kiln warm` with a fake `docker`.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::Test;

/// Two stages on one base, and a runtime on another.
const DOCKERFILE: &str = "\
FROM node:20-slim AS base
WORKDIR /app
FROM base AS deps
COPY package.json ./
RUN npm ci
FROM deps AS builder
COPY . .
RUN npm run build
FROM debian:slim AS runtime
COPY --from=builder /app/dist /app
";

/// The engine has both base images.
const BASES: &str = "has node:20-slim debian:slim";

const GONE: &str =
    "echo 'ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1";

fn shop() -> Test {
    Test::new()
        .docker()
        .write("kiln.toml", "[project]\nname = \"shop\"\n")
        .service("api", DOCKERFILE)
        .service("web", DOCKERFILE)
        .fake("stored", BASES)
        .fake("build", "stream noop")
        .args(["warm", "--progress", "quiet"])
}

/// `name status` of each target.
fn statuses(document: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let targets = document["targets"].as_array().expect("targets");
    targets.iter().map(|target| format!("{} {}", text(&target["name"]), text(&target["status"]))).collect()
}

#[test]
fn what_is_warm_stays_as_it_is() {
    let test = shop().args(["api"]);
    insta::assert_snapshot!(test.run());
    insta::assert_snapshot!(test.calls());
    let records = || fs::read_dir(test.project().join(".kiln/builds")).unwrap().count();
    assert_eq!(records(), 4, "the first of each stage tells what it lives on");
    test.run();
    assert_eq!(records(), 4, "builds in which nothing ran are no records otherwise");
}

/// The engine has both base images and all stages of `api`.
const ALL: &str = "has node:20-slim debian:slim shop-cache:api-prod-base shop-cache:api-prod-deps shop-cache:api-prod-builder shop-cache:api-prod-runtime";
const BAKED: &str = "metadata '{\"t0\":{},\"t1\":{},\"t2\":{},\"t3\":{}}'";

#[test]
fn when_all_is_warm_one_client_asks_and_no_build_starts() {
    let test = shop().fake("stored", ALL).fake("bake", &format!("stream noop; {BAKED}")).args(["api"]);
    let ran = test.run();
    insta::assert_snapshot!(ran);
    let calls = test.calls();
    assert!(calls.contains("buildx bake") && !calls.contains("buildx build"), "{calls}");
    assert_eq!(fs::read_dir(test.project().join(".kiln/builds")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(test.project().join(".kiln/run")).unwrap().count(), 0, "nothing short-lived is left");
}

#[test]
fn what_an_engine_has_pruned_is_noticed_though_the_tags_are_there() {
    // The question is broken off at the first step that works: it would work for ever here.
    let works = r#"{"vertexes":[{"digest":"a","name":"[t1 deps 2/2] RUN npm ci","started":"2026-01-01T00:00:01Z"}]}"#;
    let bake = format!("echo '{works}' >&2; while true; do /bin/sleep 1; done");
    let test = shop().fake("stored", ALL).fake("bake", &bake).fake("build", "stream cold").args(["api", "--json"]);
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(statuses(&ran.json()).contains(&"api-prod-deps built".to_owned()), "{ran}");
    // A client that cannot do it, or says less than it was asked for, is no answer either.
    for bake in ["echo 'ERROR: unknown flag: --file' >&2; exit 1", "stream noop; metadata '{\"t0\":{}}'", "stream noop", BAKED] {
        let test = shop().fake("stored", ALL).fake("bake", bake).args(["api"]);
        let ran = test.run();
        assert_eq!(ran.code, Some(0), "{ran}");
        assert_eq!(test.calls().matches("buildx build").count(), 4, "{bake}");
    }
}

#[test]
fn an_engine_that_goes_away_for_good_is_worth_another_try_later() {
    // Whether it goes while images are pulled, stages built or questions asked.
    for (name, script) in [("pull", GONE), ("build", GONE)] {
        let test = shop().fake("stored", "has nothing").fake(name, script).args(["--retries", "0"]);
        let ran = test.run();
        assert_eq!(ran.code, Some(75), "{ran}");
        assert!(ran.stderr.contains("error: ") && ran.stderr.contains("lost the connection to the Docker daemon"), "{ran}");
    }
    let ran = shop()
        .fake("stored", "echo 'Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?' >&2; exit 1")
        .run();
    assert_eq!(ran.code, Some(75), "{ran}");
}

#[test]
fn an_empty_engine_gets_base_images_and_stages() {
    let test = shop().fake("stored", "has nothing").fake("build", "stream cold").args(["api", "--jobs", "1"]);
    insta::assert_snapshot!(test.run());
    assert!(test.calls().contains("pull --quiet node:20-slim"), "{}", test.calls());
    let records: Vec<_> = fs::read_dir(test.project().join(".kiln/builds")).unwrap().collect();
    assert_eq!(records.len(), 4, "one for each stage");
    let text = fs::read_to_string(records[0].as_ref().unwrap().path()).unwrap();
    assert!(text.lines().next().unwrap().contains("\"target\":"), "{text}");
}

#[test]
fn a_failed_stage_takes_only_those_with_it_that_need_it() {
    let script = "if [[ $target == deps ]]; then stream failed-step; exit 1; fi; stream noop";
    let ran = shop().fake("build-api-prod", script).run();
    insta::assert_snapshot!(ran);
}

#[test]
fn the_document_has_every_target() {
    let script = "if [[ $target == builder ]]; then stream failed-step; exit 1; fi; stream noop";
    let ran = shop().fake("build-web-prod", script).args(["--json"]).run();
    assert_eq!(ran.code, Some(3), "{ran}");
    let document = ran.json();
    assert_eq!(document["schema"], 1);
    assert_eq!(
        statuses(&document),
        [
            "node:20-slim warm",
            "api-prod-base warm",
            "api-prod-deps warm",
            "api-prod-builder warm",
            "debian:slim warm",
            "api-prod-runtime warm",
            "web-prod-base warm",
            "web-prod-deps warm",
            "web-prod-builder failed",
            "web-prod-runtime skipped",
        ]
    );
    let failed = &document["targets"][8];
    assert_eq!((failed["kind"].as_str(), failed["tag"].as_str()), (Some("stage"), Some("shop-cache:web-prod-builder")));
    assert_eq!(document["targets"][9]["error"], "needs web-prod-builder");
}

#[test]
fn a_registry_that_does_not_answer_is_asked_again_and_may_be_tried_later() {
    let script = "if [[ ${*: -1} == debian:slim ]]; then echo 'Error response from daemon: Get \"https://registry.example/v2/\": dial tcp: lookup registry.example: no such host' >&2; exit 1; fi";
    let test = shop().fake("stored", "has node:20-slim").fake("pull", script).args(["api", "--retries", "1"]);
    let ran = test.run();
    assert_eq!(ran.code, Some(75), "{ran}");
    assert_eq!(test.calls().matches("pull --quiet debian:slim").count(), 2, "{}", test.calls());
    insta::assert_snapshot!(ran);
}

/// The stages that lie on a base image that is there can be made, whatever its registry says; that it may be old is said, and the exit code tells.
#[test]
fn a_base_image_that_is_there_is_used_when_it_cannot_be_refreshed() {
    let pull = |line: &str| {
        format!("if [[ ${{*: -1}} == debian:slim ]]; then echo 'Error response from daemon: {line}' >&2; exit 1; fi")
    };
    let away = pull("Get \"https://registry.example/v2/\": dial tcp: lookup registry.example: no such host");
    let mut test = shop().fake("objects", "").fake("pull", &away);
    let ran = test.run_with(["refresh", "api", "--retries", "1", "--progress", "quiet"]);
    assert_eq!(ran.code, Some(75), "{ran}");
    insta::assert_snapshot!(ran);
    let absent = pull("manifest for debian:slim not found: manifest unknown: manifest unknown");
    let mut test = shop().fake("objects", "").fake("pull", &absent);
    let ran = test.run_with(["refresh", "api", "--json", "--progress", "quiet"]);
    assert_eq!(ran.code, Some(3), "{ran}");
    let document = ran.json();
    let base = "debian:slim kept".to_owned();
    let runtime = "api-prod-runtime warm".to_owned();
    let statuses = statuses(&document);
    assert!(statuses.contains(&base) && statuses.contains(&runtime), "{ran}");
    assert!(ran.stderr.contains("the base image `debian:slim` could not be refreshed"), "{ran}");
}

#[test]
fn an_image_that_no_registry_has_is_named() {
    let script =
        "echo 'Error response from daemon: manifest for debian:slim not found: manifest unknown: manifest unknown' >&2; exit 1";
    let test = shop().fake("stored", "has node:20-slim").fake("pull", script).args(["api"]);
    let ran = test.run();
    assert_eq!(test.calls().matches("pull --quiet debian:slim").count(), 1, "{}", test.calls());
    insta::assert_snapshot!(ran);
}

#[test]
fn a_full_disk_is_said_once_and_tried_once() {
    let line = r#"{"vertexes":[{"digest":"e","name":"exporting to image","started":"2026-01-01T00:00:01Z","completed":"2026-01-01T00:00:02Z","error":"write /var/lib/docker/tmp/x: no space left on device"}]}"#;
    let script = format!(
        "if [[ $target == deps ]]; then echo '{line}' >&2; echo 'ERROR: failed to build: failed to solve: write /var/lib/docker/tmp/x: no space left on device' >&2; exit 1; fi; stream noop"
    );
    let ran = shop().fake("build", &script).run();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(ran.stderr.matches("error: the disk of the Docker engine is full").count(), 1, "{ran}");
    assert!(ran.stdout.contains("needs api-prod-deps") && !ran.stderr.contains("trying again"), "{ran}");
}

#[test]
fn a_lost_connection_is_tried_again() {
    let script = "if [[ $target == deps && ! -e $FAKE_DOCKER/lost ]]; then : >\"$FAKE_DOCKER/lost\"; stream stopped-halfway; exit 1; fi; stream noop";
    let ran = shop().fake("build-api-prod", script).args(["--json"]).run();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ran.json()["targets"][2]["attempts"], 2);
    assert!(ran.stderr.contains("warning: api-prod-deps: ") && ran.stderr.contains("; trying again in <time>"), "{ran}");
}

#[test]
fn an_engine_that_stops_halfway_is_worth_another_try() {
    let script = format!(
        "if [[ $target == builder ]]; then : >\"$FAKE_DOCKER/stopped\"; stream stopped-halfway; exit 1; fi; if [[ -e $FAKE_DOCKER/stopped ]]; then {GONE}; fi; stream noop"
    );
    let ran = shop().fake("build", &script).args(["api", "--retries", "0"]).run();
    insta::assert_snapshot!(ran);
    assert_eq!(ran.code, Some(75));
}

#[test]
fn without_an_engine_nothing_is_tried() {
    let info = format!(
        "echo '{{\"ServerVersion\":\"\",\"ClientInfo\":{{\"Version\":\"28\",\"Plugins\":[{{\"Name\":\"buildx\",\"Version\":\"0.29.1\"}}]}}}}'; {GONE}"
    );
    let test = shop().fake("info", &info).fake("stored", GONE);
    let ran = test.run();
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("error: cannot reach the Docker daemon"), "{ran}");
    assert!(!test.calls().contains("buildx build"));
    let info = r#"echo '{"ServerVersion":"28.5.2","ClientInfo":{"Version":"28.5.2","Plugins":[]}}'"#;
    let ran = shop().fake("info", info).fake("inspect", "echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1").run();
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("error: the Docker client has no buildx plugin"), "{ran}");
}

#[test]
fn a_builder_without_an_image_store_has_stages_in_its_cache() {
    let inspect = "printf 'Name:   %s\\nDriver: docker-container\\n\\nNodes:\\n' \"$3\"";
    let test = shop().fake("inspect", inspect).args(["api", "--builder", "ci-1", "--builder", "ci-2"]);
    let ran = test.run();
    insta::assert_snapshot!(ran);
    let calls = test.calls();
    assert_eq!(calls.matches("--output=type=cacheonly").count(), 8, "{calls}");
    assert!(!calls.contains("--tag") && !calls.contains("pull"), "{calls}");
}

/// A builder of the `docker` driver is the engine of a context: its images are there, and not in the engine that the client speaks to.
#[test]
fn images_of_a_context_are_asked_for_and_pulled_there() {
    let inspect = "printf 'Name:   %s\\nDriver: docker\\n\\nNodes:\\n' \"$3\"";
    let test = shop().fake("inspect", inspect).fake("stored", "has debian:slim").args(["api", "--builder", "far"]);
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    let calls = test.calls();
    assert!(calls.contains("--context far pull --quiet node:20-slim"), "{calls}");
    // What a prediction reads of base images is asked elsewhere, and decides nothing here.
    let words = ["info", "pull", "buildx build", "buildx du"];
    let of_engine = |line: &&str| words.iter().any(|word| line.starts_with(&format!("{word} ")));
    assert_eq!(calls.lines().filter(of_engine).collect::<Vec<_>>(), Vec::<&str>::new(), "{calls}");
    let test = shop().fake("inspect", inspect).args(["api", "--builder", "default"]);
    assert_eq!(test.run().code, Some(0));
    assert!(!test.calls().contains("--context"), "{}", test.calls());
}

#[test]
fn one_builder_of_a_fleet_that_does_not_answer_leaves_the_others() {
    let inspect = "if [[ $3 == far ]]; then echo 'ERROR: failed to list workers: Unavailable: connection refused' >&2; exit 1; fi; printf 'Name:   %s\\nDriver: remote\\n\\nNodes:\\n' \"$3\"";
    let ran = shop().fake("inspect", inspect).args(["api", "--builder", "near", "--builder", "far", "--json"]).run();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.starts_with("error: builder `far`: cannot reach"), "{ran}");
    assert_eq!(statuses(&ran.json()).len(), 4);
    let inspect = "echo 'ERROR: no builder \"nosuch\" found' >&2; exit 1";
    let test = shop().fake("inspect", inspect).args(["--builder", "nosuch"]);
    let ran = test.run();
    assert!(ran.stderr.starts_with("error: there is no builder `nosuch`"), "{ran}");
    assert!(!test.calls().contains("buildx build"));
}

#[test]
fn an_interrupt_ends_everything_within_a_second_and_keeps_what_is_done() {
    let script = "if [[ $target != base ]]; then stream stopped-halfway; trap '' TERM; : >\"$FAKE_DOCKER/works\"; while true; do /bin/sleep 60; done; fi; stream noop";
    let test = shop().fake("build", script);
    let works = test.root().join("fake/works");
    let child = test.spawn();
    let until = Instant::now() + Duration::from_secs(20);
    while !works.exists() {
        assert!(Instant::now() < until, "the builds do not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = test.ran(&child.wait_with_output().unwrap());
    let took = begun.elapsed();
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(ran.stderr.contains("error: warming was interrupted\nhint: what is done stays"), "{ran}");
    assert!(ran.stdout.contains("skipped"), "{ran}");
}

#[test]
fn two_at_once_do_not_wait_for_each_other() {
    // Each goes on only when the other one is there, too.
    let build = ": >\"$FAKE_DOCKER/$PPID\"; while [[ ! -e $FAKE_DOCKER/both ]]; do /bin/sleep 0.05; done; stream noop";
    let test = shop().fake("build", build).args(["api", "--jobs", "1"]);
    let children = [test.spawn(), test.spawn()];
    let until = Instant::now() + Duration::from_secs(20);
    let numbers = || {
        let entries = fs::read_dir(test.root().join("fake")).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count()
    };
    while numbers() < 2 {
        assert!(Instant::now() < until, "one waits for the other");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::write(test.root().join("fake/both"), "").unwrap();
    for child in children {
        let ran = test.ran(&child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran}");
    }
}

#[test]
fn flags_reach_every_stage() {
    let test = shop().args([
        "api",
        "--build-arg",
        "A=b",
        "--platform",
        "linux/arm64",
        "--cache-from",
        "registry.example/cache:main",
        "--pull",
    ]);
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    insta::assert_snapshot!(test.calls());
}

#[test]
fn cache_mounts_that_are_gone_are_filled_although_the_layers_are_there() {
    let dockerfile = DOCKERFILE.replace("RUN npm ci", "RUN --mount=type=cache,id=shop-npm,target=/root/.npm npm ci");
    let du =
        |id: &str| format!("printf 'ID: a\\nSize: 1MB\\nDescription: cached mount /root/.npm from exec x with id \"/{id}\"\\n'");
    let build = "if [[ $target == kiln-refill ]]; then /bin/cat \"${args[6]}\" >\"$FAKE_DOCKER/refilled\"; fi; stream noop";
    let test = shop().service("api", &dockerfile).fake("du", &du("shop-npm")).fake("build", build).args(["api", "--json"]);
    let refilled = test.root().join("fake/refilled");
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    let document = ran.json();
    assert!(statuses(&document).contains(&"api-prod-deps-mounts warm".to_owned()), "{ran}");
    assert!(!refilled.exists());
    let test = test.fake("du", &du("other-npm"));
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(statuses(&ran.json()).contains(&"api-prod-deps-mounts built".to_owned()), "{ran}");
    let text = fs::read_to_string(&refilled).unwrap();
    let copy = text.strip_prefix(&dockerfile).expect("a copy of the stage follows the file as it is");
    assert!(copy.starts_with("FROM base AS kiln-refill\nARG KILN_REFILL="), "{text}");
    assert!(copy.ends_with("\nCOPY package.json ./\nRUN --mount=type=cache,id=shop-npm,target=/root/.npm npm ci\n"), "{text}");
    assert_eq!(fs::read_dir(test.project().join(".kiln/run")).unwrap().count(), 0, "nothing short-lived is left");
}

#[test]
fn a_pull_tells_which_base_images_moved() {
    let stored = "if [[ -e $FAKE_DOCKER/pulled ]]; then has node:20-slim debian:slim; else has debian:slim; for name in \"${references[@]}\"; do if [[ $name == node:20-slim ]]; then echo '{\"Id\":\"sha256:0123456789abcdef\",\"RepoTags\":[\"node:20-slim\"]}'; fi; done; fi";
    let mut test =
        shop().fake("stored", stored).fake("pull", "if [[ ${*: -1} == node:20-slim ]]; then : >\"$FAKE_DOCKER/pulled\"; fi");
    insta::assert_snapshot!(test.run_with(["warm", "api", "--pull", "--progress", "quiet", "--jobs", "1"]));
}
