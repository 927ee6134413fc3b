//! The steps of a Dockerfile that matter to SQLx: those that compile the application or its dependencies.

use crate::advice::dockerfile::{context_sources, mounted_sources};
use crate::advice::{Dockerfile, command_text};
use crate::dockerfile::parse::{Instruction, Step};

/// What a step compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compiles {
    /// Dependencies alone: `cargo chef cook`, or a build of an empty `main`.
    Dependencies,
    /// The application.
    Application,
}

/// A `RUN` that compiles.
pub(super) struct Compile<'d> {
    pub(super) what: Compiles,
    pub(super) stage: usize,
    /// Position in its stage.
    pub(super) index: usize,
    pub(super) step: &'d Step,
    pub(super) text: String,
}

/// Every step that compiles with cargo, in order.
pub(super) fn compiles(dockerfile: &Dockerfile) -> Vec<Compile<'_>> {
    let mut found = Vec::new();
    // Whether there is an empty program in place of the sources at the end of each stage.
    let mut empty: Vec<bool> = Vec::new();
    for (stage, parsed) in dockerfile.stages().iter().enumerate() {
        let mut is_empty = dockerfile.base(stage).and_then(|base| empty.get(base).copied()).unwrap_or(false);
        for (index, step) in parsed.steps.iter().enumerate() {
            is_empty &= !context_sources(step).into_iter().chain(copied(step)).any(may_be_sources);
            let Instruction::Run(run) = &step.instruction else { continue };
            let text = command_text(run);
            is_empty |= writes_empty_program(&text);
            if let Some(what) = what(&text) {
                let mounts_sources = mounted_sources(step).iter().any(|source| may_be_sources(source));
                let what = if is_empty && !mounts_sources { Compiles::Dependencies } else { what };
                found.push(Compile { what, stage, index, step, text });
            }
        }
        empty.push(is_empty);
    }
    found
}

/// What a `COPY` takes from another stage.
fn copied(step: &Step) -> impl Iterator<Item = &str> {
    let sources = match &step.instruction {
        Instruction::Copy(copy) if copy.from.is_some() => copy.sources.as_slice(),
        _ => &[],
    };
    sources.iter().map(String::as_str)
}

/// Whether a path of a `COPY` can bring the sources that take an empty program's place; manifests and query data cannot.
fn may_be_sources(path: &str) -> bool {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    let is_manifest = matches!(name, "Cargo.toml" | "Cargo.lock" | "Cargo.*" | "build.rs" | ".cargo" | "config.toml")
        || name.starts_with("rust-toolchain");
    !is_manifest && !matches!(name, ".sqlx" | "sqlx-data.json" | "migrations")
}

/// The old way to compile dependencies first.
fn writes_empty_program(text: &str) -> bool {
    ["fn main()", "fn main ()", "cargo new ", "cargo init"].iter().any(|way| text.contains(way))
}

fn what(text: &str) -> Option<Compiles> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let runs = |program: &str, subcommand: &str| words.windows(2).any(|pair| pair[0].ends_with(program) && pair[1] == subcommand);
    let cooks = words.windows(3).any(|three| three[1..] == ["chef", "cook"] || three[1..] == ["recipe", "cook"]);
    if cooks {
        return Some(Compiles::Dependencies);
    }
    let builds = ["build", "b", "rustc", "zigbuild", "auditable", "leptos"].iter().any(|word| runs("cargo", word))
        || (runs("cargo", "install") && words.contains(&"--path"))
        || words.windows(3).any(|three| three[1..] == ["recipe", "compile"]);
    builds.then_some(Compiles::Application)
}

/// Where a variable is set, as far as a step sees it.
pub(super) struct Set<'d> {
    pub(super) stage: usize,
    pub(super) index: usize,
    pub(super) step: &'d Step,
    /// Its value; none for an `ARG` without one.
    pub(super) value: Option<&'d str>,
}

/// The last `ENV` or `ARG` of that name before a step, in its stage and those below it.
pub(super) fn set_before<'d>(dockerfile: &'d Dockerfile, stage: usize, index: usize, name: &str) -> Option<Set<'d>> {
    for at in dockerfile.ancestry(stage) {
        let steps = &dockerfile.stages().get(at)?.steps;
        let seen = if at == stage { index } else { steps.len() };
        for (position, step) in steps.iter().enumerate().take(seen).rev() {
            let value = match &step.instruction {
                Instruction::Env(pairs) => {
                    pairs.iter().rev().find(|pair| pair.name == name).map(|pair| Some(pair.value.as_str()))
                }
                // An argument is seen in its own stage only.
                Instruction::Arg(arguments) if at == stage => {
                    arguments.iter().rev().find(|argument| argument.name == name).map(|argument| argument.default.as_deref())
                }
                _ => None,
            };
            if let Some(value) = value {
                return Some(Set { stage: at, index: position, step, value });
            }
        }
    }
    None
}

/// Whether a value turns `SQLX_OFFLINE` on, by SQLx' rule.
pub(super) fn is_on(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    value.eq_ignore_ascii_case("true") || value == "1"
}
