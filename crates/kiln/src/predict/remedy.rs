//! What would have kept a step from running, where kiln knows something, and what that would have saved.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::model::{Model, ModelStep, Origin, StepPlace};
use super::reason::MissReason;
use super::why::Miss;
use crate::context::Selector;

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
    /// Manifests changed, the lock did not: a stage that keeps only what decides about dependencies keeps them from being installed again.
    Firewall {
        /// The step that installs them.
        install: StepPlace,
    },
    /// Copy less than the whole context: a folder of it is another stage's alone.
    NarrowerCopy {
        /// The folder.
        folder: String,
        /// The step of the other stage.
        reader: StepPlace,
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

impl Remedy {
    /// Whether who follows the one has followed the other, as far as one build is concerned.
    fn is_that_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ignore { patterns }, Self::Ignore { patterns: others }) => patterns.iter().any(|own| others.contains(own)),
            // The line may have been another one then.
            (Self::ManifestsFirst { install }, Self::ManifestsFirst { install: other })
            | (Self::Firewall { install }, Self::Firewall { install: other }) => install.stage == other.stage,
            (Self::NarrowerCopy { folder, .. }, Self::NarrowerCopy { folder: other, .. }) => folder == other,
            _ => self == other,
        }
    }
}

/// What a remedy would have saved in recent builds of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Saving {
    /// In how many builds it would have.
    pub builds: usize,
    /// How many builds were looked at.
    pub of: usize,
    /// Seconds of work, of all steps that it would have kept cached.
    pub seconds: f64,
}

impl Saving {
    /// Adds up what recent builds of an image, each with its misses, did for want of a remedy.
    #[must_use]
    pub fn of(remedy: &Remedy, recent: &[Vec<Miss>]) -> Self {
        let mut saving = Self { of: recent.len(), ..Self::default() };
        for misses in recent {
            let causes = (0..misses.len()).filter(|&at| misses[at].remedy.as_ref().is_some_and(|own| own.is_that_of(remedy)));
            // Two causes may have dragged along the same steps.
            let steps: BTreeSet<usize> = causes.flat_map(|at| misses[at].dragged_along.iter().copied().chain([at])).collect();
            saving.builds += usize::from(!steps.is_empty());
            saving.seconds += steps.iter().filter_map(|&at| misses.get(at)).map(|miss| miss.seconds).sum::<f64>();
        }
        saving
    }
}

/// What would have kept a step from running, given why it did and which steps ran because of it.
pub(super) fn remedy<'a>(
    model: &Model,
    number: usize,
    reasons: &[MissReason],
    mut dragged: impl Iterator<Item = &'a Miss>,
) -> Option<Remedy> {
    let step = &model.steps[number];
    let mut changed: Vec<&String> = Vec::new();
    for reason in reasons {
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
    // A folder is there for what is in it.
    let folders: Vec<String> = changed.iter().map(|path| format!("{path}/")).collect();
    let holds_another = |folder: &String| changed.iter().any(|path| path.starts_with(folder.as_str()));
    let holding: Vec<bool> = folders.iter().map(holds_another).collect();
    let mut holding = holding.into_iter();
    changed.retain(|_| !holding.next().unwrap_or_default());
    if changed.is_empty() {
        return None;
    }
    if changed.iter().all(|path| is_for_people(path)) {
        let mut patterns: Vec<String> = changed.iter().map(|path| pattern(path)).collect();
        patterns.sort();
        patterns.dedup();
        return Some(Remedy::Ignore { patterns });
    }
    if let Some(remedy) = narrower(model, step, &changed) {
        return Some(remedy);
    }
    let own = installs_dependencies(&step.text).then(|| step.place.clone());
    let install = own.or_else(|| dragged.find(|miss| installs_dependencies(&miss.instruction)).map(|miss| miss.place.clone()))?;
    let (manifests, sources): (Vec<&String>, Vec<&String>) = changed.iter().copied().partition(|path| is_manifest(path));
    match (manifests.is_empty(), sources.is_empty()) {
        (true, _) => Some(Remedy::ManifestsFirst { install }),
        (false, true) if !manifests.iter().any(|path| is_lock(path)) => Some(Remedy::Firewall { install }),
        _ => None,
    }
}

/// Whether a step that reads the whole context ran for files that only another stage asks for by name.
fn narrower(model: &Model, step: &ModelStep, changed: &[&String]) -> Option<Remedy> {
    let main = |step: &ModelStep| -> Vec<Selector> {
        let own = step.reads.iter().filter(|read| read.origin == Origin::Context(String::new()));
        own.flat_map(|read| read.selectors.clone()).collect()
    };
    if !main(step).iter().any(|selector| selector.path.is_empty() && selector.exclude.is_empty()) {
        return None;
    }
    let folder = changed.first()?.split_once('/')?.0;
    if !changed.iter().all(|path| path.split_once('/').is_some_and(|(first, _)| first == folder)) {
        return None;
    }
    let inside = |selector: &Selector| selector.path.split('/').next() == Some(folder);
    let mut reader = None;
    for other in &model.steps {
        let selectors = main(other);
        if other.place.stage == step.place.stage && selectors.iter().any(inside) {
            return None;
        }
        if other.place.stage != step.place.stage && !selectors.is_empty() && selectors.iter().all(inside) {
            reader = reader.or(Some(&other.place));
        }
    }
    reader.map(|reader| Remedy::NarrowerCopy { folder: folder.to_owned(), reader: reader.clone() })
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

/// Files that decide which dependencies are installed.
pub(crate) fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["Cargo.toml", "package.json", "rust-toolchain.toml"].contains(&name) || is_lock(path)
}

fn is_lock(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["Cargo.lock", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"]
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
