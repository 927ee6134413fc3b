//! One recorded build, ready to be shown.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use jiff::Timestamp;

use super::critical::{self, Node};
use super::stages::{self, Stage};
use super::visible::shortened;
use crate::event::StepStatus;
use crate::plan::Variant;
use crate::predict::{Miss, MissReason, Told};
use crate::record::{Ending, Header, Place, Record, StepRecord};

/// How many characters of an instruction, and of a line of output, are kept: nobody reads more, and a page has to stay small.
const CHARACTERS: usize = 400;
/// How many lines of the output of a failed step are kept, the last.
const LOG_LINES: usize = 40;
/// How many characters of an error are kept.
const ERROR_CHARACTERS: usize = 2000;

/// Steps of BuildKit's own that take less say nothing.
pub(super) const SHORT: f64 = 0.1;

/// A build.
#[derive(Debug, Clone)]
pub struct Build {
    /// Its place in the report, from 0.
    pub number: usize,
    /// The service.
    pub service: String,
    /// The variant.
    pub variant: Variant,
    /// Name of the image.
    pub image: String,
    /// Hash of kiln's plan.
    pub plan: String,
    /// When it began.
    pub started: Timestamp,
    /// How it ended; nothing if kiln was killed.
    pub ending: Option<Ending>,
    /// Seconds from begin to end, or to the last that is known.
    pub seconds: f64,
    /// Id of the image.
    pub id: Option<String>,
    /// Size of the image in bytes.
    pub size: Option<u64>,
    /// Bytes of contexts that were sent.
    pub context_bytes: u64,
    /// Crates that cargo compiled.
    pub crates: usize,
    /// What is different from the build before of the same image.
    pub change: Change,
    /// Why there is no image.
    pub error: Option<String>,
    /// The steps: those that worked in the order of their begin, then all others.
    pub steps: Vec<Step>,
    /// The stages, each after those that it takes from.
    pub stages: Vec<Stage>,
}

/// What was built, against the build before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// Its first line, where git still knows it.
    pub subject: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// Whether the commit is another one than at the build before of this image; nothing for the first.
    pub new_commit: Option<bool>,
    /// How many files differed from the commit; nothing where that was not recorded.
    pub edited: Option<usize>,
    /// The first of them.
    pub paths: Vec<Utf8PathBuf>,
    /// Whether kiln's plan is another one than at the build before: settings, services, base images, or kiln itself.
    pub new_plan: bool,
}

/// A step.
#[derive(Debug, Clone)]
pub struct Step {
    /// `deps 2/5`, or the kind of a step that does not stand in the Dockerfile.
    pub label: String,
    /// The instruction, or BuildKit's own words.
    pub text: String,
    /// Where it stands in the Dockerfile.
    pub place: Option<Place>,
    /// What became of it.
    pub status: StepStatus,
    /// Seconds it worked.
    pub seconds: f64,
    /// Begin and end in seconds after the build's begin, if it worked and the record says so.
    pub times: Option<(f64, f64)>,
    /// Whether it is on the critical path.
    pub critical: bool,
    /// Bytes that were transferred for it.
    pub bytes: u64,
    /// Crates of the repository, and others, that cargo compiled in it.
    pub crates: (usize, usize),
    /// Why it ran; none where that was not recorded.
    pub reasons: Vec<MissReason>,
    /// Why it failed.
    pub error: Option<String>,
    /// The end of its output, if it failed.
    pub log: Vec<String>,
}

impl Step {
    /// Whether it did something.
    #[must_use]
    pub const fn worked(&self) -> bool {
        matches!(self.status, StepStatus::Ran | StepStatus::Failed | StepStatus::Running)
    }

    /// The instruction without its flags and cut to a length: `RUN kiln recipe cook /recipe.json`.
    #[must_use]
    pub fn short(&self, characters: usize) -> String {
        let words = self.text.split_whitespace();
        let words: Vec<&str> = words.filter(|word| self.place.is_none() || !word.starts_with("--mount=")).take(40).collect();
        shortened(&words.join(" "), characters)
    }
}

impl Build {
    /// A build, and the one before of the same image.
    pub(super) fn of(number: usize, record: &Record, before: Option<&Self>, subjects: &BTreeMap<String, String>) -> Self {
        let (steps, stages) = steps_and_stages(record);
        let last = steps.iter().filter_map(|step| Some(step.times?.1)).fold(0.0, f64::max);
        let Header { service, variant, image, plan, started, .. } = record.header.clone();
        let end = record.end.as_ref();
        Self {
            number,
            service,
            variant,
            image,
            plan,
            started,
            ending: end.map(|end| end.ending),
            seconds: end.map_or(last, |end| end.seconds),
            id: end.and_then(|end| end.id.clone()),
            size: end.and_then(|end| end.size),
            context_bytes: end.map_or(0, |end| end.context_bytes),
            crates: record.crates_compiled(),
            change: change(record, before, subjects),
            error: end.and_then(|end| end.error.as_deref()).map(|error| shortened(error, ERROR_CHARACTERS)),
            steps,
            stages,
        }
    }

    /// `backend prod`
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.service, self.variant.name())
    }

    pub(super) fn is_of(&self, header: &Header) -> bool {
        self.service == header.service && self.variant == header.variant
    }

    /// Steps of the Dockerfile with a status.
    pub fn with_status(&self, status: StepStatus) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.place.is_some() && step.status == status)
    }

    /// How many steps of the Dockerfile ran, failed ones among them.
    #[must_use]
    pub fn ran(&self) -> usize {
        self.steps.iter().filter(|step| step.place.is_some() && step.worked()).count()
    }

    /// How many steps of the Dockerfile came from the cache.
    #[must_use]
    pub fn cached(&self) -> usize {
        self.with_status(StepStatus::Cached).count()
    }

    /// The steps that a picture along time has: those that worked, of BuildKit's own only what took long enough to say something.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.worked() && (step.place.is_some() || step.seconds >= SHORT))
    }

    /// Seconds that such a picture spans: the build, or longer where a step ended behind it.
    pub(super) fn span(&self) -> f64 {
        self.steps.iter().filter_map(|step| Some(step.times?.1)).fold(self.seconds, f64::max)
    }

    /// Whether it gave an image.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        matches!(self.ending, Some(Ending::Succeeded))
    }
}

fn change(record: &Record, before: Option<&Build>, subjects: &BTreeMap<String, String>) -> Change {
    let git = record.header.git.as_ref();
    let edited = record.end.as_ref().and_then(|end| end.edited.as_ref());
    let commit = git.map(|git| git.commit.clone());
    Change {
        subject: commit.as_ref().and_then(|commit| subjects.get(commit)).map(|subject| shortened(subject, 120)),
        branch: git.and_then(|git| git.branch.clone()),
        new_commit: before.map(|before| before.change.commit != commit),
        commit,
        edited: edited.map(|edited| edited.files),
        paths: edited.map(|edited| edited.paths.clone()).unwrap_or_default(),
        new_plan: before.is_some_and(|before| before.plan != record.header.plan),
    }
}

fn steps_and_stages(record: &Record) -> (Vec<Step>, Vec<Stage>) {
    let (records, inputs) = distinct(&record.steps);
    let shift = shift(record);
    let times = |step: &StepRecord| {
        let worked = matches!(step.status, StepStatus::Ran | StepStatus::Failed | StepStatus::Running);
        let begin = step.begin.filter(|_| worked)? - shift;
        Some((begin, step.end.map_or(begin + step.seconds, |end| end - shift).max(begin)))
    };
    let nodes: Vec<Node> = records.iter().zip(inputs).map(|(step, inputs)| Node { times: times(step), inputs }).collect();
    let critical = critical::path(&nodes);
    let mut steps: Vec<Step> =
        records.iter().enumerate().map(|(index, record)| step(record, nodes[index].times, critical.contains(&index))).collect();
    let stages = stages::of(&steps, &nodes);
    for (step, told) in steps.iter_mut().zip(&records) {
        step.reasons = reasons(told, record.misses.as_deref().unwrap_or_default());
    }
    let line = |step: &Step| step.place.as_ref().and_then(|place| place.line).unwrap_or(u32::MAX);
    let begin = |step: &Step| step.times.map_or(f64::MAX, |(begin, _)| begin);
    steps.sort_by(|a, b| begin(a).total_cmp(&begin(b)).then(line(a).cmp(&line(b))));
    (steps, stages)
}

/// Why a step ran, as it was recorded.
fn reasons(step: &StepRecord, misses: &[Miss]) -> Vec<MissReason> {
    let Some(told) = Told::of_record(step).filter(|_| step.status == StepStatus::Ran) else { return Vec::new() };
    misses.iter().find(|miss| miss.is(&told)).map(|miss| miss.reasons.clone()).unwrap_or_default()
}

/// Each step of the Dockerfile once, with its inputs as places in the list. When another build works on an equal step, BuildKit tells both; the
/// one that did the work counts.
fn distinct(steps: &[StepRecord]) -> (Vec<&StepRecord>, Vec<Vec<usize>>) {
    let mut kept: Vec<&StepRecord> = Vec::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut known: BTreeMap<(Option<&str>, &str, u32), usize> = BTreeMap::new();
    for step in steps {
        let same = step.place.as_ref().map(|place| (place.platform.as_deref(), place.stage.as_str(), place.index));
        let at = same.and_then(|same| known.get(&same).copied());
        let at = match at {
            Some(at) => {
                if step.status.weight() > kept[at].status.weight() {
                    kept[at] = step;
                }
                at
            }
            None => {
                kept.push(step);
                kept.len() - 1
            }
        };
        if let Some(same) = same {
            known.insert(same, at);
        }
        places.insert(step.step, at);
    }
    let inputs = kept.iter().map(|step| step.inputs.iter().filter_map(|input| places.get(input).copied()).collect());
    let inputs = inputs.collect();
    (kept, inputs)
}

/// How much the engine's clock is ahead of kiln's: seen where steps seem to end after the build.
fn shift(record: &Record) -> f64 {
    /// What is less may be the time between an event and its line in the record.
    const MARGIN: f64 = 1.0;
    let begins = record.steps.iter().filter_map(|step| step.begin);
    let ends = record.steps.iter().filter_map(|step| Some(step.end.unwrap_or(step.begin? + step.seconds)));
    let (first, last) = (begins.fold(f64::MAX, f64::min), ends.fold(0.0, f64::max));
    match &record.end {
        Some(end) if last > end.seconds + MARGIN && first < f64::MAX => first,
        _ => 0.0,
    }
}

fn step(record: &StepRecord, times: Option<(f64, f64)>, critical: bool) -> Step {
    let label = match &record.place {
        Some(Place { stage, index, total, platform, .. }) => {
            let platform = platform.as_ref().map(|platform| format!("{platform} ")).unwrap_or_default();
            format!("{platform}{stage} {index}/{total}")
        }
        None => "BuildKit".to_owned(),
    };
    let text = record.place.as_ref().map_or(record.name.as_str(), |place| place.instruction.as_str());
    let text = text.strip_prefix("[internal] ").filter(|_| record.place.is_none()).unwrap_or(text);
    let crates = record.cargo.as_ref().map_or((0, 0), |cargo| (cargo.local_compiled.len(), cargo.external_compiled.len()));
    let log = &record.log[record.log.len().saturating_sub(LOG_LINES)..];
    Step {
        label: shortened(&label, 80),
        text: shortened(text, CHARACTERS),
        place: record.place.clone(),
        status: record.status,
        seconds: record.seconds,
        times,
        critical,
        bytes: record.bytes,
        crates,
        reasons: Vec::new(),
        error: record.error.as_deref().map(|error| shortened(error, ERROR_CHARACTERS)),
        log: log.iter().map(|line| shortened(line, CHARACTERS)).collect(),
    }
}
