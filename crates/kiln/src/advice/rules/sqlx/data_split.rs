//! A package with data in several places.

use super::with_queries;
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-split",
    group: Group::Sqlx,
    severity: Severity::Note,
    summary: "the data of one package's queries lies in several places",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for split in with_queries(context).flat_map(|check| &check.split) {
        let places: Vec<_> = split.places.keys().filter_map(|place| context.relative(place)).collect();
        let [first, rest @ ..] = places.as_slice() else { continue };
        for place in rest {
            findings
                .on(
                    place,
                    format!("`{}` has data here and in {first}: `cargo sqlx prepare` renews only one of them", split.package),
                )
                .help("`kiln sqlx prepare --placement workspace`, or `package`, brings it together");
        }
    }
}
