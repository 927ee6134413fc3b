//! One small workspace on disk, taken from `prepare` through `cook` to `compile`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use camino::Utf8Path;
use kiln::process::Cancel;
use kiln::project::cargo::CargoWorkspace;
use kiln::recipe::{
    CargoReport, CompileRequest, CookRequest, Layer, Limits, Recipe, Selection, StepError, compile, cook, prepare,
    resolve_selection,
};
use tempfile::TempDir;

use super::shared::{OFFLINE_ONLY, cargo_script, command, run, write};

/// The machine of these tests.
pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

/// External crates of the cases, fetched once for all of them: small, one with a build script (`paste`), which is also a
/// procedural macro.
const CRATES: [&str; 2] = [
    "cfg-if = \"1\"\nfnv = \"1\"\nitoa = \"1\"\nitoa4 = { package = \"itoa\", version = \"0.4\" }\nlog = \"0.4\"\nmemchr = \"2\"\n\
     paste = \"1\"\nryu = \"1\"\nscopeguard = \"1\"\n",
    // One lock has only one version of those that are compatible.
    "itoa = \"=1.0.5\"\n",
];

/// Variables of the outer cargo, and of a machine, that would decide something here.
const FOREIGN: &str = "unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTFLAGS CARGO_INCREMENTAL CARGO_MANIFEST_DIR RUSTC_WRAPPER \
    RUSTC_BOOTSTRAP CARGO_PKG_NAME CARGO_NET_OFFLINE CARGO_TERM_VERBOSE\n";

/// A workspace, what is built of it, and what must come out.
pub(crate) struct Case {
    pub(crate) name: String,
    folder: TempDir,
    /// Folder of the workspace below the source's root.
    pub(crate) nested: &'static str,
    pub(crate) selection: Selection,
    /// Lines before each run of cargo: the environment of all stages.
    prologue: String,
    environment: BTreeMap<String, String>,
    /// Whether the lock has packages that no unit comes from.
    strangers: bool,
    /// Whether `compile` has to ask a registry for what no layer has.
    online: bool,
    vendored: bool,
    members: Vec<&'static str>,
    prints: Vec<(&'static str, String)>,
}

/// What a case did.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) cooked: usize,
    pub(crate) external: Vec<String>,
    pub(crate) members: Vec<String>,
    pub(crate) seconds: f64,
}

impl Case {
    /// An empty workspace, whose package `app` is built with the profile `dev`.
    pub(crate) fn new(name: &str) -> Self {
        let selection = Selection { package: Some("app".to_owned()), profile: "dev".to_owned(), ..Selection::default() };
        let case = Self {
            name: name.to_owned(),
            folder: tempfile::Builder::new().prefix("kiln-same-").tempdir().unwrap(),
            nested: "",
            selection,
            prologue: FOREIGN.to_owned(),
            environment: BTreeMap::new(),
            strangers: false,
            online: false,
            vendored: false,
            members: Vec::new(),
            prints: Vec::new(),
        };
        copy(&fetched(), &case.home());
        case
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.at("cargo")
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        let source = self.at("src");
        if self.nested.is_empty() { source } else { source.join(self.nested) }
    }

    /// Writes a file of the workspace.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        write(&self.workspace().join(path), text);
        self
    }

    /// Writes a member's manifest, with these lines after its `[package]` table.
    pub(crate) fn member(self, name: &str, rest: &str) -> Self {
        self.file(&format!("{name}/Cargo.toml"), &manifest(name, rest))
    }

    /// Writes the program of the member `app`.
    pub(crate) fn app(self, rest: &str, main: &str) -> Self {
        self.member("app", rest).file("app/src/main.rs", main)
    }

    /// Writes a member that is a library.
    pub(crate) fn lib(self, name: &str, rest: &str, source: &str) -> Self {
        self.member(name, rest).file(&format!("{name}/src/lib.rs"), source)
    }

    /// Puts the workspace into a folder below the source's root.
    pub(crate) const fn nested(mut self, folder: &'static str) -> Self {
        self.nested = folder;
        self
    }

    pub(crate) fn select(mut self, choose: impl FnOnce(&mut Selection)) -> Self {
        choose(&mut self.selection);
        self
    }

    pub(crate) fn profile(self, name: &str) -> Self {
        self.select(|selection| selection.profile = name.to_owned())
    }

    /// Runs this cargo, not the first one in `PATH`.
    pub(crate) fn direct(mut self, cargo: &str) -> Self {
        let _ = writeln!(self.prologue, "mkdir -p \"$0.bin\" && ln -sf '{cargo}' \"$0.bin/cargo\" && PATH=\"$0.bin:$PATH\"");
        self
    }

    /// Sets a variable in all stages.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        let _ = writeln!(self.prologue, "export {name}='{value}'");
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The lock has packages that no unit comes from: of members that are not built, for development, for other platforms, or
    /// optional ones. cargo wants their index entries, and no layer has them.
    pub(crate) const fn strangers(mut self) -> Self {
        self.strangers = true;
        self
    }

    /// `compile` finds an empty `CARGO_HOME` and may ask the registry, for its index only.
    pub(crate) const fn online(mut self) -> Self {
        self.online = true;
        self
    }

    pub(crate) const fn vendored(mut self) -> Self {
        self.vendored = true;
        self
    }

    /// The local targets that `compile` must compile: these and no others.
    pub(crate) fn compiles(mut self, members: &[&'static str]) -> Self {
        self.members = members.to_vec();
        self
    }

    /// What a delivered program must print.
    pub(crate) fn prints(mut self, program: &'static str, text: &str) -> Self {
        self.prints.push((program, text.to_owned()));
        self
    }

    /// Runs cargo in the workspace, as a developer does before all stages.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> String {
        run(command(self.script("developer.sh", "")).args(arguments).current_dir(self.workspace()).env("CARGO_HOME", self.home()))
    }

    /// Locks the workspace, if it is not.
    pub(crate) fn locked(self) -> Self {
        if !self.workspace().join("Cargo.lock").exists() {
            // Offline cargo takes the versions that are there; it would not even look at a repository or registry of the case's own.
            let own = ["git-crates", "network"].iter().any(|source| self.at(source).exists());
            let arguments = ["generate-lockfile", "--quiet", "--offline"];
            self.cargo(if own { &arguments[..2] } else { &arguments });
        }
        self
    }

    pub(crate) fn script(&self, name: &str, prologue: &str) -> PathBuf {
        let path = self.at(name);
        cargo_script(&path, &format!("{}{prologue}", self.prologue));
        path
    }

    pub(crate) fn recipe(&self) -> Recipe {
        prepare(&self.loaded(), &self.selection, HOST).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub(crate) fn loaded(&self) -> CargoWorkspace {
        let (workspace, source) = (self.workspace(), self.at("src"));
        let loaded = CargoWorkspace::load(Utf8Path::from_path(&workspace).unwrap(), Utf8Path::from_path(&source).unwrap());
        loaded.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Cooks the recipe into the layer `deps`.
    pub(crate) fn cook(&self) -> Result<(CargoReport, Layer), StepError> {
        let workspace = self.workspace();
        // Vendored packages are found at the place where `compile` will have them.
        let stub = if self.vendored { self.at("mount/build/src").join(self.nested) } else { self.at("stub") };
        let request = CookRequest {
            recipe: &self.recipe(),
            stub_folder: &stub,
            mount: &self.at("mount/units"),
            cargo_home: &self.home(),
            output: &self.at("deps"),
            seed: None,
            secret_variables: &[],
            vendored: self.vendored.then_some(workspace.as_path()),
            cargo: &self.script("cook.sh", ""),
            environment: &self.environment,
            system_files: &[],
            limits: Limits::default(),
            now: SystemTime::now(),
        };
        let mut lines = Vec::new();
        let result = cook(&request, &Cancel::new(), &mut |line| lines.push(line.to_owned()));
        result.inspect_err(|error| eprintln!("{}: {error}\n{}", self.name, lines.join("\n")))
    }

    /// Compiles on top of the layer, with these lines before cargo.
    pub(crate) fn compile(&self, prologue: &str) -> Result<CargoReport, StepError> {
        self.compile_selection(&resolve_selection(&self.loaded(), &self.selection).unwrap(), prologue)
    }

    /// Compiles without a look at the workspace before.
    pub(crate) fn compile_selection(&self, selection: &Selection, prologue: &str) -> Result<CargoReport, StepError> {
        let request = CompileRequest {
            source: &self.at("src"),
            workspace: &self.workspace(),
            selection,
            mount: &self.at("mount/build"),
            cargo_home: &self.home(),
            deps: Some(&self.at("deps")),
            output: &self.at("out"),
            cargo: &self.script("compile.sh", prologue),
            environment: &self.environment,
            ignored_variables: &[],
            system_files: &[],
            incremental: false,
            limits: Limits::default(),
        };
        let mut lines = Vec::new();
        let result = compile(&request, &Cancel::new(), &mut |line| lines.push(line.to_owned()));
        result.inspect_err(|error| eprintln!("{}: {error}\n{}", self.name, lines.join("\n")))
    }

    /// What a delivered program prints.
    pub(crate) fn run(&self, program: &str) -> String {
        run(&mut command(self.at("out").join(program)))
    }

    /// Prepares, cooks and compiles; checks all that a case promises.
    pub(crate) fn check(self) -> Counts {
        let began = Instant::now();
        let case = self.locked();
        let name = &case.name;
        let (cooked, layer) = case.cook().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!cooked.external_compiled.is_empty(), "{name}: the case has external crates");
        assert!(!layer.units.is_empty(), "{name}");
        // Another machine: nothing is there but the layer and, for packages that no unit comes from, the registry's index.
        fs::rename(case.home(), case.at("cargo-of-cook")).unwrap();
        if case.strangers {
            fs::create_dir_all(case.home().join("registry")).unwrap();
            fs::rename(case.at("cargo-of-cook/registry/index"), case.home().join("registry/index")).unwrap();
        }
        let _ = fs::rename(case.at("network/crates"), case.at("crates-down"));
        if !case.online {
            let _ = fs::rename(case.at("network"), case.at("network-down"));
        }
        let built = case.compile(if case.online { "" } else { OFFLINE_ONLY }).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((built.external_compiled.as_slice(), built.defects.len()), ([].as_slice(), 0), "{name}: {built:?}");
        assert_eq!(built.local_compiled, case.members, "{name}");
        assert!(!case.prints.is_empty(), "{name}: a case says what its programs print");
        for (program, text) in &case.prints {
            assert_eq!(case.run(program).trim_end(), *text, "{name}: {program}");
        }
        let delivered = fs::read_dir(case.at("out")).unwrap().count();
        assert_eq!(delivered, case.prints.len(), "{name}: programs delivered");
        Counts {
            cooked: cooked.external_compiled.len(),
            external: built.external_compiled,
            members: built.local_compiled,
            seconds: began.elapsed().as_secs_f64(),
        }
    }
}

/// A package's manifest, with these lines after its `[package]` table's first ones.
pub(crate) fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

/// A `CARGO_HOME` with the index entries and files of all external crates; the only thing that needs the network.
fn fetched() -> PathBuf {
    static FETCHED: OnceLock<PathBuf> = OnceLock::new();
    let fetch = || {
        // Kept from run to run, under another name once the crates are others.
        let key = &blake3::hash(CRATES.concat().as_bytes()).to_hex()[..8];
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("same-units-{key}"));
        let (home, done) = (folder.join("home"), folder.join("done"));
        if !done.exists() {
            for (index, crates) in CRATES.iter().enumerate() {
                let package = folder.join(index.to_string());
                write(&package.join("Cargo.toml"), &manifest("all", &format!("[workspace]\n[dependencies]\n{crates}")));
                write(&package.join("src/lib.rs"), "");
                run(command("cargo").args(["fetch", "--quiet"]).current_dir(&package).env("CARGO_HOME", &home));
            }
            write(&done, "");
        }
        home
    };
    FETCHED.get_or_init(fetch).clone()
}

/// Copies the downloads of a `CARGO_HOME`, without unpacked sources.
fn copy(home: &Path, to: &Path) {
    let mut pending = vec![PathBuf::from("registry/index"), PathBuf::from("registry/cache")];
    while let Some(path) = pending.pop() {
        if home.join(&path).is_dir() {
            fs::create_dir_all(to.join(&path)).unwrap();
            pending.extend(fs::read_dir(home.join(&path)).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
        } else {
            fs::copy(home.join(&path), to.join(&path)).unwrap();
        }
    }
}
