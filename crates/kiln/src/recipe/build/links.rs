//! The symbolic links of a source tree, from where they lead back to where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::inputs::normalized;

/// More names than this for one path come from links that lead to folders above themselves.
const NAMES: usize = 256;

/// Links by the paths that they lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Links {
    by_target: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

impl Links {
    /// Takes links with what they say. Those that lead out of the tree are left out.
    pub(super) fn new(links: impl IntoIterator<Item = (PathBuf, PathBuf)>) -> Self {
        let mut by_target: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        for (link, to) in links {
            let target = normalized(&link.parent().unwrap_or(Path::new("")).join(to));
            if target.is_relative() && !target.starts_with("..") {
                by_target.entry(target).or_default().insert(link);
            }
        }
        Self { by_target }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }

    /// The other names of a path: through links to it or to a folder above it, also through several.
    pub(super) fn names(&self, path: &Path) -> BTreeSet<PathBuf> {
        let mut names = BTreeSet::new();
        let mut pending = vec![path.to_owned()];
        while let Some(path) = pending.pop().filter(|_| !self.is_empty()) {
            for above in path.ancestors() {
                let Ok(rest) = path.strip_prefix(above) else { continue };
                for link in self.by_target.get(above).into_iter().flatten() {
                    // `join` with nothing would add a slash.
                    let name = if rest.as_os_str().is_empty() { link.clone() } else { link.join(rest) };
                    if !path.starts_with(link) && names.len() < NAMES && names.insert(name.clone()) {
                        pending.push(name);
                    }
                }
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_names_that_links_give_it() {
        let links = [
            ("a/data", "../shared/data"),
            ("b/file", "../shared/data/x.txt"),
            ("c/chain", "../a/data"),
            ("out", "/etc"),
            ("up", "../elsewhere"),
        ];
        let links = Links::new(links.map(|(link, to)| (PathBuf::from(link), PathBuf::from(to))));
        let names = |path: &str| links.names(Path::new(path)).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(names("shared/data/x.txt"), ["a/data/x.txt", "b/file", "c/chain/x.txt"]);
        assert_eq!(names("shared/data"), ["a/data", "c/chain"]);
        assert_eq!(names("shared/other"), Vec::<String>::new());
        // A link that leads elsewhere now.
        assert_eq!(names("a/data"), ["c/chain"]);
    }

    #[test]
    fn links_to_folders_above_them_come_to_an_end() {
        let links =
            Links::new([("l", "."), ("m", "."), ("d/up", "..")].map(|(link, to)| (PathBuf::from(link), PathBuf::from(to))));
        let names = links.names(Path::new("x"));
        assert!(names.contains(Path::new("l/x")) && names.contains(Path::new("d/up/x")) && names.len() <= NAMES);
    }
}
