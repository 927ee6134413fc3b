//! Files and folders outside of the Rust sources that compiling reads: what an ignore file must let through.
//!
//! A search by letters, quick and never failing. It finds paths that are written as literals; only those that exist are reported.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::sources::{self, Source};
use super::{CargoPackage, paths};

/// Macros whose path is relative to the source file.
const FROM_FILE: [&str; 3] = ["include_str", "include_bytes", "include"];

/// Macros whose path is relative to the package's folder.
const FROM_PACKAGE: [&str; 10] = [
    "include_dir",
    "embed_migrations",
    "query_file",
    "query_file_as",
    "query_file_scalar",
    "query_file_unchecked",
    "query_file_as_unchecked",
    "query_file_scalar_unchecked",
    "load_locales",
    "i18n",
];

/// Keys of attributes whose path is relative to the package's folder: rust-embed, GraphQL clients.
const KEYS: [&str; 3] = ["folder", "schema_path", "query_path"];

/// Crates that read `templates` beside the manifest while compiling, unless their own file says otherwise.
const TEMPLATES: [&str; 6] = ["askama", "askama_axum", "rinja", "rinja_axum", "sailfish", "minijinja-embed"];

/// Folders that crates read beside the manifest while compiling, by crate.
const FOLDERS: [(&str, &str); 3] = [("diesel_migrations", "migrations"), ("rust-i18n", "locales"), ("refinery", "migrations")];

/// What crates that a package depends on read in its folder while compiling, by custom: absolute, whether or not it is there.
pub(super) fn by_custom(folder: &Utf8Path, package: &CargoPackage) -> Vec<Utf8PathBuf> {
    let depends = |name: &str| package.dependencies.iter().any(|dependency| dependency.package == name);
    let mut names: Vec<&str> = FOLDERS.iter().filter(|(name, _)| depends(name)).map(|(_, below)| *below).collect();
    if TEMPLATES.iter().any(|name| depends(name)) {
        names.extend(["templates", "askama.toml", "rinja.toml", "sailfish.toml"]);
    }
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// What a source of a package reads while compiling: absolute, whether or not it is there.
pub(super) fn of_source(source: &Source<'_>, package: &CargoPackage) -> BTreeSet<Utf8PathBuf> {
    let mut found = BTreeSet::new();
    let beside = source.path.parent().unwrap_or(source.folder);
    let mut add = |base: &Utf8Path, written: &str| {
        found.extend(resolve(source.folder, base, written));
    };
    for (names, base) in [(&FROM_FILE[..], beside), (&FROM_PACKAGE[..], source.folder)] {
        for arguments in sources::macros(source.text, names).filter_map(|(_, rest)| sources::arguments(rest)) {
            if let Some(written) = written_path(arguments) {
                add(base, &written);
            }
        }
    }
    // pest looks in `src`.
    let pest = source.folder.join("src");
    let keys = KEYS.iter().map(|key| (*key, source.folder)).chain([("path", beside), ("grammar", pest.as_path())]);
    let keys: Vec<(&str, &Utf8Path)> = keys.collect();
    for attribute in sources::attributes(source.text) {
        for (key, base) in &keys {
            if let Some(written) = attribute_value(attribute, key) {
                add(base, written);
            }
        }
    }
    if source.path.parent() == Some(source.folder) && package.build_script {
        of_build_script(source, &mut found);
    }
    found
}

/// Whatever a build script names and exists beside its manifest: .proto files, headers, C sources.
fn of_build_script(source: &Source<'_>, found: &mut BTreeSet<Utf8PathBuf>) {
    for written in sources::literals(source.text) {
        let path = written.rsplit_once("rerun-if-changed=").map_or(written, |(_, path)| path);
        let plain = !path.is_empty() && !path.starts_with('/') && !path.contains([' ', '{', '\\', '\n', ':']);
        if plain && !path.trim_matches(['.', '/']).is_empty() {
            found.extend(resolve(source.folder, source.folder, path));
        }
    }
}

/// The path that macro arguments write: a literal, or a `concat!` of literals after the package's folder.
fn written_path(arguments: &str) -> Option<String> {
    let parts = sources::literals(arguments);
    if !arguments.contains("env!") {
        return parts.first().map(|path| (*path).to_owned());
    }
    // concat!(env!("CARGO_MANIFEST_DIR"), "/a", "/b"); other variables are not known.
    match parts.as_slice() {
        ["CARGO_MANIFEST_DIR", rest @ ..] if !rest.is_empty() => Some(format!("$CARGO_MANIFEST_DIR{}", rest.concat())),
        _ => None,
    }
}

/// The literal of `key = "…"` within an attribute.
fn attribute_value<'t>(attribute: &'t str, key: &str) -> Option<&'t str> {
    attribute.match_indices(key).find_map(|(start, _)| {
        let whole = !attribute[..start].ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let value = attribute[start + key.len()..].trim_start().strip_prefix('=')?.trim_start();
        (whole && value.starts_with(['"', 'r'])).then(|| sources::literals(value).first().copied()).flatten()
    })
}

/// The absolute path that a literal means; `None` for paths outside of any repository.
fn resolve(package: &Utf8Path, base: &Utf8Path, written: &str) -> Option<Utf8PathBuf> {
    let path = match written.strip_prefix("$CARGO_MANIFEST_DIR") {
        Some(below) => package.join(below.trim_start_matches('/')),
        None => base.join(written),
    };
    (!written.starts_with('/')).then(|| paths::normalize(&path))
}
