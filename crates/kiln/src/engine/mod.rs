//! Build: a [`BuildRequest`] goes to an [`Engine`], [`BuildEvent`]s come back while it works, an [`Outcome`] at the end.
//!
//! The seam is semantic: nothing outside of this folder knows about `docker` command lines or BuildKit's wire format.

mod bake;
mod buildx;
pub mod cache;
mod failure;
mod history;
mod layers;
pub(crate) mod lines;
mod look;
mod sent;
mod store;
mod tool;
mod unpack;
mod usage;
pub mod wire;

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::event::BuildEvent;
use crate::plan::{SecretFrom, Service};
use crate::process::ProcessError;

pub use buildx::Buildx;
pub use cache::{CacheKind, CacheRef, CacheRefError, LocalCacheError};
pub use failure::BuildFailure;
pub use history::{PastBuild, PastError, PastRun};
pub use layers::{Layer, image_layers};
pub use tool::{Tool, ToolKind};
pub use usage::{CacheRecord, GcPolicy, GcRule, ImageStays, forgotten, verbose_records, with_all_above};

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

    /// Whether the cache has every step of all these images, asked in one go: then each is where its request wants it, and has an
    /// outcome. At the first step that would have to work everything stops. `None` is "no, or it cannot be told in this way": builds
    /// will tell.
    fn cached(&self, requests: &[&BuildRequest]) -> Option<Vec<Outcome>> {
        let _ = requests;
        None
    }

    /// What a reference stands for, in its registry or else in the engine, without pulling anything. `None` if there is no such image.
    ///
    /// # Errors
    /// [`EngineError::Registry`] if the registry does not answer within seconds.
    fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError>;

    /// Bytes in the builder's cache mount of an id; 0 if there is none.
    ///
    /// # Errors
    /// Why the builder could not tell.
    fn cache_mount(&self, id: &str) -> Result<u64, EngineError>;

    /// The builder's cache mounts, those of all projects: bytes by id. A mount without an id has its path as one.
    ///
    /// # Errors
    /// Why the builder could not tell.
    fn cache_mounts(&self) -> Result<BTreeMap<String, u64>, EngineError>;

    /// The builder that does the work.
    ///
    /// # Errors
    /// [`EngineError::BuilderNotFound`], or why nobody answers.
    fn builder_info(&self) -> Result<BuilderInfo, EngineError>;

    /// The images of these names in the engine's own store; `None` for those that are not there.
    ///
    /// # Errors
    /// Why the engine could not tell.
    fn stored(&self, references: &[String]) -> Result<Vec<Option<StoredImage>>, EngineError>;

    /// Gets an image from its registry into the engine's store, also if it has one of this name.
    ///
    /// # Errors
    /// [`EngineError::Registry`] if the registry does not answer, [`EngineError::Build`] if it has no such image.
    fn pull(&self, reference: &str, platform: Option<&str>) -> Result<(), EngineError>;

    /// Removes an image that lost its last name. One that has a name, or that a container uses, stays.
    ///
    /// # Errors
    /// Why the engine could not.
    fn forget(&self, id: &str) -> Result<(), EngineError>;
}

/// A builder instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderInfo {
    /// Its name.
    pub name: String,
    /// What runs it: `docker`, `docker-container`, `kubernetes`, `remote`.
    pub driver: String,
}

impl BuilderInfo {
    /// Whether what it builds can be kept as images beside its cache: only Docker's own builder shares the engine's store.
    #[must_use]
    pub fn has_store(&self) -> bool {
        self.driver == "docker"
    }
}

/// An image in the engine's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its id: `sha256:…`.
    pub id: String,
    /// Its platform, such as `linux/amd64`.
    pub platform: Option<String>,
    /// Bytes of its layers.
    pub size: Option<u64>,
}

/// What is known of an image without pulling it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageInfo {
    /// Digest of its manifest: `sha256:…`.
    pub digest: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its platforms, such as `linux/amd64`.
    pub platforms: Vec<String>,
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
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Whether a pushed image goes without attestations, which carry the time of the build: the same content is then the same image.
    pub bare: bool,
    /// Caches outside of the engine to take steps from. One that is not there is skipped; the step of its import says so.
    pub cache_from: Vec<CacheRef>,
    /// Caches outside of the engine to write steps to. Folders must be absolute.
    pub cache_to: Vec<CacheRef>,
}

/// A secret by its BuildKit id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// Id that the Dockerfile names.
    pub id: String,
    /// Where its value is.
    pub source: SecretSource,
}

impl BuildSecret {
    /// The service's secrets and CA certificates, under the ids by which its Dockerfiles mount them. Files lie below `root`.
    #[must_use]
    pub fn of(service: &Service, root: &Utf8Path) -> Vec<Self> {
        let sources = service.secret_sources().into_iter().map(|secret| Self {
            id: secret.id,
            source: match secret.from {
                SecretFrom::Environment(name) => SecretSource::Environment(name),
                SecretFrom::File(path) => SecretSource::File(root.join(path)),
            },
        });
        sources.collect()
    }

    /// The secret as the client takes it: `id=token,env=NPM_TOKEN`.
    pub(crate) fn flag(&self) -> String {
        match &self.source {
            SecretSource::Environment(name) => format!("id={},env={name}", self.id),
            SecretSource::File(path) => format!("id={},src={path}", self.id),
        }
    }
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
    /// The builder is known, but nothing answers where it should be. With drivers other than `docker` only.
    #[error("the builder does not answer: {detail}")]
    BuilderUnreachable {
        /// What the client says.
        detail: String,
    },
    /// The Dockerfile or one of its steps is to blame.
    #[error("{0}")]
    Build(Box<BuildFailure>),
    /// The builder cannot export caches. For Docker's own it depends on the store: [`EngineInfo::containerd_store`].
    #[error("the engine cannot export a cache")]
    CacheExport,
    /// A cache in a folder could not be written.
    #[error("cannot write the cache in `{folder}`")]
    LocalCache {
        /// The folder.
        folder: Utf8PathBuf,
        /// Why not.
        source: LocalCacheError,
    },
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
    /// The engine lost a layer of the image while it unpacked it, several times. The image itself is whole.
    #[error("the engine lost a layer of the image while it unpacked it: {detail}")]
    LayerLost {
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
        matches!(
            self,
            Self::Disconnected { .. }
                | Self::Registry { .. }
                | Self::Unresponsive
                | Self::BuilderUnreachable { .. }
                | Self::LayerLost { .. }
        )
    }

    /// The same of an engine that has answered before: one that is not there now went away, and may come back.
    #[must_use]
    pub fn went_away(self) -> Self {
        match self {
            Self::NotRunning { detail } => Self::Disconnected { detail },
            error => error,
        }
    }

    /// The image that could not be had, where that is what failed.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::Registry { image, .. } => Some(image),
            Self::Build(failure) => failure.image.as_deref(),
            _ => None,
        }
    }
}
