//! The last replay, kept for the report: `replay.json` in the state folder.

use std::fs;
use std::io;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::Replay;
use crate::files::replace_file;
use crate::predict::StoreError;

/// Version of the format; a file of another one says nothing.
const SCHEMA: u32 = 1;
const NAME: &str = "replay.json";

#[derive(Serialize)]
struct Kept<'a> {
    schema: u32,
    replay: &'a Replay,
}

#[derive(Deserialize)]
struct Read {
    schema: u32,
    replay: serde_json::Value,
}

/// Keeps a replay in place of the one before.
///
/// # Errors
/// What the system says.
pub fn save(state: &Utf8Path, replay: &Replay) -> Result<(), StoreError> {
    let path = state.join(NAME);
    let bytes = serde_json::to_vec(&Kept { schema: SCHEMA, replay }).map_err(io::Error::other);
    bytes.and_then(|bytes| replace_file(&path, bytes)).map_err(|source| StoreError { path, source })
}

/// The replay that was kept last; nothing if there is none, or it is of another version.
///
/// # Errors
/// A file that cannot be read or understood.
pub fn load(state: &Utf8Path) -> Result<Option<Replay>, StoreError> {
    let path = state.join(NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError { path, source }),
    };
    let damaged = |error: serde_json::Error| StoreError { path: path.clone(), source: io::Error::other(error) };
    let read: Read = serde_json::from_slice(&bytes).map_err(damaged)?;
    if read.schema != SCHEMA {
        return Ok(None);
    }
    let replay: Replay = serde_json::from_value(read.replay).map_err(damaged)?;
    let fits = |commit: &super::ReplayedCommit| {
        commit.builds.len() == replay.images.len()
            && commit
                .builds
                .iter()
                .zip(&replay.images)
                .all(|(build, image)| build.steps.iter().all(|step| step.step < image.steps.len()))
    };
    if replay.commits.iter().all(fits) {
        return Ok(Some(replay));
    }
    Err(StoreError { path, source: io::Error::other("it does not fit together") })
}
