//! Records as they may be, folded into builds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Report, Sources, StageState};
use crate::event::StepStatus;
use crate::record::Record;

fn record(started: &str, steps: &[Value], end: Option<Value>) -> Record {
    let header = json!({
        "schema": 1, "kiln": "0.1.0", "plan": "00", "service": "api", "variant": "prod", "image": "api", "dockerfile": "Dockerfile", "started": started,
    });
    Record {
        misses: None,
        header: serde_json::from_value(header).unwrap(),
        steps: steps.iter().map(|step| serde_json::from_value(step.clone()).unwrap()).collect(),
        end: end.map(|end| serde_json::from_value(end).unwrap()),
        damaged: 0,
    }
}

fn step(number: usize, stage: &str, status: &str, begin: f64, seconds: f64, inputs: &[usize]) -> Value {
    json!({
        "step": number, "name": stage, "status": status, "begin": begin, "seconds": seconds, "inputs": inputs,
        "place": { "stage": stage, "index": 1, "total": 1, "instruction": format!("RUN {stage}") },
    })
}

fn report(records: Vec<Record>) -> Report {
    let sources = Sources { records, ..Sources::default() };
    Report::of("shop", Timestamp::UNIX_EPOCH, sources, &BTreeMap::new())
}

#[test]
fn a_step_that_is_told_twice_counts_once_with_its_work() {
    // Another build works on an equal step: one of the two is cached.
    let steps = [step(0, "a", "cached", 0.0, 0.0, &[]), step(1, "a", "ran", 1.0, 2.0, &[]), step(2, "b", "ran", 3.0, 1.0, &[0])];
    let report = report(vec![record("2026-11-01T00:00:00Z", &steps, None)]);
    let build = &report.builds[0];
    assert_eq!((build.ran(), build.cached()), (2, 0));
    assert!(build.steps.iter().all(|step| step.critical));
    let stages: Vec<_> =
        build.stages.iter().map(|stage| (stage.name.as_str(), stage.state, stage.depth, stage.inputs.clone())).collect();
    assert_eq!(stages, [("a", StageState::Ran, 0, vec![]), ("b", StageState::Ran, 1, vec![0])]);
    // It was killed: its length is that of what is known.
    assert!((build.seconds - 4.0).abs() < 1e-9 && !build.succeeded());
}

#[test]
fn an_engine_whose_clock_is_ahead_is_set_right() {
    let steps = [step(0, "a", "ran", 3600.0, 2.0, &[]), step(1, "b", "ran", 3602.0, 1.0, &[0])];
    let end = json!({ "ending": "succeeded", "seconds": 3.1 });
    let report = report(vec![record("2026-11-01T00:00:00Z", &steps, Some(end))]);
    let times: Vec<_> = report.builds[0].steps.iter().map(|step| step.times.unwrap()).collect();
    assert_eq!(times, [(0.0, 2.0), (2.0, 3.0)]);
}

#[test]
fn the_last_builds_are_those_of_the_last_command_that_ended() {
    let end = |seconds: f64| Some(json!({ "ending": "succeeded", "seconds": seconds }));
    let report = report(vec![
        record("2026-11-01T00:00:00Z", &[], end(9.0)),
        record("2026-11-01T01:00:00.1Z", &[], end(1.0)),
        record("2026-11-01T01:00:00.2Z", &[], end(5.0)),
        record("2026-11-01T02:00:00Z", &[], None),
    ]);
    assert_eq!(report.last().iter().map(|build| build.number).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn steps_of_strange_places_do_not_break_the_fold() {
    // A record of a person: circles, inputs that are not there, times that are none.
    let mut steps = vec![
        step(0, "a", "ran", -5.0, 1e300, &[1, 7]),
        step(1, "b", "ran", 0.0, -3.0, &[0]),
        step(1, "b", "failed", 0.0, 0.0, &[1]),
    ];
    steps[0]["end"] = json!(-1e300);
    let report = report(vec![record("2026-11-01T00:00:00Z", &steps, Some(json!({ "ending": "failed", "seconds": -1.0 })))]);
    assert_eq!(report.builds[0].with_status(StepStatus::Failed).count(), 1);
    assert!(super::page(&report).ends_with("</html>\n"));
    assert!(!super::terminal::last(&report, 0).is_empty());
}
