//! The files of a context as a value: what BuildKit would hash of them, without their times and owners, which do not count.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ContentId;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder. Its mode is left out: a builder that has seen the folder before does not notice when only that changes.
    Folder,
    /// A regular file.
    File {
        /// Permission bits, with setuid, setgid and sticky.
        mode: u32,
        /// What is in it.
        content: ContentId,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as it stands.
        target: String,
    },
}

/// The files of a context, sorted so that each folder is followed by what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Shared: trees are large, and images that have a context in common have one tree.
    entries: Arc<Vec<(String, Entry)>>,
}

/// How an entry of one tree differs from that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Only the second has it.
    Added,
    /// Both have it, with other content.
    Changed,
    /// Only the first has it.
    Removed,
    /// Same content, other mode.
    Mode,
}

impl Tree {
    /// A tree of entries with paths relative to the root, with `/`. Folders that are not named are added.
    #[must_use]
    pub fn new(mut entries: Vec<(String, Entry)>) -> Self {
        entries.sort_by(|(a, _), (b, _)| order(a, b));
        entries.dedup_by(|(a, _), (b, _)| a == b);
        let mut whole: Vec<(String, Entry)> = Vec::with_capacity(entries.len());
        let mut open = String::new();
        for (path, entry) in entries {
            let parent = path.rfind('/').map_or("", |end| &path[..end]);
            let shared = common_folder(&open, parent);
            for end in parent.match_indices('/').map(|(end, _)| end).chain((!parent.is_empty()).then_some(parent.len())) {
                if end > shared && whole.last().is_none_or(|(last, _)| *last != parent[..end]) {
                    whole.push((parent[..end].to_owned(), Entry::Folder));
                }
            }
            open = if entry == Entry::Folder { path.clone() } else { parent.to_owned() };
            whole.push((path, entry));
        }
        Self { entries: Arc::new(whole) }
    }

    /// What stands at a path; the root is a folder.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        if path.is_empty() {
            return Some(&Entry::Folder);
        }
        self.entries.binary_search_by(|(known, _)| order(known, path)).ok().map(|index| &self.entries[index].1)
    }

    /// All entries in order.
    #[must_use]
    pub fn entries(&self) -> &[(String, Entry)] {
        &self.entries
    }

    /// What is below a folder, without the folder itself; everything for the root.
    #[must_use]
    pub fn below(&self, folder: &str) -> &[(String, Entry)] {
        if folder.is_empty() {
            return &self.entries;
        }
        let start = self.entries.partition_point(|(path, _)| order(path, folder) != Ordering::Greater);
        let inside = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let length = self.entries[start..].partition_point(|(path, _)| inside(path));
        &self.entries[start..start + length]
    }

    /// A hash of everything in the tree.
    #[must_use]
    pub fn id(&self) -> String {
        blake3::hash(&self.to_bytes()).to_hex()[..32].to_owned()
    }

    /// A compact form: for each entry its kind, path and what else there is, each ended by a zero byte.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * 80);
        for (path, entry) in self.entries.iter() {
            let (kind, rest) = match entry {
                Entry::Folder => ("d".to_owned(), ""),
                Entry::File { mode, content } => (format!("f{mode:o} {content}"), ""),
                Entry::Link { target } => ("l".to_owned(), target.as_str()),
            };
            for field in [kind.as_str(), path, rest] {
                bytes.extend_from_slice(field.as_bytes());
                bytes.push(0);
            }
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut fields = text.strip_suffix('\0').unwrap_or(text).split('\0');
        let mut entries = Vec::new();
        while let Some(kind) = fields.next().filter(|kind| !kind.is_empty()) {
            let (path, rest) = (fields.next()?.to_owned(), fields.next()?);
            let entry = match kind.split_at_checked(1)? {
                ("d", "") => Entry::Folder,
                ("l", "") => Entry::Link { target: rest.to_owned() },
                ("f", file) => {
                    let (mode, content) = file.split_once(' ')?;
                    Entry::File { mode: u32::from_str_radix(mode, 8).ok()?, content: ContentId::parse(content)? }
                }
                _ => return None,
            };
            entries.push((path, entry));
        }
        Some(Self::new(entries))
    }
}

impl Difference {
    /// How two entries of one path differ, if they do.
    #[must_use]
    pub fn of(before: Option<&Entry>, after: Option<&Entry>) -> Option<Self> {
        match (before, after) {
            (None, None) => None,
            (None, Some(_)) => Some(Self::Added),
            (Some(_), None) => Some(Self::Removed),
            (Some(before), Some(after)) if before == after => None,
            (Some(Entry::File { content: old, .. }), Some(Entry::File { content: new, .. })) if old == new => Some(Self::Mode),
            _ => Some(Self::Changed),
        }
    }
}

/// Byte order, with `/` before everything else.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    let (left, right) = (a.as_bytes(), b.as_bytes());
    match left.iter().zip(right).position(|(a, b)| a != b) {
        Some(at) => key(left[at]).cmp(&key(right[at])),
        None => left.len().cmp(&right.len()),
    }
}

/// Length of the longest folder that holds both, or is one of them.
fn common_folder(open: &str, parent: &str) -> usize {
    let same = open.bytes().zip(parent.bytes()).take_while(|(a, b)| a == b).count();
    let ends = |path: &str| path.len() == same || path.as_bytes()[same] == b'/';
    if ends(open) && ends(parent) { same } else { parent[..floor(parent, same)].rfind('/').unwrap_or(0) }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
