//! Migrations: where they are, and running them with words for what goes wrong.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::tool::Tool;
use super::{PrepareError, PrepareEvent, PrepareOptions};
use crate::project::cargo::{CargoWorkspace, SourceFacts, paths};

/// A folder with migrations.
#[derive(Debug)]
pub(super) struct Migrations {
    folder: Utf8PathBuf,
    /// Version and file, in order, without those that go back.
    files: Vec<(i64, Utf8PathBuf)>,
}

/// The folders that were named, else those that `migrate!` names or that are called `migrations`.
pub(super) fn find(workspace: &CargoWorkspace, options: &PrepareOptions) -> Result<Vec<Migrations>, PrepareError> {
    if !options.migrations.is_empty() {
        let read = |folder: &Utf8PathBuf| {
            let found = read(folder);
            if found.files.is_empty() { Err(PrepareError::EmptyMigrations { folder: folder.clone() }) } else { Ok(found) }
        };
        return options.migrations.iter().map(read).collect();
    }
    let (mut folders, mut facts) = (BTreeSet::new(), SourceFacts::default());
    for package in &workspace.packages {
        let found = facts.sqlx(workspace, &package.name).map(|found| found.migrations).unwrap_or_default();
        folders.extend(found.iter().map(|folder| paths::normalize(&workspace.directory.join(folder))));
    }
    Ok(folders.iter().map(|folder| read(folder)).filter(|found| !found.files.is_empty()).collect())
}

fn read(folder: &Utf8Path) -> Migrations {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let version = name.split_once('_').and_then(|(version, _)| version.parse().ok());
        if let Some(version) = version.filter(|_| name.ends_with(".sql") && !name.ends_with(".down.sql")) {
            files.push((version, entry.into_path()));
        }
    }
    files.sort();
    Migrations { folder: folder.to_owned(), files }
}

/// Runs them on a database.
pub(super) fn run(
    tool: &Tool,
    url: &str,
    all: &[Migrations],
    options: &PrepareOptions,
    on_event: &mut dyn FnMut(PrepareEvent),
) -> Result<(), PrepareError> {
    for migrations in all {
        on_event(PrepareEvent::Migrating { folder: migrations.folder.clone(), files: migrations.files.len() });
        let mut arguments = vec!["migrate", "run", "--source", migrations.folder.as_str(), "--database-url", url];
        // Several folders keep their books in one table.
        if all.len() > 1 {
            arguments.push("--ignore-missing");
        }
        let finished = tool.command(&arguments, options).cwd(&migrations.folder).output(&options.cancel)?;
        if !finished.success() {
            return Err(failed(migrations, &finished.stdout, &finished.stderr));
        }
    }
    Ok(())
}

/// What sqlx-cli says, with the file that it means.
fn failed(migrations: &Migrations, stdout: &str, stderr: &str) -> PrepareError {
    let said = if stdout.lines().any(|line| line.contains("error:")) { stdout } else { stderr };
    let message = said.split_once("error:").map_or(said, |(_, message)| message).trim().to_owned();
    let rest = message.split_once("while executing migration ").map(|(_, rest)| rest);
    let version = rest.and_then(|rest| rest.split(':').next()).and_then(|version| version.trim().parse::<i64>().ok());
    // Versions before 0.8.1 name no migration, but list what was applied.
    let applied = |version: i64| stdout.contains(&format!("Applied {version}/"));
    let first = || migrations.files.iter().find(|(version, _)| !applied(*version));
    let file = match version {
        Some(version) => migrations.files.iter().find(|(known, _)| *known == version),
        None if message.contains("while executing") || message.contains("error returned from database") => first(),
        None => None,
    };
    let plain = match message.split_once("error returned from database:") {
        Some((_, plain)) => plain.trim().to_owned(),
        None => message,
    };
    PrepareError::Migration { file: file.map(|(_, path)| path.clone()), message: plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_migration_is_named_with_the_words_of_the_database() {
        let migrations = Migrations {
            folder: "/m".into(),
            files: vec![(1, "/m/1_first.sql".into()), (20250303090000, "/m/20250303090000_tasks.sql".into())],
        };
        let told = |stdout: &str, stderr: &str| match failed(&migrations, stdout, stderr) {
            PrepareError::Migration { file, message } => (file.map(Utf8PathBuf::into_string), message),
            other => panic!("{other}"),
        };
        let new = "Applied 1/migrate first (1ms)\nerror: while executing migration 20250303090000: error returned from database: (code: 1) near \"CRATE\": syntax error\n";
        assert_eq!(told(new, ""), (Some("/m/20250303090000_tasks.sql".into()), "(code: 1) near \"CRATE\": syntax error".into()));
        let old = "error: while executing migrations: error returned from database: syntax error at or near \"x\"\n";
        assert_eq!(told(old, ""), (Some("/m/1_first.sql".into()), "syntax error at or near \"x\"".into()));
        let none = "error: migration 7 was previously applied but is missing in the resolved migrations\n";
        assert_eq!(told("", none).0, None);
    }
}
