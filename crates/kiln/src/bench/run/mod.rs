//! The run: rounds of scenarios, in each every strategy in turn, in a copy of the repository that goes when all is measured.
//!
//! What all measurements mean:
//!
//! - A **first build** (`cold`) begins with base images, system packages and cargo-chef in place, and with nothing of the project: no
//!   layer, no download, no result. That is the same for all strategies: each gets a new namespace.
//! - Every other scenario starts from a build of the state before it, by the same strategy. Changes build on each other, so no
//!   state comes twice. Where a strategy has fallen behind, because a slow one takes part less often, it catches up without being timed.
//! - Within a round the strategies follow each other directly, in an order that rotates, so that a machine that gets slower or faster
//!   favours none.

mod cleanup;
mod copy;
mod machine;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::result::{End, Header, Options, RESULT_SCHEMA, ResultError, ResultFile, Results, Sample, Skipped};
use super::strategy::{Images, Place};
use super::{Choice, LockTool, Scenario, Snapshot, Strategy, StrategyError, choose};
use crate::plan::Plan;
use crate::process::Cancel;
use crate::project::Project;
use work::Work;

pub use cleanup::CleanUp;
pub use machine::Machine;

/// A measurement that takes this many times as long as with the fastest strategy is repeated less often.
const SLOW_FACTOR: f64 = 8.0;
/// But nothing that is quick anyway.
const SLOW_SECONDS: f64 = 10.0;

/// What a run needs.
pub struct Bench<'a> {
    /// The repository.
    pub root: &'a Utf8Path,
    /// What it is.
    pub project: &'a Project,
    /// What kiln decided.
    pub plan: &'a Plan,
    /// What kiln would decide for its engine `chef`: it knows what a Node install reads.
    pub chef: &'a Plan,
    /// Folder for results and for the copy, of kiln's own.
    pub folder: &'a Utf8Path,
    /// The program that the strategy `kiln` runs.
    pub kiln: &'a Utf8Path,
    /// The docker client.
    pub docker: &'a str,
    /// What changes locks.
    pub tools: &'a dyn LockTool,
    /// The machine and its engine.
    pub machine: Machine,
    /// What is checked out.
    pub git: Option<crate::record::GitHead>,
    /// Ends the run.
    pub cancel: &'a Cancel,
}

/// What happens in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchEvent<'a> {
    /// An earlier run was killed, and what it left was removed.
    Orphan(&'a CleanUp),
    /// Something is not measured.
    Skipped(&'a Skipped),
    /// Base images, system packages and programs are fetched.
    Foundation {
        /// The service.
        service: &'a str,
        /// The strategy.
        strategy: Strategy,
    },
    /// A build that is not timed.
    CatchesUp {
        /// The service.
        service: &'a str,
        /// The strategy.
        strategy: Strategy,
    },
    /// A timed build begins.
    Begins {
        /// The scenario.
        scenario: Scenario,
        /// The service.
        service: &'a str,
        /// The strategy.
        strategy: Strategy,
        /// Samples that are still to be made, this one included.
        left: usize,
        /// Seconds they will take, where all of them were measured before.
        seconds_left: Option<f64>,
    },
    /// A timed build has ended.
    Measured(&'a Sample),
    /// All that the run made is being removed.
    CleansUp,
    /// It was removed, as far as that was possible.
    CleanedUp(&'a CleanUp),
}

/// Why a run ended early. What was measured is in its file.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The repository cannot be copied.
    #[error("cannot copy the repository to `{path}`")]
    Copy {
        /// Where to.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The files are not those of the run that is to be continued.
    #[error("the repository has changed since the run `{name}` began")]
    OtherSource {
        /// The run.
        name: String,
    },
    /// No scenario applies.
    #[error("there is nothing to measure")]
    Nothing {
        /// Why.
        skipped: Vec<Skipped>,
    },
    /// kiln cannot build the service at all, or the engine failed.
    #[error("cannot build `{service}` with `{}`", strategy.name())]
    Build {
        /// The service.
        service: String,
        /// The strategy.
        strategy: Strategy,
        /// Why.
        #[source]
        source: StrategyError,
    },
    /// Results cannot be kept.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The run was cancelled.
    #[error("the benchmark was interrupted")]
    Interrupted,
}

/// Measures, from the beginning or, with `earlier` results and their file, from where they end. Whatever happens, all that the run made in
/// the engine and the copy are removed at the end.
///
/// # Errors
/// [`BenchError`].
pub fn run(
    bench: &Bench<'_>,
    options: Options,
    earlier: Option<(Utf8PathBuf, Results)>,
    events: &mut dyn FnMut(&BenchEvent<'_>),
) -> Result<Results, BenchError> {
    for orphan in work::remove_orphans(bench.folder, bench.docker) {
        events(&BenchEvent::Orphan(&orphan));
    }
    let started = Timestamp::now();
    let number = crate::text::short_hash(format!("{started}{}", std::process::id()).as_bytes());
    let name = format!("{}-bench-{}", bench.plan.project, &number[..8]);
    let work = Work::create(bench.folder, bench.docker, &name)
        .map_err(|source| BenchError::Copy { path: bench.folder.to_owned(), source })?;
    let source =
        copy::copy(bench.root, &work.copy(), bench.cancel).map_err(|source| BenchError::Copy { path: work.copy(), source })?;
    let (path, results) = match earlier {
        Some((_, results)) if results.header.source != source => {
            return Err(BenchError::OtherSource { name: results.header.name });
        }
        Some((path, results)) => (path, results),
        None => {
            let header = Header {
                schema: RESULT_SCHEMA,
                name: name.clone(),
                kiln: env!("CARGO_PKG_VERSION").to_owned(),
                started,
                git: bench.git.clone(),
                source,
                machine: bench.machine.clone(),
                options,
            };
            let time = started.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ");
            (bench.folder.join(format!("{time}-{}.jsonl", &number[..8])), Results::new(header))
        }
    };
    let mut file = ResultFile::open(&path, results)?;
    let measured = measure(bench, &work, &mut file, events);
    events(&BenchEvent::CleansUp);
    let clean_up = work.remove();
    events(&BenchEvent::CleanedUp(&clean_up));
    measured?;
    file.end(End { finished: Timestamp::now(), clean_up })?;
    Ok(file.results)
}

fn measure(
    bench: &Bench<'_>,
    work: &Work,
    file: &mut ResultFile,
    events: &mut dyn FnMut(&BenchEvent<'_>),
) -> Result<(), BenchError> {
    let wanted = file.results.header.options.scenarios.clone();
    let mut choices = Vec::new();
    for (scenario, choice) in choose(bench.project, bench.plan, &work.copy(), bench.tools) {
        if !wanted.contains(&scenario) {
            continue;
        }
        let reason = match choice {
            Ok(_) if scenario == Scenario::FreshBuilder => {
                "needs a registry cache and a builder of its own, which the bench does not make".to_owned()
            }
            Ok(choice) => {
                file.what(scenario, &choice.what)?;
                choices.push(choice);
                continue;
            }
            Err(reason) => reason.to_string(),
        };
        skip(file, events, Skipped { scenario: Some(scenario), service: None, strategy: None, reason })?;
    }
    if choices.is_empty() {
        return Err(BenchError::Nothing { skipped: file.results.skipped.clone() });
    }
    let services: BTreeSet<String> = choices.iter().map(|choice| choice.service.clone()).collect();
    let place = Place {
        name: work.name().to_owned(),
        original: bench.root.to_owned(),
        copy: work.copy(),
        state: work.state(),
        kiln: bench.kiln.to_owned(),
        docker: bench.docker.to_owned(),
        cancel: bench.cancel.clone(),
    };
    let images = Images::new(place, bench.plan.clone(), bench.chef.clone(), services.iter().cloned().collect());
    let images = images.map_err(|source| BenchError::Build {
        service: services.first().cloned().unwrap_or_default(),
        strategy: Strategy::Kiln,
        source,
    })?;
    let mut session = Session {
        bench,
        work,
        file,
        events,
        images,
        choices,
        built: BTreeMap::new(),
        generation: BTreeMap::new(),
        out: BTreeSet::new(),
    };
    session.begin(&services)?;
    let rounds = session.options().runs;
    // Without mounts later rounds of other scenarios would measure something else, so that one comes last.
    for last in [false, true] {
        for round in 1..=rounds {
            for choice in session.choices.clone() {
                if (choice.scenario == Scenario::GcEdMount) == last {
                    session.scenario(&choice, round)?;
                }
            }
        }
    }
    session.images.stop();
    Ok(())
}

fn skip(file: &mut ResultFile, events: &mut dyn FnMut(&BenchEvent<'_>), skipped: Skipped) -> Result<(), BenchError> {
    events(&BenchEvent::Skipped(&skipped));
    Ok(file.skip(skipped)?)
}

/// A run that goes on.
struct Session<'a> {
    bench: &'a Bench<'a>,
    work: &'a Work,
    file: &'a mut ResultFile,
    events: &'a mut dyn FnMut(&BenchEvent<'_>),
    images: Images,
    choices: Vec<Choice>,
    /// Hash of the context that each strategy built last.
    built: BTreeMap<(Strategy, String), blake3::Hash>,
    /// Number of the next namespace.
    generation: BTreeMap<(Strategy, String), u32>,
    /// What takes no part: a strategy for a service, in one scenario or in all.
    out: BTreeSet<(Strategy, String, Option<Scenario>)>,
}

impl Session<'_> {
    const fn options(&self) -> &Options {
        &self.file.results.header.options
    }

    /// Leaves out what cannot take part, and fetches what nothing is timed without.
    fn begin(&mut self, services: &BTreeSet<String>) -> Result<(), BenchError> {
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
        let (context, ignore) = self.images.context(strategy, service);
        copy::context_hash(&context, &ignore).map_err(|source| BenchError::Copy { path: context, source })
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
        if let Some(old) = generation.checked_sub(1) {
            // Two of them might be more than the engine keeps, and its garbage collection would take what is being measured.
            cleanup::clean_up(self.bench.docker, &self.images.namespace(strategy, service, old), cleanup::What::Cache);
        }
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
        let root = self.work.copy();
        let before = Snapshot::take(&root, &choice.files());
        let applied = before.and_then(|before| choice.apply(&root, round, self.bench.tools).map(|changed| (before, changed)));
        let before = match applied {
            Ok((before, _)) => before,
            Err(_) if self.bench.cancel.is_set() => return Err(BenchError::Interrupted),
            Err(error) => {
                let reason = error.to_string();
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
            Scenario::GcEdMount => drop(cleanup::clean_up(self.bench.docker, self.work.name(), cleanup::What::Mounts)),
            _ => {}
        }
        Ok(true)
    }

    fn sample(&mut self, strategy: Strategy, service: &str, scenario: Scenario) -> Result<(), BenchError> {
        if self.bench.cancel.is_set() {
            return Err(BenchError::Interrupted);
        }
        let (left, seconds_left) = self.left();
        (self.events)(&BenchEvent::Begins { scenario, service, strategy, left, seconds_left });
        let other_load = machine::other_load();
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
            _ if self.bench.cancel.is_set() => Err(BenchError::Interrupted),
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
