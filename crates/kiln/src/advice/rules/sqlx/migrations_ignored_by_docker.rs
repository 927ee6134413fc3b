//! Embedded migrations that are not in the build context.

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::context::IgnoreFile;
use crate::project::cargo::SourceFacts;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-migrations-ignored-by-docker",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "an ignore file keeps migrations out of the build context that `migrate!` embeds",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let ignore_files: Vec<_> =
        context.project.docker_files.iter().filter(|path| path.as_str().ends_with(".dockerignore")).collect();
    for check in context.sqlx_checks() {
        let Some(workspace) = context.project.cargo.iter().find(|found| found.directory == check.workspace) else { continue };
        let uses = workspace.members().filter(|package| !package.binaries.is_empty());
        let mut facts = SourceFacts::default();
        let folders = uses.filter_map(|package| facts.sqlx(workspace, &package.name)).filter(|found| found.embedded_migrations);
        let folders: Vec<_> = folders
            .flat_map(|found| found.migrations)
            .filter_map(|path| context.relative(&workspace.directory.join(path)))
            .collect();
        for file in ignore_files.iter().filter_map(|path| context.file(path)) {
            let Ok(rules) = IgnoreFile::parse(&file.text) else { continue };
            let base = file.path.parent().unwrap_or(camino::Utf8Path::new(""));
            let below = folders.iter().filter_map(|folder| folder.strip_prefix(base).ok());
            let Some(folder) = below.into_iter().find(|folder| rules.excludes(&format!("{folder}/1_first.sql"))) else {
                continue;
            };
            let Some(line) = rules.deciding_line(&format!("{folder}/1_first.sql")) else { continue };
            findings
                .line(
                    &file,
                    line,
                    format!("`migrate!` embeds `{folder}`, which this line keeps out of the build context: error canonicalizing migration directory"),
                )
                .help(format!("remove the pattern, or bring the folder back with a later line `!{folder}`"));
        }
    }
}
