//! Lockfiles of several package managers side by side.

use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "two-lockfiles",
    group: Group::Locks,
    severity: Severity::Warning,
    summary: "lockfiles of two package managers stand side by side, or one of another manager than the pinned one",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        let Some(folder) = context.relative(&workspace.directory) else { continue };
        let pinned = workspace.pinned_manager.as_ref().map(|pinned| pinned.manager);
        if let [first, rest @ ..] = workspace.lockfiles.as_slice() {
            let kept = workspace.lockfile().unwrap_or(first);
            for other in workspace.lockfiles.iter().filter(|lock| lock.name != kept.name) {
                let reason = if pinned.is_some() { "package.json pins its manager" } else { "two managers resolve differently" };
                findings
                    .on(
                        &folder.join(&other.name),
                        format!(
                            "{} and {} stand side by side, and only one of them is kept in step: {reason}",
                            kept.name, other.name
                        ),
                    )
                    .help("remove the one that is not in use, and name the manager in `packageManager` of package.json");
            }
            let other = pinned.filter(|pinned| rest.is_empty() && *pinned != first.manager && !first.same_family(*pinned));
            if other.is_some() {
                let line = workspace.pinned_manager.as_ref().map_or(1, |pinned| pinned.line);
                let Some(manifest) = context.file(&folder.join("package.json")) else { continue };
                findings
                    .line(
                        &manifest,
                        line,
                        format!(
                            "package.json pins another package manager than that of {}: corepack refuses to run the other one, or each build \
                             resolves anew",
                            first.name
                        ),
                    )
                    .help(format!("install with the pinned manager and commit its lockfile in place of {}", first.name));
            }
        }
    }
}
