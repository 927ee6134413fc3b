//! `kiln build`

use std::fs;
use std::time::{Duration, Instant};

use crate::support::Test;

/// The Dockerfile that the recorded streams `cold` and `noop` are of.
const DOCKERFILE: &str = "\
# syntax-less
ARG KILN_IMAGE=kiln:latest
FROM ${KILN_IMAGE} AS kiln
FROM debian:bookworm-slim AS base
WORKDIR /app
FROM base AS planner
RUN --mount=type=bind,target=/src --mount=type=bind,from=kiln,source=/kiln,target=/usr/local/bin/kiln \\
    kiln > /recipe.json; ls -l /usr/local/bin/kiln
FROM base AS deps
COPY --from=planner /recipe.json /recipe.json
RUN echo cooking; for i in 1 2 3; do echo line $i; sleep 0.3; done
FROM base
COPY --from=deps /recipe.json /recipe.json
COPY hello.txt /hello.txt
CMD [\"cat\",\"/hello.txt\"]
";

/// The Dockerfile that the recorded stream `failed-step` is of.
const FAILING: &str = "\
FROM debian:bookworm-slim AS a
RUN echo before; echo bad >&2; exit 7
FROM debian:bookworm-slim AS b
RUN echo slow; sleep 20
FROM scratch
COPY --from=a /etc/hostname /a
COPY --from=b /etc/hostname /b
";

const SETTINGS: &str = "\
[project]
name = \"shop\"

[services.api]
ca-certificates = [\"ca.pem\"]
secrets = [{ id = \"npm\", env = \"NPM_TOKEN\", as-env = \"NPM_TOKEN\" }]
";

/// Two services, `api` and `web`; a script stands for the kiln inside of builds.
fn shop() -> Test {
    Test::new()
        .docker()
        .write("kiln.toml", SETTINGS)
        .service("api", DOCKERFILE)
        .service("web", FAILING)
        .write("ca.pem", "")
        .write("tool.sh", "#!/bin/sh\n")
        .env("KILN_TOOL", "tool.sh")
        .args(["build"])
}

#[test]
fn a_cold_build_shows_its_steps_and_the_image() {
    let test = shop().args(["api"]).fake("build", "stream cold");
    insta::assert_snapshot!(test.run());
    insta::assert_snapshot!(test.calls());
}

#[test]
fn the_image_for_plain_docker_build_is_made_again_where_the_engine_has_lost_it() {
    // The engine has it under the id that its build gave; then somebody clears images; then another kiln has made its own.
    let id = "sha256:21bc7e6346b201985966d44c42db51925d53135a53f0523a7aeeedec08b1256a";
    let has = |id: &str| format!("echo '{{\"Id\":\"{id}\",\"RepoTags\":[\"kiln:latest\"]}}'");
    let test = shop().args(["api"]).fake("build", "stream cold");
    let made = |stored: &str| {
        let before = test.calls().matches("--tag kiln:latest").count();
        fs::write(test.root().join("fake/stored.sh"), stored).unwrap();
        assert_eq!(test.run().code, Some(0));
        test.calls().matches("--tag kiln:latest").count() - before
    };
    assert_eq!((made("has nothing"), made(&has(id)), made("has nothing"), made(&has("sha256:00"))), (1, 0, 1, 1));
    assert_eq!(made("exit 1"), 1, "an engine that fails when one is missing says so");
}

#[test]
fn an_unchanged_build_runs_no_step() {
    let script =
        format!("stream noop; metadata '{{\"containerimage.digest\":\"sha256:{}\"}}'", "21bc7e6346b2".repeat(5) + "0000");
    let test = shop().args(["api"]).fake("build", &script);
    insta::assert_snapshot!(test.run());
    let calls = fs::read_to_string(test.root().join("fake/calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "the client is started once: {calls}");
}

#[test]
fn the_document_has_every_step() {
    let test = shop().args(["api", "--json", "--progress", "quiet"]).fake("build", "stream cold");
    let ran = test.run();
    insta::assert_snapshot!(ran.stdout.replace("\"seconds\": <time>", "\"seconds\": 0"));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_failed_step_is_shown_with_its_output_and_line() {
    insta::assert_snapshot!(shop().args(["web"]).fake("build", "stream failed-step; exit 1").run());
}

#[test]
fn output_that_is_known_has_a_hint() {
    let line = r#"{"vertexes":[{"digest":"d","name":"[a 2/2] RUN npm ci","started":"2026-01-01T00:00:01Z","completed":"2026-01-01T00:00:02Z","error":"process \"/bin/sh -c npm ci\" did not complete successfully: exit code: 1"}],"logs":[{"vertex":"d","stream":2,"data":"bnBtIGVycm9yIGNvZGUgRVVTQUdFCg=="}]}"#;
    let script = format!("echo '{line}' >&2; echo 'ERROR: failed to build: failed to solve: process' >&2; exit 1");
    insta::assert_snapshot!(shop().args(["web", "--progress", "quiet"]).fake("build", &script).run());
}

/// As an engine with the containerd store may end a build of several images at once.
#[test]
fn an_image_of_which_the_engine_loses_a_layer_is_built_again() {
    let lost =
        "failed to prepare extraction snapshot \"extract-7 sha256:aa\": parent snapshot sha256:bb does not exist: not found";
    let error = serde_json::Value::from(lost);
    let line = format!(
        r#"{{"vertexes":[{{"digest":"e","name":"exporting to image","started":"2026-01-01T00:00:01Z","completed":"2026-01-01T00:00:02Z","error":{error}}}]}}"#
    );
    let fails = format!("stream cold; echo '{line}' >&2; echo 'ERROR: failed to build: failed to solve: {lost}' >&2; exit 1");
    let once = format!("if [[ ! -e $FAKE_DOCKER/again ]]; then : >\"$FAKE_DOCKER/again\"; {fails}; fi; stream noop");
    let test = shop().args(["api"]).fake("build", &once);
    insta::assert_snapshot!(test.run());
    assert_eq!(test.calls().matches("buildx build").count(), 3, "twice the image, and once `kiln:latest`");
    insta::assert_snapshot!(shop().args(["api", "--progress", "quiet"]).fake("build", &fails).run());
}

#[test]
fn a_mistake_in_the_dockerfile_is_shown_where_it_is() {
    let script = "printf 'Dockerfile:2\\n--------------------\\n   2 | >>> RUNN true\\n--------------------\\nERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)\\n' >&2; exit 1";
    insta::assert_snapshot!(shop().args(["web"]).fake("build", script).run());
}

#[test]
fn docker_is_missing() {
    let test = shop().args(["api"]);
    fs::remove_file(test.root().join("bin/docker")).unwrap();
    insta::assert_snapshot!(test.run());
}

#[test]
fn another_docker_can_be_named() {
    let test = shop().args(["api"]).fake("build", "stream noop");
    fs::rename(test.root().join("bin/docker"), test.root().join("bin/my-docker")).unwrap();
    assert_eq!(test.env("KILN_DOCKER", "my-docker").run().code, Some(0));
}

/// What the engine lacks, told by `docker info` and by the build that fails with it.
#[track_caller]
fn lack(info: &str, build: &str) -> String {
    shop().args(["--progress", "plain"]).fake("info", info).fake("build", build).run().to_string()
}

#[test]
fn the_engine_is_not_running() {
    let message = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    let info = format!(
        "echo '{{\"ServerVersion\":\"\",\"ClientInfo\":{{\"Version\":\"28\",\"Plugins\":[{{\"Name\":\"buildx\",\"Version\":\"0.29.1\"}}]}}}}'; echo '{message}' >&2; exit 1"
    );
    insta::assert_snapshot!(lack(&info, &format!("echo 'ERROR: {message}' >&2; exit 1")));
}

#[test]
fn the_socket_is_not_for_this_user() {
    let message = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
    let script = format!("echo 'ERROR: {message}' >&2; exit 1");
    insta::assert_snapshot!(lack(&script, &script));
}

#[test]
fn the_engine_is_too_old() {
    let info = r#"echo '{"ServerVersion":"20.10.24+dfsg1","ClientInfo":{"Version":"20.10.24","Plugins":[{"Name":"buildx","Version":"0.29.1"}]}}'"#;
    insta::assert_snapshot!(lack(info, "/bin/sleep 5; stream noop"));
}

#[test]
fn buildx_is_missing() {
    let info = r#"echo '{"ServerVersion":"28.5.2","ClientInfo":{"Version":"28.5.2","Plugins":[]}}'"#;
    insta::assert_snapshot!(lack(info, "echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1"));
}

#[test]
fn buildx_is_too_old() {
    let info = r#"echo '{"ServerVersion":"28.5.2","ClientInfo":{"Version":"28.5.2","Plugins":[{"Name":"buildx","Version":"v0.12.1"}]}}'"#;
    insta::assert_snapshot!(lack(info, "echo 'ERROR: invalid progress mode: rawjson' >&2; exit 1"));
}

#[test]
fn the_client_is_not_docker() {
    insta::assert_snapshot!(lack(
        "echo '{\"host\":{\"arch\":\"amd64\"}}'",
        "echo 'Error: unknown flag: --progress=rawjson' >&2; exit 125"
    ));
}

#[test]
fn there_is_no_such_builder() {
    let test = shop().args(["api", "--builder", "ci"]).fake("build", "echo 'ERROR: no builder \"ci\" found' >&2; exit 1");
    insta::assert_snapshot!(test.run());
}

#[test]
fn the_engine_stops_halfway() {
    insta::assert_snapshot!(shop().args(["api"]).fake("build", "stream stopped-halfway; exit 1").run());
}

#[test]
fn the_disk_is_full_during_the_export() {
    let line = r#"{"vertexes":[{"digest":"e","name":"exporting to image","started":"2026-01-01T00:00:01Z","completed":"2026-01-01T00:00:02Z","error":"write /var/lib/docker/tmp/x: no space left on device"}]}"#;
    let script = format!(
        "echo '{line}' >&2; echo 'ERROR: failed to build: failed to solve: write /var/lib/docker/tmp/x: no space left on device' >&2; exit 1"
    );
    insta::assert_snapshot!(shop().args(["api"]).fake("build", &script).run());
}

#[test]
fn no_registry_answers() {
    let script = "echo 'ERROR: failed to build: failed to solve: debian:nope: failed to resolve source metadata for docker.io/library/debian:nope: failed to do request: dial tcp: lookup registry: no such host' >&2; exit 1";
    insta::assert_snapshot!(shop().args(["api"]).fake("build", script).run());
}

#[test]
fn output_that_makes_no_sense_is_no_image() {
    insta::assert_snapshot!(
        shop().args(["api"]).fake("build", "echo 'Sending build context to Docker daemon' >&2; echo done").run()
    );
}

#[test]
fn the_client_is_killed() {
    insta::assert_snapshot!(shop().args(["api"]).fake("build", "stream stopped-halfway >/dev/null 2>&1; kill -9 $$").run());
}

#[test]
fn a_failure_stops_the_other_builds() {
    let test = shop()
        .args(["--progress", "quiet", "--json"])
        .fake("build-web-prod", "stream failed-step; exit 1")
        .fake("build-api-prod", "/bin/sleep 60");
    let begun = Instant::now();
    let ran = test.run();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(ran.code, Some(3));
    let statuses: Vec<_> = ran.json()["builds"].as_array().unwrap().iter().map(|build| build["status"].clone()).collect();
    assert_eq!(statuses, ["interrupted", "failed"]);
}

#[test]
fn keep_going_finishes_the_other_builds() {
    let test = shop()
        .args(["--keep-going"])
        .fake("build-web-prod", "stream failed-step; exit 1")
        .fake("build-api-prod", "/bin/sleep 1; stream noop");
    let ran = test.run();
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("1 of 2 images in") && ran.stderr.contains("shop/api:latest"), "{ran}");
}

#[test]
fn an_interrupt_ends_everything_within_a_second() {
    let test = shop().fake(
        "build",
        "stream stopped-halfway; trap '' TERM; echo $$ >>\"$FAKE_DOCKER/pids\"; while true; do /bin/sleep 60; done",
    );
    let pids = test.root().join("fake/pids");
    let child = test.spawn();
    let until = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(&pids).unwrap_or_default().lines().count() < 2 {
        assert!(Instant::now() < until, "the builds do not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap(),
        rustix::process::Signal::INT,
    )
    .unwrap();
    let ran = test.ran(&child.wait_with_output().unwrap());
    let took = begun.elapsed();
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(ran.stderr.ends_with("error: the build was interrupted\n"), "{ran}");
    for pid in fs::read_to_string(&pids).unwrap().lines() {
        let alive = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        let until = Instant::now() + Duration::from_secs(1);
        while alive() {
            assert!(Instant::now() < until, "process {pid} lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let state = test.project().join(".kiln");
    assert_eq!(fs::read_dir(state.join("run")).unwrap().count(), 0, "temporary files are left");
    let records: Vec<_> = fs::read_dir(state.join("builds")).unwrap().collect();
    assert_eq!(records.len(), 2);
    for record in records {
        let text = fs::read_to_string(record.unwrap().path()).unwrap();
        assert!(text.lines().last().unwrap().contains("\"ending\":\"interrupted\""), "{text}");
    }
}

#[test]
fn a_record_that_cannot_be_written_is_a_warning() {
    let test = shop().args(["api"]).fake("build", "stream noop").write(".kiln/builds", "not a folder");
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.starts_with("warning: cannot use the build record"), "{ran}");
}

#[test]
fn events_can_be_read_by_programs() {
    let ran = shop().args(["web", "--progress", "json"]).fake("build", "stream failed-step; exit 1").run();
    assert_eq!(ran.code, Some(3));
    let events: Vec<serde_json::Value> =
        ran.stderr.replace("<time>", "0").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["event"] == "step-log" && event["service"] == "web"));
    assert_eq!(events.last().unwrap()["event"], "error");
}

#[test]
fn colour_is_for_terminals_and_those_who_ask() {
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let test = shop().args(["api"]).args(args.iter().copied()).fake("build", "exit 1");
        env.iter().fold(test, |test, (name, value)| test.env(name, value)).run().stderr.contains('\u{1b}')
    };
    assert!(!run(&[], &[]));
    assert!(run(&["--color", "always"], &[]));
    assert!(!run(&[], &[("NO_COLOR", "1")]));
}

#[test]
fn what_cannot_be_built_is_said_before_anything_runs() {
    let test = shop().args(["ape"]);
    insta::assert_snapshot!(test.run());
    assert_eq!(test.calls(), "");
    insta::assert_snapshot!(shop().args(["api", "--variant", "dev"]).run());
    insta::assert_snapshot!(shop().args(["--tag", "mine"]).run());
}

#[test]
fn flags_reach_the_client() {
    let test = shop().fake("build", "stream noop").args([
        "api",
        "--tag",
        "registry.example/api:1",
        "--push",
        "--builder",
        "ci",
        "--platform",
        "linux/amd64,linux/arm64",
        "--build-arg",
        "A=b",
        "--build-arg",
        "C",
        "--target",
        "deps",
        "--no-cache",
        "--cache-from",
        "registry.example/cache:main",
        "--cache-to",
        "type=inline",
    ]);
    assert_eq!(test.run().code, Some(0));
    insta::assert_snapshot!(test.calls());
}

#[test]
fn generated_files_that_are_out_of_date_are_told() {
    let mut test = shop().service("web", "").fake("build", "stream noop");
    fs::remove_file(test.project().join("web/Dockerfile")).unwrap();
    assert_eq!(test.run_with(["init"]).code, Some(0));
    let ran = test.run_with(["build", "web", "--progress", "quiet"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    let test = test.write("kiln.toml", &format!("{SETTINGS}\n[services.web]\nport = 4321\n"));
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("warning: `web/Dockerfile` is out of date: `kiln init` writes it"), "{ran}");
}
