//! Evaluate: which stages of a Dockerfile a build uses, and what their instructions are once variables are known.
//!
//! [`Graph::new`] expands `FROM` lines and finds what each stage is based on and copies from; [`Graph::evaluate`] then expands a stage's
//! instructions in order, with the environment, folder, user and shell that BuildKit gives each of them. Values only: nothing is built or
//! looked up, and the configuration of base images is passed in.

mod environment;
mod error;
mod graph;
mod image;
mod stage;

pub use environment::Environment;
pub use error::{EvaluationError, EvaluationErrorKind};
pub use graph::{Base, Graph, GraphStage, Source};
pub use image::{ImageConfig, Platform};
pub use stage::{EvaluatedStage, EvaluatedStep, InlineScript};

use std::collections::{BTreeMap, BTreeSet};

use crate::image_name::of_context;

/// What a build is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--build-arg`s.
    pub build_args: BTreeMap<String, String>,
    /// `--target`; the last stage when absent.
    pub target: Option<String>,
    /// The platform of the builder.
    pub build_platform: Platform,
    /// `--platform`.
    pub target_platform: Platform,
    /// Names of `--build-context`s, which stand before stages and images of that name.
    pub contexts: BTreeSet<String>,
}

impl Options {
    /// The context that takes the place of an image, by the name that it was given.
    fn context(&self, image: &str) -> Option<&String> {
        let alike = || self.contexts.iter().find(|name| of_context(name) == of_context(image));
        self.contexts.get(image).or_else(alike)
    }
}
