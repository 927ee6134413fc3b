//! Make caches before they are needed: base images, every stage worth keeping, and with them the cache mounts that their steps fill.
//!
//! [`WarmPlan`] says what is to be there and what needs what; [`warm`] goes through it, as much side by side as it may, and says of each
//! [`Target`] what became of it. One that fails takes only those with it that need it.

mod outline;
mod plan;
mod quick;
mod refill;
mod run;
#[cfg(test)]
mod tests;

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::CacheTag;
use crate::engine::{BuildRequest, EngineError};
use crate::event::{BuildEvent, BuildState};

pub use outline::{Kept, Outline};
pub use plan::Image;
pub use run::warm;

/// What is to be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WarmPlan {
    /// The targets; each comes after those it needs.
    pub targets: Vec<Target>,
}

/// One thing to have beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name for people and scripts: that of an image, or `<service>-<variant>-<stage>`.
    pub name: String,
    /// Targets that must be there first, by number.
    pub needs: Vec<usize>,
    /// What makes it.
    pub work: Work,
}

impl Target {
    /// What kind of thing it is.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self.work {
            Work::Base { .. } => TargetKind::Base,
            Work::Stage(_) => TargetKind::Stage,
            Work::Mounts(_) => TargetKind::Mounts,
        }
    }

    /// Name of the image that keeps it in the engine, where there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match &self.work {
            Work::Base { image, .. } => Some(image),
            Work::Stage(stage) => stage.request.tags.first().map(String::as_str),
            Work::Mounts(_) => None,
        }
    }
}

/// What kind of thing a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// An image that stages are built on.
    Base,
    /// A stage.
    Stage,
    /// Cache mounts that a stage's steps fill.
    Mounts,
}

/// What makes a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Find it in the engine's store, or pull it.
    Base {
        /// The image.
        image: String,
        /// For which platform, if not the engine's own.
        platform: Option<String>,
    },
    /// Build it.
    Stage(Box<Stage>),
    /// Find them, or run the stage's steps again: after a stage that was built anew there is nothing to do.
    Mounts(Box<Mounts>),
}

impl Work {
    /// The stage that is built, or whose mounts are filled.
    #[must_use]
    pub fn stage(&self) -> Option<&Stage> {
        match self {
            Self::Base { .. } => None,
            Self::Stage(stage) => Some(stage),
            Self::Mounts(mounts) => Some(&mounts.stage),
        }
    }
}

/// The cache mounts of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounts {
    /// Their ids.
    pub ids: Vec<String>,
    /// The stage whose steps fill them.
    pub stage: Stage,
    /// Text of the Dockerfile.
    pub dockerfile: String,
}

/// A stage to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Which [`Image`] it belongs to, by number: the order in which images were planned.
    pub image: usize,
    /// Whose stage it is.
    pub tag: CacheTag,
    /// How it is built.
    pub request: BuildRequest,
    /// The image by digest that its dependencies start with, if one does: without it they can be built, too.
    pub seed: Option<String>,
}

/// How [`warm`] goes about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A folder for short-lived Dockerfiles.
    pub folder: Utf8PathBuf,
    /// How many targets may be worked on at once; at least one.
    pub jobs: usize,
    /// Whether base images that are there are pulled all the same, so that moved tags are followed.
    pub pull: bool,
    /// How often a target is tried again after a failure that may pass by itself.
    pub retries: u32,
    /// How long to wait before the first retry; each further one waits twice as long.
    pub pause: Duration,
}

impl Options {
    /// The usual options.
    #[must_use]
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into(), jobs: 4, pull: false, retries: 3, pause: Duration::from_secs(1) }
    }
}

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was there: no step ran, nothing was pulled.
    Warm,
    /// It was built or pulled now.
    Built,
    /// A base image that could not be pulled again: the one that the engine has is used, and [`Done::why`] says why.
    Kept,
    /// It could not be had.
    Failed,
    /// It was not tried.
    Skipped,
}

/// How it went with one target.
#[derive(Debug)]
pub struct Done {
    /// What became of it.
    pub status: Status,
    /// Seconds from its begin to its end, waiting between attempts included.
    pub seconds: f64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it is not there, or not there anew.
    pub why: Option<Why>,
    /// Ids before and now of a base image that another one has taken the place of.
    pub moved: Option<(String, String)>,
    /// Whether its dependencies had to start without their seed.
    pub seed_lost: bool,
    /// What happened in its last build.
    pub state: BuildState,
}

impl Status {
    /// Whether what needs it can go on.
    #[must_use]
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Warm | Self::Built | Self::Kept)
    }
}

impl Done {
    /// One of which nothing is known but what became of it.
    fn untried(status: Status) -> Self {
        Self { status, seconds: 0.0, attempts: 0, why: None, moved: None, seed_lost: false, state: BuildState::new() }
    }

    /// Whether trying again later may help, without anyone changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(&self.why, Some(Why::Engine(error)) if error.is_transient())
    }
}

/// Why a target is not there.
#[derive(Debug)]
pub enum Why {
    /// The engine or a step of it failed.
    Engine(EngineError),
    /// It needs another target, which is not there: its number.
    Needs(usize),
    /// Somebody interrupted.
    Interrupted,
}

/// Something that happens meanwhile.
#[derive(Debug)]
pub enum Event {
    /// Work on a target begins.
    Started,
    /// Something happens in its build.
    Build(BuildEvent),
    /// An attempt failed; there will be another one.
    Again {
        /// Why it failed.
        error: EngineError,
        /// When it goes on.
        pause: Duration,
    },
    /// Its seed could not be had: it goes on without.
    SeedLost(EngineError),
    /// Nothing more comes.
    Ended {
        /// What became of it.
        status: Status,
        /// Seconds it took.
        seconds: f64,
    },
}

/// Whether a failure may pass by itself. An engine that answered a moment ago and is not there now may be restarting.
fn passes(error: &EngineError) -> bool {
    error.is_transient() || matches!(error, EngineError::NotRunning { .. })
}
