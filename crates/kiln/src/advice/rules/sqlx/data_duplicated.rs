//! Data of one query in two places.

use super::{folder_of, with_queries};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-duplicated",
    group: Group::Sqlx,
    severity: Severity::Warning,
    summary: "a query has data in two places, of which SQLx takes the first",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for duplicated in with_queries(context).flat_map(|check| &check.duplicated) {
        let Some(used) = context.relative(&duplicated.used) else { continue };
        for shadowed in duplicated.shadowed.iter().filter_map(|path| context.relative(path)) {
            let differs = if duplicated.equal { "" } else { ", and the two differ" };
            findings
                .on(
                    &shadowed,
                    format!("SQLx takes the data in {} for `{}`, not this file{differs}", folder_of(&used), duplicated.package),
                )
                .help("`kiln sqlx prepare` keeps one of them");
        }
    }
}
