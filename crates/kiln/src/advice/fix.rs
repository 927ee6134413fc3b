//! Fixes as values: edits of texts and renames, merged to whole files, shown as a difference, applied in one go.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use similar::TextDiff;

use super::dockerfile::is_dockerfile;
use super::{Context, Finding, SourceFile};
use crate::dockerfile::parse::parse;
use crate::files::{FilesError, replace_files};

/// A change that mends a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does, as an imperative: `rename to rollup.config.mjs`.
    pub title: String,
    /// Pieces of files that get another text; they do not overlap.
    pub edits: Vec<Edit>,
    /// Files that get another name, after the edits (which speak of the old name).
    pub renames: Vec<Rename>,
}

/// A piece of a file that gets another text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edit {
    /// The file, relative to the repository.
    pub path: Utf8PathBuf,
    /// First byte.
    pub start: usize,
    /// Byte behind the last; equal to `start` for an insertion.
    pub end: usize,
    /// What stands there then.
    pub replacement: String,
}

/// A file that gets another name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rename {
    /// Relative to the repository.
    pub from: Utf8PathBuf,
    /// Relative to the repository; nothing stands there.
    pub to: Utf8PathBuf,
}

impl Fix {
    /// A fix that does nothing yet.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), edits: Vec::new(), renames: Vec::new() }
    }

    /// Replaces a piece of a file.
    #[must_use]
    pub fn replace(mut self, file: &SourceFile, span: Range<usize>, replacement: impl Into<String>) -> Self {
        let Range { start, end } = span;
        self.edits.push(Edit { path: file.path.clone(), start, end, replacement: replacement.into() });
        self
    }

    /// Puts text before a byte of a file.
    #[must_use]
    pub fn insert(self, file: &SourceFile, at: usize, text: impl Into<String>) -> Self {
        self.replace(file, at..at, text)
    }

    /// The files that it changes, makes or renames.
    pub fn paths(&self) -> impl Iterator<Item = &Utf8Path> {
        self.edits.iter().map(|edit| &*edit.path).chain(self.renames.iter().map(|rename| &*rename.from))
    }

    /// Gives a file another name.
    #[must_use]
    pub fn rename(mut self, from: &Utf8Path, to: &Utf8Path) -> Self {
        self.renames.push(Rename { from: from.to_owned(), to: to.to_owned() });
        self
    }
}

/// What becomes of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    from: Utf8PathBuf,
    to: Utf8PathBuf,
    before: String,
    after: String,
}

/// Fixes merged to whole files, ordered by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    files: Vec<Change>,
    /// How many findings are mended.
    pub mended: usize,
}

/// A file as it was before changes were applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    path: Utf8PathBuf,
    /// Its name now.
    now: Utf8PathBuf,
    text: String,
}

/// Why fixes were not applied.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// A file could not be put into place.
    #[error(transparent)]
    Write(#[from] FilesError),
    /// The old name of a renamed file could not be removed.
    #[error("cannot remove `{path}`, which is now `{to}`")]
    Remove {
        /// Old name.
        path: Utf8PathBuf,
        /// New name.
        to: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no longer what the findings were about.
    #[error("`{path}` was changed in the meantime; nothing was written")]
    Changed {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A fix would have left a file that does not parse: a defect of the rule.
    #[error("the fixes of `{path}` would leave a file that is not valid: {reason}; nothing was written")]
    Invalid {
        /// The file.
        path: Utf8PathBuf,
        /// What its parser says.
        reason: String,
    },
}

impl Changes {
    /// Merges the fixes of findings, in their order. A fix that touches what an earlier one touches is left for the next round.
    #[must_use]
    pub fn of(context: &Context<'_>, findings: &[Finding]) -> Self {
        let mut edits: BTreeMap<Utf8PathBuf, Vec<&Edit>> = BTreeMap::new();
        let mut renames: BTreeMap<&Utf8Path, &Utf8Path> = BTreeMap::new();
        let mut mended = 0;
        for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
            let known = |edit: &Edit| edits.get(&edit.path).is_some_and(|edits| edits.contains(&edit));
            let collides = fix
                .edits
                .iter()
                .any(|edit| !known(edit) && edits.get(&edit.path).into_iter().flatten().any(|other| touch(edit, other)));
            let renamed_already = fix.renames.iter().any(|rename| {
                renames.get(&*rename.from).is_some_and(|to| *to != rename.to)
                    || (!renames.contains_key(&*rename.from)
                        && (context.exists(&rename.to) || renames.values().any(|to| *to == rename.to)))
            });
            if collides || renamed_already {
                continue;
            }
            for edit in &fix.edits {
                let list = edits.entry(edit.path.clone()).or_default();
                if !list.contains(&edit) {
                    list.push(edit);
                }
            }
            renames.extend(fix.renames.iter().map(|rename| (rename.from.as_path(), rename.to.as_path())));
            mended += 1;
        }
        let mut paths: Vec<&Utf8Path> = edits.keys().map(Utf8PathBuf::as_path).chain(renames.keys().copied()).collect();
        paths.sort_unstable();
        paths.dedup();
        let files = paths.into_iter().filter_map(|path| {
            let before = context.file(path).map(|file| file.text.clone()).unwrap_or_default();
            let mut list = edits.get(path).cloned().unwrap_or_default();
            list.sort();
            let after = edited(&before, &list)?;
            let to = renames.get(path).map_or(path, |to| *to);
            Some(Change { from: path.to_owned(), to: to.to_owned(), before, after })
        });
        Self { files: files.collect(), mended }
    }

    /// Whether nothing would change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Old and new name of each file that is touched.
    pub fn paths(&self) -> impl Iterator<Item = (&Utf8Path, &Utf8Path)> {
        self.files.iter().map(|change| (change.from.as_path(), change.to.as_path()))
    }

    /// The differences of all files, as `diff -u` and git show them.
    #[must_use]
    pub fn diff(&self) -> String {
        let mut text = String::new();
        for Change { from, to, before, after } in &self.files {
            if from != to {
                let _ = write!(text, "rename from {from}\nrename to {to}\n");
            }
            let difference = TextDiff::from_lines(before.as_str(), after.as_str());
            text += &difference.unified_diff().context_radius(2).header(&format!("a/{from}"), &format!("b/{to}")).to_string();
        }
        text
    }

    /// Puts the changed files into place: each is written beside its target and renamed, so that an interruption leaves whole
    /// files. Files that were changed since they were read, and results that do not parse, are refused before anything is written.
    ///
    /// # Errors
    ///
    /// See [`FixError`].
    pub fn apply(&self, root: &Utf8Path) -> Result<Vec<Original>, FixError> {
        for change in &self.files {
            let now = fs::read_to_string(root.join(&change.from)).unwrap_or_default();
            if now != change.before {
                return Err(FixError::Changed { path: change.from.clone() });
            }
            verify(&change.to, &change.after)?;
        }
        let like = |change: &Change| (change.from != change.to).then(|| change.from.clone());
        let files: Vec<_> = self.files.iter().map(|change| (change.to.clone(), change.after.clone(), like(change))).collect();
        replace_files(root, &files)?;
        for Change { from, to, .. } in self.files.iter().filter(|change| change.from != change.to) {
            fs::remove_file(root.join(from)).map_err(|source| FixError::Remove { path: from.clone(), to: to.clone(), source })?;
        }
        let originals = self.files.iter().map(|change| Original {
            path: change.from.clone(),
            now: change.to.clone(),
            text: change.before.clone(),
        });
        Ok(originals.collect())
    }
}

impl Original {
    /// Takes changes back.
    ///
    /// # Errors
    ///
    /// See [`FixError`].
    pub fn restore(root: &Utf8Path, originals: &[Self]) -> Result<(), FixError> {
        let like = |original: &Self| (original.path != original.now).then(|| original.now.clone());
        let files: Vec<_> =
            originals.iter().map(|original| (original.path.clone(), original.text.clone(), like(original))).collect();
        replace_files(root, &files)?;
        for Self { path, now, .. } in originals.iter().filter(|original| original.path != original.now) {
            fs::remove_file(root.join(now)).map_err(|source| FixError::Remove { path: now.clone(), to: path.clone(), source })?;
        }
        Ok(())
    }
}

/// Whether two different edits cannot both be made: they overlap, or insert at the same place.
fn touch(a: &Edit, b: &Edit) -> bool {
    (a.start < b.end && b.start < a.end) || a.start == b.start
}

fn edited(before: &str, edits: &[&Edit]) -> Option<String> {
    // A file of Windows stays one.
    let has_crlf = before.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n"));
    // A byte order mark stays at the start.
    let mark = if before.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut after = String::with_capacity(before.len());
    let mut from = 0;
    for edit in edits {
        after += before.get(from..edit.start.max(mark))?;
        if has_crlf {
            after += &edit.replacement.replace("\r\n", "\n").replace('\n', "\r\n");
        } else {
            after += &edit.replacement;
        }
        from = edit.end.max(mark);
    }
    after += before.get(from..)?;
    Some(after)
}

/// Whether the result is still what its name says.
fn verify(path: &Utf8Path, text: &str) -> Result<(), FixError> {
    let reason = match path.extension() {
        Some("json") => {
            serde_json::from_str::<serde::de::IgnoredAny>(text.trim_start_matches('\u{feff}')).err().map(|e| e.to_string())
        }
        Some("toml") => toml_edit::Document::parse(text).err().map(|error| error.message().to_owned()),
        _ if is_dockerfile(path) => parse(text.as_bytes()).err().map(|error| error.to_string()),
        _ => None,
    };
    match reason {
        Some(reason) => Err(FixError::Invalid { path: path.to_owned(), reason }),
        None => Ok(()),
    }
}
