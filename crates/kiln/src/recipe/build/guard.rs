//! What keeps a persisted target directory from serving a stale unit.
//!
//! Takes the changes of a mirror and cargo's own records of what each local unit declared to read; makes cargo forget every unit
//! that may have read something that changed. cargo's own check by time comes on top of that.
//!
//! A change concerns a unit if
//! - the unit declared the file (dependency file of rustc, `rerun-if-changed` of its build script);
//! - it lies in the unit's package and nothing in that package declared it: a macro or script may have read it silently. Other files
//!   than Rust sources concern every compiled unit of the package that did not declare them;
//! - it lies outside every package, or in one that contains others, and nothing declared it: then it concerns all packages;
//! - it lies beside a file that the unit declared: the unit may list the folder;
//! - it is SQLx query data and the package depends on SQLx;
//! - the build itself wrote into the source of the package.
//!
//! So units that survive were compiled from exactly the inputs that the mirror has now, whatever the times say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::inputs::{dependency_file, normalized, rerun_if_changed, rerun_if_env_changed};
use super::mirror::{Change, ChangeKind};
use super::packages::Packages;
use super::step::{StepError, parallel};
use super::target::{UnitId, UnitKind, Units};

/// What the guard looks at. Paths of changes and packages are relative to `mirror`.
#[derive(Debug)]
pub(super) struct Guard<'a> {
    /// The mirror, still as the last build left it.
    pub(super) mirror: &'a Path,
    /// The workspace's folder below the mirror.
    pub(super) workspace: &'a Path,
    /// The target directory.
    pub(super) target: &'a Path,
    /// `CARGO_HOME`.
    pub(super) cargo_home: &'a Path,
    /// Local packages, as they were and as they are.
    pub(super) packages: &'a Packages,
    /// What changed.
    pub(super) changes: &'a [Change],
    /// Environment variables that changed.
    pub(super) variables: &'a BTreeSet<String>,
    /// Whether nothing is known about the state of the mount, or the system under it changed.
    pub(super) everything: Option<&'a str>,
    /// Whether there are symbolic links in the source.
    pub(super) links: bool,
}

/// What the guard did: why units of a package were forgotten, by package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Forgotten {
    /// Number of units.
    pub(super) units: usize,
    /// The first undeclared input that concerned each package: a path, or `$NAME`.
    pub(super) undeclared: BTreeMap<String, String>,
}

/// A unit of a local package.
#[derive(Debug, Default)]
struct Local {
    id: Option<UnitId>,
    kind: Option<UnitKind>,
    /// Package folder; `None` when it is not known.
    folder: Option<PathBuf>,
    files: BTreeSet<PathBuf>,
    variables: BTreeSet<String>,
    /// A build script that declares nothing: cargo runs it again whenever anything in the package changes.
    watches_package: bool,
    /// A vendored package's.
    external: bool,
    /// Its records cannot be read.
    unreadable: bool,
}

/// How a change concerns a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    None,
    /// cargo knows of it too.
    Declared,
    /// Only the guard knows.
    Undeclared,
}

impl Guard<'_> {
    /// Makes cargo forget the units that the changes may concern. `seeded` tells the external units of the deps layer.
    ///
    /// # Errors
    /// [`StepError`], when the records cannot be read or a fingerprint cannot be removed.
    pub(super) fn run(&self, seeded: &(dyn Fn(&UnitId) -> bool + Sync)) -> Result<Forgotten, StepError> {
        let mut forgotten = Forgotten::default();
        if self.changes.is_empty() && self.variables.is_empty() && self.everything.is_none() {
            return Ok(forgotten);
        }
        let units = Units::scan(self.target)?;
        // Seeded units can only have read sources that never change, unless vendored ones were edited by hand.
        let edited = self.changes.iter().any(|change| self.is_vendored(&change.path));
        let candidates: Vec<&UnitId> = units.all().into_iter().filter(|unit| edited || !seeded(unit)).collect();
        let locals = parallel(&candidates, |unit| self.local(&units, unit))?;
        let locals: Vec<Local> = locals.into_iter().flatten().collect();
        let changes: Vec<Seen<'_>> = self.changes.iter().map(|change| self.see(change, &locals)).collect();
        for local in &locals {
            let Some(id) = &local.id else { continue };
            let mut concern = Concern::None;
            let mut reason = self.everything.filter(|_| !seeded(id)).map(str::to_owned);
            if reason.is_none() {
                for change in &changes {
                    match self.concern(change, local) {
                        Concern::None => continue,
                        Concern::Declared => concern = Concern::Declared,
                        Concern::Undeclared => {
                            reason = Some(change.change.path.display().to_string());
                            break;
                        }
                    }
                }
            }
            for variable in self.variables.iter().filter(|_| !local.external) {
                let claimed = locals.iter().any(|other| other.variables.contains(variable));
                if local.variables.contains(variable) {
                    concern = Concern::Declared;
                } else if (!claimed || local.watches_package) && reason.is_none() {
                    reason = Some(format!("${variable}"));
                }
            }
            if reason.is_some() || concern != Concern::None || local.unreadable {
                units.forget(id, local.kind)?;
                forgotten.units += 1;
            }
            if let Some(reason) = reason {
                forgotten.undeclared.entry(id.package().to_owned()).or_insert(reason);
            }
        }
        Ok(forgotten)
    }

    /// Reads what a unit declared; `None` for external units and those that cargo has no fingerprint of.
    fn local(&self, units: &Units, unit: &UnitId) -> Result<Option<Local>, StepError> {
        let Some(kind) = units.kind(unit)? else { return Ok(None) };
        let mut local = Local { id: Some(unit.clone()), kind: Some(kind), ..Local::default() };
        let folders = self.packages.folders_of(unit.package());
        if kind == UnitKind::RunScript {
            if folders.is_empty() && self.everything.is_none() {
                return Ok(None);
            }
            let output = units.script_output(unit).and_then(|path| fs::read(path).ok());
            local.unreadable = output.is_none();
            let text = String::from_utf8_lossy(&output.unwrap_or_default()).into_owned();
            local.variables.extend(rerun_if_env_changed(&text).map(str::to_owned));
            for path in rerun_if_changed(&text) {
                for folder in &folders {
                    local.files.extend(self.relative(&self.mirror.join(folder).join(path)));
                }
            }
            local.watches_package =
                !text.lines().any(|line| line.starts_with("cargo:rerun-if-") || line.starts_with("cargo::rerun-if-"));
            local.folder = folders.first().map(|folder| (*folder).to_owned());
            return Ok(Some(local));
        }
        let path = units.dependency_file(unit)?;
        let Some(text) = path.and_then(|path| fs::read(path).ok()) else {
            local.unreadable = true;
            local.folder = folders.first().map(|folder| (*folder).to_owned());
            return Ok(Some(local));
        };
        let declared = dependency_file(&String::from_utf8_lossy(&text));
        let first = declared.files.first().map(PathBuf::from).unwrap_or_default();
        if first.is_absolute() && first.starts_with(self.cargo_home) && self.everything.is_none() {
            return Ok(None);
        }
        for file in &declared.files {
            // Relative paths are relative to the workspace's root, which may lie above the folder that was given.
            for base in self.workspace.ancestors() {
                local.files.extend(self.relative(&self.mirror.join(base).join(file)));
            }
        }
        let own = self.relative(&self.mirror.join(self.workspace).join(&first));
        local.external = own.iter().any(|path| self.is_vendored(path));
        let owner = own.last().and_then(|path| self.packages.owner(path));
        local.folder = match folders.as_slice() {
            [folder] => Some((*folder).to_owned()),
            _ => owner.map(Path::to_owned),
        };
        local.variables.extend(declared.variables);
        Ok(Some(local))
    }

    /// A declared path below the mirror: as written, and where links lead. Nothing for paths elsewhere.
    fn relative(&self, path: &Path) -> Vec<PathBuf> {
        let normal = normalized(path);
        let mut found: Vec<PathBuf> = normal.strip_prefix(self.mirror).ok().map(Path::to_owned).into_iter().collect();
        if self.links
            && let (Ok(real), Ok(mirror)) = (fs::canonicalize(path), fs::canonicalize(self.mirror))
            && let Ok(real) = real.strip_prefix(mirror)
        {
            found.push(real.to_owned());
        }
        found
    }

    /// What is known about a change, apart from the unit.
    fn see<'a>(&'a self, change: &'a Change, locals: &[Local]) -> Seen<'a> {
        let path = &change.path;
        let owner = self.packages.owner(path);
        let by_script =
            |local: &Local| local.kind == Some(UnitKind::RunScript) && path.ancestors().any(|above| local.files.contains(above));
        let claimed_by = |local: &Local| local.files.contains(path) || by_script(local);
        let of_owner = |local: &&Local| local.folder.as_deref() == owner;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Seen {
            change,
            owner,
            shared: owner.is_none_or(|owner| self.packages.contains_others(owner)),
            claimed_in_owner: locals.iter().filter(of_owner).any(claimed_by),
            claimed_by_script: locals.iter().filter(of_owner).any(by_script),
            claimed: locals.iter().any(|local| local.files.contains(path) || by_script(local) && !self.is_broad(path, local)),
            rust: path.extension().is_some_and(|extension| extension == "rs"),
            kind: match name {
                "Cargo.lock" => PathKind::Lock,
                "Cargo.toml" => PathKind::Manifest,
                "sqlx-data.json" => PathKind::QueryData,
                _ if path.iter().any(|part| part == ".sqlx") => PathKind::QueryData,
                _ if self.harmless(path) => PathKind::Harmless,
                _ => PathKind::Other,
            },
        }
    }

    /// Whether a script watches the path only because it watches a folder with packages in it.
    fn is_broad(&self, path: &Path, local: &Local) -> bool {
        path.ancestors().filter(|above| local.files.contains(*above)).all(|above| self.packages.any_below(above))
    }

    /// Files that tell nothing: git's bookkeeping, and vendored packages, which cargo checks by itself.
    fn harmless(&self, path: &Path) -> bool {
        let mut parts = path.iter().skip_while(|part| *part != ".git");
        if parts.next().is_some() {
            let next = parts.next().and_then(|part| part.to_str()).unwrap_or_default();
            return !matches!(next, "HEAD" | "refs" | "packed-refs");
        }
        self.is_vendored(path)
    }

    fn is_vendored(&self, path: &Path) -> bool {
        path.ancestors().any(|folder| self.packages.is_vendored(folder))
    }

    fn concern(&self, seen: &Seen<'_>, local: &Local) -> Concern {
        let path = &seen.change.path;
        if local.external {
            return if local.files.contains(path) { Concern::Declared } else { Concern::None };
        }
        let Some(folder) = local.folder.as_deref() else { return Concern::Undeclared };
        let runs = local.kind == Some(UnitKind::RunScript);
        if local.files.contains(path) {
            return Concern::Declared;
        }
        // A script may watch a folder; a file may have become a folder.
        if runs && local.files.iter().any(|file| path.starts_with(file) || file.starts_with(path)) {
            return Concern::Declared;
        }
        let own = seen.owner == Some(folder);
        if local.watches_package && path.starts_with(folder) {
            return Concern::Declared;
        }
        if seen.change.kind == ChangeKind::Drifted && (own || seen.owner.is_none()) {
            return Concern::Undeclared;
        }
        match seen.kind {
            PathKind::Harmless => return Concern::None,
            // cargo reads these itself; only a script that declares nothing may look at them too.
            PathKind::Lock => return if local.watches_package { Concern::Undeclared } else { Concern::None },
            PathKind::Manifest if own && self.packages.changed_silently(path) => return Concern::Undeclared,
            PathKind::Manifest => {
                let above = path.parent().is_some_and(|parent| folder.starts_with(parent));
                if runs && above && self.packages.describes_otherwise(path) {
                    return Concern::Declared;
                }
                return if local.watches_package && above { Concern::Undeclared } else { Concern::None };
            }
            PathKind::QueryData if !runs && (own && !seen.shared || self.packages.uses_sqlx(folder)) => {
                return Concern::Undeclared;
            }
            PathKind::QueryData => return Concern::None,
            PathKind::Other => {}
        }
        if own {
            return match (seen.claimed_in_owner, seen.rust, local.kind) {
                (false, _, _) => Concern::Undeclared,
                // The script runs again, and all that depends on it is compiled.
                (true, false, Some(UnitKind::Compile)) if seen.claimed_by_script => Concern::Declared,
                (true, false, Some(UnitKind::Compile)) => Concern::Undeclared,
                _ => Concern::None,
            };
        }
        if seen.shared && seen.owner.is_none_or(|owner| folder.starts_with(owner)) && !seen.claimed {
            return Concern::Undeclared;
        }
        if (!seen.rust || !seen.claimed) && self.is_beside(path, local, folder) {
            return Concern::Undeclared;
        }
        Concern::None
    }

    /// Whether the unit declared a file in a folder above the path that is not its own package's.
    fn is_beside(&self, path: &Path, local: &Local, folder: &Path) -> bool {
        local.files.iter().filter_map(|file| file.parent()).any(|parent| {
            path.starts_with(parent)
                && !folder.starts_with(parent)
                && !parent.starts_with(folder)
                && !self.packages.is_package(parent)
        })
    }
}

/// A change with what is known about it.
#[derive(Debug)]
struct Seen<'a> {
    change: &'a Change,
    /// Folder of the package that it lies in.
    owner: Option<&'a Path>,
    /// It lies outside every package, or in one that contains others.
    shared: bool,
    /// A unit of that package declared it.
    claimed_in_owner: bool,
    /// The build script of that package declared it.
    claimed_by_script: bool,
    /// Any local unit declared it.
    claimed: bool,
    rust: bool,
    kind: PathKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathKind {
    Lock,
    Manifest,
    QueryData,
    Harmless,
    Other,
}

#[cfg(test)]
mod tests;
