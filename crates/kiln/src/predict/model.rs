//! The value of a build: steps with what decides whether they are reused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ImageFacts, Operation};
use crate::context::{Selector, Tree};
use crate::event::{BuildState, StepStatus};

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
    /// Name of the stage; `stage-N` without one.
    pub stage: String,
    /// BuildKit's number within the stage.
    pub index: u32,
    /// Line in the Dockerfile, from 1.
    pub line: usize,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelStep {
    /// Where it stands.
    pub place: StepPlace,
    /// The instruction as written, continuations joined.
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
    /// What of it.
    pub selectors: Vec<Selector>,
    /// Hash of what is there, where it can be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Model {
    /// Takes over what a build shows: which steps have results, and what BuildKit calls them.
    pub fn settle(&mut self, state: &BuildState, succeeded: bool) {
        let told = state.dockerfile_steps();
        for step in &mut self.steps {
            let found = told.iter().find(|told| {
                told.name.stage() == Some(&step.place.stage) && told.name.position().is_some_and(|(at, _)| at == step.place.index)
            });
            // Of steps that are equal BuildKit shows one; a build that succeeded has them all.
            step.done = succeeded;
            if let Some(found) = found {
                step.name = Some(found.name.text.clone());
                step.done = matches!(found.final_status(succeeded), StepStatus::Ran | StepStatus::Cached);
            }
        }
    }

    /// Numbers of the steps that stand on or read from others, with those others.
    pub(crate) fn origins(step: &ModelStep) -> impl Iterator<Item = usize> {
        let reads = step.reads.iter().map(|read| &read.origin);
        reads.chain([&step.base]).filter_map(|origin| if let Origin::Step(number) = origin { Some(*number) } else { None })
    }
}
