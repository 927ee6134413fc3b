//! The `--json` document.

use kiln::lifecycle::warm::{Status, TargetKind};
use serde::Serialize;

use super::Warmed;
use super::row::Row;

#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    targets: Vec<TargetDocument<'a>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TargetDocument<'a> {
    name: &'a str,
    kind: TargetKind,
    /// Name of the image that keeps it in the engine; nothing on a builder without an image store.
    tag: Option<&'a str>,
    status: Status,
    seconds: f64,
    /// Why it is not there, or not there anew.
    error: Option<&'a str>,
    /// The builder, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    builder: Option<&'a str>,
    /// How often it was tried, if more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    /// Ids of a base image whose tag moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Moved<'a>>,
    /// Ids of the cache mounts, for those of a stage.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    mounts: &'a [String],
}

#[derive(Debug, Serialize)]
struct Moved<'a> {
    before: &'a str,
    now: &'a str,
}

/// All targets of all builders.
pub(crate) fn document(warmed: &[Warmed]) -> Document<'_> {
    Document { targets: targets(warmed) }
}

/// The same without the document around it.
pub(crate) fn targets(warmed: &[Warmed]) -> Vec<TargetDocument<'_>> {
    let mut targets = Vec::new();
    for one in warmed {
        targets.extend(one.rows.iter().map(|row| target(one.builder.as_deref(), row)));
    }
    targets
}

fn target<'a>(builder: Option<&'a str>, row: &'a Row) -> TargetDocument<'a> {
    TargetDocument {
        name: &row.name,
        kind: row.kind,
        tag: row.tag.as_deref(),
        status: row.status,
        seconds: (row.seconds * 1000.0).round() / 1000.0,
        error: row.error.as_deref(),
        builder,
        attempts: Some(row.attempts).filter(|attempts| *attempts > 1),
        moved: row.moved.as_ref().map(|(before, now)| Moved { before, now }),
        mounts: &row.mounts,
    }
}
