//! The engine behind `docker buildx`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::cache::LocalCaches;
use super::lines::Lines;
use super::wire::Translator;
use super::{
    BuildRequest, BuilderInfo, Engine, EngineError, EngineInfo, ImageInfo, MINIMUM_BUILDX, MINIMUM_ENGINE, Outcome, Output,
    StoredImage, bake, failure, look, sent, store, unpack, wire,
};
use crate::event::{BuildEvent, BuildState, EXPORTING, IMPORTING, StepName, StepStatus};
use crate::process::{Cancel, ProcessError, Run, Stream};
use crate::text::repository;

/// How long the engine may take to say what it is.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to tell an image's size, which is only for show.
const INSPECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a registry may take to describe an image, which may save minutes of work.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a builder may take to list its cache mounts.
const DISK_USAGE_TIMEOUT: Duration = Duration::from_secs(15);

/// `docker buildx`, found in `PATH` or elsewhere.
#[derive(Debug, Clone)]
pub struct Buildx {
    docker: String,
    state: Utf8PathBuf,
    builder: Option<String>,
    /// The context whose engine does the work, where it is another than the client's own; found when it first matters.
    context: OnceLock<Option<String>>,
    cancel: Cancel,
}

impl Buildx {
    /// An engine that keeps context links and short-lived files below `state`, a folder of kiln's own.
    #[must_use]
    pub fn new(state: impl Into<Utf8PathBuf>) -> Self {
        Self { docker: "docker".to_owned(), state: state.into(), builder: None, context: OnceLock::new(), cancel: Cancel::new() }
    }

    /// Uses another client than `docker` in `PATH`.
    #[must_use]
    pub fn docker(mut self, program: impl Into<String>) -> Self {
        self.docker = program.into();
        self
    }

    /// Uses a builder instance other than the current one.
    #[must_use]
    pub fn builder(mut self, name: Option<String>) -> Self {
        self.builder = name;
        self.context = OnceLock::new();
        self
    }

    /// Ends builds when the flag is set.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    fn command(&self, request: &BuildRequest, caches: &LocalCaches, context: &Utf8Path, metadata: &Utf8Path) -> Run {
        let mut run = self
            .client()
            .args(["buildx", "build", "--progress=rawjson", "--metadata-file"])
            .arg(metadata)
            .env("BUILDX_METADATA_PROVENANCE", "max")
            .arg("--file")
            .arg(&request.dockerfile);
        if let Some(builder) = &self.builder {
            run = run.args(["--builder", builder]);
        }
        run = match request.output {
            // An attestation carries the time of the build: with one, an unchanged image would get a new id each time.
            Output::Load => run.args(["--load", "--provenance=false"]).env("BUILDX_GIT_INFO", "false"),
            Output::Push if request.bare => run.args(["--push", "--provenance=false"]).env("BUILDX_GIT_INFO", "false"),
            Output::Push => run.arg("--push"),
            Output::Discard => run.args(["--output=type=cacheonly", "--provenance=false"]).env("BUILDX_GIT_INFO", "false"),
        };
        if request.no_cache {
            run = run.arg("--no-cache");
        }
        if let Some(target) = &request.target {
            run = run.args(["--target", target]);
        }
        if !request.platforms.is_empty() {
            run = run.args(["--platform", &request.platforms.join(",")]);
        }
        for tag in &request.tags {
            run = run.args(["--tag", tag]);
        }
        for (name, value) in &request.build_args {
            let argument = value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}"));
            run = run.args(["--build-arg", &argument]);
        }
        for (name, value) in &request.labels {
            run = run.args(["--label", &format!("{name}={value}")]);
        }
        for (name, directory) in &request.named_contexts {
            run = run.args(["--build-context", &format!("{name}={directory}")]);
        }
        for secret in &request.secrets {
            run = run.args(["--secret", &secret.flag()]);
        }
        for cache in &caches.from {
            run = run.args(["--cache-from", &cache.to_string()]);
        }
        for cache in &caches.to {
            run = run.args(["--cache-to", &cache.to_string()]);
        }
        run.arg(context)
    }

    fn build_once(&self, request: &BuildRequest, events: &mut dyn FnMut(BuildEvent)) -> Result<Outcome, EngineError> {
        let context = sent::link(&self.state.join("contexts"), request)?;
        let metadata = Temporary::new(&self.directory("run")?, &request.name);
        let caches = LocalCaches::prepare(&request.cache_from, &request.cache_to, &request.name)?;
        let run = self.command(request, &caches, &context, &metadata.0);
        let mut translator = Translator::new();
        let mut state = BuildState::new();
        let mut stdout = Vec::new();
        let lines = Lines::of(&fs::read_to_string(&request.dockerfile).unwrap_or_default());
        let mut emit = |event: BuildEvent| {
            for event in placed(&lines, event) {
                state.apply(&event);
                events(event);
            }
        };
        for (number, (folder, reason)) in caches.skipped.iter().enumerate() {
            for event in failed_step(&format!("import-{number}"), &format!("{IMPORTING}{folder}"), &with_cause(reason)) {
                emit(event);
            }
        }
        let finished = run.lines(&self.cancel, &mut |stream, line| match stream {
            Stream::Stderr => translator.line(line, &mut emit),
            Stream::Stdout if stdout.len() < 20 => stdout.push(line.to_owned()),
            Stream::Stdout => {}
        });
        let finished = finished.map_err(process_error)?;
        let metadata: Value =
            fs::read(&metadata.0).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null);
        correct_lines(&wire::step_lines(&metadata), &lines, &mut state, events);
        if let Some(signal) = finished.signal {
            return Err(EngineError::Killed { program: self.docker.clone(), signal });
        }
        if !finished.success() {
            for line in &stdout {
                state.apply(&BuildEvent::Text { line: line.clone() });
            }
            return Err(failure::build_error(&state));
        }
        if translator.progress_lines() == 0 {
            let detail = state.text.last().or_else(|| stdout.last().cloned()).unwrap_or_else(|| "nothing at all".to_owned());
            return Err(EngineError::Nonsense { program: self.docker.clone(), detail });
        }
        let must_export = request.cache_to.iter().any(|cache| cache.get("ignore-error") == Some("false"));
        for (number, (folder, source)) in caches.commit().into_iter().enumerate() {
            if must_export {
                return Err(EngineError::LocalCache { folder, source });
            }
            for event in failed_step(&format!("export-{number}"), &format!("{EXPORTING}{folder}"), &with_cause(&source)) {
                events(event);
            }
        }
        let digest = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut outcome = Outcome { id: digest("containerimage.digest"), size: None };
        // A build in which nothing ran made no new image: not worth another start of the client.
        let ran = state.dockerfile_steps().iter().any(|step| step.final_status(true) == StepStatus::Ran);
        if request.output == Output::Load
            && ran
            && let Some((id, size)) = request.tags.first().or(outcome.id.as_ref()).and_then(|image| self.inspect(image))
        {
            outcome = Outcome { id: Some(id), size: Some(size) };
        }
        Ok(outcome)
    }

    /// A folder of kiln's own, made if need be.
    pub(super) fn directory(&self, name: &str) -> Result<Utf8PathBuf, EngineError> {
        let path = self.state.join(name);
        fs::create_dir_all(&path).map_err(|source| EngineError::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// Id and size of a loaded image. Only for show: what goes wrong here is no error.
    fn inspect(&self, image: &str) -> Option<(String, u64)> {
        let run = self.client().args(["image", "inspect", "--format", "{{.Id}} {{.Size}}", image]).timeout(INSPECT_TIMEOUT);
        let finished = run.output(&self.cancel).ok().filter(crate::process::Finished::success)?;
        let (id, size) = finished.stdout.trim().split_once(' ')?;
        Some((id.to_owned(), size.parse().ok()?))
    }
}

impl Engine for Buildx {
    /// One `docker info` tells everything: client, plugins, engine and storage.
    fn check(&self) -> Result<EngineInfo, EngineError> {
        let run = self.client().args(["info", "--format", "{{json .}}"]).timeout(CHECK_TIMEOUT).capture(4 << 20);
        let finished = run.output(&self.cancel).map_err(process_error)?;
        let nonsense = |detail: &str| EngineError::NotDocker { program: self.docker.clone(), detail: detail.to_owned() };
        let Ok(info) = serde_json::from_str::<Info>(finished.stdout.trim()) else {
            return Err(failure::client_error(&finished.stderr).unwrap_or_else(|| nonsense("it does not answer `docker info`")));
        };
        let Some(client) = info.client_info else { return Err(nonsense("`docker info` lacks `ClientInfo`")) };
        let buildx = client.plugins.unwrap_or_default().into_iter().find(|plugin| plugin.name == "buildx");
        let buildx = buildx.ok_or(EngineError::BuildxMissing)?.version;
        let needed = |(major, minor)| format!("{major}.{minor}");
        if older(&buildx, MINIMUM_BUILDX) {
            return Err(EngineError::BuildxTooOld { found: buildx, needed: needed(MINIMUM_BUILDX) });
        }
        // A remote builder works without an engine on this machine.
        if info.server_version.is_empty() && self.builder.is_none() {
            let words = format!("{}\n{}", info.server_errors.unwrap_or_default().join("\n"), finished.stderr);
            let detail = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message").trim().to_owned();
            return Err(failure::client_error(&words).unwrap_or(EngineError::NotRunning { detail }));
        }
        if older(&info.server_version, MINIMUM_ENGINE) && self.builder.is_none() {
            return Err(EngineError::EngineTooOld { found: info.server_version, needed: needed(MINIMUM_ENGINE) });
        }
        let containerd_store =
            info.driver_status.unwrap_or_default().iter().flatten().any(|word| word.starts_with("io.containerd.snapshotter"));
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(EngineInfo {
            client: client.version,
            server: some(info.server_version),
            buildx,
            storage_driver: some(info.driver),
            containerd_store,
        })
    }

    fn build(&self, request: &BuildRequest, events: &mut dyn FnMut(BuildEvent)) -> Result<Outcome, EngineError> {
        unpack::build(|events| self.build_once(request, events), events)
    }

    fn cached(&self, requests: &[&BuildRequest]) -> Option<Vec<Outcome>> {
        bake::ask(self, requests)
    }

    fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        match self.remote_image(reference) {
            Ok(Some(image)) => Ok(Some(image)),
            Err(EngineError::Interrupted) => Err(EngineError::Interrupted),
            // A builder elsewhere has nothing of what the engine here has.
            answer if self.builder.is_some() => answer,
            answer => self.local_image(reference).map_or(answer, |image| Ok(Some(image))),
        }
    }

    fn cache_mount(&self, id: &str) -> Result<u64, EngineError> {
        Ok(self.cache_mounts()?.remove(id).unwrap_or_default())
    }

    fn cache_mounts(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        let run = self.client().args(["buildx", "du", "--verbose", "--filter", "type=exec.cachemount"]);
        let run = self.with_builder(run).timeout(DISK_USAGE_TIMEOUT).capture(16 << 20);
        Ok(look::mounts(&self.succeed(&run)?.stdout))
    }

    fn builder_info(&self) -> Result<BuilderInfo, EngineError> {
        store::inspect_builder(&self.docker, self.builder.as_deref(), &self.cancel)
    }

    fn stored(&self, references: &[String]) -> Result<Vec<Option<StoredImage>>, EngineError> {
        store::inspect_images(self.client(), references, &self.cancel)
    }

    fn pull(&self, reference: &str, platform: Option<&str>) -> Result<(), EngineError> {
        store::pull(self.client(), (&self.docker, reference), platform, &self.cancel)
    }

    fn forget(&self, id: &str) -> Result<(), EngineError> {
        store::forget(|| self.client(), id, &self.cancel)
    }
}

/// The questions of [`Engine`] that are no builds.
impl Buildx {
    /// Whether the builder makes `COPY --link` apart from what it is laid on: a BuildKit of its own does, Docker's with the containerd store.
    ///
    /// # Errors
    /// Why the builder or the engine cannot tell.
    pub fn merges(&self) -> Result<bool, EngineError> {
        Ok(!self.builder_info()?.has_store() || self.check()?.containerd_store)
    }

    /// The client. A builder of the `docker` driver is the engine of the context of that name, which need not be the one that the client
    /// speaks to by itself: then images and containers are in that engine, and buildx wants to be switched to it.
    pub(super) fn client(&self) -> Run {
        let run = Run::new(&self.docker);
        match self.other_context() {
            Some(context) => run.args(["--context", &context]),
            None => run,
        }
    }

    fn other_context(&self) -> Option<String> {
        let builder = self.builder.as_deref().filter(|name| *name != "default")?;
        if let Some(known) = self.context.get() {
            return known.clone();
        }
        let info = self.builder_info().ok()?;
        let is_context = info.has_store() && info.name == builder;
        let context = is_context.then_some(info.name);
        self.context.get_or_init(|| context).clone()
    }

    pub(super) fn program(&self) -> &str {
        &self.docker
    }

    pub(super) const fn cancel_flag(&self) -> &Cancel {
        &self.cancel
    }

    pub(super) fn builder_name(&self) -> Option<&str> {
        self.builder.as_deref()
    }

    pub(super) fn with_builder(&self, run: Run) -> Run {
        match &self.builder {
            Some(builder) => run.args(["--builder", builder]),
            None => run,
        }
    }

    fn remote_image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        let run = self.client().args(["buildx", "imagetools", "inspect", "--format", "{{json .}}"]);
        let run = self.with_builder(run).arg(reference).timeout(REGISTRY_TIMEOUT).capture(4 << 20);
        let finished = run.output(&self.cancel).map_err(process_error)?;
        if !finished.success() {
            return if look::is_absent(&finished.stderr) { Ok(None) } else { Err(look::said(reference, &finished.stderr)) };
        }
        let unclear = || look::said(reference, "the client describes it in a way that kiln does not understand");
        look::remote_image(&finished.stdout).map(Some).ok_or_else(unclear)
    }

    /// An image that was pulled, or built in the containerd store, and that no registry gives now.
    fn local_image(&self, reference: &str) -> Option<ImageInfo> {
        let run = self.client().args(["image", "inspect", "--format", "{{json .}}", reference]);
        let finished = run.timeout(INSPECT_TIMEOUT).capture(1 << 20).output(&self.cancel).ok()?;
        if finished.success() { look::local_image(&finished.stdout, repository(reference)) } else { None }
    }
}

/// A step of kiln's own, about a cache in a folder, in the form in which BuildKit tells of other caches.
fn failed_step(digest: &str, name: &str, error: &str) -> [BuildEvent; 3] {
    let (digest, at) = (format!("kiln:{digest}"), Timestamp::now());
    [
        BuildEvent::StepFound { digest: digest.clone(), name: name.to_owned(), inputs: Vec::new() },
        BuildEvent::StepStarted { digest: digest.clone(), at },
        BuildEvent::StepFinished { digest, at, error: Some(error.to_owned()) },
    ]
}

/// An error with what caused it, on one line.
fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

pub(super) fn process_error(error: ProcessError) -> EngineError {
    match error {
        ProcessError::NotFound { program } => EngineError::DockerNotFound { program },
        ProcessError::Cancelled { .. } => EngineError::Interrupted,
        ProcessError::TimedOut { .. } => EngineError::Unresponsive,
        error => EngineError::Process(error),
    }
}

/// Adds to a step that was found where it stands, and calls it by its name in this build.
pub(super) fn placed(lines: &Lines, event: BuildEvent) -> Vec<BuildEvent> {
    let BuildEvent::StepFound { digest, name, inputs } = event else { return vec![event] };
    let (line, better) = lines.find(&StepName::parse(&name));
    let line = line.map(|line| BuildEvent::StepLines { lines: BTreeMap::from([(digest.clone(), line)]) });
    let found = BuildEvent::StepFound { digest, name: better.unwrap_or(name), inputs };
    std::iter::once(found).chain(line).collect()
}

/// Says where steps stand now that the engine told, and calls those by their names that another build had named.
pub(super) fn correct_lines(
    told: &BTreeMap<String, u32>,
    lines: &Lines,
    state: &mut BuildState,
    events: &mut dyn FnMut(BuildEvent),
) {
    let mut corrections = Vec::new();
    let mut moved = BTreeMap::new();
    for (digest, line) in told {
        let Some(step) = state.step(digest) else { continue };
        // Stages share the step of one base image, so its name says more than the line, if it is a name of this build.
        if step.name.is_from() && step.line.is_some() {
            continue;
        }
        if let Some(name) = lines.correct(&step.name, *line) {
            corrections.push(BuildEvent::StepFound { digest: digest.clone(), name, inputs: step.inputs.clone() });
        }
        if step.line != Some(*line) {
            moved.insert(digest.clone(), *line);
        }
    }
    if !moved.is_empty() {
        corrections.push(BuildEvent::StepLines { lines: moved });
    }
    for event in corrections {
        state.apply(&event);
        events(event);
    }
}

/// A file that goes when the build is over.
#[derive(Debug)]
pub(super) struct Temporary(pub(super) Utf8PathBuf);

impl Temporary {
    pub(super) fn new(directory: &Utf8Path, name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(directory.join(format!("{}-{number}-{name}.json", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    server_version: String,
    #[serde(default)]
    driver: String,
    driver_status: Option<Vec<Vec<String>>>,
    server_errors: Option<Vec<String>>,
    client_info: Option<ClientInfo>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ClientInfo {
    #[serde(default)]
    version: String,
    plugins: Option<Vec<Plugin>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plugin {
    name: String,
    #[serde(default)]
    version: String,
}

/// Whether a version such as `v0.17.1` or `28.5.2+dfsg4` is older than another. One without numbers (a development build) is not.
fn older(version: &str, than: (u32, u32)) -> bool {
    let mut numbers = version.trim_start_matches('v').split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared() {
        for (version, expected) in [
            ("0.17.0", false),
            ("v0.16.2", true),
            ("0.29.1+ds1", false),
            ("1.0.0-rc1", false),
            ("0.9.1-docker", true),
            ("master", false),
            ("", false),
        ] {
            assert_eq!(older(version, MINIMUM_BUILDX), expected, "{version}");
        }
        assert!(older("20.10.24+dfsg1", MINIMUM_ENGINE) && !older("28.5.2+dfsg4", MINIMUM_ENGINE));
    }
}
