//! `rollup-plugin-terser` beside rollup 3 or newer, which its peer range excludes.

use crate::advice::facts::node_lock::major_of;
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "rollup-plugin-terser-peer",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "rollup-plugin-terser is asked for together with rollup 3 or newer",
    fixable: false,
    check,
};

/// The package.
pub(in crate::advice::rules) const PACKAGE: &str = "rollup-plugin-terser";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        let lock = context.node_lock(workspace);
        let Some(major) = major_of(lock.as_deref(), workspace, "rollup").filter(|major| *major >= 3) else { continue };
        for package in &workspace.packages {
            let Some(dependency) = package.manifest.dependencies.iter().find(|dependency| dependency.name == PACKAGE) else {
                continue;
            };
            let Some(manifest) = context.relative(&package.manifest.path).and_then(|path| context.file(&path)) else { continue };
            findings
                .line(
                    &manifest,
                    dependency.line,
                    format!(
                        "npm error ERESOLVE could not resolve: peer rollup@\"^2.0.0\" from {PACKAGE}, and this is rollup {major}; the \
                         package is no longer maintained"
                    ),
                )
                .help(
                    "run `npm uninstall rollup-plugin-terser && npm install --save-dev @rollup/plugin-terser`, and write `import terser from \
                     '@rollup/plugin-terser'`",
                );
        }
    }
}
