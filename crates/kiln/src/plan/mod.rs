//! Decide: [`Project`](crate::project::Project) facts and [`Settings`](crate::settings::Settings) become a [`Plan`].
//!
//! A plan is plain data without Docker types: it can be printed, saved and compared, and everything that kiln writes
//! follows from it. The cargo command line is decided here, once, for `cook` and for `compile`.
//!
//! [`plan`] never fails: what it cannot decide is a [`Question`] with the setting that answers it.

pub(crate) mod chef;
mod decide;
mod explain;
mod find;
#[cfg(test)]
pub(crate) mod fixtures;
mod ignore;
mod images;
pub mod mounts;
mod paths;
mod question;
pub mod reference;
mod rust;
mod secrets;
#[cfg(test)]
mod tests;

mod manager;
pub mod node;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

pub use chef::{ImageEngine, NodeInstall};
pub use decide::plan;
pub use explain::{Row, explain};
pub use images::{DEFAULT_RUNTIME_IMAGE, DEFAULT_RUST_VERSION, Distribution, distribution};
pub(crate) use images::{cargo_chef_image, is_rust_image};
pub(crate) use paths::{APP, APP_SOURCES, APP_TARGET, join};
pub use question::{Question, QuestionKind};
pub(crate) use secrets::certificate_id;
pub use secrets::{SecretFrom, SecretSource};

/// Image that holds the `kiln` binary at `/kiln`, unless `kiln.toml` names another. It carries no version, so that a new kiln
/// leaves the generated files as they are.
pub const DEFAULT_TOOL_IMAGE: &str = "kiln:latest";

/// Everything kiln decided about a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the project: prefix of image names, cache tags and cache mount ids.
    pub project: String,
    /// Who prepares and cooks dependencies in the images.
    #[serde(default)]
    pub engine: ImageEngine,
    /// Image reference that the stage `kiln` of every generated Dockerfile is `FROM`. `kiln build` supplies it as a named context.
    pub tool_image: String,
    /// The images that can be built, in the order of their paths.
    pub services: Vec<Service>,
    /// What could not be decided. Nothing is written or built while one stands.
    pub questions: Vec<Question>,
}

/// Which image of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Release build on a small runtime base.
    Prod,
    /// Toolchain, debug symbols and tools; runs from source.
    Dev,
    /// The quickest image after an edit: debug or incremental, persisted target.
    Fast,
}

impl Variant {
    /// All variants in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Prod, Self::Dev, Self::Fast];

    /// The name used in flags, file names and tags.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prod => "prod",
            Self::Dev => "dev",
            Self::Fast => "fast",
        }
    }

    /// The image tag: `latest` for [`Variant::Prod`], else the name.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Prod => "latest",
            other => other.name(),
        }
    }
}

/// One buildable part of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Unique name within the project; part of image names.
    pub name: String,
    /// Folder of the service, relative to the project root (`.` for the root itself).
    pub path: Utf8PathBuf,
    /// Build context, relative to the project root: the service's folder, or the nearest folder that also holds the path
    /// dependencies that lie outside of it.
    pub context: Utf8PathBuf,
    /// Where the Docker files of this service are, relative to the project root.
    pub files: ServiceFiles,
    /// What is built.
    #[serde(flatten)]
    pub kind: ServiceKind,
    /// Base image of each stage family.
    pub base_images: BaseImages,
    /// Debian (or Alpine) packages that the build and the runtime stage install.
    pub native_packages: NativePackages,
    /// Port on which the service listens.
    pub port: Option<u16>,
    /// `uid:gid` under which the production image runs.
    pub user: String,
    /// Command (exec form) that tells whether the container is healthy.
    pub health: Option<Vec<String>>,
    /// Environment of the runtime stage.
    pub environment: BTreeMap<String, String>,
    /// Build arguments (`ARG`), declared after the dependencies are built, with their defaults.
    pub build_args: BTreeMap<String, String>,
    /// Target platform such as `linux/arm64`; the engine's own when absent.
    pub platform: Option<String>,
    /// Extra CA certificates (PEM files relative to the project root), mounted as secrets into steps that use the network.
    pub ca_certificates: Vec<Utf8PathBuf>,
    /// Build secrets (registry tokens and the like), mounted into steps that use the network, never in a layer.
    pub secrets: Vec<Secret>,
    /// Files or folders, relative to the context, that the program reads at run time and the image must carry.
    pub assets: Vec<Asset>,
    /// Absolute folders of the image that the service writes to: they belong to its user, and compose keeps them in volumes.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// Packages that the development image has on top, for debugging.
    pub dev_packages: Vec<String>,
    /// What the build context leaves out, section by section.
    pub ignore: Vec<IgnoreSection>,
    /// Where each value came from: setting key (as in `kiln.toml`) to source.
    pub sources: BTreeMap<String, Source>,
}

/// Lines of the ignore file that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoreSection {
    /// Why they are left out (or let through), for the comment above them.
    pub reason: String,
    /// Patterns in `.dockerignore` syntax, relative to the context.
    pub patterns: Vec<String>,
}

impl Service {
    /// A service of which only its kind is decided: nothing set, its Docker files in its folder.
    fn undecided(
        name: &str,
        path: &Utf8Path,
        context: Utf8PathBuf,
        kind: ServiceKind,
        base_images: BaseImages,
        user: &str,
    ) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            context,
            files: ServiceFiles::in_folder(path),
            kind,
            base_images,
            native_packages: NativePackages::default(),
            port: None,
            user: user.to_owned(),
            health: None,
            environment: BTreeMap::new(),
            build_args: BTreeMap::new(),
            platform: None,
            ca_certificates: Vec::new(),
            secrets: Vec::new(),
            assets: Vec::new(),
            volumes: Vec::new(),
            dev_packages: Vec::new(),
            ignore: Vec::new(),
            sources: BTreeMap::new(),
        }
    }
}

/// Paths of the Docker files of one service, relative to the project root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFiles {
    /// Production Dockerfile.
    pub prod: Utf8PathBuf,
    /// Development Dockerfile.
    pub dev: Utf8PathBuf,
    /// Fast-iteration Dockerfile.
    pub fast: Utf8PathBuf,
    /// Ignore file: `.dockerignore` of the context, or `<Dockerfile>.dockerignore` where two services share a context, or a
    /// person wrote the other.
    pub ignore: Vec<Utf8PathBuf>,
}

impl ServiceFiles {
    /// Docker files in a folder of their own.
    #[must_use]
    pub fn in_folder(folder: &Utf8Path) -> Self {
        let path = |name: &str| if folder == "." { Utf8PathBuf::from(name) } else { folder.join(name) };
        Self {
            prod: path("Dockerfile"),
            dev: path("Dockerfile.dev"),
            fast: path("Dockerfile.fast"),
            ignore: vec![path(".dockerignore")],
        }
    }

    /// The Dockerfile of a variant.
    #[must_use]
    pub const fn dockerfile(&self, variant: Variant) -> &Utf8PathBuf {
        match variant {
            Variant::Prod => &self.prod,
            Variant::Dev => &self.dev,
            Variant::Fast => &self.fast,
        }
    }
}

/// What is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ServiceKind {
    /// Binaries of a cargo workspace.
    Rust(RustService),
    /// A Node package: a static bundle or a server.
    Node(NodeService),
}

/// A cargo build, decided once for `cook` and `compile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RustService {
    /// Folder of the workspace root's `Cargo.toml`, relative to the build context.
    pub workspace: Utf8PathBuf,
    /// The member that holds the binaries.
    pub package: String,
    /// Binary target names that go into the image; the first is the entry point.
    pub binaries: Vec<String>,
    /// Features to activate, as for `cargo build --features`.
    pub features: Vec<String>,
    /// Whether `--no-default-features` is given.
    pub no_default_features: bool,
    /// cargo profile of the production image.
    pub profile: String,
    /// cargo profile of the fast and development images.
    pub fast_profile: String,
    /// Target triple, where it is not the image's own.
    pub target: Option<String>,
    /// Toolchain that every stage uses: a version, or a channel with date.
    pub toolchain: String,
    /// Toolchain that the build image lacks and rustup installs: a nightly, a beta or a dated one.
    pub install_toolchain: Option<String>,
    /// Compiler cache that cargo's configuration puts before rustc and the image does not have: the build goes without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_wrapper: Option<String>,
    /// How SQLx' macros find their data, if the closure of the binary uses them.
    pub sqlx: Option<Sqlx>,
    /// Templates of images that an empty builder may take compiled dependencies from, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<String>,
    /// What cargo reads beyond the manifests of members, relative to the context: path dependencies and patches that are no
    /// members, configuration above the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Utf8PathBuf>,
}

impl RustService {
    /// cargo profile of a variant.
    #[must_use]
    pub fn profile_of(&self, variant: Variant) -> &str {
        if variant == Variant::Prod { &self.profile } else { &self.fast_profile }
    }

    /// The cargo command line: each flag with its value. `cargo run` takes one binary.
    #[must_use]
    pub fn cargo_flags(&self, profile: &str, only_first: bool) -> Vec<Vec<String>> {
        let pair = |flag: &str, value: &str| vec![flag.to_owned(), value.to_owned()];
        let mut flags = vec![pair("--package", &self.package)];
        let count = if only_first { 1 } else { self.binaries.len() };
        flags.extend(self.binaries.iter().take(count).map(|binary| pair("--bin", binary)));
        if !self.features.is_empty() {
            flags.push(pair("--features", &self.features.join(",")));
        }
        if self.no_default_features {
            flags.push(vec!["--no-default-features".to_owned()]);
        }
        flags.push(pair("--profile", profile));
        flags.extend(self.target.iter().map(|target| pair("--target", target)));
        flags
    }
}

/// SQLx use of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sqlx {
    /// Version in the lock.
    pub version: Option<String>,
    /// Whether checked-in query data exists, so that the build can run without a database.
    pub offline: bool,
    /// Folders with query data (`.sqlx`), relative to the workspace.
    pub data: Vec<Utf8PathBuf>,
    /// Migration folders, relative to the workspace.
    pub migrations: Vec<Utf8PathBuf>,
}

/// A Node build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeService {
    /// Folder with the lockfile (the workspace root, or the package itself), relative to the build context.
    pub workspace: Utf8PathBuf,
    /// Folder of the package, relative to the build context.
    pub package: Utf8PathBuf,
    /// The `name` in `package.json`.
    pub package_name: Option<String>,
    /// Package manager, by lockfile.
    pub manager: PackageManager,
    /// Version of the package manager where the manifest pins one.
    pub manager_version: Option<String>,
    /// Lockfile name, relative to `workspace`.
    pub lockfile: String,
    /// Major (or full) Node version of the base images.
    pub node_version: String,
    /// The script that builds, if there is one.
    pub build_script: Option<String>,
    /// The script that the development image runs.
    pub dev_script: Option<String>,
    /// Bundler found in the manifest (`rollup`, `vite`, `webpack`, …).
    pub bundler: Option<String>,
    /// What the image serves.
    pub serve: Serve,
    /// Tool cache folders relative to the package (for example `node_modules/.cache`), mounted in the builder.
    pub tool_caches: Vec<String>,
    /// Path prefixes that the static server passes on, with their upstream.
    pub proxy: BTreeMap<String, String>,
    /// Install scripts that need the sources: the recipe leaves them out, and the builder runs them before the build.
    #[serde(default)]
    pub late_scripts: Vec<LateScript>,
    /// What the install reads, where no recipe says it at build time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<NodeInstall>,
    /// Build scripts of the workspace's packages that this one depends on, dependencies first: its own build reads what they write.
    #[serde(default)]
    pub local_builds: Vec<LateScript>,
    /// Whether its TypeScript compiler may write files: then no build info may outlive what it wrote.
    #[serde(default)]
    pub emits_typescript: bool,
    /// Whether local packages have scripts that run at install.
    #[serde(default)]
    pub runs_install_scripts: bool,
    /// Configuration files of the package manager that have a secret written out, relative to the workspace, each with its text
    /// without it. They stay out of the context, and so out of every layer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cleaned: BTreeMap<Utf8PathBuf, String>,
    /// Shell commands that follow the build script, in the package's folder.
    #[serde(default)]
    pub after_build: Vec<String>,
}

/// An install script that runs after the sources are there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LateScript {
    /// Folder of the package, relative to the build context.
    pub directory: Utf8PathBuf,
    /// Name of the script in its manifest.
    pub script: String,
}

/// What a Node image serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Serve {
    /// A folder of files, relative to the package.
    Static {
        /// The bundler's output folder.
        directory: Utf8PathBuf,
    },
    /// A Node process.
    Server {
        /// Command in exec form.
        command: Vec<String>,
        /// Folders of the build output that the runtime needs, relative to the package; empty means the whole package.
        output: Vec<Utf8PathBuf>,
    },
}

/// Node package managers, told apart by their lockfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageManager {
    /// npm: `package-lock.json` or `npm-shrinkwrap.json`.
    Npm,
    /// pnpm: `pnpm-lock.yaml`.
    Pnpm,
    /// yarn 1: `yarn.lock` of the first format.
    YarnClassic,
    /// yarn 2 and later: `yarn.lock` with `__metadata`.
    YarnBerry,
    /// bun: `bun.lock` or `bun.lockb`.
    Bun,
}

/// Base images by stage family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseImages {
    /// Base of the stages that compile or bundle.
    pub build: String,
    /// Base of the production runtime stage.
    pub runtime: String,
}

/// System packages, already named for the base image's distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativePackages {
    /// Installed before dependencies are compiled.
    pub build: Vec<String>,
    /// Installed in the runtime image.
    pub runtime: Vec<String>,
    /// Which crate wants which packages, for `--explain`.
    pub wanted_by: BTreeMap<String, Vec<String>>,
}

/// A build secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Secret {
    /// BuildKit secret id.
    pub id: String,
    /// Environment variable of the caller that holds it, if any.
    pub env: Option<String>,
    /// File of the caller that holds it, relative to the project root or absolute, if any.
    pub file: Option<Utf8PathBuf>,
    /// Name of the environment variable under which steps see it (`CARGO_REGISTRIES_FOO_TOKEN`, `NPM_TOKEN`), if any.
    pub as_env: Option<String>,
    /// Path under which steps see it (`/root/.npmrc`), if any.
    pub target: Option<String>,
}

/// A file or folder that the runtime image carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asset {
    /// Path relative to the build context.
    pub from: Utf8PathBuf,
    /// Path in the image.
    pub to: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Source {
    /// kiln's own default.
    Default,
    /// Read off a file of the repository.
    Detected {
        /// The file, relative to the project root.
        path: Utf8PathBuf,
    },
    /// Written in `kiln.toml`.
    Setting {
        /// Line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A command line flag.
    Flag {
        /// Its name with the dashes.
        flag: String,
    },
}
