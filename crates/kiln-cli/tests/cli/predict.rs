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
fn what_is_wrong_with_a_file_is_said_once() {
    let mut large = "FROM debian\n".to_owned();
    large.extend(std::iter::repeat_n("# words\n", 3 << 20));
    let cases = [
        (large.as_str(), "", "larger than", 1),
        ("FROM debian\nCOPPY a b\n", "", "unknown instruction", 1),
        ("FROM debian\n", "docs\n[\n", "line 2", 1),
    ];
    for (dockerfile, ignore, words, times) in cases {
        let test = Test::new().write("Dockerfile", dockerfile).write(".dockerignore", ignore);
        let output = test.args(["predict", "-f", "Dockerfile"]).run();
        assert_eq!(output.code, Some(1), "{output}");
        assert_eq!(output.stderr.to_lowercase().matches(words).count(), times, "{output}");
    }
}

#[test]
fn a_copy_of_a_link_in_a_circle_is_not_called_cached() {
    let test = Test::new().write("Dockerfile", "FROM a\nCOPY b /b\nCOPY loop /x\nRUN y\n").write("b", "b");
    std::os::unix::fs::symlink("loop", test.project().join("loop")).expect("a link");
    let test = test.args(["predict", "-f", "Dockerfile", "--all", "--changed", "Dockerfile"]);
    let output = test.run();
    let begins: Vec<&str> = output.stdout.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert_eq!(
        begins.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>(),
        ["cached", "unknown", "unknown"],
        "{output}"
    );
    assert!(output.stdout.contains("`loop` leads to nothing in the context, so the build fails here"), "{output}");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let test = Test::new().write("Dockerfile", "FROM a\nCOPY . /x\n");
    std::os::unix::fs::symlink("loop", test.project().join("loop")).expect("a link");
    std::os::unix::fs::symlink("..", test.project().join("up")).expect("a link");
    let mut test = test;
    let output = test.run_with(["predict", "-f", "loop"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("loop"), "{output}");
    assert_eq!(test.run_with(["predict", "-f", "Dockerfile"]).code, Some(0));
    let pipe = test.project().join(".dockerignore");
    rustix::fs::mknodat(rustix::fs::CWD, pipe.as_str(), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    let output = test.run_with(["predict", "-f", "Dockerfile"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("it is no file"), "{output}");
}

#[test]
fn why_without_records_says_so() {
    let output = Test::new().args(["why"]).run();
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("no build is recorded yet"), "{}", output.stderr);
}

/// Vertices as BuildKit prints them: each ran, for a second.
fn ran(names: &[&str]) -> String {
    let line = |(number, name): (usize, &&str)| {
        let times = r#""started":"2026-11-25T10:00:00Z","completed":"2026-11-25T10:00:01Z""#;
        format!(r#"{{"vertexes":[{{"digest":"sha256:{number}","name":"{name}","inputs":["sha256:x"],{times}}}]}}"#)
    };
    names.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// What the fake `docker buildx build` does when these steps run.
fn builds(names: &[&str]) -> String {
    format!("printf '%s\\n' '{}' >&2; metadata '{{}}'", ran(names))
}

#[test]
fn results_that_the_builder_has_lost_run_again() {
    let mut test = Test::new().docker().service("web", "FROM debian\nRUN make\n").fake("build", &builds(&["[2/2] RUN make"]));
    assert_eq!(test.run_with(["build"]).code, Some(0));
    let verdict = |test: &mut Test, args: &[&str]| {
        let args = ["predict", "--json"].into_iter().chain(args.iter().copied());
        let document = test.run_with(args).json();
        (document["steps"][0]["verdict"].clone(), document["steps"][0]["reasons"][0]["kind"].clone())
    };
    let null = serde_json::Value::Null;
    assert_eq!(verdict(&mut test, &[]), ("cached".into(), null.clone()), "an engine that does not answer is no engine");
    test = test.fake("du", "printf 'ID:\\ta\\nDescription:\\tmount / from exec /bin/sh -c make\\n'");
    assert_eq!(verdict(&mut test, &[]), ("cached".into(), null.clone()));
    test = test.fake("du", "printf 'ID:\\ta\\nDescription:\\tmount / from exec /bin/sh -c other\\n'");
    assert_eq!(verdict(&mut test, &[]), ("runs".into(), "cache-removed".into()));
    assert_eq!(verdict(&mut test, &["--no-engine"]), ("cached".into(), null));
}

#[test]
fn reasons_stand_in_the_record_with_what_would_have_helped() {
    let steps = ["[2/3] COPY . /x", "[3/3] RUN npm ci"];
    let dockerfile = "FROM debian\nCOPY . /x\nRUN npm ci\n";
    let mut test = Test::new().docker().service("web", dockerfile).fake("build", &builds(&steps));
    assert_eq!(test.run_with(["build"]).code, Some(0));
    for text in ["once", "twice"] {
        test = test.write("web/README.md", text);
        assert_eq!(test.run_with(["build", "--explain"]).code, Some(0));
    }
    let records = test.project().join(".kiln/builds").read_dir_utf8().expect("records");
    let texts = records.map(|record| std::fs::read_to_string(record.expect("a record").path()).expect("a text"));
    assert_eq!(texts.filter(|text| text.contains(r#"{"kind":"files-changed","paths":["README.md"]}"#)).count(), 1);
    let output = test.run_with(["why"]);
    assert!(output.stdout.contains("`README.md` changed"), "{output}");
    assert!(output.stdout.contains("ignore `README.md` in the ignore file"), "{output}");
    assert!(output.stdout.contains("that would have saved <time> in 2 of the last 3 builds"), "{output}");
    // The models go before the records do.
    std::fs::remove_dir_all(test.project().join(".kiln/models")).expect("removed");
    assert!(test.run_with(["why"]).stdout.contains("`README.md` changed"));
}

#[test]
fn damaged_records_and_models_are_told_and_left_out() {
    let steps = ["[2/2] RUN make"];
    let mut test = Test::new().docker().service("web", "FROM debian\nRUN make\n").fake("build", &builds(&steps));
    assert_eq!(test.run_with(["build"]).code, Some(0));
    for folder in ["builds", "models"] {
        for file in test.project().join(".kiln").join(folder).read_dir_utf8().expect("files") {
            let path = file.expect("a file").path().to_owned();
            if path.is_file() {
                let bytes = std::fs::read(&path).expect("bytes");
                let mut damaged = bytes[..bytes.len() * 2 / 3].to_vec();
                damaged.extend([0, 255, 254, b'"', b'{']);
                std::fs::write(path, damaged).expect("damaged");
            }
        }
    }
    let output = test.run_with(["predict", "--no-engine"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stderr.contains("1 model of web prod cannot be read and is left out"), "{output}");
    assert!(output.stdout.contains("no earlier build is known"), "{output}");
    let output = test.run_with(["why"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stderr.contains("cannot be read"), "{output}");
    assert!(test.run_with(["build"]).code == Some(0));
}

#[test]
fn whether_dependencies_are_installed_again_may_not_be_known() {
    let dockerfile = "FROM a AS lock\nCOPY src /src\nRUN make lock\nFROM a\nCOPY --from=lock /lock /lock\nRUN npm ci\n";
    let output = Test::new()
        .write("Dockerfile", dockerfile)
        .write("src/a", "a")
        .args(["predict", "-f", "Dockerfile", "--fail-if", "dependencies", "--changed", "src/a"])
        .run();
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stderr.contains("line 6: whether it would run cannot be told before the build"), "{output}");
}

#[test]
fn watching_ends_at_once_when_it_is_interrupted() {
    let test = foreign();
    let mut child = test.spawn_with(["predict", "-f", "Dockerfile", "--watch"]);
    std::thread::sleep(std::time::Duration::from_millis(600));
    std::fs::write(test.project().join("Dockerfile"), DOCKERFILE.replace("RUN make", "RUN make all")).expect("edited");
    std::thread::sleep(std::time::Duration::from_millis(900));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
    let begun = std::time::Instant::now();
    let status = child.wait().expect("an end");
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(130));
}

const HISTORY: &str = r#"case "$3 $4" in
"ls "*)
  echo '{"ref":"default/default/one","name":"shop","status":"Completed","created_at":"2026-11-25T10:00:00Z","completed_at":"2026-11-25T10:00:05Z","total_steps":5,"cached_steps":0}'
  echo '{"ref":"default/default/two","name":"shop","status":"Completed","created_at":"2026-11-25T11:00:00Z","completed_at":"2026-11-25T11:00:02Z","total_steps":5,"cached_steps":2}'
  echo '{"ref":"default/default/three","name":"","status":"Error","created_at":"2026-11-25T12:00:00Z","completed_at":"2026-11-25T12:00:02Z","total_steps":5,"cached_steps":2}'
  echo '{"ref":"default/default/four","name":"other","status":"Running","created_at":"2026-11-25T13:00:00Z","total_steps":5,"cached_steps":2}'
  ;;
"inspect attachment")
  if [[ ${*: -1} == three ]]; then exit 1; elif [[ ${*: -1} == one ]]; then echo 'ONE'; else echo 'TWO'; fi
  ;;
"logs "*)
  if [[ ${*: -1} == one ]]; then printf '%s\n' 'FIRST'; else printf '%s\n' 'SECOND'; fi
  ;;
esac"#;

#[test]
fn builds_that_others_started_are_explained_from_the_builders_history() {
    let history = HISTORY
        .replace("ONE", r#"{"metadata":{"https://mobyproject.org/buildkit@v1#metadata":{"source":{"infos":[{"filename":"Dockerfile","data":"RlJPTSBhCkNPUFkgLiAveApSVU4gbWFrZQo="}]}}}}"#)
        .replace("TWO", r#"{"metadata":{"https://mobyproject.org/buildkit@v1#metadata":{"source":{"infos":[{"filename":"Dockerfile","data":"RlJPTSBhCkNPUFkgLiAveApSVU4gbWFrZSBhbGwK"}]}}}}"#)
        .replace("FIRST", &ran(&["[2/3] COPY . /x", "[3/3] RUN make"]))
        .replace("SECOND", &ran(&["[1/3] FROM a", "[2/3] COPY . /x", "[3/3] RUN make all"]));
    let mut test = Test::new().docker().fake("history", &history);
    let output = test.run_with(["why", "--history"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stdout.contains("shop  two, <time>"), "{output}");
    assert!(output.stdout.contains("files of the context that it reads changed"), "{output}");
    assert!(output.stdout.contains("its text changed"), "{output}");
    let output = test.run_with(["why", "--history", "one"]);
    assert!(output.stdout.contains("no earlier build is known"), "{output}");
    let output = test.run_with(["why", "--history", "--list"]);
    assert!(output.stdout.contains("two  shop  completed (5 steps, 2 cached)"), "{output}");
    assert!(output.stdout.contains("three  (no name)  error (5 steps, 2 cached)"), "{output}");
    // Builders keep no description of builds that failed.
    let output = test.run_with(["why", "--history", "three"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("builders keep that of builds that succeeded"), "{output}");
    let output = test.run_with(["why", "--history", "other"]);
    assert!(output.stderr.contains("the build `other` is not over yet"), "{output}");
    let output = test.run_with(["why", "--history", "nothing"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("kiln why --history --list"), "{output}");
}

#[test]
fn links_are_told_as_the_builder_makes_them() {
    let file = |data: &str| {
        format!(
            r#"{{"metadata":{{"https://mobyproject.org/buildkit@v1#metadata":{{"source":{{"infos":[{{"filename":"Dockerfile","data":"{data}"}}]}}}}}}}}"#
        )
    };
    // `FROM a`, `RUN make` or `RUN make all`, `COPY --link . /x`.
    let history = HISTORY
        .replace("ONE", &file("RlJPTSBhClJVTiBtYWtlCkNPUFkgLS1saW5rIC4gL3gK"))
        .replace("TWO", &file("RlJPTSBhClJVTiBtYWtlIGFsbApDT1BZIC0tbGluayAuIC94Cg=="))
        .replace("FIRST", &ran(&["[2/3] RUN make", "[3/3] COPY --link . /x"]))
        .replace("SECOND", &ran(&["[1/3] FROM a", "[2/3] RUN make all", "[3/3] COPY --link . /x"]));
    let why = |driver: &str| {
        let inspect = format!("printf 'Name: b\\nDriver: {driver}\\n\\nNodes:\\nName: b\\n'");
        let mut test = Test::new().docker().fake("history", &history).fake("inspect", &inspect);
        test.run_with(["why", "--history"]).stdout
    };
    let own = "files of the context that it reads changed";
    assert!(why("remote").contains(own), "BuildKit makes it apart: {}", why("remote"));
    assert!(!why("docker").contains(own), "it stands on the step before: {}", why("docker"));
}

#[test]
fn a_builder_that_is_not_there_has_no_history() {
    let script = "echo 'ERROR: failed to call: Unavailable: connection error: desc = \"transport: Error while dialing: dial unix /b.sock: connect: no such file or directory\"' >&2; exit 1";
    let output = Test::new().docker().fake("history", script).args(["why", "--history"]).run();
    assert_eq!(output.code, Some(75), "{output}");
    assert!(output.stderr.starts_with("error: the builder does not answer"), "{output}");
}

#[test]
fn a_client_without_history_is_told_apart() {
    let output = Test::new().docker().args(["why", "--history"]).run();
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("buildx 0.20"), "{output}");
}

#[test]
fn what_was_warmed_is_foreseen_to_be_cached() {
    let dockerfile = "FROM node:20-slim AS deps\nWORKDIR /app\nCOPY package.json ./\nRUN npm ci\nFROM deps AS builder\nCOPY . .\nRUN npm run build\n\
        FROM debian:slim\nCOPY --from=builder /app/dist /app\n";
    let mut test = Test::new()
        .docker()
        .service("api", dockerfile)
        .fake("stored", "has node:20-slim debian:slim")
        .fake("build", "stream noop");
    assert_eq!(test.run_with(["warm", "--progress", "quiet"]).code, Some(0));
    let document = test.run_with(["predict", "--json", "--no-engine"]).json();
    let steps = document["steps"].as_array().expect("steps");
    let install = steps.iter().find(|step| step["instruction"] == "RUN npm ci").expect("the step");
    assert_eq!(install["verdict"], "cached", "{document:#}");
    assert_eq!(steps.last().expect("a step")["verdict"], "runs", "{document:#}");
    assert_eq!(steps.last().expect("a step")["reasons"][0]["kind"], "not-built", "{document:#}");
    // Warming again is nothing new.
    assert_eq!(test.run_with(["warm", "--progress", "quiet"]).code, Some(0));
    let models = test.project().join(".kiln/models").read_dir_utf8().expect("models");
    assert_eq!(models.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().ends_with(".json"))).count(), 1);
}
