//! What kiln's own records say about cached things: which steps ran when, with which mounts, and how often they were found cached.

use std::collections::BTreeSet;

use camino::Utf8Path;
use jiff::{SignedDuration, Timestamp};

use crate::event::StepStatus;
use crate::plan::Variant;
use crate::recipe::MountUse;
use crate::record::{Ending, Record, list};

/// A recorded build, as far as caches matter.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownBuild {
    /// The service.
    pub service: String,
    /// The variant.
    pub variant: Variant,
    /// The stage that was built, where it was not the whole image.
    pub target: Option<String>,
    /// The branch that was checked out.
    pub branch: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; for a build that was killed, the end of its last step.
    pub ended: Timestamp,
    /// Whether there was an image.
    pub succeeded: bool,
    /// Steps of the Dockerfile.
    pub steps: Vec<KnownStep>,
    /// From when to when it loaded each context, Dockerfile and ignore file.
    pub loads: Vec<(Timestamp, Timestamp)>,
}

/// One of its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownStep {
    /// The stage.
    pub stage: String,
    /// What it is compared by.
    pub key: String,
    /// The instruction, for people.
    pub instruction: String,
    /// Ids of the cache mounts that it names.
    pub mounts: BTreeSet<String>,
    /// From when to when it worked, if it ran.
    pub ran: Option<(Timestamp, Timestamp)>,
    /// Id of the mount in which it kept compiled units, and what is in there since, if it told.
    pub units: Option<(String, MountUse)>,
}

/// A record of BuildKit is made a moment before a step is said to begin, or after it is said to have ended.
const BEFORE: SignedDuration = SignedDuration::from_secs(1);
const AFTER: SignedDuration = SignedDuration::from_secs(2);
/// The copy of a context is made while it is loaded, by the same clock; times in kiln's records are rounded to milliseconds.
const ROUNDING: SignedDuration = SignedDuration::from_millis(5);

impl KnownBuild {
    /// Reads the records in a folder, the latest first. What cannot be read says nothing.
    #[must_use]
    pub fn read(folder: &Utf8Path) -> Vec<Self> {
        let entries = list(folder).unwrap_or_default();
        entries.iter().filter_map(|entry| Record::load(&entry.path).ok()).map(|record| Self::of(&record)).collect()
    }

    /// Whether some record is of the same stage of the same image.
    #[must_use]
    pub fn any(builds: &[Self], service: &str, variant: Variant, target: Option<&str>) -> bool {
        let same = |build: &Self| build.service == service && build.variant == variant && build.target.as_deref() == target;
        builds.iter().any(|build| build.succeeded && same(build))
    }

    /// What matters of one record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let started = record.header.started;
        let later = |seconds: f64| started.checked_add(SignedDuration::from_millis((seconds * 1000.0) as i64)).unwrap_or(started);
        let end_of = |begin: f64, seconds: f64| later(begin + seconds);
        let last = record.steps.iter().map(|step| step.begin.unwrap_or_default() + step.seconds).fold(0.0, f64::max);
        let steps = record.steps.iter().filter_map(|step| {
            let place = step.place.as_ref()?;
            let ran = matches!(step.status, StepStatus::Ran | StepStatus::Failed);
            let begin = step.begin.unwrap_or_default();
            Some(KnownStep {
                stage: place.stage.clone(),
                key: step_key(&place.instruction),
                instruction: place.instruction.clone(),
                mounts: mounts(&place.instruction),
                ran: ran.then(|| (later(begin), end_of(begin, step.seconds))),
                units: step.cargo.as_ref().and_then(|report| {
                    let mount = report.mount.clone()?;
                    Some((mount_at(&place.instruction, &mount.path)?, mount))
                }),
            })
        });
        let is_load = |name: &str| {
            let internal = name.strip_prefix("[internal] load ").is_some_and(|what| !what.starts_with("metadata for "));
            internal || name.starts_with("[context ")
        };
        let loads = record.steps.iter().filter(|step| is_load(&step.name)).filter_map(|step| {
            let begin = step.begin?;
            Some((later(begin), later(step.end.unwrap_or(begin + step.seconds))))
        });
        Self {
            service: record.header.service.clone(),
            variant: record.header.variant,
            target: record.header.target.clone(),
            branch: record.header.git.as_ref().and_then(|git| git.branch.clone()),
            started,
            ended: later(record.end.as_ref().map_or(last, |end| end.seconds.max(last))),
            succeeded: matches!(record.end.as_ref().map(|end| end.ending), Some(Ending::Succeeded)),
            steps: steps.collect(),
            loads: loads.collect(),
        }
    }

    /// Whether a copy of a context that was made then is one that this build loaded: BuildKit says nothing else of it that tells whose it
    /// is.
    #[must_use]
    pub fn loaded(&self, time: Timestamp) -> bool {
        let during = |(begin, end): &(Timestamp, Timestamp)| {
            time.duration_since(*begin) >= -ROUNDING && time.duration_since(*end) <= ROUNDING
        };
        self.loads.iter().any(during)
    }
}

impl KnownStep {
    /// Whether a record with this key, made then, is what the step left.
    #[must_use]
    pub fn made(&self, key: &str, time: Timestamp) -> bool {
        self.key == key && self.ran.is_some_and(|span| within(time, span))
    }
}

fn within(time: Timestamp, (begin, end): (Timestamp, Timestamp)) -> bool {
    time.duration_since(begin) >= -BEFORE && time.duration_since(end) <= AFTER
}

/// What a step of a Dockerfile is compared by: its text without flags and without the white space of its lines. Flags of `RUN` are not in
/// what BuildKit says of a record.
#[must_use]
pub fn step_key(instruction: &str) -> String {
    let text = collapsed(instruction);
    let Some(mut command) = text.strip_prefix("RUN ") else { return text };
    while command.starts_with("--") {
        command = command.split_once(' ').map_or("", |(_, rest)| rest);
    }
    let words: Option<Vec<String>> = serde_json::from_str(command).ok();
    format!("RUN {}", words.map_or_else(|| command.to_owned(), |words| words.join(" ")))
}

/// The same for what BuildKit says of a record; `None` if it is no step.
#[must_use]
pub fn record_key(description: &str) -> Option<String> {
    if let Some(command) = description.strip_prefix("mount / from exec ") {
        let shell = command.starts_with("/bin/").then(|| command.split_once(" -c ")).flatten();
        return Some(format!("RUN {}", collapsed(shell.map_or(command, |(_, command)| command))));
    }
    let (_, text) = description.strip_prefix('[')?.split_once("] ")?;
    Some(collapsed(text))
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Keys of the steps in the text of a Dockerfile, as far as they need no variable.
#[must_use]
pub fn dockerfile_keys(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut instruction = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match line.strip_suffix('\\') {
            Some(part) => instruction.push_str(part),
            None => {
                instruction.push_str(line);
                let key = step_key(&std::mem::take(&mut instruction));
                if ["RUN ", "COPY ", "ADD ", "WORKDIR "].iter().any(|word| key.starts_with(word)) {
                    keys.insert(key);
                }
            }
        }
    }
    keys
}

/// Ids of the cache mounts in an instruction, or in a whole Dockerfile.
#[must_use]
pub fn mounts(instruction: &str) -> BTreeSet<String> {
    cache_mounts(instruction).map(|(id, _)| id).collect()
}

/// Id of the cache mount that an instruction has at a path.
fn mount_at(instruction: &str, path: &str) -> Option<String> {
    cache_mounts(instruction).find(|(_, target)| *target == Some(path)).map(|(id, _)| id)
}

/// Ids and targets of cache mounts. Without an id the target is it.
fn cache_mounts(instruction: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    let flags = instruction.split_whitespace().filter_map(|word| word.strip_prefix("--mount="));
    let cached = flags.filter(|flag| flag.split(',').any(|part| part == "type=cache"));
    cached.filter_map(|flag| {
        let field = |name: &str| flag.split(',').find_map(|part| part.strip_prefix(name));
        let target = field("target=").or_else(|| field("dst="));
        let id = field("id=").or(target)?;
        Some((id.trim_start_matches('/').to_owned(), target))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_known_again_in_what_buildkit_says_of_records() {
        for (instruction, description) in [
            (
                "RUN --mount=type=bind,source=.,target=/src     --mount=type=cache,id=shop-cargo,target=/kiln/cargo     kiln recipe cook  /r",
                "mount / from exec /bin/sh -c kiln recipe cook  /r",
            ),
            ("RUN [\"npm\", \"ci\"]", "mount / from exec npm ci"),
            ("RUN a && b", "mount / from exec /bin/bash -o pipefail -c a &&     b"),
            ("WORKDIR /app", "[base 2/2] WORKDIR /app"),
            ("COPY --from=deps /deps /deps", "[3/4] COPY --from=deps /deps /deps"),
        ] {
            assert_eq!(Some(step_key(instruction)), record_key(description), "{instruction}");
        }
        for other in ["from local ", "local source for context", "pulled from r.example/a:b"] {
            assert_eq!(record_key(other), None);
        }
    }

    #[test]
    fn mounts_of_a_step_are_named_by_id_or_target() {
        let found = mounts(
            "RUN --mount=type=bind,id=no,target=/a --mount=type=cache,id=shop-cargo,target=/c --mount=type=cache,target=/x ls",
        );
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["shop-cargo", "x"]);
        let cook =
            "RUN --mount=type=cache,id=shop-cargo,target=/c --mount=type=cache,id=shop-units,target=/u,sharing=locked cook";
        assert_eq!((mount_at(cook, "/u").as_deref(), mount_at(cook, "/x")), (Some("shop-units"), None));
    }
}
