//! Which steps of a model earlier builds have left in the builder.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::StepPlace;
use super::counterpart::Counterparts;
use super::model::{Model, ModelStep, Origin, Read};
use super::reason::{self, MissReason};

/// Whether a step will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Its result is there.
    Cached,
    /// It depends on what a program writes that runs again.
    Unknown,
    /// It runs.
    Runs,
}

/// What is foreseen for one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predicted {
    /// Where it stands.
    #[serde(flatten)]
    pub place: StepPlace,
    /// The instruction.
    pub instruction: String,
    /// Whether it runs.
    pub verdict: Verdict,
    /// Why it runs, or may; what is nearest to the step first.
    pub reasons: Vec<MissReason>,
    /// Numbers of the steps whose running makes it run, or may.
    pub because_of: Vec<usize>,
    /// How long it took when it last ran.
    pub seconds_estimate: Option<f64>,
    /// Its text in BuildKit's words, where an earlier build has told.
    #[serde(skip)]
    pub name: Option<String>,
}

/// What is foreseen for a build.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// All steps.
    pub steps: Vec<Predicted>,
}

/// How sure it is that two things are the same to BuildKit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Different,
    Open,
    Same,
}

/// Results of earlier builds that may stand for what one step leaves.
#[derive(Debug, Default)]
struct Matches<'a> {
    same: BTreeSet<&'a str>,
    open: BTreeSet<&'a str>,
}

impl Matches<'_> {
    fn likeness(&self, key: &str) -> Likeness {
        if self.same.contains(key) {
            Likeness::Same
        } else if self.open.contains(key) {
            Likeness::Open
        } else {
            Likeness::Different
        }
    }
}

/// Foresees the build of a model, given those of earlier builds, the latest first.
#[must_use]
pub fn predict(next: &Model, earlier: &[Model]) -> Prediction {
    predict_without(next, earlier, &BTreeSet::new())
}

/// The same where the builder has lost the results of some steps, by their numbers in `next`: see [`lost`](super::lost).
///
/// A result that is gone is missed only by what runs: by the end of the build, and by steps that need its files.
#[must_use]
pub fn predict_without(next: &Model, earlier: &[Model], lost: &BTreeSet<usize>) -> Prediction {
    let mut by_operation: HashMap<&str, Vec<&ModelStep>> = HashMap::new();
    // Most builds did mostly the same.
    let mut known = HashSet::new();
    let done = earlier.iter().flat_map(|model| &model.steps).filter(|step| step.done);
    for step in done.filter(|step| known.insert((&step.key, &step.output))) {
        by_operation.entry(&step.operation_key).or_default().push(step);
    }
    let mut verdicts = verdicts(next, |operation| by_operation.get(operation).into_iter().flatten().copied());
    let missed = missed(next, lost, &mut verdicts);
    explain(next, earlier, &verdicts, &missed)
}

/// Whether the steps of a model run, given the steps that were done before, by the key of their operation.
pub(crate) fn verdicts<'a, I: Iterator<Item = &'a ModelStep>>(next: &Model, done: impl Fn(&str) -> I) -> Vec<Verdict> {
    let mut matches: Vec<Matches<'_>> = Vec::with_capacity(next.steps.len());
    let mut verdicts = Vec::with_capacity(next.steps.len());
    for step in &next.steps {
        let mut best = Likeness::Different;
        let mut found = Matches::default();
        for candidate in done(&step.operation_key) {
            let base = base_likeness(step, candidate, &matches);
            let reads = step.reads.iter().zip(&candidate.reads).map(|(read, other)| read_likeness(read, other, &matches));
            let reads = if step.reads.len() == candidate.reads.len() {
                reads.min().unwrap_or(Likeness::Same)
            } else {
                Likeness::Different
            };
            let own = if step.linked { reads } else { reads.min(base) };
            best = best.max(own);
            match own.min(base) {
                Likeness::Same => drop(found.same.insert(&candidate.output)),
                Likeness::Open => drop(found.open.insert(&candidate.output)),
                Likeness::Different => {}
            }
        }
        verdicts.push(match best {
            Likeness::Same => Verdict::Cached,
            Likeness::Open => Verdict::Unknown,
            Likeness::Different => Verdict::Runs,
        });
        matches.push(found);
    }
    verdicts
}

/// Which of the lost results are needed; their steps run.
fn missed(next: &Model, lost: &BTreeSet<usize>, verdicts: &mut [Verdict]) -> BTreeSet<usize> {
    let mut missed = BTreeSet::new();
    if lost.is_empty() {
        return missed;
    }
    let mut needed = vec![false; verdicts.len()];
    // The build is asked for the last one.
    needed.last_mut().into_iter().for_each(|last| *last = true);
    for number in (0..verdicts.len()).rev() {
        if verdicts[number] == Verdict::Cached && needed[number] && lost.contains(&number) {
            verdicts[number] = Verdict::Runs;
            missed.insert(number);
        }
        if verdicts[number] != Verdict::Cached {
            Model::origins(&next.steps[number]).for_each(|origin| needed[origin] = true);
        }
    }
    missed
}

fn explain(next: &Model, earlier: &[Model], verdicts: &[Verdict], missed: &BTreeSet<usize>) -> Prediction {
    // A build that failed before its first step, for want of its base image, has left nothing and knows no image's variables.
    let latest = earlier.iter().find(|model| model.steps.iter().any(|step| step.done));
    let latest = latest.map(|latest| (latest, Counterparts::new(next, latest)));
    // Names and times outlive a build in which the step stood elsewhere.
    let names: HashMap<(&str, &str), &str> = earlier
        .iter()
        .rev()
        .flat_map(|model| &model.steps)
        .filter_map(|step| Some(((step.place.stage.as_str(), step.text.as_str()), step.name.as_deref()?)))
        .collect();
    let steps = next.steps.iter().enumerate().map(|(number, step)| {
        let verdict = verdicts[number];
        let counterpart = latest.as_ref().and_then(|(_, counterparts)| counterparts.of(number));
        let reasons = match (verdict, &latest) {
            (Verdict::Cached, _) => Vec::new(),
            (_, None) => vec![MissReason::FirstBuild],
            _ if missed.contains(&number) => vec![MissReason::CacheRemoved],
            (_, Some((latest, counterparts))) => reason::reasons(next, latest, number, counterparts, verdicts),
        };
        let because_of = next
            .grounds(step)
            .into_iter()
            .filter(|&ground| verdict != Verdict::Cached && verdicts[ground] != Verdict::Cached)
            .collect();
        let name = counterpart.and_then(|counterpart| counterpart.name.as_deref());
        let name = name.or_else(|| names.get(&(step.place.stage.as_str(), step.text.as_str())).copied());
        Predicted {
            place: step.place.clone(),
            instruction: step.text.clone(),
            verdict,
            reasons,
            because_of,
            seconds_estimate: None,
            name: name.map(str::to_owned),
        }
    });
    Prediction { steps: steps.collect() }
}

fn base_likeness(step: &ModelStep, candidate: &ModelStep, matches: &[Matches<'_>]) -> Likeness {
    let likeness = match &step.base {
        Origin::Step(number) => matches[*number].likeness(&candidate.base_key),
        // BuildKit has no key for a folder of the client but its content, and does not look at that here.
        Origin::Context(_) => Likeness::Different,
        _ if step.base_key == candidate.base_key => Likeness::Same,
        _ => Likeness::Different,
    };
    // What a step both stands on and mounts is one input to BuildKit, which may then go by content.
    let is_mounted = step.operation.kind == "run" && step.reads.iter().any(|read| read.origin == step.base);
    if is_mounted { likeness.max(Likeness::Open) } else { likeness }
}

fn read_likeness(read: &Read, other: &Read, matches: &[Matches<'_>]) -> Likeness {
    let origin = match &read.origin {
        Origin::Step(number) => matches[*number].likeness(&other.origin_key),
        // A folder of the client goes by content alone.
        Origin::Context(_) => Likeness::Different,
        _ if read.origin_key == other.origin_key => Likeness::Same,
        _ => Likeness::Different,
    };
    // The same instructions on top of the same program.
    let source = match (program(read), program(other)) {
        (Some((step, _, above)), Some((_, key, before))) if above == before => matches[step].likeness(key),
        _ => Likeness::Different,
    };
    let by_origin = if read.has_files_of(other) {
        Likeness::Same
    } else if read.selectors == other.selectors {
        origin.max(source)
    } else {
        Likeness::Different
    };
    let by_content = match (&read.content, &other.content) {
        (Some(content), Some(other)) if content == other => Likeness::Same,
        (Some(_), Some(_)) => Likeness::Different,
        _ => Likeness::Open,
    };
    by_origin.max(by_content)
}

/// The step of the program that has a part in what is read from a stage, its key, and the hash of the instructions on top.
fn program(read: &Read) -> Option<(usize, &str, &str)> {
    match (&read.source, &read.origin) {
        (Some(source), _) => Some((source.step, &source.key, &source.above)),
        (None, Origin::Step(step)) => Some((*step, &read.origin_key, "")),
        _ => None,
    }
}

impl Prediction {
    /// Steps of a verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Predicted> {
        self.steps.iter().filter(move |step| step.verdict == verdict)
    }

    /// Seconds that the steps which surely run took when they last ran, and how many of them have never been measured.
    #[must_use]
    pub fn seconds(&self) -> (f64, usize) {
        let known = self.with(Verdict::Runs).filter_map(|step| step.seconds_estimate);
        (known.sum(), self.with(Verdict::Runs).filter(|step| step.seconds_estimate.is_none()).count())
    }
}
