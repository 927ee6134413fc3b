//! New migrations that do not compile again what embeds them.

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::project::cargo::embeds_migrations;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-new-migrations-unseen",
    group: Group::Sqlx,
    severity: Severity::Warning,
    summary: "cargo does not notice a new migration that `migrate!` embeds",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for check in context.sqlx_checks() {
        let Some(workspace) = context.project.cargo.iter().find(|found| found.directory == check.workspace) else { continue };
        for package in workspace.members().filter(|package| !package.build_script) {
            let Some((path, offset)) = embeds_migrations(workspace, package) else { continue };
            let Some(file) = context.relative(&path).and_then(|path| context.file(&path)) else { continue };
            findings
                .at(
                    &file,
                    offset..offset + "migrate!".len(),
                    "a new file in the migrations folder compiles nothing again: where `target` is kept (a cache mount, CI), the program \
                     starts without the new migration",
                )
                .help(format!(
                    "add a build.rs to `{}` with `println!(\"cargo:rerun-if-changed=migrations\");` (`cargo sqlx migrate build-script` writes it)",
                    package.name
                ));
        }
    }
}
