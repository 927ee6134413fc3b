//! The garbage collection of a builder, as `docker buildx inspect` prints it.

use serde::Serialize;

/// Rules, in the order in which the builder applies them after builds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcPolicy {
    /// The rules; none if garbage collection is off, or the builder does not tell.
    pub rules: Vec<GcRule>,
}

/// One rule: what it takes, and what it leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcRule {
    /// Whether internal records count, too.
    pub all: bool,
    /// Kinds of records that it takes, such as `exec.cachemount`; all when empty.
    pub kinds: Vec<String>,
    /// Whether the engine joins several kinds by "and": such a rule never matches anything.
    pub never_matches: bool,
    /// Seconds a record has to be unused.
    pub unused_seconds: Option<u64>,
    /// Bytes of the whole cache that it always leaves.
    pub reserved: Option<u64>,
    /// Bytes of the whole cache above which it takes.
    pub max_used: Option<u64>,
    /// Bytes of the disk that it tries to keep free.
    pub min_free: Option<u64>,
}

impl GcPolicy {
    /// Reads `docker buildx inspect`. Of several nodes the first is taken.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut rules: Vec<GcRule> = Vec::new();
        for line in text.lines() {
            if let Some(number) = line.trim().strip_prefix("GC Policy rule#") {
                if number.trim_end_matches(':') == "0" && !rules.is_empty() {
                    break;
                }
                rules.push(GcRule::default());
                continue;
            }
            let (Some(rule), Some((key, value))) = (rules.last_mut(), line.trim().split_once(':')) else { continue };
            let value = value.trim();
            match key.trim() {
                "All" => rule.all = value == "true",
                "Filters" => {
                    let kinds = value.split(',').filter_map(|part| part.split_once("==")).filter(|(key, _)| *key == "type");
                    rule.kinds = kinds.map(|(_, kind)| kind.to_owned()).collect();
                }
                "Keep Duration" => rule.unused_seconds = duration(value),
                "Reserved Space" | "Keep Bytes" => rule.reserved = size(value),
                "Max Used Space" => rule.max_used = size(value),
                "Min Free Space" => rule.min_free = size(value),
                _ => {}
            }
        }
        Self { rules }
    }

    /// Marks the rules that this version of Docker's own builder can never apply: before 29.6 it joins the types of its default rule by
    /// "and".
    #[must_use]
    pub fn for_engine(mut self, version: Option<&str>) -> Self {
        let mut numbers = version.unwrap_or_default().split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next())
            && (major, minor) < (29, 6)
        {
            for rule in &mut self.rules {
                rule.never_matches = rule.kinds.len() > 1;
            }
        }
        self
    }
}

impl GcRule {
    /// Whether it takes cache mounts.
    #[must_use]
    pub fn takes(&self, kind: &str) -> bool {
        !self.never_matches && (self.kinds.is_empty() || self.kinds.iter().any(|own| own == kind))
    }
}

/// `48h0m0s`
fn duration(text: &str) -> Option<u64> {
    let mut seconds = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        let factor = match &rest[end..unit_end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        seconds += (number * factor) as u64;
        rest = &rest[unit_end..];
    }
    Some(seconds)
}

/// `20GiB`, `488.3MiB`: binary units.
fn size(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 6] =
        [("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("TiB", 1_099_511_627_776.0), ("B", 1.0), ("", 1.0)];
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    number.trim().parse::<f64>().ok().filter(|number| *number > 0.0).map(|number| (number * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSPECT: &str = "Name:          default\nDriver:        docker\n\nNodes:\nName:             default\n\
        GC Policy rule#0:\n All:            false\n Filters:        type==source.local,type==exec.cachemount,type==source.git.checkout\n \
        Keep Duration:  48h0m0s\n Max Used Space: 1.381GiB\nGC Policy rule#1:\n All:            false\n Keep Duration:  1440h0m0s\n \
        Reserved Space: 10GiB\n Max Used Space: 80GiB\n Min Free Space: 20GiB\nGC Policy rule#2:\n All:  true\n Reserved Space: 10GiB\n";

    #[test]
    fn rules_are_read() {
        let policy = GcPolicy::read(INSPECT);
        assert_eq!(policy.rules.len(), 3);
        assert_eq!((policy.rules[0].unused_seconds, policy.rules[0].kinds.len()), (Some(172_800), 3));
        assert_eq!(policy.rules[1].max_used, Some(80 << 30));
        assert!(policy.rules[0].takes("exec.cachemount") && !policy.rules[0].takes("regular"));
        assert!(policy.rules[2].all && policy.rules[2].takes("regular"));
        assert_eq!(GcPolicy::read("nothing").rules, []);
    }

    #[test]
    fn an_old_engine_never_applies_its_first_rule() {
        for (version, expected) in [("28.5.2+dfsg4", true), ("29.5.0", true), ("29.6.0", false), ("", false)] {
            let policy = GcPolicy::read(INSPECT).for_engine(Some(version));
            assert_eq!((policy.rules[0].never_matches, policy.rules[1].never_matches), (expected, false), "{version}");
        }
    }
}
