//! The whole context copied before dependencies are installed.

use super::install;
use crate::advice::dockerfile::{context_sources, is_broad, run_commands};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "copy-before-install",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "all sources are copied before dependencies are installed",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for stage in 0..dockerfile.stages().len() {
            let steps = dockerfile.lineage(stage);
            let broad = steps.iter().position(|step| context_sources(step).into_iter().any(is_broad));
            let Some(broad) = broad else { continue };
            let install = steps[broad..].iter().find_map(|step| {
                let command = run_commands(step).iter().find_map(install::dependencies)?;
                Some((step.lines.first, command))
            });
            // A second installation on top of one that had its manifests alone (`npm ci --omit=dev`) finds most in its cache.
            let is_first = !steps[..broad]
                .iter()
                .any(|step| run_commands(step).iter().any(|command| install::dependencies(command).is_some()));
            let (Some((line, command)), true) = (install, is_first) else { continue };
            findings
                .line(
                    &dockerfile.file,
                    steps[broad].lines.first,
                    format!("an edit of any file runs `{command}` (line {line}) again: the step before it copies all sources"),
                )
                .help("copy manifests and lockfile first, install, then copy the rest; `kiln init` writes such a Dockerfile");
        }
    }
}
