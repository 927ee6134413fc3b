//! What the builder's own garbage collection will take, when, and the setting that keeps caches bounded but safe.

use serde::Serialize;

use crate::engine::{GcPolicy, GcRule};

/// The kind of record of a cache mount.
pub const MOUNT: &str = "exec.cachemount";
/// The kind of record of a layer.
pub const LAYER: &str = "regular";

/// The first rule that takes records of a kind while they are wanted, and when it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// [`MOUNT`] or [`LAYER`].
    pub kind: &'static str,
    /// Number of the rule, as `docker buildx inspect` counts them.
    pub rule: usize,
    /// It takes what was not used for so many seconds; without, what was used longest ago goes first.
    pub unused_seconds: Option<u64>,
    /// It begins when the whole cache is larger than this.
    pub above_bytes: Option<u64>,
    /// It begins when the disk has less than this free.
    pub below_free_bytes: Option<u64>,
    /// Whether the cache is that large now.
    pub due: bool,
    /// Whether the engine has this rule but never applies it: releases from 29.6 on do.
    pub dormant: bool,
}

/// Mounts that no build used for less than this are still wanted: over a holiday.
const WANTED_SECONDS: u64 = 14 * 86_400;

/// What each rule will do to mounts and layers. `cache_bytes` is the size of the whole cache.
#[must_use]
pub fn forecast(policy: &GcPolicy, cache_bytes: u64) -> Vec<Forecast> {
    let of = |kind: &'static str| {
        let takes = move |rule: &GcRule| rule.kinds.is_empty() || rule.kinds.iter().any(|own| own == kind);
        policy.rules.iter().enumerate().filter(move |(_, rule)| takes(rule)).map(move |(number, rule)| Forecast {
            kind,
            rule: number,
            unused_seconds: rule.unused_seconds,
            above_bytes: rule.max_used.or(rule.reserved),
            below_free_bytes: rule.min_free,
            due: !rule.never_matches && rule.max_used.or(rule.reserved).is_none_or(|bound| cache_bytes > bound),
            dormant: rule.never_matches,
        })
    };
    let mut found: Vec<Forecast> = of(MOUNT).chain(of(LAYER)).collect();
    // Rules with the same effect, one for internal records, say the same twice.
    found.dedup_by(|b, a| {
        (a.kind, a.unused_seconds, a.above_bytes, a.below_free_bytes)
            == (b.kind, b.unused_seconds, b.above_bytes, b.below_free_bytes)
    });
    found
}

/// Whether this rule takes cache mounts that are still wanted, such as those of a project that rests for a weekend.
#[must_use]
pub fn endangers_mounts(forecast: &Forecast) -> bool {
    forecast.kind == MOUNT && forecast.unused_seconds.is_some_and(|seconds| seconds < WANTED_SECONDS)
}

/// What a setting is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// Docker Engine 28 or later: a piece of `daemon.json`.
    Docker,
    /// BuildKit in a builder of its own: a piece of `buildkitd.toml`.
    Buildkitd,
}

/// A piece of configuration under which the builder keeps what was used last, mounts like layers, up to a bound.
#[must_use]
pub fn setting(daemon: Daemon) -> String {
    match daemon {
        Daemon::Docker => r#"{
  "builder": {
    "gc": {
      "enabled": true,
      "policy": [
        { "all": true, "reservedSpace": "20GB", "maxUsedSpace": "60GB" }
      ]
    }
  }
}
"#
        .to_owned(),
        Daemon::Buildkitd => r#"[worker.oci]
  gc = true

  [[worker.oci.gcpolicy]]
    all = true
    reservedSpace = "20GB"
    maxUsedSpace = "60GB"
"#
        .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = "GC Policy rule#0:\n All: false\n Filters: type==source.local,type==exec.cachemount,type==source.git.checkout\n \
        Keep Duration: 48h0m0s\n Max Used Space: 1.4GiB\nGC Policy rule#1:\n Keep Duration: 1440h0m0s\n Max Used Space: 80GiB\n\
        GC Policy rule#2:\n Max Used Space: 80GiB\nGC Policy rule#3:\n All: true\n Max Used Space: 80GiB\n";

    #[test]
    fn the_default_policy_takes_mounts_after_two_days() {
        let policy = GcPolicy::read(DEFAULT);
        let found = forecast(&policy, 3 << 30);
        let dangers: Vec<&Forecast> = found.iter().filter(|forecast| endangers_mounts(forecast)).collect();
        assert_eq!(dangers.len(), 1);
        assert_eq!((dangers[0].rule, dangers[0].unused_seconds, dangers[0].due), (0, Some(172_800), true));
        assert!(!forecast(&policy, 1 << 30)[0].due);
        assert_eq!(found.iter().filter(|forecast| forecast.kind == LAYER).count(), 2);
        let old = forecast(&policy.for_engine(Some("28.5.2")), 3 << 30);
        assert!(old[0].dormant && !old[0].due);
    }

    #[test]
    fn what_the_setting_makes_is_no_danger() {
        let policy = GcPolicy::read("GC Policy rule#0:\n All:            true\n Reserved Space: 20GiB\n Max Used Space: 60GiB\n");
        assert!(!forecast(&policy, 1 << 40).iter().any(endangers_mounts));
        assert!(serde_json::from_str::<serde_json::Value>(&setting(Daemon::Docker)).is_ok());
    }
}
