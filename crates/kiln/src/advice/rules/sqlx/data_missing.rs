//! Queries without data.

use super::{short, with_queries};
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::sqlx::{Query, Scope, State};
use crate::text::count;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-missing",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "a query has no data, and an image build has no database",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for check in with_queries(context) {
        let compiled: Vec<&Query> = check.queries.iter().filter(|query| query.scope == Scope::Build).collect();
        let missing: Vec<&Query> =
            compiled.iter().copied().filter(|query| matches!(query.state, State::Missing { .. })).collect();
        // Nothing at all is one thing to do, and not as many as there are queries.
        let shown = if missing.len() == compiled.len() { &missing[..1] } else { &missing };
        for query in shown {
            let Some(file) = context.relative(&query.path).and_then(|path| context.file(&path)) else { continue };
            let message = if missing.len() == compiled.len() && missing.len() > 1 {
                format!(
                    "{} and no query data: error: `SQLX_OFFLINE=true` but there is no cached data for this query, run `cargo sqlx prepare`",
                    count(missing.len(), "query")
                )
            } else {
                format!(
                    "error: `SQLX_OFFLINE=true` but there is no cached data for this query, run `cargo sqlx prepare`: `{}`",
                    short(&query.sql)
                )
            };
            let span = file.find_on_line(query.line, &query.macro_name).unwrap_or_else(|| file.line_span(query.line));
            findings.at(&file, span, message).help("run `kiln sqlx prepare` and commit `.sqlx`");
        }
    }
}
