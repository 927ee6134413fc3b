//! Which steps of a model earlier builds have left in the builder.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::StepPlace;
use super::counterpart::Counterparts;
use super::done::{Done, Trait, program};
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
pub(super) enum Likeness {
    Different,
    Open,
    Same,
}

/// Results of earlier builds that may stand for what one step leaves.
#[derive(Debug)]
pub(super) struct Matches<'a> {
    /// Those that are the same.
    pub(super) same: BTreeSet<&'a str>,
    /// Those that are, or may be. Many steps may have one such set.
    pub(super) like: Rc<HashSet<&'a str>>,
}

impl Matches<'_> {
    fn likeness(&self, key: &str) -> Likeness {
        if self.same.contains(key) {
            Likeness::Same
        } else if self.like.contains(key) {
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
    let mut done = Done::default();
    earlier.iter().flat_map(|model| &model.steps).filter(|step| step.done).for_each(|step| done.add(step));
    let mut verdicts = verdicts(next, &done);
    stop(next, &mut verdicts);
    let missed = missed(next, lost, &mut verdicts);
    explain(next, earlier, &verdicts, &missed)
}

/// Whether the steps of a model run, given the steps that were done before.
pub(crate) fn verdicts<S: Borrow<ModelStep>>(next: &Model, done: &Done<S>) -> Vec<Verdict> {
    let mut comparison = Comparison { done, matches: Vec::with_capacity(next.steps.len()), shared: HashMap::new() };
    next.steps.iter().map(|step| comparison.verdict(step)).collect()
}

/// The steps of a model on their way past those that were done before. No step is compared with all of them.
struct Comparison<'a, S> {
    done: &'a Done<S>,
    /// Of the steps so far.
    matches: Vec<Matches<'a>>,
    /// What may be the same as a step that reads nothing of which the content is known, by all that decides about it.
    shared: HashMap<(&'a str, usize, Ground<'a>), Rc<HashSet<&'a str>>>,
}

/// What may be the same as what a step stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Ground<'a> {
    Nothing,
    /// What has this key.
    Key(&'a str),
    /// One of these results, which are told apart by where they are in memory.
    Results(*const HashSet<&'a str>),
    Anything,
}

impl<'a, S: Borrow<ModelStep>> Comparison<'a, S> {
    fn verdict(&mut self, step: &'a ModelStep) -> Verdict {
        let same = self.same(step);
        let like = self.like(step);
        let best = if !same.is_empty() {
            Likeness::Same
        } else if step.linked {
            // It is made apart: what it stands on decides only about what it leaves.
            let alone = |by: &Trait<'a>| self.done.with(&step.operation_key, None, *by);
            let is = |wanted, other: &ModelStep| reads_likeness(step, other, &self.matches) >= wanted;
            if self.traits(step).iter().flat_map(alone).any(|other| is(Likeness::Same, other)) {
                Likeness::Same
            } else if !like.is_empty() || open_traits(step).iter().flat_map(alone).any(|other| is(Likeness::Open, other)) {
                Likeness::Open
            } else {
                Likeness::Different
            }
        } else if like.is_empty() {
            Likeness::Different
        } else {
            Likeness::Open
        };
        self.matches.push(Matches { same, like });
        match best {
            Likeness::Same => Verdict::Cached,
            Likeness::Open => Verdict::Unknown,
            Likeness::Different => Verdict::Runs,
        }
    }

    fn likeness(&self, step: &ModelStep, other: &ModelStep) -> Likeness {
        reads_likeness(step, other, &self.matches).min(base_likeness(step, other, &self.matches))
    }

    /// What is the same as what a step leaves.
    fn same(&self, step: &'a ModelStep) -> BTreeSet<&'a str> {
        let bases: Vec<&str> = match &step.base {
            Origin::Step(number) => self.matches[*number].same.iter().copied().collect(),
            Origin::Context(_) => Vec::new(),
            _ => vec![&step.base_key],
        };
        let mut same = BTreeSet::new();
        let traits = self.traits(step);
        for base in bases {
            for by in &traits {
                let others = self.done.with(&step.operation_key, Some(base), *by);
                let others = others.filter(|other| self.likeness(step, other) == Likeness::Same);
                same.extend(others.map(|other| other.output.as_str()));
            }
        }
        same
    }

    /// One of these has what reads the same for sure.
    fn traits(&self, step: &'a ModelStep) -> Vec<Trait<'a>> {
        let Some(read) = step.reads.first() else { return vec![Trait::Any] };
        let same = |number: usize| self.matches[number].same.iter().copied();
        let mut traits: Vec<Trait<'a>> = read.content.as_deref().map(Trait::Content).into_iter().collect();
        traits.extend(read.files.as_deref().map(Trait::Files));
        match &read.origin {
            Origin::Step(number) => traits.extend(same(*number).map(Trait::Origin)),
            Origin::Context(_) => {}
            _ => traits.push(Trait::Origin(&read.origin_key)),
        }
        traits.extend(program(read).into_iter().flat_map(|(number, ..)| same(number).map(Trait::Program)));
        traits
    }

    /// What is, or may be, the same as what a step leaves.
    fn like(&mut self, step: &'a ModelStep) -> Rc<HashSet<&'a str>> {
        // Where no content is known, anything may be the same: what such steps read makes no difference.
        if step.reads.iter().any(|read| read.content.is_some()) {
            return Rc::new(self.open(step));
        }
        let ground = match &step.base {
            _ if is_mounted(step) => Ground::Anything,
            Origin::Step(number) => Ground::Results(Rc::as_ptr(&self.matches[*number].like)),
            Origin::Context(_) => Ground::Nothing,
            _ => Ground::Key(&step.base_key),
        };
        let place = (step.operation_key.as_str(), step.reads.len(), ground);
        if let Some(known) = self.shared.get(&place) {
            return Rc::clone(known);
        }
        let like = Rc::new(self.open(step));
        self.shared.insert(place, Rc::clone(&like));
        like
    }

    fn open(&self, step: &'a ModelStep) -> HashSet<&'a str> {
        let bases: Vec<Option<&str>> = match &step.base {
            _ if is_mounted(step) => vec![None],
            Origin::Step(number) => self.matches[*number].like.iter().copied().map(Some).collect(),
            Origin::Context(_) => Vec::new(),
            _ => vec![Some(&step.base_key)],
        };
        let mut found = HashSet::new();
        for base in bases {
            for by in open_traits(step) {
                let others = self.done.with(&step.operation_key, base, by);
                let others = others.filter(|other| self.likeness(step, other) >= Likeness::Open);
                found.extend(others.map(|other| other.output.as_str()));
            }
        }
        found
    }
}

/// One of these has what may read the same.
fn open_traits(step: &ModelStep) -> Vec<Trait<'_>> {
    match step.reads.first() {
        // A folder of the client goes by content alone.
        Some(Read { content: Some(content), origin: Origin::Context(_), .. }) => vec![Trait::Content(content), Trait::NoContent],
        _ => vec![Trait::Any],
    }
}

/// A build does not get past a step that reads what is not there: of it, and of those after it, it cannot be said that they are cached.
fn stop(next: &Model, verdicts: &mut [Verdict]) {
    let mut stopped = vec![false; verdicts.len()];
    for (number, step) in next.steps.iter().enumerate() {
        let fails = step.reads.iter().any(|read| !read.missing.is_empty());
        stopped[number] = fails || Model::origins(step).any(|origin| stopped[origin]);
        if stopped[number] {
            verdicts[number] = verdicts[number].max(Verdict::Unknown);
        }
    }
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

pub(super) fn base_likeness(step: &ModelStep, other: &ModelStep, matches: &[Matches<'_>]) -> Likeness {
    let likeness = match &step.base {
        Origin::Step(number) => matches[*number].likeness(&other.base_key),
        // BuildKit has no key for a folder of the client but its content, and does not look at that here.
        Origin::Context(_) => Likeness::Different,
        _ if step.base_key == other.base_key => Likeness::Same,
        _ => Likeness::Different,
    };
    if is_mounted(step) { likeness.max(Likeness::Open) } else { likeness }
}

/// Whether a step mounts what it stands on: that is one input to BuildKit, which may then go by content.
fn is_mounted(step: &ModelStep) -> bool {
    step.operation.kind == "run" && step.reads.iter().any(|read| read.origin == step.base)
}

pub(super) fn reads_likeness(step: &ModelStep, other: &ModelStep, matches: &[Matches<'_>]) -> Likeness {
    if step.reads.len() != other.reads.len() {
        return Likeness::Different;
    }
    let reads = step.reads.iter().zip(&other.reads).map(|(read, other)| read_likeness(read, other, matches));
    reads.min().unwrap_or(Likeness::Same)
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
