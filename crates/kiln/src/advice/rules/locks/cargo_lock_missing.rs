//! A workspace without `Cargo.lock`.

use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "cargo-lock-missing",
    group: Group::Locks,
    severity: Severity::Error,
    summary: "a cargo workspace that makes a binary has no Cargo.lock",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.cargo.iter().filter(|workspace| !workspace.incidental && workspace.lock.is_none()) {
        if workspace.packages.iter().all(|package| package.binaries.is_empty()) {
            continue;
        }
        let Some(folder) = context.relative(&workspace.directory) else { continue };
        findings
            .on(
                &folder.join("Cargo.lock"),
                "`cargo build --locked` stops: cannot create the lock file because --locked was passed; without it each build takes \
                 other dependencies",
            )
            .help("run `cargo generate-lockfile` and commit Cargo.lock");
    }
}
