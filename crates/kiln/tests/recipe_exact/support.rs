//! Workspaces in temporary folders, and cargo's own opinion of them.

use std::collections::BTreeSet;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::project::cargo::CargoWorkspace;
use kiln::recipe::{Recipe, Selection, prepare, resolve_selection, stub_workspace};
use serde_json::Value;

use super::unit_graph;

/// The host of these tests, given as a target: the one that every toolchain can build for.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A workspace on disk.
pub(crate) struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    /// An empty one.
    pub(crate) fn new(name: &str) -> Self {
        Self { folder: tempfile::Builder::new().prefix(&format!("kiln-{name}-")).tempdir().unwrap() }
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    /// Adds a file.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        write(&self.path().join(path), text);
        self
    }

    /// Adds an empty binary to a member.
    pub(crate) fn main(self, member: &str) -> Self {
        self.file(&format!("{member}/src/main.rs"), "fn main() {}")
    }

    /// Adds an empty library to a member.
    pub(crate) fn lib(self, member: &str) -> Self {
        self.file(&format!("{member}/src/lib.rs"), "")
    }

    /// Locks the workspace, in version 3 of the format, in which branches are not escaped.
    pub(crate) fn lock_of_version_3(self) -> Self {
        cargo(self.path(), &["generate-lockfile", "--quiet"]);
        let lock = std::fs::read_to_string(self.path().join("Cargo.lock")).unwrap();
        self.file("Cargo.lock", &lock.replace("version = 4\n", "version = 3\n").replace("%2F", "/"))
    }

    /// Compares cargo's unit graph of the workspace with that of its stub, for these flags of `cargo build`.
    pub(crate) fn check(self, flags: &[&str]) -> Self {
        if !self.path().join("Cargo.lock").exists() {
            cargo(self.path(), &["generate-lockfile", "--quiet"]);
        }
        compare(self.path(), flags);
        self
    }
}

impl Case {
    /// Builds the stub and then the workspace, in one target folder: the second build must find every external unit, and use all.
    pub(crate) fn check_by_building(self, profile: &str) {
        cargo(self.path(), &["generate-lockfile", "--quiet"]);
        let flags = ["--bin", "app", "--profile", profile];
        let recipe = recipe_of(self.path(), &flags);
        let stub = tempfile::tempdir().unwrap();
        let stub = Utf8Path::from_path(stub.path()).unwrap();
        write_stub(&recipe, stub);
        let target = self.path().join("shared-target");
        let build = |folder: &Utf8Path, flags: &[&str]| {
            let mut arguments = vec!["build", "--quiet", "--message-format=json", "--target-dir", target.as_str()];
            arguments.extend(flags);
            artifacts(&cargo(folder, &arguments))
        };
        let cooked = build(stub, &cook_flags(&recipe));
        let used = build(self.path(), &flags);
        let stale: Vec<_> = used.iter().filter(|(_, fresh)| !fresh).collect();
        assert!(stale.is_empty(), "compiled again: {stale:#?}\n{}", recipe.to_json());
        let names = |artifacts: &[(String, bool)]| artifacts.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
        assert_eq!(names(&cooked), names(&used));
        assert!(!used.is_empty());
    }
}

/// The files of external units in cargo's messages, and whether they were there already.
fn artifacts(messages: &str) -> Vec<(String, bool)> {
    let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let artifacts = messages.filter(|message| {
        message["reason"] == "compiler-artifact" && !message["package_id"].as_str().unwrap().starts_with("path+")
    });
    artifacts.map(|message| (message["filenames"].to_string(), message["fresh"].as_bool().unwrap())).collect()
}

/// Compares cargo's unit graphs of a workspace and of its stub.
pub(crate) fn compare(folder: &Utf8Path, flags: &[&str]) {
    let workspace = CargoWorkspace::load(folder, folder).unwrap();
    let selection = selection(flags);
    let recipe = prepare(&workspace, &selection, TARGET).unwrap();
    let stub = tempfile::tempdir().unwrap();
    let stub = Utf8Path::from_path(stub.path()).unwrap();
    write_stub(&recipe, stub);
    let real = units(folder, &build_flags(&resolve_selection(&workspace, &selection).unwrap()));
    let ours = units(stub, &cook_flags(&recipe));
    assert!(!real.is_empty(), "the fixture has external units");
    let missing: Vec<_> = real.difference(&ours).collect();
    let surplus: Vec<_> = ours.difference(&real).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{folder} {flags:?}\nonly in the workspace: {missing:#?}\nonly in the stub: {surplus:#?}\n{}",
        std::fs::read_to_string(stub.join("Cargo.toml")).unwrap()
    );
}

/// Writes the stub of a recipe.
pub(crate) fn write_stub(recipe: &Recipe, folder: &Utf8Path) {
    for (path, text) in stub_workspace(recipe) {
        write(&folder.join(path), &text);
    }
}

/// The recipe for flags of `cargo build`.
pub(crate) fn recipe_of(folder: &Utf8Path, flags: &[&str]) -> Recipe {
    let workspace = CargoWorkspace::load(folder, folder).unwrap();
    prepare(&workspace, &selection(flags), TARGET).unwrap()
}

fn selection(flags: &[&str]) -> Selection {
    let mut selection = Selection { profile: "dev".to_owned(), ..Selection::default() };
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let mut value = || (*flags.next().unwrap()).to_owned();
        match *flag {
            "--bin" => selection.binaries.push(value()),
            "-p" => selection.package = Some(value()),
            "--features" => selection.features.push(value()),
            "--profile" => selection.profile = value(),
            "--target" => selection.target = Some(value()),
            "--no-default-features" => selection.no_default_features = true,
            other => panic!("unknown flag {other}"),
        }
    }
    selection
}

/// How a workspace is built.
pub(crate) fn build_flags(selection: &Selection) -> Vec<&str> {
    let mut flags = vec!["--locked", "--profile", &selection.profile];
    flags.extend(selection.package.iter().flat_map(|package| ["-p", package]));
    flags.extend(selection.binaries.iter().flat_map(|binary| ["--bin", binary]));
    flags.extend(selection.features.iter().flat_map(|features| ["--features", features]));
    flags.extend(selection.target.iter().flat_map(|target| ["--target", target]));
    if selection.no_default_features {
        flags.push("--no-default-features");
    }
    flags
}

/// How a stub is built.
pub(crate) fn cook_flags(recipe: &Recipe) -> Vec<&str> {
    let mut flags = vec!["--profile", &recipe.profile];
    if let Some(target) = &recipe.target {
        flags.extend(["--target", target]);
    }
    flags
}

/// Runs cargo and returns what it prints.
pub(crate) fn cargo(folder: &Utf8Path, arguments: &[&str]) -> String {
    unit_graph::cargo(folder, arguments).unwrap_or_else(|error| panic!("{error}"))
}

/// External units of a build, each with all that its hash is made of.
fn units(folder: &Utf8Path, flags: &[&str]) -> BTreeSet<String> {
    unit_graph::units(folder, flags).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs git.
#[expect(clippy::disallowed_methods, reason = "the test makes a repository")]
pub(crate) fn git(folder: &Utf8Path, arguments: &[&str]) {
    assert!(Command::new("git").args(arguments).current_dir(folder).status().unwrap().success());
}

fn write(path: &Utf8PathBuf, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
