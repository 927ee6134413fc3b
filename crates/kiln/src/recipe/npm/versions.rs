//! Masked versions of local packages.

use std::collections::BTreeMap;

use crate::project::node::{Range, Version};

/// The masked version of each local package that has one: the lowest that answers every range put to it as the real one does.
///
/// A range that holds the real version makes a package manager link the local package, one that does not makes it install another;
/// both must stay so. `ranges` are the specifiers under which packages ask for a name. With none to satisfy it is `0.0.0`.
pub(super) fn masked_versions(
    versions: &BTreeMap<String, String>,
    ranges: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, String> {
    let masked = versions.iter().map(|(name, version)| {
        let asked = ranges.get(name).map(Vec::as_slice).unwrap_or_default();
        (name.clone(), masked_version(version, asked))
    });
    masked.collect()
}

fn masked_version(real: &str, asked: &[String]) -> String {
    const ZERO: &str = "0.0.0";
    let Some(version) = Version::parse(real) else { return real.to_owned() };
    let ranges = asked.iter().filter_map(|text| Range::parse(bare(text))).collect::<Vec<_>>();
    let answers_alike = |candidate: &Version| ranges.iter().all(|range| range.contains(candidate) == range.contains(&version));
    let bounds = ranges.iter().flat_map(Range::lower_bounds);
    let mut candidates = bounds.chain([Version::new(0, 0, 0)]).filter(|candidate| answers_alike(candidate)).collect::<Vec<_>>();
    candidates.sort();
    if ranges.is_empty() { ZERO.to_owned() } else { candidates.first().map_or_else(|| real.to_owned(), ToString::to_string) }
}

/// The range in `workspace:^1.2.0` and `npm:^1.2.0`.
fn bare(specifier: &str) -> &str {
    match specifier.strip_prefix("workspace:").or_else(|| specifier.strip_prefix("npm:")) {
        Some("^" | "~") => "*",
        Some(rest) => rest,
        None => specifier,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_answers_every_range_as_the_real_version_does() {
        let table: [(&str, &[&str], &str); 9] = [
            ("1.4.2", &[], "0.0.0"),
            ("1.4.2", &["*"], "0.0.0"),
            ("1.4.2", &["workspace:^"], "0.0.0"),
            ("1.4.2", &["^1.2.0"], "1.2.0"),
            ("1.4.2", &["^1.2.0", "^1.3.0", "file:../x"], "1.3.0"),
            ("1.4.2", &["workspace:^1.2.0"], "1.2.0"),
            ("1.4.2", &["1.4.2"], "1.4.2"),
            ("1.4.2", &["^1.0.0", "^0.9.0"], "1.0.0"),
            ("2.0.0-rc.1", &["^1.0.0"], "0.0.0"),
        ];
        for (real, asked, expected) in table {
            let asked = asked.iter().map(|range| (*range).to_owned()).collect::<Vec<_>>();
            assert_eq!(masked_version(real, &asked), expected, "{real} {asked:?}");
        }
    }

    #[test]
    fn a_bump_within_the_ranges_leaves_the_mask_alone() {
        let asked = ["^1.2.0".to_owned()];
        assert_eq!(masked_version("1.2.0", &asked), masked_version("1.9.9", &asked));
        assert_ne!(masked_version("1.2.0", &asked), masked_version("2.0.0", &asked));
    }
}
