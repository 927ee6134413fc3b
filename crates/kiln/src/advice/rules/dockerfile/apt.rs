//! How packages of Debian are installed.

use super::install;
use crate::advice::dockerfile::run_commands;
use crate::advice::shell::Command;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, MountKind, Step};

pub(super) const UPDATE: Rule = Rule {
    id: "apt-update-alone",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "apt-get update is a step of its own",
    fixable: false,
    check: update,
};

pub(super) const LISTS: Rule = Rule {
    id: "apt-lists-kept",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "package lists of apt stay in the image",
    fixable: false,
    check: lists,
};

fn is_update(command: &Command) -> bool {
    matches!(command.program(), "apt-get" | "apt") && command.operands().contains(&"update")
}

fn update(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for stage in dockerfile.stages() {
            for (position, step) in stage.steps.iter().enumerate() {
                let commands = run_commands(step);
                if !commands.iter().any(is_update) || commands.iter().any(install::system_packages) {
                    continue;
                }
                let later = stage.steps[position + 1..].iter().find(|step| {
                    let commands = run_commands(step);
                    commands.iter().any(install::system_packages) && !commands.iter().any(is_update)
                });
                let Some(later) = later else { continue };
                findings
                    .line(&dockerfile.file, step.lines.first, format!("this step stays cached when the packages of line {} change: its lists are of the day they were first read, and `apt-get install` says `E: Unable to locate package` or `404 Not Found`", later.lines.first))
                    .help("write `apt-get update && apt-get install …` in one `RUN`");
            }
        }
    }
}

fn lists(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let Some(stage) = dockerfile.last_stage() else { continue };
        for step in dockerfile.lineage(stage) {
            let commands = run_commands(step);
            let reads = commands.iter().find(|command| is_update(command));
            let (Some(reads), false) = (reads, removes_or_mounts(step, &commands)) else { continue };
            findings
                .at(
                    &dockerfile.file,
                    dockerfile.locate(step.lines, &reads.words.join(" ")),
                    "the image is some 20 MB larger: `/var/lib/apt/lists` stays in this layer, also when a later step removes it",
                )
                .help("end the `RUN` with `&& rm -rf /var/lib/apt/lists/*`, or mount a cache there");
        }
    }
}

fn removes_or_mounts(step: &Step, commands: &[Command]) -> bool {
    let removes = commands
        .iter()
        .any(|command| command.program() == "rm" && command.words.iter().any(|word| word.contains("/var/lib/apt")));
    let mounts = match &step.instruction {
        Instruction::Run(run) => run.mounts.iter().filter_map(|mount| mount.literal().ok()).any(|mount| {
            matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs)
                && mount.target.is_some_and(|target| target.starts_with("/var/lib/apt"))
        }),
        _ => false,
    };
    removes || mounts
}
