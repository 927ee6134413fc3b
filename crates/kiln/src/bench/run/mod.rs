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

mod builds;
mod cleanup;
mod copy;
mod estimate;
mod machine;
mod memory;
mod session;
mod work;

use std::collections::BTreeSet;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::result::{End, Header, Options, RESULT_SCHEMA, ResultError, ResultFile, Results, Sample, Skipped};
use super::strategy::{Images, Place, sent};
use super::{Choice, LockTool, Scenario, Strategy, StrategyError, choose_from, edits_of_all};
use crate::plan::Plan;
use crate::process::Cancel;
use crate::project::Project;
use session::{Session, Site};
use work::Work;

pub(super) use cleanup::Cleaner;
pub use cleanup::{CleanUp, Kept};
pub(super) use copy::Sent;
pub use machine::{Machine, Slow};

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
    /// Whether layers and mounts are removed even if the engine forgets layers of others with them.
    pub prune: bool,
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
    /// The cache of a build is written to a place from which an empty builder will import it.
    Exports {
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
        /// Which sample of it this is, from 1.
        sample: u32,
        /// How many it will have.
        samples: u32,
        /// Samples that are still to be made, this one included.
        left: usize,
        /// Seconds they will take, by what was measured so far; nothing before the first builds.
        seconds_left: Option<f64>,
        /// Whether they will take longer than that: nothing is known yet of some services.
        at_least: bool,
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
    /// Machine, engine or kiln are not those of the run that is to be continued.
    #[error("the run `{name}` was measured by {before}; this is {now}")]
    OtherWorld {
        /// The run.
        name: String,
        /// kiln and the machine then.
        before: String,
        /// kiln and the machine now.
        now: String,
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
    let cleaner = Cleaner::new(bench.docker, bench.machine.exports && !bench.prune);
    let orphans = work::remove_orphans(bench.folder, &cleaner);
    tell_of(&orphans, events);
    let started = Timestamp::now();
    let number = crate::text::short_hash(format!("{started}{}", std::process::id()).as_bytes());
    let name = format!("{}-bench-{}", bench.plan.project, &number[..8]);
    let work = Work::create(bench.folder, &cleaner, &name)
        .map_err(|source| BenchError::Copy { path: bench.folder.to_owned(), source })?;
    let strategies = earlier.as_ref().map_or(&options, |(_, results)| &results.header.options).strategies.clone();
    let source = copy::copy(bench.root, &work.copy(), &sent(bench.plan, bench.root, &strategies), bench.cancel);
    let source = source.map_err(|source| match source.kind() {
        io::ErrorKind::Interrupted => BenchError::Interrupted,
        _ => BenchError::Copy { path: work.copy(), source },
    })?;
    let (path, results) = match earlier {
        Some((_, results)) if results.header.source != source => {
            return Err(BenchError::OtherSource { name: results.header.name });
        }
        Some((path, results)) => (path, like_before(bench, results)?),
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
    let measured = measure(bench, &work, &cleaner, &mut file, events);
    events(&BenchEvent::CleansUp);
    let clean_up = work.remove();
    events(&BenchEvent::CleanedUp(&clean_up));
    // The builds of one that was killed went on for a while.
    if !orphans.is_empty() {
        tell_of(&work::remove_orphans(bench.folder, &cleaner), events);
    }
    measured?;
    file.end(End { finished: Timestamp::now(), clean_up })?;
    Ok(file.results)
}

/// That something is kept was said at the end of its run.
fn tell_of(orphans: &[CleanUp], events: &mut dyn FnMut(&BenchEvent<'_>)) {
    for orphan in orphans.iter().filter(|orphan| orphan.objects + orphan.records > 0 || !orphan.left.is_empty()) {
        events(&BenchEvent::Orphan(orphan));
    }
}

/// The results, if what would be added to them can stand beside them.
fn like_before(bench: &Bench<'_>, results: Results) -> Result<Results, BenchError> {
    let header = &results.header;
    let (kiln, machine) = (env!("CARGO_PKG_VERSION"), &bench.machine);
    if header.kiln == kiln && header.machine.is_like(machine) {
        return Ok(results);
    }
    let before = format!("kiln {} on {}", header.kiln, header.machine);
    Err(BenchError::OtherWorld { name: header.name.clone(), before, now: format!("kiln {kiln} on {machine}") })
}

fn measure(
    bench: &Bench<'_>,
    work: &Work,
    cleaner: &Cleaner,
    file: &mut ResultFile,
    events: &mut dyn FnMut(&BenchEvent<'_>),
) -> Result<(), BenchError> {
    let choices = choices(bench, work, cleaner, file, events)?;
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
        cleaner: cleaner.clone(),
        cancel: bench.cancel.clone(),
    };
    let images = Images::new(place, bench.plan.clone(), bench.chef.clone(), services.iter().cloned().collect());
    let images = images.map_err(|source| BenchError::Build {
        service: services.first().cloned().unwrap_or_default(),
        strategy: Strategy::Kiln,
        source,
    })?;
    let site = Site { copy: work.copy(), tools: bench.tools, cancel: bench.cancel };
    let mut session = Session::new(site, file, events, images, choices);
    session.begin(&services)?;
    session.rounds()
}

/// What is measured, in the order of [`Scenario::ALL`].
fn choices(
    bench: &Bench<'_>,
    work: &Work,
    cleaner: &Cleaner,
    file: &mut ResultFile,
    events: &mut dyn FnMut(&BenchEvent<'_>),
) -> Result<Vec<Choice>, BenchError> {
    let Options { scenarios: wanted, every_service, .. } = file.results.header.options.clone();
    let copy = work.copy();
    // On a builder that lost something an unchanged build would still find its layers. What is gone is missed after an edit.
    let lost = [Scenario::FreshBuilder, Scenario::GcEdMount];
    let edits = [Scenario::SourceBin, Scenario::FrontendSource];
    let loses = wanted.iter().any(|scenario| lost.contains(scenario));
    let looked_at = |scenario: &Scenario| wanted.contains(scenario) || (loses && edits.contains(scenario));
    let looked_at: Vec<Scenario> = Scenario::ALL.into_iter().filter(looked_at).collect();
    let found = choose_from(&looked_at, bench.project, bench.plan, &copy, bench.tools);
    let is_edit = |choice: &&Choice| edits.contains(&choice.scenario);
    let edit = found.iter().filter_map(|(_, choice)| choice.as_ref().ok()).find(is_edit).cloned();
    // Where the engine would forget layers of others, nothing is taken away from a builder.
    let refusal = loses.then(|| {
        let bases = bench.plan.services.iter().flat_map(|service| {
            let bases = &service.base_images;
            [bases.build.as_str(), bases.runtime.as_str()]
        });
        cleaner.refusal(&bases.collect())
    });
    let refusal = refusal.flatten();
    let others = if every_service { edits_of_all(bench.project, bench.plan, &copy, bench.tools) } else { Vec::new() };
    let mut choices = Vec::new();
    for (scenario, choice) in found {
        if !wanted.contains(&scenario) {
            continue;
        }
        let choice = match (scenario, choice, &edit) {
            (Scenario::FreshBuilder, Ok(_), _) if !bench.machine.exports => {
                let store = bench.machine.storage.as_deref().unwrap_or("its image store");
                Err(format!(
                    "the engine cannot export a cache from {store}: it takes the containerd image store (docs/cache.md says how)"
                ))
            }
            (Scenario::FreshBuilder | Scenario::GcEdMount, Ok(_), _) if refusal.is_some() => {
                Err(refusal.clone().unwrap_or_default())
            }
            (Scenario::FreshBuilder | Scenario::GcEdMount, Ok(_), None) => Err("there is no source file to edit".to_owned()),
            (Scenario::FreshBuilder, Ok(_), Some(edit)) => {
                let what = format!("all layers and mounts are removed, the exported cache is imported; {}", edit.what);
                Ok(Choice { scenario, what, ..edit.clone() })
            }
            (Scenario::GcEdMount, Ok(_), Some(edit)) => {
                let what = format!("all cache mounts of the run are removed, then {}", edit.what);
                Ok(Choice { scenario, what, ..edit.clone() })
            }
            (_, choice, _) => choice.map_err(|reason| reason.to_string()),
        };
        match choice {
            Ok(choice) => {
                let is_another = |other: &&Choice| other.scenario == scenario && other.service != choice.service;
                let more: Vec<Choice> = others.iter().filter(is_another).cloned().collect();
                let what: Vec<&str> = std::iter::once(&choice).chain(&more).map(|choice| choice.what.as_str()).collect();
                file.what(scenario, &what.join("; "))?;
                choices.push(choice);
                choices.extend(more);
            }
            Err(reason) => skip(file, events, Skipped { scenario: Some(scenario), service: None, strategy: None, reason })?,
        }
    }
    Ok(choices)
}

fn skip(file: &mut ResultFile, events: &mut dyn FnMut(&BenchEvent<'_>), skipped: Skipped) -> Result<(), BenchError> {
    events(&BenchEvent::Skipped(&skipped));
    Ok(file.skip(skipped)?)
}
