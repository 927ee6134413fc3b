//! Removes what a run made in the engine, found by its name, and nothing else.
//!
//! Layers are found by their place: those of a run lie on top of a folder that bears its name
//! (see [`in_namespace`](crate::dockerfile::in_namespace)). Cache mounts have the name in their id, images and containers in a label,
//! volumes in their own name. A layer that came back from an exported cache has lost its name; it still tells when it was made, to the
//! nanosecond, and so it is known by a list of these times ([`Made`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bench::strategy::LABEL;
use crate::engine::{CacheRecord, verbose_records};
use crate::process::{Cancel, Finished, Run};
use crate::text::bytes;

/// How many records one call removes: their ids have to fit on a command line.
const AT_ONCE: usize = 500;
/// A build that was stopped holds its records for a moment longer.
const ATTEMPTS: u32 = 10;
/// How BuildKit describes a layer of an imported cache; its digest follows.
const IMPORTED: &str = "imported sha256:";
const PAUSE: Duration = Duration::from_millis(500);

/// What a clean-up removed, and what it could not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanUp {
    /// Images, containers and volumes removed.
    pub objects: usize,
    /// Records of the build cache removed, layers and mounts.
    pub records: usize,
    /// Cache records that are still there: description, type and size.
    pub left: Vec<String>,
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

/// When the layers of namespaces were made: a file beside the copy, so that the next run has it when this one is killed.
#[derive(Debug, Clone)]
pub(super) struct Made(Utf8PathBuf);

impl Made {
    /// The list in a run's folder of state.
    pub(super) fn at(state: &Utf8Path) -> Self {
        Self(state.join("made"))
    }

    /// Notes the layers that a namespace has now. To be called before they are exported, and so before they can be imported.
    pub(super) fn note(&self, docker: &str, namespace: &str) -> io::Result<()> {
        let all = verbose_records(&output(docker, &["buildx", "du", "--verbose"]), Timestamp::now());
        let found = of_run(&all, namespace, &BTreeMap::new());
        let lines =
            all.iter().filter(|record| found.contains(&record.id)).map(|record| format!("{}\t{namespace}\n", created(record)));
        let text: String = lines.collect();
        let mut file = File::options().create(true).append(true).open(&self.0)?;
        file.write_all(text.as_bytes())
    }

    /// Time and namespace.
    fn read(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        lines.map(|(created, namespace)| (created.to_owned(), namespace.to_owned())).collect()
    }
}

/// Removes what the run `name`, or one of its namespaces, made.
pub(super) fn clean_up(docker: &str, name: &str, what: What, made: &Made) -> CleanUp {
    let objects = if what == What::Everything { remove_objects(docker, name) } else { 0 };
    let made = made.read();
    let wanted = |docker, name, what| wanted(docker, name, what, &made);
    let mut removed = BTreeSet::new();
    let mut left = wanted(docker, name, what);
    for attempt in 0..ATTEMPTS {
        if left.is_empty() {
            break;
        }
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        let ids: Vec<String> = left.iter().map(|record| record.id.clone()).collect();
        for ids in ids.chunks(AT_ONCE) {
            output(docker, &["buildx", "prune", "--all", "--force", "--filter", &format!("id~=^({})$", ids.join("|"))]);
        }
        removed.extend(ids);
        left = wanted(docker, name, what);
    }
    for record in &left {
        removed.remove(&record.id);
    }
    CleanUp {
        objects,
        records: removed.len(),
        left: left
            .into_iter()
            .map(|record| format!("{} ({}, {})", record.description, record.kind, bytes(record.bytes)))
            .collect(),
    }
}

/// The records that are to be removed.
fn wanted(docker: &str, name: &str, what: What, made: &BTreeMap<String, String>) -> Vec<CacheRecord> {
    let all = verbose_records(&output(docker, &["buildx", "du", "--verbose"]), Timestamp::now());
    let found = of_run(&all, name, made);
    let is_wanted =
        |record: &CacheRecord| found.contains(&record.id) && (what != What::Mounts || record.kind == "exec.cachemount");
    all.into_iter().filter(is_wanted).collect()
}

/// Removes containers, volumes and images.
fn remove_objects(docker: &str, name: &str) -> usize {
    let list = |args: &[&str]| -> BTreeSet<String> { output(docker, args).split_whitespace().map(str::to_owned).collect() };
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
            output(docker, &[command, &found].concat());
        }
    };
    remove(&["rm", "--force", "--volumes"], containers);
    // The filter finds the name anywhere in a volume's. A volume can go when its container has gone.
    let volumes = list(&["volume", "ls", "--quiet", "--filter", &format!("name={prefix}")]);
    remove(&["volume", "rm", "--force"], volumes.into_iter().filter(|volume| volume.starts_with(&prefix)).collect());
    remove(&["rmi", "--force"], images);
    removed
}

/// What a docker command prints; nothing if it fails. It runs after an interruption, too.
fn output(docker: &str, args: &[&str]) -> String {
    let finished = Run::new(docker).args(args).capture(64 << 20).output(&Cancel::new()).ok();
    finished.filter(Finished::success).map(|finished| finished.stdout).unwrap_or_default()
}

/// When a record was made, as text that tells it from others.
fn created(record: &CacheRecord) -> String {
    record.created.map(|time| time.to_string()).unwrap_or_default()
}

/// Ids of the records that name the run or are known by their time, and of all that lie on top of them.
fn of_run(records: &[CacheRecord], name: &str, made: &BTreeMap<String, String>) -> BTreeSet<String> {
    let came_back = |record: &CacheRecord| {
        let namespace = made.get(&created(record)).filter(|_| record.description.starts_with(IMPORTED));
        namespace.and_then(|namespace| namespace.strip_prefix(name)).is_some_and(ends)
    };
    let own = records.iter().filter(|record| names(&record.description, name) || came_back(record));
    let mut found: BTreeSet<String> = own.map(|record| record.id.clone()).collect();
    loop {
        let before = found.len();
        for record in records {
            if record.parents.iter().any(|parent| found.contains(parent)) {
                found.insert(record.id.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Whether a description has a folder, a mount's id (or namespace) or a named context that begins with the name.
fn names(description: &str, name: &str) -> bool {
    ["/kiln-bench/", " with id \"/", " with id \"", "local source for "].iter().any(|lead| {
        let wanted = format!("{lead}{name}");
        let mut rests = description.match_indices(&wanted).map(|(at, found)| &description[at + found.len()..]);
        rests.any(ends)
    })
}

/// Whether a name ends before this text: `app-1a` is no part of `app-1ab`.
fn ends(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DU: &str = "\
ID:           base
Description:  pulled from docker.io/library/rust
Size:         900MB
Type:         regular

ID:           mark
Parents:
 - base
Created at:   2026-11-24 14:58:47.565902501 +0000 UTC
Size:         0B
Description:  [chef 2/3] WORKDIR /kiln-bench/app-bench-1a-0
Type:         regular

ID:           top
Parents:
 - middle
 - other
Size:         12.1MB
Description:  mount / from exec /bin/sh -c cargo build: all
Type:         regular

ID:           middle
Parents:
 - mark
Size:         1kB
Description:  [builder 4/5] COPY . .
Type:         regular

ID:           mount
Size:         1.5GB
Description:  cached mount /target from exec /bin/sh -c cargo with id \"/app-bench-1a-0-mounts-target\"
Type:         exec.cachemount

ID:           ns
Description:  cached mount /target from exec /bin/sh -c cargo with id \"app-bench-1a-0-own/target\"
Type:         exec.cachemount

ID:           tool
Description:  local source for app-bench-1a/kiln
Type:         source.local

ID:           foreign
Description:  cached mount /target from exec /bin/sh -c cargo with id \"/app-bench-1ab-0-target\"
Type:         exec.cachemount

ID:           users
Description:  cached mount /target from exec /bin/sh -c cargo with id \"/app-target\"
Type:         exec.cachemount

ID:           back
Parents:
 - base
Created at:   2026-11-24 15:00:00.123456789 +0000 UTC
Description:  imported sha256:aa
Type:         regular

ID:           above
Parents:
 - back
Description:  [builder 5/5] RUN cargo build
Type:         regular

ID:           same
Created at:   2026-11-24 15:00:00.987654321 +0000 UTC
Description:  imported sha256:aa
Type:         regular
Total: 3GB
";

    #[test]
    fn a_run_owns_its_mounts_and_what_lies_on_its_folder() {
        let all = verbose_records(DU, Timestamp::now());
        assert_eq!(all.len(), 12);
        assert_eq!(all[2].parents, ["middle", "other"]);
        assert_eq!((all[4].bytes, all[4].kind.as_str()), (1_500_000_000, "exec.cachemount"));
        let none = BTreeMap::new();
        let of_run = |all: &[CacheRecord], name: &str| of_run(all, name, &none);
        let found: Vec<String> = of_run(&all, "app-bench-1a").into_iter().collect();
        assert_eq!(found, ["mark", "middle", "mount", "ns", "tool", "top"]);
        assert_eq!(of_run(&all, "app-bench-1"), BTreeSet::new());
        // One namespace of it.
        assert_eq!(of_run(&all, "app-bench-1a-0").len(), 5);
        assert_eq!(of_run(&all, "app-bench-1a-1"), BTreeSet::new());
    }

    #[test]
    fn a_layer_that_was_imported_is_known_by_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let made = Made::at(Utf8Path::from_path(folder.path()).unwrap());
        assert!(made.read().is_empty(), "a run that never exported has no list");
        fs::write(&made.0, "2026-11-24T15:00:00.123456789Z\tapp-bench-1a-api-kiln-0\ncut o").unwrap();
        let found = |name: &str| of_run(&verbose_records(DU, Timestamp::now()), name, &made.read());
        for name in ["app-bench-1a", "app-bench-1a-api-kiln-0"] {
            assert!(found(name).contains("back") && found(name).contains("above"), "{name}");
            // The same content, made by somebody else.
            assert!(!found(name).contains("same"), "{name}");
        }
        assert!(!found("app-bench-1a-api-chef-0").contains("back"));
        assert!(!found("app-bench-1").contains("back"));
    }
}
