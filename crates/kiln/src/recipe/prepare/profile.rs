//! The profile in force: manifest and configuration merged, the chain of `inherits` folded into one table.
//!
//! Only what reaches external units is kept. Overrides for packages that are not in the recipe's lock are dropped, and so
//! is `incremental`, which cargo ignores for packages from registries and git.

use std::collections::{BTreeMap, BTreeSet};

use super::canonical::{self, Table, Value};
use super::error::PrepareError;
use crate::text;

/// A profile with everything that it inherits, before its overrides are pruned.
#[derive(Debug)]
pub(super) struct Profile {
    name: String,
    root: &'static str,
    table: Table,
}

/// Folds the chain of `name`; configuration goes over the manifest, as cargo does it.
pub(super) fn read(name: &str, manifest: &BTreeMap<String, String>, config: &Table) -> Result<Profile, PrepareError> {
    let mut all = Table::new();
    for (name, text) in manifest {
        let table = canonical::parse(text).map_err(|error| PrepareError::BadToml {
            path: "Cargo.toml".into(),
            message: format!("[profile.{name}]: {error}"),
        })?;
        all.insert(name.clone(), Value::Table(table));
    }
    canonical::merge(&mut all, config.clone(), false);

    let mut chain = Vec::new();
    let mut seen = BTreeSet::new();
    let mut current = name.to_owned();
    let root = loop {
        if !seen.insert(current.clone()) {
            return Err(PrepareError::ProfileLoop { profile: name.to_owned() });
        }
        let own = all.get(&current).and_then(Value::as_table);
        chain.extend(own);
        match current.as_str() {
            "dev" => break "dev",
            "release" => break "release",
            _ => {}
        }
        current = match (own.and_then(|own| own.get("inherits")).and_then(Value::as_str), predefined(&current)) {
            (Some(parent), _) => parent.to_owned(),
            (None, Some(parent)) => parent.to_owned(),
            (None, None) => {
                let known = all.keys().map(String::as_str).chain(["dev", "release", "test", "bench"]);
                let hint = text::did_you_mean(&current, known.filter(|known| *known != current)).map(str::to_owned);
                return Err(PrepareError::NoSuchProfile { profile: current, hint });
            }
        };
    };
    let mut table = Table::new();
    for layer in chain.into_iter().rev() {
        canonical::merge(&mut table, layer.clone(), false);
    }
    table.remove("inherits");
    Ok(Profile { name: name.to_owned(), root, table })
}

fn predefined(name: &str) -> Option<&'static str> {
    match name {
        "test" | "doc" => Some("dev"),
        "bench" => Some("release"),
        _ => None,
    }
}

impl Profile {
    /// Whether link-time optimization over crates is on; it changes how dependencies are compiled.
    pub(super) fn lto(&self) -> bool {
        match self.table.get("lto") {
            Some(Value::Literal(truth)) => truth == "true",
            Some(Value::Text(name)) => !matches!(name.as_str(), "off" | "n" | "no" | "none"),
            _ => false,
        }
    }

    /// The canonical text, with overrides for those packages only that `is_external` knows (by name).
    pub(super) fn text(mut self, is_external: impl Fn(&str) -> bool) -> String {
        let table = &mut self.table;
        table.remove("incremental");
        if let Some(Value::Table(build)) = table.get_mut("build-override") {
            build.remove("incremental");
        }
        if let Some(Value::Table(packages)) = table.get_mut("package") {
            packages.retain(|spec, _| spec == "*" || is_external(name_of(spec)));
            for package in packages.values_mut().filter_map(Value::as_table_mut) {
                package.remove("incremental");
            }
            packages.retain(|_, package| package.as_table().is_none_or(|package| !package.is_empty()));
        }
        table.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
        let builtin = matches!(self.name.as_str(), "dev" | "release") || predefined(&self.name) == Some(self.root);
        if !builtin {
            table.insert("inherits".to_owned(), Value::Text(self.root.to_owned()));
        }
        if self.table.is_empty() {
            return String::new();
        }
        let profiles = Table::from([(self.name, Value::Table(self.table))]);
        canonical::render(&Table::from([("profile".to_owned(), Value::Table(profiles))]))
    }
}

/// The package name in a package id specification: `name`, `name@1.2`, `name:1.2`, `https://host/path#name@1.2`, …
fn name_of(spec: &str) -> &str {
    let tail = match spec.rsplit_once('#') {
        // `url#1.2.3`: the name is the end of the path.
        Some((url, fragment)) if fragment.starts_with(|first: char| first.is_ascii_digit()) => {
            url.rsplit('/').next().unwrap_or(url)
        }
        Some((_, fragment)) => fragment,
        None if spec.contains("://") => spec.rsplit('/').next().unwrap_or(spec),
        None => spec,
    };
    tail.split(['@', ':']).next().unwrap_or(tail)
}
