//! Entries of a sparse registry index as cargo caches them below `registry/index/<registry>/.cache`.
//!
//! An entry holds every version of a package that existed when it was fetched, and the server's tag for it: two builders have
//! different bytes for the same recipe. [`Entry`] reads the form, keeps the versions that matter, and unites two entries.

use std::collections::BTreeMap;

/// Version of the cache's form that is understood (the first byte).
const CACHE_VERSION: u8 = 3;

/// What cargo writes as the tag of an entry whose server gives none: asked again whenever the entry does not suffice.
const NO_TAG: &[u8] = b"Unknown";

/// One package's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    index_format: [u8; 4],
    versions: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Entry {
    /// Reads an entry; `None` for a form that is not known.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        if *first != CACHE_VERSION {
            return None;
        }
        let (index_format, rest) = rest.split_first_chunk::<4>()?;
        let mut parts = rest.strip_suffix(&[0])?.split(|byte| *byte == 0);
        parts.next()?;
        let mut versions = BTreeMap::new();
        while let Some(version) = parts.next() {
            versions.insert(version.to_vec(), parts.next()?.to_vec());
        }
        Some(Self { index_format: *index_format, versions })
    }

    /// The entry as cargo reads it, without the server's tag.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![CACHE_VERSION];
        bytes.extend_from_slice(&self.index_format);
        for part in [NO_TAG].into_iter().chain(self.versions.iter().flat_map(|(version, json)| [version.as_slice(), json])) {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
        bytes
    }

    /// Keeps these versions only.
    pub(super) fn keep(&mut self, versions: &[&str]) {
        self.versions.retain(|version, _| versions.iter().any(|kept| kept.as_bytes() == version));
    }

    /// Adds the versions of another entry that this one lacks; whether there were any. Entries of different forms are not united.
    pub(super) fn unite(&mut self, other: &Self) -> bool {
        let before = self.versions.len();
        if self.index_format == other.index_format {
            for (version, json) in &other.versions {
                self.versions.entry(version.clone()).or_insert_with(|| json.clone());
            }
        }
        self.versions.len() > before
    }
}

/// Where cargo keeps the entry of a package, below `.cache`.
pub(super) fn entry_path(name: &str) -> String {
    let name = name.to_lowercase();
    match name.len() {
        1 => format!("1/{name}"),
        2 => format!("2/{name}"),
        3 => format!("3/{}/{name}", &name[..1]),
        _ if name.is_char_boundary(2) && name.is_char_boundary(4) => format!("{}/{}/{name}", &name[..2], &name[2..4]),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tag: &str, versions: &[&str]) -> Vec<u8> {
        let mut bytes = vec![3, 2, 0, 0, 0];
        bytes.extend_from_slice(tag.as_bytes());
        bytes.push(0);
        for version in versions {
            bytes.extend_from_slice(format!("{version}\0{{\"vers\":\"{version}\"}}\0").as_bytes());
        }
        bytes
    }

    #[test]
    fn entries_of_different_days_become_equal() {
        let mut old = Entry::parse(&entry("etag: \"1\"", &["1.0.0", "1.0.1"])).unwrap();
        let mut new = Entry::parse(&entry("etag: \"2\"", &["1.0.1", "1.0.2"])).unwrap();
        old.keep(&["1.0.1"]);
        new.keep(&["1.0.1"]);
        assert_eq!(old.to_bytes(), new.to_bytes());
        assert_eq!(old.to_bytes(), entry("Unknown", &["1.0.1"]));
    }

    #[test]
    fn united_entries_have_the_versions_of_both() {
        let mut entry_a = Entry::parse(&entry("a", &["1.0.0"])).unwrap();
        let entry_b = Entry::parse(&entry("b", &["1.0.0", "1.0.1"])).unwrap();
        assert!(entry_a.unite(&entry_b));
        assert!(!entry_a.unite(&entry_b));
        assert_eq!(entry_a.to_bytes(), entry("Unknown", &["1.0.0", "1.0.1"]));
    }

    #[test]
    fn other_forms_are_left_alone() {
        assert_eq!(Entry::parse(b""), None);
        assert_eq!(Entry::parse(&[4, 2, 0, 0, 0, b'x', 0]), None);
        assert_eq!(Entry::parse(&[3, 2, 0, 0, 0, b'x', 0, b'1', 0]), None);
    }

    #[test]
    fn paths_follow_the_length_of_the_name() {
        let table = [("a", "1/a"), ("ab", "2/ab"), ("syn", "3/s/syn"), ("itoa", "it/oa/itoa"), ("Inflector", "in/fl/inflector")];
        for (name, path) in table {
            assert_eq!(entry_path(name), path);
        }
    }
}
