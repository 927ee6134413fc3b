//! A namespace for layers: a copy of a Dockerfile whose layers no other build shares.
//!
//! BuildKit names layers by what made them, so equal steps are shared by everyone on an engine, and a build from scratch cannot be had
//! twice. A namespace is a folder that is made in each stage as soon as base image and system packages are there: everything that
//! is built on top of it belongs to the namespace alone. The engine's list of cache records names the folder, so that what a namespace left
//! behind can be told apart and removed.

use super::{Dockerfile, Instruction, Mount, Stage};

/// The stage that installs a program from a registry, and nothing of the project.
const INSTALLS: &str = "cargo-chef";
/// Stages of which nothing is built: they are images that come from outside.
const GIVEN: [&str; 2] = ["kiln", "seed"];

/// The same Dockerfile in a namespace: `folder` is made before anything of the project is read.
#[must_use]
pub fn in_namespace(mut dockerfile: Dockerfile, folder: &str) -> Dockerfile {
    let names: Vec<String> = dockerfile.stages.iter().map(|stage| stage.name.clone()).collect();
    for stage in &mut dockerfile.stages {
        // What begins from another stage, or from nothing and takes all from others, is in its namespace already.
        let inherits = names.contains(&stage.from) || stage.from == "scratch";
        if !inherits && stage.name != INSTALLS && !GIVEN.contains(&stage.name.as_str()) {
            mark(stage, folder);
        }
    }
    dockerfile
}

/// What a Dockerfile in a namespace has outside of it: base images, system packages and programs, one stage for each.
#[must_use]
pub fn foundation(mut dockerfile: Dockerfile, folder: &str) -> Dockerfile {
    let marked = |instruction: &Instruction| matches!(instruction, Instruction::Workdir(path) if path == folder);
    dockerfile.stages.retain_mut(|stage| {
        let Some(position) = stage.instructions.iter().position(marked) else {
            return stage.name == INSTALLS;
        };
        stage.instructions.truncate(position);
        true
    });
    dockerfile.args.clear();
    dockerfile
}

/// Makes the folder in a stage, before anything of the project is read.
pub(super) fn mark(stage: &mut Stage, folder: &str) {
    let reads = |instruction: &Instruction| match instruction {
        Instruction::Copy(_) | Instruction::File { .. } => true,
        Instruction::Run(run) => run.mounts.iter().any(|mount| matches!(mount, Mount::Bind { .. })),
        _ => false,
    };
    let position = stage.instructions.iter().position(reads).unwrap_or(stage.instructions.len());
    let folder = Instruction::Workdir(folder.to_owned());
    match position.checked_sub(1).map(|before| (before, &stage.instructions[before])) {
        Some((before, Instruction::Workdir(_))) => stage.instructions.insert(before, folder),
        _ => {
            stage.instructions.splice(position..position, [folder, Instruction::Workdir("/".to_owned())]);
        }
    }
}
