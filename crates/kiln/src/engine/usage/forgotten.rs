//! Layers that a builder forgets when something else is removed from its cache.
//!
//! With the containerd store BuildKit (at least up to 0.32) asks behind each removal for every result that it knows whether it still exists, with a
//! request that is cancelled already. To answer for a layer it looks the blobs of those parents up that it has not unpacked itself, and the
//! cancelled request makes that a no. So what lies on a base image that the engine has unpacked (`docker pull`, `docker load`) is never found
//! again, though it stays on the disk. On a base image that only BuildKit has, and with the overlay2 store, nothing is lost. Its own garbage
//! collection asks properly.

use std::collections::BTreeSet;

use super::CacheRecord;

/// How BuildKit describes the layers of a base image.
const BASES: [&str; 2] = ["pulled from ", "from local "];

impl CacheRecord {
    /// The base image of which it is a layer.
    #[must_use]
    pub fn base_image(&self) -> Option<&str> {
        BASES.iter().find_map(|lead| self.description.strip_prefix(lead)).map(str::trim).filter(|name| !name.is_empty())
    }
}

/// The records that a builder with the containerd store forgets with the next removal: all on top of base images that the engine has `unpacked`.
#[must_use]
pub fn forgotten(records: &[CacheRecord], unpacked: impl Fn(&str) -> bool) -> Vec<&CacheRecord> {
    let is_base = |record: &&CacheRecord| record.base_image().is_some_and(&unpacked);
    let bases: BTreeSet<String> = records.iter().filter(is_base).map(|record| record.id.clone()).collect();
    let all = with_all_above(records, bases);
    records.iter().filter(|record| all.contains(&record.id) && record.base_image().is_none()).collect()
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
        CacheRecord { id: id.to_owned(), parents, description: description.to_owned(), ..CacheRecord::default() }
    }

    #[test]
    fn what_lies_on_an_image_of_the_engine_is_forgotten() {
        let records = [
            record("top", &["step"], "mount / from exec /bin/sh -c make"),
            record("step", &["rust-2"], "[chef 2/2] WORKDIR /app"),
            record("rust-1", &[], "pulled from docker.io/library/rust:1@sha256:ab"),
            record("rust-2", &["rust-1"], "pulled from docker.io/library/rust:1@sha256:ab"),
            record("debian", &[], "pulled from docker.io/library/debian:12"),
            record("run", &["debian"], "mount / from exec /bin/sh -c apt-get update"),
            record("both", &["run", "top"], "[runtime 2/2] COPY --from=chef /app /app"),
            record("mount", &[], "cached mount /target from exec /bin/sh -c make with id \"/app-target\""),
            record("context", &[], "local source for context"),
        ];
        let ids = |image: &str| -> Vec<String> {
            forgotten(&records, |name| name.starts_with(image)).iter().map(|record| record.id.clone()).collect()
        };
        assert_eq!(ids("docker.io/library/rust"), ["top", "step", "both"]);
        assert_eq!(ids("docker.io/library/debian"), ["run", "both"]);
        assert_eq!(ids("docker.io/library/node"), Vec::<String>::new());
    }
}
