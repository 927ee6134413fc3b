//! The `--json` document.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kiln::bench::result::{Options, Results, Row, Rule, Skipped, Verdict};
use kiln::bench::run::{CleanUp, Machine};
use kiln::bench::statistics::Summary;
use kiln::bench::{Scenario, Strategy};
use kiln::record::GitHead;
use serde::Serialize;

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
    steps_ran: usize,
    crates_compiled: usize,
    local_crates_compiled: usize,
    external_crates_compiled: usize,
    image_bytes: Option<u64>,
    context_bytes: Option<u64>,
    reduction_pct: Option<f64>,
    times_kiln: Option<f64>,
    spread_pct: f64,
    other_load: Option<f64>,
    noisy: bool,
}

#[derive(Debug, Serialize)]
struct VerdictDocument<'a> {
    rule: &'static str,
    limit: f64,
    scenario: Scenario,
    service: &'a str,
    measured: Option<f64>,
    passed: bool,
}

pub(super) fn document<'a>(results: &'a Results, verdicts: &'a [Verdict]) -> Document<'a> {
    Document {
        run: &results.header.name,
        kiln: &results.header.kiln,
        started: results.header.started,
        finished: results.end.as_ref().map(|end| end.finished),
        git: results.header.git.as_ref(),
        machine: &results.header.machine,
        options: &results.header.options,
        changes: &results.what,
        scenarios: results.rows().into_iter().map(measurement).collect(),
        not_measured: &results.skipped,
        verdicts: verdicts.iter().map(verdict).collect(),
        clean_up: results.end.as_ref().map(|end| &end.clean_up),
    }
}

fn measurement(row: Row) -> Measurement {
    let Summary { min, median, max } = row.seconds;
    Measurement {
        name: row.scenario,
        service: row.service,
        strategy: row.strategy,
        seconds: Summary { min: rounded(min), median: rounded(median), max: rounded(max) },
        samples: row.samples,
        steps_ran: row.steps_ran,
        crates_compiled: row.local_crates + row.external_crates,
        local_crates_compiled: row.local_crates,
        external_crates_compiled: row.external_crates,
        image_bytes: row.image_bytes,
        context_bytes: row.context_bytes,
        reduction_pct: row.reduction_pct.map(rounded),
        times_kiln: row.times_kiln.map(rounded),
        spread_pct: rounded(row.seconds.spread() * 100.0),
        other_load: row.other_load,
        noisy: row.noisy,
    }
}

fn verdict(verdict: &Verdict) -> VerdictDocument<'_> {
    let (rule, limit) = match verdict.rule {
        Rule::Reduction(limit) => ("fail-under", limit),
        Rule::Seconds(limit) => ("max-seconds", limit),
    };
    let Verdict { scenario, service, measured, passed, .. } = verdict;
    VerdictDocument { rule, limit, scenario: *scenario, service, measured: measured.map(rounded), passed: *passed }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
