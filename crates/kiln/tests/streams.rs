//! Recorded rawjson streams of a real engine, replayed.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use kiln::engine::wire;
use kiln::event::BuildState;

fn state(name: &str) -> BuildState {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams").join(name).with_extension("jsonl");
    let stream = std::fs::read_to_string(path).expect("a stream");
    let mut state = BuildState::new();
    wire::replay(&stream, &mut |event| state.apply(&event));
    state
}

/// What a reader needs to know about a build, one line for each step.
fn summary(state: &BuildState, succeeded: bool) -> String {
    let mut text = String::new();
    for step in state.steps() {
        let _ = writeln!(
            text,
            "{:?} {:.1} s, {} B: {}",
            step.final_status(succeeded),
            step.seconds(Timestamp::UNIX_EPOCH),
            step.bytes(),
            step.name
        );
        for line in step.log.lines() {
            let _ = writeln!(text, "    | {line}");
        }
        if let Some(error) = &step.error {
            let _ = writeln!(text, "    error: {error}");
        }
    }
    let _ = writeln!(text, "context: {} B", state.context_bytes());
    for line in state.text.lines() {
        let _ = writeln!(text, "text: {line}");
    }
    text
}

#[test]
fn cold_build() {
    insta::assert_snapshot!(summary(&state("cold"), true));
}

#[test]
fn nothing_changed() {
    insta::assert_snapshot!(summary(&state("noop"), true));
}

#[test]
fn a_step_failed_and_another_was_stopped() {
    insta::assert_snapshot!(summary(&state("failed-step"), false));
}

#[test]
fn the_engine_stopped_halfway() {
    insta::assert_snapshot!(summary(&state("stopped-halfway"), false));
}

#[test]
fn a_step_filled_its_disk() {
    insta::assert_snapshot!(summary(&state("disk-full"), false));
}
