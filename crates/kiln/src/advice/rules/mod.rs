//! The rules: one file each, one folder per group.

mod dockerfile;
mod engine;
mod frontend;
mod general;
mod locks;
mod native;
mod sqlx;

use super::{Group, Rule, Severity};

/// Groups, in the order in which rules are listed. A group's own list is in its folder.
const GROUPS: &[&[&Rule]] = &[
    frontend::RULES, //
    dockerfile::RULES,
    locks::RULES,
    native::RULES,
    sqlx::RULES,
    engine::RULES,
    general::RULES,
    &[&UNUSED_SILENCE],
];

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().copied().flatten().copied()
}

/// The rule of that id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// Silences that silence nothing. It looks at the findings of all others, so [`examine`](super::examine) does its work.
pub const UNUSED_SILENCE: Rule = Rule {
    id: "unused-silence",
    group: Group::General,
    severity: Severity::Warning,
    summary: "a silence names no rule, or a rule that finds nothing there",
    fixable: false,
    check: |_, _| {},
};
