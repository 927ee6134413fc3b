//! What is checked out, read from git's files: starting git would cost more than the answer is worth.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::process::{Cancel, Finished, Run};

/// How long git may take to say what commits are called.
const PATIENCE: Duration = Duration::from_secs(10);

/// The commit that is checked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitHead {
    /// Its hash.
    pub commit: String,
    /// The branch, unless the head is detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// The head of the repository that holds a folder, if there is one and it is of a form that can be read without git.
#[must_use]
pub fn git_head(folder: &Utf8Path) -> Option<GitHead> {
    let git = folder.ancestors().map(|folder| folder.join(".git")).find(|path| path.exists())?;
    let git = if git.is_dir() { git } else { pointed(&git, "gitdir: ")? };
    let common = pointed(&git.join("commondir"), "").unwrap_or_else(|| git.clone());
    let head = read(&git.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else { return Some(GitHead { commit: head, branch: None }) };
    let branch = reference.strip_prefix("refs/heads/").map(str::to_owned);
    let loose = read(&git.join(reference)).or_else(|| read(&common.join(reference)));
    let packed = || {
        let packed = read(&common.join("packed-refs"))?;
        packed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(_, name)| *name == reference)
            .map(|(commit, _)| commit.to_owned())
    };
    let commit = loose.or_else(packed)?;
    commit.chars().all(|character| character.is_ascii_hexdigit()).then_some(GitHead { commit, branch })
}

/// First lines of commits, by their hashes. Commits that are not there any more, or that no git can be asked about, are left out.
#[must_use]
pub fn commit_subjects<'a>(
    folder: &Utf8Path,
    commits: impl IntoIterator<Item = &'a str>,
    cancel: &Cancel,
) -> BTreeMap<String, String> {
    let is_hash = |commit: &&str| matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hashes: String = commits.into_iter().filter(is_hash).map(|commit| format!("{commit}\n")).collect();
    if hashes.is_empty() {
        return BTreeMap::new();
    }
    let args = ["log", "--no-walk=unsorted", "--ignore-missing", "--format=%H %s", "--stdin"];
    let run = Run::new("git").args(args).cwd(folder).stdin(hashes).capture(4 << 20).timeout(PATIENCE);
    let finished = run.output(cancel).ok().filter(Finished::success);
    let text = finished.map(|finished| finished.stdout).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(' ')).map(|(hash, subject)| (hash.to_owned(), subject.to_owned())).collect()
}

/// Names of the branches of the repository that holds a folder; `None` if that cannot be told without git.
#[must_use]
pub fn git_branches(folder: &Utf8Path) -> Option<BTreeSet<String>> {
    let git = folder.ancestors().map(|folder| folder.join(".git")).find(|path| path.exists())?;
    let git = if git.is_dir() { git } else { pointed(&git, "gitdir: ")? };
    let common = pointed(&git.join("commondir"), "").unwrap_or_else(|| git.clone());
    // Another format keeps them elsewhere.
    if common.join("reftable").exists() {
        return None;
    }
    let packed = read(&common.join("packed-refs")).unwrap_or_default();
    let names = packed.lines().filter_map(|line| line.split_once(' ')?.1.strip_prefix("refs/heads/"));
    let mut branches: BTreeSet<String> = names.map(str::to_owned).collect();
    let heads = common.join("refs/heads");
    let mut pending = vec![heads.clone()];
    while let Some(folder) = pending.pop() {
        for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path.to_owned());
            } else if let Ok(name) = path.strip_prefix(&heads) {
                branches.insert(name.to_string());
            }
        }
    }
    Some(branches)
}

/// A path that a file holds, relative to the file's folder.
fn pointed(file: &Utf8Path, prefix: &str) -> Option<Utf8PathBuf> {
    Some(file.parent()?.join(read(file)?.strip_prefix(prefix)?))
}

fn read(path: &Utf8Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_packed_detached_and_worktree_heads_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let head =
            |commit: &str, branch: Option<&str>| Some(GitHead { commit: commit.to_owned(), branch: branch.map(str::to_owned) });
        write("a/.git/HEAD", "ref: refs/heads/main\n");
        write("a/sub/file", "");
        assert_eq!(git_head(&root.join("a/sub")), None);
        write("a/.git/packed-refs", "# pack-refs with: peeled\nabc1 refs/heads/main\n");
        assert_eq!(git_head(&root.join("a/sub")), head("abc1", Some("main")));
        write("a/.git/refs/heads/main", "def2\n");
        assert_eq!(git_head(&root.join("a")), head("def2", Some("main")));
        write("a/.git/worktrees/w/HEAD", "ref: refs/heads/main\n");
        write("a/.git/worktrees/w/commondir", "../..\n");
        write("w/.git", &format!("gitdir: {root}/a/.git/worktrees/w\n"));
        assert_eq!(git_head(&root.join("w")), head("def2", Some("main")));
        write("a/.git/refs/heads/topic/one", "def3\n");
        let branches = git_branches(&root.join("w")).unwrap();
        assert_eq!(branches.into_iter().collect::<Vec<_>>(), ["main", "topic/one"]);
        write("a/.git/HEAD", "0123\n");
        assert_eq!(git_head(&root.join("a")), head("0123", None));
    }
}
