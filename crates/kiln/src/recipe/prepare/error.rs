//! What can be wrong with a workspace that a recipe is asked of.

use std::fmt;

use camino::Utf8PathBuf;

use crate::project::cargo::{Disagreement, DisagreementKind};

/// Why no recipe can be made. Each names the file (relative to the workspace root) and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// No member has the name given with `--package`.
    #[error("no member is called `{package}`{}", did_you_mean(.hint))]
    NoSuchPackage {
        /// The name given.
        package: String,
        /// A member's name that is like it.
        hint: Option<String>,
    },
    /// No member, or not the one chosen, has the binary.
    #[error("{} has no binary called `{binary}`{}", whose(.package), did_you_mean(.hint))]
    NoSuchBinary {
        /// The name given.
        binary: String,
        /// The package that was looked at; every member if none.
        package: Option<String>,
        /// A binary's name that is like it.
        hint: Option<String>,
    },
    /// Nothing can be built.
    #[error("{} has no binary", whose(.package))]
    NoBinary {
        /// The package that was looked at; every member if none.
        package: Option<String>,
    },
    /// Several binaries, none chosen, and no `default-run`.
    #[error("several binaries, and none is chosen: {}; choose one with `--bin`", list(.binaries))]
    SeveralBinaries {
        /// Their names, sorted.
        binaries: Vec<String>,
    },
    /// Several members have a binary of this name.
    #[error("several members have a binary called `{binary}`: {}; choose one with `--package`", list(.packages))]
    AmbiguousBinary {
        /// The name given.
        binary: String,
        /// The members, sorted.
        packages: Vec<String>,
    },
    /// The binaries asked for do not stand in one package.
    #[error("the binaries are in different packages ({}); build each package by itself", list(.packages))]
    BinariesApart {
        /// The packages, sorted.
        packages: Vec<String>,
    },
    /// A chosen binary needs features that are off.
    #[error("binary `{binary}` of {package} needs features that are off; add `--features {}`", .missing.join(","))]
    RequiredFeatures {
        /// The binary.
        binary: String,
        /// Its package.
        package: String,
        /// The `required-features` that are off, as written.
        missing: Vec<String>,
    },
    /// A feature that the package does not have.
    #[error("{manifest}: package `{package}` has no feature `{feature}`{}{}", asked_by(.by), did_you_mean(.hint))]
    UnknownFeature {
        /// Manifest of the package.
        manifest: Utf8PathBuf,
        /// The package.
        package: String,
        /// The feature asked for.
        feature: String,
        /// Manifest that asks for it; none when it was asked for on the command line.
        by: Option<Utf8PathBuf>,
        /// A feature that is like it.
        hint: Option<String>,
    },
    /// There is no `Cargo.lock`.
    #[error("{directory}/Cargo.lock is missing; run `cargo generate-lockfile` there and commit it")]
    LockMissing {
        /// The workspace root.
        directory: Utf8PathBuf,
    },
    /// A local package is not in `Cargo.lock`.
    #[error("Cargo.lock does not know {manifest} (package `{package}`); run `cargo update -w`")]
    LockLacksPackage {
        /// The package's manifest.
        manifest: Utf8PathBuf,
        /// The package.
        package: String,
    },
    /// `Cargo.lock` has no package that satisfies a dependency.
    #[error(
        "{manifest}:{line}: Cargo.lock has no `{dependency}` that satisfies {}{}; run `cargo update -w`",
        asked(.requirement), has(.found)
    )]
    LockStale {
        /// Manifest that has the dependency.
        manifest: Utf8PathBuf,
        /// Line of the dependency.
        line: usize,
        /// Name of the package wanted.
        dependency: String,
        /// Its version requirement.
        requirement: Option<String>,
        /// Versions that the lock has for this manifest.
        found: Vec<String>,
    },
    /// A member and `Cargo.lock` differ, also in what no unit comes from: `cargo build --locked` would refuse to begin.
    #[error("{}{}: Cargo.lock {}; run `cargo update -w`", .0.manifest, at(.0.line), disagrees(&.0.kind))]
    LockDisagrees(Box<Disagreement>),
    /// `Cargo.lock` contradicts itself, as after a bad merge.
    #[error("Cargo.lock: `{package}` depends on `{dependency}`, which is not in it; run `cargo generate-lockfile`")]
    LockBroken {
        /// The package whose entry is wrong.
        package: String,
        /// The dependency as written there.
        dependency: String,
    },
    /// A version requirement that cannot be read.
    #[error("{manifest}:{line}: `{requirement}` is not a version requirement: {message}")]
    BadRequirement {
        /// Manifest that has the dependency.
        manifest: Utf8PathBuf,
        /// Line of the dependency.
        line: usize,
        /// The requirement as written.
        requirement: String,
        /// What is wrong with it.
        message: String,
    },
    /// A path dependency that leads nowhere.
    #[error("{manifest}:{line}: dependency `{dependency}` has no package at {path}")]
    PathDependency {
        /// Manifest that has the dependency.
        manifest: Utf8PathBuf,
        /// Line of the dependency.
        line: usize,
        /// Its name.
        dependency: String,
        /// Where it should be, relative to the workspace root.
        path: Utf8PathBuf,
    },
    /// A platform key that cannot be read.
    #[error("{file}: `{platform}` is not a platform: {message}")]
    BadPlatform {
        /// The file that has it.
        file: Utf8PathBuf,
        /// The key as written.
        platform: String,
        /// What is wrong with it.
        message: String,
    },
    /// A file that is not TOML, or not what cargo expects there.
    #[error("{path}: {message}")]
    BadToml {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The profile is defined nowhere.
    #[error("profile `{profile}` is not defined{}", did_you_mean(.hint))]
    NoSuchProfile {
        /// Its name.
        profile: String,
        /// A profile's name that is like it.
        hint: Option<String>,
    },
    /// A profile that inherits from itself.
    #[error("profile `{profile}` inherits from itself")]
    ProfileLoop {
        /// Its name.
        profile: String,
    },
    /// `build.target` lists several targets, and none was chosen.
    #[error("cargo's configuration builds for several targets ({}); choose one with `--target`", list(.targets))]
    SeveralTargets {
        /// The targets.
        targets: Vec<String>,
    },
}

/// Why a file is not a recipe that this kiln can use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Not JSON, or not of a recipe's shape.
    #[error("not a recipe: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by another version of kiln.
    #[error("the recipe has schema {found}, this kiln reads {}; prepare and cook with the same kiln", super::RECIPE_SCHEMA)]
    Schema {
        /// The schema it has.
        found: u32,
    },
}

fn did_you_mean(hint: &Option<String>) -> impl fmt::Display {
    hint.as_ref().map_or_else(String::new, |hint| format!("; did you mean `{hint}`?"))
}

fn whose(package: &Option<String>) -> impl fmt::Display {
    package.as_ref().map_or_else(|| "the workspace".to_owned(), |package| format!("package `{package}`"))
}

fn list(names: &[String]) -> impl fmt::Display {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn asked_by(by: &Option<Utf8PathBuf>) -> impl fmt::Display {
    by.as_ref().map_or_else(String::new, |by| format!(", which {by} asks for"))
}

fn at(line: Option<usize>) -> impl fmt::Display {
    line.map_or_else(String::new, |line| format!(":{line}"))
}

fn disagrees(kind: &DisagreementKind) -> impl fmt::Display {
    match kind {
        DisagreementKind::MemberMissing => "does not know this package".to_owned(),
        DisagreementKind::MemberVersion { manifest, locked } => format!("has this package as {locked}, and it is {manifest}"),
        DisagreementKind::Missing { dependency, .. } => format!("has no `{dependency}` for this package"),
        DisagreementKind::Version { dependency, requirement, locked, .. } => {
            format!("has no `{dependency}` that satisfies `{requirement}` (it has {})", locked.join(", "))
        }
        DisagreementKind::Source { dependency, .. } => format!("has `{dependency}` from another kind of source"),
        DisagreementKind::Unneeded { dependency } => format!("still has `{dependency}` for this package"),
    }
}

fn asked(requirement: &Option<String>) -> impl fmt::Display {
    requirement.as_ref().map_or_else(|| "it".to_owned(), |requirement| format!("`{requirement}`"))
}

fn has(found: &[String]) -> impl fmt::Display {
    if found.is_empty() { String::new() } else { format!(" (it has {})", found.join(", ")) }
}
