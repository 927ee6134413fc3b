//! A context that goes through many states, of which each differs from the one before in a few files.
//!
//! What steps read of it is [watched](Evolving::watch): for each state there is a hash for each watched selection, of which only as much is
//! computed anew as the changes make necessary. Hashes of one `Evolving` can be compared with each other, not with those of a
//! [`Selection`](super::Selection).

mod folders;
mod part;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use self::folders::Folders;
use self::part::Part;
use super::select::without_repetition;
use super::{Entry, IgnoreFile, Selector, Tree};

/// Permission bits of a submodule: nothing on disk has them. Its content is the commit that is checked out in it.
pub const SUBMODULE: u32 = 0o160_000;

/// A context in one of its states.
#[derive(Debug)]
pub struct Evolving {
    rules: IgnoreFile,
    /// What BuildKit would see.
    seen: Seen,
    folders: Folders,
    /// What stood at the paths that were set since the last [`settle`](Self::settle).
    touched: BTreeMap<String, Option<Entry>>,
    watches: Vec<Watch>,
}

/// Entries that are not ignored, by path.
#[derive(Debug, Default)]
struct Seen {
    entries: BTreeMap<String, Entry>,
    /// The same as a tree, where something needs that.
    tree: OnceCell<Tree>,
}

/// A selection of files whose content is followed.
#[derive(Debug)]
struct Watch {
    selectors: Vec<Selector>,
    parts: Vec<Part>,
    hash: String,
}

/// A file that is another one than in the state before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Its path.
    pub path: String,
    /// What stood there.
    pub before: Option<Entry>,
    /// What stands there.
    pub after: Option<Entry>,
}

/// What a watched selection is in a state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// Equal hashes mean equal content to BuildKit.
    pub hash: String,
    /// Files that make it another one than in the state before, sorted.
    pub paths: Vec<String>,
    /// Sources without wildcards at which there is nothing: a build fails at them.
    pub missing: Vec<String>,
    /// Whether all that is different lies within submodules, so that it may be the same all the same.
    pub uncertain: bool,
}

impl Evolving {
    /// A context without files, and the rules that leave some out.
    #[must_use]
    pub fn new(rules: IgnoreFile) -> Self {
        Self { rules, seen: Seen::default(), folders: Folders::default(), touched: BTreeMap::new(), watches: Vec::new() }
    }

    /// Follows a selection and gives its number. The same selectors have one number.
    pub fn watch(&mut self, selectors: &[Selector]) -> usize {
        if let Some(known) = self.watches.iter().position(|watch| watch.selectors == selectors) {
            return known;
        }
        let mut parts: Vec<Part> = without_repetition(selectors).into_iter().map(Part::new).collect();
        parts.iter_mut().for_each(|part| part.renew(&self.seen));
        let mut watch = Watch { selectors: selectors.to_vec(), parts, hash: String::new() };
        watch.rehash();
        self.watches.push(watch);
        self.watches.len() - 1
    }

    /// The number of a selection that is watched.
    #[must_use]
    pub fn number(&self, selectors: &[Selector]) -> Option<usize> {
        self.watches.iter().position(|watch| watch.selectors == selectors)
    }

    /// The hash of a watched selection in the state that was settled last.
    #[must_use]
    pub fn hash(&self, number: usize) -> &str {
        &self.watches[number].hash
    }

    /// Puts a file or link at a path, or takes it away. Folders come and go by themselves. Where a file takes the place of a folder, or the
    /// other way round, what goes has to be taken away first.
    pub fn set(&mut self, path: &str, entry: Option<Entry>) {
        let Some(moved) = self.folders.set(&self.rules, path, entry.is_some()) else { return };
        for (folder, is_there) in moved.folders {
            self.put(folder, is_there.then_some(Entry::Folder));
        }
        if !moved.excluded {
            self.put(path.to_owned(), entry);
        }
    }

    /// What stands at a path, unless it is ignored.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.seen.entries.get(path)
    }

    /// All files, links and folders that are not ignored, by path.
    #[must_use]
    pub const fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.seen.entries
    }

    fn put(&mut self, path: String, entry: Option<Entry>) {
        let before = match entry {
            Some(entry) => self.seen.entries.insert(path.clone(), entry),
            None => self.seen.entries.remove(&path),
        };
        self.touched.entry(path).or_insert(before);
        self.seen.tree.take();
    }

    /// Ends a state: what is different in it from the one before, and what that makes of each watched selection.
    pub fn settle(&mut self) -> (Vec<Touched>, Vec<Watched>) {
        let touched: Vec<Touched> = std::mem::take(&mut self.touched)
            .into_iter()
            .filter_map(|(path, before)| {
                let after = self.seen.entries.get(&path).cloned();
                (before != after).then_some(Touched { path, before, after })
            })
            .collect();
        let seen = &self.seen;
        let watched = self.watches.iter_mut().map(|watch| watch.settle(seen, &touched)).collect();
        (touched, watched)
    }
}

impl Watch {
    fn settle(&mut self, seen: &Seen, touched: &[Touched]) -> Watched {
        let mut paths: Vec<String> = Vec::new();
        let mut changed = false;
        let mut certain = false;
        for part in &mut self.parts {
            let before = part.hash();
            let found = part.settle(seen, touched);
            if part.hash() != before {
                changed = true;
                certain |= !part.is_inside_submodule();
                paths.extend(found);
            }
        }
        if changed {
            self.rehash();
        }
        paths.sort();
        paths.dedup();
        let missing = self.parts.iter().filter(|part| part.is_missing()).map(|part| part.selector().path.clone()).collect();
        Watched { hash: self.hash.clone(), paths, missing, uncertain: changed && !certain }
    }

    fn rehash(&mut self) {
        let mut hasher = blake3::Hasher::new();
        for part in &self.parts {
            hasher.update(&part.hash());
        }
        self.hash = hasher.finalize().to_hex()[..32].to_owned();
    }
}

impl Seen {
    /// What is below a folder; everything for the root.
    fn below<'a>(&'a self, folder: &str) -> Box<dyn Iterator<Item = (&'a String, &'a Entry)> + 'a> {
        if folder.is_empty() {
            return Box::new(self.entries.iter());
        }
        // `0` follows `/`.
        let (from, to) = (format!("{folder}/"), format!("{folder}0"));
        Box::new(self.entries.range::<String, _>((Bound::Excluded(from), Bound::Excluded(to))))
    }

    fn tree(&self) -> &Tree {
        let entries = || self.entries.iter().map(|(path, entry)| (path.clone(), entry.clone())).collect();
        self.tree.get_or_init(|| Tree::new(entries()))
    }
}
