//! Data in the form of another version of SQLx.

use super::with_queries;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::sqlx::Layout;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-of-other-version",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "query data is in a form that this version of SQLx does not read",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for check in with_queries(context) {
        let version = check.sqlx.as_ref().map_or_else(String::new, |version| format!(" {version}"));
        // Beside data that is read it is a leftover.
        let severity = if check.failing(false).next().is_some() { Severity::Error } else { Severity::Note };
        for path in check.other_layout.iter().filter_map(|path| context.relative(path)) {
            let (message, help) = match check.layout {
                Layout::Folder => (
                    format!(
                        "SQLx{version} does not read `sqlx-data.json`, which is SQLx 0.6's: it looks for `.sqlx/query-….json`"
                    ),
                    "run `kiln sqlx prepare`, commit `.sqlx` and remove this file",
                ),
                Layout::SingleFile => (
                    format!("SQLx{version} does not read `.sqlx`, which is for 0.7 and later: it looks for `sqlx-data.json`"),
                    "run `cargo sqlx prepare` of sqlx-cli 0.6, or upgrade sqlx",
                ),
            };
            findings.on(&path, message).help(help).severity(severity);
        }
    }
}
