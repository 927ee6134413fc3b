//! The work tree against revisions, of repositories within repositories, too.

use std::fs;

use camino::Utf8Path;

use super::{RUST, subject, told};
use crate::git::tests::Sandbox;
use crate::predict::predict;
use crate::process::Cancel;
use crate::replay::Since;

/// Verdicts of the work tree against a revision.
fn since(sandbox: &Sandbox, revision: &str) -> String {
    since_of(sandbox, "", revision)
}

/// The same with a folder of the repository as the context.
fn since_of(sandbox: &Sandbox, context: &str, revision: &str) -> String {
    let scratch = sandbox.root.parent().unwrap().join("scratch");
    let since = Since::new(&sandbox.root, revision, &Cancel::new()).unwrap();
    let (now, then) = since.models(&subject(sandbox, context, "Dockerfile"), None, &scratch).unwrap();
    let Some(then) = then else { return "no Dockerfile".to_owned() };
    told(&predict(&now, &[then]))
}

#[test]
fn the_work_tree_is_compared_with_a_revision() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "ignored\n");
    sandbox.write(".gitattributes", "*.bat eol=crlf\n");
    sandbox.write(".dockerignore", ".git\n");
    sandbox.write("a/1", "1");
    sandbox.write("run.bat", "x\n");
    sandbox.commit("without a Dockerfile");
    sandbox.write("Dockerfile", "FROM x\nCOPY a /a\nRUN y\nCOPY . /all\n");
    sandbox.commit("with one");
    fs::remove_file(sandbox.root.join("run.bat")).unwrap();
    sandbox.git(&["checkout", "--", "run.bat"]);
    sandbox.write("ignored", "git does not care");
    assert_eq!(since(&sandbox, "HEAD"), "...");
    assert_eq!(since(&sandbox, "HEAD~1"), "no Dockerfile");
    sandbox.write("new", "1");
    assert_eq!(since(&sandbox, "HEAD"), "..R", "untracked files are new work");
    sandbox.write("a/1", "2");
    assert_eq!(since(&sandbox, "HEAD"), "RRR");
    sandbox.commit("all of it");
    assert_eq!(since(&sandbox, "HEAD"), "...");
    assert_eq!(since(&sandbox, "HEAD~1"), "RRR");
    sandbox.write("Dockerfile", "FROM x\nCOPY a /a\nRUN z\nCOPY . /all\n");
    assert_eq!(since(&sandbox, "HEAD"), ".RR");
    sandbox.git(&["checkout", "--", "Dockerfile"]);
    sandbox.write(".dockerignore", ".git\nnew\n");
    assert_eq!(since(&sandbox, "HEAD"), "..R", "the ignore file is that of the revision");
}

#[test]
fn recipes_are_compared_with_a_revision() {
    let sandbox = Sandbox::new();
    let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let lock = "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n";
    sandbox.write("Cargo.toml", manifest);
    sandbox.write("Cargo.lock", lock);
    sandbox.write("src/main.rs", "fn main() {}");
    sandbox.write("Dockerfile", RUST);
    sandbox.write(".dockerignore", ".git\n");
    sandbox.commit("one");
    sandbox.write("Cargo.toml", &manifest.replace("0.1.0", "0.2.0"));
    sandbox.write("Cargo.lock", &lock.replace("0.1.0", "0.2.0"));
    assert_eq!(since(&sandbox, "HEAD"), "R..R", "the version is no part of the recipe");
    sandbox.write("Cargo.toml", &format!("{manifest}[profile.release]\nopt-level = 1\n"));
    sandbox.write("Cargo.lock", lock);
    assert_eq!(since(&sandbox, "HEAD"), "RRRR");
    assert!(!Utf8Path::new(sandbox.root.parent().unwrap()).join("scratch/then").exists(), "nothing is left over");
}

/// Copies a file, a folder and the rest.
const PARTS: &str = "FROM x\nCOPY a /a\nFROM x\nCOPY deep /deep\nFROM x\nCOPY --from=0 / /\nCOPY --from=1 / /\nCOPY . /all\n";

#[test]
fn a_context_that_git_does_not_track_is_new() {
    let sandbox = Sandbox::new();
    sandbox.write("Dockerfile", PARTS);
    sandbox.commit("a Dockerfile");
    for path in ["inner/a", "inner/deep/a", "inner/deep/deep/b"] {
        sandbox.write(path, path);
    }
    assert_eq!(since_of(&sandbox, "inner", "HEAD"), "RR??R", "files");
    sandbox.git(&["init", "--quiet", "inner"]);
    sandbox.git(&["-C", "inner", "add", "--all"]);
    sandbox.git(&["-C", "inner", "commit", "--quiet", "-m", "its own"]);
    assert_eq!(since_of(&sandbox, "inner", "HEAD"), "RR??R", "a repository of its own");
    assert_eq!(since_of(&sandbox, "inner/deep", "HEAD"), "RR??R", "a folder in it");
}

#[test]
fn a_context_in_a_submodule_is_compared_with_the_commit_that_it_was_at() {
    let sandbox = Sandbox::new();
    let upstream = sandbox.root.parent().unwrap().join("upstream");
    fs::create_dir_all(upstream.join("deep/deep")).unwrap();
    for (path, text) in [("a", "1"), ("deep/a", "1"), ("deep/deep/b", "1"), ("other", "1")] {
        fs::write(upstream.join(path), text).unwrap();
    }
    let upstream = upstream.as_str();
    sandbox.git(&["init", "--quiet", upstream]);
    sandbox.git(&["-C", upstream, "add", "--all"]);
    sandbox.git(&["-C", upstream, "commit", "--quiet", "-m", "upstream"]);
    sandbox.write("Dockerfile", PARTS);
    sandbox.commit("a Dockerfile");
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", upstream, "sub"];
    sandbox.git(&add);
    assert_eq!(since_of(&sandbox, "sub", "HEAD"), "RR??R", "the submodule is new");
    assert_eq!(since_of(&sandbox, "sub/deep", "HEAD"), "RR??R");
    sandbox.commit("a submodule");
    assert_eq!(since_of(&sandbox, "sub", "HEAD"), ".....");
    sandbox.write("sub/other", "2");
    assert_eq!(since_of(&sandbox, "sub", "HEAD"), "....R", "files in it are compared one by one");
    assert_eq!(since_of(&sandbox, "sub/deep", "HEAD"), ".....");
    sandbox.write("sub/deep/a", "2");
    sandbox.git(&["-C", "sub", "commit", "--quiet", "--all", "-m", "another commit of it"]);
    assert_eq!(since_of(&sandbox, "sub", "HEAD"), ".R.?R");
    assert_eq!(since_of(&sandbox, "sub/deep", "HEAD"), "R.??R");
    // A commit that the submodule does not have.
    sandbox.git(&["update-index", "--cacheinfo", &format!("160000,{},sub", "1".repeat(40))]);
    sandbox.git(&["commit", "--quiet", "-m", "moved"]);
    assert_eq!(since_of(&sandbox, "sub", "HEAD"), "RR??R", "what it had is not known");
    assert_eq!(since_of(&sandbox, "sub/deep", "HEAD"), "RR??R");
    sandbox.write("Dockerfile", "FROM x\nCOPY sub* /sub/\n");
    sandbox.commit("a copy of all of it");
    assert_eq!(since(&sandbox, "HEAD"), ".");
    fs::remove_dir_all(sandbox.root.join("sub")).unwrap();
    assert_eq!(since(&sandbox, "HEAD"), "R", "the submodule is gone");
}
