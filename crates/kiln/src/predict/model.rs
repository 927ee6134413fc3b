//! The value of a build: steps with what decides whether they are reused.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::build::hash;
use super::{ImageFacts, Operation};
use crate::context::{Selector, Tree};
use crate::event::{BuildState, Step, StepKind, StepStatus};
use crate::record::StepRecord;

/// Version of the format; a model of another one says nothing.
pub const MODEL_SCHEMA: u32 = 1;

/// What a build was asked for, step by step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// [`MODEL_SCHEMA`].
    pub schema: u32,
    /// The steps that BuildKit has, those of each stage after those of the stages it needs.
    pub steps: Vec<ModelStep>,
    /// `--build-arg`s.
    pub arguments: BTreeMap<String, String>,
    /// Names that `ARG` declares anywhere in the Dockerfile.
    pub declared: Vec<String>,
    /// What is known of base images, by reference.
    pub images: BTreeMap<String, ImageFacts>,
    /// Text of the ignore file that counted.
    pub ignore: String,
    /// Whether the builder can merge layers, so that `COPY --link` stands on nothing.
    pub merges: bool,
    /// Files of the contexts by name; the main context has the empty one. Kept apart from the rest where a model is stored.
    #[serde(skip)]
    pub trees: BTreeMap<String, Tree>,
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPlace {
    /// Name of the stage as builds show it; `stage-N` without one.
    pub stage: String,
    /// Number of the instruction within the stage, counted as builds show it: the base image has one, and so has each instruction that
    /// may make a layer. Triggers of the base are counted apart, right after it.
    pub index: u32,
    /// Line in the Dockerfile, from 1.
    pub line: usize,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelStep {
    /// Where it stands.
    pub place: StepPlace,
    /// The instruction as written, continuations joined; that of a trigger of the base begins with `ONBUILD`.
    pub text: String,
    /// What it does.
    pub operation: Operation,
    /// Variables that its text names, with their values where it has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// What it stands on.
    pub base: Origin,
    /// Identity of what it stands on.
    pub base_key: String,
    /// Whether it is made apart and laid over what it stands on (`COPY --link`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
    /// What it reads besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// Hash of the operation alone.
    pub operation_key: String,
    /// Its identity: equal keys are one step to BuildKit.
    pub key: String,
    /// Identity of what it leaves to the next step; its key, but for linked steps.
    pub output: String,
    /// Whether its result was in the builder when the build was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// Its text in BuildKit's words, under which records have its times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Nowhere.
    Scratch,
    /// An image, by reference.
    Image(String),
    /// A context by name.
    Context(String),
    /// A step, by its number in the model.
    Step(usize),
    /// An address on the network.
    Remote(String),
}

/// What a step reads besides what it stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Where from.
    pub origin: Origin,
    /// Identity of where from.
    pub origin_key: String,
    /// What of the stage that is read from has a part in what is read; absent where that is the step that is read from, or no program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What of it.
    pub selectors: Vec<Selector>,
    /// Hash of what is there, where it can be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Identity of what is read from a stage, where no program has a part in it: equal ones are equal files, whether or not BuildKit reuses
    /// the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// Paths of a context at which a build fails, as there is nothing.
    #[serde(skip)]
    pub missing: Vec<String>,
}

/// A program, and what file instructions have laid over what it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Number of its step in the model.
    pub step: usize,
    /// [`ModelStep::output`] of that step.
    pub key: String,
    /// Hash of the instructions; empty if none has a part.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub above: String,
}

impl Read {
    /// What it contributes to the key of its step.
    pub(super) fn key(&self) -> String {
        match &self.content {
            Some(content) => hash(&["content", content]),
            None => hash(&["origin", &self.origin_key, &self.places()]),
        }
    }

    /// Identity of the files: equal ones are equal files, and more is equal than keys are.
    pub(super) fn identity(&self) -> String {
        match (&self.content, &self.files) {
            (None, Some(files)) => hash(&["files", files, &self.places()]),
            _ => self.key(),
        }
    }

    fn places(&self) -> String {
        serde_json::to_string(&self.selectors).unwrap_or_default()
    }

    /// Whether both read the same places of steps that certainly left the same files.
    pub(super) fn has_files_of(&self, other: &Self) -> bool {
        self.files.is_some() && self.files == other.files && self.selectors == other.selectors
    }
}

/// What a build or a record of it says of where one of its steps stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'a> {
    /// Name of the stage.
    pub stage: &'a str,
    /// Number within the stage.
    pub index: u32,
    /// Line in the Dockerfile, where it is known.
    pub line: Option<u32>,
    /// The instruction in BuildKit's words, variables expanded.
    pub text: &'a str,
}

impl<'a> Told<'a> {
    /// What a build says; nothing of steps that do not stand in the Dockerfile.
    #[must_use]
    pub fn of_step(step: &'a Step) -> Option<Self> {
        let StepKind::Stage { index, .. } = step.name.kind else { return None };
        if step.is_fetched() {
            return None;
        }
        Some(Self { stage: step.name.stage()?, index, line: step.line, text: &step.name.text })
    }

    /// What a record says; nothing of steps that do not stand in the Dockerfile.
    #[must_use]
    pub fn of_record(step: &'a StepRecord) -> Option<Self> {
        let place = step.place.as_ref()?;
        // The download of an `ADD`, which has the name of the instruction.
        if step.inputs.is_empty() && place.instruction.to_ascii_uppercase().starts_with("ADD ") {
            return None;
        }
        Some(Self { stage: &place.stage, index: place.index, line: place.line, text: &place.instruction })
    }
}

impl StepPlace {
    /// Whether it is this step, of this instruction, that a build tells of. A line says it best: numbers and names of stages are BuildKit's
    /// to choose. Triggers of a base image have no line of their own.
    #[must_use]
    pub fn is(&self, instruction: &str, told: &Told<'_>) -> bool {
        let is_trigger = |text: &str| text.starts_with("ONBUILD ");
        if is_trigger(instruction) != is_trigger(told.text) {
            return false;
        }
        let keyword = |text: &str| text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        match told.line {
            Some(line) if !is_trigger(instruction) => {
                usize::try_from(line) == Ok(self.line) && keyword(instruction) == keyword(told.text)
            }
            _ => self.stage == told.stage && self.index == told.index,
        }
    }
}

impl Model {
    /// Takes over what a build shows: which steps have results, and what BuildKit calls them.
    pub fn settle(&mut self, state: &BuildState, succeeded: bool) {
        let told = state.dockerfile_steps();
        for step in &mut self.steps {
            let is_told = |told: &Step| Told::of_step(told).is_some_and(|told| step.place.is(&step.text, &told));
            let found = told.iter().find(|told| is_told(told));
            // Of steps that are equal BuildKit shows one; a build that succeeded has them all.
            step.done = succeeded;
            if let Some(found) = found {
                step.name = Some(found.name.text.clone());
                step.done = matches!(found.final_status(succeeded), StepStatus::Ran | StepStatus::Cached);
            }
        }
    }

    /// Takes over that some stages have been made, with all that they need.
    pub fn settle_stages(&mut self, stages: &BTreeSet<String>) {
        let mut needed = vec![false; self.steps.len()];
        for number in (0..self.steps.len()).rev() {
            let step = &mut self.steps[number];
            step.done = needed[number] || stages.contains(&step.place.stage);
            if step.done {
                Self::origins(step).for_each(|origin| needed[origin] = true);
            }
        }
    }

    /// Numbers of the steps that stand on or read from others, with those others.
    pub(crate) fn origins(step: &ModelStep) -> impl Iterator<Item = usize> {
        let reads = step.reads.iter().map(|read| &read.origin);
        reads.chain([&step.base]).filter_map(|origin| if let Origin::Step(number) = origin { Some(*number) } else { None })
    }

    /// Numbers of the steps by whose running a step may run: those that it stands on or reads from, and what lies below where that is a
    /// step that is laid over it (`COPY --link`), as it may be cached and all the same lie on something new.
    pub(crate) fn grounds(&self, step: &ModelStep) -> Vec<usize> {
        let mut grounds: Vec<usize> = Self::origins(step).collect();
        let mut at = &step.base;
        while let Origin::Step(number) = at
            && self.steps[*number].linked
        {
            at = &self.steps[*number].base;
            grounds.extend(if let Origin::Step(number) = at { Some(*number) } else { None });
        }
        grounds
    }
}
