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
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::fixture::{Order, Tree};
use crate::kill::killed_after;

/// Times up to this, since the epoch, are kiln's own and were never read from a clock.
const NO_CLOCK: Duration = Duration::from_secs(1000);

/// A setting from the environment of the test.
#[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
pub(crate) fn text_setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A number from the environment of the test.
pub(crate) fn setting(name: &str) -> Option<u64> {
    text_setting(name)?.parse().ok()
}

/// Tells whoever runs the test with `--nocapture`.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
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
    /// Put before each run of cargo, in the language of the shell.
    prologue: &'static str,
    /// Clean builds that were made to compare.
    pub(crate) clean_builds: usize,
}

/// One build, as a child process can be told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    root: PathBuf,
    source: PathBuf,
    workspace: PathBuf,
    order: Order,
    environment: BTreeMap<String, String>,
}

impl Job {
    pub(crate) fn run(&self, cancel: &Cancel, lines: &mut Vec<String>) -> Result<CargoReport, StepError> {
        let selection = Selection {
            package: Some("app".to_owned()),
            binaries: self.order.binaries(),
            features: if self.order.loud { vec!["loud".to_owned()] } else { Vec::new() },
            profile: self.order.profile().to_owned(),
            ..Selection::default()
        };
        let request = CompileRequest {
            source: &self.source,
            workspace: &self.workspace,
            selection: &selection,
            mount: &self.root.join("build"),
            cargo_home: &self.root.join("home"),
            deps: None,
            output: &self.root.join("out"),
            cargo: &self.root.join("cargo.sh"),
            environment: &self.environment,
            ignored_variables: &[],
            system_files: &[],
            incremental: self.order.incremental,
            limits: Limits::default(),
        };
        compile(&request, cancel, &mut |line| lines.push(line.to_owned()))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), prologue: "", clean_builds: 0 }
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

    /// Writes a tree with times that mean nothing: as a clone now, all equal, long ago, shuffled, or still to come.
    pub(crate) fn write(&mut self, number: usize, tree: &Tree, random: &mut Random) -> String {
        let root = self.checkout(number);
        write_tree(&root, tree);
        let kind = random.below(5);
        let now = SystemTime::now();
        visit(&root, &mut |path| {
            let time = match kind {
                0 => return,
                1 => UNIX_EPOCH + Duration::from_secs(1_000_000_000),
                2 => now - Duration::from_secs(86_400),
                3 => now - Duration::from_secs(random.below(100_000) as u64),
                _ => now + Duration::from_secs(86_400),
            };
            set_time(path, time);
        });
        ["times of now", "equal times", "old times", "shuffled times", "times to come"][kind].to_owned()
    }

    /// Builds and runs the programs.
    pub(crate) fn build(&self, number: usize, tree: &Tree, order: Order) -> Result<(String, CargoReport), String> {
        let mut lines = Vec::new();
        let report = self.job(number, tree, order, "cargo").run(&Cancel::new(), &mut lines);
        let report = report.map_err(|error| format!("{error}\n{}", lines.join("\n")))?;
        Ok((order.binaries().iter().map(|name| run(&self.at("out").join(name))).collect(), report))
    }

    fn job(&self, number: usize, tree: &Tree, order: Order, cargo: &str) -> Job {
        let environment = tree.environment();
        let exports: String = environment.iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
        let program = self.at("cargo.sh");
        fs::write(&program, format!("#!/bin/sh\n{exports}{}exec {cargo} \"$@\"\n", self.prologue)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let source = self.checkout(number);
        let workspace = source.join(tree.workspace().trim_end_matches('/'));
        Job { root: self.folder.path().to_owned(), source, workspace, order, environment }
    }

    /// What a clean build of the tree prints.
    pub(crate) fn clean_build(&mut self, tree: &Tree, order: Order) -> String {
        self.clean_builds += 1;
        let root = self.at("clean");
        write_tree(&root, tree);
        let target = self.at("clean-target");
        let _ = fs::remove_dir_all(&target);
        let mut cargo = command("cargo");
        cargo.args(["build", "--offline", "-p", "app", "--profile", order.profile()]);
        for binary in order.binaries() {
            cargo.args(["--bin", &binary]);
        }
        if order.loud {
            cargo.args(["--features", "loud"]);
        }
        let output = cargo
            .current_dir(root.join(tree.workspace()))
            .env("CARGO_HOME", self.at("home"))
            .env("CARGO_TARGET_DIR", &target)
            .envs(tree.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let folder = target.join(if order.release { "release" } else { "debug" });
        let printed = order.binaries().iter().map(|name| run(&folder.join(name))).collect();
        fs::remove_dir_all(root).unwrap();
        printed
    }

    /// A build of a tree that does not compile; the files are mended afterwards.
    pub(crate) fn broken_build(&mut self, number: usize, tree: &Tree, random: &mut Random) -> String {
        let place = tree.workspace();
        let file = ["first/src/lib.rs", "second/build.rs", "macros/src/lib.rs", "kinds/src/text.rs"][random.below(4)];
        let path = self.checkout(number).join(place).join(file);
        fs::write(&path, "fn main() { this is no Rust }\n").unwrap();
        let error = self.job(number, tree, Order::PLAIN, "cargo").run(&Cancel::new(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, StepError::Cargo { .. }), "{error:?}");
        self.write(number, tree, random);
        format!("a broken {file}")
    }

    /// A build that is asked to stop, at a random moment.
    pub(crate) fn stopped_build(&self, number: usize, tree: &Tree, order: Order, after: Duration) -> String {
        let cancel = Cancel::new();
        let flag = cancel.clone();
        let timer = std::thread::spawn(move || {
            std::thread::sleep(after);
            flag.set();
        });
        let result = self.job(number, tree, order, "cargo").run(&cancel, &mut Vec::new());
        timer.join().unwrap();
        format!("stopped after {after:?}: {}", if result.is_ok() { "too late" } else { "in time" })
    }

    /// A build that is killed at a random moment, with everything that it runs, as a container's processes are.
    pub(crate) fn killed_build(&self, number: usize, tree: &Tree, order: Order, after: Duration) -> String {
        let job = serde_json::to_string(&self.job(number, tree, order, "cargo")).unwrap();
        let done = killed_after("child", "GUARD_JOB", &job, after);
        format!("killed after {after:?}: {}", if done { "too late" } else { "in time" })
    }

    /// The mirror was written, but kiln was killed before it wrote the ledger.
    pub(crate) fn killed_before_the_ledger(&self, number: usize, tree: &Tree) -> String {
        let ledger = self.at("build/ledger.json");
        let before = fs::read(&ledger).ok();
        let _ = self.job(number, tree, Order::PLAIN, "false").run(&Cancel::new(), &mut Vec::new());
        match before {
            Some(bytes) => fs::write(&ledger, bytes).unwrap(),
            None => drop(fs::remove_file(&ledger)),
        }
        fs::write(self.at("build/mirror-ahead"), "").unwrap();
        "killed before the ledger".to_owned()
    }

    /// As after a kill before cargo wrote down that the build scripts have run.
    pub(crate) fn forget_that_scripts_ran(&self) {
        let mut notes = Vec::new();
        visit(&self.at("build/target"), &mut |path| {
            let name = path.file_name().unwrap().to_string_lossy();
            notes.extend(name.starts_with("run-build-script-").then(|| path.to_owned()));
        });
        assert!(!notes.is_empty());
        notes.iter().for_each(|path| fs::remove_file(path).unwrap());
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
        self.move_past(ahead, Duration::from_secs([1, 3600, 40_000_000][random.below(3)]))
    }

    /// The clock went back by an hour.
    pub(crate) fn clock_ahead(&self) {
        self.move_past(true, Duration::from_secs(3600));
    }

    fn move_past(&self, ahead: bool, by: Duration) -> String {
        // All times are read first: programs have a second name.
        let mut times = Vec::new();
        visit(&self.at("build"), &mut |path| {
            let time = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
            times.extend(time.filter(|time| *time > UNIX_EPOCH + NO_CLOCK).map(|time| (path.to_owned(), time)));
        });
        for (path, time) in times {
            set_time(&path, if ahead { time + by } else { time - by });
        }
        let ledger = self.at("build/ledger.json");
        if let Ok(bytes) = fs::read(&ledger) {
            let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let nanoseconds = by.as_nanos() as u64;
            let shift = |value: &mut serde_json::Value| {
                let time = value.as_u64().unwrap();
                if time > NO_CLOCK.as_nanos() as u64 {
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
    for (name, text) in tree.files() {
        let path = root.join(name.trim_end_matches('!'));
        if name.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
            continue;
        }
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
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}
