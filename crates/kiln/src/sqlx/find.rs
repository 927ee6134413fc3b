//! The queries of one package: every call of a query macro, when it is compiled, and its text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::cfg::{self, Facts, Truth};
use super::features::only_for_tests;
use super::outcome::{Scope, Unresolved, UnresolvedReason};
use super::scan::{Argument, Call, literals};
use super::targets::{Reached, Reader, TargetKind};
use super::tokens::{self, Place};
use crate::project::cargo::{CargoPackage, CargoWorkspace};

/// A query with its text, not yet looked up.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: Utf8PathBuf,
    pub(super) place: Place,
    pub(super) macro_name: String,
    pub(super) scope: Scope,
    /// The `.sql` file, absolute.
    pub(super) file: Option<Utf8PathBuf>,
    /// The text, or why the `.sql` file cannot be read.
    pub(super) text: Result<String, String>,
    pub(super) arguments: Option<usize>,
}

/// The queries of a package.
#[derive(Debug, Default)]
pub(super) struct Queries {
    pub(super) found: Vec<Found>,
    pub(super) unresolved: Vec<Unresolved>,
    /// String literals of its sources, if macros make queries from some of them.
    pub(super) literals: BTreeSet<String>,
}

/// Finds them.
pub(super) fn queries(
    workspace: &CargoWorkspace,
    package: &CargoPackage,
    features: &BTreeSet<String>,
    reader: &mut Reader,
) -> Queries {
    let folder = workspace.folder(package);
    let files = reader.files(&folder, package);
    let defined: BTreeSet<&str> = files.iter().flat_map(|file| &file.scan.defined).map(String::as_str).collect();
    let invoked: BTreeSet<&str> = files.iter().flat_map(|file| &file.scan.invoked).map(String::as_str).collect();
    let others: BTreeSet<String> = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.package != "sqlx")
        .map(|dependency| dependency.alias.replace('-', "_"))
        .collect();
    let is_sqlx = |call: &Call| match call.qualifier.as_deref() {
        Some("sqlx") => true,
        Some(first) => !others.contains(first) && !defined.contains(call.macro_name.as_str()),
        None => !defined.contains(call.macro_name.as_str()),
    };
    // The same place may be reached by several targets: what is built comes first.
    let mut calls: BTreeMap<(&Utf8Path, Place), (Scope, &Call)> = BTreeMap::new();
    for file in &files {
        for call in file.scan.calls.iter().filter(|call| is_sqlx(call)) {
            let unused = call.within.as_deref().is_some_and(|name| !invoked.contains(name));
            let scope = if unused { Scope::Off } else { scope(file, call, features, only_for_tests(package)) };
            let known = calls.entry((&file.path, call.place)).or_insert((scope, call));
            known.0 = known.0.min(scope);
        }
    }
    let mut queries = Queries::default();
    for ((path, place), (scope, call)) in calls {
        let (file, text) = match &call.argument {
            Argument::Text(text) => (None, Ok(text.clone())),
            Argument::File(name) => {
                let file = folder.join(name);
                let text = read(&file, name);
                (Some(file), text)
            }
            Argument::Unresolved(reason) => {
                queries.unresolved.push(Unresolved {
                    package: package.name.clone(),
                    path: path.to_owned(),
                    line: place.line,
                    column: place.column,
                    macro_name: call.macro_name.clone(),
                    scope,
                    reason: reason.clone(),
                });
                continue;
            }
        };
        let (macro_name, arguments) = (call.macro_name.clone(), call.arguments);
        queries.found.push(Found { path: path.to_owned(), place, macro_name, scope, file, text, arguments });
    }
    if queries.unresolved.iter().any(|unresolved| unresolved.reason == UnresolvedReason::MacroArgument) {
        let all: BTreeSet<&Utf8Path> = files.iter().map(|file| file.path.as_path()).collect();
        for stream in all.iter().filter_map(|path| tokens::read(&fs::read_to_string(path).ok()?).ok()) {
            literals(stream, &mut queries.literals);
        }
    }
    queries
}

fn scope(file: &Reached, call: &Call, features: &BTreeSet<String>, only_for_tests: bool) -> Scope {
    let conditions = || file.conditions.iter().chain(&call.conditions);
    let compiled = |test| cfg::all(conditions(), Facts { features, test }) != Truth::No;
    match file.kind {
        TargetKind::Build | TargetKind::Script if compiled(false) && !only_for_tests => Scope::Build,
        _ if compiled(true) => Scope::Test,
        _ => Scope::Off,
    }
}

/// The text of a query file, with SQLx' own rules for its path.
fn read(file: &Utf8Path, name: &str) -> Result<String, String> {
    let written = Utf8Path::new(name);
    if written.is_absolute() {
        return Err("absolute paths will only work on the current machine".to_owned());
    }
    if written.parent().is_none_or(|folder| folder.as_str().is_empty()) {
        return Err("SQLx wants a path with a folder, relative to the package".to_owned());
    }
    // Unlike Rust sources, line ends stay as they are.
    fs::read_to_string(file).map_err(|error| error.to_string())
}
