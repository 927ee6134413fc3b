//! Making the change of one round.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use semver::Version;

use super::files::{Snapshot, inside, read, replace};
use super::{Change, ChangeError, Choice, LockTool, cargo_files, rust_source, script};
use crate::bench::Scenario;
use crate::plan::join;
use crate::project::node::span_of;

impl Choice {
    /// Makes the change of round `round` (from 1) in the copy at `root`, and says which files differ now, relative to it.
    ///
    /// Each round builds on the one before and differs from all earlier ones, so that no cache of this run has seen it. Rounds are the
    /// same in each run: whoever measures keeps the caches of runs apart.
    ///
    /// # Errors
    /// A file that cannot be read or replaced or is not what it was, a tool that failed, or a round beyond
    /// [`max_rounds`](Self::max_rounds). Files are replaced whole, and after an error all are as they were.
    pub fn apply(&self, root: &Utf8Path, round: u32, tools: &dyn LockTool) -> Result<Vec<Utf8PathBuf>, ChangeError> {
        let rounds = self.max_rounds.unwrap_or(u32::MAX);
        if round == 0 || round > rounds {
            return Err(ChangeError::NoRound { scenario: self.scenario, round, rounds });
        }
        let before = Snapshot::take(root, &self.files())?;
        match apply(&self.change, root, &Round::new(self.scenario, round), tools) {
            Ok(()) => before.changed(),
            Err(error) => {
                // The first error tells more than one of putting back.
                let _ = before.restore();
                Err(error)
            }
        }
    }

    /// The files that [`apply`](Self::apply) may change, relative to the root.
    #[must_use]
    pub fn files(&self) -> Vec<Utf8PathBuf> {
        let mut files = BTreeSet::new();
        collect(&self.change, &mut files);
        files.into_iter().collect()
    }
}

fn collect(change: &Change, files: &mut BTreeSet<Utf8PathBuf>) {
    match change {
        Change::None => {}
        Change::RustMain { path }
        | Change::RustLibrary { path, .. }
        | Change::RustComment { path }
        | Change::Text { path }
        | Change::Script { path } => {
            files.insert(path.clone());
        }
        Change::CargoVersion { manifest, lock, .. } | Change::CargoAdd { manifest, lock, .. } => {
            files.extend([manifest.clone(), lock.clone()]);
        }
        Change::CargoMove { workspace, .. } => {
            files.insert(lock_of(workspace));
        }
        Change::NpmVersion { manifest, lock, .. } => {
            files.insert(manifest.clone());
            files.extend(lock.clone());
        }
        Change::NpmMove { directory, lock, member, .. } => {
            let folder = member.as_ref().map_or_else(|| directory.clone(), |member| join(directory, member));
            files.extend([lock.clone(), join(&folder, Utf8Path::new("package.json"))]);
        }
        Change::Branch { changes } => changes.iter().for_each(|change| collect(change, files)),
    }
}

fn lock_of(workspace: &Utf8Path) -> Utf8PathBuf {
    join(workspace, Utf8Path::new("Cargo.lock"))
}

/// A round of a scenario.
struct Round {
    number: u32,
    /// What is written into sources: no other scenario writes the same, or a cache of that one would know it.
    mark: String,
}

impl Round {
    fn new(scenario: Scenario, number: u32) -> Self {
        Self { number, mark: format!("{}:{number}", scenario.name()) }
    }

    fn index(&self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX)
    }
}

fn apply(change: &Change, root: &Utf8Path, round: &Round, tools: &dyn LockTool) -> Result<(), ChangeError> {
    let edit = |path: &Utf8Path, edited: &dyn Fn(&str) -> String| replace(root, path, edited(&read(root, path)?).as_bytes());
    match change {
        Change::None => Ok(()),
        Change::RustMain { path } => edit(path, &|text| rust_source::in_main(text, &round.mark)),
        Change::RustLibrary { path, proc_macro } => edit(path, &|text| rust_source::in_library(text, &round.mark, *proc_macro)),
        Change::RustComment { path } => edit(path, &|text| rust_source::comment(text, &round.mark)),
        Change::Text { path } => edit(path, &|text| script::in_text(path, text, &round.mark)),
        Change::Script { path } => edit(path, &|text| script::in_script(path, text, &round.mark)),
        Change::CargoVersion { manifest, inherited, lock, packages, from } => {
            let version = next(from, manifest, round.number)?;
            let (text, before) = cargo_files::set_version(manifest, &read(root, manifest)?, *inherited, &version)?;
            let locked = cargo_files::set_locked_versions(&read(root, lock)?, packages, &before, &version);
            replace(root, manifest, text.as_bytes())?;
            replace(root, lock, locked.as_bytes())
        }
        Change::CargoAdd { manifest, lock, package, crates } => {
            let wanted = crates.get(round.index() - 1);
            let new = cargo_files::NEW_CRATES.into_iter().find(|new| wanted.is_some_and(|name| name == new.name));
            let missing = || unexpected(lock, format!("`{package}` without `{}`", wanted.map_or("", String::as_str)));
            let new = new.ok_or_else(missing)?;
            let locked = cargo_files::add_to_lock(&read(root, lock)?, package, new).ok_or_else(missing)?;
            let text = cargo_files::add_dependency(manifest, &read(root, manifest)?, new)?;
            replace(root, manifest, text.as_bytes())?;
            replace(root, lock, locked.as_bytes())
        }
        Change::CargoMove { workspace, package, versions } => {
            let path = lock_of(workspace);
            let text = read(root, &path)?;
            let locked = cargo_files::locked(&text);
            // Other scenarios may have moved it meanwhile: from wherever it is now.
            let here = versions.iter().find(|version| locked.contains(&(package, version)));
            let (Some(from), Some(to)) = (here, versions.get(round.index())) else {
                return Err(unexpected(&path, format!("`{package}` {}", versions.join(" or "))));
            };
            Ok(tools.move_crate(&inside(root, workspace)?, package, from, to)?)
        }
        Change::NpmVersion { manifest, lock, key, from } => {
            let version = next(from, manifest, round.number)?;
            let text = with_string(manifest, &read(root, manifest)?, &["version"], &version)?;
            if let Some(lock) = lock {
                let mut locked = read(root, lock)?;
                let mut places: Vec<&[&str]> = vec![&["version"]];
                let of_package = ["packages", key.as_str(), "version"];
                if !key.is_empty() {
                    places.clear();
                }
                places.push(&of_package);
                // npm leaves out what a manifest did not have when the lock was written.
                for keys in places.into_iter().filter(|keys| span_of(&read(root, lock).unwrap_or_default(), keys).is_some()) {
                    locked = with_string(lock, &locked, keys, &version)?;
                }
                replace(root, lock, locked.as_bytes())?;
            }
            replace(root, manifest, text.as_bytes())
        }
        Change::NpmMove { directory, member, package, development, versions, .. } => {
            let to = versions.get(round.index()).map_or("", String::as_str);
            Ok(tools.move_npm(&inside(root, directory)?, member.as_deref(), package, to, *development)?)
        }
        Change::Branch { changes } => changes.iter().try_for_each(|change| apply(change, root, round, tools)),
    }
}

/// The version of a round: the patch version goes up.
fn next(from: &str, manifest: &Utf8Path, round: u32) -> Result<String, ChangeError> {
    let version = Version::parse(from).map_err(|error| unexpected(manifest, format!("a version ({error})")))?;
    Ok(Version::new(version.major, version.minor, version.patch + u64::from(round)).to_string())
}

/// The JSON text with another string under some keys; everything else stays as it is.
fn with_string(path: &Utf8Path, text: &str, keys: &[&str], string: &str) -> Result<String, ChangeError> {
    let span = span_of(text, keys).filter(|span| text[span.clone()].starts_with('"'));
    let span = span.ok_or_else(|| unexpected(path, format!("a text under `{}`", keys.join("."))))?;
    Ok(format!("{}\"{string}\"{}", &text[..span.start], &text[span.end..]))
}

fn unexpected(path: &Utf8Path, expected: String) -> ChangeError {
    ChangeError::Unexpected { path: path.to_owned(), line: 1, expected }
}
