//! Build: a [`BuildRequest`] goes to an [`Engine`], [`BuildEvent`]s come back while it works, an [`Outcome`] at the end.
//!
//! The seam is semantic: nothing outside of this folder knows about `docker` command lines or BuildKit's wire format.

mod buildx;
mod failure;
mod lines;
mod sent;
mod tool;
pub mod wire;

use std::collections::BTreeMap;
use std::io;

use camino::Utf8PathBuf;

use crate::event::BuildEvent;
use crate::process::ProcessError;

pub use buildx::Buildx;
pub use failure::BuildFailure;
pub use tool::{Tool, ToolKind};

/// The oldest Docker Engine that kiln works with.
pub const MINIMUM_ENGINE: (u32, u32) = (23, 0);
/// The oldest buildx that kiln works with.
pub const MINIMUM_BUILDX: (u32, u32) = (0, 17);

/// Something that builds images.
pub trait Engine: Sync {
    /// Whether the engine is there and good enough.
    ///
    /// # Errors
    /// The first thing that is missing.
    fn check(&self) -> Result<EngineInfo, EngineError>;

    /// Builds one image and tells what happens.
    ///
    /// # Errors
    /// Why there is no image: [`EngineError::Build`] where the Dockerfile is to blame.
    fn build(&self, request: &BuildRequest, events: &mut dyn FnMut(BuildEvent)) -> Result<Outcome, EngineError>;
}

/// What [`Engine::check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Version of the command line client.
    pub client: String,
    /// Version of the engine; absent where a remote builder does the work and no engine answers.
    pub server: Option<String>,
    /// Version of buildx.
    pub buildx: String,
    /// Storage driver of the engine (`overlay2`, `vfs`, a containerd snapshotter).
    pub storage_driver: Option<String>,
    /// Whether images live in the containerd store, which cache export and `COPY --link` need.
    pub containerd_store: bool,
}

/// One image to build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildRequest {
    /// What is built, as a file name: the same for each build of one service and variant, different for others.
    pub name: String,
    /// Build context, absolute.
    pub context: Utf8PathBuf,
    /// Dockerfile, absolute.
    pub dockerfile: Utf8PathBuf,
    /// Named contexts: folders, absolute, that stand for the images of these names.
    pub named_contexts: BTreeMap<String, Utf8PathBuf>,
    /// Stage to build instead of the last one.
    pub target: Option<String>,
    /// Names of the image.
    pub tags: Vec<String>,
    /// Build arguments; one without a value is taken from the caller's environment.
    pub build_args: BTreeMap<String, Option<String>>,
    /// Runs every step again. BuildKit empties their cache mounts, too.
    pub no_cache: bool,
    /// Target platforms; the engine's own when empty.
    pub platforms: Vec<String>,
    /// Secrets that steps can mount.
    pub secrets: Vec<BuildSecret>,
    /// Where the image goes.
    pub output: Output,
    /// `--cache-from` values.
    pub cache_from: Vec<String>,
    /// `--cache-to` values.
    pub cache_to: Vec<String>,
}

/// A secret by its BuildKit id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// Id that the Dockerfile names.
    pub id: String,
    /// Where its value is.
    pub source: SecretSource,
}

/// Where the value of a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In an environment variable of the caller.
    Environment(String),
    /// In a file.
    File(Utf8PathBuf),
}

/// Where an image goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Output {
    /// To the engine's images.
    #[default]
    Load,
    /// To the registry in its name.
    Push,
    /// Nowhere: only the cache is filled.
    Discard,
}

/// What a successful build made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Id of the image (or digest of the manifest, when pushed).
    pub id: Option<String>,
    /// Size of the image in bytes, where a new one was loaded.
    pub size: Option<u64>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The docker client is not installed.
    #[error("`{program}` was not found")]
    DockerNotFound {
        /// The program that was looked for.
        program: String,
    },
    /// The program is not Docker's client.
    #[error("`{program}` is not a Docker client that kiln understands: {detail}")]
    NotDocker {
        /// The program.
        program: String,
        /// What is strange about it.
        detail: String,
    },
    /// No engine answers.
    #[error("cannot reach the Docker daemon: {detail}")]
    NotRunning {
        /// What the client says.
        detail: String,
    },
    /// The user may not use the engine's socket.
    #[error("no permission to use the Docker daemon: {detail}")]
    PermissionDenied {
        /// What the client says.
        detail: String,
    },
    /// The engine does not answer in time.
    #[error("the Docker daemon does not answer")]
    Unresponsive,
    /// The engine is too old.
    #[error("Docker Engine {found} is too old: kiln needs {needed} or later")]
    EngineTooOld {
        /// Its version.
        found: String,
        /// The oldest that works.
        needed: String,
    },
    /// There is no buildx.
    #[error("the Docker client has no buildx plugin")]
    BuildxMissing,
    /// buildx is too old.
    #[error("buildx {found} is too old: kiln needs {needed} or later")]
    BuildxTooOld {
        /// Its version.
        found: String,
        /// The oldest that works.
        needed: String,
    },
    /// There is no builder of this name.
    #[error("there is no builder `{name}`")]
    BuilderNotFound {
        /// The name.
        name: String,
    },
    /// The Dockerfile or one of its steps is to blame.
    #[error("{0}")]
    Build(Box<BuildFailure>),
    /// No registry could be reached for a base image.
    #[error("cannot get `{image}` from its registry: {detail}")]
    Registry {
        /// The image.
        image: String,
        /// What the engine says.
        detail: String,
    },
    /// The engine has no space left.
    #[error("the disk of the Docker engine is full: {detail}")]
    DiskFull {
        /// What the engine says.
        detail: String,
    },
    /// The connection to the engine broke while it worked.
    #[error("lost the connection to the Docker daemon: {detail}")]
    Disconnected {
        /// What the client says.
        detail: String,
    },
    /// The client was killed.
    #[error("`{program}` was killed by signal {signal}")]
    Killed {
        /// The program.
        program: String,
        /// The signal.
        signal: i32,
    },
    /// The client did something that makes no sense.
    #[error("`{program}` printed no build progress that kiln understands: {detail}")]
    Nonsense {
        /// The program.
        program: String,
        /// What it printed.
        detail: String,
    },
    /// The build was cancelled.
    #[error("the build was interrupted")]
    Interrupted,
    /// The binary that generated Dockerfiles need cannot be provided.
    #[error("cannot use `{path}` as the kiln that runs in image builds: {reason}")]
    Tool {
        /// The binary.
        path: Utf8PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A file of kiln's own cannot be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The client could not be run.
    #[error(transparent)]
    Process(ProcessError),
}

impl EngineError {
    /// Whether the same build may succeed a moment later, without anyone changing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Disconnected { .. } | Self::Registry { .. } | Self::Unresponsive)
    }
}
