//! A run that goes on: who takes part in which round of which scenario, and what happens to those who do not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8PathBuf;

use super::{BenchError, BenchEvent, cleanup, copy, machine, skip};
use crate::bench::result::{Options, ResultFile, Sample, Skipped};
use crate::bench::strategy::Images;
use crate::bench::{Choice, LockTool, Measured, Scenario, Snapshot, Strategy, StrategyError};
use crate::process::Cancel;

/// A measurement that takes this many times as long as with the fastest strategy is repeated less often.
const SLOW_FACTOR: f64 = 8.0;
/// But nothing that is quick anyway.
const SLOW_SECONDS: f64 = 10.0;

/// What a session asks of the strategies.
pub(super) trait Builds {
    /// Why a strategy cannot build a service.
    fn refuses(&self, strategy: Strategy, service: &str) -> Option<String>;
    /// Builds what no namespace holds.
    fn lay_foundation(&self, strategy: Strategy, service: &str) -> Result<(), StrategyError>;
    /// Gives a strategy a new, empty namespace for a service, in place of the one before.
    fn enter_namespace(&mut self, strategy: Strategy, service: &str, generation: u32) -> Result<(), StrategyError>;
    /// Builds a service as the copy is now.
    fn build(&mut self, strategy: Strategy, service: &str, scenario: Scenario) -> Result<Measured, StrategyError>;
    /// A hash of the files that the strategy would send.
    fn hash(&self, strategy: Strategy, service: &str) -> io::Result<blake3::Hash>;
    /// Takes all cache mounts away.
    fn lose_mounts(&mut self);
    /// How many processors are busy with other work.
    fn other_load(&self) -> Option<f64>;
    /// Stops what runs between builds.
    fn stop(&mut self);
}

impl Builds for Images {
    fn refuses(&self, strategy: Strategy, service: &str) -> Option<String> {
        self.refuses(strategy, service)
    }

    fn lay_foundation(&self, strategy: Strategy, service: &str) -> Result<(), StrategyError> {
        self.lay_foundation(strategy, service)
    }

    fn enter_namespace(&mut self, strategy: Strategy, service: &str, generation: u32) -> Result<(), StrategyError> {
        self.enter_namespace(strategy, service, generation)?;
        if let Some(old) = generation.checked_sub(1) {
            // Two of them might be more than the engine keeps, and its garbage collection would take what is being measured.
            cleanup::clean_up(self.docker(), &self.namespace(strategy, service, old), cleanup::What::Cache);
        }
        Ok(())
    }

    fn build(&mut self, strategy: Strategy, service: &str, scenario: Scenario) -> Result<Measured, StrategyError> {
        self.build(strategy, service, scenario)
    }

    fn hash(&self, strategy: Strategy, service: &str) -> io::Result<blake3::Hash> {
        let (context, ignore) = self.context(strategy, service);
        copy::context_hash(&context, &ignore)
    }

    fn lose_mounts(&mut self) {
        cleanup::clean_up(self.docker(), self.name(), cleanup::What::Mounts);
    }

    fn other_load(&self) -> Option<f64> {
        machine::other_load()
    }

    fn stop(&mut self) {
        self.stop();
    }
}

/// Where changes are made, and with what.
#[derive(Clone)]
pub(super) struct Site<'a> {
    /// The copy.
    pub(super) copy: Utf8PathBuf,
    /// What changes locks.
    pub(super) tools: &'a dyn LockTool,
    /// Ends the run.
    pub(super) cancel: &'a Cancel,
}

/// A run that goes on.
pub(super) struct Session<'a, B> {
    site: Site<'a>,
    file: &'a mut ResultFile,
    events: &'a mut dyn FnMut(&BenchEvent<'_>),
    images: B,
    choices: Vec<Choice>,
    /// Hash of the context that each strategy built last.
    built: BTreeMap<(Strategy, String), blake3::Hash>,
    /// Number of the next namespace.
    generation: BTreeMap<(Strategy, String), u32>,
    /// What takes no part: a strategy for a service, in one scenario or in all.
    out: BTreeSet<(Strategy, String, Option<Scenario>)>,
}

impl<'a, B: Builds> Session<'a, B> {
    /// A run in which nothing is built yet.
    pub(super) fn new(
        site: Site<'a>,
        file: &'a mut ResultFile,
        events: &'a mut dyn FnMut(&BenchEvent<'_>),
        images: B,
        choices: Vec<Choice>,
    ) -> Self {
        let (built, generation, out) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { site, file, events, images, choices, built, generation, out }
    }

    /// All rounds, as long as samples are missing.
    pub(super) fn rounds(&mut self) -> Result<(), BenchError> {
        // Some leave the builder in a state from which others would not start, so they come last: on the way back from a branch layers are
        // found, but what mounts hold is the branch's; and lost mounts are lost.
        let phase = |scenario| match scenario {
            Scenario::BranchSwitchBack => 1,
            Scenario::GcEdMount => 2,
            _ => 0,
        };
        for now in 0..=2 {
            for round in 1..=self.options().runs {
                for choice in self.choices.clone() {
                    if phase(choice.scenario) == now {
                        self.scenario(&choice, round)?;
                    }
                }
            }
        }
        self.images.stop();
        Ok(())
    }

    const fn options(&self) -> &Options {
        &self.file.results.header.options
    }

    /// Leaves out what cannot take part, and fetches what nothing is timed without.
    pub(super) fn begin(&mut self, services: &BTreeSet<String>) -> Result<(), BenchError> {
        for service in services {
            for strategy in self.options().strategies.clone() {
                if let Some(reason) = self.images.refuses(strategy, service) {
                    self.leave_out(strategy, service, None, reason)?;
                    continue;
                }
                (self.events)(&BenchEvent::Foundation { service, strategy });
                match self.images.lay_foundation(strategy, service) {
                    Ok(()) => {}
                    Err(error) => self.failed(strategy, service, None, error)?,
                }
            }
        }
        Ok(())
    }

    /// One round of a scenario.
    fn scenario(&mut self, choice: &Choice, round: u32) -> Result<(), BenchError> {
        let (scenario, service) = (choice.scenario, choice.service.as_str());
        if choice.max_rounds.is_some_and(|most| round > most) {
            return Ok(());
        }
        let mut strategies = self.options().strategies.clone();
        let turn = round as usize % strategies.len().max(1);
        strategies.rotate_left(turn);
        let mut taking_part = Vec::new();
        for strategy in strategies {
            if scenario == Scenario::GcEdMount && strategy == Strategy::Native && !self.is_out(strategy, service, scenario) {
                let reason = "nothing of it is in a cache mount".to_owned();
                self.leave_out(strategy, service, Some(scenario), reason)?;
            }
            if self.wants(strategy, scenario, service)? {
                taking_part.push(strategy);
            }
        }
        if taking_part.is_empty() {
            return Ok(());
        }
        if scenario != Scenario::Cold {
            for strategy in taking_part.clone() {
                self.catch_up(strategy, service)?;
            }
        }
        if !self.change(choice, round, &taking_part)? {
            return Ok(());
        }
        for strategy in taking_part {
            if scenario == Scenario::Cold && !self.first_build(strategy, service)? {
                continue;
            }
            if scenario != Scenario::Cold && !self.is_out(strategy, service, scenario) {
                self.sample(strategy, service, scenario)?;
            }
        }
        Ok(())
    }

    /// Whether a strategy is to be measured once more.
    fn wants(&self, strategy: Strategy, scenario: Scenario, service: &str) -> Result<bool, BenchError> {
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
    fn wanted(&self, strategy: Strategy, scenario: Scenario, service: &str) -> u32 {
        let Options { runs, slow_runs, .. } = *self.options();
        let medians = self.options().strategies.iter().filter_map(|other| self.file.results.summary(scenario, service, *other));
        let fastest = medians.map(|summary| summary.median).min_by(f64::total_cmp);
        let own = self.file.results.summary(scenario, service, strategy).map(|summary| summary.median);
        let slow = matches!((own, fastest), (Some(own), Some(fastest)) if own > SLOW_SECONDS && own > fastest * SLOW_FACTOR);
        if slow || scenario == Scenario::Cold { slow_runs.min(runs) } else { runs }
    }

    fn is_out(&self, strategy: Strategy, service: &str, scenario: Scenario) -> bool {
        let out = |scenario| self.out.contains(&(strategy, service.to_owned(), scenario));
        out(None) || out(Some(scenario))
    }

    /// Whether the files are not those that a strategy built last.
    fn is_behind(&self, strategy: Strategy, service: &str) -> Result<bool, BenchError> {
        let now = self.hash(strategy, service)?;
        // Before its first build it is not behind: that one is needed anyway.
        Ok(self.built.get(&(strategy, service.to_owned())).is_some_and(|built| *built != now))
    }

    fn hash(&self, strategy: Strategy, service: &str) -> Result<blake3::Hash, BenchError> {
        let failed = |source| BenchError::Copy { path: self.site.copy.clone(), source };
        self.images.hash(strategy, service).map_err(failed)
    }

    /// Brings a strategy to the present state of the files, untimed unless it is its first build.
    fn catch_up(&mut self, strategy: Strategy, service: &str) -> Result<(), BenchError> {
        if self.is_out(strategy, service, Scenario::Cold) {
            return Ok(());
        }
        if !self.built.contains_key(&(strategy, service.to_owned())) {
            return self.first_build(strategy, service).map(drop);
        }
        if self.is_behind(strategy, service)? {
            self.untimed(strategy, service)?;
        }
        Ok(())
    }

    fn untimed(&mut self, strategy: Strategy, service: &str) -> Result<(), BenchError> {
        (self.events)(&BenchEvent::CatchesUp { service, strategy });
        match self.images.build(strategy, service, Scenario::NoOp) {
            Ok(_) => self.has_built(strategy, service),
            Err(error) => self.failed(strategy, service, None, error),
        }
    }

    fn has_built(&mut self, strategy: Strategy, service: &str) -> Result<(), BenchError> {
        let hash = self.hash(strategy, service)?;
        self.built.insert((strategy, service.to_owned()), hash);
        Ok(())
    }

    /// A build in a new namespace. Whether it succeeded.
    fn first_build(&mut self, strategy: Strategy, service: &str) -> Result<bool, BenchError> {
        let key = (strategy, service.to_owned());
        let generation = self.generation.get(&key).copied().unwrap_or(0);
        self.generation.insert(key.clone(), generation + 1);
        if let Err(error) = self.images.enter_namespace(strategy, service, generation) {
            self.failed(strategy, service, None, error)?;
            return Ok(false);
        }
        self.built.remove(&key);
        self.sample(strategy, service, Scenario::Cold)?;
        Ok(self.built.contains_key(&key))
    }

    /// Makes the change of a round. Whether it could be made.
    fn change(&mut self, choice: &Choice, round: u32, taking_part: &[Strategy]) -> Result<bool, BenchError> {
        let root = self.site.copy.clone();
        let before = Snapshot::take(&root, &choice.files());
        let applied = before.and_then(|before| choice.apply(&root, round, self.site.tools).map(|changed| (before, changed)));
        let made = match applied {
            // An earlier scenario of the round may have made the same change: what would be timed is no change at all.
            Ok((_, changed)) if changed.is_empty() && !choice.files().is_empty() => {
                Err("in this repository it changes nothing that another scenario has not changed".to_owned())
            }
            Ok((before, _)) => Ok(before),
            Err(_) if self.site.cancel.is_set() => return Err(BenchError::Interrupted),
            Err(error) => Err(error.to_string()),
        };
        let before = match made {
            Ok(before) => before,
            Err(reason) => {
                let scenario = Some(choice.scenario);
                self.choices.retain(|other| Some(other.scenario) != scenario);
                skip(self.file, self.events, Skipped { scenario, service: None, strategy: None, reason })?;
                return Ok(false);
            }
        };
        match choice.scenario {
            Scenario::BranchSwitchBack => {
                for strategy in taking_part {
                    if !self.is_out(*strategy, &choice.service, choice.scenario) {
                        self.untimed(*strategy, &choice.service)?;
                    }
                }
                before.restore().map_err(|error| BenchError::Copy { path: root, source: io::Error::other(error) })?;
            }
            Scenario::GcEdMount => self.images.lose_mounts(),
            _ => {}
        }
        Ok(true)
    }

    fn sample(&mut self, strategy: Strategy, service: &str, scenario: Scenario) -> Result<(), BenchError> {
        if self.site.cancel.is_set() {
            return Err(BenchError::Interrupted);
        }
        let (left, seconds_left) = self.left();
        (self.events)(&BenchEvent::Begins { scenario, service, strategy, left, seconds_left });
        let other_load = self.images.other_load();
        match self.images.build(strategy, service, scenario) {
            Ok(measured) => {
                self.has_built(strategy, service)?;
                let sample = Sample { scenario, service: service.to_owned(), strategy, measured, other_load };
                (self.events)(&BenchEvent::Measured(&sample));
                let done = self.file.results.of(scenario, service, strategy).count() as u32;
                // A continued run begins with first builds that it has measured before.
                if done < self.wanted(strategy, scenario, service).max(1) {
                    self.file.sample(sample)?;
                }
                Ok(())
            }
            Err(error) => self.failed(strategy, service, Some(scenario).filter(|scenario| *scenario != Scenario::Cold), error),
        }
    }

    /// A build failed: the strategy takes no further part, in this scenario or at all. Without kiln's own first build there is nothing to
    /// compare with.
    fn failed(
        &mut self,
        strategy: Strategy,
        service: &str,
        scenario: Option<Scenario>,
        error: StrategyError,
    ) -> Result<(), BenchError> {
        let fatal = matches!(error, StrategyError::Engine(_)) || (strategy == Strategy::Kiln && scenario.is_none());
        match error {
            StrategyError::Interrupted => Err(BenchError::Interrupted),
            _ if self.site.cancel.is_set() => Err(BenchError::Interrupted),
            source if fatal => Err(BenchError::Build { service: service.to_owned(), strategy, source }),
            error => self.leave_out(strategy, service, scenario, error.to_string()),
        }
    }

    fn leave_out(
        &mut self,
        strategy: Strategy,
        service: &str,
        scenario: Option<Scenario>,
        reason: String,
    ) -> Result<(), BenchError> {
        self.out.insert((strategy, service.to_owned(), scenario));
        let skipped = Skipped { scenario, service: Some(service.to_owned()), strategy: Some(strategy), reason };
        skip(self.file, self.events, skipped)
    }

    /// How many samples are to be made, and how long that will take.
    fn left(&self) -> (usize, Option<f64>) {
        let mut left = 0;
        let mut seconds = Some(0.0);
        for choice in &self.choices {
            for strategy in &self.options().strategies {
                let (scenario, service) = (choice.scenario, choice.service.as_str());
                if self.is_out(*strategy, service, scenario) {
                    continue;
                }
                let done = self.file.results.of(scenario, service, *strategy).count() as u32;
                let wanted = self.wanted(*strategy, scenario, service).min(choice.max_rounds.unwrap_or(u32::MAX));
                let missing = wanted.saturating_sub(done);
                left += missing as usize;
                let summary = self.file.results.summary(scenario, service, *strategy);
                if missing > 0 {
                    seconds = seconds.zip(summary).map(|(sum, summary)| sum + summary.median * f64::from(missing));
                }
            }
        }
        (left, seconds)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
