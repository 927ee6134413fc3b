//! What a report is made of, read from the state folder of a project.

use camino::Utf8Path;

use crate::bench::result::{self, Results};
use crate::record::{self, Record};
use crate::replay::{self, Replay};

/// Records and results.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Records of builds.
    pub records: Vec<Record>,
    /// Bench runs, the latest first.
    pub runs: Vec<Results>,
    /// The last replay of past commits.
    pub replay: Option<Replay>,
    /// Files that could not be read, each with why.
    pub unreadable: Vec<String>,
}

impl Sources {
    /// Reads `builds` and `bench` below a state folder, and the last replay: the latest `builds` records, and all results. What cannot be read is told and left out:
    /// one damaged file is no reason to see nothing.
    #[must_use]
    pub fn read(state: &Utf8Path, builds: usize) -> Self {
        let mut sources = Self::default();
        let entries = record::list(&state.join("builds")).unwrap_or_else(|error| {
            sources.unreadable.push(said(&error));
            Vec::new()
        });
        for entry in entries.into_iter().take(builds) {
            match Record::load(&entry.path) {
                Ok(record) => sources.records.push(record),
                Err(error) => sources.unreadable.push(said(&error)),
            }
        }
        let paths = result::list(&state.join("bench")).unwrap_or_else(|error| {
            sources.unreadable.push(said(&error));
            Vec::new()
        });
        for path in paths {
            match Results::load(&path) {
                Ok(results) => sources.runs.push(results),
                Err(error) => sources.unreadable.push(said(&error)),
            }
        }
        match replay::load(state) {
            Ok(replay) => sources.replay = replay,
            Err(error) => sources.unreadable.push(said(&error)),
        }
        sources
    }
}

fn said(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
