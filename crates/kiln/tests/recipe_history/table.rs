//! What was found, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::replay::{Outcome, Pair, Tally};

/// Of long lists only so much is shown: the rest is in the folder.
const SHOWN: usize = 3;

/// The table of all repositories, in Markdown, with a line of sums.
pub(crate) fn markdown(rows: &[Outcome]) -> String {
    let mut text = String::from(
        "| repository | commits | refused by cargo | units changed | kiln: changed | false | missed | other units in the stub | \
         cargo-chef: changed | false | missed | `--bin`: changed | false | missed |\n|---|",
    );
    text.push_str(&"---:|".repeat(13));
    text.push('\n');
    let mut sums = vec![0; 13];
    for row in rows {
        let mut numbers = vec![row.commits, row.refused.len(), row.changes];
        numbers.extend(tally(&row.kiln));
        numbers.push(row.unequal.len());
        numbers.extend(tally(&row.chef));
        numbers.extend(tally(&row.chef_binary));
        sums.iter_mut().zip(&numbers).for_each(|(sum, number)| *sum += number);
        line(&mut text, &row.name, &numbers);
    }
    line(&mut text, "all", &sums);
    text
}

fn tally(tally: &Tally) -> [usize; 3] {
    [tally.changes, tally.fakes.len(), tally.missed.len()]
}

fn line(text: &mut String, name: &str, numbers: &[usize]) {
    let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
    let _ = writeln!(text, "| {name} | {} |", numbers.join(" | "));
}

/// What needs a look: each false and missed change of kiln's, and whatever was refused.
pub(crate) fn details(row: &Outcome) -> String {
    let mut text = format!(
        "{}: {} commits, {} put to cargo ({} only for proof), {} changes of units, {} recipes\n",
        row.name, row.commits, row.asked, row.sampled, row.changes, row.stubs
    );
    for (what, tally) in [("kiln", &row.kiln), ("cargo-chef", &row.chef), ("cargo-chef --bin", &row.chef_binary)] {
        if tally.failures > 0 {
            let _ = writeln!(text, "  {what} made no recipe: {}", tally.failures);
        }
    }
    for (what, pairs) in [("false", &row.kiln.fakes), ("missed", &row.kiln.missed)] {
        for Pair { commits, recipes } in pairs {
            let _ = writeln!(text, "  {what}: {} (recipes {})", commits.join(" "), recipes.join(" "));
        }
    }
    if row.unequal.len() > SHOWN {
        let _ = writeln!(text, "  other units in the stubs of {} commits, the first of them:", row.unequal.len());
    }
    for (commit, missing, surplus) in row.unequal.iter().take(SHOWN) {
        let _ = writeln!(text, "  other units: {commit}: {} missing, {} surplus", missing.len(), surplus.len());
        for (sign, units) in [('-', missing), ('+', surplus)] {
            for unit in units.iter().take(SHOWN) {
                let _ = writeln!(text, "    {sign} {unit}");
            }
        }
    }
    for (who, refused) in [("cargo", &row.refused), ("kiln", &row.refused_by_kiln)] {
        let mut reasons: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for (commit, reason) in refused {
            reasons.entry(reason).or_insert((0, commit)).0 += 1;
        }
        for (reason, (count, commit)) in reasons {
            let _ = writeln!(text, "  refused by {who}: {count} ({commit} first): {}", reason.replace('\n', "\n    "));
        }
    }
    text
}
