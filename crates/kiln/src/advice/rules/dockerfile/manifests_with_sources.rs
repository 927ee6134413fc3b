//! Manifests and sources in one `COPY`.

use super::install;
use crate::advice::dockerfile::{context_sources, is_broad, run_commands};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "manifests-with-sources",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "manifests are copied together with sources, before dependencies are installed",
    fixable: false,
    check,
};

/// Folders that hold sources, whatever the language.
const SOURCES: [&str; 14] = [
    "src", "app", "lib", "public", "static", "assets", "frontend", "backend", "server", "client", "cmd", "internal", "pkg",
    "tests",
];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for stage in dockerfile.stages() {
            let install = stage.steps.iter().enumerate().find_map(|(position, step)| {
                let command = run_commands(step).iter().find_map(install::dependencies)?;
                Some((position, command))
            });
            let Some((position, command)) = install else { continue };
            for step in &stage.steps[..position] {
                let sources = context_sources(step);
                if sources.iter().any(|source| is_broad(source)) {
                    continue;
                }
                let guilty = sources.iter().find(|source| {
                    let path = source.trim_start_matches("./").trim_matches('/');
                    SOURCES.contains(&path) && !install::is_manifest(path)
                });
                let Some(guilty) = guilty else { continue };
                findings
                    .at(
                        &dockerfile.file,
                        dockerfile.locate(step.lines, guilty),
                        format!("an edit below `{guilty}` runs `{command}` again: it is copied before"),
                    )
                    .help(format!("copy `{guilty}` after `{command}`, in an instruction of its own"));
            }
        }
    }
}
