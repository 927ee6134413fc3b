use super::*;
use crate::bench::run::Machine;

fn options() -> Options {
    Options {
        scenarios: vec![Scenario::NoOp, Scenario::SourceBin],
        strategies: vec![Strategy::Kiln, Strategy::Naive],
        runs: 3,
        slow_runs: 2,
        every_service: false,
    }
}

fn header() -> Header {
    Header {
        schema: RESULT_SCHEMA,
        name: "app-bench-1a".to_owned(),
        kiln: "0.1.0".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        git: None,
        source: "0123".to_owned(),
        machine: Machine { cores: 2, buildx: "0.29".to_owned(), ..Machine::default() },
        options: options(),
    }
}

fn sample(scenario: Scenario, strategy: Strategy, seconds: f64) -> Sample {
    let measured = Measured { seconds, steps_ran: 3, local_crates: 1, ..Measured::default() };
    Sample { scenario, service: "api".to_owned(), strategy, measured, other_load: None, speed: None }
}

fn results(samples: &[(Scenario, Strategy, f64)]) -> Results {
    let mut results = Results::new(header());
    results.samples = samples.iter().map(|(scenario, strategy, seconds)| sample(*scenario, *strategy, *seconds)).collect();
    results
}

#[test]
fn a_run_that_was_cut_off_is_read_and_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("bench/20261124T150000Z-1a.jsonl");
    let skipped = Skipped { scenario: Some(Scenario::Docs), service: None, strategy: None, reason: "none".to_owned() };
    {
        let mut file = ResultFile::open(&path, Results::new(header())).unwrap();
        file.what(Scenario::NoOp, "nothing").unwrap();
        file.sample(sample(Scenario::NoOp, Strategy::Kiln, 1.0)).unwrap();
        file.skip(skipped.clone()).unwrap();
        file.sample(sample(Scenario::NoOp, Strategy::Naive, 2.0)).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 20]).unwrap();

    let cut_off = Results::load(&path).unwrap();
    assert_eq!((cut_off.samples.len(), cut_off.end.is_none()), (1, true));
    assert_eq!(cut_off.header, header());
    {
        let mut file = ResultFile::open(&path, cut_off).unwrap();
        // What is known already is not written twice.
        file.what(Scenario::NoOp, "nothing").unwrap();
        file.skip(skipped.clone()).unwrap();
        file.sample(sample(Scenario::NoOp, Strategy::Naive, 3.0)).unwrap();
        file.end(End { finished: Timestamp::UNIX_EPOCH, clean_up: CleanUp::default() }).unwrap();
        assert_eq!(Results::load(&path).unwrap(), file.results);
    }
    let whole = Results::load(&path).unwrap();
    assert!(whole.end.is_some());
    assert_eq!(whole.samples.iter().map(|sample| sample.measured.seconds).collect::<Vec<_>>(), [1.0, 3.0]);
    assert_eq!(whole.skipped, [skipped]);
    assert_eq!(fs::read_to_string(&path).unwrap().matches("\"what\":\"nothing\"").count(), 1);
    assert_eq!(list(path.parent().unwrap()).unwrap(), [path]);
}

#[test]
fn a_file_of_another_kind_or_version_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("a.jsonl");
    let later = serde_json::to_string(&Line::Header(Header { schema: RESULT_SCHEMA + 1, ..header() })).unwrap();
    for text in ["", "{}\n", later.as_str()] {
        fs::write(&path, text).unwrap();
        assert!(matches!(Results::load(&path), Err(ResultError::NoHeader { .. })), "{text}");
    }
}

#[test]
fn rows_compare_with_kiln_and_naive() {
    use Scenario::{NoOp, SourceBin};
    use Strategy::{Kiln, Mounts, Naive};
    let mut results = results(&[
        (SourceBin, Naive, 100.0),
        (SourceBin, Kiln, 10.0),
        (SourceBin, Kiln, 12.0),
        (SourceBin, Kiln, 11.0),
        (SourceBin, Mounts, 22.0),
        (NoOp, Kiln, 1.0),
    ]);
    results.samples[4].other_load = Some(0.9);
    let rows = results.rows();
    let short: Vec<_> = rows
        .iter()
        .map(|row| (row.scenario, row.strategy, row.seconds.median, row.samples, row.reduction_pct, row.times_kiln, row.noisy))
        .collect();
    assert_eq!(
        short,
        [
            (NoOp, Kiln, 1.0, 1, None, Some(1.0), false),
            (SourceBin, Kiln, 11.0, 3, Some(89.0), Some(1.0), false),
            (SourceBin, Naive, 100.0, 1, None, Some(100.0 / 11.0), false),
            (SourceBin, Mounts, 22.0, 1, Some(78.0), Some(2.0), true),
        ]
    );
}

#[test]
fn source_edits_of_kiln_are_judged_and_nothing_else() {
    use Scenario::{BumpCore, SourceBin};
    use Strategy::{Kiln, Mounts, Naive};
    let results = results(&[
        (SourceBin, Naive, 100.0),
        (SourceBin, Kiln, 25.0),
        (SourceBin, Mounts, 90.0),
        (BumpCore, Naive, 100.0),
        (BumpCore, Kiln, 99.0),
        (Scenario::Comment, Kiln, 31.0),
    ]);
    let verdicts = judge(&results, &[Rule::Reduction(80.0), Rule::Seconds(30.0)]);
    let short: Vec<_> =
        verdicts.iter().map(|verdict| (verdict.scenario, verdict.rule, verdict.measured, verdict.passed)).collect();
    assert_eq!(
        short,
        [
            (SourceBin, Rule::Reduction(80.0), Some(75.0), false),
            (SourceBin, Rule::Seconds(30.0), Some(25.0), true),
            // Not measured with `naive`: a demand that cannot be judged is not met.
            (Scenario::Comment, Rule::Reduction(80.0), None, false),
            (Scenario::Comment, Rule::Seconds(30.0), Some(31.0), false),
        ]
    );
    let exact = judge(&results, &[Rule::Reduction(75.0), Rule::Seconds(25.0)]);
    assert!(exact.iter().filter(|verdict| verdict.scenario == SourceBin).all(|verdict| verdict.passed));
}

#[test]
fn each_strategys_copy_of_a_context_counts_once() {
    let mut results = results(&[
        (Scenario::Cold, Strategy::Kiln, 1.0),
        (Scenario::NoOp, Strategy::Kiln, 1.0),
        (Scenario::Cold, Strategy::Naive, 1.0),
        (Scenario::Cold, Strategy::Native, 1.0),
    ]);
    for (sample, bytes) in results.samples.iter_mut().zip([Some(1000), Some(10), Some(300), None]) {
        sample.measured.context_bytes = bytes;
    }
    assert_eq!(results.context_bytes(), 1300);
}
