use super::made::{header, options, results, sample};
use super::*;

/// The header of a run of two scenarios.
fn quick() -> Header {
    header(options(&[Scenario::NoOp, Scenario::SourceBin], &[Strategy::Kiln, Strategy::Naive], 3))
}

#[test]
fn a_run_that_was_cut_off_is_read_and_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("bench/20261124T150000Z-1a.jsonl");
    let skipped = Skipped { scenario: Some(Scenario::Docs), service: None, strategy: None, reason: "none".to_owned() };
    {
        let mut file = ResultFile::open(&path, Results::new(quick())).unwrap();
        file.what(Scenario::NoOp, "nothing").unwrap();
        file.sample(sample(Scenario::NoOp, "api", Strategy::Kiln, 1.0)).unwrap();
        file.skip(skipped.clone()).unwrap();
        file.sample(sample(Scenario::NoOp, "api", Strategy::Naive, 2.0)).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 20]).unwrap();

    let cut_off = Results::load(&path).unwrap();
    assert_eq!((cut_off.samples.len(), cut_off.end.is_none()), (1, true));
    assert_eq!(cut_off.header, quick());
    {
        let mut file = ResultFile::open(&path, cut_off).unwrap();
        // What is known already is not written twice.
        file.what(Scenario::NoOp, "nothing").unwrap();
        file.skip(skipped.clone()).unwrap();
        file.sample(sample(Scenario::NoOp, "api", Strategy::Naive, 3.0)).unwrap();
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
fn what_is_measured_later_is_not_called_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("a.jsonl");
    let mut file = ResultFile::open(&path, Results::new(quick())).unwrap();
    let api = Some("api".to_owned());
    let skip =
        |scenario, strategy| Skipped { scenario, service: api.clone(), strategy: Some(strategy), reason: "no space".to_owned() };
    let never = skip(None, Strategy::Mounts);
    for skipped in [skip(None, Strategy::Naive), skip(Some(Scenario::NoOp), Strategy::Kiln), never.clone()] {
        file.skip(skipped).unwrap();
    }
    for strategy in [Strategy::Naive, Strategy::Kiln] {
        file.sample(sample(Scenario::NoOp, "api", strategy, 1.0)).unwrap();
    }
    // It failed after the first sample.
    let late = skip(Some(Scenario::NoOp), Strategy::Naive);
    file.skip(late.clone()).unwrap();
    assert_eq!(file.results.skipped, [never, late]);
    assert_eq!(Results::load(&path).unwrap(), file.results);
}

#[test]
fn a_run_that_goes_on_is_not_continued_beside_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("a.jsonl");
    let going = ResultFile::open(&path, Results::new(quick())).unwrap();
    let second = ResultFile::open(&path, Results::load(&path).unwrap());
    assert!(matches!(second, Err(ResultError::InUse { .. })), "{second:?}");
    drop(going);
    ResultFile::open(&path, Results::load(&path).unwrap()).unwrap();
}

#[test]
fn a_file_of_another_kind_or_version_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("a.jsonl");
    let later = serde_json::to_string(&Line::Header(Header { schema: RESULT_SCHEMA + 1, ..quick() })).unwrap();
    for text in ["", "{}\n", later.as_str()] {
        fs::write(&path, text).unwrap();
        assert!(matches!(Results::load(&path), Err(ResultError::NoHeader { .. })), "{text}");
    }
}

#[test]
fn rows_compare_with_kiln_and_naive() {
    use Scenario::{NoOp, SourceBin};
    use Strategy::{Kiln, Mounts, Naive};
    let mut results = results(
        "api",
        &[
            (SourceBin, Naive, 100.0),
            (SourceBin, Kiln, 10.0),
            (SourceBin, Kiln, 12.0),
            (SourceBin, Kiln, 11.0),
            (SourceBin, Mounts, 22.0),
            (NoOp, Kiln, 1.0),
        ],
    );
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
    let results = results(
        "api",
        &[
            (SourceBin, Naive, 100.0),
            (SourceBin, Kiln, 25.0),
            (SourceBin, Mounts, 90.0),
            (BumpCore, Naive, 100.0),
            (BumpCore, Kiln, 99.0),
            (Scenario::Comment, Kiln, 31.0),
        ],
    );
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
fn other_work_disturbs_by_its_part_of_the_machine() {
    let with = |load| Sample { other_load: load, ..sample(Scenario::NoOp, "api", Strategy::Kiln, 1.0) };
    for (load, cores, disturbed) in [
        (None, 2, false),
        (Some(0.4), 2, false),
        (Some(0.6), 2, true),
        (Some(0.6), 5, true),
        (Some(0.6), 16, false),
        (Some(1.7), 16, true),
        (Some(6.0), 64, false),
    ] {
        assert_eq!(with(load).is_disturbed(cores), disturbed, "{load:?} on {cores} cores");
    }
}

#[test]
fn each_strategys_copy_of_a_context_counts_once() {
    let mut results = results(
        "api",
        &[
            (Scenario::Cold, Strategy::Kiln, 1.0),
            (Scenario::NoOp, Strategy::Kiln, 1.0),
            (Scenario::Cold, Strategy::Naive, 1.0),
            (Scenario::Cold, Strategy::Native, 1.0),
        ],
    );
    for (sample, bytes) in results.samples.iter_mut().zip([Some(1000), Some(10), Some(300), None]) {
        sample.measured.context_bytes = bytes;
    }
    assert_eq!(results.context_bytes(), 1300);
}
