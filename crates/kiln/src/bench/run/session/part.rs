//! Who takes part in a scenario, and how often.

use super::{Builds, Session};
use crate::bench::result::Options;
use crate::bench::run::BenchError;
use crate::bench::{Scenario, Strategy};

/// A measurement that takes this many times as long as with the fastest strategy is repeated less often.
const SLOW_FACTOR: f64 = 8.0;
/// But nothing that is quick anyway.
const SLOW_SECONDS: f64 = 10.0;
/// Scenarios that edit what a branch edits.
const EDITS: [Scenario; 3] = [Scenario::SourceBin, Scenario::SourceLib, Scenario::FrontendSource];

impl<B: Builds> Session<'_, B> {
    /// Whether a strategy is to be measured once more.
    pub(super) fn wants(&self, strategy: Strategy, scenario: Scenario, service: &str) -> Result<bool, BenchError> {
        if self.is_out(strategy, service, scenario) {
            return Ok(false);
        }
        let done = self.file.results.of(scenario, service, strategy).count() as u32;
        if done >= self.wanted(strategy, scenario, service) {
            return Ok(false);
        }
        // To catch up would take a slow strategy as long as what was left out.
        let behind = scenario != Scenario::Cold && self.is_behind(strategy, service)?;
        Ok(done < self.options().slow_runs || !behind)
    }

    /// How many samples a measurement gets.
    pub(super) fn wanted(&self, strategy: Strategy, scenario: Scenario, service: &str) -> u32 {
        let Options { runs, slow_runs, .. } = *self.options();
        // The way back from a branch is quick, the way there is an edit that is built untimed.
        let slow = self.is_slow(strategy, scenario, service)
            || (scenario == Scenario::BranchSwitchBack && EDITS.iter().any(|edit| self.is_slow(strategy, *edit, service)));
        if slow || scenario == Scenario::Cold { slow_runs.min(runs) } else { runs }
    }

    /// Whether a measurement takes many times as long as with the fastest strategy.
    fn is_slow(&self, strategy: Strategy, scenario: Scenario, service: &str) -> bool {
        let median = |strategy| self.file.results.summary(scenario, service, strategy).map(|summary| summary.median);
        let fastest = self.options().strategies.iter().filter_map(|other| median(*other)).min_by(f64::total_cmp);
        matches!((median(strategy), fastest), (Some(own), Some(fastest)) if own > SLOW_SECONDS && own > fastest * SLOW_FACTOR)
    }

    pub(super) fn is_out(&self, strategy: Strategy, service: &str, scenario: Scenario) -> bool {
        let out = |scenario| self.out.contains(&(strategy, service.to_owned(), scenario));
        out(None) || out(Some(scenario))
    }
}
