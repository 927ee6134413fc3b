//! The dependency tables of one manifest.

use std::collections::BTreeMap;

use camino::Utf8Path;
use toml_edit::{Item, TableLike};

use super::document::{Document, join};
use super::{CargoError, Dependency, DependencyKind, DependencySource, Patch, inherit::Inherited, paths};

/// Section names, the spelling that cargo prefers first.
const SECTIONS: [(&[&str], DependencyKind); 3] = [
    (&["dependencies"], DependencyKind::Normal),
    (&["build-dependencies", "build_dependencies"], DependencyKind::Build),
    (&["dev-dependencies", "dev_dependencies"], DependencyKind::Development),
];

/// What the meaning of a dependency hangs on besides its own text.
pub(super) struct Surroundings<'a> {
    /// Absolute folder of the workspace root, to which paths are made relative.
    pub(super) root: &'a Utf8Path,
    /// Absolute folder of the manifest.
    pub(super) folder: &'a Utf8Path,
    /// What the workspace offers to inherit.
    pub(super) inherited: Option<&'a Inherited>,
}

/// Every dependency of a manifest, in the order of its lines.
pub(super) fn read(document: &Document, around: &Surroundings<'_>) -> Result<Vec<Dependency>, CargoError> {
    let mut all = Vec::new();
    sections(document, document.root(), "", None, around, &mut all)?;
    if let Some(targets) = document.table(document.root(), "", "target")? {
        for (platform, _) in targets.iter() {
            let at = format!("target.'{platform}'");
            if let Some(table) = document.table(targets, "target", platform)? {
                sections(document, table, &at, Some(platform), around, &mut all)?;
            }
        }
    }
    all.sort_by_key(|dependency| dependency.line);
    Ok(all)
}

fn sections(
    document: &Document,
    table: &dyn TableLike,
    at: &str,
    platform: Option<&str>,
    around: &Surroundings<'_>,
    all: &mut Vec<Dependency>,
) -> Result<(), CargoError> {
    for (names, kind) in SECTIONS {
        for name in names {
            let Some(section) = document.table(table, at, name)? else { continue };
            let at = join(at, name);
            for (alias, _) in section.iter() {
                let mut dependency = read_one(document, section, &at, alias, around)?;
                dependency.kind = kind;
                dependency.platform = platform.map(ToOwned::to_owned);
                all.push(dependency);
            }
        }
    }
    Ok(())
}

fn read_one(
    document: &Document,
    section: &dyn TableLike,
    at: &str,
    alias: &str,
    around: &Surroundings<'_>,
) -> Result<Dependency, CargoError> {
    let Some(table) = section.get(alias).and_then(Item::as_table_like) else {
        return entry(document, section, at, alias, around.root, around.folder).map(|(dependency, _)| dependency);
    };
    let key = join(at, alias);
    if document.boolean(table, &key, &["workspace"])? != Some(true) {
        return entry(document, section, at, alias, around.root, around.folder).map(|(dependency, _)| dependency);
    }
    let line = document.line_of(section, alias);
    let Some(inherited) = around.inherited else {
        return Err(CargoError::NoWorkspace { path: document.path.clone(), line, key });
    };
    let Some((offered, default_features)) = inherited.dependencies.get(alias) else {
        return Err(CargoError::NotInherited {
            path: document.path.clone(),
            line,
            key,
            root: inherited.path.clone(),
            wanted: format!("workspace.dependencies.{alias}"),
        });
    };
    let mut dependency = Dependency { line, ..offered.clone() };
    dependency.optional = document.boolean(table, &key, &["optional"])?.unwrap_or(false);
    for feature in document.strings(table, &key, &["features"])?.unwrap_or_default() {
        if !dependency.features.contains(&feature) {
            dependency.features.push(feature);
        }
    }
    // A member can turn default features on where the workspace has them off, never the other way round.
    let wanted = document.boolean(table, &key, &["default-features", "default_features"])?;
    dependency.default_features = default_features.unwrap_or(true) || wanted == Some(true);
    Ok(dependency)
}

/// One entry that inherits nothing, with its `default-features` as written.
fn entry(
    document: &Document,
    section: &dyn TableLike,
    at: &str,
    alias: &str,
    root: &Utf8Path,
    folder: &Utf8Path,
) -> Result<(Dependency, Option<bool>), CargoError> {
    let mut dependency = Dependency {
        alias: alias.to_owned(),
        package: alias.to_owned(),
        kind: DependencyKind::Normal,
        platform: None,
        requirement: None,
        source: DependencySource::Registry(None),
        optional: false,
        features: Vec::new(),
        default_features: true,
        line: document.line_of(section, alias),
    };
    let item = section.get(alias);
    if let Some(requirement) = item.and_then(Item::as_str) {
        dependency.requirement = Some(requirement.to_owned());
        return Ok((dependency, None));
    }
    let Some(table) = item.and_then(Item::as_table_like) else {
        return Err(document.wrong_type(section, at, alias, "a version requirement or a table"));
    };
    let key = join(at, alias);
    let string = |name| document.string(table, &key, name);
    if let Some(package) = string("package")? {
        dependency.package = package;
    }
    dependency.requirement = string("version")?;
    dependency.optional = document.boolean(table, &key, &["optional"])?.unwrap_or(false);
    dependency.features = document.strings(table, &key, &["features"])?.unwrap_or_default();
    let default_features = document.boolean(table, &key, &["default-features", "default_features"])?;
    dependency.default_features = default_features.unwrap_or(true);
    dependency.source = if let Some(path) = string("path")? {
        DependencySource::Path(paths::relative(root, &paths::normalize(&folder.join(path))))
    } else if let Some(url) = string("git")? {
        let mut reference = None;
        for name in ["branch", "tag", "rev"] {
            if let Some(value) = string(name)? {
                reference = Some(format!("{name}={value}"));
            }
        }
        DependencySource::Git { url, reference }
    } else {
        DependencySource::Registry(string("registry")?.or(string("registry-index")?))
    };
    Ok((dependency, default_features))
}

/// `[workspace.dependencies]`, each with its `default-features` as written.
pub(super) fn offered(
    document: &Document,
    workspace: &dyn TableLike,
    root: &Utf8Path,
    folder: &Utf8Path,
) -> Result<BTreeMap<String, (Dependency, Option<bool>)>, CargoError> {
    let mut offered = BTreeMap::new();
    if let Some(section) = document.table(workspace, "workspace", "dependencies")? {
        for (alias, _) in section.iter() {
            let read = entry(document, section, "workspace.dependencies", alias, root, folder)?;
            offered.insert(alias.to_owned(), read);
        }
    }
    Ok(offered)
}

/// `[patch.<source>]` entries.
pub(super) fn patches(document: &Document, root: &Utf8Path) -> Result<Vec<Patch>, CargoError> {
    let mut patches = Vec::new();
    let Some(sources) = document.table(document.root(), "", "patch")? else { return Ok(patches) };
    for (target, _) in sources.iter() {
        let Some(section) = document.table(sources, "patch", target)? else { continue };
        let at = format!("patch.{target}");
        for (alias, _) in section.iter() {
            let (dependency, _) = entry(document, section, &at, alias, root, root)?;
            patches.push(Patch { target: target.to_owned(), dependency });
        }
    }
    Ok(patches)
}

/// `[replace]` entries; the alias of each is the replaced spec, the package its name.
pub(super) fn replacements(document: &Document, root: &Utf8Path) -> Result<Vec<Patch>, CargoError> {
    let mut replacements = Vec::new();
    let Some(section) = document.table(document.root(), "", "replace")? else { return Ok(replacements) };
    for (spec, _) in section.iter() {
        let (mut dependency, _) = entry(document, section, "replace", spec, root, root)?;
        if dependency.package == spec {
            let name = spec.rsplit(['/', '#']).next().unwrap_or(spec);
            dependency.package = name.split([':', '@']).next().unwrap_or(name).to_owned();
        }
        replacements.push(Patch { target: spec.to_owned(), dependency });
    }
    Ok(replacements)
}
