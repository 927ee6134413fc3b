//! cargo's target directory as units: which exist, which files each has, how one is forgotten.
//!
//! Both layouts are known: the classic one (`<profile>/{.fingerprint,deps,build}`, one hash in all names of a unit) and the
//! one folder per unit (`<profile>/build/<package>/<hash>/`). A unit is named by its folder: the hash in it is the one in the
//! names of its output files, so cargo's messages lead to it exactly.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::linkages::Linkages;
use super::step::{At as _, StepError, remove};

/// Where a fingerprint is on its way out, in the profile's folder.
const FORGOTTEN: &str = ".kiln-forgotten";

/// A unit of a target directory: `release/.fingerprint/itoa-93bee6d51e4296ed` is `release` and `itoa-93bee6d51e4296ed`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UnitId {
    /// The profile's folder, below the target triple if there is one.
    pub(super) root: String,
    /// `<package>-<hash>`, or `<package>/<hash>` in the layout of one folder per unit.
    pub(super) name: String,
}

impl UnitId {
    /// The package's name.
    #[must_use]
    pub(super) fn package(&self) -> &str {
        self.name.len().checked_sub(17).map_or(&self.name, |end| &self.name[..end])
    }

    /// Whether the unit has a folder of its own.
    #[must_use]
    pub(super) fn own_folder(&self) -> bool {
        self.name.contains('/')
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.root, self.name)
    }
}

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitKind {
    /// Compiles a library, program or procedural macro.
    Compile,
    /// Compiles a build script.
    CompileScript,
    /// Runs a build script.
    RunScript,
}

/// The units of a target directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Units {
    target: PathBuf,
    by_hash: HashMap<(String, String), UnitId>,
    outputs: HashMap<(String, String), Vec<PathBuf>>,
}

impl Units {
    /// Lists what is there. A folder that does not exist has no units.
    ///
    /// # Errors
    /// [`StepError::Io`], when a folder cannot be read.
    pub(super) fn scan(target: &Path) -> Result<Self, StepError> {
        let mut units = Self { target: target.to_owned(), ..Self::default() };
        for first in folders(target)? {
            units.scan_root(&first)?;
            for second in folders(&target.join(&first))? {
                if !matches!(second.as_str(), ".fingerprint" | "build" | "deps" | "incremental" | "examples") {
                    units.scan_root(&format!("{first}/{second}"))?;
                }
            }
        }
        Ok(units)
    }

    fn scan_root(&mut self, root: &str) -> Result<(), StepError> {
        let folder = self.target.join(root);
        let mut add = |hash: &str, name: String| {
            let id = UnitId { root: root.to_owned(), name };
            self.by_hash.insert((root.to_owned(), hash.to_owned()), id);
        };
        // A unit that was interrupted has outputs but no fingerprint yet, so both places are looked at.
        for place in [".fingerprint", "build"] {
            for name in folders(&folder.join(place))? {
                if let Some(hash) = hash_in(&name) {
                    add(hash, name.clone());
                } else if place == "build" {
                    for hash in folders(&folder.join("build").join(&name))? {
                        if is_hash(&hash) {
                            add(&hash, format!("{name}/{hash}"));
                        }
                    }
                }
            }
        }
        let deps = folder.join("deps");
        for path in entries(&deps)? {
            let Some(hash) = path.file_name().and_then(|name| name.to_str()).and_then(hash_in) else { continue };
            self.outputs.entry((root.to_owned(), hash.to_owned())).or_default().push(path.clone());
        }
        Ok(())
    }

    /// The units, sorted.
    #[must_use]
    pub(super) fn all(&self) -> Vec<&UnitId> {
        let mut all: Vec<&UnitId> = self.by_hash.values().collect();
        all.sort();
        all
    }

    /// The folders of profiles that have units, sorted.
    #[must_use]
    pub(super) fn roots(&self) -> BTreeSet<String> {
        self.by_hash.keys().map(|(root, _)| root.clone()).collect()
    }

    /// Whether the unit is there, whole or not.
    #[must_use]
    pub(super) fn contains(&self, unit: &UnitId) -> bool {
        let hash = &unit.name[unit.name.len().saturating_sub(16)..];
        self.by_hash.get(&(unit.root.clone(), hash.to_owned())) == Some(unit)
    }

    /// The unit that made a file which cargo reported (an output, or an `OUT_DIR`); `None` if it names no unit, as programs in
    /// the profile's own folder do.
    #[must_use]
    pub(super) fn of_file(&self, file: &Path) -> Option<&UnitId> {
        let relative = file.strip_prefix(&self.target).ok()?;
        let parts: Vec<&str> = relative.iter().filter_map(|part| part.to_str()).collect();
        let place = parts.iter().position(|part| matches!(*part, "deps" | "build"))?;
        let root = parts[..place].join("/");
        let rest = &parts[place + 1..];
        let hash = match (parts[place], rest) {
            ("build", [_, hash, ..]) if is_hash(hash) => Some(*hash),
            (_, [name, ..]) => hash_in(name),
            _ => None,
        }?;
        self.by_hash.get(&(root, hash.to_owned()))
    }

    /// The folder with the unit's fingerprint.
    #[must_use]
    pub(super) fn fingerprint(&self, unit: &UnitId) -> PathBuf {
        let root = self.target.join(&unit.root);
        if unit.own_folder() {
            root.join("build").join(&unit.name).join("fingerprint")
        } else {
            root.join(".fingerprint").join(&unit.name)
        }
    }

    /// The unit's `OUT_DIR`, if it runs a build script.
    #[must_use]
    pub(super) fn out_dir(&self, unit: &UnitId) -> PathBuf {
        self.target.join(&unit.root).join("build").join(&unit.name).join("out")
    }

    /// What the unit does, if it has a fingerprint.
    ///
    /// # Errors
    /// [`StepError::Io`], when its folder cannot be read.
    pub(super) fn kind(&self, unit: &UnitId) -> Result<Option<UnitKind>, StepError> {
        let mut kind = None;
        for path in entries(&self.fingerprint(unit))? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with("run-build-script-") {
                return Ok(Some(UnitKind::RunScript));
            }
            if name.starts_with("build-script-") {
                return Ok(Some(UnitKind::CompileScript));
            }
            kind = Some(UnitKind::Compile);
        }
        Ok(kind)
    }

    /// The unit's files and folders of their own, as paths below the target directory: all that makes it.
    #[must_use]
    pub(super) fn places(&self, unit: &UnitId) -> Vec<PathBuf> {
        let root = Path::new(&unit.root);
        if unit.own_folder() {
            return vec![root.join("build").join(&unit.name)];
        }
        let mut places = self.outputs_of(unit);
        for folder in ["build", ".fingerprint"] {
            let place = root.join(folder).join(&unit.name);
            if self.target.join(&place).exists() {
                places.push(place);
            }
        }
        places
    }

    fn outputs_of(&self, unit: &UnitId) -> Vec<PathBuf> {
        let hash = hash_in(&unit.name).unwrap_or_default();
        let outputs = self.outputs.get(&(unit.root.clone(), hash.to_owned()));
        let mut outputs: Vec<PathBuf> = outputs
            .into_iter()
            .flatten()
            // Objects and notes that an interrupted or failed rustc left behind are no outputs.
            .filter(|path| !path.extension().is_some_and(|extension| extension == "o" || extension == "txt"))
            .filter_map(|path| path.strip_prefix(&self.target).ok().map(Path::to_owned))
            .collect();
        outputs.sort();
        outputs
    }

    /// rustc's dependency file of the unit, if it has one.
    ///
    /// # Errors
    /// [`StepError::Io`], when its folder cannot be read.
    pub(super) fn dependency_file(&self, unit: &UnitId) -> Result<Option<PathBuf>, StepError> {
        let is_dependency_file = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "d");
        if !unit.own_folder() {
            if let Some(path) = self.outputs_of(unit).into_iter().find(is_dependency_file) {
                return Ok(Some(self.target.join(path)));
            }
            if let Some(path) = self.unhashed_dependency_file(unit)? {
                return Ok(Some(path));
            }
        }
        let folder = self.target.join(&unit.root).join("build").join(&unit.name);
        let folder = if unit.own_folder() { folder.join("out") } else { folder };
        Ok(entries(&folder)?.into_iter().find(is_dependency_file))
    }

    /// The same for a local library that is also a dynamic one: the names of its outputs have no hash.
    fn unhashed_dependency_file(&self, unit: &UnitId) -> Result<Option<PathBuf>, StepError> {
        let deps = self.target.join(&unit.root).join("deps");
        let names = entries(&self.fingerprint(unit))?;
        let targets = names.iter().filter_map(|path| path.file_name()?.to_str()?.strip_prefix("dep-lib-"));
        let mut paths = targets.map(|target| deps.join(target.replace('-', "_") + ".d"));
        Ok(paths.find(|path| path.is_file()))
    }

    /// Empties the `OUT_DIR` of work that was begun and did not end well: cargo does it again, and a build script that looks at
    /// what an earlier run left would see what no clean build has.
    ///
    /// # Errors
    /// [`StepError::Io`], when something cannot be removed.
    pub(super) fn empty_unfinished(&self, linkages: &Linkages, of: &dyn Fn(&UnitId) -> bool) -> Result<(), StepError> {
        linkages.unfinished().filter(|unit| of(unit)).try_for_each(|unit| remove(&self.out_dir(unit)))
    }

    /// The compiled build scripts of a package, whatever they are called.
    ///
    /// # Errors
    /// [`StepError::Io`], when a folder cannot be read.
    pub(super) fn script_programs(&self, package: &str) -> Result<Vec<PathBuf>, StepError> {
        let mut programs = Vec::new();
        for unit in self.all().into_iter().filter(|unit| unit.package() == package) {
            if self.kind(unit)? != Some(UnitKind::CompileScript) {
                continue;
            }
            let folder = self.target.join(&unit.root).join("build").join(&unit.name);
            let folder = if unit.own_folder() { folder.join("out") } else { folder };
            programs.extend(entries(&folder)?.into_iter().filter(|path| path.extension().is_none() && path.is_file()));
        }
        Ok(programs)
    }

    /// What the unit's build script printed, if it has run.
    #[must_use]
    pub(super) fn script_output(&self, unit: &UnitId) -> Option<PathBuf> {
        let folder = self.target.join(&unit.root).join("build").join(&unit.name);
        ["output", "run/stdout", "run/output"].iter().map(|name| folder.join(name)).find(|path| path.is_file())
    }

    /// Makes cargo do the unit's work again. A build script also starts with an empty `OUT_DIR`, as in a clean build.
    ///
    /// # Errors
    /// [`StepError::Io`], when something cannot be removed.
    pub(super) fn forget(&self, unit: &UnitId, kind: Option<UnitKind>) -> Result<(), StepError> {
        // In one go: of half a fingerprint nobody could tell what depends on it.
        let (fingerprint, gone) = (self.fingerprint(unit), self.target.join(&unit.root).join(FORGOTTEN));
        remove(&gone)?;
        match fs::rename(&fingerprint, &gone) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StepError::io("remove", &fingerprint, error));
            }
            _ => remove(&gone)?,
        }
        if kind == Some(UnitKind::RunScript) {
            remove(&self.out_dir(unit))?;
        }
        Ok(())
    }

    /// Removes the unit: its fingerprint first, so that an interruption leaves nothing that looks whole.
    ///
    /// # Errors
    /// [`StepError::Io`], when something cannot be removed.
    pub(super) fn remove(&self, unit: &UnitId) -> Result<(), StepError> {
        remove(&self.fingerprint(unit))?;
        for place in self.places(unit) {
            remove(&self.target.join(place))?;
        }
        Ok(())
    }

    /// Bytes of the unit's files.
    ///
    /// # Errors
    /// [`StepError::Io`], when something cannot be read.
    pub(super) fn size(&self, unit: &UnitId) -> Result<u64, StepError> {
        let mut size = 0;
        for place in self.places(unit) {
            for (_, metadata) in tree(&self.target.join(place))? {
                size += metadata.len();
            }
        }
        Ok(size)
    }
}

/// A path and everything below it, with metadata, sorted; symlinks are not followed.
pub(super) fn tree(path: &Path) -> Result<BTreeMap<PathBuf, fs::Metadata>, StepError> {
    let mut found = BTreeMap::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).at("read", &path)?;
        if metadata.is_dir() {
            pending.extend(entries(&path)?);
        }
        found.insert(path, metadata);
    }
    Ok(found)
}

/// Paths in a folder, unsorted; none if it does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StepError> {
    match fs::read_dir(folder) {
        Ok(reader) => reader.map(|entry| Ok(entry.at("read", folder)?.path())).collect(),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(StepError::io("read", folder, error)),
    }
}

fn folders(folder: &Path) -> Result<Vec<String>, StepError> {
    let names = entries(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(names.filter_map(|path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned)).collect())
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The hash in `name-<hash>`, `libname-<hash>.rlib`, `name-<hash>.long-type-1.txt`.
fn hash_in(name: &str) -> Option<&str> {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let (_, hash) = stem.rsplit_once('-')?;
    is_hash(hash).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    #[test]
    fn hashes_are_found_in_all_names() {
        let hash = "0123456789abcdef";
        for name in ["itoa-HASH", "libitoa-HASH.rlib", "a-b-HASH.d", "x-HASH.x.1234-cgu.0.rcgu.o", "x-HASH.long-type-1.txt"] {
            assert_eq!(hash_in(&name.replace("HASH", hash)), Some(hash), "{name}");
        }
        assert_eq!(hash_in("build-script-build"), None);
        assert_eq!(hash_in("libfoo.so"), None);
    }

    #[test]
    fn units_of_both_layouts_are_found_from_the_files_that_cargo_names() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path();
        let (a, b, c) = ("00000000000000aa", "00000000000000bb", "00000000000000cc");
        for file in [
            format!("release/.fingerprint/a-{a}/lib-a"),
            format!("release/deps/liba-{a}.rlib"),
            format!("release/deps/a-{a}.d"),
            format!("x86_64-unknown-linux-gnu/release/.fingerprint/b-{b}/run-build-script-build-script-build"),
            format!("x86_64-unknown-linux-gnu/release/build/b-{b}/output"),
            format!("x86_64-unknown-linux-gnu/release/build/b-{b}/out/gen.rs"),
            format!("debug/build/c-d/{c}/fingerprint/lib-c"),
            format!("debug/build/c-d/{c}/out/libc-{c}.rlib"),
            format!("debug/build/c-d/{c}/out/c-{c}.d"),
        ] {
            touch(&target.join(file));
        }
        let units = Units::scan(target).unwrap();
        let id = |root: &str, name: String| UnitId { root: root.to_owned(), name };
        let (ua, ub, uc) = (
            id("release", format!("a-{a}")),
            id("x86_64-unknown-linux-gnu/release", format!("b-{b}")),
            id("debug", format!("c-d/{c}")),
        );
        assert_eq!(units.all(), [&uc, &ua, &ub]);
        assert_eq!(units.of_file(&target.join(format!("release/deps/liba-{a}.rlib"))), Some(&ua));
        assert_eq!(units.of_file(&target.join(format!("x86_64-unknown-linux-gnu/release/build/b-{b}/out"))), Some(&ub));
        assert_eq!(units.of_file(&target.join(format!("debug/build/c-d/{c}/out/libc-{c}.rlib"))), Some(&uc));
        assert_eq!(units.of_file(&target.join("release/a")), None);
        assert_eq!((ua.package(), uc.package()), ("a", "c-d"));
        assert_eq!(units.kind(&ua).unwrap(), Some(UnitKind::Compile));
        assert_eq!(units.kind(&ub).unwrap(), Some(UnitKind::RunScript));
        assert_eq!(units.dependency_file(&ua).unwrap(), Some(target.join(format!("release/deps/a-{a}.d"))));
        assert_eq!(units.dependency_file(&uc).unwrap(), Some(target.join(format!("debug/build/c-d/{c}/out/c-{c}.d"))));
        assert!(units.size(&ua).unwrap() > 0);
        units.remove(&ua).unwrap();
        assert!(!target.join(format!("release/deps/liba-{a}.rlib")).exists());
        assert!(!Units::scan(target).unwrap().contains(&ua));
    }
}
