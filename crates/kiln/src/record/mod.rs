//! Remember: one JSON Lines file per build, in a folder per project.
//!
//! The first line is the [`Header`], then come steps as they finish (a later line about the same step replaces the earlier one),
//! and the [`End`]. Where the build could be explained, a last line holds its [misses](Record::misses). Lines are appended as the build goes, so a build that was killed leaves what it knew. A reader skips lines that it
//! does not understand. Files are bounded by count and age; there is no index to corrupt.

mod edited;
mod files;
mod git;
mod history;
mod recorder;

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{EngineWarning, StepStatus};
use crate::plan::Variant;
use crate::predict::Miss;
use crate::recipe::CargoReport;

pub use edited::Edited;
pub use files::{Entry, Limits, list, prune};
pub use git::{GitHead, commit_subjects, git_branches, git_head};
pub use history::History;
pub use recorder::{Recorder, append_misses, step_records};

/// Version of the format.
pub const RECORD_SCHEMA: u32 = 1;

/// A record that cannot be used. Never a reason to stop a build.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file or folder cannot be read or written.
    #[error("cannot use the build record `{path}`")]
    File {
        /// The file or folder.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file does not begin with a header.
    #[error("`{path}` is not a build record")]
    NoHeader {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The file is of a later kiln.
    #[error("`{path}` was written by a later kiln (schema {schema})")]
    Schema {
        /// The file.
        path: Utf8PathBuf,
        /// Its format.
        schema: u32,
    },
}

/// What is known before a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`RECORD_SCHEMA`].
    pub schema: u32,
    /// Version of kiln.
    pub kiln: String,
    /// Hash of the plan.
    pub plan: String,
    /// The service.
    pub service: String,
    /// The variant.
    pub variant: Variant,
    /// Name of the image.
    pub image: String,
    /// The Dockerfile, relative to the project.
    pub dockerfile: Utf8PathBuf,
    /// The stage that was built in place of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The builder, where it is not the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// What is checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitHead>,
    /// When the build began.
    pub started: Timestamp,
}

/// One step, compact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Number within the build, from 0, by which [`inputs`](Self::inputs) refer to it.
    pub step: usize,
    /// Its name as BuildKit gives it.
    pub name: String,
    /// Stage, index and total for steps of the Dockerfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What became of it.
    pub status: StepStatus,
    /// Seconds it worked.
    pub seconds: f64,
    /// When it first began to work, in seconds after the build's begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<f64>,
    /// When it last stopped, in seconds after the build's begin: later than [`begin`](Self::begin) and [`seconds`](Self::seconds) say
    /// where it paused. Records of earlier kilns lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<f64>,
    /// Numbers of the steps whose results it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<usize>,
    /// Bytes that were transferred for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The end of its output, if it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What cargo did in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cargo: Option<CargoReport>,
}

/// Where a step stands in the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Platform, in builds for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Name of the stage.
    pub stage: String,
    /// Which of the stage's steps, from 1.
    pub index: u32,
    /// How many the stage has.
    pub total: u32,
    /// The instruction.
    pub instruction: String,
    /// Its line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// There is an image.
    Succeeded,
    /// The Dockerfile or a step is to blame.
    Failed,
    /// The user, or another build's failure, stopped it.
    Interrupted,
    /// The engine is to blame.
    Engine,
}

/// What is known after a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// How it ended.
    pub ending: Ending,
    /// Seconds from begin to end.
    pub seconds: f64,
    /// Id of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Size of the image in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Bytes of contexts that were sent.
    #[serde(default)]
    pub context_bytes: u64,
    /// Files that differ from the commit of [`Header::git`]; nothing where git did not say it in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// Why there is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Warnings of the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<EngineWarning>,
}

/// One line of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
enum Line {
    Header(Header),
    Step(Box<StepRecord>),
    End(End),
    Misses { misses: Vec<Miss> },
}

/// A build as it was recorded: a fold over the lines of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was known before.
    pub header: Header,
    /// The steps, by number.
    pub steps: Vec<StepRecord>,
    /// How it ended; nothing if kiln was killed.
    pub end: Option<End>,
    /// The steps that ran, each with its reasons; nothing where the build could not be explained.
    pub misses: Option<Vec<Miss>>,
    /// Lines that could not be read.
    pub damaged: usize,
}

impl Record {
    /// Reads a record. Lines that are damaged or cut off are counted and left out.
    ///
    /// # Errors
    /// [`RecordError`], if the file cannot be read or is no record.
    pub fn load(path: &Utf8Path) -> Result<Self, RecordError> {
        let bytes = std::fs::read(path).map_err(|source| RecordError::File { path: path.to_owned(), source })?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        let Some(Line::Header(header)) = lines.next().and_then(|line| serde_json::from_str(line).ok()) else {
            return Err(RecordError::NoHeader { path: path.to_owned() });
        };
        if header.schema > RECORD_SCHEMA {
            return Err(RecordError::Schema { path: path.to_owned(), schema: header.schema });
        }
        let mut record = Self { header, steps: Vec::new(), end: None, misses: None, damaged: 0 };
        for line in lines {
            match serde_json::from_str(line) {
                Ok(Line::Step(step)) => match record.steps.iter_mut().find(|known| known.step == step.step) {
                    Some(known) => *known = *step,
                    None => record.steps.push(*step),
                },
                Ok(Line::End(end)) => record.end = Some(end),
                Ok(Line::Misses { misses }) => record.misses = Some(misses),
                Ok(Line::Header(_)) | Err(_) => record.damaged += 1,
            }
        }
        record.steps.sort_by_key(|step| step.step);
        Ok(record)
    }

    /// Names of the crates that cargo compiled in the steps that ran, local and external.
    #[must_use]
    pub fn crates_compiled(&self) -> usize {
        crates_compiled(self.steps.iter().filter(|step| step.status == StepStatus::Ran).filter_map(|step| step.cargo.as_ref()))
    }
}

/// How many crates cargo compiled, by its reports.
pub fn crates_compiled<'a>(reports: impl Iterator<Item = &'a CargoReport>) -> usize {
    reports.map(|report| report.local_compiled.len() + report.external_compiled.len()).sum()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
