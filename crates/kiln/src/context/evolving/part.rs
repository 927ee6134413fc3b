//! One selector of a watched selection.

use std::collections::BTreeMap;

use super::{SUBMODULE, Seen, Touched};
use crate::context::paths::{self, Resolved, is_within};
use crate::context::select::literal_prefix;
use crate::context::{Entry, Selection, Selector, glob};

/// A selector and what it chooses.
#[derive(Debug)]
pub(super) struct Part {
    selector: Selector,
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// A path, whole: where it leads, and the sum of hashes of all that is there.
    Whole { place: Option<Resolved>, sum: Sum },
    /// What wildcards and filters leave.
    Chosen { selection: Box<Selection>, root: Option<String> },
}

/// A hash of a set: that of each element is added. Only states of one context are compared, which nobody makes collide on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum([u64; 4]);

impl Sum {
    fn of(name: &str, entry: &Entry) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(name.as_bytes()).update(&[0]);
        match entry {
            Entry::Folder => hasher.update(b"d"),
            Entry::File { mode, content } => hasher.update(b"f").update(&mode.to_le_bytes()).update(content.as_bytes()),
            Entry::Link { target } => hasher.update(b"l").update(target.as_bytes()),
        };
        let hash = hasher.finalize();
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(hash.as_bytes().as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self(words)
    }

    fn add(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word = word.wrapping_add(other));
    }

    fn take(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word = word.wrapping_sub(other));
    }
}

impl Part {
    pub(super) fn new(selector: Selector) -> Self {
        Self { selector, found: Found::Whole { place: None, sum: Sum::default() } }
    }

    pub(super) const fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Whether nothing is where something has to be.
    pub(super) fn is_missing(&self) -> bool {
        match &self.found {
            Found::Whole { place, .. } => place.is_none(),
            Found::Chosen { selection, .. } => !selection.missing.is_empty(),
        }
    }

    /// Whether it chooses something within a submodule.
    pub(super) fn is_inside_submodule(&self) -> bool {
        matches!(&self.found, Found::Whole { place: Some(place), .. } if place.goes_on)
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        match &self.found {
            Found::Whole { place: None, .. } => *blake3::hash(b"missing").as_bytes(),
            Found::Whole { place: Some(_), sum } => {
                let mut bytes = [0; 32];
                for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(sum.0) {
                    *bytes = word.to_le_bytes();
                }
                bytes
            }
            Found::Chosen { selection, .. } => *blake3::hash(selection.hash.as_bytes()).as_bytes(),
        }
    }

    /// Looks at everything.
    pub(super) fn renew(&mut self, seen: &Seen) {
        if self.selector.is_plain() {
            let place = resolve(seen, &self.selector.path);
            let mut sum = Sum::default();
            if let Some(place) = &place {
                let own = if place.path.is_empty() { Some(&Entry::Folder) } else { seen.entries.get(&place.path) };
                own.iter().for_each(|entry| sum.add(Sum::of("", entry)));
                if place.is_folder {
                    for (path, entry) in seen.below(&place.path) {
                        sum.add(Sum::of(relative(path, &place.path), entry));
                    }
                }
            }
            self.found = Found::Whole { place, sum };
        } else {
            let selection = Selection::of(seen.tree(), std::slice::from_ref(&self.selector));
            let root = resolve(seen, self.literal()).map(|place| place.path);
            self.found = Found::Chosen { selection: Box::new(selection), root };
        }
    }

    /// Takes over what has changed, and gives the paths that matter to it.
    pub(super) fn settle(&mut self, seen: &Seen, touched: &[Touched]) -> Vec<String> {
        match &self.found {
            Found::Whole { .. } => self.settle_whole(seen, touched),
            Found::Chosen { .. } => self.settle_chosen(seen, touched),
        }
    }

    fn settle_whole(&mut self, seen: &Seen, touched: &[Touched]) -> Vec<String> {
        let now = resolve(seen, &self.selector.path);
        let Found::Whole { place, sum } = &mut self.found else { return Vec::new() };
        if *place != now {
            // It leads elsewhere: what is there counts as a whole, and what led there is to blame.
            let (before, after) = (place.clone(), now.clone());
            self.renew(seen);
            let concerns = |path: &str| {
                let within = |place: &Option<Resolved>| place.as_ref().is_some_and(|place| is_within(path, &place.path));
                let through =
                    |place: &Option<Resolved>| place.as_ref().is_some_and(|place| place.through.iter().any(|link| link == path));
                within(&before) || within(&after) || through(&before) || through(&after) || is_within(&self.selector.path, path)
            };
            let paths = named(touched.iter().filter(|touched| concerns(&touched.path)));
            return if paths.is_empty() { named(touched.iter()) } else { paths };
        }
        let Some(place) = now else { return Vec::new() };
        let concerned: Vec<&Touched> = touched.iter().filter(|touched| is_within(&touched.path, &place.path)).collect();
        for touched in &concerned {
            let name = relative(&touched.path, &place.path);
            touched.before.iter().for_each(|entry| sum.take(Sum::of(name, entry)));
            touched.after.iter().for_each(|entry| sum.add(Sum::of(name, entry)));
        }
        named(concerned.into_iter())
    }

    fn settle_chosen(&mut self, seen: &Seen, touched: &[Touched]) -> Vec<String> {
        let Found::Chosen { selection, root } = &self.found else { return Vec::new() };
        let same_root = *root == resolve(seen, self.literal()).map(|place| place.path);
        let direct = root.as_deref() == Some(self.literal());
        let followed = selection.files.values().any(|entry| matches!(entry, Entry::Link { .. }));
        let matters = |path: &str| {
            let Some(root) = root else { return true };
            // A link that a wildcard finds is followed to wherever it leads.
            followed
                || (is_within(path, root)
                    && (!self.selector.wildcard
                        || !direct
                        || prefixes(path).any(|above| glob::matches(&self.selector.path, above))))
        };
        if same_root && !touched.iter().any(|touched| matters(&touched.path)) {
            return Vec::new();
        }
        let before: BTreeMap<String, Entry> = selection.files.clone();
        self.renew(seen);
        let Found::Chosen { selection, .. } = &self.found else { return Vec::new() };
        let differs = |touched: &&Touched| before.get(&touched.path) != selection.files.get(&touched.path);
        let paths = named(touched.iter().filter(differs));
        if paths.is_empty() { named(touched.iter()) } else { paths }
    }

    /// The part of the path that has no wildcard.
    fn literal(&self) -> &str {
        if self.selector.wildcard { literal_prefix(&self.selector.path) } else { &self.selector.path }
    }
}

/// Paths of files and links; those of folders only where there is nothing else.
fn named<'a>(touched: impl Iterator<Item = &'a Touched> + Clone) -> Vec<String> {
    let is_folder =
        |touched: &&Touched| [&touched.before, &touched.after].into_iter().flatten().all(|entry| matches!(entry, Entry::Folder));
    let files: Vec<String> = touched.clone().filter(|touched| !is_folder(touched)).map(|touched| touched.path.clone()).collect();
    if files.is_empty() { touched.map(|touched| touched.path.clone()).collect() } else { files }
}

fn relative<'a>(path: &'a str, folder: &str) -> &'a str {
    path[folder.len()..].trim_start_matches('/')
}

/// A path and all folders above it.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end]).chain([path])
}

/// Where a path leads, if need be within a submodule, whose files are not known.
fn resolve(seen: &Seen, path: &str) -> Option<Resolved> {
    let is_submodule = |entry: &Entry| matches!(entry, Entry::File { mode: SUBMODULE, .. });
    paths::resolve(path, |path| seen.entries.get(path), is_submodule)
}
