//! What is different between the work tree and a commit.

use std::collections::{BTreeMap, BTreeSet};

use super::{GitError, Node, NodeKind, Repository};
use crate::context::ContentId;
use crate::process::Cancel;

/// What stood at a path in a commit, where the work tree has something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// This.
    Was(Node),
}

/// How the work tree differs from a commit, by git's own judgement: it knows of clean filters, line endings, Git LFS and sparse checkouts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worktree {
    /// Files that differ, by path from the root of the repository, with what stood there.
    pub differing: BTreeMap<String, Before>,
    /// Files that the commit does not have and git does not track, but would: new work. A path that ends with a slash stands for all below it.
    pub untracked: BTreeSet<String>,
}

impl Worktree {
    /// Compares the work tree with a commit.
    ///
    /// # Errors
    /// [`GitError`], when git fails.
    pub fn since(repository: &Repository, commit: ContentId, cancel: &Cancel) -> Result<Self, GitError> {
        let commit = commit.to_string();
        let raw = [
            "diff",
            "--raw",
            "-z",
            "--no-renames",
            "--no-abbrev",
            "--no-ext-diff",
            "--ignore-submodules=none",
            commit.as_str(),
            "--",
        ];
        let differing = differences(&repository.ask(raw, cancel)?);
        let others = repository.ask(["ls-files", "-z", "--others", "--exclude-standard"], cancel)?;
        let untracked = fields(&others).map(str::to_owned).collect();
        Ok(Self { differing, untracked })
    }
}

/// Reads `git diff --raw -z`: `:100644 100755 <id> <id> M`, then the path.
fn differences(raw: &str) -> BTreeMap<String, Before> {
    let mut found = BTreeMap::new();
    let mut fields = fields(raw);
    while let Some(head) = fields.next() {
        let Some(path) = fields.next() else { break };
        let mut words = head.trim_start_matches(':').split(' ');
        let (mode, id) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        let kind = match mode {
            "100644" => NodeKind::File,
            "100755" => NodeKind::Executable,
            "120000" => NodeKind::Link,
            "160000" => NodeKind::Submodule,
            _ => {
                found.insert(path.to_owned(), Before::Nothing);
                continue;
            }
        };
        let before = ContentId::parse(id).map_or(Before::Nothing, |id| Before::Was(Node { kind, id }));
        found.insert(path.to_owned(), before);
    }
    found
}

/// What stands between zero bytes; the end of the text is a line's.
fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end_matches('\n').split('\0').filter(|field| !field.is_empty())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn raw_differences_are_read() {
        let (old, zero) = ("1".repeat(40), "0".repeat(40));
        let raw = format!(
            ":100644 100644 {old} {zero} M\0a b\0:000000 100644 {zero} {zero} A\0new\0:120000 000000 {old} {zero} D\0l\0\n"
        );
        let found = differences(&raw);
        let id = ContentId::parse(&old).unwrap();
        assert_eq!(found["a b"], Before::Was(Node { kind: NodeKind::File, id }));
        assert_eq!(found["new"], Before::Nothing);
        assert_eq!(found["l"], Before::Was(Node { kind: NodeKind::Link, id }));
        assert_eq!(found.len(), 3);
        assert!(differences("").is_empty());
    }
}
