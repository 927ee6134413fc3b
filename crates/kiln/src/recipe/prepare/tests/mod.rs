//! Recipes of small repositories, made from files without cargo.

mod closure;
mod errors;
mod firewall;
mod formats;
mod speed;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{PrepareError, Recipe, Selection, prepare};
use crate::project::cargo::CargoWorkspace;
use crate::project::fixture::Fixture;

const HOST: &str = "x86_64-unknown-linux-gnu";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A repository as a map of files, so that an edit is a change of text.
#[derive(Clone)]
struct Repository {
    files: BTreeMap<String, String>,
    selection: Selection,
}

impl Repository {
    fn new() -> Self {
        let selection = Selection { profile: "release".to_owned(), ..Selection::default() };
        Self { files: BTreeMap::new(), selection }
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// A member with a manifest and an empty library, or a `main` if it is called `app`.
    fn member(self, name: &str, rest: &str) -> Self {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}");
        let source = if name == "app" { "main" } else { "lib" };
        self.file(&format!("{name}/Cargo.toml"), &manifest).file(&format!("{name}/src/{source}.rs"), "fn main() {}\n")
    }

    /// The lock: `name version: dependency, dependency`, a line each. Local packages have version 0.1.0.
    fn lock(self, lines: &str) -> Self {
        let mut text = "version = 4\n".to_owned();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (package, dependencies) = line.split_once(':').unwrap();
            let (name, version) = package.split_once(' ').unwrap();
            let _ = write!(text, "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
            if version != "0.1.0" {
                let _ = write!(text, "source = \"{CRATES_IO}\"\nchecksum = \"{}\"\n", blake3::hash(package.as_bytes()).to_hex());
            }
            let dependencies: Vec<_> = dependencies.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            let _ = writeln!(text, "dependencies = {dependencies:?}");
        }
        self.file("Cargo.lock", &text)
    }

    /// Replaces text that must be there.
    fn edit(mut self, path: &str, from: &str, to: &str) -> Self {
        let text = self.files.get_mut(path).unwrap_or_else(|| panic!("no file {path}"));
        assert!(text.contains(from), "{path} has no `{from}`");
        *text = text.replace(from, to);
        self
    }

    fn append(mut self, path: &str, text: &str) -> Self {
        self.files.entry(path.to_owned()).or_default().push_str(text);
        self
    }

    fn select(mut self, change: impl FnOnce(&mut Selection)) -> Self {
        change(&mut self.selection);
        self
    }

    fn features(self, features: &str) -> Self {
        self.select(|selection| selection.features = vec![features.to_owned()])
    }

    fn target(self, target: &str) -> Self {
        self.select(|selection| selection.target = Some(target.to_owned()))
    }

    fn load(&self) -> CargoWorkspace {
        let fixture = self.files.iter().fold(Fixture::new(), |fixture, (path, text)| fixture.file(path, text));
        CargoWorkspace::load(fixture.path(), fixture.path()).unwrap()
    }

    fn try_recipe(&self) -> Result<Recipe, PrepareError> {
        prepare(&self.load(), &self.selection, HOST)
    }

    fn recipe(&self) -> Recipe {
        self.try_recipe().unwrap()
    }

    /// The requirements in short: `name version context[ platform][ codegen]: features`, `!` for no default features.
    fn requirements(&self) -> Vec<String> {
        let requirements = self.recipe().requirements.into_iter().map(|requirement| {
            let context = format!("{:?}", requirement.context).to_lowercase();
            let mut text = format!("{} {} {context}", requirement.name, requirement.version);
            text.extend(requirement.platform.map(|platform| format!(" {platform}")));
            text.extend(requirement.codegen.map(|codegen| format!(" {codegen:?}").to_lowercase()));
            text += ": ";
            text += if requirement.default_features { "" } else { "!" };
            text + &requirement.features.join(",")
        });
        requirements.collect()
    }

    /// The packages in the pruned lock.
    fn locked(&self) -> Vec<String> {
        self.recipe().lock.into_iter().map(|entry| format!("{} {}", entry.name, entry.version)).collect()
    }
}

/// A service with a library, a procedural macro, a member that no binary reaches, and configuration.
fn service() -> Repository {
    Repository::new()
        .file(
            "Cargo.toml",
            r#"[workspace]
resolver = "2"
members = ["app", "lib", "derive", "other"]

[workspace.package]
license = "MIT"

[workspace.dependencies]
serde = { version = "1", default-features = false }

[profile.release]
opt-level = 3
debug = 1

[profile.release.package.bytes]
opt-level = 2

[profile.dev]
debug = 0
"#,
        )
        .file(
            ".cargo/config.toml",
            "[build]\nrustflags = [\"-Cforce-frame-pointers\"]\n\n[target.x86_64-unknown-linux-gnu]\nlinker = \"clang\"\n",
        )
        .file("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90.0\"\ncomponents = [\"clippy\"]\n")
        .member(
            "app",
            r#"
[features]
default = ["http"]
http = ["lib/net"]
tls = ["dep:rustls"]

[dependencies]
lib = { path = "../lib" }
derive = { path = "../derive" }
bytes = "1"
rustls = { version = "0.23", optional = true }

[target.'cfg(windows)'.dependencies]
windows-sys = "0.60"

[build-dependencies]
cc = "1"

[dev-dependencies]
tempfile = "3"
"#,
        )
        .file("app/build.rs", "fn main() {}\n")
        .member(
            "lib",
            "\n[features]\nnet = [\"mio/net\"]\n\n[dependencies]\nmio = { version = \"1\", features = [\"os-poll\"] }\nserde.workspace = true\n",
        )
        .member("derive", "\n[lib]\nproc-macro = true\n\n[dependencies]\nserde = { workspace = true, features = [\"derive\"] }\n")
        .member("other", "\n[dependencies]\nrand = \"0.9\"\nserde = \"1\"\n")
        .lock(SERVICE_LOCK)
}

const SERVICE_LOCK: &str = "
    app 0.1.0: bytes, cc, derive, lib, rustls, tempfile, windows-sys
    bytes 1.10.0: serde
    cc 1.2.0:
    derive 0.1.0: serde
    lib 0.1.0: mio, serde
    libc 0.2.170:
    mio 1.0.3: libc, windows-sys
    other 0.1.0: rand, serde
    rand 0.9.0: libc
    rustls 0.23.20:
    serde 1.0.200: serde_derive
    serde_derive 1.0.200:
    tempfile 3.10.0:
    windows-sys 0.60.2:
";
