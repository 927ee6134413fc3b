//! The steps of a Dockerfile that matter to SQLx: those that compile the application or its dependencies.

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
    for (stage, parsed) in dockerfile.stages().iter().enumerate() {
        // An empty program that an earlier step wrote, until a step brings sources.
        let mut stub = false;
        for (index, step) in parsed.steps.iter().enumerate() {
            let run = match &step.instruction {
                Instruction::Run(run) => run,
                Instruction::Copy(_) | Instruction::Add(_) => {
                    stub = false;
                    continue;
                }
                _ => continue,
            };
            let text = command_text(run);
            stub = (stub || writes_stub(&text)) && !step.original.contains("type=bind");
            if let Some(what) = what(&text, stub) {
                found.push(Compile { what, stage, index, step, text });
            }
        }
    }
    found
}

fn what(text: &str, stub: bool) -> Option<Compiles> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let runs = |program: &str, subcommand: &str| words.windows(2).any(|pair| pair[0].ends_with(program) && pair[1] == subcommand);
    let cooks = words.windows(3).any(|three| three[1..] == ["chef", "cook"] || three[1..] == ["recipe", "cook"]);
    if cooks {
        return Some(Compiles::Dependencies);
    }
    let builds = ["build", "b", "rustc", "zigbuild", "auditable", "leptos"].iter().any(|word| runs("cargo", word))
        || (runs("cargo", "install") && words.contains(&"--path"))
        || words.windows(3).any(|three| three[1..] == ["recipe", "compile"]);
    // The old way to compile dependencies first: an empty program in place of the sources.
    builds.then_some(if stub { Compiles::Dependencies } else { Compiles::Application })
}

fn writes_stub(text: &str) -> bool {
    text.contains("fn main()") || text.contains("fn main ()")
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
