//! What keeps a persisted target directory from serving a stale unit.
//!
//! Takes the changes of a mirror and cargo's own records of what each local unit declared to read; makes cargo forget every unit
//! that may have read something that changed. cargo's own check by time comes on top of that.
//!
//! A change concerns a unit if
//! - the unit declared the file (dependency file of rustc, `rerun-if-changed` of its build script);
//! - it lies in the unit's package and nothing in that package declared it: a macro or script may have read it silently. Other files
//!   than Rust sources also concern the package's library, programs and script if they did not declare them;
//! - it lies outside every package, or in one that contains others, and nothing declared it: then it concerns all packages;
//! - it lies beside a file that the unit declared: the unit may list the folder;
//! - it is the lock, and the unit runs a build script that can read it; or any other file than a Rust source, and the script
//!   declares nothing;
//! - it is SQLx query data and the package depends on SQLx;
//! - the build itself wrote into the source of the package.
//!
//! A path behind a symbolic link counts under each of its names. With a unit goes all that was compiled with it: a script that
//! cargo will run again starts with an empty `OUT_DIR`, also one that was killed, and no time has to tell cargo which units are
//! older than their dependencies. So units that survive were compiled from exactly the inputs that the mirror has now, whatever
//! the times say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::inputs::{dependency_file, normalized, rerun_if_changed, rerun_if_env_changed};
use super::links::Links;
use super::mirror::{Change, ChangeKind};
use super::packages::Packages;
use super::script::may_read_the_lock;
use super::step::{StepError, parallel};
use super::target::{UnitId, UnitKind, Units};

const LOCK: &str = "Cargo.lock";

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
    /// The symbolic links of the source, as they were and as they are.
    pub(super) links: &'a Links,
    /// Whether the last build was killed: what it was doing then may be half done.
    pub(super) killed: bool,
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
    /// The package's folder; none when it is not known, several when packages of one name cannot be told apart.
    folders: Vec<PathBuf>,
    files: BTreeSet<PathBuf>,
    variables: BTreeSet<String>,
    /// A build script that declares nothing: cargo runs it again whenever anything in the package changes.
    watches_package: bool,
    /// A build script that cannot read the lock: no name of it, no list of a folder, no other program.
    blind_to_lock: bool,
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
        if self.changes.is_empty() && self.variables.is_empty() && self.everything.is_none() && !self.killed {
            return Ok(forgotten);
        }
        let units = Units::scan(self.target)?;
        let linkages = units.linkages()?;
        units.empty_unfinished(&linkages, &|unit| !seeded(unit))?;
        // Seeded units can only have read sources that never change, unless vendored ones were edited by hand.
        let edited = self.changes.iter().any(|change| self.is_vendored(&change.path));
        let candidates: Vec<&UnitId> = units.all().into_iter().filter(|unit| edited || !seeded(unit)).collect();
        let locals = parallel(&candidates, |unit| self.local(&units, unit))?;
        let locals: Vec<Local> = locals.into_iter().flatten().collect();
        let named = self.under_all_names();
        let changes: Vec<Seen<'_>> = named.iter().map(|change| self.see(change, &locals)).collect();
        let mut stale = Vec::new();
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
                stale.push(id.clone());
            }
            if let Some(reason) = reason {
                forgotten.undeclared.entry(id.package().to_owned()).or_insert(reason);
            }
        }
        let looked_at: BTreeSet<&UnitId> = locals.iter().filter_map(|local| local.id.as_ref()).collect();
        stale.extend(linkages.doubtful().filter(|unit| looked_at.contains(unit)).cloned());
        // The furthest dependents first: what a kill leaves over is then still found from the units that changed.
        for id in linkages.with_dependents(stale).iter().rev() {
            units.forget(id, units.kind(id)?)?;
            forgotten.units += 1;
        }
        Ok(forgotten)
    }

    /// The changes, each under all names that links give it.
    fn under_all_names(&self) -> Vec<Change> {
        let mut named = self.changes.to_vec();
        for change in self.changes {
            named.extend(self.links.names(&change.path).into_iter().map(|path| Change { path, kind: change.kind }));
        }
        named.sort();
        named.dedup();
        named
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
            if self.changes.iter().any(|change| change.path.file_name().is_some_and(|name| name == LOCK)) {
                let programs = units.script_programs(unit.package())?;
                local.blind_to_lock = !programs.is_empty() && !programs.iter().any(|program| may_read_the_lock(program));
            }
            local.folders = folders.into_iter().map(Path::to_owned).collect();
            return Ok(Some(local));
        }
        let path = units.dependency_file(unit)?;
        let Some(text) = path.and_then(|path| fs::read(path).ok()) else {
            local.unreadable = true;
            local.folders = folders.into_iter().map(Path::to_owned).collect();
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
        local.folders = match (folders.as_slice(), owner) {
            ([folder], _) => vec![(*folder).to_owned()],
            (_, Some(owner)) => vec![owner.to_owned()],
            (several, None) => several.iter().map(|folder| (*folder).to_owned()).collect(),
        };
        local.variables.extend(declared.variables);
        Ok(Some(local))
    }

    /// A declared path below the mirror: as written, and where links lead. Nothing for paths elsewhere.
    fn relative(&self, path: &Path) -> Vec<PathBuf> {
        let normal = normalized(path);
        let mut found: Vec<PathBuf> = normal.strip_prefix(self.mirror).ok().map(Path::to_owned).into_iter().collect();
        if !self.links.is_empty()
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
        // What looks like a package and is none of this workspace's may be data of the package around it.
        let around = owner.filter(|owner| !self.packages.is_locked(owner)).and_then(|owner| self.packages.locked_around(owner));
        let owners: Vec<&Path> = owner.into_iter().chain(around).collect();
        let by_script = |local: &Local| local.kind == Some(UnitKind::RunScript) && is_at_or_below(path, &local.files);
        let claimed_by = |local: &Local| local.files.contains(path) || by_script(local);
        let of_owner = |local: &&Local| local.folders.iter().any(|folder| owners.contains(&folder.as_path()));
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Seen {
            change,
            shared: owner.is_none_or(|owner| self.packages.contains_others(owner)),
            claimed_in_owner: locals.iter().filter(of_owner).any(claimed_by),
            claimed_by_script: locals.iter().filter(of_owner).any(by_script),
            claimed: locals.iter().any(|local| local.files.contains(path) || by_script(local) && !self.is_broad(path, local)),
            has_script: locals.iter().filter(of_owner).any(|local| local.kind == Some(UnitKind::RunScript)),
            rust: path.extension().is_some_and(|extension| extension == "rs"),
            kind: match name {
                LOCK => PathKind::Lock,
                "Cargo.toml" if around.is_none() => PathKind::Manifest,
                "sqlx-data.json" => PathKind::QueryData,
                _ if path.iter().any(|part| part == ".sqlx") => PathKind::QueryData,
                _ if self.harmless(path) => PathKind::Harmless,
                _ => PathKind::Other,
            },
            owners,
        }
    }

    /// Whether a script watches the path only because it watches a folder with packages in it.
    fn is_broad(&self, path: &Path, local: &Local) -> bool {
        path.ancestors().filter(|above| local.files.contains(*above)).all(|above| self.packages.any_below(above))
    }

    /// Files that tell nothing: git's bookkeeping, and vendored packages, which cargo checks by itself.
    fn harmless(&self, path: &Path) -> bool {
        let mut parts = path.iter().skip_while(|part| *part != ".git").filter_map(|part| part.to_str()).skip(1).peekable();
        if !path.iter().any(|part| part == ".git") {
            return self.is_vendored(path);
        }
        let tells = |part: &str| matches!(part, "HEAD" | "refs" | "packed-refs");
        match parts.next() {
            // A submodule's own repository.
            Some("modules") => !parts.take_while(|part| *part != "logs").any(tells),
            Some(part) => !tells(part),
            None => true,
        }
    }

    fn is_vendored(&self, path: &Path) -> bool {
        path.ancestors().any(|folder| self.packages.is_vendored(folder))
    }

    fn concern(&self, seen: &Seen<'_>, local: &Local) -> Concern {
        let path = &seen.change.path;
        if local.external {
            return if local.files.contains(path) { Concern::Declared } else { Concern::None };
        }
        if local.folders.is_empty() {
            return Concern::Undeclared;
        }
        let within = |outer: &Path| local.folders.iter().any(|folder| folder.starts_with(outer));
        let runs = local.kind == Some(UnitKind::RunScript);
        // A file may have become a folder, or a link on the way to it may lead elsewhere.
        if local.files.contains(path) || is_above_one(path, &local.files) {
            return Concern::Declared;
        }
        // A script may watch a folder.
        if runs && is_at_or_below(path, &local.files) {
            return Concern::Declared;
        }
        let own = local.folders.iter().any(|folder| seen.owners.contains(&folder.as_path()));
        if local.watches_package && local.folders.iter().any(|folder| path.starts_with(folder)) {
            return Concern::Declared;
        }
        // Who wrote it is not known: a script of the package, if it has one, or any.
        if seen.change.kind == ChangeKind::Drifted
            && seen.kind != PathKind::Harmless
            && (own || seen.owners.is_empty() || runs && !seen.has_script)
        {
            return Concern::Undeclared;
        }
        match seen.kind {
            PathKind::Harmless => return Concern::None,
            // cargo reads these itself; a script may look at them, too.
            PathKind::Lock if runs && !local.blind_to_lock && path.parent().is_some_and(within) => return Concern::Undeclared,
            PathKind::Lock => return Concern::None,
            PathKind::Manifest => {
                let above = path.parent().is_some_and(within);
                return if above && (self.packages.changed_silently(path) || local.watches_package) {
                    Concern::Undeclared
                } else if above && self.packages.describes_otherwise(path) {
                    Concern::Declared
                } else {
                    Concern::None
                };
            }
            PathKind::QueryData => {
                let uses = local.folders.iter().any(|folder| self.packages.uses_sqlx(folder));
                return if !runs && (own && !seen.shared || uses) { Concern::Undeclared } else { Concern::None };
            }
            PathKind::Other => {}
        }
        if own {
            return match (seen.claimed_in_owner, seen.rust, local.kind) {
                (false, _, _) => Concern::Undeclared,
                // The script runs again, and all that depends on it is compiled.
                (true, false, Some(UnitKind::Compile)) if seen.claimed_by_script => Concern::Declared,
                (true, false, Some(UnitKind::Compile | UnitKind::RunScript)) => Concern::Undeclared,
                _ => Concern::None,
            };
        }
        if seen.shared && seen.owners.first().is_none_or(|owner| within(owner)) && !seen.claimed {
            return Concern::Undeclared;
        }
        // A script that declares nothing says nothing about other packages' files either.
        if local.watches_package && !seen.rust {
            return Concern::Undeclared;
        }
        if (!seen.rust || !seen.claimed) && local.folders.iter().any(|folder| self.is_beside(path, local, folder)) {
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

/// Whether a path or a folder above it is among the files.
fn is_at_or_below(path: &Path, files: &BTreeSet<PathBuf>) -> bool {
    path.ancestors().any(|above| files.contains(above))
}

/// Whether one of the files lies below a path.
fn is_above_one(path: &Path, files: &BTreeSet<PathBuf>) -> bool {
    // Paths are sorted by their parts: what lies below one follows it.
    files.range::<Path, _>((Bound::Included(path), Bound::Unbounded)).next().is_some_and(|file| file.starts_with(path))
}

/// A change with what is known about it.
#[derive(Debug)]
struct Seen<'a> {
    change: &'a Change,
    /// Folder of the package that it lies in, and of the one around that if it may only look like a package.
    owners: Vec<&'a Path>,
    /// It lies outside every package, or in one that contains others.
    shared: bool,
    /// A unit of that package declared it.
    claimed_in_owner: bool,
    /// The build script of that package declared it.
    claimed_by_script: bool,
    /// Any local unit declared it.
    claimed: bool,
    /// That package has a build script.
    has_script: bool,
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
