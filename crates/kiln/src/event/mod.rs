//! What happens in a build: [`BuildEvent`], and [`BuildState`], a pure fold over the events of one build.
//!
//! The only link between an engine and its readers (progress, record, report). Steps are known by a digest that means something
//! within one build only: BuildKit makes new ones for every build.

mod log;
mod name;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use log::LogTail;
pub use name::{EXPORTING, IMPORTING, StepKind, StepName};

use crate::recipe::CargoReport;

/// Something that happened in a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum BuildEvent {
    /// A step is part of the build.
    StepFound {
        /// Which step.
        digest: String,
        /// Its name as BuildKit gives it.
        name: String,
        /// Digests of the steps whose results it takes.
        inputs: Vec<String>,
    },
    /// A step began to work, for the first time or again.
    StepStarted {
        /// Which step.
        digest: String,
        /// When.
        at: Timestamp,
    },
    /// A part of a step's work moved on: a layer, a transfer, an export.
    StepProgress {
        /// Which step.
        digest: String,
        /// Which part.
        id: String,
        /// Bytes, or another unit of the part's own.
        current: u64,
        /// How much it will be, where it is known.
        total: Option<u64>,
        /// Whether the part is done.
        done: bool,
    },
    /// A step printed something: any piece of its output, not always whole lines.
    StepLog {
        /// Which step.
        digest: String,
        /// 1 is standard output, 2 standard error.
        stream: u8,
        /// What it printed.
        text: String,
    },
    /// A step's result came from the cache.
    StepCached {
        /// Which step.
        digest: String,
    },
    /// A step stopped working. It may start again.
    StepFinished {
        /// Which step.
        digest: String,
        /// When.
        at: Timestamp,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// The engine warns about the Dockerfile.
    Warning {
        /// What it says.
        message: String,
        /// The line in the Dockerfile, where it names one.
        line: Option<u32>,
        /// Where to read more.
        url: Option<String>,
    },
    /// A line that is not part of the protocol; the engine's own error message among them.
    Text {
        /// The line.
        line: String,
    },
    /// Where steps stand in the Dockerfile, known at the end of a build that succeeded.
    StepLines {
        /// Line from 1, by digest.
        lines: BTreeMap<String, u32>,
    },
}

/// What became of a step, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// Has not begun.
    Waiting,
    /// Is at work.
    Running,
    /// Its result came from the cache.
    Cached,
    /// It worked.
    Ran,
    /// It failed.
    Failed,
    /// It was stopped, or never needed.
    Skipped,
}

impl StepStatus {
    /// Which of two statuses of one step says more.
    pub(crate) const fn weight(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Skipped => 1,
            Self::Cached => 2,
            Self::Ran => 3,
            Self::Running => 4,
            Self::Failed => 5,
        }
    }
}

/// One step of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its digest, within this build.
    pub digest: String,
    /// Its name, taken apart.
    pub name: StepName,
    /// Digests of its inputs.
    pub inputs: Vec<String>,
    /// When it worked: begin and, if it ended, end. In the order in which it was told.
    pub intervals: Vec<(Timestamp, Option<Timestamp>)>,
    /// Whether the engine called it cached.
    pub cached: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// Bytes of each part of its work that were transferred, by the part's name.
    pub parts: BTreeMap<String, u64>,
    /// The end of its output.
    pub log: LogTail,
    /// What cargo did in it, if it told so.
    pub cargo: Option<CargoReport>,
    /// Line in the Dockerfile, from 1.
    pub line: Option<u32>,
}

impl Step {
    /// What became of it.
    ///
    /// BuildKit's `cached` flag is not reliable for `FROM`: the flag comes with the first build and is missing when everything
    /// is cached. A base image counts as cached unless layers of it were transferred.
    #[must_use]
    pub fn status(&self) -> StepStatus {
        let open = self.intervals.last().is_some_and(|(_, end)| end.is_none());
        match &self.error {
            Some(error) if is_cancellation(error) => StepStatus::Skipped,
            Some(_) => StepStatus::Failed,
            None if self.name.is_from() && !open && !self.pulled() => {
                if self.intervals.is_empty() && !self.cached {
                    StepStatus::Waiting
                } else {
                    StepStatus::Cached
                }
            }
            None if self.cached && !self.name.is_from() => StepStatus::Cached,
            None if self.was_only_asked_for() && !open => StepStatus::Cached,
            None if self.intervals.is_empty() => StepStatus::Waiting,
            None if open => StepStatus::Running,
            None => StepStatus::Ran,
        }
    }

    /// What became of it, now that the build is over. A step that a successful build never needed counts as cached: what comes
    /// after it was found without it. One that a failed build did not come to, or stopped, was skipped.
    #[must_use]
    pub fn final_status(&self, succeeded: bool) -> StepStatus {
        match self.status() {
            StepStatus::Waiting if succeeded => StepStatus::Cached,
            StepStatus::Running if succeeded => StepStatus::Ran,
            StepStatus::Waiting | StepStatus::Running => StepStatus::Skipped,
            status => status,
        }
    }

    /// Whether it is what an `ADD` gets from the network, which has the name of the instruction, too. BuildKit asks for it in every build,
    /// also where it then has the file already.
    #[must_use]
    pub fn is_fetched(&self) -> bool {
        self.inputs.is_empty() && self.name.keyword().is_some_and(|keyword| keyword == "ADD")
    }

    /// Whether it takes nothing and BuildKit only asked its cache for it. That is shown as work, of a step that takes nothing, and never as
    /// cached; work that is done is shown after it. Among the steps of a Dockerfile it concerns `WORKDIR` in an empty stage.
    fn was_only_asked_for(&self) -> bool {
        let takes_nothing = self.inputs.is_empty() && self.name.keyword().is_some_and(|keyword| keyword == "WORKDIR");
        takes_nothing && self.intervals.len() == 1
    }

    /// Whether layers of an image came over the wire.
    fn pulled(&self) -> bool {
        self.parts.iter().any(|(id, bytes)| *bytes > 0 && id.contains("sha256:") && !id.starts_with("resolve"))
    }

    /// Bytes transferred by all its parts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.values().sum()
    }

    /// Seconds it worked: the union of its intervals, an open one counted until `now`. Nothing for what came from the cache.
    #[must_use]
    pub fn seconds(&self, now: Timestamp) -> f64 {
        if self.cached && !self.name.is_from() {
            return 0.0;
        }
        merged_seconds(self.intervals.iter().map(|(begin, end)| (*begin, end.unwrap_or(now))))
    }

    /// When it last began to work.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.intervals.last().map(|(begin, _)| *begin)
    }
}

/// Whether an error only says that the step was stopped because another one failed, or by the user.
fn is_cancellation(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    error.ends_with("context canceled") || error.ends_with("context canceled: context canceled") || error == "canceled"
}

/// Length of the union of intervals, in seconds.
fn merged_seconds(intervals: impl Iterator<Item = (Timestamp, Timestamp)>) -> f64 {
    let mut intervals: Vec<_> = intervals.filter(|(begin, end)| begin <= end).collect();
    intervals.sort_unstable();
    let mut total = 0.0;
    let mut covered: Option<Timestamp> = None;
    for (begin, end) in intervals {
        let from = covered.map_or(begin, |covered| covered.max(begin));
        if end > from {
            total += end.duration_since(from).as_secs_f64();
        }
        covered = Some(covered.map_or(end, |covered| covered.max(end)));
    }
    total
}

/// A warning of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineWarning {
    /// What it says.
    pub message: String,
    /// The line in the Dockerfile.
    pub line: Option<u32>,
    /// Where to read more.
    pub url: Option<String>,
}

/// Everything known about one build: a fold over its events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildState {
    steps: Vec<Step>,
    by_digest: BTreeMap<String, usize>,
    /// When the build began, by the engine's clock: it starts with steps of its own.
    begun: Option<Timestamp>,
    /// Warnings of the engine.
    pub warnings: Vec<EngineWarning>,
    /// Lines that were no events, the last ones.
    pub text: LogTail,
}

impl BuildState {
    /// A build of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All steps, in the order in which they became known.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps that stand in the Dockerfile, in its order as far as lines are known, each once.
    ///
    /// A step can be told twice: when another build on the same engine works on an equal one, BuildKit shows both, and the one that
    /// does the work counts.
    #[must_use]
    pub fn dockerfile_steps(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = Vec::new();
        // BuildKit tells the last step first.
        let is_step = |step: &&Step| matches!(step.name.kind, StepKind::Stage { .. }) && !step.is_fetched();
        for step in self.steps.iter().rev().filter(is_step) {
            match steps.iter_mut().find(|known| known.name.kind == step.name.kind) {
                Some(known) if step.status().weight() > known.status().weight() => *known = step,
                Some(_) => {}
                None => steps.push(step),
            }
        }
        steps.sort_by_key(|step| step.line.unwrap_or(u32::MAX));
        steps
    }

    /// A step by its digest.
    #[must_use]
    pub fn step(&self, digest: &str) -> Option<&Step> {
        self.by_digest.get(digest).map(|index| &self.steps[*index])
    }

    /// Bytes of the build context (and of named contexts) that were sent.
    #[must_use]
    pub fn context_bytes(&self) -> u64 {
        let sent = |step: &&Step| matches!(step.name.kind, StepKind::Internal | StepKind::Context { .. });
        self.steps.iter().filter(sent).map(Step::bytes).sum()
    }

    /// The step that failed, if one did: the one that is to blame, not those stopped with it. A cache that was not there stops no
    /// build, and one that could not be written only a build that was fine.
    #[must_use]
    pub fn failed(&self) -> Option<&Step> {
        let failed = || self.steps.iter().filter(|step| step.status() == StepStatus::Failed);
        let other = |step: &&Step| !matches!(step.name.kind, StepKind::CacheImport { .. } | StepKind::CacheExport);
        failed().find(other).or_else(|| failed().find(|step| step.name.kind == StepKind::CacheExport))
    }

    /// Caches outside of the engine that were not used: their names, and what the engine says.
    pub fn caches_not_used(&self) -> impl Iterator<Item = (&str, &str)> {
        self.steps.iter().filter_map(|step| match (&step.name.kind, &step.error) {
            (StepKind::CacheImport { from }, Some(error)) if step.status() == StepStatus::Failed => {
                Some((from.as_str(), error.as_str()))
            }
            _ => None,
        })
    }

    /// Caches outside of the engine that were not written: the steps' names, and what the engine says.
    pub fn caches_not_written(&self) -> impl Iterator<Item = (&str, &str)> {
        self.steps.iter().filter_map(|step| match &step.error {
            Some(error) if step.name.kind == StepKind::CacheExport && step.status() == StepStatus::Failed => {
                Some((step.name.text.as_str(), error.as_str()))
            }
            _ => None,
        })
    }

    /// Takes in one event. Events about unknown steps are kept under a step without a name.
    pub fn apply(&mut self, event: &BuildEvent) {
        match event {
            BuildEvent::StepFound { digest, name, inputs } => {
                let step = self.entry(digest);
                step.name = StepName::parse(name);
                step.inputs.clone_from(inputs);
            }
            BuildEvent::StepStarted { digest, at } => {
                let step = self.entry(digest);
                step.intervals.push((*at, None));
                if step.name.kind == StepKind::Internal && self.begun.is_none() {
                    self.begun = Some(*at);
                }
            }
            BuildEvent::StepProgress { digest, id, current, .. } => {
                self.entry(digest).parts.insert(id.clone(), *current);
            }
            BuildEvent::StepLog { digest, text, .. } => {
                let step = self.entry(digest);
                for line in step.log.push(text) {
                    if let Some(report) = line.strip_prefix("kiln: ").and_then(|json| serde_json::from_str(json).ok()) {
                        step.cargo = Some(report);
                    }
                }
            }
            BuildEvent::StepCached { digest } => self.entry(digest).cached = true,
            BuildEvent::StepFinished { digest, at, error } => {
                // Another build did the work before this one began, and the engine still has it.
                let earlier = self.begun.is_some_and(|begun| *at < begun);
                let step = self.entry(digest);
                step.cached |= earlier;
                match step.intervals.last_mut() {
                    Some((_, end)) => *end = Some(*at),
                    None => step.intervals.push((*at, Some(*at))),
                }
                step.error.clone_from(error);
            }
            BuildEvent::Warning { message, line, url } => {
                let warning = EngineWarning { message: message.clone(), line: *line, url: url.clone() };
                if !self.warnings.contains(&warning) {
                    self.warnings.push(warning);
                }
            }
            BuildEvent::Text { line } => {
                self.text.push(&format!("{line}\n"));
            }
            BuildEvent::StepLines { lines } => {
                for (digest, line) in lines {
                    if let Some(index) = self.by_digest.get(digest) {
                        self.steps[*index].line = Some(*line);
                    }
                }
            }
        }
    }

    fn entry(&mut self, digest: &str) -> &mut Step {
        let index = *self.by_digest.entry(digest.to_owned()).or_insert_with(|| {
            self.steps.push(Step {
                digest: digest.to_owned(),
                name: StepName::default(),
                inputs: Vec::new(),
                intervals: Vec::new(),
                cached: false,
                error: None,
                parts: BTreeMap::new(),
                log: LogTail::default(),
                cargo: None,
                line: None,
            });
            self.steps.len() - 1
        });
        &mut self.steps[index]
    }
}

#[cfg(test)]
mod tests;
