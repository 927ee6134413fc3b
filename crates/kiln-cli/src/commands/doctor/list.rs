//! `kiln doctor --list`

use kiln::advice::{Group, rules};
use kiln::text::Text;
use serde::Serialize;

use crate::commands::Context;

#[derive(Debug, Serialize)]
struct Document {
    rules: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    id: &'static str,
    group: Group,
    severity: kiln::advice::Severity,
    fixable: bool,
    summary: &'static str,
    docs: String,
}

pub(super) fn show(context: &Context) {
    let rows = rules::all().map(|rule| Row {
        id: rule.id,
        group: rule.group,
        severity: rule.severity,
        fixable: rule.fixable,
        summary: rule.summary,
        docs: rule.docs(),
    });
    if context.ui.json {
        context.ui.document(&Document { rules: rows.collect() });
        return;
    }
    let width = rules::all().map(|rule| rule.id.len()).max().unwrap_or(0);
    let mut text = Text::default();
    let mut group = None;
    for row in rows {
        let before = group.replace(row.group);
        if before != Some(row.group) {
            let gap = if before.is_none() { "" } else { "\n" };
            text += format_args!("{gap}{}\n", row.group.page());
        }
        let fix = if row.fixable { "fix" } else { "" };
        text += format_args!("  {:width$}  {:7}  {fix:3}  {}\n", row.id, row.severity.name(), row.summary);
    }
    context.ui.data(&text.finish());
}
