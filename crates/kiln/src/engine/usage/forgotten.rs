//! Layers that a builder forgets when something else is removed from its cache.
//!
//! With the containerd store BuildKit (at least up to 0.32) asks behind each removal for every result that it knows whether it still exists, with a
//! request that is cancelled already. To answer for a layer it looks the blobs of those parents up that it has not unpacked itself, and the
//! cancelled request makes that a no. So what lies on a base image that the engine had already (`docker pull`, `docker load`) is never found
//! again, though it stays on the disk. On a base image that BuildKit had to pull, and with the overlay2 store, nothing is lost. Its own garbage
//! collection asks properly.

use std::collections::BTreeSet;

use super::CacheRecord;

/// How BuildKit describes the layers of a base image that it pulled.
const PULLED: &str = "pulled from ";

impl CacheRecord {
    /// The base image of which it is a layer that BuildKit pulled.
    #[must_use]
    pub fn base_image(&self) -> Option<&str> {
        self.description.strip_prefix(PULLED).map(str::trim).filter(|name| !name.is_empty())
    }

    /// Whether it is a layer that the engine had before BuildKit needed it. Those that BuildKit pulled say from where, all others which step made
    /// them.
    #[must_use]
    pub fn was_there(&self) -> bool {
        self.kind == "regular" && self.description.is_empty()
    }
}

/// The records that a builder with the containerd store forgets with the next removal: all on top of layers that the engine had by itself. Who
/// wants to be sure also counts base images that BuildKit pulled and that the engine has `unpacked` as well, be it before or later.
#[must_use]
pub fn forgotten(records: &[CacheRecord], unpacked: impl Fn(&str) -> bool) -> Vec<&CacheRecord> {
    let is_base = |record: &&CacheRecord| record.was_there() || record.base_image().is_some_and(&unpacked);
    let bases: BTreeSet<String> = records.iter().filter(is_base).map(|record| record.id.clone()).collect();
    let all = with_all_above(records, bases);
    let is_layer_of_base = |record: &CacheRecord| record.was_there() || record.base_image().is_some();
    records.iter().filter(|record| all.contains(&record.id) && !is_layer_of_base(record)).collect()
}

/// The ids of some records and of all that lie on top of them.
#[must_use]
pub fn with_all_above(records: &[CacheRecord], mut found: BTreeSet<String>) -> BTreeSet<String> {
    loop {
        let before = found.len();
        for record in records {
            if record.parents.iter().any(|parent| found.contains(parent)) {
                found.insert(record.id.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, parents: &[&str], description: &str) -> CacheRecord {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        let kind = "regular".to_owned();
        CacheRecord { id: id.to_owned(), parents, description: description.to_owned(), kind, ..CacheRecord::default() }
    }

    #[test]
    fn what_lies_on_layers_that_the_engine_had_is_forgotten() {
        let records = [
            record("top", &["step"], "mount / from exec /bin/sh -c make"),
            record("step", &["had-2"], "[chef 2/2] WORKDIR /app"),
            record("had-1", &[], ""),
            record("had-2", &["had-1"], ""),
            record("pulled", &[], "pulled from docker.io/library/debian:12"),
            record("run", &["pulled"], "mount / from exec /bin/sh -c apt-get update"),
            record("both", &["run", "top"], "[runtime 2/2] COPY --from=chef /app /app"),
            record("mount", &[], "cached mount /target from exec /bin/sh -c make with id \"/app-target\""),
            CacheRecord { kind: "internal".to_owned(), ..record("other", &[], "") },
        ];
        let ids = |records: &[CacheRecord], image: &str| -> Vec<String> {
            forgotten(records, |name| name.starts_with(image)).iter().map(|record| record.id.clone()).collect()
        };
        assert_eq!(ids(&records, "nobody's"), ["top", "step", "both"]);
        assert_eq!(ids(&records[4..6], "nobody's"), Vec::<String>::new());
        assert_eq!(ids(&records[4..6], "docker.io/library/debian"), ["run"]);
    }
}
