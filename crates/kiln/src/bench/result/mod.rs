//! What a run measured: a JSON Lines file that grows by every sample, and what follows from it.
//!
//! The first line is the [`Header`], then come samples and what was skipped as they happen, and the [`End`]. A run that was interrupted leaves
//! what it had; [`Results::load`] is all that is needed to go on with it.

mod file;
#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scenario;
use super::run::{CleanUp, Machine};
use super::statistics::{Summary, reduction};
use super::strategy::{Measured, Strategy};
use crate::record::GitHead;

pub(super) use file::ResultFile;
pub use verdict::{Rule, Verdict, is_source_edit, judge};

/// Version of the format.
pub const RESULT_SCHEMA: u32 = 1;
/// More processors than this busy with other work disturb a measurement: half a one or, where there are many, a tenth of them.
#[must_use]
pub fn noisy_load(cores: usize) -> f64 {
    (cores as f64 / 10.0).max(0.5)
}

/// A processor that does less than this part of what it did at its best in the run has become slow.
pub const SLOWED_DOWN: f64 = 0.8;

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// The strategies.
    pub strategies: Vec<Strategy>,
    /// Samples of each scenario and strategy.
    pub runs: u32,
    /// Samples of what takes many times longer than with the fastest strategy, and of first builds.
    pub slow_runs: u32,
    /// Whether each service has its source edited, and not only the first of its kind.
    #[serde(default)]
    pub every_service: bool,
}

/// What is known before the first sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`RESULT_SCHEMA`].
    pub schema: u32,
    /// Name of the run: the project's and a number.
    pub name: String,
    /// Version of kiln.
    pub kiln: String,
    /// When the run began.
    pub started: Timestamp,
    /// What is checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitHead>,
    /// Hash of the files that were copied.
    pub source: String,
    /// The machine.
    pub machine: Machine,
    /// What to measure.
    pub options: Options,
}

/// One timed build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The scenario.
    pub scenario: Scenario,
    /// The service.
    pub service: String,
    /// The strategy.
    pub strategy: Strategy,
    /// What the build did.
    pub measured: Measured,
    /// Processors that were busy with other work just before or just behind it, whichever is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_load: Option<f64>,
    /// Millions of steps of a fixed computation that a processor did in a second then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<u32>,
}

impl Sample {
    /// Whether other work on a machine of so many processors disturbed it.
    #[must_use]
    pub fn is_disturbed(&self, cores: usize) -> bool {
        self.other_load.is_some_and(|load| load > noisy_load(cores))
    }
}

/// Something that was not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The scenario; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Scenario>,
    /// The service; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The strategy; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Why.
    pub reason: String,
}

impl Skipped {
    /// Whether it says that such a sample was not made.
    fn is_of(&self, sample: &Sample) -> bool {
        self.scenario.is_none_or(|scenario| scenario == sample.scenario)
            && self.service.as_ref().is_none_or(|service| *service == sample.service)
            && self.strategy.is_none_or(|strategy| strategy == sample.strategy)
    }
}

/// What is known when all is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When the run ended.
    pub finished: Timestamp,
    /// What was removed.
    pub clean_up: CleanUp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
enum Line {
    Header(Header),
    What { scenario: Scenario, what: String },
    Sample(Sample),
    Skipped(Skipped),
    End(End),
}

/// A run as far as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What is known before the first sample.
    pub header: Header,
    /// What is changed in each scenario.
    pub what: BTreeMap<Scenario, String>,
    /// The samples, in the order in which they were made.
    pub samples: Vec<Sample>,
    /// What was not measured.
    pub skipped: Vec<Skipped>,
    /// How it ended; nothing if it was interrupted.
    pub end: Option<End>,
}

/// A result file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// It cannot be read or written.
    #[error("cannot use the result file `{path}`")]
    File {
        /// The file or folder.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The run that it is of still goes on.
    #[error("another `kiln bench` is writing `{path}`")]
    InUse {
        /// The file.
        path: Utf8PathBuf,
    },
    /// It does not begin with a header that this kiln understands.
    #[error("`{path}` is no result of this version of kiln")]
    NoHeader {
        /// The file.
        path: Utf8PathBuf,
    },
}

impl Results {
    /// Results without samples.
    #[must_use]
    pub const fn new(header: Header) -> Self {
        Self { header, what: BTreeMap::new(), samples: Vec::new(), skipped: Vec::new(), end: None }
    }

    /// Reads a file. Lines that are damaged or cut off are left out.
    ///
    /// # Errors
    /// [`ResultError`], if it cannot be read or has no header.
    pub fn load(path: &Utf8Path) -> Result<Self, ResultError> {
        let bytes = fs::read(path).map_err(|source| ResultError::File { path: path.to_owned(), source })?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        let header = match lines.next().and_then(|line| serde_json::from_str(line).ok()) {
            Some(Line::Header(header)) if header.schema == RESULT_SCHEMA => header,
            _ => return Err(ResultError::NoHeader { path: path.to_owned() }),
        };
        let mut results = Self::new(header);
        for line in lines.filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Line::What { scenario, what } => drop(results.what.insert(scenario, what)),
                Line::Sample(sample) => results.add(sample),
                Line::Skipped(skipped) => results.skip(skipped),
                Line::End(end) => results.end = Some(end),
                Line::Header(_) => {}
            }
        }
        Ok(results)
    }

    /// Adds a sample. What could not be measured before it was measured now, by a run that went on.
    fn add(&mut self, sample: Sample) {
        self.skipped.retain(|skipped| !skipped.is_of(&sample));
        self.samples.push(sample);
    }

    fn skip(&mut self, skipped: Skipped) {
        if !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
        }
    }

    /// Samples of one measurement.
    pub fn of(&self, scenario: Scenario, service: &str, strategy: Strategy) -> impl Iterator<Item = &Sample> {
        let is = move |sample: &&Sample| sample.scenario == scenario && sample.service == service && sample.strategy == strategy;
        self.samples.iter().filter(is)
    }

    /// Summary of the seconds of one measurement.
    #[must_use]
    pub fn summary(&self, scenario: Scenario, service: &str, strategy: Strategy) -> Option<Summary> {
        Summary::of(self.of(scenario, service, strategy).map(|sample| sample.measured.seconds))
    }

    /// Bytes of contexts that were sent to the engine and that it keeps: no name tells them from those of others. At most, as an edit sends its
    /// files again.
    #[must_use]
    pub fn context_bytes(&self) -> u64 {
        let mut most: BTreeMap<(Strategy, &str), u64> = BTreeMap::new();
        for sample in &self.samples {
            let bytes = sample.measured.context_bytes.unwrap_or(0);
            let known = most.entry((sample.strategy, &sample.service)).or_default();
            *known = bytes.max(*known);
        }
        most.values().sum()
    }

    /// One row for each scenario, service and strategy that has samples, in the order of scenarios, then strategies.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut keys: Vec<(Scenario, &str, Strategy)> =
            self.samples.iter().map(|sample| (sample.scenario, sample.service.as_str(), sample.strategy)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().filter_map(|(scenario, service, strategy)| self.row(scenario, service, strategy)).collect()
    }

    fn row(&self, scenario: Scenario, service: &str, strategy: Strategy) -> Option<Row> {
        let seconds = self.summary(scenario, service, strategy)?;
        let median = |strategy| self.summary(scenario, service, strategy).map(|summary| summary.median);
        let samples: Vec<&Sample> = self.of(scenario, service, strategy).collect();
        let last = samples.last()?;
        let load = samples.iter().filter_map(|sample| sample.other_load).max_by(f64::total_cmp);
        let best = self.samples.iter().filter_map(|sample| sample.speed).max();
        let worst = samples.iter().filter_map(|sample| sample.speed).min();
        let slowed = best.zip(worst).map(|(best, worst)| f64::from(worst) / f64::from(best.max(1)));
        let doubts = [
            load.filter(|load| *load > noisy_load(self.header.machine.cores)).map(Doubt::OtherWork),
            Some(seconds.spread()).filter(|_| seconds.is_noisy()).map(Doubt::Spread),
            slowed.filter(|part| *part < SLOWED_DOWN).map(|part| Doubt::SlowedDown(1.0 - part)),
        ];
        let doubts: Vec<Doubt> = doubts.into_iter().flatten().collect();
        let install_seconds = Summary::of(samples.iter().filter_map(|sample| sample.measured.install_seconds));
        Some(Row {
            scenario,
            service: service.to_owned(),
            strategy,
            seconds,
            samples: samples.len(),
            steps_ran: last.measured.steps_ran,
            local_crates: last.measured.local_crates,
            external_crates: last.measured.external_crates,
            image_bytes: samples.iter().rev().find_map(|sample| sample.measured.image_bytes),
            context_bytes: last.measured.context_bytes,
            layers: samples
                .iter()
                .rev()
                .map(|sample| &sample.measured.layers)
                .find(|layers| !layers.is_empty())
                .cloned()
                .unwrap_or_default(),
            memory_bytes: samples.iter().filter_map(|sample| sample.measured.memory_bytes).max(),
            installs: last.measured.installs,
            install_seconds: install_seconds.map(|summary| summary.median),
            reduction_pct: median(Strategy::Naive)
                .filter(|_| strategy != Strategy::Naive)
                .and_then(|naive| reduction(seconds.median, naive)),
            times_kiln: median(Strategy::Kiln).filter(|kiln| *kiln > 0.0).map(|kiln| seconds.median / kiln),
            other_load: load,
            noisy: !doubts.is_empty(),
            doubts,
        })
    }
}

/// A measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The scenario.
    pub scenario: Scenario,
    /// The service.
    pub service: String,
    /// The strategy.
    pub strategy: Strategy,
    /// Wall time.
    pub seconds: Summary,
    /// How many samples it has.
    pub samples: usize,
    /// Steps that ran, in the last sample.
    pub steps_ran: usize,
    /// Local crates compiled, in the last sample.
    pub local_crates: usize,
    /// Other crates compiled, in the last sample.
    pub external_crates: usize,
    /// Size of the image.
    pub image_bytes: Option<u64>,
    /// Bytes of context sent, in the last sample.
    pub context_bytes: Option<u64>,
    /// Bytes of the image's layers, from its base on; without empty ones.
    pub layers: Vec<u64>,
    /// Most memory that a build needed; nothing where the engine does not show it.
    pub memory_bytes: Option<u64>,
    /// How often Node packages were installed, in the last sample.
    pub installs: usize,
    /// Median of the seconds that took.
    pub install_seconds: Option<f64>,
    /// How many percent less time than `naive` it takes.
    pub reduction_pct: Option<f64>,
    /// How many times as long as `kiln` it takes.
    pub times_kiln: Option<f64>,
    /// Most processors that were busy with other work before or behind a sample.
    pub other_load: Option<f64>,
    /// Whether something makes it doubtful.
    pub noisy: bool,
    /// What does.
    pub doubts: Vec<Doubt>,
}

/// Why a measurement says little.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// So many processors were busy with other work.
    OtherWork(f64),
    /// Its samples are this part of their median apart.
    Spread(f64),
    /// A processor did this part less than at its best in the run.
    SlowedDown(f64),
}

/// Result files of a folder, the latest first.
///
/// # Errors
/// [`ResultError::File`], if the folder cannot be read.
pub fn list(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, ResultError> {
    let failed = |source| ResultError::File { path: folder.to_owned(), source };
    let entries = match folder.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.into_path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut files: Vec<Utf8PathBuf> = paths.into_iter().filter(|path| path.extension() == Some("jsonl")).collect();
    // Names begin with the time.
    files.sort_unstable_by(|a, b| b.cmp(a));
    Ok(files)
}
