//! The stub: a small package that asks cargo for exactly the external units of a recipe.
//!
//! It is one binary with an empty `main`. Requirements for the target are its dependencies, those for the host the dependencies of
//! its (empty) build script. Three cases need a second package beside it, each of them rare:
//!
//! - `idle`, which has build dependencies but no build script: requirements that only take part in feature unification
//!   (under resolver 1 these are development dependencies of the stub itself);
//! - `both` and `object`, libraries with the crate types that make cargo compile what is below them for plain linking, too.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use camino::Utf8PathBuf;

use super::canonical::{self, Value};
use super::lock;
use crate::recipe::{Codegen, Context, Locator, Recipe, Requirement};

/// Name of the stub's package and binary.
pub const STUB_PACKAGE: &str = "kiln-stub";

/// Folder of a part of the stub, with its crate types.
const PARTS: [(Part, &str, &str); 3] =
    [(Part::Both, "both", "\"cdylib\", \"rlib\""), (Part::Object, "object", "\"dylib\""), (Part::Idle, "idle", "\"rlib\"")];

/// Which package of the stub has a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Main,
    Both,
    Object,
    Idle,
}

/// The files of the stub, by path relative to the folder it is built in.
///
/// The lock has every version that the real build uses. It may have more packages than the stub needs (the real lock does not say
/// which features want which of them), so cargo must be free to drop those: build it without `--locked`.
#[must_use]
pub fn stub_workspace(recipe: &Recipe) -> Vec<(Utf8PathBuf, String)> {
    let aliases = aliases(recipe);
    let parts: Vec<_> =
        PARTS.into_iter().filter(|(part, ..)| recipe.requirements.iter().any(|one| part_of(recipe, one) == *part)).collect();
    let mut files = vec![
        ("Cargo.toml".into(), manifest(recipe, &aliases, &parts)),
        ("Cargo.lock".into(), lockfile(recipe, &parts)),
        ("src/main.rs".into(), "fn main() {}\n".to_owned()),
    ];
    if recipe.requirements.iter().any(|requirement| requirement.context == Context::Host) {
        files.push(("build.rs".into(), "fn main() {}\n".to_owned()));
    }
    if !recipe.config.is_empty() {
        files.push((".cargo/config.toml".into(), recipe.config.clone()));
    }
    for (part, folder, crate_types) in parts {
        let mut text = package(&format!("{STUB_PACKAGE}-{folder}"));
        text.push_str("\n[lib]\ncrate-type = [");
        text.push_str(crate_types);
        text.push_str("]\n");
        dependencies(&mut text, recipe, &aliases, part);
        files.push((format!("{folder}/Cargo.toml").into(), text));
        files.push((format!("{folder}/src/lib.rs").into(), String::new()));
    }
    files
}

/// Folders that the recipe's `[source]` tables read packages from, as written: absolute, or relative to the workspace root.
///
/// They must be there when the stub is built, at the same place relative to its folder.
#[must_use]
pub fn vendored_folders(recipe: &Recipe) -> Vec<Utf8PathBuf> {
    let Ok(config) = canonical::parse(&recipe.config) else { return Vec::new() };
    let Some(Value::Table(sources)) = config.get("source") else { return Vec::new() };
    let tables = sources.values().filter_map(Value::as_table);
    tables
        .flat_map(|table| ["directory", "local-registry"].map(|key| table.get(key)))
        .flatten()
        .filter_map(Value::as_str)
        .map(Utf8PathBuf::from)
        .collect()
}

fn part_of(recipe: &Recipe, requirement: &Requirement) -> Part {
    match (requirement.context, requirement.codegen) {
        (Context::Development, _) if recipe.resolver != 1 => Part::Idle,
        (Context::Target, Some(Codegen::Both)) => Part::Both,
        (Context::Target, Some(Codegen::Object)) => Part::Object,
        _ => Part::Main,
    }
}

/// Identity of a locked package.
type PackageId<'r> = (&'r str, &'r str, &'r str);

fn id(requirement: &Requirement) -> PackageId<'_> {
    (&requirement.name, &requirement.version, &requirement.source)
}

/// A name for each package asked for: cargo wants one name for one package in all sections, and may not get one name for two.
fn aliases(recipe: &Recipe) -> HashMap<PackageId<'_>, String> {
    let mut ids: Vec<_> = recipe.requirements.iter().map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().enumerate().map(|(index, id)| (id, format!("x{index}-{}", id.0))).collect()
}

fn package(name: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2021\"\npublish = false\n")
}

fn manifest(recipe: &Recipe, aliases: &HashMap<PackageId<'_>, String>, parts: &[(Part, &str, &str)]) -> String {
    let mut text = String::new();
    if !recipe.cargo_features.is_empty() {
        let features = Value::Array(recipe.cargo_features.iter().cloned().map(Value::Text).collect());
        text.push_str("cargo-features = ");
        text.push_str(&canonical::inline(&features));
        text.push_str("\n\n");
    }
    text.push_str(&package(STUB_PACKAGE));
    // Nothing is discovered, and no workspace above is joined.
    text.push_str("autobins = false\nautoexamples = false\nautotests = false\nautobenches = false\n");
    let _ = write!(text, "resolver = \"{}\"\n\n[workspace]\n", recipe.resolver);
    let _ = write!(text, "\n[[bin]]\nname = \"{STUB_PACKAGE}\"\npath = \"src/main.rs\"\n");
    dependencies(&mut text, recipe, aliases, Part::Main);
    for (_, folder, _) in parts {
        let _ = write!(text, "\n[dependencies.{STUB_PACKAGE}-{folder}]\npath = \"{folder}\"\n");
    }
    for table in [&recipe.patches, &recipe.profiles] {
        if !table.is_empty() {
            text.push('\n');
            text.push_str(table);
        }
    }
    text
}

/// The dependency tables of one part.
fn dependencies(text: &mut String, recipe: &Recipe, aliases: &HashMap<PackageId<'_>, String>, part: Part) {
    let mut sections: BTreeMap<String, Vec<&Requirement>> = BTreeMap::new();
    for requirement in recipe.requirements.iter().filter(|requirement| part_of(recipe, requirement) == part) {
        let section = match requirement.context {
            Context::Target => "dependencies",
            Context::Host => "build-dependencies",
            Context::Development if part == Part::Idle => "build-dependencies",
            Context::Development => "dev-dependencies",
        };
        let header = match &requirement.platform {
            None => section.to_owned(),
            Some(platform) => format!("target.{}.{section}", canonical::inline(&Value::Text(platform.clone()))),
        };
        sections.entry(header).or_default().push(requirement);
    }
    for (header, requirements) in sections {
        let _ = write!(text, "\n[{header}]\n");
        for requirement in requirements {
            text.push_str(&aliases[&id(requirement)]);
            text.push_str(" = ");
            text.push_str(&canonical::inline(&Value::Table(entry(requirement))));
            text.push('\n');
        }
    }
}

fn entry(requirement: &Requirement) -> canonical::Table {
    let text = |value: &str| Value::Text(value.to_owned());
    // Build metadata (`0.17.0+1.8.1`) is no part of a requirement.
    let version = requirement.version.split('+').next().unwrap_or(&requirement.version);
    let mut table = canonical::Table::from([
        ("package".to_owned(), text(&requirement.name)),
        ("version".to_owned(), text(&format!("={version}"))),
        ("default-features".to_owned(), Value::Literal(requirement.default_features.to_string())),
    ]);
    if !requirement.features.is_empty() {
        table.insert("features".to_owned(), Value::Array(requirement.features.iter().map(|feature| text(feature)).collect()));
    }
    match &requirement.locator {
        Locator::CratesIo => {}
        Locator::Registry(name) => {
            table.insert("registry".to_owned(), text(name));
        }
        Locator::Index(index) => {
            table.insert("registry-index".to_owned(), text(index));
        }
        Locator::Git(url, reference) => {
            table.insert("git".to_owned(), text(url));
            if let Some((kind, value)) = reference.as_deref().and_then(|reference| reference.split_once('=')) {
                table.insert(kind.to_owned(), text(value));
            }
        }
    }
    table
}

/// A lock of the pruned entries and the stub's own packages. Version 3, which every cargo since 1.53 reads.
fn lockfile(recipe: &Recipe, parts: &[(Part, &str, &str)]) -> String {
    let mut versions: HashMap<&str, BTreeMap<&str, usize>> = HashMap::new();
    for entry in &recipe.lock {
        *versions.entry(&entry.name).or_default().entry(&entry.version).or_default() += 1;
    }
    let own = |part: Part| {
        let requirements = recipe.requirements.iter().filter(|requirement| part_of(recipe, requirement) == part);
        let mut names: Vec<_> = requirements
            .map(|requirement| lock::spell(&requirement.name, &requirement.version, Some(&requirement.source), &versions))
            .collect();
        if part == Part::Main {
            names.extend(parts.iter().map(|(_, folder, _)| format!("{STUB_PACKAGE}-{folder}")));
        }
        names.sort();
        names.dedup();
        names
    };
    let mut packages: Vec<(&str, String)> = recipe
        .lock
        .iter()
        .map(|entry| {
            let fields =
                [("version", Some(&entry.version)), ("source", Some(&entry.source)), ("checksum", entry.checksum.as_ref())];
            let mut text = locked(&entry.name, fields, &entry.dependencies);
            if let Some(replace) = &entry.replace {
                let _ = writeln!(text, "replace = \"{replace}\"");
            }
            (entry.name.as_str(), text)
        })
        .collect();
    let version = "0.0.0".to_owned();
    let names: Vec<_> = parts.iter().map(|(part, folder, _)| (*part, format!("{STUB_PACKAGE}-{folder}"))).collect();
    packages.push((
        STUB_PACKAGE,
        locked(STUB_PACKAGE, [("version", Some(&version)), ("source", None), ("checksum", None)], &own(Part::Main)),
    ));
    for (part, name) in &names {
        packages.push((name, locked(name, [("version", Some(&version)), ("source", None), ("checksum", None)], &own(*part))));
    }
    // Stable: entries of one name are sorted by version already.
    packages.sort_by_key(|(name, _)| *name);
    let mut text = "version = 3\n".to_owned();
    for (_, package) in packages {
        text.push_str(&package);
    }
    text
}

fn locked(name: &str, fields: [(&str, Option<&String>); 3], dependencies: &[String]) -> String {
    let mut text = format!("\n[[package]]\nname = \"{name}\"\n");
    for (key, value) in fields {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = \"{value}\"");
        }
    }
    if !dependencies.is_empty() {
        text.push_str("dependencies = [\n");
        for dependency in dependencies {
            let _ = writeln!(text, " \"{dependency}\",");
        }
        text.push_str("]\n");
    }
    text
}
