//! What the engine's own garbage collection will do to the project's caches.

use jiff::{SignedDuration, Timestamp};
use kiln::lifecycle::gc::{Forecast, MOUNT, endangers_mounts};
use kiln::lifecycle::status::{Entry, EntryKind, Inventory, Shared};
use kiln::text::{Text, bytes};

use crate::commands::cached::span;

/// How many mounts a rule is spelled out for.
const SPELLED_OUT: usize = 5;

/// What the engine's garbage collection will take, and when. `setting` is the command that prints how to keep mounts.
pub(super) fn text(inventory: &Inventory, forecasts: &[Forecast], cache_bytes: u64, setting: &str, now: Timestamp) -> String {
    if forecasts.is_empty() {
        return "the engine's garbage collection: off, or the builder does not tell its rules\n".to_owned();
    }
    let mut text = Text::new("the engine's garbage collection\n");
    for forecast in forecasts {
        let when = conditions(forecast, cache_bytes);
        if endangers_mounts(forecast) {
            danger(&mut text, inventory, forecast, &when, now);
            let about = if forecast.dormant {
                "this engine has that rule and never applies it, but releases from 29.6 on do: "
            } else {
                ""
            };
            text += format_args!("    {about}`{setting}` prints the setting that keeps mounts\n");
            continue;
        }
        let (what, kind) = match forecast.kind {
            MOUNT => ("mounts", EntryKind::Mount),
            _ => ("layers", EntryKind::Layer),
        };
        let how = forecast.unused_seconds.map_or_else(
            || ", those first that were not used for longest".to_owned(),
            |seconds| format!(" after {} without a build", span(seconds)),
        );
        let sum = inventory.sum(|entry| entry.kind == kind && entry.shared == Shared::No);
        text += format_args!("  {what}, {}, are removed{how}{when}\n", bytes(sum.bytes));
    }
    text.finish()
}

/// A rule that takes mounts while they are wanted, spelled out for each of the largest.
fn danger(text: &mut Text, inventory: &Inventory, forecast: &Forecast, when: &str, now: Timestamp) {
    let limit = forecast.unused_seconds.unwrap_or_default();
    let removed = if forecast.dormant { "would be removed" } else { "is removed" };
    let mut mounts: Vec<&Entry> = inventory.entries.iter().filter(|entry| entry.kind == EntryKind::Mount).collect();
    mounts.sort_by_key(|entry| std::cmp::Reverse(entry.bytes));
    for entry in mounts.iter().take(SPELLED_OUT) {
        let left = left(entry, limit, now).filter(|_| !forecast.dormant);
        let left = left.map_or_else(String::new, |left| format!(" ({left})"));
        *text += format_args!(
            "  the mount `{}`, {}, {removed} after {} without a build{left}{when}\n",
            entry.what,
            bytes(entry.bytes),
            span(limit)
        );
    }
    let rest: u64 = mounts.iter().skip(SPELLED_OUT).map(|entry| entry.bytes).sum();
    if mounts.is_empty() {
        *text += format_args!("  a mount {removed} after {} without a build{when}; this project has none\n", span(limit));
    } else if mounts.len() > SPELLED_OUT {
        *text += format_args!("  its other mounts, {}, likewise\n", bytes(rest));
    }
}

/// `in 46 h if none comes`
fn left(entry: &Entry, limit: u64, now: Timestamp) -> Option<String> {
    let used = entry.last_used.or(entry.created)?;
    let limit = SignedDuration::from_secs(i64::try_from(limit).ok()?);
    let left = limit - now.duration_since(used);
    let seconds = u64::try_from(left.as_secs()).unwrap_or_default();
    Some(if seconds == 0 { "that is now".to_owned() } else { format!("in {} if none comes", span(seconds)) })
}

/// `, once the whole cache is above 40.0 GB (1.5 GB now)`
fn conditions(forecast: &Forecast, cache_bytes: u64) -> String {
    let size =
        forecast.above_bytes.map(|bound| format!("the whole cache is above {} ({} now)", bytes(bound), bytes(cache_bytes)));
    let disk = forecast.below_free_bytes.map(|bound| format!("less than {} of the disk is free", bytes(bound)));
    let conditions: Vec<String> = size.into_iter().chain(disk).collect();
    if conditions.is_empty() { String::new() } else { format!(", once {}", conditions.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kiln::engine::GcPolicy;
    use kiln::lifecycle::gc::forecast;

    use super::*;

    /// BuildKit's own policy, as `docker buildx inspect` prints it.
    const DEFAULT: &str = "GC Policy rule#0:\n All: false\n Filters: type==source.local,type==exec.cachemount,type==source.git.checkout\n \
        Keep Duration: 48h0m0s\n Max Used Space: 1.4GiB\nGC Policy rule#1:\n Keep Duration: 1440h0m0s\n Max Used Space: 80GiB\n Min Free Space: 20GiB\n";
    const SETTING: &str = "kiln init --gc docker";

    fn mount(what: &str, megabytes: u64, hours_ago: i64, now: Timestamp) -> Entry {
        Entry {
            id: what.to_owned(),
            kind: EntryKind::Mount,
            owners: BTreeSet::new(),
            stages: BTreeSet::new(),
            what: what.to_owned(),
            bytes: megabytes * 1_000_000,
            created: None,
            last_used: Some(now - SignedDuration::from_hours(hours_ago)),
            hits: 0,
            shared: Shared::No,
            in_use: false,
            current: true,
            units: None,
        }
    }

    fn shown(version: Option<&str>, mounts: &[(&str, u64, i64)]) -> String {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10_000);
        let entries = mounts.iter().map(|(what, megabytes, hours)| mount(what, *megabytes, *hours, now)).collect();
        let inventory = Inventory { entries, ..Inventory::default() };
        let policy = GcPolicy::read(DEFAULT).for_engine(version);
        text(&inventory, &forecast(&policy, 3_200_000_000), 3_200_000_000, SETTING, now)
    }

    #[test]
    fn each_mount_that_goes_soon_is_named_with_its_time_and_the_setting_that_keeps_it() {
        assert_eq!(
            shown(Some("29.6.1"), &[("shop-npm", 20, 50), ("shop-target", 1500, 2)]),
            "the engine's garbage collection\n  \
             the mount `shop-target`, 1.5 GB, is removed after 48 h without a build (in 46 h if none comes), once the whole cache is above 1.5 GB (3.2 GB now)\n  \
             the mount `shop-npm`, 20.0 MB, is removed after 48 h without a build (that is now), once the whole cache is above 1.5 GB (3.2 GB now)\n    \
             `kiln init --gc docker` prints the setting that keeps mounts\n  \
             mounts, 1.5 GB, are removed after 60 days without a build, once the whole cache is above 85.9 GB (3.2 GB now) or less than 21.5 GB of the disk is free\n  \
             layers, 0 B, are removed after 60 days without a build, once the whole cache is above 85.9 GB (3.2 GB now) or less than 21.5 GB of the disk is free\n"
        );
    }

    #[test]
    fn what_an_engine_never_does_is_said_to_be_so() {
        let text = shown(Some("28.5.2"), &[("shop-target", 1500, 2)]);
        assert!(text.contains("`shop-target`, 1.5 GB, would be removed after 48 h without a build, once"), "{text}");
        assert!(
            text.contains(
                "    this engine has that rule and never applies it, but releases from 29.6 on do: `kiln init --gc docker` prints"
            ),
            "{text}"
        );
    }

    #[test]
    fn many_mounts_are_summed_up_and_none_are_not_made_up() {
        let names: Vec<String> = (0..7).map(|number| format!("m{number}")).collect();
        let mounts: Vec<(&str, u64, i64)> = names.iter().map(|name| (name.as_str(), 10, 1)).collect();
        assert!(shown(Some("29.6.1"), &mounts).contains("  its other mounts, 20.0 MB, likewise\n"));
        assert!(shown(Some("29.6.1"), &[]).contains("  a mount is removed after 48 h without a build, once"));
    }
}
