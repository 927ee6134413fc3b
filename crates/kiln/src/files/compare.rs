//! What is there against what would be written.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use similar::TextDiff;

use super::github;
use super::header::{parse, with_header};
use super::{FilesError, Ownership, Rendered, Status, Surroundings};
use crate::text::line_of_bad_byte;

/// Makefiles in make's own order.
const MAKEFILES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];
/// Compose files that are not kiln's; `docker compose` would prefer kiln's to them.
const COMPOSE_FILES: [&str; 3] = ["compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// What would happen to every file.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Absolute path of the project root.
    pub(super) root: Utf8PathBuf,
    /// The files, in the order in which they are shown.
    pub entries: Vec<Entry>,
}

/// What would happen to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path relative to the project root.
    pub path: Utf8PathBuf,
    /// What would happen.
    pub status: Status,
    /// Text that is there.
    pub(super) old: Option<String>,
    /// Text that would be there, or that kiln would write if the file were not kept.
    pub(super) new: String,
    /// Where the kept text goes, when writing is forced.
    pub(super) saved_as: Option<Utf8PathBuf>,
}

impl Surroundings {
    /// Looks around in the root of a project.
    pub fn look(root: &Utf8Path) -> Result<Self, FilesError> {
        let mut makefile = None;
        for name in MAKEFILES {
            if let Some(text) = read(root, Utf8Path::new(name))? {
                makefile = Some((Utf8PathBuf::from(name), text));
                break;
            }
        }
        let compose = COMPOSE_FILES.iter().find(|name| root.join(name).exists()).map(Utf8PathBuf::from);
        let github = read(root, Utf8Path::new(github::PATH))?.is_some_and(|text| parse(github::PATH.into(), &text).is_some());
        Ok(Self { makefile, compose, github })
    }
}

/// Decides what would happen to each file. With `force`, a file that a person edited is replaced and saved as `NAME.kept`.
pub fn compare(root: &Utf8Path, files: Vec<Rendered>, force: bool) -> Result<Comparison, FilesError> {
    let mut entries = Vec::new();
    for file in files {
        entries.push(entry(root, file, force)?);
    }
    // A new ignore file beside a person's Dockerfile would change what their own builds read.
    let kept: Vec<Utf8PathBuf> = entries
        .iter()
        .filter(|entry| entry.status == Status::Kept)
        .map(|entry| format!("{}.dockerignore", entry.path).into())
        .collect();
    entries.retain(|entry| entry.status != Status::Created || !kept.contains(&entry.path));
    Ok(Comparison { root: root.to_owned(), entries })
}

fn entry(root: &Utf8Path, file: Rendered, force: bool) -> Result<Entry, FilesError> {
    let Rendered { path, body, ownership } = file;
    let entry = |status, old, new| Entry { path: path.clone(), status, old, new, saved_as: None };
    let old = match &ownership {
        Ownership::Replaced { by } => {
            let old = read(root, by)?;
            return Ok(Entry { path: by.clone(), ..entry(Status::Kept, old.clone(), old.unwrap_or_default()) });
        }
        _ => read(root, &path)?,
    };
    let Some(old) = old else {
        return Ok(entry(Status::Created, None, written(&ownership, &path, body)));
    };
    Ok(match &ownership {
        Ownership::Kiln | Ownership::HandedOver => {
            let parsed = parse(&path, &old);
            let existing = parsed.as_ref().map_or(old.as_str(), |parsed| parsed.body);
            let has_wrong_header = ownership == Ownership::HandedOver && parsed.is_some();
            let new = written(&ownership, &path, body.clone());
            if !has_wrong_header && existing.replace("\r\n", "\n") == body {
                entry(Status::Unchanged, Some(old.clone()), old)
            } else if parsed.is_some_and(|parsed| parsed.intact) {
                entry(Status::Updated, Some(old), new)
            } else if force {
                let saved_as = Some(unused_name(root, &path));
                Entry { saved_as, ..entry(Status::Updated, Some(old), new) }
            } else {
                entry(Status::Kept, Some(old), new)
            }
        }
        Ownership::Line { accepted } => {
            let wanted = body.trim();
            if old.lines().map(str::trim).any(|line| line == wanted || accepted.iter().any(|other| other == line)) {
                entry(Status::Unchanged, Some(old.clone()), old)
            } else {
                let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
                let new = format!("{old}{gap}{body}");
                entry(Status::Updated, Some(old), new)
            }
        }
        Ownership::User | Ownership::Replaced { .. } => entry(Status::Unchanged, Some(old.clone()), old),
    })
}

/// The text of a new file.
fn written(ownership: &Ownership, path: &Utf8Path, body: String) -> String {
    if *ownership == Ownership::Kiln { with_header(path, &body) } else { body }
}

/// `NAME.kept`, or `NAME.kept.2` and so on where that is taken.
fn unused_name(root: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    let first = Utf8PathBuf::from(format!("{path}.kept"));
    let mut names = std::iter::once(first.clone()).chain((2..).map(|number| format!("{path}.kept.{number}").into()));
    names.find(|name| !root.join(name).exists()).unwrap_or(first)
}

/// The text of a file; `None` if there is none.
fn read(root: &Utf8Path, path: &Utf8Path) -> Result<Option<String>, FilesError> {
    let full = root.join(path);
    let metadata = match fs::symlink_metadata(&full) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A file stands where a folder on the way is needed.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(FilesError::NotAFile {
                path: path.parent().unwrap_or(path).to_owned(),
                found: "a file where a folder is needed",
            });
        }
        Err(source) => return Err(FilesError::Read { path: path.to_owned(), source }),
    };
    let not_a_file = |found| Err(FilesError::NotAFile { path: path.to_owned(), found });
    if metadata.is_dir() {
        return not_a_file("a folder");
    }
    if metadata.is_symlink() {
        return not_a_file("a symbolic link");
    }
    if !metadata.is_file() {
        return not_a_file("a device, pipe or socket");
    }
    let bytes = fs::read(&full).map_err(|source| FilesError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|error| FilesError::NotText { path: path.to_owned(), line: line_of_bad_byte(&error) })
}

impl Entry {
    /// The difference as a unified diff; empty if there is none.
    #[must_use]
    pub fn diff(&self) -> String {
        let old = self.old.as_deref().unwrap_or("");
        if old == self.new {
            return String::new();
        }
        let before = if self.old.is_some() { format!("a/{}", self.path) } else { "/dev/null".to_owned() };
        TextDiff::from_lines(old, self.new.as_str()).unified_diff().header(&before, &format!("b/{}", self.path)).to_string()
    }
}

impl Comparison {
    /// The files that `kiln init` would write: out of date, in the words of `--check`.
    pub fn out_of_date(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| matches!(entry.status, Status::Created | Status::Updated))
    }
}
