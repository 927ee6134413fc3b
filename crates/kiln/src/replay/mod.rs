//! Replay: what commits of the past would have cost under Dockerfiles of today. Nothing is built or checked out.
//!
//! ```text
//! git history --Evolving (one for each context)--> hashes of what steps read --Model--> verdicts --prices--> Replay
//! ```
//!
//! Each commit is built after the one before it, on a builder that forgets nothing. Dockerfile and ignore file are the same for all
//! commits: those of today, wherever they lie in the context.

mod image;
mod place;
mod shadow;
mod since;
mod store;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::context::{Entry, IgnoreError};
use crate::git::{Attribute, GitError, History, NodeKind, Repository, attributes};
use crate::plan::Variant;
use crate::predict::{Inputs, ModelStep, PredictError, Remedy, StepPlace, Verdict};
use crate::process::Cancel;

pub use since::{Since, SinceError};
pub use store::{load, save};

use place::Place;
use shadow::Shadow;

/// Whose Dockerfile it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// The one that stands in the repository today.
    Repository,
    /// The one that kiln would write today.
    Kiln,
}

/// An image to replay.
#[derive(Debug, Clone)]
pub struct Image {
    /// The service; the Dockerfile's path for one that is no service's.
    pub service: String,
    /// The variant, for services.
    pub variant: Option<Variant>,
    /// The Dockerfile as it is shown.
    pub dockerfile: Utf8PathBuf,
    /// Whose it is.
    pub whose: Whose,
    /// Dockerfile, options, ignore file and named contexts; the files of the main context come from the commits.
    pub inputs: Inputs,
    /// The main context, absolute, without links.
    pub context: Utf8PathBuf,
    /// Files that are as they are today in every commit, by absolute path: the Docker files.
    pub fixed: BTreeMap<Utf8PathBuf, Entry>,
}

/// What to replay.
pub struct Request<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// A revision or range of revisions.
    pub range: &'a str,
    /// At most this many commits, the latest.
    pub commits: usize,
    /// The images.
    pub images: &'a [Image],
    /// How long a step took when it was measured.
    pub price: &'a dyn Fn(&Image, &ModelStep) -> Option<f64>,
    /// A folder of this run's own, for manifests of which recipes are made.
    pub scratch: &'a Utf8Path,
    /// Ends the work.
    pub cancel: &'a Cancel,
}

/// A replay that is not possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The history cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A Dockerfile is not one that BuildKit builds.
    #[error("`{path}`: {problem}")]
    Dockerfile {
        /// The Dockerfile as it is shown.
        path: Utf8PathBuf,
        /// What is wrong with it.
        problem: Box<PredictError>,
    },
    /// An ignore file has a pattern that BuildKit refuses.
    #[error("the ignore file of `{path}` is not valid")]
    Ignore {
        /// The Dockerfile as it is shown.
        path: Utf8PathBuf,
        /// The pattern.
        source: IgnoreError,
    },
    /// There is one commit only.
    #[error("there is no commit to compare with another one")]
    NothingToCompare,
}

/// What the commits would have cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// When it was made.
    pub made: Timestamp,
    /// The commits, the oldest first.
    pub commits: Vec<ReplayedCommit>,
    /// The images, with sums over the commits.
    pub images: Vec<ReplayedImage>,
    /// What one should know of how it was found out.
    pub notes: Vec<Note>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayedCommit {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub time: Timestamp,
    /// First line of its message.
    pub subject: String,
    /// How many files it changed.
    pub files: usize,
    /// Its builds, in the order of [`Replay::images`].
    pub builds: Vec<Replayed>,
}

/// The build of one image after one commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Steps that are not cached, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ReplayedStep>,
    /// Sources at which the commit has nothing: it could not be built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Seconds of the steps that run, as far as they were ever measured.
    pub seconds: f64,
    /// How many of the steps that run were never measured.
    pub unmeasured: usize,
}

/// A step that is not cached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayedStep {
    /// Its number in [`ReplayedImage::steps`].
    pub step: usize,
    /// Whether it surely runs.
    pub verdict: Verdict,
    /// Files that it reads and that changed; none where it only runs after another one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// One image over all commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayedImage {
    /// The service; the Dockerfile's path for one that is no service's.
    pub service: String,
    /// The variant, for services.
    pub variant: Option<Variant>,
    /// The Dockerfile as it is shown.
    pub dockerfile: Utf8PathBuf,
    /// Whose it is.
    pub whose: Whose,
    /// Its steps.
    pub steps: Vec<StepFacts>,
    /// Sums.
    pub totals: Totals,
    /// Files that made steps run, the dearest first.
    pub worst: Vec<WorstFile>,
    /// What would have kept steps from running, the most useful first.
    pub savings: Vec<Saving>,
}

/// A step of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFacts {
    /// Where it stands.
    #[serde(flatten)]
    pub place: StepPlace,
    /// The instruction.
    pub instruction: String,
    /// How long it took when it was measured.
    pub seconds: Option<f64>,
}

/// Sums over commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Commits after which a step runs.
    pub rebuilds: usize,
    /// Steps that run.
    pub steps: usize,
    /// Steps that may run.
    pub unknown: usize,
    /// Seconds of the steps that run, as far as they were ever measured.
    pub seconds: f64,
    /// How many of the steps that run were never measured.
    pub unmeasured: usize,
    /// Seconds of the steps that may run, as far as they were ever measured.
    pub unknown_seconds: f64,
    /// Commits that could not be built: they lack a file that the Dockerfile copies.
    pub unbuildable: usize,
}

/// A file that made steps run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorstFile {
    /// Its path in the context.
    pub path: String,
    /// Commits after which a step ran because of it, alone or with others.
    pub rebuilds: usize,
    /// Commits after which steps ran because of it alone.
    pub alone: usize,
    /// Seconds of those, as far as the steps were ever measured.
    pub seconds: f64,
    /// How many of the steps that ran because of it alone were never measured.
    pub unmeasured: usize,
    /// Whether no program reads it, so that it may be ignored.
    pub ignorable: bool,
}

/// What a remedy would have saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saving {
    /// What to do.
    pub remedy: Remedy,
    /// Commits after which less would have run.
    pub rebuilds: usize,
    /// Steps that would not have run.
    pub steps: usize,
    /// Their seconds, as far as they were ever measured.
    pub seconds: f64,
    /// How many of them were never measured.
    pub unmeasured: usize,
}

/// What one should know of how a replay was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// The clone is shallow: history ends early.
    Shallow,
    /// Submodules count as changed when their commit does; what is in them is not looked at.
    Submodules {
        /// Where they are.
        paths: Vec<String>,
    },
    /// Files are written otherwise into the work tree than git has them: they count as changed when what git has does.
    Attributes {
        /// How.
        attributes: Vec<Attribute>,
    },
    /// `.git` is not ignored: it changes with every commit.
    GitFolder {
        /// The Dockerfile as it is shown.
        dockerfile: Utf8PathBuf,
    },
    /// Manifests that decide about a recipe are not in this clone.
    LackingManifests {
        /// Where they are.
        paths: Vec<String>,
    },
}

/// Replays.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(request: &Request<'_>) -> Result<Replay, ReplayError> {
    let Request { repository, images, cancel, .. } = *request;
    let places = Place::of(images, repository)?;
    let prepared: Vec<image::Prepared> =
        images.iter().map(|image| image::Prepared::new(image, request.price)).collect::<Result<_, _>>()?;
    let history = History::read(repository, request.range, request.commits, cancel)?;
    if history.commits.len() < 2 {
        return Err(ReplayError::NothingToCompare);
    }
    let walked: Vec<Result<place::Walked, GitError>> = std::thread::scope(|scope| {
        let (history, prepared) = (&history, &prepared);
        let workers: Vec<_> = places
            .iter()
            .enumerate()
            .map(|(number, place)| {
                let objects = repository.objects.clone();
                let source = move |_: &str, id| objects.blob(id).map_err(std::io::Error::other);
                let shadow = Shadow::new(request.scratch.join(number.to_string()), Box::new(source));
                scope.spawn(move || place.walk(history, prepared, shadow, cancel))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let mut builds: Vec<Vec<Replayed>> = vec![Vec::new(); images.len()];
    let mut notes = notes(repository, &history);
    let mut lacking = Vec::new();
    for walked in walked {
        let walked = walked?;
        lacking.extend(walked.lacking);
        for (image, of_image) in walked.builds {
            builds[image] = of_image;
        }
    }
    for place in places.iter().filter(|place| place.shows_git()) {
        let dockerfiles = place.images.iter().map(|&image| images[image].dockerfile.clone());
        notes.extend(dockerfiles.map(|dockerfile| Note::GitFolder { dockerfile }));
    }
    if !lacking.is_empty() {
        lacking.sort();
        lacking.dedup();
        notes.push(Note::LackingManifests { paths: lacking });
    }
    let summed = images.iter().zip(prepared).zip(&builds).map(|((image, prepared), builds)| {
        let steps = prepared.steps;
        let (totals, worst, savings) =
            (tally::totals(builds, &steps), tally::worst(builds, &steps), tally::savings(builds, &steps));
        let (service, variant, dockerfile, whose) = (image.service.clone(), image.variant, image.dockerfile.clone(), image.whose);
        ReplayedImage { service, variant, dockerfile, whose, steps, totals, worst, savings }
    });
    let summed = summed.collect();
    let mut builds: Vec<_> = builds.into_iter().map(Vec::into_iter).collect();
    let commits = history.commits.iter().zip(&history.changes).skip(1).map(|(commit, changes)| ReplayedCommit {
        id: commit.id.to_string(),
        time: Timestamp::from_second(commit.time).unwrap_or_default(),
        subject: commit.subject.clone(),
        files: changes.len(),
        builds: builds.iter_mut().map(|builds| builds.next().unwrap_or_default()).collect(),
    });
    Ok(Replay { made: Timestamp::now(), commits: commits.collect(), images: summed, notes })
}

fn notes(repository: &Repository, history: &History) -> Vec<Note> {
    let mut notes = Vec::new();
    if repository.shallow {
        notes.push(Note::Shallow);
    }
    let changes = || history.changes.iter().flatten();
    let mut paths: Vec<String> = changes()
        .filter(|change| change.after.is_some_and(|node| node.kind == NodeKind::Submodule))
        .map(|change| change.path.clone())
        .collect();
    paths.sort();
    paths.dedup();
    if !paths.is_empty() {
        notes.push(Note::Submodules { paths });
    }
    let named = changes().filter(|change| change.path.rsplit('/').next() == Some(".gitattributes"));
    // A version that cannot be read says nothing.
    let texts = named.filter_map(|change| repository.objects.blob(change.after?.id).ok());
    let mut found: Vec<Attribute> = texts.flat_map(|text| attributes(&String::from_utf8_lossy(&text))).collect();
    found.sort_unstable();
    found.dedup();
    if !found.is_empty() {
        notes.push(Note::Attributes { attributes: found });
    }
    notes
}
