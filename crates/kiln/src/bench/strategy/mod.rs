//! Strategies: ways to get from sources to an image, each measured in the same way.

mod container;
mod crates;
mod image;
mod layers;
mod npm;
mod own;
mod sent;
mod tool;

pub use tool::ENDS_WITH;

use serde::{Deserialize, Serialize};

use crate::engine::EngineError;
use crate::process::ProcessError;

pub(super) use image::{Images, LABEL, Place};
pub(super) use sent::sent;

/// A way to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// `kiln build`, the whole program.
    Kiln,
    /// `COPY . .`, then everything.
    Naive,
    /// Docker's guides: cache mounts for downloads and results.
    Mounts,
    /// The README of cargo-chef.
    Chef,
    /// cargo or the bundler in a container with everything warm, without an image: what the work itself costs.
    Native,
    /// The repository's own Dockerfile as it is.
    Own,
}

impl Strategy {
    /// All strategies, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Kiln, Self::Naive, Self::Mounts, Self::Chef, Self::Native, Self::Own];

    /// The name in flags, tables and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kiln => "kiln",
            Self::Naive => "naive",
            Self::Mounts => "mounts",
            Self::Chef => "chef",
            Self::Native => "native",
            Self::Own => "own",
        }
    }
}

/// What one build did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Wall time until the image is loaded.
    pub seconds: f64,
    /// Steps of the Dockerfile that ran.
    pub steps_ran: usize,
    /// Crates of the repository that were compiled.
    pub local_crates: usize,
    /// Other crates that were compiled.
    pub external_crates: usize,
    /// Size of the image that the engine has after the build, in bytes; nothing without an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_bytes: Option<u64>,
    /// Bytes of contexts that were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_bytes: Option<u64>,
    /// Bytes of the layers of that image, from its base on; without empty ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<u64>,
    /// Most memory that the processes of all steps had at one time, where the engine shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How often a Node package manager installed.
    #[serde(default)]
    pub installs: usize,
    /// Seconds of the steps that did, where there are steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_seconds: Option<f64>,
}

/// Why a build was not measured.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// The strategy is not for such a service, or not on this machine.
    #[error("{0}")]
    NotApplicable(String),
    /// A build failed.
    #[error("{0}")]
    Failed(String),
    /// The engine is to blame.
    #[error(transparent)]
    Engine(EngineError),
    /// The run was cancelled.
    #[error("the benchmark was interrupted")]
    Interrupted,
}

impl From<EngineError> for StrategyError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Interrupted => Self::Interrupted,
            EngineError::Build(failure) => Self::Failed(failure.message),
            error => Self::Engine(error),
        }
    }
}

impl From<ProcessError> for StrategyError {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::Cancelled { .. } => Self::Interrupted,
            error => Self::Failed(error.to_string()),
        }
    }
}
