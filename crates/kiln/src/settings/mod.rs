//! `kiln.toml`: what a person decided, typed, each value with the line it stands on.
//!
//! Every section and key is known here. An unknown key, a wrong type or a value out of range is an error that names file and
//! line; nothing is silently ignored. Reading decides nothing: values are combined with facts in [`plan`](crate::plan).

mod lines;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::plan::{ImageEngine, Secret};

pub use lines::service_head;
pub(crate) use lines::string;

/// Name of the settings file, at the root of the repository.
pub const FILE_NAME: &str = "kiln.toml";

/// A value with the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Line in `kiln.toml`, from 1.
    pub line: usize,
}

/// Everything `kiln.toml` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// `[project]`
    pub project: ProjectSettings,
    /// `[cache]`
    pub cache: CacheSettings,
    /// `[doctor]`
    pub doctor: DoctorSettings,
    /// `[bench]`
    pub bench: BenchSettings,
    /// `[defaults]`: values for every service. Lists and tables are added to by a service, single values are replaced.
    pub defaults: ServiceSettings,
    /// `[services.NAME]`
    pub services: BTreeMap<String, ServiceSettings>,
}

/// `[project]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectSettings {
    /// Prefix of image names, cache tags and cache mount ids.
    pub name: Option<At<String>>,
    /// Who prepares and cooks dependencies in the images.
    pub engine: Option<At<ImageEngine>>,
    /// Image that holds the `kiln` binary at `/kiln`.
    pub tool_image: Option<At<String>>,
}

/// `[cache]`: caches outside of the engine. Their values are read where they are used, as those of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheSettings {
    /// `from`: where steps may come from.
    pub from: Option<At<Vec<String>>>,
    /// `to`: where steps go to, when that is asked for.
    pub to: Option<At<Vec<String>>>,
}

/// `[doctor]`: what `kiln doctor` keeps quiet about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoctorSettings {
    /// `ignore`: `rule`, or `rule:path` with a file, a folder or a pattern.
    pub ignore: Option<At<Vec<String>>>,
}

/// `[bench]`: what `kiln bench` demands of the builds it measures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchSettings {
    /// `fail-under`: percent that a source edit must take off the time of `COPY . .` and a whole build.
    pub fail_under: Option<At<f64>>,
    /// `max-seconds`: how long a source edit may take.
    pub max_seconds: Option<At<f64>>,
}

/// Kind of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A binary of a cargo workspace.
    Rust,
    /// A Node package.
    Node,
}

/// What a Node image serves, as written in `serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServeSetting {
    /// `serve = "static"`: the output folder, by a web server.
    Static,
    /// `serve = ["node", "server.js"]`: a process.
    Command(Vec<String>),
}

/// `[services.NAME]`, or `[defaults]` with the keys that make sense for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Line of the section's header.
    pub line: usize,
    /// `enabled`: `false` leaves a service out that kiln would find by itself.
    pub enabled: Option<At<bool>>,
    /// `path`: folder of the service, relative to the repository.
    pub path: Option<At<Utf8PathBuf>>,
    /// `kind`
    pub kind: Option<At<Kind>>,
    /// `package`: the cargo member that holds the binary.
    pub package: Option<At<String>>,
    /// `binary` or `binaries`
    pub binaries: Option<At<Vec<String>>>,
    /// `features`
    pub features: Option<At<Vec<String>>>,
    /// `no-default-features`
    pub no_default_features: Option<At<bool>>,
    /// `profile`: cargo profile of the production image.
    pub profile: Option<At<String>>,
    /// `fast-profile`: cargo profile of the fast and development images.
    pub fast_profile: Option<At<String>>,
    /// `target`: target triple.
    pub target: Option<At<String>>,
    /// `toolchain`: version or channel.
    pub toolchain: Option<At<String>>,
    /// `build-image`
    pub build_image: Option<At<String>>,
    /// `runtime-image`
    pub runtime_image: Option<At<String>>,
    /// `apt`: extra packages of the build stages.
    pub apt: Option<At<Vec<String>>>,
    /// `runtime-apt`: extra packages of the runtime stage.
    pub runtime_apt: Option<At<Vec<String>>>,
    /// `dev-apt`: packages of the development image, in place of kiln's own choice.
    pub dev_apt: Option<At<Vec<String>>>,
    /// `seed`: where an empty builder gets compiled dependencies from, the nearest first.
    pub seed: Option<At<Vec<String>>>,
    /// `port`
    pub port: Option<At<u16>>,
    /// `user`: `uid:gid` or a name that the runtime image knows.
    pub user: Option<At<String>>,
    /// `health`: command in exec form.
    pub health: Option<At<Vec<String>>>,
    /// `environment` of the running container.
    pub environment: BTreeMap<String, At<String>>,
    /// `build-args`: `ARG`s with their defaults.
    pub build_args: BTreeMap<String, At<String>>,
    /// `platform`
    pub platform: Option<At<String>>,
    /// `ca-certificates`: PEM files.
    pub ca_certificates: Option<At<Vec<Utf8PathBuf>>>,
    /// `[[services.NAME.secrets]]`
    pub secrets: Vec<At<Secret>>,
    /// `assets`: `"from"` or `"from:to"`.
    pub assets: Option<At<Vec<String>>>,
    /// `include`: files or folders that the ignore file must let through.
    pub include: Option<At<Vec<Utf8PathBuf>>>,
    /// `volumes`: folders of the image that the service writes to.
    pub volumes: Option<At<Vec<String>>>,
    /// `node-version`
    pub node_version: Option<At<String>>,
    /// `build-script`
    pub build_script: Option<At<String>>,
    /// `dev-script`
    pub dev_script: Option<At<String>>,
    /// `output`: folder the bundler writes, or that a server needs.
    pub output: Option<At<Vec<Utf8PathBuf>>>,
    /// `serve`
    pub serve: Option<At<ServeSetting>>,
    /// `proxy`: path prefix to upstream, for a static service.
    pub proxy: BTreeMap<String, At<String>>,
}

/// Why `kiln.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is there and cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML.
    #[error("{path}:{line}: {message}")]
    Syntax {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the TOML parser says.
        message: String,
    },
    /// A key that kiln does not know.
    #[error("{path}:{line}: unknown key `{key}` in {table}")]
    UnknownKey {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The section, for people: `[services.api]`.
        table: String,
        /// The known key that is most like it.
        suggestion: Option<&'static str>,
        /// All keys of the section.
        known: &'static [&'static str],
    },
    /// A value of the wrong type or out of range.
    #[error("{path}:{line}: `{key}` is {found}, expected {expected}")]
    Value {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// What stands there, for people.
        found: String,
        /// What may stand there, for people.
        expected: &'static str,
    },
    /// Two keys that say the same thing.
    #[error("{path}:{line}: `{key}` and `{other}` exclude each other")]
    Conflict {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// One key.
        key: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A key that a section needs.
    #[error("{path}:{line}: {table} lacks `{key}`")]
    Missing {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// The section, for people.
        table: String,
    },
}

impl Settings {
    /// Reads `kiln.toml` at the root of a repository. A missing file gives the defaults.
    pub fn load(root: &Utf8Path) -> Result<Self, SettingsError> {
        let path = root.join(FILE_NAME);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(SettingsError::Read { path: FILE_NAME.into(), source }),
        }
    }

    /// Reads the text of a `kiln.toml`.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        read::settings(text)
    }

    /// What counts for a service: its own section on top of `[defaults]`.
    #[must_use]
    pub fn service(&self, name: &str) -> ServiceSettings {
        self.services.get(name).cloned().unwrap_or_default().over(&self.defaults)
    }
}

impl ServiceSettings {
    /// Each key that is set, as it is called in `kiln.toml`, with its line. Entries of tables are `table.key`.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, usize)> {
        fn line<T>(at: &Option<At<T>>) -> Option<usize> {
            at.as_ref().map(|at| at.line)
        }
        let single = [
            ("path", line(&self.path)),
            ("kind", line(&self.kind)),
            ("package", line(&self.package)),
            ("binary", line(&self.binaries)),
            ("features", line(&self.features)),
            ("no-default-features", line(&self.no_default_features)),
            ("profile", line(&self.profile)),
            ("fast-profile", line(&self.fast_profile)),
            ("target", line(&self.target)),
            ("toolchain", line(&self.toolchain)),
            ("build-image", line(&self.build_image)),
            ("runtime-image", line(&self.runtime_image)),
            ("apt", line(&self.apt)),
            ("runtime-apt", line(&self.runtime_apt)),
            ("dev-apt", line(&self.dev_apt)),
            ("seed", line(&self.seed)),
            ("port", line(&self.port)),
            ("user", line(&self.user)),
            ("health", line(&self.health)),
            ("platform", line(&self.platform)),
            ("ca-certificates", line(&self.ca_certificates)),
            ("assets", line(&self.assets)),
            ("include", line(&self.include)),
            ("volumes", line(&self.volumes)),
            ("node-version", line(&self.node_version)),
            ("build-script", line(&self.build_script)),
            ("dev-script", line(&self.dev_script)),
            ("output", line(&self.output)),
            ("serve", line(&self.serve)),
        ];
        let mut lines: Vec<(String, usize)> =
            single.into_iter().filter_map(|(key, line)| Some((key.to_owned(), line?))).collect();
        for (table, map) in [("environment", &self.environment), ("build-args", &self.build_args), ("proxy", &self.proxy)] {
            lines.extend(map.iter().map(|(key, at)| (format!("{table}.{key}"), at.line)));
        }
        lines.extend(self.secrets.iter().map(|at| (format!("secrets.{}", at.value.id), at.line)));
        lines
    }

    fn over(mut self, defaults: &Self) -> Self {
        self.toolchain = self.toolchain.or_else(|| defaults.toolchain.clone());
        self.user = self.user.or_else(|| defaults.user.clone());
        self.platform = self.platform.or_else(|| defaults.platform.clone());
        self.profile = self.profile.or_else(|| defaults.profile.clone());
        self.fast_profile = self.fast_profile.or_else(|| defaults.fast_profile.clone());
        self.node_version = self.node_version.or_else(|| defaults.node_version.clone());
        self.dev_apt = self.dev_apt.or_else(|| defaults.dev_apt.clone());
        // The order of seeds matters, so a service names all of its own.
        self.seed = self.seed.or_else(|| defaults.seed.clone());
        self.apt = joined(&defaults.apt, self.apt);
        self.runtime_apt = joined(&defaults.runtime_apt, self.runtime_apt);
        self.ca_certificates = joined(&defaults.ca_certificates, self.ca_certificates);
        for (key, value) in &defaults.environment {
            self.environment.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for (key, value) in &defaults.build_args {
            self.build_args.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let own: Vec<String> = self.secrets.iter().map(|secret| secret.value.id.clone()).collect();
        let inherited = defaults.secrets.iter().filter(|secret| !own.contains(&secret.value.id)).cloned();
        self.secrets = inherited.chain(self.secrets).collect();
        self
    }
}

/// The defaults' list followed by the service's own, under the line of the nearer one.
fn joined<T: Clone + PartialEq>(defaults: &Option<At<Vec<T>>>, own: Option<At<Vec<T>>>) -> Option<At<Vec<T>>> {
    match (defaults.clone(), own) {
        (Some(mut list), Some(own)) => {
            list.line = own.line;
            list.value.retain(|value| !own.value.contains(value));
            list.value.extend(own.value);
            Some(list)
        }
        (list, own) => own.or(list),
    }
}
