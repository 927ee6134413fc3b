//! What `cook` and `compile` share: their errors, the lock on a mount, work in parallel, running cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::messages::Transcript;
use super::reasons::Verbose;
use crate::lock::{LockError, exclusive};
use crate::process::{Cancel, ProcessError, Run, Stream};

/// Why `cook` or `compile` could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is no room left.
    #[error("the disk is full: cannot write {}", path.display())]
    DiskFull {
        /// What was to be written.
        path: PathBuf,
    },
    /// A program could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Work was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// cargo ran and failed; it has said why.
    #[error("cargo failed{}", code.map_or_else(|| " by a signal".to_owned(), |code| format!(" with exit code {code}")))]
    Cargo {
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
    },
    /// `cargo metadata` failed after `cargo build` had succeeded.
    #[error("cannot read what `cargo metadata` says about the packages that were built")]
    Metadata,
    /// A JSON file of kiln does not have the form it should have.
    #[error("cannot understand {}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A deps layer was written by a kiln that describes layers in another way.
    #[error("{} is of schema {found}, this kiln reads {}", path.display(), super::export::LAYER_SCHEMA)]
    LayerSchema {
        /// The layer's description.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// cargo took packages that the recipe does not lock. A defect of the plan.
    #[error("cargo built packages that the recipe does not lock: {} (a defect of the plan)", packages.join(", "))]
    LockDiffers {
        /// `name version`, or `name version (checksum)`.
        packages: Vec<String>,
    },
    /// cargo named a file that belongs to no unit. A defect of kiln.
    #[error("cargo reported {}, which belongs to no unit of the target directory", file.display())]
    UnknownUnit {
        /// The file.
        file: PathBuf,
    },
    /// A file name in a unit that is not valid UTF-8.
    #[error("the name of {} is not valid UTF-8", path.display())]
    FileName {
        /// The file.
        path: PathBuf,
    },
    /// The workspace folder is missing, or not inside the source folder.
    #[error("{} is not a folder inside {}", workspace.display(), source_root.display())]
    Workspace {
        /// The workspace as given.
        workspace: PathBuf,
        /// The source folder as given.
        source_root: PathBuf,
    },
    /// cargo did not report a program that was asked for.
    #[error("cargo did not build {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    MissingBinary {
        /// The binaries.
        names: Vec<String>,
    },
}

impl StepError {
    /// An input or output error, with a full disk told apart.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { action, path, source },
        }
    }
}

/// Adds what was tried and where to an [`io::Result`].
pub(in crate::recipe) trait At<T> {
    /// Names the action and the path.
    fn at(self, action: &'static str, path: &Path) -> Result<T, StepError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StepError> {
        self.map_err(|source| StepError::io(action, path, source))
    }
}

/// How much a mount may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of units.
    pub bytes: u64,
    /// How long a unit is kept after its last use.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 30, age: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

/// Takes the exclusive lock on a file, waiting for whoever holds it. It is released when the file is dropped. On a file system without locks
/// BuildKit's `sharing=locked` still holds.
pub(super) fn lock(path: &Path, cancel: &Cancel) -> Result<File, StepError> {
    exclusive(path, cancel, || ()).map_err(|error| match error {
        LockError::File { path, source } => StepError::io("lock", path, source),
        LockError::Cancelled => StepError::Cancelled,
    })
}

/// So many files or units are worth a thread.
const ITEMS_PER_THREAD: usize = 4;

/// Does the work for each item on all cores and gives the results in the items' order; stops at the first error.
pub(in crate::recipe) fn parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, StepError> + Sync,
) -> Result<Vec<R>, StepError> {
    crate::parallel::try_map(items, ITEMS_PER_THREAD, work)
}

/// Writes a file beside its place and renames it, so that nobody ever sees half of it.
pub(super) fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), StepError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).at("create", parent)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".kiln-new");
    let temporary = path.with_file_name(name);
    fs::write(&temporary, contents).at("write", &temporary)?;
    fs::rename(&temporary, path).at("write", path)
}

/// Removes a file or folder; nothing there is what is wanted.
pub(in crate::recipe) fn remove(path: &Path) -> Result<(), StepError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StepError::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// Seconds by part of the work.
#[derive(Debug, Default)]
pub(super) struct Stopwatch(pub(super) BTreeMap<String, f64>);

impl Stopwatch {
    /// Does a part of the work and notes its time.
    pub(super) fn time<R>(&mut self, part: &str, work: impl FnOnce() -> R) -> R {
        let started = Instant::now();
        let result = work();
        *self.0.entry(part.to_owned()).or_default() += started.elapsed().as_secs_f64();
        result
    }
}

/// Where cargo runs, and with what.
#[derive(Debug, Clone)]
pub(super) struct CargoRun<'a> {
    /// The program.
    pub(super) program: &'a Path,
    /// `CARGO_HOME`.
    pub(super) home: &'a Path,
    /// `CARGO_TARGET_DIR`.
    pub(super) target: &'a Path,
    /// `RUSTUP_TOOLCHAIN`, when there is a rustup.
    pub(super) toolchain: Option<&'a str>,
    /// Working directory.
    pub(super) directory: &'a Path,
    /// Arguments.
    pub(super) arguments: Vec<String>,
    /// More environment variables.
    pub(super) environment: Vec<(&'static str, &'static str)>,
}

/// How a run of cargo ended.
#[derive(Debug)]
pub(super) struct CargoEnd {
    /// What it said.
    pub(super) transcript: Transcript,
    /// Its exit code, unless a signal ended it.
    pub(super) code: Option<i32>,
    /// The end of its stderr.
    pub(super) stderr: String,
    /// Lines that were held back to the end, because cargo never began to build.
    pub(super) held: Vec<String>,
    /// What it said with `--verbose` about stale units.
    pub(super) verbose: Verbose,
}

impl CargoRun<'_> {
    fn command(&self) -> Run {
        let mut run = Run::new(self.program)
            .args(&self.arguments)
            .cwd(self.directory)
            .env("CARGO_HOME", self.home)
            .env("CARGO_TARGET_DIR", self.target)
            // A repository's own `build.build-dir` would lead away from the mount.
            .env("CARGO_BUILD_BUILD_DIR", self.target);
        if let Some(toolchain) = self.toolchain {
            run = run.env("RUSTUP_TOOLCHAIN", toolchain);
        }
        for (name, value) in &self.environment {
            run = run.env(name, value);
        }
        run
    }

    /// Runs cargo and gives all of its stdout, if it succeeds.
    pub(super) fn read(&self, cancel: &Cancel) -> Result<Option<String>, StepError> {
        let mut text = String::new();
        let finished = self.command().lines(cancel, &mut |stream, line| {
            if stream == Stream::Stdout {
                text.push_str(line);
            }
        })?;
        Ok(finished.success().then_some(text))
    }

    /// Runs cargo. Lines for people go to `talk` as they come; with `hold`, only once cargo has begun to build, so that a first
    /// trial that fails early leaves no noise. What `--verbose` adds is never shown.
    pub(super) fn run(&self, cancel: &Cancel, hold: bool, talk: &mut dyn FnMut(&str)) -> Result<CargoEnd, StepError> {
        let run = self.command();
        let mut transcript = Transcript::default();
        let mut verbose = Verbose::default();
        let mut held: Option<Vec<String>> = hold.then(Vec::new);
        let finished = run.lines(cancel, &mut |stream, line| {
            let lines = match stream {
                Stream::Stdout if transcript.line(line) => {
                    held.take().unwrap_or_default().iter().for_each(|line| talk(line));
                    return;
                }
                Stream::Stdout => vec![line.to_owned()],
                Stream::Stderr => verbose.line(line),
            };
            match &mut held {
                Some(held) => held.extend(lines),
                None => lines.iter().for_each(|line| talk(line)),
            }
        })?;
        let mut held = held.unwrap_or_default();
        held.extend(verbose.end());
        Ok(CargoEnd { transcript, code: finished.code, stderr: finished.stderr, held, verbose })
    }
}

/// The toolchain that every step must use, as `RUSTUP_TOOLCHAIN`; `None` where there is no rustup.
///
/// `wanted` is what an earlier step used, or the channel of the repository's toolchain file; it is taken if it is installed.
/// Otherwise it is the image's own default. A toolchain file in a folder must not decide: a registry crate may carry one.
pub(super) fn toolchain(
    wanted: Option<&str>,
    environment: &BTreeMap<String, String>,
    cancel: &Cancel,
) -> Result<Option<String>, StepError> {
    if let Some(set) = environment.get("RUSTUP_TOOLCHAIN").filter(|set| !set.is_empty()) {
        return Ok(Some(set.clone()));
    }
    let rustup = |arguments: &[&str]| match Run::new("rustup").args(arguments).cwd("/").output(cancel) {
        Ok(finished) if finished.success() => Ok(Some(finished.stdout)),
        Ok(_) | Err(ProcessError::NotFound { .. }) => Ok(None),
        Err(error) => Err(StepError::from(error)),
    };
    if let Some(wanted) = wanted {
        let Some(list) = rustup(&["toolchain", "list"])? else { return Ok(None) };
        let installed = list.lines().filter_map(|line| line.split_whitespace().next());
        let mut matching =
            installed.filter(|name| *name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')));
        if let Some(name) = matching.next() {
            return Ok(Some(name.to_owned()));
        }
    }
    let active = rustup(&["show", "active-toolchain"])?;
    Ok(active.as_deref().and_then(|text| text.split_whitespace().next()).map(str::to_owned))
}

/// Variables that say where and how a step runs, not what it builds.
const NOISE: &[&str] = &[
    "_",
    "CARGO_HOME",
    "CARGO_LOG",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "COLORTERM",
    "HOSTNAME",
    "LINES",
    "COLUMNS",
    "MAKEFLAGS",
    "NO_COLOR",
    "OLDPWD",
    "PWD",
    "RUSTUP_TOOLCHAIN",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SHLVL",
    "TERM",
    "TERM_PROGRAM",
];

/// Beginnings of names of such variables.
const NOISE_BEGINNINGS: &[&str] =
    &["BUILDKIT_", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_TERM_", "KILN_"];

/// The environment as names and digests of values, without what cannot matter to a build.
pub(super) fn environment_digests(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let matters = |name: &str| {
        let proxy = name.to_lowercase().ends_with("_proxy");
        !proxy && !NOISE.contains(&name) && !NOISE_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    };
    let kept = environment.iter().filter(|(name, _)| matters(name));
    kept.map(|(name, value)| (name.clone(), blake3::hash(value.as_bytes()).to_hex()[..16].to_owned())).collect()
}

/// Names whose values differ.
pub(super) fn changed_variables(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> BTreeSet<String> {
    before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// Digest of the files that say which system packages are installed; those that do not exist count as empty.
pub(super) fn system_digest(files: &[PathBuf]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&fs::read(file).unwrap_or_default());
        hasher.update(&[0]);
    }
    hasher.finalize().to_hex().to_string()
}
