//! Data that no query asks for.

use super::with_queries;
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-dead",
    group: Group::Sqlx,
    severity: Severity::Note,
    summary: "query data that no query asks for",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    // Where a macro makes queries, what looks dead may be its.
    for dead in with_queries(context).flat_map(|check| &check.dead).filter(|dead| dead.certain) {
        let Some(path) = context.relative(&dead.path) else { continue };
        findings
            .on(&path, "no query asks for this data: each change of it compiles the application again, for nothing")
            .help("`kiln sqlx prepare` removes it");
    }
}
