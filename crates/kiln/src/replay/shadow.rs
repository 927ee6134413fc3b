//! The files of which recipes are made, in a folder of their own: manifests with their content, sources by their names.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use camino::{Utf8Path, Utf8PathBuf};

use crate::context::evolving::{SUBMODULE, Touched};
use crate::context::{ContentId, Entry, is_within};
use crate::predict::outputs::{KnownOutputs, RecipeCall, RecipeKind, decides_recipe, recipe};

/// Where the content of a file comes from, by its path and id.
type Source = Box<dyn Fn(&str, ContentId) -> io::Result<Vec<u8>> + Send>;

/// Hashes of what a recipe command writes, by path; nothing where it fails.
type Outputs = Option<BTreeMap<String, String>>;

/// A folder that follows a context, as far as recipes read it. It is removed with the value.
pub(crate) struct Shadow {
    folder: Utf8PathBuf,
    source: Source,
    /// Recipes that are still right.
    known: RefCell<Vec<(RecipeCall, Outputs)>>,
    /// Files that should be there and cannot be read.
    lacking: BTreeSet<String>,
    /// Whether a manifest names Rust sources, so that all of them may count.
    names_sources: bool,
    /// Whether an install may read scripts, so that all of them may count.
    runs_scripts: bool,
    /// Folders that were made.
    made: BTreeSet<Utf8PathBuf>,
}

/// What in a package's manifest or beside it may make an install read other files than manifests, locks and settings.
const SCRIPTS: [&str; 10] =
    ["install\"", "prepare", "prepublish", "\"bin\"", "file:", "link:", "portal:", "patch", "prisma", "gyp"];

impl Shadow {
    /// An empty folder, which is made when there is something for it.
    pub(crate) fn new(folder: Utf8PathBuf, source: Source) -> Self {
        let made = BTreeSet::new();
        Self {
            folder,
            source,
            names_sources: false,
            runs_scripts: false,
            made,
            known: RefCell::default(),
            lacking: BTreeSet::new(),
        }
    }

    /// Takes over what has changed in the context, of which `entries` are all entries.
    ///
    /// Most sources are never looked for, and making files takes longer than all the rest: those that only count where a manifest says so
    /// are made once one does.
    pub(crate) fn apply<'a>(&mut self, touched: &[Touched], entries: impl Iterator<Item = (&'a String, &'a Entry)>) {
        let before = (self.names_sources, self.runs_scripts);
        let (manifests, others): (Vec<&Touched>, Vec<&Touched>) =
            touched.iter().filter(|touched| concerns_any(touched)).partition(|touched| !is_source(&touched.path));
        self.take(&manifests);
        self.take(&others);
        if before != (self.names_sources, self.runs_scripts) {
            let new = |(path, entry): (&String, &Entry)| Touched { path: path.clone(), before: None, after: Some(entry.clone()) };
            let all: Vec<Touched> =
                entries.map(new).filter(|touched| is_source(&touched.path) && concerns_any(touched)).collect();
            self.take(&all.iter().collect::<Vec<_>>());
        }
    }

    /// Whether a source counts by being there, or by what is in it.
    fn counts(&self, path: &str) -> bool {
        if !is_source(path) {
            return true;
        }
        let mut parts = path.rsplit('/');
        let name = parts.next().unwrap_or_default();
        let is_target = || matches!(name, "main.rs" | "lib.rs" | "build.rs") || parts.clone().any(|part| part == "bin");
        if name.ends_with(".rs") { self.names_sources || is_target() } else { self.runs_scripts }
    }

    fn take(&mut self, touched: &[&Touched]) {
        for touched in touched {
            if !self.counts(&touched.path) {
                continue;
            }
            let path = self.folder.join(&touched.path);
            self.lacking.remove(&touched.path);
            let done = match &touched.after {
                None => remove(&path),
                // It may take the place of a file.
                Some(Entry::Folder) => remove(&path),
                // No recipe is made of what lies in it: a build would need its files, and none is there.
                Some(Entry::File { mode: SUBMODULE, .. }) => remove(&path),
                Some(Entry::File { mode, content }) => self.file(&path, &touched.path, *mode, *content),
                Some(Entry::Link { target }) => self.link(&path, &touched.path, target),
            };
            if done.is_err() {
                self.lacking.insert(touched.path.clone());
            }
            self.known.get_mut().retain(|(call, _)| !concerns(call, touched));
        }
    }

    /// Files of which recipes are made that are not in this clone.
    pub(crate) fn into_lacking(mut self) -> Vec<String> {
        std::mem::take(&mut self.lacking).into_iter().collect()
    }

    fn file(&mut self, path: &Utf8Path, name: &str, mode: u32, content: ContentId) -> io::Result<()> {
        let bytes = if name.ends_with(".rs") { Vec::new() } else { (self.source)(name, content)? };
        let text = || String::from_utf8_lossy(&bytes);
        match name.rsplit('/').next().unwrap_or_default() {
            "Cargo.toml" => self.names_sources |= [".rs\"", ".rs'"].iter().any(|end| text().contains(end)),
            "package.json" => self.runs_scripts |= SCRIPTS.iter().any(|word| text().contains(word)),
            name if name.starts_with(".pnpmfile") || name.starts_with(".yarnrc") => self.runs_scripts = true,
            ".npmrc" | "bunfig.toml" | "binding.gyp" | "schema.prisma" => self.runs_scripts = true,
            _ => {}
        }
        self.make_room(path)?;
        fs::write(path, bytes)?;
        fs::set_permissions(path, fs::Permissions::from_mode(if mode & 0o111 == 0 { 0o644 } else { 0o755 }))
    }

    /// A link that stays within the folder; others would show this machine.
    fn link(&mut self, path: &Utf8Path, name: &str, target: &str) -> io::Result<()> {
        let mut depth = name.matches('/').count();
        for part in target.split('/') {
            match part {
                ".." if depth == 0 => return remove(path),
                ".." => depth -= 1,
                "" | "." => {}
                _ => depth += 1,
            }
        }
        if target.starts_with('/') {
            return remove(path);
        }
        self.make_room(path)?;
        symlink(target, path)
    }

    /// Makes the folders above a path, and takes away what stands there.
    fn make_room(&mut self, path: &Utf8Path) -> io::Result<()> {
        if let Some(parent) = path.parent()
            && !self.made.contains(parent)
        {
            fs::create_dir_all(parent)?;
            self.made.insert(parent.to_owned());
        }
        if self.made.contains(path) {
            // Other folders were made within it.
            self.made.clear();
        }
        remove(path)
    }
}

impl KnownOutputs for Shadow {
    fn of(&self, call: &RecipeCall) -> Outputs {
        if self.lacking.iter().any(|path| is_within(path, boundary(call))) {
            return None;
        }
        if let Some((_, outputs)) = self.known.borrow().iter().find(|(known, _)| known == call) {
            return outputs.clone();
        }
        let outputs = recipe(&self.folder, call);
        self.known.borrow_mut().push((call.clone(), outputs.clone()));
        outputs
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        // What is left over lies in a folder that is removed as a whole.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn remove(path: &Utf8Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Whether any recipe could read what has changed. Of Rust sources only counts that they are there.
pub(super) fn concerns_any(touched: &Touched) -> bool {
    let name = touched.path.rsplit('/').next().unwrap_or_default();
    let is_folder = |entry: &Option<Entry>| matches!(entry, Some(Entry::Folder));
    if touched.path.split('/').any(|part| part == ".git") {
        return false;
    }
    if is_folder(&touched.before) && touched.after.is_none() || is_folder(&touched.after) && touched.before.is_none() {
        return false;
    }
    if name.ends_with(".rs") { was_there(touched) != is_there(touched) } else { decides_recipe(name) || is_for_scripts(name) }
}

/// Whether a file is no manifest, lock or setting.
fn is_source(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_setting = name.starts_with(".pnpmfile") || matches!(name, "binding.gyp" | "schema.prisma");
    !is_setting && (["rs", "js", "cjs", "mjs"].iter().any(|end| path_ends(name, end)) || is_for_scripts(name))
}

fn path_ends(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.'))
}

/// Whether an install script may read a file of this name, besides those that decide about recipes anyway.
fn is_for_scripts(name: &str) -> bool {
    ["gyp", "gypi", "prisma", "sh", "ts", "mts", "cts"].iter().any(|ending| name.ends_with(ending))
}

fn concerns(call: &RecipeCall, touched: &Touched) -> bool {
    let name = touched.path.rsplit('/').next().unwrap_or_default();
    is_within(&touched.path, boundary(call)) && (call.kind != RecipeKind::Npm || !name.ends_with(".rs"))
}

/// The folder that a recipe looks at.
fn boundary(call: &RecipeCall) -> &str {
    match call.kind {
        RecipeKind::Cargo(_) => &call.boundary,
        RecipeKind::Npm => &call.folder,
    }
}

const fn was_there(touched: &Touched) -> bool {
    touched.before.is_some()
}

const fn is_there(touched: &Touched) -> bool {
    touched.after.is_some()
}
