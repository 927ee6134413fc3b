//! Versions and ranges as npm understands them.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

/// A version: three numbers and perhaps a prerelease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// First number.
    pub major: u64,
    /// Second number.
    pub minor: u64,
    /// Third number.
    pub patch: u64,
    /// What follows the hyphen, dot by dot.
    pub prerelease: Vec<String>,
}

impl Version {
    /// A release.
    #[must_use]
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch, prerelease: Vec::new() }
    }

    /// Parses a whole version; a leading `v` or `=` and build metadata are ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let partial = Partial::parse(text)?;
        Some(Self { major: partial.major?, minor: partial.minor?, patch: partial.patch?, prerelease: partial.prerelease })
    }

    const fn numbers(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if self.prerelease.is_empty() { Ok(()) } else { write!(f, "-{}", self.prerelease.join(".")) }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(&other.numbers()).then_with(|| match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.prerelease.iter().zip(&other.prerelease);
                let first = pairs.map(|(a, b)| compare_identifiers(a, b)).find(|order| order.is_ne());
                first.unwrap_or_else(|| self.prerelease.len().cmp(&other.prerelease.len()))
            }
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn compare_identifiers(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// A range such as `^1.2 || >=3 <4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Any of these; each is a list of comparators that must all hold.
    alternatives: Vec<Vec<Comparator>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparator {
    operator: Operator,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Exactly,
}

impl Range {
    /// Parses a range. `None` where the text is something else: a tag, a URL, a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let alternatives = text.split("||").map(alternative).collect::<Option<Vec<_>>>()?;
        Some(Self { alternatives })
    }

    /// Whether the version is in the range, prereleases as npm has it: only where the range itself names one of that version.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|comparators| {
            let holds = comparators.iter().all(|comparator| {
                let order = version.cmp(&comparator.version);
                match comparator.operator {
                    Operator::Less => order.is_lt(),
                    Operator::AtMost => order.is_le(),
                    Operator::Greater => order.is_gt(),
                    Operator::AtLeast => order.is_ge(),
                    Operator::Exactly => order.is_eq(),
                }
            });
            holds
                && (version.prerelease.is_empty()
                    || comparators.iter().any(|c| !c.version.prerelease.is_empty() && c.version.numbers() == version.numbers()))
        })
    }

    /// The lowest versions that the alternatives begin with.
    #[must_use]
    pub fn lower_bounds(&self) -> Vec<Version> {
        let mut bounds = Vec::new();
        for comparators in &self.alternatives {
            for comparator in comparators {
                match comparator.operator {
                    Operator::AtLeast | Operator::Exactly | Operator::AtMost => bounds.push(comparator.version.clone()),
                    Operator::Greater => {
                        let Version { major, minor, patch, .. } = comparator.version;
                        bounds.push(Version::new(major, minor, patch + 1));
                    }
                    Operator::Less => {}
                }
            }
        }
        bounds.sort();
        bounds.dedup();
        bounds
    }
}

/// A version with parts left out, or `x`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    prerelease: Vec<String>,
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['v', '=', 'V']).trim();
        let text = text.split_once('+').map_or(text, |(before, _)| before);
        let (numbers, prerelease) = text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)));
        let mut parts = [None; 3];
        let mut open = false;
        for (index, part) in numbers.split('.').enumerate() {
            let slot = parts.get_mut(index)?;
            match part {
                "x" | "X" | "*" => open = true,
                "" if numbers.is_empty() => open = true,
                number => {
                    let number = number.parse::<u64>().ok()?;
                    if !open {
                        *slot = Some(number);
                    }
                }
            }
        }
        let prerelease = match prerelease {
            Some(rest) if parts[2].is_some() && !rest.is_empty() => rest.split('.').map(str::to_owned).collect(),
            Some(_) if parts[2].is_some() => return None,
            _ => Vec::new(),
        };
        Some(Self { major: parts[0], minor: parts[1], patch: parts[2], prerelease })
    }

    fn floor(&self) -> Version {
        Version {
            major: self.major.unwrap_or(0),
            minor: self.minor.unwrap_or(0),
            patch: self.patch.unwrap_or(0),
            prerelease: self.prerelease.clone(),
        }
    }

    /// The first version after all that the partial covers; `None` for `*`.
    fn ceiling(&self) -> Option<Version> {
        match (self.major, self.minor, self.patch) {
            (None, ..) => None,
            (Some(major), None, _) => Some(Version::new(major + 1, 0, 0)),
            (Some(major), Some(minor), None) => Some(Version::new(major, minor + 1, 0)),
            (Some(major), Some(minor), Some(patch)) => Some(Version::new(major, minor, patch + 1)),
        }
    }
}

fn alternative(text: &str) -> Option<Vec<Comparator>> {
    let text = text.trim();
    if let Some((low, high)) = text.split_once(" - ") {
        let (low, high) = (Partial::parse(low)?, Partial::parse(high)?);
        let mut comparators = vec![Comparator { operator: Operator::AtLeast, version: low.floor() }];
        if high.patch.is_some() {
            comparators.push(Comparator { operator: Operator::AtMost, version: high.floor() });
        } else if let Some(version) = high.ceiling() {
            comparators.push(Comparator { operator: Operator::Less, version });
        }
        return Some(comparators);
    }
    let mut comparators = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let at = word.find(|c: char| !matches!(c, '<' | '>' | '=' | '^' | '~')).unwrap_or(word.len());
        let (operator, rest) = word.split_at(at);
        let rest = if rest.is_empty() && !operator.is_empty() { words.next()? } else { rest };
        push(operator, &Partial::parse(rest)?, &mut comparators)?;
    }
    Some(comparators)
}

fn push(operator: &str, partial: &Partial, into: &mut Vec<Comparator>) -> Option<()> {
    let mut add = |operator, version| into.push(Comparator { operator, version });
    match operator {
        "" | "=" | "==" if partial.patch.is_some() => add(Operator::Exactly, partial.floor()),
        "" | "=" | "==" | "~" | "~>" | "^" => {
            if partial.major.is_none() {
                return Some(());
            }
            let ceiling = match (operator, partial.major, partial.minor, partial.patch) {
                ("~" | "~>", Some(major), Some(minor), Some(_)) => Some(Version::new(major, minor + 1, 0)),
                ("^", Some(0), Some(0), Some(patch)) => Some(Version::new(0, 0, patch + 1)),
                ("^", Some(0), Some(minor), _) => Some(Version::new(0, minor + 1, 0)),
                ("^", Some(major), ..) => Some(Version::new(major + 1, 0, 0)),
                _ => partial.ceiling(),
            };
            add(Operator::AtLeast, partial.floor());
            // `<2.0.0-0`: no prerelease of the ceiling is in the range.
            add(Operator::Less, Version { prerelease: vec!["0".to_owned()], ..ceiling? });
        }
        ">=" => add(Operator::AtLeast, partial.floor()),
        "<" => add(Operator::Less, partial.floor()),
        ">" if partial.patch.is_some() => add(Operator::Greater, partial.floor()),
        ">" => add(Operator::AtLeast, partial.ceiling()?),
        "<=" if partial.patch.is_some() => add(Operator::AtMost, partial.floor()),
        "<=" => {
            if let Some(version) = partial.ceiling() {
                add(Operator::Less, version);
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_npm_says_they_hold() {
        let table = [
            ("^1.2.3", "1.9.0", true),
            ("^1.2.3", "2.0.0", false),
            ("^1.2.3", "2.0.0-rc.1", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("~1.2.3", "1.2.9", true),
            ("~1.2", "1.3.0", false),
            ("~1", "1.9.9", true),
            ("1.x", "1.5.0", true),
            ("1.2.*", "1.3.0", false),
            ("*", "7.0.0", true),
            ("", "7.0.0", true),
            ("1.2.3", "1.2.4", false),
            ("=1.2.3", "1.2.3", true),
            ("v1.2.3", "1.2.3", true),
            (">=18", "24.99.99", true),
            (">= 18 < 20", "18.99.99", true),
            (">=18 <20", "20.0.0", false),
            (">18", "18.5.0", false),
            ("<=18", "18.5.0", true),
            ("^18.17.0 || >=20.5.0", "20.4.0", false),
            ("^18.17.0||>=20.5.0", "18.20.0", true),
            ("1.2.3 - 1.4", "1.4.9", true),
            ("1.2.3 - 1.4.0", "1.4.1", false),
            ("^1.0.0-rc.1", "1.0.0-rc.2", true),
            ("^1.0.0-rc.1", "1.0.1-rc.2", false),
            (">=1.0.0", "2.0.0-rc.2", false),
        ];
        for (range, version, expected) in table {
            let parsed = Range::parse(range).unwrap();
            assert_eq!(parsed.contains(&Version::parse(version).unwrap()), expected, "{range} {version}");
        }
    }

    #[test]
    fn what_is_no_range_is_not_taken_for_one() {
        for text in ["latest", "git+ssh://git@example/x.git", "file:../x", "workspace:*", "npm:foo@1", "1.2.3.4", "catalog:"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }

    #[test]
    fn prereleases_are_ordered_number_by_number() {
        let sorted =
            ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0"].map(|v| Version::parse(v).unwrap());
        assert!(sorted.is_sorted());
    }
}
