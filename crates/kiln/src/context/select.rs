//! What a step reads of a tree: paths, wildcards and filters, and one hash of it all.
//!
//! Two selections have the same hash when BuildKit would take them for the same content. The hash itself is kiln's own.

use std::collections::BTreeMap;

use super::tree::order;
use super::{Entry, IgnoreFile, Tree, glob, paths};

/// One source of a `COPY` or of a mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Selector {
    /// Path below the root, cleaned, without a slash at either end; empty for the root.
    pub path: String,
    /// Whether `*`, `?` and `[` in the path are wildcards.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wildcard: bool,
    /// Only what matches one of these below the path (`--parents`); everything if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Nothing that matches one of these below the path (`--exclude`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What selectors choose from a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Hash of content and names; equal hashes mean equal content to BuildKit.
    pub hash: String,
    /// What was chosen, by path in the tree.
    pub files: BTreeMap<String, Entry>,
    /// What links lead to that wildcards and filters chose: all of it counts, also what a filter leaves out.
    pub followed: BTreeMap<String, Entry>,
    /// Sources without wildcards at which there is nothing, and links that wildcards find and that lead nowhere or in a circle: a build
    /// fails at them.
    pub missing: Vec<String>,
}

impl Selector {
    /// A source as it stands in an instruction.
    #[must_use]
    pub fn new(path: &str, wildcards: bool) -> Self {
        let path = clean(path);
        let wildcard = wildcards && glob::has_wildcard(&path);
        Self { path, wildcard, include: Vec::new(), exclude: Vec::new() }
    }

    pub(super) fn is_plain(&self) -> bool {
        !self.wildcard && self.include.is_empty() && self.exclude.is_empty()
    }
}

/// A path below the root: `.`, `..` and slashes at the ends are resolved by text.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Selection {
    /// Applies selectors to a tree, without regard to their order; those within another count once, as in BuildKit.
    #[must_use]
    pub fn of(tree: &Tree, selectors: &[Selector]) -> Self {
        Self::choose(tree, selectors, true)
    }

    /// The same without [`files`](Self::files), for those who only ask whether it is the same as another.
    #[must_use]
    pub fn without_files(tree: &Tree, selectors: &[Selector]) -> Self {
        Self::choose(tree, selectors, false)
    }

    fn choose(tree: &Tree, selectors: &[Selector], listed: bool) -> Self {
        let mut selection = Self::default();
        let mut whole = blake3::Hasher::new();
        for selector in without_repetition(selectors) {
            let hash = if selector.is_plain() {
                selection.plain(tree, &selector, listed)
            } else {
                selection.filtered(tree, &selector, listed)
            };
            whole.update(hash.as_bytes());
        }
        selection.hash = whole.finalize().to_hex()[..32].to_owned();
        selection
    }

    /// A path: what it is, whole, but for its own name.
    fn plain(&mut self, tree: &Tree, selector: &Selector, listed: bool) -> blake3::Hash {
        let Some((path, entry)) = resolve(tree, &selector.path) else {
            self.missing.push(selector.path.clone());
            return blake3::hash(b"missing");
        };
        let below = if matches!(entry, Entry::Folder) { tree.below(&path) } else { &[] };
        if listed {
            self.files.extend((!path.is_empty()).then(|| (path.clone(), entry.clone())));
            self.files.extend(below.iter().cloned());
        }
        digest(&path, entry, below)
    }

    /// Wildcards and filters: a list of what is left, with names.
    fn filtered(&mut self, tree: &Tree, selector: &Selector, listed: bool) -> blake3::Hash {
        let (include, exclude) = (patterns(&selector.include), patterns(&selector.exclude));
        let literal = if selector.wildcard { literal_prefix(&selector.path) } else { selector.path.as_str() };
        let resolved = resolve(tree, literal).map(|(path, _)| path);
        let Some(root) = resolved else {
            if !selector.wildcard {
                self.missing.push(selector.path.clone());
            }
            return blake3::hash(b"");
        };
        let own = if root.is_empty() { None } else { tree.get(&root).map(|entry| (root.clone(), entry.clone())) };
        let candidates = own.iter().filter(|_| !selector.wildcard).chain(tree.below(&root));
        let mut chosen: Vec<(&str, String, &Entry)> = Vec::new();
        let mut folders: Vec<(&str, String, &Entry)> = Vec::new();
        let mut matched: Option<&str> = None;
        for (path, entry) in candidates {
            let below = path[root.len()..].trim_start_matches('/');
            let logical = joined(literal, below);
            if selector.wildcard && !matched.is_some_and(|matched| is_below(path, matched)) {
                if !glob::matches(&selector.path, &logical) {
                    continue;
                }
                if matches!(entry, Entry::Link { .. }) && resolve(tree, path).is_none() {
                    self.missing.push(path.clone());
                }
                matched = Some(path);
            }
            let relative = match matched {
                Some(matched) => path[matched.len()..].trim_start_matches('/'),
                None => below,
            };
            let named = if relative.is_empty() { logical.rsplit('/').next().unwrap_or_default() } else { relative };
            folders.retain(|(folder, ..)| is_below(path, folder));
            if exclude.as_ref().is_some_and(|exclude| exclude.excludes(named)) {
                continue;
            }
            let included = include.as_ref().is_none_or(|include| include.excludes(relative));
            if included {
                chosen.append(&mut folders);
                chosen.push((path, logical, entry));
            } else if matches!(entry, Entry::Folder) {
                // Kept only if something in it is included.
                folders.push((path, logical, entry));
            }
        }
        let mut hasher = blake3::Hasher::new();
        for (path, logical, entry) in &chosen {
            hasher.update(&logical.as_bytes()[literal.len()..]);
            hasher.update(&[0]);
            // A link that a wildcard finds is followed.
            let followed = matches!(entry, Entry::Link { .. }).then(|| resolve(tree, path)).flatten();
            match followed {
                Some((target, entry)) => {
                    let below = tree.below(&target);
                    hasher.update(digest(&target, entry, below).as_bytes());
                    self.followed.extend(below.iter().cloned());
                    self.followed.insert(target, entry.clone());
                    &mut hasher
                }
                None => hasher.update(digest(path, entry, &[]).as_bytes()),
            };
        }
        if listed {
            self.files.extend(chosen.iter().map(|(path, _, entry)| ((*path).to_owned(), (*entry).clone())));
        }
        match chosen.as_slice() {
            // One file of the very name that was asked for is no list.
            [(path, logical, entry)] if logical.rsplit('/').next() == selector.path.rsplit('/').next() => {
                digest(path, entry, &[])
            }
            _ => hasher.finalize(),
        }
    }
}

/// The hash of one entry with what is below it, names relative to it.
fn digest(path: &str, entry: &Entry, below: &[(String, Entry)]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut add = |name: &str, entry: &Entry| {
        hasher.update(name.as_bytes());
        hasher.update(&[0]);
        match entry {
            Entry::Folder => hasher.update(b"d"),
            Entry::File { mode, content } => hasher.update(format!("f{mode:o} ").as_bytes()).update(&content.digits()),
            Entry::Link { target } => hasher.update(b"l").update(target.as_bytes()),
        };
        hasher.update(&[0]);
    };
    add("", entry);
    for (child, entry) in below {
        add(child[path.len()..].trim_start_matches('/'), entry);
    }
    hasher.finalize()
}

/// What stands where a path leads once links are followed.
fn resolve<'a>(tree: &'a Tree, path: &str) -> Option<(String, &'a Entry)> {
    let path = paths::resolve(path, |path| tree.get(path), |_| false)?.path;
    let entry = tree.get(&path)?;
    Some((path, entry))
}

pub(super) fn without_repetition(selectors: &[Selector]) -> Vec<Selector> {
    let plain = |selector: &&Selector| selector.is_plain();
    let within = |inner: &str, outer: &str| {
        inner != outer && (outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/')))
    };
    let mut kept: Vec<Selector> = selectors
        .iter()
        .filter(plain)
        .filter(|inner| !selectors.iter().filter(plain).any(|outer| within(&inner.path, &outer.path)))
        .cloned()
        .collect();
    kept.sort();
    kept.dedup();
    kept.extend(selectors.iter().filter(|selector| !selector.is_plain()).cloned());
    kept.sort_by(|a, b| order(&a.path, &b.path));
    kept
}

/// Patterns in the manner of ignore files; what is "excluded" is what matches.
fn patterns(patterns: &[String]) -> Option<IgnoreFile> {
    // A pattern that is not valid fails the build: what it would choose does not matter.
    (!patterns.is_empty()).then(|| IgnoreFile::parse(&patterns.join("\n")).unwrap_or_default())
}

/// The folders before the first part with a wildcard.
pub(super) fn literal_prefix(path: &str) -> &str {
    let mut end = 0;
    for part in path.split('/') {
        if glob::has_wildcard(part) || part.contains('\\') {
            break;
        }
        end += part.len() + 1;
    }
    &path[..end.saturating_sub(1).min(path.len())]
}

fn joined(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

/// Whether a path lies in a folder that is not the root.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
