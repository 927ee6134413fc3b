//! A workspace with a few small crates from a registry and one from git, and places for mounts and layers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use kiln::process::Cancel;
use kiln::project::cargo::CargoWorkspace;
use kiln::recipe::{CargoReport, CompileRequest, CookRequest, Limits, Recipe, Selection, StepError, compile, cook, prepare};
use tempfile::TempDir;

use super::shared::{cargo_script, command, repository, run, write};

pub(crate) struct Bench {
    folder: TempDir,
    prologue: &'static str,
    /// Environment of the steps.
    pub(crate) environment: BTreeMap<String, String>,
    /// What the last cook said.
    said: RefCell<Vec<String>>,
}

impl Bench {
    /// Writes the workspace. `prologue` is put before each run of cargo, in the language of the shell.
    pub(crate) fn new(prologue: &'static str) -> Self {
        let bench =
            Self { folder: tempfile::tempdir().unwrap(), prologue, environment: BTreeMap::new(), said: RefCell::default() };
        let git = bench.at("git-crate");
        write(&git.join("Cargo.toml"), "[package]\nname = \"gitted\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        write(&git.join("src/lib.rs"), "pub const NAME: &str = \"git\";\n");
        repository(&git);
        write(&bench.at("src/app/src/main.rs"), &program(7));
        write(&bench.at("src/Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"app\", \"unrelated\"]\n");
        write(
            &bench.at("src/unrelated/Cargo.toml"),
            "[package]\nname = \"unrelated\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        );
        write(&bench.at("src/unrelated/src/lib.rs"), "");
        bench.features("");
        run(command("cargo").args(["generate-lockfile", "-q"]).current_dir(bench.at("src")).env("CARGO_HOME", bench.at("cargo")));
        bench
    }

    /// Chooses the features of one of the crates.
    pub(crate) fn features(&self, features: &str) {
        let manifest = format!(
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nitoa = \"1\"\npaste = \"1\"\n\
             libc = {{ version = \"0.2\", features = [{features}] }}\ngitted = {{ git = \"file://{}\" }}\n",
            self.at("git-crate").display()
        );
        write(&self.at("src/app/Cargo.toml"), &manifest);
    }

    /// Changes the program.
    pub(crate) fn edit(&self) {
        write(&self.at("src/app/src/main.rs"), &program(8));
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn recipe(&self) -> Recipe {
        let source = self.at("src");
        let folder = Utf8Path::from_path(&source).unwrap();
        let workspace = CargoWorkspace::load(folder, folder).unwrap();
        prepare(&workspace, &selection(), "x86_64-unknown-linux-gnu").unwrap()
    }

    pub(crate) fn cook(&self, mount: &str, output: &str) -> Result<CargoReport, StepError> {
        self.cook_with(mount, output, None, None)
    }

    pub(crate) fn cook_with(
        &self,
        mount: &str,
        output: &str,
        seed: Option<&str>,
        bytes: Option<u64>,
    ) -> Result<CargoReport, StepError> {
        self.cook_all(&self.recipe(), mount, output, seed, bytes, &Cancel::new())
    }

    pub(crate) fn cook_recipe(&self, recipe: &Recipe, mount: &str, output: &str) -> Result<CargoReport, StepError> {
        self.cook_all(recipe, mount, output, None, None, &Cancel::new())
    }

    pub(crate) fn cook_for(&self, mount: &str, output: &str, time: Duration) -> Result<CargoReport, StepError> {
        let cancel = Cancel::new();
        let flag = cancel.clone();
        let timer = std::thread::spawn(move || {
            std::thread::sleep(time);
            flag.set();
        });
        let result = self.cook_all(&self.recipe(), mount, output, None, None, &cancel);
        timer.join().unwrap();
        result
    }

    fn cook_all(
        &self,
        recipe: &Recipe,
        mount: &str,
        output: &str,
        seed: Option<&str>,
        bytes: Option<u64>,
        cancel: &Cancel,
    ) -> Result<CargoReport, StepError> {
        let seed = seed.map(|seed| self.at(seed));
        let mut limits = Limits::default();
        limits.bytes = bytes.unwrap_or(limits.bytes);
        let request = CookRequest {
            recipe,
            stub_folder: &self.at("stub"),
            mount: &self.mount(mount),
            cargo_home: &self.at("cargo"),
            output: &self.at(output),
            seed: seed.as_deref(),
            secret_variables: &["TOKEN".to_owned()],
            vendored: None,
            cargo: &self.cargo(""),
            environment: &self.environment,
            system_files: &[self.at("packages")],
            limits,
            now: SystemTime::now(),
        };
        let mut lines = Vec::new();
        let result = cook(&request, cancel, &mut |line| lines.push(line.to_owned()));
        self.unmount(mount);
        self.said.replace(lines);
        result.map(|(report, _)| report)
    }

    pub(crate) fn compile(&self, deps: &str, mount: &str, cargo: &str) -> Result<CargoReport, StepError> {
        let source = self.at("src");
        let deps = self.at(deps);
        let request = CompileRequest {
            source: &source,
            workspace: &source,
            selection: &selection(),
            mount: &self.mount(mount),
            cargo_home: &self.at("cargo"),
            deps: Some(&deps),
            output: &self.at("out"),
            cargo: &self.cargo(cargo),
            environment: &BTreeMap::new(),
            ignored_variables: &[],
            system_files: &[],
            incremental: false,
            limits: Limits::default(),
        };
        let mut lines = Vec::new();
        let result = compile(&request, &Cancel::new(), &mut |line| lines.push(line.to_owned()));
        self.unmount(mount);
        if let Err(error) = &result {
            panic!("{error}\n{}", lines.join("\n"));
        }
        result
    }

    /// A mount is always found at the same place, as in an image build.
    fn mount(&self, name: &str) -> PathBuf {
        let place = self.at("mounted");
        let _ = fs::remove_dir_all(&place);
        if fs::rename(self.at(name), &place).is_err() {
            fs::create_dir_all(&place).unwrap();
        }
        place
    }

    fn unmount(&self, name: &str) {
        fs::rename(self.at("mounted"), self.at(name)).unwrap();
    }

    fn cargo(&self, prologue: &str) -> PathBuf {
        let program = self.at("cargo.sh");
        cargo_script(&program, &format!("{}{prologue}", self.prologue));
        program
    }

    /// What the last cook said about its seed.
    pub(crate) fn said_of_the_seed(&self) -> String {
        let lines = self.said.borrow();
        let lines: Vec<&str> = lines.iter().filter(|line| line.starts_with("kiln cook:")).map(String::as_str).collect();
        lines.join("\n")
    }

    /// Says which system packages are installed.
    pub(crate) fn system(&self, packages: &str) {
        write(&self.at("packages"), packages);
    }

    /// Changes the description of a layer.
    pub(crate) fn describe(&self, layer: &str, change: impl FnOnce(&mut serde_json::Value)) {
        let path = self.at(layer).join("units.json");
        let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(&path, serde_json::to_vec(&value).unwrap()).unwrap();
    }

    /// What the delivered program prints.
    pub(crate) fn run(&self) -> String {
        run(&mut command(self.at("out/app")))
    }

    /// Takes the units whose name begins so out of a layer's description.
    pub(crate) fn drop_from_layer(&self, layer: &str, beginning: &str) {
        self.describe(layer, |value| {
            let units = value["units"].as_array_mut().unwrap();
            units.retain(|unit| !unit["name"].as_str().unwrap().starts_with(beginning));
        });
    }
}

fn program(number: u32) -> String {
    format!(
        "fn main() {{\n    paste::paste! {{ let [<na me>] = gitted::NAME; }}\n    let _ = libc::EXIT_SUCCESS;\n    \
         println!(\"{{}} {{}}\", itoa::Buffer::new().format({number}), name);\n}}\n"
    )
}

fn selection() -> Selection {
    Selection {
        package: Some("app".to_owned()),
        binaries: vec!["app".to_owned()],
        profile: "release".to_owned(),
        ..Selection::default()
    }
}

/// Path, mode, time and contents.
type Node = (PathBuf, u32, i64, Vec<u8>);

/// Everything about a folder that gets into an image: paths, kinds, modes, times, contents.
fn snapshot(root: &Path) -> Vec<Node> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let contents = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if metadata.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.push((path.strip_prefix(root).unwrap().to_owned(), metadata.mode(), metadata.mtime(), contents));
    }
    found.sort();
    assert!(found.iter().all(|(path, _, time, _)| *time == 1 || path == Path::new("")), "times are constant");
    found
}

/// Names of what differs between two folders, in content or in kind, mode or time.
pub(crate) fn differences(one: &Path, other: &Path) -> Vec<PathBuf> {
    let (one, other) = (snapshot(one), snapshot(other));
    let lacks = |all: &[Node], node: &Node| !all.contains(node);
    let mut names: Vec<PathBuf> = one.iter().filter(|node| lacks(&other, node)).map(|node| node.0.clone()).collect();
    names.extend(other.iter().filter(|node| lacks(&one, node)).map(|node| node.0.clone()));
    names.sort();
    names.dedup();
    names
}
