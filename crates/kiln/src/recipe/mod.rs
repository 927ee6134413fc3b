//! Recipes: what decides the dependencies of a build, and the commands that use it inside an image build.
//!
//! `kiln recipe prepare` reads a workspace and writes a [`Recipe`]; `cook` builds the external crates of a recipe and
//! exports them as a layer; `compile` builds the real workspace on top of them. [`prepare()`] is pure; the other two run cargo.
//!
//! # Why the recipe is flat
//!
//! An external unit (a crate from a registry or git, with its features, profile and kind) never depends on the local packages
//! that ask for it: cargo's unit hash is made of the package id, the features, the profile, the toolchain and the hashes of its own
//! dependencies. So a recipe does not keep the workspace's shape. It holds the resolved *requirements*: which external packages the
//! chosen binaries ask for, with which features, for the target or for the host. `cook` puts them all into one stub package and
//! lets cargo resolve it. Renaming a member, adding an internal crate or feature, or moving a dependency from one member to another
//! leaves the recipe byte-identical, because the units are identical.

mod build;
pub mod npm;
mod prepare;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use build::{
    CompileRequest, CookRequest, FileKind, LAYER_FILE, LAYER_SCHEMA, Layer, LayerFile, LayerUnit, Limits, SeedMismatch,
    StepError, Surroundings, Within, compile, cook,
};
pub use prepare::{PrepareError, RecipeError, STUB_PACKAGE, prepare, resolve_selection, stub_workspace, vendored_folders};

/// Version of the recipe's format; part of the recipe, so that a change of format is a change of recipe.
pub const RECIPE_SCHEMA: u32 = 1;

/// Which binaries of a workspace are built, and how: what the planner decided, as flags of `prepare` and `compile`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Member that holds the binaries; found from the binary's name when absent.
    pub package: Option<String>,
    /// Binaries; the package's only or default one when empty.
    pub binaries: Vec<String>,
    /// `--features`
    pub features: Vec<String>,
    /// `--no-default-features`
    pub no_default_features: bool,
    /// `--profile`
    pub profile: String,
    /// `--target`, where it is not the host.
    pub target: Option<String>,
}

/// Everything that decides which external units are compiled, and nothing else.
///
/// Serialized with sorted keys and without any path, name or version of a local package, so that equal units mean equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// [`RECIPE_SCHEMA`].
    pub schema: u32,
    /// `channel` of the toolchain file, if the repository has one.
    pub toolchain: Option<String>,
    /// Target triple given to cargo, if any (by flag or `build.target`).
    pub target: Option<String>,
    /// Name of the cargo profile.
    pub profile: String,
    /// TOML text of the profile tables that matter: the profile and those it inherits from, without overrides for local packages.
    pub profiles: String,
    /// Feature resolver: 1 or 2.
    pub resolver: u32,
    /// TOML text of cargo configuration that can change units (`build`, `target`, `env`, `registries`, `source`, `net`, …).
    pub config: String,
    /// External packages that the binaries' local closure asks for.
    pub requirements: Vec<Requirement>,
    /// `[patch]` and `[replace]` entries that put an external package in the place of another, as TOML text.
    pub patches: String,
    /// The part of the lock that the requirements reach.
    pub lock: Vec<LockEntry>,
    /// `cargo-features` of the root manifest.
    pub cargo_features: Vec<String>,
}

impl Recipe {
    /// The canonical bytes: equal recipes are equal text. Ends with a newline.
    ///
    /// # Panics
    ///
    /// Never: every part of a recipe has a form in JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a recipe is made of strings, numbers and lists");
        text.push('\n');
        text
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    pub fn from_json(text: &str) -> Result<Self, RecipeError> {
        /// Read first, so that a recipe of another schema is named as such, whatever its shape.
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let Head { schema } = serde_json::from_str(text)?;
        if schema != RECIPE_SCHEMA {
            return Err(RecipeError::Schema { found: schema });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// BLAKE3 of the canonical bytes, in hexadecimal: the recipe's identity.
    #[must_use]
    pub fn digest(&self) -> String {
        blake3::hash(self.to_json().as_bytes()).to_hex().to_string()
    }
}

/// One external package asked for by the local closure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requirement {
    /// Package name.
    pub name: String,
    /// Exact version in the lock.
    pub version: String,
    /// Source id as in the lock.
    pub source: String,
    /// Whether it is built for the target or for the host (build scripts and procedural macros).
    pub context: Context,
    /// Platform under which it applies, as written in the manifest, where only cargo can tell whether it does (`cfg(custom)`).
    /// A platform that surely applies is left out, and so is a requirement that surely does not.
    pub platform: Option<String>,
    /// Whether default features are on.
    pub default_features: bool,
    /// Features asked for, sorted.
    pub features: Vec<String>,
    /// How cargo is told to find it: registry name or index, or git URL and reference, as in the manifest.
    pub locator: Locator,
    /// What it is compiled for; only under link-time optimization, and only for the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codegen: Option<Codegen>,
}

/// What link-time optimization wants of a unit: decided by the crate types of the local libraries above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codegen {
    /// Bitcode for the optimizer: everything above it is a plain library.
    Bitcode,
    /// Object code: it is used by `dylib`s only.
    Object,
    /// Both: a library above it has several crate types (`["cdylib", "rlib"]`).
    Both,
}

/// For which machine a unit is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// The machine that will run the program.
    Target,
    /// The machine that compiles: build scripts, procedural macros and what they use.
    Host,
    /// It is not built, but takes part in feature unification: under resolver 1 the dependencies for development and for other
    /// platforms, under resolver 2 the build dependencies of packages without a build script.
    Development,
}

/// What to write into a manifest so that cargo finds an external package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locator {
    /// crates.io.
    CratesIo,
    /// A named registry (`registry = "…"`).
    Registry(String),
    /// A registry by index URL (`registry-index = "…"`).
    Index(String),
    /// A git repository: URL, and `branch=…`, `tag=…` or `rev=…`.
    Git(String, Option<String>),
}

/// One locked external package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LockEntry {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Source id.
    pub source: String,
    /// SHA-256 of the `.crate` file.
    pub checksum: Option<String>,
    /// Dependencies as `name`, `name version` or `name version (source)`, as the pruned lock needs them.
    pub dependencies: Vec<String>,
    /// What stands in its place by `[replace]`, spelled likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
}

/// What `compile` and `cook` report, for the step's log and for kiln's record: one JSON line beginning with `kiln: `.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CargoReport {
    /// `cook` or `compile`.
    pub phase: String,
    /// Local crates that were compiled (package names with target kind).
    pub local_compiled: Vec<String>,
    /// External crates that were compiled (`name version`).
    pub external_compiled: Vec<String>,
    /// Units that were fresh.
    pub fresh: usize,
    /// What `cook` took over from another recipe's layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<SeedUse>,
    /// Seconds by part of the work (`seed`, `guard`, `cargo`, `export`).
    pub seconds: BTreeMap<String, f64>,
    /// Packages that were compiled again because of an input that they do not declare: a path, or `$NAME` of a variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undeclared: BTreeMap<String, String>,
    /// External packages that `compile` compiled although the deps layer should have them: defects of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<Defect>,
    /// What the step's mount of units holds afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<MountUse>,
}

/// What a mount of units holds: those that a step used, and those that others did and that age out by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountUse {
    /// Where the step had it.
    pub path: String,
    /// Units.
    pub units: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that this step had no use for.
    pub unused: usize,
    /// Their bytes.
    pub unused_bytes: u64,
}

/// An external package that was compiled although the deps layer should have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defect {
    /// `name version`.
    pub package: String,
    /// Why: in cargo's words where it found the layer's unit stale (`the rustflags changed`), otherwise how its fingerprint differs
    /// from that of the layer's most similar unit. Empty where neither is known.
    pub reason: String,
}

/// What `cook` took over from a seed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedUse {
    /// BLAKE3 of the recipe that the seed was cooked from.
    pub recipe: String,
    /// Units that the seed has.
    pub units: usize,
    /// Units that were copied from it, because the mount lacked them.
    pub taken: usize,
    /// Units of this recipe that are the seed's.
    pub used: usize,
}
