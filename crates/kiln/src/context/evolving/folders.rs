//! Which folders a context has, by the files that are in them.

use std::collections::{HashMap, HashSet};

use crate::context::{FolderMatches, IgnoreFile};

/// The folders that hold files.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: HashMap<String, Folder>,
    files: HashSet<String>,
    /// What the rules say of the children of the root.
    root: FolderMatches,
}

#[derive(Debug)]
struct Folder {
    /// Files in it and below, ignored ones too.
    files: usize,
    /// Files below that are not ignored, and folders below that are not.
    visible: usize,
    /// Whether a rule leaves the folder itself out.
    excluded: bool,
    matches: FolderMatches,
}

/// What the coming or going of a file means.
#[derive(Debug)]
pub(super) struct Move {
    /// Whether the rules leave the file out.
    pub(super) excluded: bool,
    /// Folders that come or go with it, and which of both.
    pub(super) folders: Vec<(String, bool)>,
}

impl Folder {
    /// A folder that is left out is there all the same when something in it is brought back.
    const fn is_there(&self) -> bool {
        self.files > 0 && (!self.excluded || self.visible > 0)
    }
}

impl Folders {
    /// A file comes, stays or goes; nothing if it was not there and is not.
    pub(super) fn set(&mut self, rules: &IgnoreFile, path: &str, is_there: bool) -> Option<Move> {
        let was_there = self.files.contains(path);
        if !was_there && !is_there {
            return None;
        }
        let ends: Vec<usize> = path.match_indices('/').map(|(end, _)| end).collect();
        for (at, &end) in ends.iter().enumerate() {
            let name = &path[..end];
            if self.known.contains_key(name) {
                continue;
            }
            let above = if at == 0 { &self.root } else { &self.known[&path[..ends[at - 1]]].matches };
            let (excluded, matches) = rules.enter(above, name);
            self.known.insert(name.to_owned(), Folder { files: 0, visible: 0, excluded, matches });
        }
        let above = ends.last().map_or(&self.root, |&end| &self.known[&path[..end]].matches);
        let (excluded, _) = rules.enter(above, path);
        let mut folders = Vec::new();
        if was_there == is_there {
            return Some(Move { excluded, folders });
        }
        if is_there {
            self.files.insert(path.to_owned());
        } else {
            self.files.remove(path);
        }
        // From the innermost outwards: one that comes or goes counts in those above it.
        let mut visible = usize::from(!excluded);
        for &end in ends.iter().rev() {
            let Some(folder) = self.known.get_mut(&path[..end]) else { continue };
            let (had_files, was) = (folder.files > 0, folder.is_there());
            if is_there {
                folder.files += 1;
                folder.visible += visible;
            } else {
                folder.files = folder.files.saturating_sub(1);
                folder.visible = folder.visible.saturating_sub(visible);
            }
            if folder.is_there() != was {
                folders.push((path[..end].to_owned(), folder.is_there()));
            }
            visible += usize::from(!folder.excluded && had_files != (folder.files > 0));
        }
        Some(Move { excluded, folders })
    }
}
