//! What `.gitattributes` says that makes a checked out file another one than git's.

use serde::{Deserialize, Serialize};

/// An attribute that makes the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    /// `filter=lfs`: git has a pointer in place of the file.
    Lfs,
    /// Another `filter`.
    Filter,
    /// `eol`, `text` or `crlf`: line endings may be others.
    LineEndings,
    /// `working-tree-encoding`: letters are written otherwise.
    Encoding,
    /// `ident`: `$Id$` is filled in.
    Ident,
}

/// The attributes that a `.gitattributes` gives to any file. Those that are taken away (`-text`, `!filter`) make no difference.
#[must_use]
pub fn attributes(text: &str) -> Vec<Attribute> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found: Vec<Attribute> = lines
        .flat_map(|line| line.split_whitespace().skip(1))
        .filter_map(|word| match word.split_once('=').unwrap_or((word, "")) {
            ("filter", "lfs") => Some(Attribute::Lfs),
            ("filter", _) => Some(Attribute::Filter),
            // `text` alone only makes a difference where git is told to write other line endings.
            ("eol", "crlf") | ("crlf", _) => Some(Attribute::LineEndings),
            ("working-tree-encoding", _) => Some(Attribute::Encoding),
            ("ident", _) => Some(Attribute::Ident),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
