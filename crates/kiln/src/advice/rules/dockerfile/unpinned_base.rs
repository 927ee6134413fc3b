//! Base images that move.

use crate::advice::{Context, Dockerfile, Findings, Group, Rule, Severity};
use crate::dockerfile::evaluate::Base;
use crate::dockerfile::parse::Instruction;

pub(super) const RULE: Rule = Rule {
    id: "unpinned-base",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a base image has no tag, or latest",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let (Ok(file), Some(Ok(graph))) = (&dockerfile.parsed, &dockerfile.graph) else { continue };
        for stage in &graph.stages {
            if let Base::Image(image) = &stage.base
                && is_moving(image)
                && !is_given(context, image)
            {
                report(findings, dockerfile, stage.lines, image);
            }
        }
        for (_, step) in dockerfile.steps() {
            let Instruction::Copy(copy) = &step.instruction else { continue };
            let Some(from) = copy.from.as_deref() else { continue };
            let is_stage = from.parse::<usize>().is_ok()
                || file.stages.iter().any(|stage| stage.from.name.as_deref() == Some(&*from.to_lowercase()));
            if !is_stage && from != "scratch" && is_moving(from) && from.contains('/') {
                report(findings, dockerfile, step.lines, from);
            }
        }
    }
}

fn report(findings: &mut Findings<'_>, dockerfile: &Dockerfile, lines: crate::dockerfile::parse::Lines, image: &str) {
    findings
        .at(&dockerfile.file, dockerfile.locate(lines, image), format!("`{image}` is another image tomorrow: every step of the stage runs again when it moves, and the build may break without an edit"))
        .help("name a version: `image:1.2`, or `image:1.2@sha256:…` for the very same bytes");
}

fn is_moving(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    !image.contains(['@', '$']) && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// Whether `kiln build` supplies the image itself.
fn is_given(context: &Context<'_>, image: &str) -> bool {
    context.plan().tool_image.as_str() == image
}
