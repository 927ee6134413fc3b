//! A Dockerfile that BuildKit refuses.

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::evaluate::{Graph, Options};

pub(super) const RULE: Rule = Rule {
    id: "dockerfile-syntax",
    group: Group::Dockerfile,
    severity: Severity::Error,
    summary: "BuildKit refuses the Dockerfile",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for source in context.dockerfile_sources() {
        let (line, message, help) = match &source.parsed {
            Err(error) => {
                let line = error.lines.map_or(1, |lines| lines.first);
                (line, error.kind.to_string(), error.kind.way_out())
            }
            // A base that an argument names without a default may be given on the command line.
            Ok(file) => match Graph::new(file, &Options::default()) {
                Ok(_) => continue,
                Err(error) => {
                    let line = error.lines.map_or(1, |lines| lines.first);
                    if source.file.line(line).contains('$') {
                        continue;
                    }
                    (line, error.kind.to_string(), None)
                }
            },
        };
        let help = help.unwrap_or_else(|| "see the reference of that instruction in Docker's documentation".to_owned());
        findings.line(&source.file, line, format!("the build stops: `{message}`")).help(help);
    }
    for source in context.dockerfile_sources() {
        let (Err(error), Some(file)) = (&source.ignore, context.file(&source.ignore_path)) else { continue };
        findings
            .line(&file, error.line, "the build stops: `failed to match excludepatterns: syntax error in pattern`")
            .help("close the class, or put a backslash before the character");
    }
}
