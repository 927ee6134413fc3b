//! The builds that a builder remembers, whoever started them: `docker buildx history`.
//!
//! BuildKit keeps of each what it was asked for, the Dockerfile's text and the progress, for about two days. It does not keep the files.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::buildx::{correct_lines, placed, process_error};
use super::lines::Lines;
use super::wire::{Translator, decode_base64, step_lines};
use super::{Buildx, EngineError, failure};
use crate::event::{BuildEvent, BuildState};
use crate::process::{Finished, Run, Stream};

/// How long the builder may take to answer one question.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Room for the description of a large build.
const CAPTURE: usize = 64 << 20;
/// In which forms the description of a build is kept: earlier and later BuildKits.
const PROVENANCE: [&str; 2] = ["https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1"];

/// A build that a builder remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PastBuild {
    /// What `docker buildx history inspect` calls it.
    pub id: String,
    /// What it is of, in buildx's words: folder, Dockerfile and target as far as they are not the usual ones.
    pub name: String,
    /// `Completed`, `Error`, `Canceled`, `Running`.
    pub status: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many steps it had, by BuildKit's count.
    pub steps: u64,
    /// How many of them were cached.
    pub cached: u64,
}

impl PastBuild {
    /// Whether it made what it was asked for.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.eq_ignore_ascii_case("completed")
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.status.eq_ignore_ascii_case("running")
    }
}

/// What a builder remembers of one build.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PastRun {
    /// Text of the Dockerfile.
    pub dockerfile: Vec<u8>,
    /// `--build-arg`s.
    pub arguments: BTreeMap<String, String>,
    /// `--target`
    pub target: Option<String>,
    /// Named contexts that were folders.
    pub contexts: Vec<String>,
    /// Digests of base images by name and tag, as far as they are known.
    pub images: BTreeMap<String, String>,
    /// What happened.
    pub state: BuildState,
}

/// Why a builder does not tell of earlier builds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PastError {
    /// The client cannot ask for it.
    #[error("this buildx has no `history`")]
    NoHistory,
    /// The builder remembers the build, but not the text of its Dockerfile.
    #[error("the builder does not remember what build `{id}` was made of")]
    NoDescription {
        /// The build.
        id: String,
    },
    /// The builder does not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    created_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    #[serde(default)]
    total_steps: u64,
    #[serde(default)]
    cached_steps: u64,
}

impl Buildx {
    /// The builds that the builder remembers, the latest first.
    ///
    /// # Errors
    /// [`PastError::NoHistory`] before buildx 0.20, and why the builder could not tell.
    pub fn past_builds(&self) -> Result<Vec<PastBuild>, PastError> {
        let finished = self.ask(&["ls", "--no-trunc", "--format", "json"])?;
        Ok(listed(&finished.stdout))
    }

    /// What the builder remembers of one of them.
    ///
    /// # Errors
    /// [`PastError::NoDescription`] for a build without a Dockerfile, and why the builder could not tell.
    pub fn past_run(&self, build: &PastBuild) -> Result<PastRun, PastError> {
        let found = PROVENANCE.iter().find_map(|kind| {
            let finished = self.ask(&["inspect", "attachment", "--type", kind, &build.id]).ok()?;
            let provenance: Value = serde_json::from_str(&finished.stdout).ok()?;
            Some((described(&provenance)?, provenance))
        });
        let Some((mut run, provenance)) = found else { return Err(PastError::NoDescription { id: build.id.clone() }) };
        let lines = Lines::of(&String::from_utf8_lossy(&run.dockerfile));
        let mut translator = Translator::new();
        let mut apply = |event: BuildEvent| placed(&lines, event).iter().for_each(|event| run.state.apply(event));
        let progress = self.question(&["logs", "--progress", "rawjson", &build.id]);
        // Which of the two it is printed on has changed over time.
        let finished = progress.lines(self.cancel_flag(), &mut |_: Stream, line| translator.line(line, &mut apply));
        succeeded(self.program(), finished.map_err(process_error)?)?;
        let told = step_lines(&serde_json::json!({ "buildx.build.provenance": predicate(&provenance) }));
        correct_lines(&told, &lines, &mut run.state, &mut |_| {});
        Ok(run)
    }

    fn question(&self, words: &[&str]) -> Run {
        let run = self.client().args(["buildx"]);
        self.with_builder(run).arg("history").args(words).timeout(TIMEOUT).capture(CAPTURE)
    }

    fn ask(&self, words: &[&str]) -> Result<Finished, PastError> {
        succeeded(self.program(), self.question(words).output(self.cancel_flag()).map_err(process_error)?)
    }
}

fn succeeded(program: &str, finished: Finished) -> Result<Finished, PastError> {
    if finished.success() {
        return Ok(finished);
    }
    // A plugin that lacks the command shows its help, or names what it does not know.
    let said = &finished.stderr;
    if said.contains("unknown command") || said.contains("unknown flag") || said.contains("is not a docker command") {
        return Err(PastError::NoHistory);
    }
    Err(PastError::Engine(failure::question_error(program, said)))
}

/// Reads `history ls`, one object on each line. The reference is `builder/node/id`; questions about a build want the id.
fn listed(text: &str) -> Vec<PastBuild> {
    let builds = text.lines().filter_map(|line| serde_json::from_str::<Listed>(line).ok());
    let mut builds: Vec<PastBuild> = builds
        .map(|listed| PastBuild {
            id: listed.reference.rsplit('/').next().unwrap_or_default().to_owned(),
            name: listed.name,
            status: listed.status,
            started: listed.created_at,
            ended: listed.completed_at,
            steps: listed.total_steps,
            cached: listed.cached_steps,
        })
        .collect();
    builds.sort_by_key(|build| std::cmp::Reverse(build.started));
    builds
}

/// An attachment is a whole statement in some versions.
fn predicate(attachment: &Value) -> &Value {
    attachment.get("predicate").unwrap_or(attachment)
}

/// Reads a provenance, of either form.
fn described(attachment: &Value) -> Option<PastRun> {
    let provenance = predicate(attachment);
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| provenance.pointer(pointer));
    let sources = first(&[
        "/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata/source/infos",
        "/runDetails/metadata/buildkit_metadata/source/infos",
    ])?;
    let source = sources.as_array()?.iter().find(|source| source.get("data").is_some())?;
    let mut run = PastRun { dockerfile: decode_base64(source.get("data")?.as_str()?)?, ..PastRun::default() };
    let args = first(&["/invocation/parameters/args", "/buildDefinition/externalParameters/request/args"]);
    for (name, value) in args.and_then(Value::as_object).into_iter().flatten() {
        let Some(value) = value.as_str() else { continue };
        if let Some(argument) = name.strip_prefix("build-arg:") {
            run.arguments.insert(argument.to_owned(), value.to_owned());
        } else if let Some(context) = name.strip_prefix("context:") {
            if value.starts_with("local:") {
                run.contexts.push(context.to_owned());
            }
        } else if name == "target" {
            run.target = Some(value.to_owned());
        }
    }
    let materials = first(&["/materials", "/buildDefinition/resolvedDependencies"]).and_then(Value::as_array);
    for material in materials.into_iter().flatten() {
        let uri = material.get("uri").and_then(Value::as_str).and_then(|uri| uri.strip_prefix("pkg:docker/"));
        let digest = material.pointer("/digest/sha256").and_then(Value::as_str);
        if let Some((uri, digest)) = uri.zip(digest) {
            let name = uri.split('?').next().unwrap_or(uri);
            run.images.insert(name.replacen('@', ":", 1).replace("%2F", "/"), digest.to_owned());
        }
    }
    Some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_listed_with_the_latest_first() {
        let text = r#"{"ref":"default/default/a1","name":"shop","status":"Completed","created_at":"2026-11-25T10:00:00Z","completed_at":"2026-11-25T10:00:09Z","total_steps":5,"completed_steps":5,"cached_steps":2}
not json
{"ref":"b2","name":"shop (dev)","status":"Error","created_at":"2026-11-25T11:00:00.5Z","completed_at":null,"new":1}"#;
        let builds = listed(text);
        assert_eq!(builds.iter().map(|build| build.id.as_str()).collect::<Vec<_>>(), ["b2", "a1"]);
        assert!(builds[1].succeeded() && !builds[0].succeeded());
        assert_eq!((builds[1].steps, builds[1].cached), (5, 2));
    }

    #[test]
    fn both_forms_of_a_description_are_read() {
        let infos = serde_json::json!([{ "filename": "Dockerfile", "data": "RlJPTSBh" }]);
        let args = serde_json::json!({ "build-arg:V": "1", "target": "t", "context:kiln": "local:kiln", "context:x": "docker-image://y", "cmdline": "z" });
        let materials = serde_json::json!([{ "uri": "pkg:docker/debian@bookworm-slim?platform=linux%2Famd64", "digest": { "sha256": "ab" } }]);
        let old = serde_json::json!({
            "invocation": { "parameters": { "args": args } }, "materials": materials,
            "metadata": { "https://mobyproject.org/buildkit@v1#metadata": { "source": { "infos": infos } } },
        });
        let new = serde_json::json!({
            "buildDefinition": { "externalParameters": { "request": { "args": args } }, "resolvedDependencies": materials },
            "runDetails": { "metadata": { "buildkit_metadata": { "source": { "infos": infos } } } },
        });
        for provenance in [old.clone(), new, serde_json::json!({ "predicate": old })] {
            let run = described(&provenance).unwrap();
            assert_eq!(run.dockerfile, b"FROM a");
            assert_eq!(run.arguments, BTreeMap::from([("V".to_owned(), "1".to_owned())]));
            assert_eq!((run.target.as_deref(), run.contexts), (Some("t"), vec!["kiln".to_owned()]));
            assert_eq!(run.images, BTreeMap::from([("debian:bookworm-slim".to_owned(), "ab".to_owned())]));
        }
        assert_eq!(described(&serde_json::json!({})), None);
    }
}
