//! Cargo workspaces read from their files, without running cargo.
//!
//! Both the planner (`kiln plan`) and `kiln recipe prepare` start here, so reading is fast: a workspace of a hundred members takes
//! milliseconds. Workspace inheritance is resolved, paths are relative to the workspace root, and what cargo discovers by
//! itself (`src/main.rs`, `src/bin/*`, `build.rs`) is explicit.

mod checks;
mod configuration;
mod dependencies;
mod document;
mod error;
mod facts;
mod find;
mod graph;
mod includes;
mod inherit;
mod linker;
mod load;
mod locate;
mod lock;
mod lock_check;
mod members;
mod native;
mod native_certain;
mod package;
pub(crate) mod paths;
mod query;
mod sources;
mod sqlx;
mod targets;
mod wrapper;

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::Serialize;

pub use error::CargoError;
pub use facts::{SourceFacts, included_paths};
pub use find::{Found, find};
pub use graph::LockGraph;
pub use linker::linker_needs;
pub use lock_check::{Disagreement, DisagreementKind};
pub use native::{Distribution, NativeNeed, native_needs};
pub use native_certain::{AskedFeatures, certain_native_needs};
pub use sqlx::{SqlxUse, embeds_migrations};
pub use wrapper::compiler_cache;

/// A cargo workspace, or a package on its own.
#[derive(Debug, Clone, Serialize)]
pub struct CargoWorkspace {
    /// Absolute folder of the root manifest.
    pub directory: Utf8PathBuf,
    /// Whether the root manifest has no `[package]`.
    pub is_virtual: bool,
    /// Feature resolver in force (`resolver`, else the default of the root package's edition).
    pub resolver: Resolver,
    /// Members and the path dependencies outside the workspace, ordered by folder.
    pub packages: Vec<CargoPackage>,
    /// Folders of `default-members`, relative to the root; empty when not given.
    pub default_members: Vec<Utf8PathBuf>,
    /// The lockfile, if there is one.
    pub lock: Option<CargoLock>,
    /// `rust-toolchain.toml` or `rust-toolchain`, nearest to the workspace root within the repository.
    pub toolchain: Option<Toolchain>,
    /// `.cargo/config.toml` files that cargo would read from the workspace root, nearest first, only within the repository.
    pub configs: Vec<CargoConfig>,
    /// The root manifest's `[profile]` table by profile name: the body of `[profile.NAME]` as a TOML document of its own, that is
    /// without the header (`opt-level = 3`, `[package.foo]`, …) and without comments.
    pub profiles: BTreeMap<String, String>,
    /// `[patch]` entries: registry or URL, then the dependency.
    pub patches: Vec<Patch>,
    /// `[replace]` entries (deprecated by cargo, still honoured): spec, then the dependency.
    pub replacements: Vec<Patch>,
    /// `cargo-features` of the root manifest.
    pub cargo_features: Vec<String>,
    /// Whether it lies in a folder for examples, fixtures, tests or vendored code, below the folder that was looked at: it is a
    /// fact about the repository, and no service unless someone says so.
    pub incidental: bool,
}

/// Feature resolver version. Version 3 resolves features as version 2 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Resolver {
    /// Features are unified over normal, build and development dependencies and over platforms.
    V1,
    /// Features are kept apart for host and target; development and foreign-platform ones do not count.
    V2,
}

/// One local package.
#[derive(Debug, Clone, Serialize)]
pub struct CargoPackage {
    /// Name in the manifest.
    pub name: String,
    /// Version, with inheritance resolved.
    pub version: String,
    /// Folder relative to the workspace root (`.` for the root package; may begin with `..`).
    pub directory: Utf8PathBuf,
    /// Whether it is a member (`false`: a path dependency outside the workspace, or excluded).
    pub member: bool,
    /// Edition, with inheritance resolved.
    pub edition: String,
    /// `rust-version`, with inheritance resolved.
    pub rust_version: Option<String>,
    /// `links` key.
    pub links: Option<String>,
    /// Whether it has a build script (`build` key, or a `build.rs` that cargo finds).
    pub build_script: bool,
    /// The library target.
    pub library: Option<Library>,
    /// Binary targets, explicit and discovered.
    pub binaries: Vec<Binary>,
    /// Whether the manifest has `[[test]]`, `[[bench]]` or `[[example]]` sections: cargo refuses it when such a file is missing.
    pub names_test_targets: bool,
    /// `default-run`.
    pub default_run: Option<String>,
    /// `[features]`, as written.
    pub features: BTreeMap<String, Vec<String>>,
    /// Every dependency, in manifest order.
    pub dependencies: Vec<Dependency>,
}

/// A library target.
#[derive(Debug, Clone, Serialize)]
pub struct Library {
    /// Crate name.
    pub name: String,
    /// Whether it is a procedural macro.
    pub proc_macro: bool,
    /// `crate-type`, `["lib"]` by default.
    pub crate_types: Vec<String>,
}

/// A binary target.
#[derive(Debug, Clone, Serialize)]
pub struct Binary {
    /// Target name: the file name in `target/`.
    pub name: String,
    /// Source file, relative to the package folder.
    pub path: Utf8PathBuf,
    /// `required-features`.
    pub required_features: Vec<String>,
}

/// In which section a dependency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencyKind {
    /// `[dependencies]`
    Normal,
    /// `[build-dependencies]`
    Build,
    /// `[dev-dependencies]`
    Development,
}

/// A dependency as the manifest has it, with workspace inheritance resolved.
#[derive(Debug, Clone, Serialize)]
pub struct Dependency {
    /// Key in the table: the name by which features and code refer to it.
    pub alias: String,
    /// Package name (`package` key, else the alias).
    pub package: String,
    /// Section.
    pub kind: DependencyKind,
    /// Platform: the key of `[target.'…'.dependencies]`, as written.
    pub platform: Option<String>,
    /// Version requirement, if any.
    pub requirement: Option<String>,
    /// Where it comes from.
    pub source: DependencySource,
    /// `optional`.
    pub optional: bool,
    /// `features`, with the inherited ones added.
    pub features: Vec<String>,
    /// `default-features`.
    pub default_features: bool,
    /// Line in the manifest, from 1.
    pub line: usize,
}

/// Where a dependency comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencySource {
    /// A registry: crates.io, or the named one (`registry` key) or its index URL (`registry-index`).
    Registry(Option<String>),
    /// A git repository.
    Git {
        /// URL as written.
        url: String,
        /// `branch=…`, `tag=…` or `rev=…`, if any.
        reference: Option<String>,
    },
    /// A local package: folder relative to the workspace root.
    Path(Utf8PathBuf),
}

/// An entry of `[patch]` or `[replace]`.
#[derive(Debug, Clone, Serialize)]
pub struct Patch {
    /// The patched source (`crates-io`, a registry name or URL), or the replaced spec.
    pub target: String,
    /// What takes its place.
    pub dependency: Dependency,
}

/// `Cargo.lock`.
#[derive(Debug, Clone, Serialize)]
pub struct CargoLock {
    /// Format version; 1 or 2 where the file has none, told apart by where the checksums stand.
    pub version: u32,
    /// `[[package]]` entries in file order.
    pub packages: Vec<LockedPackage>,
}

/// One `[[package]]` of the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockedPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Source id (`registry+…`, `sparse+…`, `git+…#rev`); absent for local packages.
    pub source: Option<String>,
    /// SHA-256 of the `.crate` file.
    pub checksum: Option<String>,
    /// `dependencies` as written: `name`, `name version` or `name version (source)`.
    pub dependencies: Vec<String>,
    /// `replace` as written.
    pub replace: Option<String>,
}

/// A toolchain file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Toolchain {
    /// The file, relative to the workspace root (may begin with `..`).
    pub path: Utf8PathBuf,
    /// `channel`: `1.85.0`, `stable`, `nightly-2026-01-01`, …
    pub channel: Option<String>,
    /// Extra targets.
    pub targets: Vec<String>,
    /// Components; they never change what is compiled.
    pub components: Vec<String>,
}

/// A `.cargo/config.toml`.
#[derive(Debug, Clone, Serialize)]
pub struct CargoConfig {
    /// The file, relative to the workspace root (may begin with `..`).
    pub path: Utf8PathBuf,
    /// Its text.
    pub text: String,
}

#[cfg(test)]
mod tests;
