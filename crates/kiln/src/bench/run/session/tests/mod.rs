mod fake;

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

use camino::Utf8Path;

use self::fake::{Fake, Log};
use super::*;
use crate::bench::result::Results;
use crate::bench::result::made::{header, options};
use crate::bench::{Change, HostTools};

use Scenario::{BranchSwitchBack, Cold, Docs, FreshBuilder, GcEdMount, NoOp, SourceBin, SourceLib};
use Strategy::{Chef, Kiln, Mounts, Naive};

struct World {
    folder: tempfile::TempDir,
    options: Options,
    seconds: BTreeMap<Strategy, f64>,
    fails: Option<(Strategy, &'static str)>,
    keeps: Option<&'static str>,
}

impl World {
    fn new(scenarios: &[Scenario], strategies: &[Strategy], runs: u32) -> Self {
        let options = options(scenarios, strategies, runs);
        Self { folder: tempfile::tempdir().unwrap(), options, seconds: BTreeMap::new(), fails: None, keeps: None }
    }

    fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    /// Runs all rounds, and gives what was told to be left before each build.
    fn told(&self) -> (Results, Vec<(usize, Option<f64>)>) {
        let told = RefCell::new(Vec::new());
        let (results, _, ended) = self.run_with(None, &|left| told.borrow_mut().push(left));
        ended.unwrap();
        (results, told.into_inner())
    }

    /// Runs all rounds from the results so far, in a fresh copy.
    fn run(&self, results: Option<Results>) -> (Results, Vec<String>, Result<(), BenchError>) {
        self.run_with(results, &|_| ())
    }

    fn run_with(
        &self,
        results: Option<Results>,
        told: &dyn Fn((usize, Option<f64>)),
    ) -> (Results, Vec<String>, Result<(), BenchError>) {
        let copy = self.root().join("copy");
        fs::create_dir_all(&copy).unwrap();
        fs::write(copy.join("README.md"), "# app\n").unwrap();
        let results = results.unwrap_or_else(|| Results::new(header(self.options.clone())));
        let mut file = ResultFile::open(&self.root().join("result.jsonl"), results).unwrap();
        let choices = self.options.scenarios.iter().map(|scenario| Choice {
            scenario: *scenario,
            service: "api".to_owned(),
            what: String::new(),
            max_rounds: None,
            change: match scenario {
                Cold | NoOp => Change::None,
                BranchSwitchBack => Change::Branch { changes: vec![Change::Text { path: "README.md".into() }] },
                _ => Change::Text { path: "README.md".into() },
            },
        });
        let log = Log::default();
        let fake = Fake {
            root: copy.clone(),
            log: Rc::clone(&log),
            built: BTreeMap::new(),
            seconds: self.seconds.clone(),
            fails: self.fails,
            keeps: self.keeps,
        };
        let cancel = Cancel::new();
        let tools = HostTools::new("nowhere".into(), cancel.clone());
        let site = Site { copy, tools: &tools, cancel: &cancel };
        let mut events = |event: &BenchEvent<'_>| match event {
            BenchEvent::Begins { scenario, strategy, left, seconds_left, .. } => {
                told((*left, *seconds_left));
                log.borrow_mut().push(format!("{} {}:", strategy.name(), scenario.name()));
            }
            BenchEvent::CatchesUp { strategy, .. } => log.borrow_mut().push(format!("{} untimed:", strategy.name())),
            _ => {}
        };
        let mut session = Session::new(site, &mut file, &mut events, fake, choices.collect());
        let ended = session.begin(&BTreeSet::from(["api".to_owned()])).and_then(|()| session.rounds());
        drop(session);
        let log = log.borrow().clone();
        (file.results, log, ended)
    }
}

fn counts(results: &Results) -> Vec<(Scenario, Strategy, usize)> {
    results.rows().into_iter().map(|row| (row.scenario, row.strategy, row.samples)).collect()
}

/// What was built in the samples of a scenario.
fn built<'a>(log: &'a [String], sample: &str) -> Vec<&'a str> {
    let positions = log.iter().enumerate().filter(|(_, line)| *line == sample);
    positions.map(|(at, _)| log[at + 1].split_once(' ').unwrap().1).collect()
}

#[test]
fn each_sample_measures_its_own_change_and_nothing_else() {
    let world = World::new(&[Cold, NoOp, SourceBin, SourceLib, BranchSwitchBack], &[Kiln, Naive, Mounts], 3);
    let (results, log, ended) = world.run(None);
    ended.unwrap();
    for strategy in ["kiln", "naive", "mounts"] {
        assert_eq!(built(&log, &format!("{strategy} cold:")), ["everything"; 2], "{log:#?}");
        assert_eq!(built(&log, &format!("{strategy} no-op:")), ["+0"; 3], "{log:#?}");
        assert_eq!(built(&log, &format!("{strategy} source-bin:")), ["+1"; 3], "{log:#?}");
        assert_eq!(built(&log, &format!("{strategy} source-lib:")), ["+1"; 3], "{log:#?}");
    }
    // Everyone has built the other branch before the first is timed on the way back.
    let way_back = log.iter().position(|line| line.ends_with("branch-switch-back:")).unwrap();
    assert_eq!(log[..way_back].iter().filter(|line| line.ends_with("untimed:")).count(), 3, "{log:#?}");
    assert!(counts(&results).iter().all(|(scenario, _, samples)| *samples == if *scenario == Cold { 2 } else { 3 }));
}

#[test]
fn the_order_of_strategies_rotates() {
    let world = World::new(&[NoOp], &[Kiln, Naive, Mounts], 3);
    let (_, log, _) = world.run(None);
    let order: Vec<&str> = log.iter().filter_map(|line| line.strip_suffix(" no-op:")).collect();
    assert_eq!(order, ["naive", "mounts", "kiln", "mounts", "kiln", "naive", "kiln", "naive", "mounts"]);
}

#[test]
fn a_slow_strategy_takes_part_less_often_and_is_never_charged_for_what_it_missed() {
    let mut world = World::new(&[NoOp, SourceBin, SourceLib], &[Kiln, Naive], 5);
    world.seconds = BTreeMap::from([(Kiln, 2.0), (Naive, 100.0)]);
    let (results, log, ended) = world.run(None);
    ended.unwrap();
    assert_eq!(built(&log, "naive source-bin:"), ["+1"; 2], "{log:#?}");
    assert_eq!(built(&log, "naive source-lib:"), ["+1"; 2], "{log:#?}");
    assert_eq!(built(&log, "kiln source-lib:"), ["+1"; 5], "{log:#?}");
    // A no-op is quick for both; but after round 2 naive is behind, and to catch up would cost what was saved.
    assert_eq!(built(&log, "naive no-op:"), ["+0"; 3], "{log:#?}");
    assert!(!log.iter().any(|line| line == "naive untimed:"), "{log:#?}");
    assert_eq!(results.summary(SourceBin, "api", Naive).unwrap().median, 100.0);
}

#[test]
fn a_branch_that_takes_long_to_build_is_not_built_for_every_quick_way_back() {
    let mut world = World::new(&[SourceBin, BranchSwitchBack], &[Kiln, Naive], 5);
    world.seconds = BTreeMap::from([(Kiln, 2.0), (Naive, 100.0)]);
    let (results, ..) = world.run(None);
    let counts = counts(&results);
    assert!(counts.contains(&(BranchSwitchBack, Kiln, 5)) && counts.contains(&(BranchSwitchBack, Naive, 2)), "{counts:?}");
}

#[test]
fn what_is_quick_for_all_is_never_called_slow() {
    let mut world = World::new(&[SourceBin], &[Kiln, Naive], 4);
    world.seconds = BTreeMap::from([(Kiln, 0.5), (Naive, 9.0)]);
    let (results, ..) = world.run(None);
    assert!(counts(&results).contains(&(SourceBin, Naive, 4)));
}

#[test]
fn a_continued_run_makes_only_the_samples_that_are_missing() {
    let world = World::new(&[SourceBin], &[Kiln, Naive], 3);
    let (mut results, ..) = world.run(None);
    // As if it had been interrupted in the second round.
    results.samples.truncate(5);
    let before = results.samples.clone();
    let (continued, log, ended) = world.run(Some(results));
    ended.unwrap();
    assert_eq!(continued.samples[..5], before);
    let counts = counts(&continued);
    assert!(counts.contains(&(SourceBin, Kiln, 3)) && counts.contains(&(SourceBin, Naive, 3)), "{counts:?}");
    for strategy in ["kiln", "naive"] {
        let samples = built(&log, &format!("{strategy} source-bin:"));
        assert!(samples.iter().all(|built| *built == "+1"), "{log:#?}");
    }
}

#[test]
fn a_failing_strategy_is_left_out_and_kiln_is_not() {
    let mut world = World::new(&[Docs], &[Kiln, Naive, Chef], 2);
    // Only a changed file breaks it.
    world.fails = Some((Naive, "\n"));
    let (results, _, ended) = world.run(None);
    ended.unwrap();
    let skipped: Vec<_> = results.skipped.iter().map(|it| (it.strategy, it.scenario, it.reason.as_str())).collect();
    assert_eq!(skipped, [(Some(Chef), None, "not for this"), (Some(Naive), None, "it does not compile")]);
    assert_eq!(counts(&results), [(Cold, Kiln, 1), (Docs, Kiln, 2)]);

    world.fails = Some((Kiln, "\n"));
    let (_, _, ended) = World { folder: tempfile::tempdir().unwrap(), ..world }.run(None);
    assert!(matches!(ended, Err(BenchError::Build { strategy: Kiln, .. })), "{ended:?}");
}

#[test]
fn what_leaves_mounts_in_another_state_comes_after_all_other_rounds() {
    let world = World::new(&[SourceBin, BranchSwitchBack, GcEdMount], &[Kiln], 2);
    let (_, log, ended) = world.run(None);
    ended.unwrap();
    let lost: Vec<usize> = log.iter().enumerate().filter(|(_, line)| *line == "mounts are lost").map(|(at, _)| at).collect();
    let first = |line: &str| log.iter().position(|known| known == line).unwrap();
    let last = |line: &str| log.iter().rposition(|known| known == line).unwrap();
    assert!(last("kiln source-bin:") < first("kiln branch-switch-back:"), "{log:#?}");
    assert!(lost.len() == 2 && lost[0] > last("kiln branch-switch-back:"), "{log:#?}");
    assert_eq!(built(&log, "kiln gc-ed-mount:"), ["+1"; 2]);
}

#[test]
fn a_fresh_builder_has_nothing_but_what_was_exported() {
    let world = World::new(&[SourceBin, GcEdMount, FreshBuilder], &[Kiln, Naive, Mounts, Strategy::Native], 2);
    let (results, log, ended) = world.run(None);
    ended.unwrap();
    // Each exports once, as late as possible, and loses everything right before it is timed.
    assert_eq!(log.iter().filter(|line| *line == "kiln exports").count(), 1, "{log:#?}");
    let last = |line: &str| log.iter().rposition(|known| known == line).unwrap();
    assert!(last("kiln exports") > last("kiln gc-ed-mount:"), "{log:#?}");
    for strategy in ["kiln", "naive"] {
        let timed: Vec<usize> =
            log.iter().enumerate().filter(|(_, line)| **line == format!("{strategy} fresh-builder:")).map(|(at, _)| at).collect();
        assert_eq!(timed.len(), 2, "{log:#?}");
        assert!(timed.iter().all(|at| log[at - 1] == format!("{strategy} loses all")), "{log:#?}");
        assert_eq!(built(&log, &format!("{strategy} fresh-builder:")), ["+1"; 2], "{log:#?}");
    }
    let skipped: Vec<_> = results.skipped.iter().map(|it| (it.strategy, it.scenario, it.reason.as_str())).collect();
    assert!(skipped.contains(&(Some(Mounts), Some(FreshBuilder), "no space")), "{skipped:?}");
    assert!(skipped.contains(&(Some(Strategy::Native), Some(FreshBuilder), "it has no cache that could be imported")));
}

#[test]
fn a_builder_that_keeps_everything_is_not_measured_as_one_that_lost_it() {
    let mut world = World::new(&[SourceBin, GcEdMount, FreshBuilder], &[Kiln, Naive], 2);
    world.keeps = Some("it would forget others");
    let (results, log, ended) = world.run(None);
    ended.unwrap();
    assert_eq!(counts(&results), [(Cold, Kiln, 1), (Cold, Naive, 1), (SourceBin, Kiln, 2), (SourceBin, Naive, 2)], "{log:#?}");
    let skipped: Vec<_> = results.skipped.iter().map(|it| (it.scenario, it.strategy, it.reason.as_str())).collect();
    let reason = "it would forget others";
    let expected =
        [(Some(GcEdMount), None, reason), (Some(FreshBuilder), Some(Kiln), reason), (Some(FreshBuilder), Some(Naive), reason)];
    assert!(expected.iter().all(|one| skipped.contains(one)) && skipped.len() == expected.len(), "{skipped:?}");
}

#[test]
fn what_is_left_is_told_from_the_first_build_on() {
    let mut world = World::new(&[Cold, SourceBin], &[Kiln, Naive], 3);
    world.seconds = BTreeMap::from([(Kiln, 10.0), (Naive, 100.0)]);
    let (results, log) = world.told();
    assert_eq!(results.samples.len(), 4 + 3 + 2);
    // Two first builds each, three edits with kiln, and with the slow strategy two.
    let left: Vec<usize> = log.iter().map(|(left, _)| *left).collect();
    assert_eq!((left[0], *left.last().unwrap()), (10, 1), "{left:?}");
    assert!(left.windows(2).all(|pair| pair[0] > pair[1]), "{left:?}");
    let seconds: Vec<Option<f64>> = log.iter().map(|(_, seconds)| *seconds).collect();
    assert_eq!(seconds[0], None);
    assert!(seconds[1..].iter().all(|seconds| seconds.is_some_and(|seconds| seconds > 0.0)), "{seconds:?}");
}
