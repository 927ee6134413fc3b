//! A lockfile and a `package.json` that disagree.

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::plan::PackageManager;
use crate::project::node::Refusal;

pub(super) const RULE: Rule = Rule {
    id: "node-lock-out-of-step",
    group: Group::Locks,
    severity: Severity::Error,
    summary: "a lockfile and its package.json disagree",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        let (Some(disagreement), Some(lock)) = (&workspace.disagreement, workspace.lockfile()) else { continue };
        let manifest = context.relative(&workspace.directory).and_then(|folder| context.file(&folder.join(&disagreement.path)));
        let Some(manifest) = manifest else { continue };
        let (name, wanted, lock) = (&disagreement.dependency, &disagreement.wanted, &lock.name);
        let what = match &disagreement.refusal {
            Refusal::Missing => format!("`{lock}` has no `{name}@{wanted}`"),
            Refusal::OtherVersion { locked } => format!("`{lock}` has `{name}` {locked}, which is not in `{wanted}`"),
            Refusal::OtherSpecifier { locked } => format!("`{lock}` was made for `{name}@{locked}`, not `{wanted}`"),
            Refusal::UnknownMember => format!("`{lock}` does not know the workspace member `{name}`"),
        };
        let (error, command) = match workspace.manager().unwrap_or(PackageManager::Npm) {
            PackageManager::Npm => {
                ("`npm ci` stops with EUSAGE: package.json and package-lock.json are not in sync", "npm install")
            }
            PackageManager::Pnpm => ("`pnpm install --frozen-lockfile` stops with ERR_PNPM_OUTDATED_LOCKFILE", "pnpm install"),
            PackageManager::YarnClassic => {
                ("`yarn install --frozen-lockfile` stops: your lockfile needs to be updated", "yarn install")
            }
            PackageManager::YarnBerry => {
                ("`yarn install --immutable` stops with YN0028: the lockfile would have been modified", "yarn install")
            }
            PackageManager::Bun => ("`bun install --frozen-lockfile` stops: lockfile had changes", "bun install"),
        };
        findings
            .line(&manifest, disagreement.line, format!("{what}: {error}"))
            .help(format!("run `{command}` and commit {lock}"));
    }
}
