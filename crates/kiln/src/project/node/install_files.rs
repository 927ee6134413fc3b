//! The files that an install script reads.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::javascript::{literals, without_comments};

/// Why an install script cannot be resolved to files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SourceNeed {
    /// A command whose inputs kiln does not know.
    Command {
        /// The command.
        command: String,
    },
    /// A file that is not there (it is generated, or the script is broken).
    MissingFile {
        /// The file, relative to the workspace root.
        path: Utf8PathBuf,
    },
    /// A file outside the workspace.
    Outside {
        /// The path as written.
        path: String,
    },
    /// A script that reads the manifest, lists folders or starts programs.
    Reads {
        /// The script, relative to the workspace root.
        path: Utf8PathBuf,
        /// What in its text says so.
        what: String,
    },
}

impl fmt::Display for SourceNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { command } => write!(f, "`{command}` may read any file"),
            Self::MissingFile { path } => write!(f, "`{path}` is not there"),
            Self::Outside { path } => write!(f, "`{path}` is outside of the workspace"),
            Self::Reads { path, what } => write!(f, "`{path}` uses `{what}`"),
        }
    }
}

/// What in a script's text says that it reads more than it names.
const READS_MORE: [&str; 5] = ["package.json", "readdir", "glob", "child_process", "execa"];

/// `path`, as written in a package's script, relative to the workspace root.
pub(crate) fn within(package: &Utf8Path, path: &str) -> Result<Utf8PathBuf, SourceNeed> {
    let outside = || SourceNeed::Outside { path: path.to_owned() };
    let mut parts: Vec<&str> = Vec::new();
    if path.starts_with('/') {
        return Err(outside());
    }
    for part in package.as_str().split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.iter().collect())
}

/// The file, or every file below the folder; nothing where there is none.
pub(super) fn all_files(root: &Utf8Path, path: &Utf8Path) -> Result<BTreeSet<Utf8PathBuf>, SourceNeed> {
    let absolute = root.join(path);
    if absolute.is_file() {
        return Ok([path.to_owned()].into());
    }
    let mut files = BTreeSet::new();
    let Ok(entries) = absolute.read_dir_utf8() else { return Ok(files) };
    for entry in entries {
        let Ok(entry) = entry else { return Err(SourceNeed::MissingFile { path: path.to_owned() }) };
        if entry.file_name() != "node_modules" {
            files.extend(all_files(root, &path.join(entry.file_name()))?);
        }
    }
    Ok(files)
}

/// A script, what it imports by relative path, and the files of the workspace that it names.
pub(crate) fn script_closure(root: &Utf8Path, package: &Utf8Path, script: &str) -> Result<BTreeSet<Utf8PathBuf>, SourceNeed> {
    let mut found = BTreeSet::new();
    let start = within(package, script)?;
    let start = resolve(root, &start).ok_or(SourceNeed::MissingFile { path: start })?;
    let mut open = vec![start];
    while let Some(path) = open.pop() {
        if !found.insert(path.clone()) || !is_script(&path) {
            continue;
        }
        let Ok(text) = fs::read_to_string(root.join(&path)) else { return Err(SourceNeed::MissingFile { path }) };
        let text = without_comments(&text);
        if let Some(what) = READS_MORE.iter().find(|what| text.contains(**what)) {
            return Err(SourceNeed::Reads { path, what: (*what).to_owned() });
        }
        let folder = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
        for literal in literals(&text) {
            let relative = literal.starts_with("./") || literal.starts_with("../");
            let places = [&*folder, package];
            let mut targets =
                places.iter().filter_map(|place| within(place, literal).ok()).filter_map(|path| resolve(root, &path));
            match targets.next() {
                Some(target) if !target.components().any(|part| part.as_str() == "node_modules") => open.push(target),
                Some(_) => {}
                None if relative && is_import(&text, literal) => {
                    return Err(SourceNeed::MissingFile { path: within(&folder, literal)? });
                }
                None => {}
            }
        }
    }
    Ok(found)
}

fn is_script(path: &Utf8Path) -> bool {
    matches!(path.extension(), Some("js" | "mjs" | "cjs" | "ts" | "mts" | "cts"))
}

fn is_import(text: &str, literal: &str) -> bool {
    ["require(", "from ", "import ", "import("]
        .iter()
        .any(|before| ['"', '\''].iter().any(|quote| text.contains(&format!("{before}{quote}{literal}{quote}"))))
}

/// The file as Node finds it: as written, with an extension, or as a folder's index.
fn resolve(root: &Utf8Path, path: &Utf8Path) -> Option<Utf8PathBuf> {
    if path == "" {
        return None;
    }
    let endings = ["", ".js", ".cjs", ".mjs", ".json", "/index.js"];
    endings.iter().map(|end| Utf8PathBuf::from(format!("{path}{end}"))).find(|path| root.join(path).is_file())
}
