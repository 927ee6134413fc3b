//! Data that SQLx does not take for its query.

use super::with_queries;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::sqlx::State;
use crate::text::count;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-broken",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "the data of a query is broken, of another query or of another database",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for query in with_queries(context).flat_map(|check| check.failing(false)) {
        let shown = |path: &camino::Utf8Path| context.relative(path).unwrap_or_else(|| path.to_owned());
        let (message, help) = match &query.state {
            State::Found { .. } | State::Missing { .. } => continue,
            State::Broken { data, message } => (
                format!("SQLx stops at the query's data, {}: {message}", shown(data)),
                "run `kiln sqlx prepare` and commit `.sqlx`",
            ),
            State::NoDriver { data, database } => (
                format!(
                    "error: found cached data for database \"{database}\" but no matching driver; the corresponding Cargo feature may \
                     need to be enabled ({})",
                    shown(data)
                ),
                "turn the driver on in the features of sqlx, or make the data anew with `kiln sqlx prepare`",
            ),
            State::Arguments { wants, has, .. } => (
                format!("error: expected {wants} parameters, got {has}: the query takes {}", count(*wants, "argument")),
                "give the macro as many arguments as the query has placeholders",
            ),
            State::NoFile { message } => (
                format!("the file of the query cannot be read: {message}"),
                "the path is relative to the folder of the package's Cargo.toml; it must be in the build context, too",
            ),
        };
        let Some(file) = context.relative(&query.path).and_then(|path| context.file(&path)) else { continue };
        let span = file.find_on_line(query.line, &query.macro_name).unwrap_or_else(|| file.line_span(query.line));
        findings.at(&file, span, message).help(help);
    }
}
