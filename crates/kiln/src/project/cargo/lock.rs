//! `Cargo.lock`, in all its versions.
//!
//! Cargo writes the file itself and always in the same few shapes, so lines of those shapes are read directly; anything else
//! goes through the TOML parser, which also words the errors.

use std::collections::BTreeMap;
use std::io;

use camino::Utf8Path;
use toml_edit::{Item, TableLike};

use super::document::{Document, read_text};
use super::{CargoError, CargoLock, LockedPackage};

/// Reads a lockfile, if there is one.
pub(super) fn read(path: &Utf8Path) -> Result<Option<CargoLock>, CargoError> {
    match read_text(path) {
        Ok(text) => parse(path, text).map(Some),
        Err(CargoError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The newest version of the format, which cargo writes since 1.78.
const NEWEST: u32 = 4;

/// Parses the text of a lockfile; `path` is for messages.
pub(super) fn parse(path: &Utf8Path, text: String) -> Result<CargoLock, CargoError> {
    let lock = match parse_lines(&text) {
        Some(lock) => lock,
        None => match line_of(&text, "<<<<<<< ") {
            Some(line) => return Err(CargoError::LockConflict { path: path.to_owned(), line }),
            None => parse_toml(&Document::parse(path, text.clone())?)?,
        },
    };
    if lock.version > NEWEST {
        let line = line_of(&text, "version").unwrap_or(1);
        return Err(CargoError::LockVersion { path: path.to_owned(), line, version: lock.version, newest: NEWEST });
    }
    Ok(lock)
}

/// The first line that begins so, from 1.
fn line_of(text: &str, beginning: &str) -> Option<usize> {
    text.lines().position(|line| line.starts_with(beginning)).map(|index| index + 1)
}

/// A lockfile as cargo writes it; `None` at the first line that it would not write.
fn parse_lines(text: &str) -> Option<CargoLock> {
    let mut version = None;
    let mut packages: Vec<LockedPackage> = Vec::new();
    let mut in_dependencies = false;
    for line in text.lines() {
        if in_dependencies {
            if line == "]" {
                in_dependencies = false;
                continue;
            }
            let dependency = plain_string(line.strip_prefix(' ')?.strip_suffix(',')?)?;
            packages.last_mut()?.dependencies.push(dependency);
        } else if line.is_empty() || line.starts_with('#') {
        } else if line == "[[package]]" {
            packages.push(LockedPackage {
                name: String::new(),
                version: String::new(),
                source: None,
                checksum: None,
                dependencies: Vec::new(),
                replace: None,
            });
        } else if line == "dependencies = [" {
            in_dependencies = true;
        } else {
            let (key, value) = line.split_once(" = ")?;
            let Some(package) = packages.last_mut() else {
                match key {
                    "version" if version.is_none() => version = Some(value.parse().ok()?),
                    _ => return None,
                }
                continue;
            };
            match key {
                "name" if package.name.is_empty() => package.name = plain_string(value)?,
                "version" if package.version.is_empty() => package.version = plain_string(value)?,
                "source" if package.source.is_none() => package.source = Some(plain_string(value)?),
                "checksum" if package.checksum.is_none() => package.checksum = Some(plain_string(value)?),
                "replace" if package.replace.is_none() => package.replace = Some(plain_string(value)?),
                _ => return None,
            }
        }
    }
    // Without a version number it is version 1 or 2; where checksums stand tells them apart, and `[metadata]` is not for here.
    let whole = !in_dependencies && packages.iter().all(|package| !package.name.is_empty() && !package.version.is_empty());
    let version = version.or_else(|| packages.iter().any(|package| package.checksum.is_some()).then_some(2))?;
    whole.then_some(CargoLock { version, packages })
}

/// A string in plain quotes, without escapes.
fn plain_string(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
}

fn parse_toml(document: &Document) -> Result<CargoLock, CargoError> {
    let root = document.root();
    let error = |key: &str, message| CargoError::Lock { path: document.path.clone(), line: document.line_of(root, key), message };
    let stated = match root.get("version") {
        None => None,
        Some(item) => {
            let number = item.as_integer().and_then(|number| u32::try_from(number).ok());
            Some(number.ok_or_else(|| error("version", "the lockfile's version is not a number"))?)
        }
    };
    let mut packages = Vec::new();
    if let Some(table) = document.table(root, "", "root")? {
        packages.push(package(document, table, document.line_of(root, "root"))?);
    }
    if let Some(item) = root.get("package") {
        let tables = item.as_array_of_tables().ok_or_else(|| error("package", "`package` is not a list of tables"))?;
        for table in tables {
            packages.push(package(document, table, document.line(table.span()))?);
        }
    }
    let inline = packages.iter().any(|package| package.checksum.is_some());
    if let Some(metadata) = document.table(root, "", "metadata")? {
        let checksums = checksums(metadata);
        for package in packages.iter_mut().filter(|package| package.checksum.is_none()) {
            let Some(source) = &package.source else { continue };
            let key = (package.name.as_str(), package.version.as_str(), source.as_str());
            package.checksum = checksums.get(&key).map(|checksum| (*checksum).to_owned());
        }
    }
    Ok(CargoLock { version: stated.unwrap_or(if inline { 2 } else { 1 }), packages })
}

/// `"checksum name version (source)" = "…"` of version 1. Git packages have `<none>`.
fn checksums(metadata: &dyn TableLike) -> BTreeMap<(&str, &str, &str), &str> {
    let entries = metadata.iter().filter_map(|(key, item)| {
        let mut words = key.strip_prefix("checksum ")?.splitn(3, ' ');
        let (name, version) = (words.next()?, words.next()?);
        let source = words.next()?.strip_prefix('(')?.strip_suffix(')')?;
        let checksum = item.as_str().filter(|checksum| *checksum != "<none>")?;
        Some(((name, version, source), checksum))
    });
    entries.collect()
}

fn package(document: &Document, table: &dyn TableLike, line: usize) -> Result<LockedPackage, CargoError> {
    let optional = |key| document.string(table, "package", key);
    let required = |key: &str| match table.get(key).and_then(Item::as_str) {
        Some(value) => Ok(value.to_owned()),
        None => Err(CargoError::MissingKey { path: document.path.clone(), line, key: format!("package.{key}") }),
    };
    Ok(LockedPackage {
        name: required("name")?,
        version: required("version")?,
        source: optional("source")?,
        checksum: optional("checksum")?,
        dependencies: document.strings(table, "package", &["dependencies"])?.unwrap_or_default(),
        replace: optional("replace")?,
    })
}
