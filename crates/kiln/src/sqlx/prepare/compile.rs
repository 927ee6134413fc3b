//! `cargo sqlx prepare`: compiles the queries against a database and gives what SQLx' macros wrote.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::place::Made;
use super::tool::{Tool, said};
use super::{PrepareError, PrepareEvent, PrepareOptions};
use crate::process::Run;
use crate::project::cargo::CargoWorkspace;

/// Compiles the packages. Their `.sqlx` folders are not touched: `--check` writes into the target folder, and what it says about
/// the difference is of no interest here.
pub(super) fn compile(
    tool: &Tool,
    url: &str,
    workspace: &CargoWorkspace,
    packages: &[String],
    options: &PrepareOptions,
    on_event: &mut dyn FnMut(PrepareEvent),
) -> Result<Made, PrepareError> {
    let results = target_directory(workspace, options)?.join("sqlx-prepare-check");
    // Left from an earlier run, it would look like a result.
    match fs::remove_dir_all(&results) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(PrepareError::file("empty", &results)(error)),
        _ => {}
    }
    let mut arguments = vec!["prepare", "--check", "--workspace", "--database-url", url, "--"];
    arguments.extend(packages.iter().flat_map(|package| ["--package", package]));
    if options.tests {
        arguments.push("--all-targets");
    }
    let features = options.check.features.features.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    if !features.is_empty() {
        arguments.extend(["--features", &features]);
    }
    if packages.iter().all(|package| options.check.features.no_default_features.contains(package)) {
        arguments.push("--no-default-features");
    }
    if options.check.features.all_features {
        arguments.push("--all-features");
    }
    let run = tool.command(&arguments, options).cwd(&workspace.directory).env("CARGO_TERM_COLOR", "never");
    let finished = run.lines(&options.cancel, &mut |_, line| on_event(PrepareEvent::Line(line.to_owned())))?;
    let text = format!("{}{}", finished.stdout, finished.stderr);
    // It also fails where the results differ from `.sqlx`, or where that holds something broken: both are put right by kiln.
    if !finished.success() && (text.contains("`cargo check` failed") || !results.is_dir()) {
        return Err(match text.contains("`cargo check` failed") || text.contains("error: could not compile") {
            true => PrepareError::Compile { output: errors(&finished.stderr) },
            false => PrepareError::Connect { message: said(&finished.stdout, &finished.stderr) },
        });
    }
    read(&results)
}

/// The compiler's errors, without the lines about what else it did.
fn errors(stderr: &str) -> String {
    let start = stderr.find("\nerror").map_or(0, |at| at + 1);
    let kept = stderr[start..].lines().filter(|line| {
        let word = line.split_whitespace().next().unwrap_or_default();
        !matches!(word, "Compiling" | "Checking" | "Finished" | "Building" | "Fresh")
            && !line.starts_with("warning: build failed")
    });
    kept.collect::<Vec<_>>().join("\n")
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: Utf8PathBuf,
}

fn target_directory(workspace: &CargoWorkspace, options: &PrepareOptions) -> Result<Utf8PathBuf, PrepareError> {
    let run = Run::new(&options.cargo)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .cwd(&workspace.directory)
        .capture(16 << 20);
    let finished = run.output(&options.cancel)?;
    if !finished.success() {
        return Err(PrepareError::Compile { output: finished.stderr });
    }
    serde_json::from_str::<Metadata>(&finished.stdout)
        .map(|metadata| metadata.target_directory)
        .map_err(|error| PrepareError::Nonsense { program: "cargo metadata".to_owned(), output: error.to_string() })
}

/// Every `query-<hash>.json` of a folder.
fn read(folder: &Utf8Path) -> Result<Made, PrepareError> {
    let mut files = BTreeMap::new();
    let entries = folder.read_dir_utf8().map_err(PrepareError::file("read", folder))?;
    for entry in entries.flatten() {
        if let Some(hash) = entry.file_name().strip_prefix("query-").and_then(|name| name.strip_suffix(".json")) {
            let text = fs::read_to_string(entry.path()).map_err(PrepareError::file("read", entry.path()))?;
            files.insert(hash.to_owned(), text);
        }
    }
    Ok(Made { files })
}
