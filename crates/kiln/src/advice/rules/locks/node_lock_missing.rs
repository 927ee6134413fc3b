//! A Node package with dependencies and without a lockfile.

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::plan::PackageManager;

pub(super) const RULE: Rule = Rule {
    id: "node-lock-missing",
    group: Group::Locks,
    severity: Severity::Error,
    summary: "a package.json with dependencies has no lockfile",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental && workspace.lockfiles.is_empty()) {
        let Some(root) = workspace.root().filter(|root| !root.manifest.dependencies.is_empty()) else { continue };
        let Some(file) = context.relative(&root.manifest.path).and_then(|path| context.file(&path)) else { continue };
        let manager = workspace.manager().unwrap_or(PackageManager::Npm);
        let (frozen, command) = match manager {
            PackageManager::Npm => ("`npm ci` stops: can only install with an existing package-lock.json", "npm install"),
            PackageManager::Pnpm => ("`pnpm install --frozen-lockfile` stops: ERR_PNPM_NO_LOCKFILE", "pnpm install"),
            PackageManager::YarnClassic | PackageManager::YarnBerry => {
                ("yarn cannot freeze what is not locked, and each build takes what is newest", "yarn install")
            }
            PackageManager::Bun => ("`bun install --frozen-lockfile` stops", "bun install"),
        };
        let first = root.manifest.dependencies.iter().map(|dependency| dependency.line).min().unwrap_or(1);
        findings
            .line(&file, first, format!("no lockfile for these dependencies: {frozen}"))
            .help(format!("run `{command}` and commit the lockfile"));
    }
}
