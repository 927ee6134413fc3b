//! Records: streams of a real engine, written and read back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use kiln::engine::wire;
use kiln::event::{BuildState, StepName, StepStatus};
use kiln::plan::Variant;
use kiln::predict::{Miss, MissReason, StepPlace};
use kiln::record::{End, Ending, GitHead, Header, History, Limits, RECORD_SCHEMA, Record, Recorder, append_misses, list, prune};

fn header(started: &str) -> Header {
    Header {
        schema: RECORD_SCHEMA,
        kiln: "0.1.0".to_owned(),
        plan: "00".to_owned(),
        service: "web-app".to_owned(),
        variant: Variant::Prod,
        image: "shop/web-app:latest".to_owned(),
        dockerfile: "web-app/Dockerfile".into(),
        target: None,
        builder: None,
        git: Some(GitHead { commit: "abc".to_owned(), branch: None }),
        started: started.parse().expect("a time"),
    }
}

fn end(ending: Ending) -> End {
    End { ending, seconds: 3.5, id: None, size: None, context_bytes: 0, edited: None, error: None, warnings: Vec::new() }
}

/// Records a stream; gives the file.
fn record(folder: &Utf8Path, stream: &str, started: &str, ending: Option<Ending>) -> Utf8PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams").join(stream).with_extension("jsonl");
    let mut recorder = Recorder::create(folder, header(started)).expect("a record");
    let mut state = BuildState::new();
    wire::replay(&fs::read_to_string(path).expect("a stream"), &mut |event| {
        state.apply(&event);
        recorder.observe(&state, &event).expect("written");
    });
    let path = recorder.path().to_owned();
    if let Some(ending) = ending {
        recorder.finish(&state, end(ending)).expect("written");
    }
    path
}

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().expect("written");
    let path = Utf8PathBuf::try_from(folder.path().join("builds")).expect("written");
    (folder, path)
}

#[test]
fn a_failed_build_is_recorded_with_the_log_of_its_step() {
    let (_guard, folder) = folder();
    let path = record(&folder, "failed-step", "2026-11-23T07:00:00Z", Some(Ending::Failed));
    insta::assert_snapshot!(fs::read_to_string(&path).unwrap());
    let record = Record::load(&path).unwrap();
    assert_eq!(record.end.as_ref().unwrap().ending, Ending::Failed);
    assert_eq!(record.steps.iter().filter(|step| step.status == StepStatus::Failed).count(), 1);
    assert_eq!(record.damaged, 0);
}

#[test]
fn why_steps_ran_stands_in_the_record() {
    let (_guard, folder) = folder();
    let path = record(&folder, "cold", "2026-11-23T07:00:00Z", Some(Ending::Succeeded));
    assert_eq!(Record::load(&path).unwrap().misses, None);
    let place = StepPlace { stage: "deps".to_owned(), index: 2, line: 7 };
    let miss = Miss {
        place: place.clone(),
        instruction: "RUN npm ci".to_owned(),
        seconds: 12.5,
        reasons: vec![MissReason::FilesChanged { paths: vec!["package.json".to_owned()] }, MissReason::Upstream { place }],
        is_cause: true,
        dragged_along: Vec::new(),
        cost_seconds: 12.5,
        remedy: None,
        saving: None,
    };
    append_misses(&path, std::slice::from_ref(&miss)).unwrap();
    let read = Record::load(&path).unwrap();
    assert_eq!((read.misses, read.damaged), (Some(vec![miss]), 0));
    let text = fs::read_to_string(&path).unwrap();
    let line = r#"{"line":"misses","misses":[{"stage":"deps","index":2,"line":7,"instruction":"RUN npm ci","seconds":12.5,"reasons":[{"kind":"files-changed","paths":["package.json"]},{"kind":"upstream","stage":"deps","index":2,"line":7}],"is_cause":true,"dragged_along":[],"cost_seconds":12.5,"remedy":null}]}"#;
    assert_eq!(text.lines().last(), Some(line));
}

#[test]
fn a_record_that_is_cut_off_or_damaged_gives_what_it_has() {
    let (_guard, folder) = folder();
    let path = record(&folder, "cold", "2026-11-23T07:00:00Z", None);
    let whole = Record::load(&path).unwrap();
    assert!(whole.end.is_none() && whole.steps.len() > 10);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let cut = Record::load(&path).unwrap();
    assert_eq!((cut.damaged, cut.steps.len()), (1, whole.steps.len() - 1));
    let text = String::from_utf8(bytes).unwrap();
    let (head, tail) = text.split_once('\n').unwrap();
    fs::write(&path, format!("{head}\n\u{0}\u{0}garbage\n{tail}")).unwrap();
    assert_eq!(Record::load(&path).unwrap().damaged, 1);
    fs::write(&path, tail).unwrap();
    assert!(Record::load(&path).is_err());
}

#[test]
fn records_are_listed_latest_first_and_bounded() {
    let (_guard, folder) = folder();
    assert!(list(&folder).unwrap().is_empty());
    for started in ["2026-11-20T07:00:00.5Z", "2026-11-22T07:00:00Z", "2026-08-01T07:00:00Z", "2026-11-22T07:00:00Z"] {
        record(&folder, "noop", started, Some(Ending::Succeeded));
    }
    fs::write(folder.join("notes.jsonl"), "mine").unwrap();
    let names = || list(&folder).unwrap().into_iter().map(|entry| entry.path.file_name().unwrap().to_owned()).collect::<Vec<_>>();
    insta::assert_debug_snapshot!(names(), @r#"
    [
        "20261122T070000.000Z-web-app-prod.jsonl",
        "20261122T070000.000Z-web-app-prod.1.jsonl",
        "20261120T070000.500Z-web-app-prod.jsonl",
        "20260801T070000.000Z-web-app-prod.jsonl",
    ]
    "#);
    let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    assert_eq!(prune(&folder, Limits { count: 200, age: Duration::from_secs(90 * 86_400) }, now).unwrap(), 1);
    assert_eq!(prune(&folder, Limits { count: 2, age: Duration::from_secs(90 * 86_400) }, now).unwrap(), 1);
    assert_eq!(names().len(), 2);
    assert!(folder.join("notes.jsonl").exists());
}

#[test]
fn earlier_builds_tell_how_long_a_step_takes() {
    let (_guard, folder) = folder();
    record(&folder, "cold", "2026-11-23T07:00:00Z", Some(Ending::Succeeded));
    record(&folder, "noop", "2026-11-23T08:00:00Z", Some(Ending::Succeeded));
    let history = History::read(&folder, "web-app", Variant::Prod);
    let step = StepName::parse("[deps 9/9] RUN echo cooking; for i in 1 2 3; do echo line $i; sleep 0.3; done");
    assert!((history.expected_seconds(&step).unwrap() - 1.327).abs() < 0.01);
    assert_eq!(history.expected_seconds(&StepName::parse("[deps 2/2] RUN something else")), None);
    assert_eq!(History::read(&folder, "web-app", Variant::Dev).expected_seconds(&step), None);
}
