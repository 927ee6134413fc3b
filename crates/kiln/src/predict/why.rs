//! After a build: each step that ran, the first cause, what it dragged along and what might help.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::compare::{Predicted, Verdict, predict};
use super::model::Model;
use super::reason::MissReason;
use crate::event::StepStatus;
use crate::record::StepRecord;

use super::StepPlace;

/// A step that ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// Where it stands.
    #[serde(flatten)]
    pub place: StepPlace,
    /// The instruction.
    pub instruction: String,
    /// How long it took.
    pub seconds: f64,
    /// Why it ran.
    pub reasons: Vec<MissReason>,
    /// Whether it has a reason of its own, not only steps before it.
    pub is_cause: bool,
    /// Numbers, within the list, of the steps that ran because of it.
    pub dragged_along: Vec<usize>,
    /// Seconds of it and of what it dragged along.
    pub cost_seconds: f64,
    /// What would have kept it from running.
    pub remedy: Option<Remedy>,
}

/// What keeps a step from running next time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// Lines for the ignore file: no program reads these files.
    Ignore {
        /// The patterns.
        patterns: Vec<String>,
    },
    /// Copy what decides about dependencies before the rest, so that they are not installed again.
    ManifestsFirst {
        /// The step that installs them.
        install: StepPlace,
    },
    /// Declare the argument later: the step does not use it.
    LaterArgument {
        /// Its name.
        name: String,
    },
    /// Have the base image by its digest, so that it changes only when the Dockerfile does.
    PinImage {
        /// The image.
        image: String,
    },
}

/// The steps that ran in a build, explained by its model and those of earlier builds, the latest first.
#[must_use]
pub fn misses(model: &Model, earlier: &[Model], record: &[StepRecord]) -> Vec<Miss> {
    let prediction = predict(model, earlier);
    let ran: Vec<Option<f64>> = prediction.steps.iter().map(|step| seconds_of(step, record)).collect();
    let numbers: Vec<usize> = (0..ran.len()).filter(|&number| ran[number].is_some()).collect();
    let position = |number: usize| numbers.iter().position(|&known| known == number);
    let mut misses: Vec<Miss> = numbers
        .iter()
        .map(|&number| {
            let step = &prediction.steps[number];
            let ran_too = |place: &StepPlace| numbers.iter().any(|&number| prediction.steps[number].place == *place);
            let mut reasons: Vec<MissReason> =
                step.reasons.iter().filter(|reason| upstream(reason).is_none_or(ran_too)).cloned().collect();
            if step.verdict == Verdict::Cached {
                // An earlier build has made the very same.
                reasons = Model::origins(&model.steps[number])
                    .filter(|origin| ran[*origin].is_some())
                    .map(|origin| MissReason::Upstream { place: prediction.steps[origin].place.clone() })
                    .collect();
            }
            if reasons.is_empty() {
                reasons.push(if step.verdict == Verdict::Cached { MissReason::CacheRemoved } else { MissReason::Unknown });
            }
            let is_cause = reasons.iter().any(|reason| upstream(reason).is_none());
            let seconds = ran[number].unwrap_or_default();
            Miss {
                place: step.place.clone(),
                instruction: step.instruction.clone(),
                seconds,
                reasons,
                is_cause,
                dragged_along: Vec::new(),
                cost_seconds: seconds,
                remedy: None,
            }
        })
        .collect();
    for cause in 0..misses.len() {
        if !misses[cause].is_cause {
            continue;
        }
        let mut reached = BTreeSet::from([numbers[cause]]);
        for &number in numbers.iter().filter(|&&number| number > numbers[cause]) {
            let follows = Model::origins(&model.steps[number]).any(|origin| reached.contains(&origin));
            let named = position(number).is_some_and(|at| misses[at].reasons.iter().any(|reason| upstream(reason).is_some()));
            if follows && named {
                reached.insert(number);
            }
        }
        reached.remove(&numbers[cause]);
        let dragged: Vec<usize> = reached.into_iter().filter_map(position).collect();
        misses[cause].cost_seconds += dragged.iter().map(|&at| misses[at].seconds).sum::<f64>();
        misses[cause].remedy = remedy(model, numbers[cause], &misses, cause, &dragged);
        misses[cause].dragged_along = dragged;
    }
    misses
}

fn upstream(reason: &MissReason) -> Option<&StepPlace> {
    match reason {
        MissReason::Upstream { place } | MissReason::UpstreamOutput { place } => Some(place),
        _ => None,
    }
}

/// How long a step ran; nothing if it did not.
fn seconds_of(step: &Predicted, record: &[StepRecord]) -> Option<f64> {
    let told = record.iter().filter(|told| {
        told.place.as_ref().is_some_and(|place| place.stage == step.place.stage && place.index == step.place.index)
    });
    let ran = told.filter(|told| matches!(told.status, StepStatus::Ran | StepStatus::Failed));
    ran.map(|told| told.seconds).max_by(f64::total_cmp)
}

fn remedy(model: &Model, number: usize, misses: &[Miss], cause: usize, dragged: &[usize]) -> Option<Remedy> {
    let step = &model.steps[number];
    let mut changed: Vec<&String> = Vec::new();
    for reason in &misses[cause].reasons {
        match reason {
            MissReason::FilesAdded { paths } | MissReason::FilesChanged { paths } | MissReason::FilesRemoved { paths } => {
                changed.extend(paths);
            }
            MissReason::Argument { name, .. } => {
                let used = step.text.contains(&format!("${name}")) || step.text.contains(&format!("${{{name}"));
                return (!used).then(|| Remedy::LaterArgument { name: name.clone() });
            }
            MissReason::BaseImage { after, .. } if !after.contains('@') => {
                return Some(Remedy::PinImage { image: after.clone() });
            }
            MissReason::ModesChanged { .. } => {}
            _ => return None,
        }
    }
    if changed.is_empty() {
        return None;
    }
    if changed.iter().all(|path| is_for_people(path)) {
        let mut patterns: Vec<String> = changed.iter().map(|path| pattern(path)).collect();
        patterns.sort();
        patterns.dedup();
        return Some(Remedy::Ignore { patterns });
    }
    let whole = step.reads.iter().any(|read| read.selectors.iter().any(|selector| selector.path.is_empty()));
    let install = dragged.iter().map(|&at| &misses[at]).find(|miss| installs_dependencies(&miss.instruction));
    let source_only = changed.iter().all(|path| !is_manifest(path));
    install.filter(|_| whole && source_only).map(|install| Remedy::ManifestsFirst { install: install.place.clone() })
}

/// Whether no compiler or program would miss the file: documentation, and the files of other tools.
#[must_use]
pub fn is_for_people(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    let tools = [".github", ".gitlab", ".circleci", ".vscode", ".idea", ".git", "docs", "doc"];
    path.split('/').next().is_some_and(|first| tools.contains(&first) && first != path)
        || ["readme", "changelog", "license", "contributing", "codeowners"].iter().any(|stem| lower.starts_with(stem))
        || [".dockerignore", ".gitignore", ".gitattributes", ".editorconfig", "makefile", "docker-bake.hcl"]
            .contains(&lower.as_str())
        || lower.starts_with("dockerfile")
        || lower.starts_with("compose.")
        || lower.starts_with("docker-compose.")
}

/// The line that ignores a file: its folder where that is documentation or another tool's.
pub(crate) fn pattern(path: &str) -> String {
    match path.split_once('/') {
        Some((first, _)) if is_for_people(&format!("{first}/x")) => first.to_owned(),
        _ => path.to_owned(),
    }
}

pub(crate) fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [
        "Cargo.toml",
        "Cargo.lock",
        "package.json",
        "package-lock.json",
        "pnpm-lock.yaml",
        "yarn.lock",
        "bun.lock",
        "rust-toolchain.toml",
    ]
    .contains(&name)
}

/// Whether a step installs or compiles dependencies, by its command.
#[must_use]
pub fn installs_dependencies(instruction: &str) -> bool {
    let words = instruction.split_whitespace().collect::<Vec<_>>().join(" ");
    [
        "kiln recipe cook",
        "cargo chef cook",
        "cargo fetch",
        "cargo vendor",
        "npm ci",
        "npm install",
        "npm i ",
        "pnpm install",
        "pnpm i ",
        "pnpm fetch",
        "yarn install",
        "yarn --frozen-lockfile",
        "yarn --immutable",
        "bun install",
        "bun i ",
        "pip install",
        "bundle install",
        "go mod download",
        "composer install",
    ]
    .iter()
    .any(|command| words.contains(command))
}
