//! Repositories and their commits.

use std::process::{Command, Output};

use camino::Utf8Path;
use kiln::recipe::Selection;
use serde::Deserialize;

/// One line of the list: what is replayed.
#[derive(Debug, Deserialize)]
pub(crate) struct Subject {
    /// Name in the table, and of the folder.
    pub(crate) name: String,
    /// What `git clone` understands.
    url: String,
    /// Newest commit.
    until: String,
    /// How many commits, back from there along first parents.
    commits: usize,
    /// Folder of the workspace within the repository.
    #[serde(default)]
    pub(crate) folder: String,
    /// The member that has the binary.
    pub(crate) package: String,
    /// The binary of the image.
    pub(crate) binary: String,
}

impl Subject {
    /// What is built of it.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            package: Some(self.package.clone()),
            binaries: vec![self.binary.clone()],
            profile: "release".to_owned(),
            ..Selection::default()
        }
    }
}

/// Reads the list.
pub(crate) fn read_list(path: &Utf8Path) -> Vec<Subject> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One commit.
#[derive(Debug)]
pub(crate) struct Commit {
    /// Its hash.
    pub(crate) id: String,
    /// Whether it touches a file that cargo's unit graph (or a recipe) could depend on.
    pub(crate) counts: bool,
}

/// All that cargo reads before it compiles, or looks for: other files stay out of the clone's work tree.
const FILES: [&str; 5] = ["*.rs", "*.toml", "Cargo.lock", "rust-toolchain", "**/.cargo/config"];

/// The clone, made if it is not there.
pub(crate) fn clone(subject: &Subject, folder: &Utf8Path) {
    if !folder.join(".git").exists() {
        std::fs::create_dir_all(folder).unwrap();
        git(folder, &["clone", "--quiet", "--no-checkout", &subject.url, "."]);
        let mut sparse = vec!["sparse-checkout", "set", "--no-cone"];
        sparse.extend(FILES);
        git(folder, &sparse);
    }
}

/// The commits, oldest first.
pub(crate) fn commits(subject: &Subject, clone: &Utf8Path) -> Vec<Commit> {
    let count = subject.commits.to_string();
    let log = git(
        clone,
        &["log", "--first-parent", "-m", "--no-renames", "--name-status", "--format=commit %H", "-n", &count, &subject.until],
    );
    let mut commits: Vec<Commit> = Vec::new();
    for line in log.lines() {
        if let Some(id) = line.strip_prefix("commit ") {
            commits.push(Commit { id: id.to_owned(), counts: false });
        } else if let Some((status, path)) = line.split_once('\t') {
            let commit = commits.last_mut().unwrap();
            commit.counts |= counts(status, path);
        }
    }
    commits.reverse();
    commits
}

/// Of sources only their coming and going counts: cargo finds targets by the names of files.
fn counts(status: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let by_content = ["Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml"].contains(&name);
    let configuration = path.contains(".cargo/config");
    by_content || configuration || (status != "M" && path.ends_with(".rs"))
}

/// Brings the files of a commit.
pub(crate) fn check_out(clone: &Utf8Path, commit: &str) {
    git(clone, &["checkout", "--quiet", "--force", "--detach", commit]);
}

#[expect(clippy::disallowed_methods, reason = "the test reads a repository")]
fn git(folder: &Utf8Path, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } =
        Command::new("git").args(arguments).current_dir(folder).env("GIT_LFS_SKIP_SMUDGE", "1").output().unwrap();
    assert!(status.success(), "git {arguments:?} in {folder}:\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}
