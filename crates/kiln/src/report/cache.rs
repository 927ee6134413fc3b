//! Where the bytes of the cache are, by what they are for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bytes, Part};
use crate::lifecycle::status::{EntryKind, Inventory};

/// Parts of what a builder holds of a project: of each service and variant its stages and contexts, then its mounts. What all projects
/// share is left out. The largest part of each comes first.
#[must_use]
pub fn cache_bytes(inventory: &Inventory) -> Vec<Bytes> {
    let joined = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    // Mounts come last; they belong to several stages, often of several services.
    let mut groups: BTreeMap<(bool, String), BTreeMap<String, u64>> = BTreeMap::new();
    for entry in &inventory.entries {
        let (group, part) = match entry.kind {
            EntryKind::Layer => ((false, joined(&entry.owners)), format!("stage {}", joined(&entry.stages))),
            EntryKind::Context => ((false, joined(&entry.owners)), "contexts".to_owned()),
            EntryKind::Mount => ((true, "cache mounts".to_owned()), entry.what.clone()),
            EntryKind::Tool => continue,
        };
        *groups.entry(group).or_default().entry(part).or_default() += entry.bytes;
    }
    let bytes = |((_, name), parts): ((bool, String), BTreeMap<String, u64>)| {
        let mut parts: Vec<Part> = parts.into_iter().map(|(name, bytes)| Part { name, bytes }).collect();
        parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        Bytes { name, parts }
    };
    groups.into_iter().map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::status::{Entry, Shared};

    #[test]
    fn stages_are_parts_of_their_images_and_mounts_stand_alone() {
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        let entry = |kind, owner: &str, stage: &str, what: &str, bytes| Entry {
            id: what.to_owned(),
            kind,
            owners: set(owner),
            stages: set(stage),
            what: what.to_owned(),
            bytes,
            created: None,
            last_used: None,
            hits: 0,
            shared: Shared::No,
            in_use: false,
            current: true,
            units: None,
        };
        let entries = vec![
            entry(EntryKind::Layer, "api-prod", "deps", "RUN cook", 10),
            entry(EntryKind::Layer, "api-prod", "deps", "COPY x y", 5),
            entry(EntryKind::Layer, "api-prod", "builder", "RUN compile", 40),
            entry(EntryKind::Context, "api-prod", "", "context", 2),
            entry(EntryKind::Mount, "api-prod", "deps", "shop-units", 100),
            entry(EntryKind::Layer, "web-prod", "deps", "RUN npm ci", 7),
            entry(EntryKind::Tool, "", "", "kiln", 9),
        ];
        let found = cache_bytes(&Inventory { entries, ..Inventory::default() });
        let shown: Vec<String> = found
            .iter()
            .map(|bytes| {
                let parts: Vec<String> = bytes.parts.iter().map(|part| format!("{} {}", part.name, part.bytes)).collect();
                format!("{}: {}", bytes.name, parts.join(", "))
            })
            .collect();
        assert_eq!(
            shown,
            ["api-prod: stage builder 40, stage deps 15, contexts 2", "web-prod: stage deps 7", "cache mounts: shop-units 100"]
        );
    }
}
