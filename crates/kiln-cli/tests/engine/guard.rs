//! Random edits, checkouts and clones, built by the real engine: each image says what its tree says, and nothing is compiled that did
//! not change.
//!
//! `KILN_GUARD_STEPS` and `KILN_GUARD_SEED` make it longer or repeat it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes};
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::support::{Build, command, docker, environment, git, kiln, this_run};

/// Steps in an ordinary run.
const STEPS: usize = 12;

/// What the files say: one digit each, so that no edit changes a size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    /// `app/src/main.rs`
    app: usize,
    /// `worker/src/main.rs`
    worker: usize,
    /// `store/src/value.rs`, a module
    value: usize,
    /// `store/data.txt`, by `include_str!`
    included: usize,
    /// `store/input.txt`, read by a build script
    input: usize,
    /// `migrations/*.sql`, listed by a macro, undeclared: one digit of base 3 for each, 0 for none
    migrations: usize,
}

impl State {
    fn files(&self) -> BTreeMap<String, String> {
        let program = |name: &str, number| {
            format!("fn main() {{ println!(\"{name} {{}} {{}}\", itoa::Buffer::new().format({number}), store::text()); }}\n")
        };
        let mut files = BTreeMap::from([
            ("app/src/main.rs".to_owned(), program("app", self.app)),
            ("worker/src/main.rs".to_owned(), program("worker", self.worker)),
            ("store/src/value.rs".to_owned(), format!("pub const VALUE: usize = {};\n", self.value)),
            ("store/data.txt".to_owned(), self.included.to_string()),
            ("store/input.txt".to_owned(), self.input.to_string()),
        ]);
        for (key, digit) in self.migrations() {
            files.insert(format!("migrations/{key}.sql"), digit.to_string());
        }
        files
    }

    fn migrations(&self) -> impl Iterator<Item = (usize, usize)> {
        [self.migrations % 3, self.migrations / 3].into_iter().enumerate().filter(|(_, digit)| *digit > 0)
    }

    /// What a service prints.
    fn expected(&self, service: &str) -> String {
        let number = if service == "app" { self.app } else { self.worker };
        let migrations: String = self.migrations().map(|(key, digit)| format!("{key}={digit};")).collect();
        // Only the worker has the feature.
        format!("{service} {number} {} {} {} {migrations} {}", self.value, self.included, self.input, service == "worker")
    }

    fn edit(&mut self, random: &mut Random) -> String {
        let number = random.below(9);
        let (name, place) = match random.below(7) {
            0 => ("app", &mut self.app),
            1 => ("worker", &mut self.worker),
            2 => ("value", &mut self.value),
            3 => ("included", &mut self.included),
            4 => ("input", &mut self.input),
            _ => ("migrations", &mut self.migrations),
        };
        *place = number;
        format!("{name} = {number}")
    }

    /// The crates that differ from another state.
    fn affected(&self, other: &Self) -> BTreeSet<&'static str> {
        let mut crates = BTreeSet::new();
        let shared = |state: &Self| Self { app: 0, worker: 0, ..*state };
        if shared(self) != shared(other) {
            crates.extend(["store", "app", "worker"]);
        }
        // What nobody declares and lies in no package may have been read by any.
        crates.extend((self.migrations != other.migrations).then_some("macros"));
        crates.extend((self.app != other.app).then_some("app"));
        crates.extend((self.worker != other.worker).then_some("worker"));
        crates
    }
}

/// xorshift: small, and the same on every machine.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }
}

/// Two checkouts of one project on one builder.
#[derive(Debug)]
struct World {
    folder: TempDir,
    project: String,
    states: [State; 2],
    /// Commits with their states.
    commits: Vec<(String, State)>,
}

impl World {
    fn new() -> Self {
        let project = format!("kiln-test-guard-{}", this_run());
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { folder, project, states: [State::default(); 2], commits: Vec::new() };
        let root = world.checkout(0);
        for (path, text) in FIXED {
            // No earlier run has built this: the engine must compile it, not find it as a layer.
            write(&root.join(path), &text.replace("SALT", &world.project));
        }
        let service = |name: &str| format!("[services.{name}]\npath = \".\"\nbinary = \"{name}\"\n");
        let settings = format!("[project]\nname = \"{}\"\n{}{}", world.project, service("app"), service("worker"));
        write(&root.join("kiln.toml"), &settings);
        write_state(&root, &State::default());
        assert!(command("cargo").args(["generate-lockfile", "-q"]).current_dir(&root).status().expect("cargo runs").success());
        let output = command(kiln()).arg("init").current_dir(&root).output().expect("kiln starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        git(&root, &["init", "-q", "-b", "main", "."]);
        git(&root, &["init", "-q", "--bare", &world.shared()]);
        let mut world = world;
        world.commit(0);
        world.clone_to(1);
        world
    }

    fn checkout(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("checkout-{number}"))
    }

    /// One store of objects: what one checkout has, the other can switch to.
    fn shared(&self) -> String {
        self.folder.path().join("shared.git").to_string_lossy().into_owned()
    }

    fn commit(&mut self, number: usize) {
        let root = self.checkout(number);
        git(&root, &["add", "--all"]);
        git(&root, &["commit", "-q", "--allow-empty", "-m", "a step"]);
        git(&root, &["push", "-q", "--force", &self.shared(), "HEAD:refs/heads/main"]);
        self.commits.push((git(&root, &["rev-parse", "HEAD"]), self.states[number]));
    }

    /// A fresh clone in the place of a checkout.
    fn clone_to(&mut self, number: usize) {
        let root = self.checkout(number);
        let other = 1 - number;
        let _ = fs::remove_dir_all(&root);
        git(self.folder.path(), &["clone", "-q", &self.checkout(other).to_string_lossy(), &root.to_string_lossy()]);
        self.states[number] = self.states[other];
    }

    /// Brings a checkout to another state in one of the ways that leave times in disorder.
    fn change(&mut self, number: usize, random: &mut Random) -> String {
        let root = self.checkout(number);
        match random.below(9) {
            // A branch switch, or a revert.
            0 => {
                let (commit, state) = self.commits[random.below(self.commits.len())].clone();
                git(&root, &["fetch", "-q", &self.shared(), "+refs/heads/*:refs/other/*"]);
                if !command("git").args(["cat-file", "-e", &commit]).current_dir(&root).status().expect("git runs").success() {
                    return "nothing: the commit is not here".to_owned();
                }
                git(&root, &["checkout", "-q", "--detach", &commit]);
                self.states[number] = state;
                format!("back to {state:?}")
            }
            1 => {
                self.clone_to(number);
                "a fresh clone of the other".to_owned()
            }
            2 => {
                times(&root, |_| Some(UNIX_EPOCH + Duration::from_secs(1_000_000_000)));
                "equal old times, no edit".to_owned()
            }
            kind => {
                let before = if kind == 3 { known_times(&root) } else { BTreeMap::new() };
                let mut what: Vec<String> = (0..=random.below(2)).map(|_| self.states[number].edit(random)).collect();
                write_state(&root, &self.states[number]);
                self.commit(number);
                if kind == 3 {
                    // As `cp -p` from a backup: other content, the same size and time.
                    times(&root, |path| before.get(path).copied());
                    what.push("with the times from before".to_owned());
                } else if kind == 4 {
                    times(&root, |_| Some(UNIX_EPOCH + Duration::from_secs(1_000_000_000)));
                    what.push("with equal old times".to_owned());
                }
                what.join(", ")
            }
        }
    }

    fn build(&self, number: usize, variant: &str) -> Build {
        let arguments = ["build", "--json", "--progress", "plain", "--variant", variant];
        let output = command(kiln()).args(arguments).current_dir(self.checkout(number)).output().expect("kiln starts");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{log}");
        Build { document: serde_json::from_slice(&output.stdout).expect("stdout is one JSON document"), log }
    }

    fn image(&self, service: &str, variant: &str) -> String {
        format!("{}/{service}:{}", self.project, if variant == "prod" { "latest" } else { variant })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for service in ["app", "worker"] {
            for variant in ["prod", "fast"] {
                let _ = command("docker").args(["rmi", "-f", &self.image(service, variant)]).output();
            }
        }
    }
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn random_edits_in_two_checkouts_of_two_services_are_never_stale() {
    let setting = |name: &str| environment(name).and_then(|text| text.parse::<u64>().ok());
    let steps = setting("KILN_GUARD_STEPS").map_or(STEPS, |steps| usize::try_from(steps).expect("a number of steps"));
    let seed = setting("KILN_GUARD_SEED")
        .unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").subsec_nanos()));
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = World::new();
    // What the mount of each service and variant was compiled from.
    let mut mounts: BTreeMap<(&str, &str), State> = BTreeMap::new();
    let mut log = Vec::new();
    let (mut compared, mut ran) = (0, 0);
    for step in 0..steps {
        let number = random.below(2);
        let variant = if step % 5 == 4 { "prod" } else { "fast" };
        let what = if step == 0 { "the beginning".to_owned() } else { world.change(number, &mut random) };
        log.push(format!("step {step}: checkout {number}, {variant}: {what}"));
        let state = world.states[number];
        let build = world.build(number, variant);
        for service in ["app", "worker"] {
            let printed = docker(&["run", "--rm", &world.image(service, variant)]);
            assert_eq!(printed, state.expected(service), "stale at seed {seed}:\n{}\n{}", log.join("\n"), build.log);
            compared += 1;
            if !build.stages_that_ran(service).contains(&"builder".to_owned()) {
                continue;
            }
            ran += 1;
            if let Some(before) = mounts.insert((service, variant), state) {
                let compiled = build.crates_compiled(service);
                let affected = state.affected(&before);
                let needless: Vec<_> = compiled.iter().filter(|name| !affected.contains(name.as_str())).collect();
                assert!(
                    needless.is_empty(),
                    "seed {seed}: {needless:?} compiled for nothing:\n{}\n{}",
                    log.join("\n"),
                    build.log
                );
                assert_eq!(build.external_crates_compiled(service), 0, "{}", build.log);
            }
        }
    }
    let done = format!("{steps} steps, {compared} images compared, {ran} compiled");
    writeln!(stderr(), "seed {seed}: {done}, none stale, no crate compiled for nothing").expect("written");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_edit_of_equal_size_and_time_is_not_missed() {
    let mut world = World::new();
    world.build(0, "fast");
    let root = world.checkout(0);
    for value in 1..4 {
        let before = known_times(&root);
        world.states[0].value = value;
        write_state(&root, &world.states[0]);
        times(&root, |path| before.get(path).copied());
        world.build(0, "fast");
        assert_eq!(docker(&["run", "--rm", &world.image("app", "fast")]), world.states[0].expected("app"));
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("written");
}

/// Writes the files that a state decides, and only those whose text is another.
fn write_state(root: &Path, state: &State) {
    let files = state.files();
    for entry in fs::read_dir(root.join("migrations")).into_iter().flatten().flatten() {
        if !files.contains_key(&format!("migrations/{}", entry.file_name().to_string_lossy())) {
            fs::remove_file(entry.path()).expect("removed");
        }
    }
    // git knows no empty folders: without files it is gone in a clone, too.
    let _ = fs::remove_dir(root.join("migrations"));
    for (path, text) in files {
        let path = root.join(path);
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            write(&path, &text);
        }
    }
}

/// The files of a checkout, without those of git and kiln.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).expect("read").flatten() {
            if entry.file_name() == ".git" || entry.file_name() == ".kiln" {
                continue;
            }
            if entry.file_type().expect("a type").is_dir() { pending.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found
}

fn known_times(root: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let time = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a time");
    sources(root).into_iter().map(|path| (path.clone(), time(&path))).collect()
}

fn times(root: &Path, time: impl Fn(&Path) -> Option<SystemTime>) {
    for path in sources(root) {
        if let Some(time) = time(&path) {
            let file = File::options().append(true).open(&path).expect("opened");
            file.set_times(FileTimes::new().set_modified(time)).expect("a time is set");
        }
    }
}

/// The files that no step changes.
const FIXED: &[(&str, &str)] = &[
    ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
    (".gitignore", "target\n.kiln\n"),
    ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"app\", \"worker\", \"store\", \"macros\"]\n"),
    (
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nitoa = \"1\"\nstore = { path = \"../store\" }\n",
    ),
    (
        "worker/Cargo.toml",
        "[package]\nname = \"worker\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nitoa = \"1\"\n\
         store = { path = \"../store\", features = [\"extra\"] }\n",
    ),
    (
        "store/Cargo.toml",
        "[package]\nname = \"store\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nextra = []\n[dependencies]\ncfg-if = \"1\"\n\
         macros = { path = \"../macros\" }\n",
    ),
    (
        "store/build.rs",
        "fn main() {\n    println!(\"cargo::rerun-if-changed=input.txt\");\n    \
         println!(\"cargo::rustc-env=INPUT={}\", std::fs::read_to_string(\"input.txt\").unwrap());\n}\n",
    ),
    (
        "store/src/lib.rs",
        "// SALT\nmod value;\npub fn text() -> String {\n    format!(\"{} {} {} {} {}\", value::VALUE, include_str!(\"../data.txt\"), env!(\"INPUT\"), \
         macros::list!(\"../migrations\"), cfg!(feature = \"extra\"))\n}\n",
    ),
    ("macros/Cargo.toml", "[package]\nname = \"macros\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n"),
    (
        "macros/src/lib.rs",
        r#"
extern crate proc_macro;
use proc_macro::{Literal, TokenStream, TokenTree};
#[proc_macro]
pub fn list(input: TokenStream) -> TokenStream {
    let here = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap());
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(here.join(input.to_string().trim_matches('"'))).into_iter().flatten().flatten() {
        let path = entry.path();
        found.insert(path.file_stem().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
    }
    let text: String = found.iter().map(|(key, value)| format!("{}={value};", key.to_str().unwrap())).collect();
    TokenTree::from(Literal::string(&text)).into()
}
"#,
    ),
];
