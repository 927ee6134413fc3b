//! What is still to be done, and how long that will take.

use super::{Builds, Session, nothing_to_lose};
use crate::bench::run::estimate;
use crate::bench::{Choice, Scenario};

/// How much longer a run takes than its timed builds, before anything is known: looking at the machine, catching up, cleaning up.
const OVERHEAD: f64 = 1.2;
/// After so many timed seconds enough is known.
const KNOWN_AFTER: f64 = 30.0;

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Left {
    /// Samples.
    pub(super) samples: usize,
    /// Seconds that they will take; nothing before anything is known.
    pub(super) seconds: Option<f64>,
    /// Whether they will take longer, since some of them are of a service that was not built yet.
    pub(super) at_least: bool,
}

impl<B: Builds> Session<'_, B> {
    /// How many samples are to be made, and how long that will take.
    pub(super) fn left(&self) -> Left {
        let mut left = Left { samples: 0, seconds: None, at_least: false };
        let results = &self.file.results;
        for (scenario, service, rounds) in self.measurements() {
            for strategy in &self.options().strategies {
                if self.is_out(*strategy, &service, scenario) || nothing_to_lose(*strategy, scenario).is_some() {
                    continue;
                }
                let done = results.of(scenario, &service, *strategy).count() as u32;
                let missing = self.wanted(*strategy, scenario, &service).min(rounds).saturating_sub(done);
                left.samples += missing as usize;
                if missing == 0 {
                    continue;
                }
                match estimate::seconds(results, scenario, &service, *strategy) {
                    Some(one) => left.seconds = Some(left.seconds.unwrap_or(0.0) + one * f64::from(missing) * self.overhead()),
                    None => left.at_least = true,
                }
            }
        }
        left
    }

    /// What is measured: scenario, service, and how many rounds are possible. First builds are measured whether asked for or not.
    pub(super) fn measurements(&self) -> Vec<(Scenario, String, u32)> {
        let rounds = |choice: &Choice| choice.max_rounds.unwrap_or(u32::MAX);
        let mut all: Vec<_> =
            self.choices.iter().map(|choice| (choice.scenario, choice.service.clone(), rounds(choice))).collect();
        for choice in &self.choices {
            let first =
                |(scenario, service, _): &(Scenario, String, u32)| *scenario == Scenario::Cold && *service == choice.service;
            if !all.iter().any(first) {
                all.push((Scenario::Cold, choice.service.clone(), 1));
            }
        }
        all
    }

    /// How many times as long as its timed builds the run takes.
    fn overhead(&self) -> f64 {
        if self.timed < KNOWN_AFTER {
            return OVERHEAD;
        }
        (self.begun.elapsed().as_secs_f64() / self.timed).clamp(1.0, 4.0)
    }
}
