//! A step that empties its own cache mount.

use crate::advice::dockerfile::run_commands;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, MountKind};

pub(super) const RULE: Rule = Rule {
    id: "emptied-cache-mount",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a step mounts a cache and then empties it",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (_, step) in dockerfile.steps() {
            let Instruction::Run(run) = &step.instruction else { continue };
            let mounts =
                run.mounts.iter().filter_map(|mount| mount.literal().ok()).filter(|mount| mount.kind == MountKind::Cache);
            let targets: Vec<String> =
                mounts.filter_map(|mount| mount.target).map(|target| target.trim_end_matches('/').to_owned()).collect();
            for command in run_commands(step) {
                let is_below = |path: &str| {
                    targets.iter().find(|target| path == target.as_str() || path.starts_with(&format!("{target}/"))).cloned()
                };
                let emptied = match command.program() {
                    "rm" => command.operands().into_iter().find_map(is_below),
                    "apt-get" | "apt" if command.operands().first() == Some(&"clean") => is_below("/var/cache/apt"),
                    "npm" if command.is("npm", &["cache", "clean"]) => {
                        targets.iter().find(|target| target.ends_with("/.npm")).cloned()
                    }
                    "yarn" if command.is("yarn", &["cache", "clean"]) => {
                        targets.iter().find(|target| target.contains("yarn")).cloned()
                    }
                    _ => None,
                };
                let Some(target) = emptied else { continue };
                let written = command.words.join(" ");
                findings
                    .at(
                        &dockerfile.file,
                        dockerfile.locate(step.lines, &written),
                        format!("every build starts with an empty `{target}`: the step that mounts it cleans it"),
                    )
                    .help("leave the folder as it is: a cache mount is no part of the layer");
                break;
            }
        }
    }
}
