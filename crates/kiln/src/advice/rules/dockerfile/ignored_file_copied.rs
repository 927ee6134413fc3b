//! A `COPY` of what the ignore file leaves out.

use crate::advice::dockerfile::{context_sources, is_broad};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "ignored-file-copied",
    group: Group::Dockerfile,
    severity: Severity::Error,
    summary: "an instruction copies a file that the ignore file leaves out",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let Ok(ignore) = &dockerfile.ignore else { continue };
        for (_, step) in dockerfile.steps() {
            for path in context_sources(step) {
                if is_broad(path) || path.contains(['*', '?', '[', '$', '\\']) {
                    continue;
                }
                let clean = path.trim_start_matches("./").trim_matches('/');
                // Exceptions below an ignored folder bring the folder back.
                let below = ignore.has_inclusions() && {
                    let folder = dockerfile.context.join(clean);
                    context
                        .paths()
                        .iter()
                        .filter_map(|other| other.strip_prefix(&dockerfile.context).ok().filter(|_| other.starts_with(&folder)))
                        .any(|other| !ignore.excludes(other.as_str()))
                };
                let Some(line) = ignore.deciding_line(clean).filter(|_| ignore.excludes(clean) && !below) else { continue };
                findings
                    .at(&dockerfile.file, dockerfile.locate(step.lines, path), format!("the build stops: `failed to calculate checksum of ref …: \"/{clean}\": not found`; line {line} of {} leaves it out", dockerfile.ignore_path))
                    .help(format!("add `!{clean}` at the end of {}, or take it from somewhere else", dockerfile.ignore_path));
            }
        }
    }
}
