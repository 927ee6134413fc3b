//! `Cargo.lock` and a manifest that disagree.

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::project::cargo::DisagreementKind;

pub(super) const RULE: Rule = Rule {
    id: "cargo-lock-out-of-step",
    group: Group::Locks,
    severity: Severity::Error,
    summary: "Cargo.lock and a manifest disagree",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.cargo.iter().filter(|workspace| !workspace.incidental) {
        let Some(folder) = context.relative(&workspace.directory) else { continue };
        for disagreement in workspace.lock_disagreements() {
            // An entry too many is dropped by cargo without a word.
            if matches!(disagreement.kind, DisagreementKind::Unneeded { .. }) {
                continue;
            }
            let Some(manifest) = context.file(&folder.join(&disagreement.manifest)) else { continue };
            let what = what(&disagreement.package, &disagreement.kind);
            let message =
                format!("{what}: `cargo build --locked` stops: cannot update the lock file because --locked was passed");
            let line = disagreement.line.unwrap_or(1);
            findings.line(&manifest, line, message).help("run `cargo check` and commit Cargo.lock");
        }
    }
}

fn what(package: &str, kind: &DisagreementKind) -> String {
    match kind {
        DisagreementKind::MemberMissing => format!("Cargo.lock does not know the member `{package}`"),
        DisagreementKind::MemberVersion { manifest, locked } => {
            format!("Cargo.lock has `{package}` at {locked}, the manifest says {manifest}")
        }
        DisagreementKind::Missing { dependency, .. } => format!("Cargo.lock has no `{dependency}` for `{package}`"),
        DisagreementKind::Version { dependency, requirement, locked, .. } => {
            format!("Cargo.lock has `{dependency}` {}, which does not satisfy `{requirement}`", locked.join(" and "))
        }
        DisagreementKind::Source { dependency, .. } => format!("Cargo.lock has `{dependency}` from another source"),
        DisagreementKind::Unneeded { dependency } => {
            format!("Cargo.lock has `{dependency}`, which `{package}` no longer asks for")
        }
    }
}
