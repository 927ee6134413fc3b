//! A query that is no string literal.

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::sqlx::UnresolvedReason;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-query-not-literal",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "a query macro is given something else than string literals",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for call in context.sqlx_checks().iter().flat_map(|check| check.refused(false)) {
        let Some(file) = context.relative(&call.path).and_then(|path| context.file(&path)) else { continue };
        let what = match &call.reason {
            UnresolvedReason::Macro { name } => format!("SQLx does not expand `{name}!`"),
            _ => "SQLx takes no constants".to_owned(),
        };
        let span = file.find_on_line(call.line, &call.macro_name).unwrap_or_else(|| file.line_span(call.line));
        findings
            .at(&file, span, format!("{what}: error: expected string literal"))
            .help("write the query as string literals, joined with `+`, or put it into a file for `query_file!`");
    }
}
