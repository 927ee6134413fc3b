//! The `--json` document.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kiln::bench::result::{Doubt, Options, Results, Row, Rule, Skipped, Verdict};
use kiln::bench::run::{CleanUp, Machine};
use kiln::bench::statistics::{Summary, reduction};
use kiln::bench::{Scenario, Strategy};
use kiln::record::GitHead;
use serde::Serialize;
use serde_json::{Value, json};

use super::rules::Demands;

#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    run: &'a str,
    kiln: &'a str,
    started: Timestamp,
    finished: Option<Timestamp>,
    git: Option<&'a GitHead>,
    machine: &'a Machine,
    options: &'a Options,
    /// What each scenario changes.
    changes: &'a BTreeMap<Scenario, String>,
    scenarios: Vec<Measurement>,
    not_measured: &'a [Skipped],
    verdicts: Vec<VerdictDocument<'a>>,
    clean_up: Option<&'a CleanUp>,
}

#[derive(Debug, Serialize)]
struct Measurement {
    name: Scenario,
    service: String,
    strategy: Strategy,
    seconds: Summary,
    samples: usize,
    /// Seconds of each sample, in the order in which they were made.
    all_seconds: Vec<f64>,
    steps_ran: usize,
    crates_compiled: usize,
    local_crates_compiled: usize,
    external_crates_compiled: usize,
    installs: usize,
    install_seconds: Option<f64>,
    image_bytes: Option<u64>,
    /// From the base on, without empty ones.
    layer_bytes: Vec<u64>,
    context_bytes: Option<u64>,
    /// Most memory that the processes of a build had; nothing where the engine does not show it.
    memory_bytes: Option<u64>,
    reduction_pct: Option<f64>,
    times_kiln: Option<f64>,
    spread_pct: f64,
    other_load: Option<f64>,
    noisy: bool,
    doubts: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct VerdictDocument<'a> {
    rule: &'static str,
    limit: f64,
    scenario: Scenario,
    service: &'a str,
    measured: Option<f64>,
    passed: bool,
    /// Who demands it.
    demanded_by: &'static str,
}

pub(super) fn document<'a>(results: &'a Results, verdicts: &'a [Verdict], demands: &Demands) -> Document<'a> {
    Document {
        run: &results.header.name,
        kiln: &results.header.kiln,
        started: results.header.started,
        finished: results.end.as_ref().map(|end| end.finished),
        git: results.header.git.as_ref(),
        machine: &results.header.machine,
        options: &results.header.options,
        changes: &results.what,
        scenarios: results.rows().into_iter().map(|row| measurement(results, row)).collect(),
        not_measured: &results.skipped,
        verdicts: verdicts.iter().map(|one| verdict(one, demands)).collect(),
        clean_up: results.end.as_ref().map(|end| &end.clean_up),
    }
}

/// Percentages are those of the numbers that stand beside them, so that everyone can compute them again.
fn measurement(results: &Results, row: Row) -> Measurement {
    let samples = results.of(row.scenario, &row.service, row.strategy);
    let all_seconds: Vec<f64> = samples.map(|sample| rounded(sample.measured.seconds)).collect();
    let seconds = Summary::of(all_seconds.iter().copied()).unwrap_or(row.seconds);
    let median = |strategy| {
        let samples = results.of(row.scenario, &row.service, strategy);
        Summary::of(samples.map(|sample| rounded(sample.measured.seconds))).map(|summary| summary.median)
    };
    let naive = median(Strategy::Naive).filter(|_| row.strategy != Strategy::Naive);
    let kiln = median(Strategy::Kiln).filter(|kiln| *kiln > 0.0);
    Measurement {
        name: row.scenario,
        strategy: row.strategy,
        seconds,
        samples: row.samples,
        steps_ran: row.steps_ran,
        crates_compiled: row.local_crates + row.external_crates,
        local_crates_compiled: row.local_crates,
        external_crates_compiled: row.external_crates,
        installs: row.installs,
        install_seconds: row.install_seconds.map(rounded),
        image_bytes: row.image_bytes,
        layer_bytes: row.layers,
        context_bytes: row.context_bytes,
        memory_bytes: row.memory_bytes,
        reduction_pct: naive.and_then(|naive| reduction(seconds.median, naive)).map(rounded),
        times_kiln: kiln.map(|kiln| rounded(seconds.median / kiln)),
        spread_pct: rounded(seconds.spread() * 100.0),
        other_load: row.other_load,
        noisy: row.noisy,
        doubts: row.doubts.iter().map(doubt).collect(),
        service: row.service,
        all_seconds,
    }
}

fn doubt(doubt: &Doubt) -> Value {
    match doubt {
        Doubt::OtherWork(processors) => json!({ "kind": "other-work", "processors": processors }),
        Doubt::Spread(part) => json!({ "kind": "spread", "pct": rounded(part * 100.0) }),
        Doubt::SlowedDown(part) => json!({ "kind": "slowed-down", "pct": rounded(part * 100.0) }),
    }
}

fn verdict<'a>(verdict: &'a Verdict, demands: &Demands) -> VerdictDocument<'a> {
    let (rule, limit) = match verdict.rule {
        Rule::Reduction(limit) => ("fail-under", limit),
        Rule::Seconds(limit) => ("max-seconds", limit),
    };
    let Verdict { scenario, service, measured, passed, .. } = verdict;
    let demanded_by = demands.place(verdict.rule);
    VerdictDocument { rule, limit, scenario: *scenario, service, measured: measured.map(rounded), passed: *passed, demanded_by }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
