//! Explain: build records and bench results become a [`Report`], and a report a page, a Markdown document or bars for a terminal.
//!
//! ```text
//! .kiln/builds, .kiln/bench --read--> Sources --fold--> Report --html, markdown, terminal--> text
//! ```
//!
//! A bench run by itself becomes a [`Measured`]: the same table in a terminal, in the document and in that of `kiln bench`.
//!
//! Only [`Sources::read`] looks at files; all else is pure. What comes from builds (names, logs, messages) may hold anything, so each form
//! has a type of its own for text that is safe in it, and control characters are made visible in all of them.

mod build;
mod cache;
mod critical;
mod html;
pub mod markdown;
mod marks;
mod measured;
mod misses;
mod read;
pub mod sentence;
mod stages;
pub mod terminal;
#[cfg(test)]
mod tests;
mod visible;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::bench::result::Results;
use crate::replay::Replay;

pub use build::{Build, Change, Step};
pub use cache::cache_bytes;
pub use html::page;
pub use measured::{Measured, skipped, slow, work};
pub use misses::{Cause, MissSum, misses};
pub use read::Sources;
pub use stages::{Stage, StageState};

/// Bytes of one part of an image or of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is, for people: an instruction, a stage, a mount.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

/// Where the bytes of something are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes {
    /// What the parts belong to: an image, or a service and variant.
    pub name: String,
    /// The parts, in their own order.
    pub parts: Vec<Part>,
}

impl Bytes {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// Everything that a report shows.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Name of the project.
    pub project: String,
    /// When it was made.
    pub made: Timestamp,
    /// The builds, the oldest first; a build's number is its place from 0.
    pub builds: Vec<Build>,
    /// Bench runs with samples, the latest first.
    pub runs: Vec<Results>,
    /// What past commits would have cost; nothing where that was never asked.
    pub replay: Option<Replay>,
    /// Bytes of the images, by layer; nothing where no engine told them.
    pub images: Option<Vec<Bytes>>,
    /// Bytes of the cache, see [`cache_bytes`]; nothing where no engine told them.
    pub cache: Option<Vec<Bytes>>,
    /// How many builds of single stages are left out: `kiln warm` and `kiln build --target` make no image of which there is a history.
    pub stage_builds: usize,
    /// Files that could not be read, each with why.
    pub unreadable: Vec<String>,
}

impl Report {
    /// A report of what was read. `subjects` are the first lines of commits, by their hashes.
    #[must_use]
    pub fn of(project: &str, made: Timestamp, sources: Sources, subjects: &BTreeMap<String, String>) -> Self {
        let mut records = sources.records;
        let all = records.len();
        records.retain(|record| record.header.target.is_none());
        let stage_builds = all - records.len();
        records.sort_by(|a, b| (a.header.started, &a.header.service).cmp(&(b.header.started, &b.header.service)));
        let mut builds: Vec<Build> = Vec::with_capacity(records.len());
        for record in &records {
            let before = builds.iter().rev().find(|build| build.is_of(&record.header));
            let build = Build::of(builds.len(), record, before, subjects);
            builds.push(build);
        }
        let runs = sources.runs.into_iter().filter(|run| !run.samples.is_empty()).collect();
        let (replay, unreadable) = (sources.replay, sources.unreadable);
        Self { project: project.to_owned(), made, builds, runs, replay, stage_builds, unreadable, ..Self::default() }
    }

    /// The builds of the last `kiln build` that has come to its end: the latest one, and those that were started with it. The one that took
    /// longest comes first. Builds that have not ended, as they were killed or are still at work, count where there are no others.
    #[must_use]
    pub fn last(&self) -> Vec<&Build> {
        /// Builds of one command begin together.
        const TOGETHER: f64 = 1.0;
        let ended = self.builds.iter().rev().find(|build| build.ending.is_some());
        let Some(latest) = ended.or(self.builds.last()) else { return Vec::new() };
        let with = |build: &&Build| latest.started.duration_since(build.started).as_secs_f64().abs() <= TOGETHER;
        let mut last: Vec<&Build> = self.builds.iter().filter(with).collect();
        last.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        last
    }

    /// Images that were built, each with its builds, by name.
    #[must_use]
    pub fn lanes(&self) -> BTreeMap<String, Vec<&Build>> {
        let mut lanes: BTreeMap<String, Vec<&Build>> = BTreeMap::new();
        for build in &self.builds {
            lanes.entry(build.name()).or_default().push(build);
        }
        lanes
    }

    /// The run to show first: the latest that came to its end and compares strategies, or the latest.
    #[must_use]
    pub fn main_run(&self) -> Option<&Results> {
        let compares = |run: &&Results| run.end.is_some() && run.header.options.strategies.len() > 1;
        self.runs.iter().find(compares).or_else(|| self.runs.first())
    }
}
