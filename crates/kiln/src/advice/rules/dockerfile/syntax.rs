//! A Dockerfile that BuildKit refuses.

use crate::advice::{Context, Findings, Group, Rule, Severity, Unread, UnreadDockerfile};
use crate::dockerfile::parse::Located;

pub(super) const RULE: Rule = Rule {
    id: "dockerfile-syntax",
    group: Group::Dockerfile,
    severity: Severity::Error,
    summary: "BuildKit refuses the Dockerfile",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let (line, message, help) = match (&dockerfile.parsed, &dockerfile.graph) {
            (Err(error), _) => (first_line(error), error.kind.to_string(), error.kind.way_out()),
            (Ok(_), Some(Err(error))) => {
                let line = first_line(error);
                // A base that an argument names without a default may be given on the command line.
                if dockerfile.file.line(line).contains('$') {
                    continue;
                }
                (line, error.kind.to_string(), None)
            }
            _ => continue,
        };
        let help = help.unwrap_or_else(|| "see the reference of that instruction in Docker's documentation".to_owned());
        findings.line(&dockerfile.file, line, format!("the build stops: `{message}`")).help(help);
    }
    for UnreadDockerfile { path, reason } in context.unread_dockerfiles() {
        match reason {
            Unread::Io(error) => {
                findings
                    .on(path, format!("the build stops: `failed to read dockerfile`: {error}"))
                    .help("a Dockerfile is a file, or a link to one, that everybody who builds can read");
            }
            Unread::Refused(error) => {
                let help = error.kind.way_out().unwrap_or_else(|| "give it another name if it is no Dockerfile".to_owned());
                findings.on(path, format!("the build stops: `{error}`")).help(help);
            }
            Unread::NotText => {
                findings
                    .on(path, "a comment has bytes that are not UTF-8: BuildKit builds it, and no rule looks into it")
                    .help("save the file as UTF-8")
                    .severity(Severity::Note);
            }
        }
    }
    for dockerfile in context.dockerfiles() {
        let (Err(error), Some(file)) = (&dockerfile.ignore, context.file(&dockerfile.ignore_path)) else { continue };
        findings
            .line(&file, error.line, "the build stops: `failed to match excludepatterns: syntax error in pattern`")
            .help("close the class, or put a backslash before the character");
    }
}

fn first_line<K>(error: &Located<K>) -> usize {
    error.lines.map_or(1, |lines| lines.first)
}
