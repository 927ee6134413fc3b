//! A Dockerfile that compiles queries without `SQLX_OFFLINE`.

use super::dockerfiles;
use super::steps::{Compiles, compiles, is_on, set_before};
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "sqlx-offline-missing",
    group: Group::Sqlx,
    severity: Severity::Warning,
    summary: "a Dockerfile compiles queries without `SQLX_OFFLINE=true`",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (dockerfile, _) in dockerfiles(context) {
        for compile in compiles(dockerfile).iter().filter(|compile| compile.what == Compiles::Application) {
            let (stage, index) = (compile.stage, compile.index);
            let offline = set_before(dockerfile, stage, index, "SQLX_OFFLINE");
            // An argument without a value is given on the command line.
            let on = offline.as_ref().is_some_and(|set| set.value.is_none_or(is_on));
            if on || compile.text.contains("SQLX_OFFLINE=") || compile.text.contains("DATABASE_URL=") {
                continue;
            }
            let file = &dockerfile.file;
            let line = compile.step.lines.first;
            let span = file.line_span(line);
            let named = set_before(dockerfile, stage, index, "DATABASE_URL").is_some();
            let (message, severity) = if named {
                (
                    "DATABASE_URL is set here, so SQLx tries to connect while compiling: error communicating with database",
                    Severity::Error,
                )
            } else {
                (
                    "without SQLX_OFFLINE=true, a DATABASE_URL in the environment or in a `.env` of the context makes SQLx connect while \
                     compiling: error communicating with database",
                    Severity::Warning,
                )
            };
            let fix =
                offline.is_none().then(|| Fix::new("set it before the step").insert(file, span.start, "ENV SQLX_OFFLINE=true\n"));
            findings
                .line(file, line, message)
                .help("put `ENV SQLX_OFFLINE=true` right before the step that compiles the application, after the dependencies")
                .severity(severity)
                .fix(fix);
        }
    }
}
