//! Which records of the build cache are a run's.

use std::collections::{BTreeMap, BTreeSet};

use super::made::created;
use crate::engine::{CacheRecord, with_all_above};

/// How BuildKit describes a layer of an imported cache; its digest follows.
const IMPORTED: &str = "imported sha256:";
/// Where the folders of all runs are.
const FOLDERS: &str = "/kiln-bench/";

/// Ids of the records that name the run or are known by their time, and of all that lie on top of them.
pub(super) fn of_run(records: &[CacheRecord], name: &str, made: &BTreeMap<String, String>) -> BTreeSet<String> {
    let came_back = |record: &CacheRecord| {
        let namespace = made.get(&created(record)).filter(|_| record.description.starts_with(IMPORTED));
        namespace.and_then(|namespace| namespace.strip_prefix(name)).is_some_and(ends)
    };
    let own = records.iter().filter(|record| names(&record.description, name) || came_back(record));
    with_all_above(records, own.map(|record| record.id.clone()).collect())
}

/// Ids of the layers of all runs, also of others.
pub(super) fn of_any_run(records: &[CacheRecord]) -> BTreeSet<String> {
    let folders = records.iter().filter(|record| record.description.contains(FOLDERS));
    with_all_above(records, folders.map(|record| record.id.clone()).collect())
}

/// Whether a description has a folder, a mount's id (or namespace) or a named context that begins with the name.
fn names(description: &str, name: &str) -> bool {
    [FOLDERS, " with id \"/", " with id \"", "local source for "].iter().any(|lead| {
        let wanted = format!("{lead}{name}");
        let mut rests = description.match_indices(&wanted).map(|(at, found)| &description[at + found.len()..]);
        rests.any(ends)
    })
}

/// Whether a name ends before this text: `app-1a` is no part of `app-1ab`.
fn ends(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use camino::Utf8Path;
    use jiff::Timestamp;

    use super::super::Made;
    use super::*;
    use crate::engine::verbose_records;

    const DU: &str = "\
ID:           base
Description:  pulled from docker.io/library/rust
Size:         900MB
Type:         regular

ID:           mark
Parents:
 - base
Created at:   2026-11-24 14:58:47.565902501 +0000 UTC
Size:         0B
Description:  [chef 2/3] WORKDIR /kiln-bench/app-bench-1a-0
Type:         regular

ID:           top
Parents:
 - middle
 - other
Size:         12.1MB
Description:  mount / from exec /bin/sh -c cargo build: all
Type:         regular

ID:           middle
Parents:
 - mark
Size:         1kB
Description:  [builder 4/5] COPY . .
Type:         regular

ID:           mount
Size:         1.5GB
Description:  cached mount /target from exec /bin/sh -c cargo with id \"/app-bench-1a-0-mounts-target\"
Type:         exec.cachemount

ID:           ns
Description:  cached mount /target from exec /bin/sh -c cargo with id \"app-bench-1a-0-own/target\"
Type:         exec.cachemount

ID:           tool
Description:  local source for app-bench-1a/kiln
Type:         source.local

ID:           foreign
Description:  cached mount /target from exec /bin/sh -c cargo with id \"/app-bench-1ab-0-target\"
Type:         exec.cachemount

ID:           users
Description:  cached mount /target from exec /bin/sh -c cargo with id \"/app-target\"
Type:         exec.cachemount

ID:           back
Parents:
 - base
Created at:   2026-11-24 15:00:00.123456789 +0000 UTC
Description:  imported sha256:aa
Type:         regular

ID:           above
Parents:
 - back
Description:  [builder 5/5] RUN cargo build
Type:         regular

ID:           same
Created at:   2026-11-24 15:00:00.987654321 +0000 UTC
Description:  imported sha256:aa
Type:         regular
Total: 3GB
";

    #[test]
    fn a_run_owns_its_mounts_and_what_lies_on_its_folder() {
        let all = verbose_records(DU, Timestamp::now());
        assert_eq!(all.len(), 12);
        assert_eq!(all[2].parents, ["middle", "other"]);
        assert_eq!((all[4].bytes, all[4].kind.as_str()), (1_500_000_000, "exec.cachemount"));
        let none = BTreeMap::new();
        let of_run = |all: &[CacheRecord], name: &str| of_run(all, name, &none);
        let found: Vec<String> = of_run(&all, "app-bench-1a").into_iter().collect();
        assert_eq!(found, ["mark", "middle", "mount", "ns", "tool", "top"]);
        assert_eq!(of_run(&all, "app-bench-1"), BTreeSet::new());
        // One namespace of it.
        assert_eq!(of_run(&all, "app-bench-1a-0").len(), 5);
        assert_eq!(of_run(&all, "app-bench-1a-1"), BTreeSet::new());
        // Of whatever run.
        assert_eq!(of_any_run(&all).into_iter().collect::<Vec<_>>(), ["mark", "middle", "top"]);
    }

    #[test]
    fn a_layer_that_was_imported_is_known_by_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let made = Made::at(Utf8Path::from_path(folder.path()).unwrap());
        assert!(made.read().is_empty(), "a run that never exported has no list");
        fs::write(made.path(), "2026-11-24T15:00:00.123456789Z\tapp-bench-1a-api-kiln-0\ncut o").unwrap();
        let found = |name: &str| of_run(&verbose_records(DU, Timestamp::now()), name, &made.read());
        for name in ["app-bench-1a", "app-bench-1a-api-kiln-0"] {
            assert!(found(name).contains("back") && found(name).contains("above"), "{name}");
            // The same content, made by somebody else.
            assert!(!found(name).contains("same"), "{name}");
        }
        assert!(!found("app-bench-1a-api-chef-0").contains("back"));
        assert!(!found("app-bench-1").contains("back"));
    }
}
