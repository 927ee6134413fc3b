//! What cargo noted of each unit: its fingerprint, and those of the units it was compiled with.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::step::{StepError, parallel};
use super::target::{UnitId, Units, entries};

impl Units {
    /// What cargo noted of each unit.
    ///
    /// # Errors
    /// [`StepError::Io`], when a folder cannot be read.
    pub(super) fn linkages(&self) -> Result<Linkages, StepError> {
        let all = self.all();
        let links = parallel(&all, |unit| self.linkage(unit))?;
        Ok(Linkages(all.into_iter().cloned().zip(links).collect()))
    }

    fn linkage(&self, unit: &UnitId) -> Result<Linkage, StepError> {
        let mut linkage = Linkage::default();
        for path in entries(&self.fingerprint(unit))? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            // What a unit read is a note of its own, and no text.
            if name.starts_with("dep-") || name.ends_with(".json") {
                continue;
            }
            let Some(hash) = fs::read_to_string(&path).ok().and_then(|text| fingerprint_hash(&text)) else { continue };
            linkage.own.push(hash);
            let details = path.with_file_name(format!("{name}.json"));
            let later = modified(&details).zip(modified(&path)).is_some_and(|(details, hash)| details >= hash);
            match fs::read(&details).ok().and_then(|bytes| serde_json::from_slice::<Fingerprint>(&bytes).ok()).filter(|_| later) {
                Some(fingerprint) => linkage.dependencies.extend(fingerprint.deps.into_iter().map(|(_, _, _, hash)| hash)),
                // cargo was killed between the two files.
                None => linkage.torn = true,
            }
        }
        Ok(linkage)
    }
}

/// What cargo noted of units, by unit, sorted.
#[derive(Debug)]
pub(super) struct Linkages(Vec<(UnitId, Linkage)>);

impl Linkages {
    /// Units without the fingerprint that cargo writes at the end: it does their work again.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &UnitId> {
        self.0.iter().filter(|(_, linkage)| linkage.own.is_empty()).map(|(unit, _)| unit)
    }

    /// Finished units of which it is not known what they were compiled with: cargo was killed while it noted that, or a unit that
    /// they were compiled with has been made anew since.
    pub(super) fn doubtful(&self) -> impl Iterator<Item = &UnitId> {
        let present: HashSet<u64> = self.0.iter().flat_map(|(_, linkage)| linkage.own.iter().copied()).collect();
        let doubtful = move |linkage: &Linkage| linkage.torn || linkage.dependencies.iter().any(|hash| !present.contains(hash));
        self.0.iter().filter(move |(_, linkage)| !linkage.own.is_empty() && doubtful(linkage)).map(|(unit, _)| unit)
    }

    /// Units and all that were compiled with them, directly or not: nearer ones first.
    #[must_use]
    pub(super) fn with_dependents(&self, units: Vec<UnitId>) -> Vec<UnitId> {
        let mut dependents: HashMap<u64, Vec<&UnitId>> = HashMap::new();
        let mut own: HashMap<&UnitId, &[u64]> = HashMap::new();
        for (unit, linkage) in &self.0 {
            own.insert(unit, &linkage.own);
            for dependency in &linkage.dependencies {
                dependents.entry(*dependency).or_default().push(unit);
            }
        }
        let mut found = units;
        let mut known: HashSet<UnitId> = found.iter().cloned().collect();
        let mut next = 0;
        while let Some(unit) = found.get(next) {
            let fingerprints = own.get(unit).copied().unwrap_or_default();
            let reached: Vec<&UnitId> = fingerprints.iter().filter_map(|one| dependents.get(one)).flatten().copied().collect();
            for unit in reached {
                if known.insert(unit.clone()) {
                    found.push(unit.clone());
                }
            }
            next += 1;
        }
        found
    }
}

/// A unit's fingerprint, and those of its dependencies.
#[derive(Debug, Default)]
struct Linkage {
    own: Vec<u64>,
    dependencies: Vec<u64>,
    torn: bool,
}

/// What is read of cargo's fingerprint: for each dependency its package, name, whether it is public, and its fingerprint's hash.
#[derive(Debug, Deserialize)]
struct Fingerprint {
    deps: Vec<(u64, String, bool, u64)>,
}

/// A hash as cargo writes it: the bytes in hexadecimal digits, lowest first.
fn fingerprint_hash(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim(), 16).ok().filter(|_| text.trim().len() == 16).map(u64::swap_bytes)
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
