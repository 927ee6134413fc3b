//! What the engine's own garbage collection will do to the project's caches.

use kiln::lifecycle::gc::{Forecast, MOUNT, endangers_mounts};
use kiln::lifecycle::status::{Entry, EntryKind, Inventory, Shared};
use kiln::text::{Text, bytes};

use crate::commands::cached::span;

/// How many mounts a rule is spelled out for.
const SPELLED_OUT: usize = 5;

/// What the engine's garbage collection will take, and when.
pub(super) fn text(inventory: &Inventory, forecasts: &[Forecast], cache_bytes: u64) -> String {
    if forecasts.is_empty() {
        return "garbage collection: off, or the builder does not tell its rules\n".to_owned();
    }
    let mut text = Text::default();
    for forecast in forecasts {
        let what = if forecast.kind == MOUNT { "mounts" } else { "layers" };
        let kind = if forecast.kind == MOUNT { EntryKind::Mount } else { EntryKind::Layer };
        let after = forecast.unused_seconds.map_or_else(
            || "from the one that was used longest ago on".to_owned(),
            |seconds| format!("after {} without a build", span(seconds)),
        );
        let when = conditions(forecast, cache_bytes);
        if endangers_mounts(forecast) {
            let mut mounts: Vec<&Entry> = inventory.entries.iter().filter(|entry| entry.kind == kind).collect();
            mounts.sort_by_key(|entry| std::cmp::Reverse(entry.bytes));
            let removed = if forecast.dormant { "would be removed" } else { "is removed" };
            for entry in mounts.iter().take(SPELLED_OUT) {
                text += format_args!("the mount `{}`, {}, {removed} {after}{when}\n", entry.what, bytes(entry.bytes));
            }
            let rest: u64 = mounts.iter().skip(SPELLED_OUT).map(|entry| entry.bytes).sum();
            if rest > 0 {
                text += format_args!("other mounts, {}, likewise\n", bytes(rest));
            }
            if forecast.dormant {
                text += format_args!("this engine has that rule but never applies it; releases from 29.6 on do\n");
            }
            text += format_args!("`kiln init --gc docker` (or `buildkitd`) prints the setting that keeps them\n");
        } else {
            let sum = inventory.sum(|entry| entry.kind == kind && entry.shared == Shared::No);
            text += format_args!("{what}, {}, are removed {after}{when}\n", bytes(sum.bytes));
        }
    }
    text.finish()
}

/// `, once the whole cache is above 40.0 GB (1.5 GB now)`
fn conditions(forecast: &Forecast, cache_bytes: u64) -> String {
    let size =
        forecast.above_bytes.map(|bound| format!("the whole cache is above {} ({} now)", bytes(bound), bytes(cache_bytes)));
    let disk = forecast.below_free_bytes.map(|bound| format!("less than {} of the disk is free", bytes(bound)));
    let conditions: Vec<String> = size.into_iter().chain(disk).collect();
    if conditions.is_empty() { String::new() } else { format!(", once {}", conditions.join(" or ")) }
}
