//! Checkouts on disk, one mount, and what can go wrong between builds.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kiln::process::Cancel;
use kiln::recipe::{CargoReport, CompileRequest, Limits, Selection, StepError, compile};
use tempfile::TempDir;

use crate::fixture::Tree;

/// A number from the environment of the test.
#[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

pub(crate) fn new_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 % 1_000_000_007
}

/// xorshift: small, and the same on every machine.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }
}

/// One mount and its checkouts.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    clean: usize,
    /// Put before each run of cargo, in the language of the shell.
    prologue: &'static str,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clean: 0, prologue: "" }
    }

    /// With the layout of the target directory that newer versions of cargo have.
    pub(crate) fn with_one_folder_per_unit() -> Self {
        Self { prologue: "export RUSTC_BOOTSTRAP=1\nset -- -Zbuild-dir-new-layout \"$@\"\n", ..Self::new() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn checkout(&self, number: usize) -> PathBuf {
        self.at(&format!("checkout-{number}"))
    }

    pub(crate) fn say(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Writes a tree with times that mean nothing: as a clone now, all equal, long ago, or shuffled.
    pub(crate) fn write(&mut self, number: usize, tree: &Tree, random: &mut Random) -> String {
        let root = self.checkout(number);
        write_tree(&root, tree);
        let kind = random.below(4);
        let now = SystemTime::now();
        visit(&root, &mut |path| {
            let time = match kind {
                0 => return,
                1 => UNIX_EPOCH + Duration::from_secs(1_000_000_000),
                2 => now - Duration::from_secs(86_400),
                _ => now - Duration::from_secs(random.below(100_000) as u64),
            };
            set_time(path, time);
        });
        ["times of now", "equal times", "old times", "shuffled times"][kind].to_owned()
    }

    /// Builds and runs the program.
    pub(crate) fn build(&self, number: usize, tree: &Tree) -> (String, CargoReport) {
        let mut lines = Vec::new();
        let report = self.compile(number, tree, "cargo", &Cancel::new(), &mut lines);
        let report = report.unwrap_or_else(|error| panic!("{error}\n{}", lines.join("\n")));
        (run(&self.at("out/app")), report)
    }

    fn compile(
        &self,
        number: usize,
        tree: &Tree,
        cargo: &str,
        cancel: &Cancel,
        lines: &mut Vec<String>,
    ) -> Result<CargoReport, StepError> {
        let environment = tree.environment();
        let exports: String = environment.iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
        let program = self.at("cargo.sh");
        fs::write(&program, format!("#!/bin/sh\n{exports}{}exec {cargo} \"$@\"\n", self.prologue)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let source = self.checkout(number);
        let selection = Selection {
            package: Some("app".to_owned()),
            binaries: vec!["app".to_owned()],
            profile: "dev".to_owned(),
            ..Selection::default()
        };
        let request = CompileRequest {
            source: &source,
            workspace: &source,
            selection: &selection,
            mount: &self.at("build"),
            cargo_home: &self.at("home"),
            deps: None,
            output: &self.at("out"),
            cargo: &program,
            environment: &environment,
            ignored_variables: &[],
            system_files: &[],
            incremental: false,
            limits: Limits::default(),
        };
        compile(&request, cancel, &mut |line| lines.push(line.to_owned()))
    }

    /// What a clean build of the tree prints.
    pub(crate) fn clean_build(&mut self, _number: usize, tree: &Tree) -> String {
        self.clean += 1;
        let root = self.at(&format!("clean-{}", self.clean));
        write_tree(&root, tree);
        let output = command("cargo")
            .args(["build", "--offline", "-p", "app"])
            .current_dir(&root)
            .env("CARGO_HOME", self.at("home"))
            .env("CARGO_TARGET_DIR", root.join("target"))
            .envs(tree.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = run(&root.join("target/debug/app"));
        fs::remove_dir_all(root).unwrap();
        printed
    }

    /// A build of a tree that does not compile; the files are mended afterwards.
    pub(crate) fn broken_build(&mut self, number: usize, tree: &Tree, random: &mut Random) -> String {
        let file = ["app/src/main.rs", "first/src/lib.rs", "second/build.rs", "macros/src/lib.rs"][random.below(4)];
        let path = self.checkout(number).join(file);
        fs::write(&path, "fn main() { this is no Rust }\n").unwrap();
        let error = self.compile(number, tree, "cargo", &Cancel::new(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, StepError::Cargo { .. }), "{error:?}");
        self.write(number, tree, random);
        format!("a broken {file}")
    }

    /// A build that is stopped in the middle, at a random moment.
    pub(crate) fn killed_build(&self, number: usize, tree: &Tree, after: Duration) -> String {
        let cancel = Cancel::new();
        let flag = cancel.clone();
        let timer = std::thread::spawn(move || {
            std::thread::sleep(after);
            flag.set();
        });
        let result = self.compile(number, tree, "cargo", &cancel, &mut Vec::new());
        timer.join().unwrap();
        format!("killed after {after:?}: {}", if result.is_ok() { "too late" } else { "stopped" })
    }

    /// The mirror was written, but kiln was killed before it wrote the ledger.
    pub(crate) fn killed_before_the_ledger(&self, number: usize, tree: &Tree) -> String {
        let ledger = self.at("build/ledger.json");
        let before = fs::read(&ledger).ok();
        let _ = self.compile(number, tree, "false", &Cancel::new(), &mut Vec::new());
        match before {
            Some(bytes) => fs::write(&ledger, bytes).unwrap(),
            None => drop(fs::remove_file(&ledger)),
        }
        "killed before the ledger".to_owned()
    }

    pub(crate) fn replace_ledger(&self, text: Option<&str>) {
        let ledger = self.at("build/ledger.json");
        match text {
            Some(text) => fs::write(ledger, text).unwrap(),
            None => fs::remove_file(ledger).unwrap(),
        }
    }

    /// All earlier builds happened at another time: the clock has gone back (or jumped ahead) since.
    pub(crate) fn clock_step(&self, random: &mut Random) -> String {
        let ahead = random.below(2) == 0;
        let by = Duration::from_secs([1, 3600, 40_000_000][random.below(3)]);
        visit(&self.at("build"), &mut |path| {
            let Ok(time) = fs::metadata(path).and_then(|metadata| metadata.modified()) else { return };
            set_time(path, if ahead { time + by } else { time - by });
        });
        let ledger = self.at("build/ledger.json");
        if let Ok(bytes) = fs::read(&ledger) {
            let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let nanoseconds = by.as_nanos() as u64;
            let shift = |value: &mut serde_json::Value| {
                let time = value.as_u64().unwrap();
                if time > 0 {
                    *value = (if ahead { time + nanoseconds } else { time.saturating_sub(nanoseconds) }).into();
                }
            };
            shift(&mut value["latest"]);
            for entry in value["files"].as_object_mut().unwrap().values_mut() {
                shift(&mut entry["time"]);
            }
            fs::write(&ledger, serde_json::to_vec(&value).unwrap()).unwrap();
        }
        format!("the past moved {} by {by:?}", if ahead { "into the future" } else { "back" })
    }
}

/// Makes a folder hold a tree and nothing else.
fn write_tree(root: &Path, tree: &Tree) {
    let _ = fs::remove_dir_all(root);
    let files: BTreeMap<String, String> = tree.files();
    for (name, text) in files {
        let path = root.join(name.trim_end_matches('!'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if let Some(target) = text.strip_prefix("-> ") {
            symlink(target, &path).unwrap();
            continue;
        }
        fs::write(&path, text).unwrap();
        let mode = if name.ends_with('!') { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn visit(root: &Path, work: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            visit(&path, work);
        }
        work(&path);
    }
}

fn set_time(path: &Path, time: SystemTime) {
    if let Ok(file) = File::open(path) {
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }
}

fn run(program: &Path) -> String {
    let output = command(program).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests run cargo and programs")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}
