//! Demands on results.

use super::Results;
use crate::bench::{Scenario, Strategy};

/// A demand on results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Source edits take so many percent less time with kiln than with `naive`.
    Reduction(f64),
    /// Source edits take at most so many seconds with kiln.
    Seconds(f64),
}

/// What a rule says about one measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The rule.
    pub rule: Rule,
    /// The scenario.
    pub scenario: Scenario,
    /// The service.
    pub service: String,
    /// What was measured, in the unit of the rule; nothing if it was not.
    pub measured: Option<f64>,
    /// Whether the rule holds.
    pub passed: bool,
}

/// Judges the source edits. Other scenarios have no fair threshold: a no-op saves nothing, and a core crate has to be compiled.
#[must_use]
pub fn judge(results: &Results, rules: &[Rule]) -> Vec<Verdict> {
    let rows = results.rows();
    let edits = rows.iter().filter(|row| row.strategy == Strategy::Kiln && is_source_edit(row.scenario));
    let verdicts = edits.flat_map(|row| {
        rules.iter().map(|rule| {
            let (measured, passed) = match rule {
                Rule::Reduction(least) => (row.reduction_pct, row.reduction_pct.is_some_and(|measured| measured >= *least)),
                Rule::Seconds(most) => (Some(row.seconds.median), row.seconds.median <= *most),
            };
            Verdict { rule: *rule, scenario: row.scenario, service: row.service.clone(), measured, passed }
        })
    });
    verdicts.collect()
}

/// Whether a scenario edits a source file and nothing else.
#[must_use]
pub const fn is_source_edit(scenario: Scenario) -> bool {
    matches!(scenario, Scenario::SourceBin | Scenario::SourceLib | Scenario::Comment | Scenario::FrontendSource)
}
