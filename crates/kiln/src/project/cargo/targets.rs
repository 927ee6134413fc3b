//! The targets of one package: what the manifest says, and what cargo finds by itself.
//!
//! Only files that cargo would look for are probed; `src/bin` is the one folder that is listed.

use std::fs;
use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::TableLike;

use super::document::Document;
use super::{Binary, CargoError, Library};

/// What is known of the package when its targets are read.
pub(super) struct Named<'a> {
    /// Absolute folder of the manifest.
    pub(super) folder: &'a Utf8Path,
    /// Package name.
    pub(super) name: &'a str,
    /// Edition.
    pub(super) edition: &'a str,
}

/// The library target, explicit or at `src/lib.rs`.
pub(super) fn library(document: &Document, package: &dyn TableLike, named: &Named<'_>) -> Result<Option<Library>, CargoError> {
    let crate_name = || named.name.replace('-', "_");
    let Some(table) = document.table(document.root(), "", "lib")? else {
        let found =
            document.boolean(package, "package", &["autolib"])? != Some(false) && named.folder.join("src/lib.rs").is_file();
        return Ok(found.then(|| Library { name: crate_name(), proc_macro: false, crate_types: vec!["lib".to_owned()] }));
    };
    let mut crate_types = document.strings(table, "lib", &["crate-type", "crate_type"])?.unwrap_or_default();
    let proc_macro = document.boolean(table, "lib", &["proc-macro", "proc_macro"])? == Some(true)
        || crate_types.iter().any(|kind| kind == "proc-macro");
    if proc_macro {
        crate_types = vec!["proc-macro".to_owned()];
    } else if crate_types.is_empty() {
        crate_types.push("lib".to_owned());
    }
    let name = document.string(table, "lib", "name")?.unwrap_or_else(crate_name);
    Ok(Some(Library { name, proc_macro, crate_types }))
}

/// Binary targets, explicit ones first, then those that cargo finds, by name.
pub(super) fn binaries(document: &Document, package: &dyn TableLike, named: &Named<'_>) -> Result<Vec<Binary>, CargoError> {
    let found = discover(named)?;
    let auto = document.boolean(package, "package", &["autobins"])?;
    let explicit = explicit(document, named, &found)?;
    // The 2015 edition looks for binaries only where none is declared.
    let auto = auto.unwrap_or(explicit.is_empty() || named.edition != "2015");
    let mut binaries = explicit;
    if auto {
        for candidate in found {
            if !binaries.iter().any(|known| known.name == candidate.name || known.path == candidate.path) {
                binaries.push(candidate);
            }
        }
    }
    Ok(binaries)
}

fn explicit(document: &Document, named: &Named<'_>, found: &[Binary]) -> Result<Vec<Binary>, CargoError> {
    let Some(item) = document.root().get("bin") else { return Ok(Vec::new()) };
    let tables: Vec<&dyn TableLike> = if let Some(array) = item.as_array_of_tables() {
        array.iter().map(|table| table as &dyn TableLike).collect()
    } else if let Some(array) = item.as_array() {
        array.iter().filter_map(|value| value.as_inline_table()).map(|table| table as &dyn TableLike).collect()
    } else {
        return Err(document.wrong_type(document.root(), "", "bin", "an array of tables (`[[bin]]`)"));
    };
    let mut binaries = Vec::new();
    for table in tables {
        let line = table.iter().map(|(key, _)| document.line_of(table, key)).min();
        let line = line.unwrap_or_else(|| document.line_of(document.root(), "bin"));
        let Some(name) = document.string(table, "bin", "name")? else {
            return Err(CargoError::MissingKey { path: document.path.clone(), line, key: "bin.name".to_owned() });
        };
        let path = match document.string(table, "bin", "path")? {
            Some(path) => Utf8PathBuf::from(path),
            None => match found.iter().find(|candidate| candidate.name == name) {
                Some(candidate) => candidate.path.clone(),
                None => legacy_path(named, &name).ok_or_else(|| CargoError::MissingTarget {
                    path: document.path.clone(),
                    line,
                    binary: name.clone(),
                })?,
            },
        };
        let required_features = document.strings(table, "bin", &["required-features", "required_features"])?.unwrap_or_default();
        binaries.push(Binary { name, path, required_features });
    }
    Ok(binaries)
}

/// Where the 2015 edition also looked for a declared binary.
fn legacy_path(named: &Named<'_>, binary: &str) -> Option<Utf8PathBuf> {
    if named.edition != "2015" {
        return None;
    }
    let mut candidates = vec!["src/main.rs".to_owned(), "src/bin/main.rs".to_owned()];
    if !named.folder.join("src/lib.rs").is_file() {
        candidates.insert(0, format!("src/{binary}.rs"));
    }
    candidates.into_iter().map(Utf8PathBuf::from).find(|path| named.folder.join(path).is_file())
}

fn discover(named: &Named<'_>) -> Result<Vec<Binary>, CargoError> {
    let mut found = Vec::new();
    let binary = |name: &str, path: String| Binary { name: name.to_owned(), path: path.into(), required_features: vec![] };
    if named.folder.join("src/main.rs").is_file() {
        found.push(binary(named.name, "src/main.rs".to_owned()));
    }
    let folder = named.folder.join("src/bin");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(found),
        Err(source) => return Err(CargoError::Read { path: folder, source }),
    };
    let first = found.len();
    for entry in entries {
        let entry = entry.map_err(|source| CargoError::Read { path: folder.clone(), source })?;
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str() else {
            if file_name.to_string_lossy().ends_with(".rs") {
                let name = file_name.to_string_lossy().into_owned();
                return Err(CargoError::NameNotUtf8 { folder, name });
            }
            continue;
        };
        if let Some(stem) = name.strip_suffix(".rs") {
            if !stem.is_empty() && folder.join(name).is_file() {
                found.push(binary(stem, format!("src/bin/{name}")));
            }
        } else if folder.join(name).join("main.rs").is_file() {
            found.push(binary(name, format!("src/bin/{name}/main.rs")));
        }
    }
    found[first..].sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

/// Whether the package has a build script: the `build` key, else a `build.rs` beside the manifest.
pub(super) fn build_script(document: &Document, package: &dyn TableLike, named: &Named<'_>) -> Result<bool, CargoError> {
    let Some(item) = package.get("build") else { return Ok(named.folder.join("build.rs").is_file()) };
    if let Some(wanted) = item.as_bool() {
        return Ok(wanted);
    }
    if item.is_str() || item.is_array() {
        return Ok(true);
    }
    Err(document.wrong_type(package, "package", "build", "a path or `false`"))
}
