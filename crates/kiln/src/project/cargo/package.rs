//! One `Cargo.toml` becomes one [`CargoPackage`].

use std::collections::BTreeMap;

use camino::Utf8Path;
use toml_edit::{Item, TableLike};

use super::dependencies::{self, Surroundings};
use super::document::Document;
use super::inherit::{Inherited, package_string};
use super::targets::{self, Named};
use super::{CargoError, CargoPackage, paths};

/// The `[package]` table, under its present or its first name.
pub(super) fn table(document: &Document) -> Result<Option<&dyn TableLike>, CargoError> {
    match document.table(document.root(), "", "package")? {
        Some(table) => Ok(Some(table)),
        None => document.table(document.root(), "", "project"),
    }
}

/// Reads the package of a manifest whose `[package]` table is `package`. `root` is the workspace root.
pub(super) fn read(
    document: &Document,
    package: &dyn TableLike,
    root: &Utf8Path,
    inherited: Option<&Inherited>,
    member: bool,
) -> Result<CargoPackage, CargoError> {
    let folder = document.path.parent().unwrap_or(Utf8Path::new("/"));
    let string = |key| document.string(package, "package", key);
    let Some(name) = string("name")? else {
        let line = package.iter().map(|(key, _)| document.line_of(package, key)).min().unwrap_or(1);
        let line = document.root().get("package").map_or(line, |item| document.line(item.span()));
        return Err(CargoError::MissingKey { path: document.path.clone(), line, key: "package.name".to_owned() });
    };
    let edition = package_string(document, package, "edition", inherited)?.unwrap_or_else(|| "2015".to_owned());
    let named = Named { folder, name: &name, edition: &edition };
    Ok(CargoPackage {
        version: package_string(document, package, "version", inherited)?.unwrap_or_else(|| "0.0.0".to_owned()),
        directory: paths::relative(root, folder),
        member,
        rust_version: package_string(document, package, "rust-version", inherited)?,
        links: string("links")?,
        build_script: targets::build_script(document, package, &named)?,
        library: targets::library(document, package, &named)?,
        binaries: targets::binaries(document, package, &named)?,
        names_test_targets: ["test", "bench", "example"].iter().any(|key| document.root().contains_key(key)),
        default_run: string("default-run")?,
        features: features(document)?,
        dependencies: dependencies::read(document, &Surroundings { root, folder, inherited })?,
        edition,
        name,
    })
}

fn features(document: &Document) -> Result<BTreeMap<String, Vec<String>>, CargoError> {
    let mut features = BTreeMap::new();
    let Some(table) = document.table(document.root(), "", "features")? else { return Ok(features) };
    for (name, _) in table.iter() {
        let enabled = document.strings(table, "features", &[name])?.unwrap_or_default();
        features.insert(name.to_owned(), enabled);
    }
    Ok(features)
}

/// `[profile.*]`: the body of each profile's table as a TOML document of its own, by profile name.
pub(super) fn profiles(document: &Document) -> Result<BTreeMap<String, String>, CargoError> {
    let mut profiles = BTreeMap::new();
    let Some(table) = document.table(document.root(), "", "profile")? else { return Ok(profiles) };
    for (name, item) in table.iter() {
        if document.table(table, "profile", name)?.is_some() {
            profiles.insert(name.to_owned(), body(item));
        }
    }
    Ok(profiles)
}

/// A table as a document: values in their order, then sub-tables, without comments.
fn body(item: &Item) -> String {
    let mut document = toml_edit::DocumentMut::new();
    if let Some(table) = item.as_table_like() {
        copy(table, document.as_table_mut());
    }
    document.to_string()
}

fn copy(from: &dyn TableLike, to: &mut toml_edit::Table) {
    to.set_implicit(true);
    for (key, item) in from.iter() {
        if let Some(table) = item.as_table_like() {
            let mut inner = toml_edit::Table::new();
            copy(table, &mut inner);
            to.insert(key, Item::Table(inner));
        } else if let Some(value) = item.as_value() {
            let mut value = value.clone();
            value.decor_mut().clear();
            to.insert(key, Item::Value(value));
        }
    }
}
