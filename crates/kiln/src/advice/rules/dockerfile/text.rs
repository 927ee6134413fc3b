//! What BuildKit takes but warns about, or will no longer take.

use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};
use crate::dockerfile::parse::Instruction;

pub(super) const EMPTY_LINE: Rule = Rule {
    id: "empty-continuation-line",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "an empty line within an instruction",
    fixable: true,
    check: empty_line,
};

pub(super) const MAINTAINER: Rule = Rule {
    id: "maintainer",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "MAINTAINER is deprecated",
    fixable: true,
    check: maintainer,
};

fn empty_line(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for warning in dockerfile.parsed.as_ref().map_or(&[][..], |file| file.warnings.as_slice()) {
            let start = dockerfile.file.text.split_inclusive('\n').take(warning.empty_line - 1).map(str::len).sum::<usize>();
            let length = dockerfile.file.text[start..].split_inclusive('\n').next().map_or(0, str::len);
            findings
                .line(&dockerfile.file, warning.empty_line, "the instruction goes on behind this empty line; BuildKit warns `NoEmptyContinuation` and will take it for an error")
                .help("remove the line, or begin it with `#`")
                .fix(Fix::new("remove the empty line").replace(&dockerfile.file, start..start + length, ""));
        }
    }
}

fn maintainer(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (_, step) in dockerfile.steps() {
            let Instruction::Maintainer(name) = &step.instruction else { continue };
            let fix = (step.lines.first == step.lines.last && !name.contains(['"', '$', '\\'])).then(|| {
                let label = format!("LABEL org.opencontainers.image.authors=\"{name}\"");
                Fix::new("write it as a label").replace(&dockerfile.file, dockerfile.span(step.lines), label)
            });
            findings
                .line(&dockerfile.file, step.lines.first, "BuildKit warns `MaintainerDeprecated`, and no tool reads it")
                .help("write `LABEL org.opencontainers.image.authors=\"…\"`")
                .fix(fix);
        }
    }
}
