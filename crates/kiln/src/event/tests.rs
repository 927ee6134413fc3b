use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn intervals_are_merged() {
    let seconds = |intervals: &[(i64, i64)]| merged_seconds(intervals.iter().map(|(a, b)| (at(*a), at(*b))));
    for (intervals, expected) in [
        (&[][..], 0.0),
        (&[(1, 3)], 2.0),
        (&[(1, 3), (5, 6)], 3.0),
        (&[(1, 5), (2, 3)], 4.0),
        (&[(2, 3), (1, 5)], 4.0),
        (&[(1, 3), (2, 6), (6, 7)], 6.0),
        (&[(5, 1)], 0.0),
    ] {
        assert!((seconds(intervals) - expected).abs() < 1e-9, "{intervals:?}");
    }
}

fn found(state: &mut BuildState, digest: &str, name: &str) {
    state.apply(&BuildEvent::StepFound { digest: digest.to_owned(), name: name.to_owned(), inputs: Vec::new() });
}

#[test]
fn a_step_may_start_and_stop_several_times() {
    let mut state = BuildState::new();
    found(&mut state, "a", "[builder 2/3] RUN make");
    for (begin, end) in [(1, 2), (4, 6)] {
        state.apply(&BuildEvent::StepStarted { digest: "a".to_owned(), at: at(begin) });
        assert_eq!(state.steps()[0].status(), StepStatus::Running);
        state.apply(&BuildEvent::StepFinished { digest: "a".to_owned(), at: at(end), error: None });
    }
    let step = state.step("a").unwrap();
    assert_eq!(step.status(), StepStatus::Ran);
    assert!((step.seconds(at(9)) - 3.0).abs() < 1e-9);
}

#[test]
fn a_base_image_is_cached_unless_layers_came_over_the_wire() {
    let mut state = BuildState::new();
    found(&mut state, "a", "[1/2] FROM docker.io/library/debian:bookworm-slim");
    state.apply(&BuildEvent::StepStarted { digest: "a".to_owned(), at: at(1) });
    state.apply(&BuildEvent::StepFinished { digest: "a".to_owned(), at: at(2), error: None });
    assert_eq!(state.steps()[0].status(), StepStatus::Cached);
    let progress = |current| BuildEvent::StepProgress {
        digest: "a".to_owned(),
        id: "sha256:1".to_owned(),
        current,
        total: None,
        done: true,
    };
    state.apply(&progress(4096));
    assert_eq!(state.steps()[0].status(), StepStatus::Ran);
}

#[test]
fn steps_stopped_with_a_failed_one_are_skipped() {
    let mut state = BuildState::new();
    found(&mut state, "a", "[a 1/1] RUN sleep 9");
    found(&mut state, "b", "[b 1/1] RUN false");
    let finished = |digest: &str, error: &str| BuildEvent::StepFinished {
        digest: digest.to_owned(),
        at: at(1),
        error: Some(error.to_owned()),
    };
    state.apply(&finished("a", "process \"/bin/sh -c sleep 9\" did not complete successfully: exit code: 137: context canceled"));
    state.apply(&finished("b", "process \"/bin/sh -c false\" did not complete successfully: exit code: 1"));
    assert_eq!(state.steps()[0].status(), StepStatus::Skipped);
    assert_eq!(state.failed().unwrap().digest, "b");
}

#[test]
fn work_that_another_build_did_before_is_cached_and_told_once() {
    let mut state = BuildState::new();
    found(&mut state, "i", "[internal] load build definition from Dockerfile");
    state.apply(&BuildEvent::StepStarted { digest: "i".to_owned(), at: at(100) });
    for (digest, begin, end) in [("a", 10, 20), ("b", 110, 120), ("c", 110, 110)] {
        let name = if digest == "a" { "[chef 2/2] RUN apt-get" } else { "[deps 1/1] RUN cook" };
        found(&mut state, digest, name);
        state.apply(&BuildEvent::StepStarted { digest: digest.to_owned(), at: at(begin) });
        state.apply(&BuildEvent::StepFinished { digest: digest.to_owned(), at: at(end), error: None });
    }
    state.apply(&BuildEvent::StepCached { digest: "c".to_owned() });
    let steps: Vec<_> = state.dockerfile_steps().into_iter().map(|step| (step.digest.as_str(), step.status())).collect();
    assert_eq!(steps, [("b", StepStatus::Ran), ("a", StepStatus::Cached)]);
}

#[test]
fn reports_of_cargo_are_read_from_the_log_in_pieces() {
    let mut state = BuildState::new();
    found(&mut state, "a", "[deps 2/2] RUN kiln recipe cook");
    let json = serde_json::to_string(&CargoReport {
        phase: "cook".to_owned(),
        external_compiled: vec!["serde 1.0.0".to_owned()],
        ..CargoReport::default()
    })
    .unwrap();
    for piece in ["   Compiling serde\nkiln: ", &json[..9], &json[9..], "\nbye\n"] {
        state.apply(&BuildEvent::StepLog { digest: "a".to_owned(), stream: 1, text: piece.to_owned() });
    }
    assert_eq!(state.steps()[0].cargo.as_ref().unwrap().external_compiled, ["serde 1.0.0"]);
}

#[test]
fn a_cache_that_is_not_there_is_not_to_blame() {
    let mut state = BuildState::new();
    let at = Timestamp::UNIX_EPOCH;
    let mut step = |digest: &str, name: &str, error: &str| {
        let digest = digest.to_owned();
        state.apply(&BuildEvent::StepFound { digest: digest.clone(), name: name.to_owned(), inputs: Vec::new() });
        state.apply(&BuildEvent::StepStarted { digest: digest.clone(), at });
        state.apply(&BuildEvent::StepFinished { digest, at, error: Some(error.to_owned()) });
    };
    step("i", "importing cache manifest from r.example/c:main", "failed to configure registry cache importer: not found");
    step("e", "exporting cache to registry", "error writing layer blob: denied");
    step("s", "[builder 2/2] RUN make", "exit code: 1");
    assert_eq!(state.failed().map(|step| step.digest.as_str()), Some("s"));
    let reason = "failed to configure registry cache importer: not found";
    assert_eq!(state.caches_not_used().collect::<Vec<_>>(), [("r.example/c:main", reason)]);
    assert_eq!(
        state.caches_not_written().collect::<Vec<_>>(),
        [("exporting cache to registry", "error writing layer blob: denied")]
    );
}

#[test]
fn what_takes_nothing_ran_only_if_it_worked_after_it_was_asked_for() {
    let name = "[1/2] WORKDIR /w";
    let at = |second: u8| -> Timestamp { format!("2026-11-25T20:34:{second:02}Z").parse().unwrap() };
    let mut state = BuildState::new();
    state.apply(&BuildEvent::StepFound { digest: "w".to_owned(), name: name.to_owned(), inputs: Vec::new() });
    let work = |state: &mut BuildState, second| {
        state.apply(&BuildEvent::StepStarted { digest: "w".to_owned(), at: at(second) });
        state.apply(&BuildEvent::StepFinished { digest: "w".to_owned(), at: at(second + 1), error: None });
        state.dockerfile_steps()[0].final_status(true)
    };
    assert_eq!(work(&mut state, 1), StepStatus::Cached);
    assert_eq!(work(&mut state, 3), StepStatus::Ran);
}

#[test]
fn what_an_add_fetches_is_no_step_of_its_own() {
    let mut state = BuildState::new();
    let found = |digest: &str, inputs: &[&str]| BuildEvent::StepFound {
        digest: digest.to_owned(),
        name: "[2/2] ADD http://x/y /z".to_owned(),
        inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
    };
    let at: Timestamp = "2026-11-25T20:34:00Z".parse().unwrap();
    state.apply(&found("fetched", &[]));
    state.apply(&BuildEvent::StepStarted { digest: "fetched".to_owned(), at });
    state.apply(&BuildEvent::StepFinished { digest: "fetched".to_owned(), at, error: None });
    state.apply(&found("added", &["base", "fetched"]));
    state.apply(&BuildEvent::StepCached { digest: "added".to_owned() });
    let steps = state.dockerfile_steps();
    assert_eq!(steps.iter().map(|step| step.final_status(true)).collect::<Vec<_>>(), [StepStatus::Cached]);
}
