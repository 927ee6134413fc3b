use super::*;
use crate::git::tests::Sandbox;

fn tree(root: &Utf8Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    }
}

fn copied(from: &Utf8Path, to: &Utf8Path, sent: &[Sent]) -> String {
    copy(from, to, sent, &Cancel::new()).unwrap()
}

fn sent(folder: &str, ignore: &str) -> Sent {
    (folder.into(), IgnoreFile::parse(ignore).unwrap())
}

#[test]
fn a_copy_has_what_git_would_see_with_and_without_git() {
    for with_git in [true, false] {
        let sandbox = Sandbox::new();
        let from = sandbox.root.as_path();
        tree(
            from,
            &[
                ("a.txt", "a"),
                ("src/new.rs", "uncommitted"),
                (".gitignore", "ignored\n"),
                ("ignored/x", "x"),
                (".kiln/state", "s"),
                ("deleted", "d"),
                (".cargo/config.toml", ""),
            ],
        );
        std::os::unix::fs::symlink("a.txt", from.join("link")).unwrap();
        if with_git {
            sandbox.git(&["add", "--force", "a.txt", "deleted", "ignored/x"]);
        } else {
            fs::remove_dir_all(from.join(".git")).unwrap();
        }
        fs::remove_file(from.join("deleted")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(elsewhere.path()).unwrap();
        let to = root.join("to");
        let hash = copied(from, &to, &[]);
        for (path, copied) in [
            ("a.txt", true),
            ("src/new.rs", true),
            (".gitignore", true),
            (".cargo/config.toml", true),
            // Tracked counts more than ignored.
            ("ignored/x", with_git),
            ("deleted", false),
            (".kiln/state", false),
            (".git", false),
        ] {
            assert_eq!(to.join(path).exists(), copied, "{path} with git: {with_git}");
        }
        assert_eq!(fs::read_link(to.join("link")).unwrap(), std::path::Path::new("a.txt"));
        assert_eq!(copied(from, &root.join("same"), &[]), hash);
        tree(from, &[("a.txt", "b")]);
        assert_ne!(copied(from, &root.join("other"), &[]), hash);
    }
}

#[test]
fn submodules_are_copied_as_git_sees_them_and_work_in_them_too() {
    let module = Sandbox::new();
    tree(&module.root, &[("lib.rs", "committed"), (".gitignore", "*.log\n"), ("kept.log", "tracked")]);
    module.git(&["add", "--force", "kept.log"]);
    module.commit("a module");
    let sandbox = Sandbox::new();
    sandbox.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", module.root.as_str(), "vendor/sub"]);
    sandbox.commit("with a module");
    tree(&sandbox.root, &[("vendor/sub/lib.rs", "edited"), ("vendor/sub/new.rs", "new"), ("vendor/sub/lost.log", "ignored")]);
    // A repository of its own that nobody has added.
    sandbox.git(&["init", "--quiet", "beside"]);
    tree(&sandbox.root, &[("beside/main.rs", "")]);
    let elsewhere = tempfile::tempdir().unwrap();
    let to = Utf8Path::from_path(elsewhere.path()).unwrap().join("to");
    copied(&sandbox.root, &to, &[]);
    assert_eq!(fs::read_to_string(to.join("vendor/sub/lib.rs")).unwrap(), "edited");
    for (path, copied) in [
        ("vendor/sub/new.rs", true),
        ("vendor/sub/kept.log", true),
        ("beside/main.rs", true),
        ("vendor/sub/lost.log", false),
        ("vendor/sub/.git", false),
        ("beside/.git", false),
    ] {
        assert_eq!(to.join(path).exists(), copied, "{path}");
    }
    // A clone in which nobody has fetched them has an empty folder.
    let clone = to.parent().unwrap().join("clone");
    sandbox.git(&["clone", "--quiet", ".", clone.as_str()]);
    let second = to.parent().unwrap().join("second");
    copied(&clone, &second, &[]);
    assert!(second.join(".gitmodules").exists() && !second.join("vendor/sub/lib.rs").exists());
}

#[test]
fn what_builds_are_sent_is_there_though_git_ignores_it() {
    let sandbox = Sandbox::new();
    let from = sandbox.root.as_path();
    tree(
        from,
        &[
            (".gitignore", "generated\ntarget\n*.pem\n"),
            ("api/generated/schema.rs", "made"),
            ("api/target/debug/app", "large"),
            ("web/ca.pem", "certificate"),
            ("web/index.js", ""),
        ],
    );
    sandbox.commit("all");
    let elsewhere = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(elsewhere.path()).unwrap();
    let to = root.join("to");
    let contexts = [sent("api", "target\n"), sent("web", "")];
    let hash = copied(from, &to, &contexts);
    for (path, copied) in
        [("api/generated/schema.rs", true), ("web/ca.pem", true), ("api/target/debug/app", false), (".git/HEAD", false)]
    {
        assert_eq!(to.join(path).exists(), copied, "{path}");
    }
    // A context with git's folder gets it, and git's own bookkeeping makes no other state of the files.
    let with_git = [contexts.to_vec(), vec![sent(".", "*\n!.git\n")]].concat();
    let second = root.join("second");
    assert_eq!(copied(from, &second, &with_git), hash);
    assert_eq!(fs::read_to_string(second.join(".git/HEAD")).unwrap(), "ref: refs/heads/main\n");
    assert!(!second.join("api/target").exists());
    tree(from, &[("web/ca.pem", "another")]);
    assert_ne!(copied(from, &root.join("third"), &contexts), hash);
}

#[test]
fn a_copy_ends_when_the_run_is_cancelled() {
    let sandbox = Sandbox::new();
    tree(&sandbox.root, &[("a", ""), ("b", "")]);
    let cancel = Cancel::new();
    cancel.set();
    let to = sandbox.root.parent().unwrap().join("to");
    let error = copy(&sandbox.root, &to, &[], &cancel).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert!(!to.join("a").exists());
}
