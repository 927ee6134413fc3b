//! Removes what a run made in the engine, found by its name, and nothing else.
//!
//! Layers are found by their place: those of a run lie on top of a folder that bears its name
//! (see [`in_namespace`](crate::dockerfile::in_namespace)). Cache mounts have the name in their id, images and containers in a label,
//! volumes in their own name. A layer that came back from an exported cache has lost its name; it still tells when it was made, to the
//! nanosecond, and so it is known by a list of these times ([`Made`]).
//!
//! Where the builder would forget layers of others with every removal ([`forgotten`]), what is in the build cache stays, unless it was asked for.

mod made;
mod owned;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bench::strategy::LABEL;
use crate::engine::{CacheRecord, forgotten, verbose_records};
use crate::process::{Cancel, Finished, Run};
use crate::text::bytes;

pub(super) use made::Made;
use owned::{of_any_run, of_run};

/// How many records one call removes: their ids have to fit on a command line.
const AT_ONCE: usize = 500;
/// A build that was stopped holds its records for a moment longer.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);
/// Why nothing is taken away from a builder.
const FORGETS: &str = "with anything that is removed this engine would forget layers of others, on base images that it has unpacked itself (docs/cache.md); \
                       `--prune` does it all the same";

/// What a clean-up removed, and what it could not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanUp {
    /// Images, containers and volumes removed.
    pub objects: usize,
    /// Records of the build cache removed, layers and mounts.
    pub records: usize,
    /// Cache records that are still there: description, type and size.
    pub left: Vec<String>,
    /// What stays for the sake of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// Layers and mounts that stay, since the builder would forget layers of others with their removal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// How many.
    pub records: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many layers of others it would forget.
    pub others: usize,
}

/// Which part of a run's state to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// All of it.
    Everything,
    /// Layers and mounts of the build cache.
    Cache,
    /// Cache mounts: what an engine's garbage collection takes first.
    Mounts,
}

/// The engine that is cleaned.
#[derive(Debug, Clone)]
pub(in crate::bench) struct Cleaner {
    /// The docker client.
    docker: String,
    /// Whether it may forget layers of others, and is to be spared that.
    careful: bool,
}

impl Cleaner {
    /// `careful` is for engines with the containerd store.
    pub(super) fn new(docker: &str, careful: bool) -> Self {
        Self { docker: docker.to_owned(), careful }
    }

    /// The docker client.
    pub(super) fn docker(&self) -> &str {
        &self.docker
    }

    /// Removes what the run `name`, or one of its namespaces, made.
    pub(super) fn clean_up(&self, name: &str, what: What, made: &Made) -> CleanUp {
        let mut objects = if what == What::Everything { self.remove_objects(name) } else { 0 };
        let made = made.read();
        let wanted = |all: Vec<CacheRecord>| -> Vec<CacheRecord> {
            let found = of_run(&all, name, &made);
            let is_mount = |record: &CacheRecord| what != What::Mounts || record.kind == "exec.cachemount";
            all.into_iter().filter(|record| found.contains(&record.id) && is_mount(record)).collect()
        };
        let all = self.records();
        let others = if self.careful { at_stake(&all) } else { 0 };
        let mut left = wanted(all);
        if others > 0 && !left.is_empty() {
            let bytes = left.iter().map(|record| record.bytes).sum();
            return CleanUp { objects, kept: Some(Kept { records: left.len(), bytes, others }), ..CleanUp::default() };
        }
        let mut removed = BTreeSet::new();
        let mut waited = false;
        for attempt in 0..ATTEMPTS {
            if left.is_empty() {
                break;
            }
            if attempt > 0 {
                thread::sleep(PAUSE);
                waited = true;
            }
            let ids: Vec<String> = left.iter().map(|record| record.id.clone()).collect();
            for ids in ids.chunks(AT_ONCE) {
                let filter = format!("id~=^({})$", ids.join("|"));
                output(&self.docker, &["buildx", "prune", "--all", "--force", "--filter", &filter]);
            }
            removed.extend(ids);
            left = wanted(self.records());
        }
        // A build that nobody waited for any more may have made its image meanwhile.
        if waited && what == What::Everything {
            objects += self.remove_objects(name);
        }
        for record in &left {
            removed.remove(&record.id);
        }
        let described = |record: CacheRecord| format!("{} ({}, {})", record.description, record.kind, bytes(record.bytes));
        CleanUp { objects, records: removed.len(), left: left.into_iter().map(described).collect(), kept: None }
    }

    /// Why nothing can be taken away from builds on these base images; nothing where it can.
    pub(super) fn refusal(&self, bases: &BTreeSet<&str>) -> Option<String> {
        if !self.careful {
            return None;
        }
        // What is laid on an image that is there before the first build would be forgotten, too.
        let is_there = |image: &&str| !output(&self.docker, &["image", "inspect", "--format", "{{.Id}}", image]).is_empty();
        (bases.iter().any(is_there) || at_stake(&self.records()) > 0).then(|| FORGETS.to_owned())
    }

    fn records(&self) -> Vec<CacheRecord> {
        verbose_records(&output(&self.docker, &["buildx", "du", "--verbose"]), Timestamp::now())
    }

    /// Removes containers, volumes and images.
    fn remove_objects(&self, name: &str) -> usize {
        let list =
            |args: &[&str]| -> BTreeSet<String> { output(&self.docker, args).split_whitespace().map(str::to_owned).collect() };
        let label = format!("label={LABEL}={name}");
        let prefix = format!("{name}-");
        let containers = list(&["ps", "--all", "--quiet", "--filter", &label]);
        let mut images = list(&["images", "--all", "--quiet", "--filter", &label]);
        images.extend(list(&["images", "--quiet", "--filter", &format!("reference={name}/*")]));
        images.extend(list(&["images", "--quiet", "--filter", &format!("reference={name}-*/*")]));
        let mut removed = 0;
        let mut remove = |command: &[&str], found: BTreeSet<String>| {
            removed += found.len();
            if !found.is_empty() {
                let found: Vec<&str> = found.iter().map(String::as_str).collect();
                output(&self.docker, &[command, &found].concat());
            }
        };
        remove(&["rm", "--force", "--volumes"], containers);
        // The filter finds the name anywhere in a volume's. A volume can go when its container has gone.
        let volumes = list(&["volume", "ls", "--quiet", "--filter", &format!("name={prefix}")]);
        remove(&["volume", "rm", "--force"], volumes.into_iter().filter(|volume| volume.starts_with(&prefix)).collect());
        remove(&["rmi", "--force"], images);
        removed
    }
}

impl CleanUp {
    /// Why something that has to be gone is still there; nothing if all is gone.
    pub(super) fn refusal(&self) -> Option<String> {
        let kept = self.kept.as_ref().map(|_| FORGETS.to_owned());
        kept.or_else(|| Some(format!("the builder could not be emptied: it keeps {}", self.left.first()?)))
    }
}

/// How many layers the builder would forget with any removal that are of no bench run.
fn at_stake(all: &[CacheRecord]) -> usize {
    let runs = of_any_run(all);
    forgotten(all, |_| false).iter().filter(|record| !runs.contains(&record.id)).count()
}

/// What a docker command prints; nothing if it fails. It runs after an interruption, too.
fn output(docker: &str, args: &[&str]) -> String {
    let finished = Run::new(docker).args(args).capture(64 << 20).output(&Cancel::new()).ok();
    finished.filter(Finished::success).map(|finished| finished.stdout).unwrap_or_default()
}
