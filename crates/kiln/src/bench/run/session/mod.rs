//! A run that goes on: who takes part in which round of which scenario, and what happens to those who do not.

mod left;
mod part;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use self::left::Left;
use super::builds::{Builds, Condition};
use super::{BenchError, BenchEvent, skip};
use crate::bench::result::{Options, ResultFile, Sample, Skipped};
use crate::bench::{Choice, LockTool, Scenario, Snapshot, Strategy, StrategyError};
use crate::process::Cancel;

/// What was found behind a build holds before the next one, if that follows within this time.
const SAME_MOMENT: Duration = Duration::from_millis(100);

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
    /// Context that each strategy built last, by its hash.
    built: BTreeMap<(Strategy, String), String>,
    /// Number of the next namespace.
    generation: BTreeMap<(Strategy, String), u32>,
    /// What takes no part: a strategy for a service, in one scenario or in all.
    out: BTreeSet<(Strategy, String, Option<Scenario>)>,
    /// What has written its cache to the outside.
    exported: BTreeSet<(Strategy, String)>,
    /// How the machine was behind the last build, and when.
    condition: Option<(Instant, Condition)>,
    /// When the run began, and how many seconds of it were timed.
    begun: Instant,
    timed: f64,
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
        let (built, generation, out, exported) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (begun, timed, condition) = (Instant::now(), 0.0, None);
        Self { site, file, events, images, choices, built, generation, out, exported, condition, begun, timed }
    }

    /// All rounds, as long as samples are missing.
    pub(super) fn rounds(&mut self) -> Result<(), BenchError> {
        // Some leave the builder in a state from which others would not start, so they come last: on the way back from a branch layers are
        // found, but what mounts hold is the branch's; lost mounts are lost; and what was imported is not what was built.
        let phase = |scenario| match scenario {
            Scenario::BranchSwitchBack => 1,
            Scenario::GcEdMount => 2,
            Scenario::FreshBuilder => 3,
            _ => 0,
        };
        for now in 0..=3 {
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
            if let Some(reason) = nothing_to_lose(strategy, scenario).filter(|_| !self.is_out(strategy, service, scenario)) {
                self.leave_out(strategy, service, Some(scenario), reason.to_owned())?;
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
        if scenario == Scenario::FreshBuilder {
            for strategy in &taking_part {
                self.export(*strategy, service)?;
            }
            taking_part.retain(|strategy| !self.is_out(*strategy, service, scenario));
        }
        if taking_part.is_empty() || !self.change(choice, round, &taking_part)? {
            return Ok(());
        }
        for strategy in taking_part {
            if scenario == Scenario::FreshBuilder
                && let Err(error) = self.images.lose_all(strategy, service)
            {
                self.failed(strategy, service, Some(scenario), error)?;
            }
            if scenario == Scenario::Cold && !self.first_build(strategy, service)? {
                continue;
            }
            if scenario != Scenario::Cold && !self.is_out(strategy, service, scenario) {
                self.sample(strategy, service, scenario)?;
            }
        }
        Ok(())
    }

    /// Whether the files are not those that a strategy built last.
    fn is_behind(&self, strategy: Strategy, service: &str) -> Result<bool, BenchError> {
        let now = self.context(strategy, service)?;
        // Before its first build it is not behind: that one is needed anyway.
        Ok(self.built.get(&(strategy, service.to_owned())).is_some_and(|built| *built != now))
    }

    fn context(&self, strategy: Strategy, service: &str) -> Result<String, BenchError> {
        let failed = |error| BenchError::Copy { path: self.site.copy.clone(), source: io::Error::other(error) };
        self.images.context(strategy, service).map_err(failed)
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
        let context = self.context(strategy, service)?;
        self.built.insert((strategy, service.to_owned()), context);
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

    /// Writes the cache of a strategy to where an empty builder will import it from, once: what an edit makes of the files does not matter.
    fn export(&mut self, strategy: Strategy, service: &str) -> Result<(), BenchError> {
        let key = (strategy, service.to_owned());
        if self.is_out(strategy, service, Scenario::FreshBuilder) || self.exported.contains(&key) {
            return Ok(());
        }
        (self.events)(&BenchEvent::Exports { service, strategy });
        match self.images.export(strategy, service) {
            Ok(()) => {
                self.exported.insert(key);
                Ok(())
            }
            Err(error) => self.failed(strategy, service, Some(Scenario::FreshBuilder), error),
        }
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
            Err(reason) => return self.give_up(choice.scenario, reason),
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
            Scenario::GcEdMount => {
                if let Err(reason) = self.images.lose_mounts() {
                    return self.give_up(choice.scenario, reason);
                }
            }
            _ => {}
        }
        Ok(true)
    }

    /// Measures a scenario no further, for any service.
    fn give_up(&mut self, scenario: Scenario, reason: String) -> Result<bool, BenchError> {
        self.choices.retain(|other| other.scenario != scenario);
        let skipped = Skipped { scenario: Some(scenario), service: None, strategy: None, reason };
        skip(self.file, self.events, skipped)?;
        Ok(false)
    }

    fn sample(&mut self, strategy: Strategy, service: &str, scenario: Scenario) -> Result<(), BenchError> {
        if self.site.cancel.is_set() {
            return Err(BenchError::Interrupted);
        }
        let Left { samples: left, seconds: seconds_left, at_least } = self.left();
        let same = |(other, name, _): &(Scenario, String, u32)| *other == scenario && *name == service;
        let rounds = self.measurements().into_iter().find(same).map_or(1, |(.., rounds)| rounds);
        let samples = self.wanted(strategy, scenario, service).min(rounds);
        let done = self.file.results.of(scenario, service, strategy).count() as u32;
        let sample = (done + 1).min(samples);
        (self.events)(&BenchEvent::Begins { scenario, service, strategy, sample, samples, left, seconds_left, at_least });
        let recent = self.condition.take().filter(|(at, _)| at.elapsed() < SAME_MOMENT);
        let before = recent.map_or_else(|| self.images.condition(), |(_, condition)| condition);
        match self.images.build(strategy, service, scenario) {
            Ok(measured) => {
                self.has_built(strategy, service)?;
                self.timed += measured.seconds;
                let after = self.images.condition();
                self.condition = Some((Instant::now(), after));
                let condition = before.worse(after);
                let service = service.to_owned();
                let sample =
                    Sample { scenario, service, strategy, measured, other_load: condition.other_load, speed: condition.speed };
                (self.events)(&BenchEvent::Measured(&sample));
                // A continued run begins with first builds that it has measured before.
                if done < self.wanted(strategy, scenario, &sample.service).max(1) {
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
}

/// Why a strategy cannot lose what a scenario takes away.
const fn nothing_to_lose(strategy: Strategy, scenario: Scenario) -> Option<&'static str> {
    match (strategy, scenario) {
        (Strategy::Native, Scenario::GcEdMount) => Some("nothing of it is in a cache mount"),
        (Strategy::Native, Scenario::FreshBuilder) => Some("it has no cache that could be imported"),
        _ => None,
    }
}
