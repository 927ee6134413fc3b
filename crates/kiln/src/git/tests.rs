//! Repositories made by git itself.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Attribute, Before, GitError, History, NodeKind, Repository, Worktree, attributes};
use crate::context::ContentId;
use crate::process::{Cancel, Run};

/// A repository in a folder of its own.
#[derive(Debug)]
pub(crate) struct Sandbox {
    _folder: tempfile::TempDir,
    pub(crate) root: Utf8PathBuf,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap().join("repository");
        fs::create_dir(&root).unwrap();
        let sandbox = Self { _folder: folder, root };
        sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
        sandbox
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.root, args)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits everything and gives the commit's id.
    pub(crate) fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn open(&self) -> Repository {
        Repository::open(&self.root, &Cancel::new()).unwrap()
    }
}

fn git(folder: &Utf8Path, args: &[&str]) -> String {
    let run = Run::new("git").args(args).cwd(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let names = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    let run = names.into_iter().fold(run, |run, name| run.env(name, "someone@example.org"));
    let run = run.env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z").env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
    let finished = run.capture(8 << 20).output(&Cancel::new()).unwrap();
    assert!(finished.success(), "git {args:?}: {}", finished.stderr);
    finished.stdout.trim_end().to_owned()
}

/// `path kind id` of each change, sorted.
fn told(history: &History, at: usize) -> Vec<String> {
    let mut lines: Vec<String> = history.changes[at]
        .iter()
        .map(|change| match change.after {
            Some(node) => format!("{} {:?} {}", change.path, node.kind, node.id),
            None => format!("{} gone", change.path),
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn commits_and_their_changes_are_read_loose_and_packed() {
    let sandbox = Sandbox::new();
    sandbox.write("a/one", "1");
    sandbox.write("a-b", "2");
    sandbox.write("x", "file");
    sandbox.commit("first\n\nmore words");
    sandbox.write("a/one", "changed");
    fs::set_permissions(sandbox.root.join("a-b"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("a/one", sandbox.root.join("link")).unwrap();
    fs::remove_file(sandbox.root.join("x")).unwrap();
    sandbox.write("x/inside", "folder");
    let last = sandbox.commit("second");
    let id = |text: &str| ContentId::of(text.as_bytes());
    let expected = vec![
        format!("a-b Executable {}", id("2")),
        format!("a/one File {}", id("changed")),
        format!("link Link {}", id("a/one")),
        "x gone".to_owned(),
        format!("x/inside File {}", id("folder")),
    ];
    for packed in [false, true] {
        if packed {
            sandbox.git(&["gc", "--quiet", "--aggressive", "--prune=now"]);
        }
        let repository = sandbox.open();
        let history = History::read(&repository, "HEAD", 10, &Cancel::new()).unwrap();
        assert_eq!(history.commits.len(), 2);
        assert_eq!((history.commits[0].subject.as_str(), history.commits[1].subject.as_str()), ("first", "second"));
        assert_eq!(history.commits[1].id.to_string(), last);
        assert_eq!(history.commits[1].time, 1_767_323_045);
        assert_eq!(told(&history, 1), expected);
        assert_eq!(history.changes[0].len(), 3);
        let link = history.changes[1].iter().find(|change| change.path == "link").unwrap();
        assert_eq!(link.target.as_deref(), Some("a/one"));
        assert_eq!(repository.objects.blob(id("changed")).unwrap(), b"changed");
        // With one commit, the one before it is there to compare with.
        let one = History::read(&repository, "HEAD", 1, &Cancel::new()).unwrap();
        assert_eq!((one.commits.len(), told(&one, 1)), (2, expected.clone()));
    }
}

#[test]
fn ranges_follow_first_parents_and_end_where_git_says() {
    let sandbox = Sandbox::new();
    let subjects = |range: &str| -> Vec<String> {
        let history = History::read(&sandbox.open(), range, 100, &Cancel::new()).unwrap();
        history.commits.into_iter().map(|commit| commit.subject).collect()
    };
    for number in 0..40 {
        sandbox.write("file", &number.to_string());
        sandbox.commit(&format!("c{number}"));
    }
    sandbox.git(&["tag", "v1", "HEAD~3"]);
    sandbox.git(&["checkout", "--quiet", "-b", "side", "HEAD~1"]);
    sandbox.write("other", "1");
    sandbox.commit("on the side");
    sandbox.git(&["checkout", "--quiet", "main"]);
    sandbox.git(&["merge", "--quiet", "--no-ff", "-m", "merged", "side"]);
    assert_eq!(subjects("v1..HEAD"), ["c36", "c37", "c38", "c39", "merged"]);
    assert_eq!(subjects("main").len(), 41, "nothing of the side");
    assert_eq!(subjects("HEAD~39").len(), 2);
}

#[test]
fn what_cannot_be_read_is_named() {
    let cancel = Cancel::new();
    let folder = tempfile::tempdir().unwrap();
    let outside = Utf8Path::from_path(folder.path()).unwrap();
    assert!(matches!(Repository::open(outside, &cancel), Err(GitError::NoRepository { .. })));
    git(outside, &["init", "--quiet", "--bare", "bare"]);
    assert!(matches!(Repository::open(&outside.join("bare"), &cancel), Err(GitError::Bare { .. })));
    let sandbox = Sandbox::new();
    let empty = History::read(&sandbox.open(), "HEAD", 5, &cancel);
    assert!(matches!(empty, Err(GitError::NoCommit { .. })), "{empty:?}");
    sandbox.write("a", "1");
    sandbox.commit("one");
    let repository = sandbox.open();
    for revision in ["nothing", "nothing..HEAD", "HEAD..nothing", "-x", "--all"] {
        let found = History::read(&repository, revision, 5, &cancel);
        assert!(matches!(&found, Err(GitError::Revision { revision: known, .. }) if known == revision), "{revision}: {found:?}");
    }
    assert!(matches!(repository.resolve("nothing", &cancel), Err(GitError::Revision { shallow: false, .. })));
    let id = ContentId::of(b"not there");
    assert!(matches!(repository.objects.blob(id), Err(GitError::Missing { id: named }) if named == id));
    // Another folder of the repository finds the same one.
    sandbox.write("deep/er/file", "1");
    let found = Repository::open(&sandbox.root.join("deep/er"), &cancel).unwrap();
    assert_eq!(found.root, sandbox.root);
    cancel.set();
    assert!(matches!(History::read(&repository, "HEAD", 5, &cancel), Err(GitError::Process(_))));
}

#[test]
fn a_shallow_clone_ends_early_and_says_so() {
    let sandbox = Sandbox::new();
    for number in 0..5 {
        sandbox.write("file", &number.to_string());
        sandbox.commit(&format!("c{number}"));
    }
    let url = format!("file://{}", sandbox.root);
    let parent = sandbox.root.parent().unwrap();
    git(parent, &["clone", "--quiet", "--depth=2", &url, "shallow"]);
    let repository = Repository::open(&parent.join("shallow"), &Cancel::new()).unwrap();
    assert!(repository.shallow);
    let history = History::read(&repository, "HEAD", 10, &Cancel::new()).unwrap();
    assert_eq!(history.commits.len(), 2);
    assert!(matches!(repository.resolve("HEAD~3", &Cancel::new()), Err(GitError::Revision { shallow: true, .. })));
}

#[test]
fn a_worktree_and_a_submodule_have_their_own_objects() {
    let sandbox = Sandbox::new();
    sandbox.write("a", "1");
    sandbox.commit("one");
    sandbox.git(&["worktree", "add", "--quiet", "../second"]);
    let second = Repository::open(&sandbox.root.parent().unwrap().join("second"), &Cancel::new()).unwrap();
    assert_eq!(History::read(&second, "HEAD", 5, &Cancel::new()).unwrap().commits.len(), 1);
    let module = Sandbox::new();
    module.write("m", "1");
    let commit = module.commit("of the module");
    sandbox.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", module.root.as_str(), "sub"]);
    sandbox.commit("with a module");
    let history = History::read(&sandbox.open(), "HEAD", 1, &Cancel::new()).unwrap();
    let node = history.changes[1].iter().find(|change| change.path == "sub").unwrap().after.unwrap();
    assert_eq!((node.kind, node.id.to_string()), (NodeKind::Submodule, commit));
}

#[test]
fn the_work_tree_differs_by_what_git_says() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "ignored\n");
    sandbox.write(".gitattributes", "*.crlf text eol=crlf\n");
    sandbox.write("same.crlf", "line\n");
    sandbox.write("same", "1");
    sandbox.write("changed", "1");
    sandbox.write("gone", "1");
    sandbox.commit("one");
    // Written anew, with the line endings that the attribute asks for.
    fs::remove_file(sandbox.root.join("same.crlf")).unwrap();
    sandbox.git(&["checkout", "--", "same.crlf"]);
    assert_eq!(fs::read(sandbox.root.join("same.crlf")).unwrap(), b"line\r\n");
    sandbox.write("changed", "2");
    sandbox.write("staged", "2");
    sandbox.git(&["add", "staged"]);
    sandbox.write("new/file", "2");
    sandbox.write("ignored", "2");
    fs::remove_file(sandbox.root.join("gone")).unwrap();
    let repository = sandbox.open();
    let commit = repository.resolve("HEAD", &Cancel::new()).unwrap();
    let found = Worktree::since(&repository, commit, &Cancel::new()).unwrap();
    let names: Vec<&str> = found.differing.keys().map(String::as_str).collect();
    assert_eq!(names, ["changed", "gone", "staged"]);
    assert!(matches!(found.differing["changed"], Before::Was(node) if node.id == ContentId::of(b"1")));
    assert_eq!(found.differing["staged"], Before::Nothing);
    assert_eq!(found.untracked.iter().collect::<Vec<_>>(), ["new/file"]);
}

#[test]
fn attributes_that_change_files_are_seen() {
    let text = "# *.a filter=lfs\n*.bin filter=lfs diff=lfs -text\n*.bat text eol=crlf\n*.sh eol=lf\n*.x !filter\n*.id ident\n";
    assert_eq!(attributes(text), [Attribute::Lfs, Attribute::LineEndings, Attribute::Ident]);
    assert!(attributes("* text=auto\n*.png binary\n").is_empty());
}
