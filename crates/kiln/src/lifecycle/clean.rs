//! Which cached things of a project may go.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::status::{Entry, EntryKind, Inventory, Shared};
use crate::engine::{CacheRecord, forgotten};

/// How much is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What no Dockerfile, lock or branch of the project can use any more; also what was not used since.
    Stale {
        /// Older than this goes, too.
        unused_since: Option<Timestamp>,
    },
    /// Everything of the project.
    All,
}

/// Why something that was asked for stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Another project uses it.
    Shared,
    /// A build works with it.
    InUse,
    /// Something that stays lies on top of it.
    Below,
}

/// What goes and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Ids of records to remove.
    pub remove: BTreeSet<String>,
    /// Ids of what would go, if it could.
    pub kept: BTreeMap<String, Kept>,
}

/// What a builder with the containerd store would lose with any removal; see [`forgotten`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stake {
    /// Layers that it would never find again though they stay on the disk: this project's own that stay, and those of others.
    pub layers: usize,
    /// The base images on which they lie; none where the engine had them before its builder, which then does not name them.
    pub images: BTreeSet<String>,
}

/// What else would be lost if the choice were removed; `None` if nothing would. `unpacked` tells of a base image whether the engine has
/// it by itself, and not only its builder.
#[must_use]
pub fn at_stake(records: &[CacheRecord], choice: &Choice, unpacked: impl Fn(&str) -> bool) -> Option<Stake> {
    if choice.remove.is_empty() {
        return None;
    }
    let bases: BTreeSet<&str> = records.iter().filter_map(CacheRecord::base_image).filter(|image| unpacked(image)).collect();
    let lost = forgotten(records, |image| bases.contains(image));
    let layers = lost.iter().filter(|record| !choice.remove.contains(&record.id)).count();
    let images = || bases.iter().map(|image| image.split('@').next().unwrap_or(image).to_owned()).collect();
    (layers > 0).then(|| Stake { layers, images: images() })
}

/// Chooses among a project's entries. Nothing is chosen that a record lies on which is not chosen itself, whoever's it is.
#[must_use]
pub fn choose(inventory: &Inventory, records: &[CacheRecord], extent: Extent) -> Choice {
    let wanted = |entry: &&Entry| match extent {
        Extent::All => entry.kind != EntryKind::Tool,
        Extent::Stale { unused_since } => {
            entry.kind != EntryKind::Tool
                && (!entry.current
                    || unused_since.zip(entry.last_used.or(entry.created)).is_some_and(|(bound, used)| used < bound))
        }
    };
    let mut choice = Choice::default();
    for entry in inventory.entries.iter().filter(wanted) {
        let kept = match entry {
            Entry { in_use: true, .. } => Some(Kept::InUse),
            Entry { shared: Shared::Others, .. } => Some(Kept::Shared),
            _ => None,
        };
        match kept {
            Some(why) => {
                choice.kept.insert(entry.id.clone(), why);
            }
            None => {
                choice.remove.insert(entry.id.clone());
            }
        }
    }
    loop {
        let stays = records.iter().filter(|record| !choice.remove.contains(&record.id));
        let below: BTreeSet<String> =
            stays.flat_map(|record| &record.parents).filter(|parent| choice.remove.contains(*parent)).cloned().collect();
        if below.is_empty() {
            return choice;
        }
        for id in below {
            choice.remove.remove(&id);
            choice.kept.insert(id, Kept::Below);
        }
    }
}
