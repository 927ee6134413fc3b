//! Why did steps run? All recorded builds together, by reason.

use super::element::{Element, Markup, element};
use super::picture::{Piece, Scale, bar, cell, figure, table, time};
use crate::report::{Cause, MissSum, Report};
use crate::text::{count, seconds};

/// How many steps are named for each reason.
const NAMED: usize = 12;

/// Nothing where no step ran.
pub(super) fn picture(report: &Report) -> Markup {
    let misses = crate::report::misses(&report.builds);
    if misses.is_empty() {
        return Markup::new();
    }
    let question = "Why did steps run?";
    let scale = Scale::new(misses.iter().map(|miss| miss.seconds).fold(0.0, f64::max));
    let heads: [Markup; 5] = ["Reason".into(), scale.axis().into(), "Took".into(), "Steps".into(), "Builds".into()];
    let body = element("tbody").all(misses.iter().map(|miss| row(miss, scale)));
    figure(question, &answer(&misses, report.builds.len()), table("rows misses", question, &heads).with(body)).into()
}

fn answer(misses: &[MissSum], builds: usize) -> String {
    let all: f64 = misses.iter().map(|miss| miss.seconds).sum();
    let unknown: f64 =
        misses.iter().filter(|miss| matches!(miss.cause, None | Some(Cause::Unknown))).map(|miss| miss.seconds).sum();
    let steps = misses.iter().map(|miss| miss.steps).sum();
    let text = format!("{} ran in {} and took {}", count(steps, "step"), count(builds, "build"), seconds(all));
    if unknown > 0.0 { format!("{text}; for {} of it nothing is known of why.", seconds(unknown)) } else { format!("{text}.") }
}

fn row(miss: &MissSum, scale: Scale) -> Element {
    let reason = miss.cause.map_or("not recorded", Cause::words);
    let class = if matches!(miss.cause, None | Some(Cause::Unknown)) { "unknown" } else { "ran" };
    let step = |(name, took): &(String, f64)| element("li").with(format!("{name}, {}", seconds(*took)));
    let list = element("ul").all(miss.dearest.iter().take(NAMED).map(step));
    let rest = miss.dearest.len().saturating_sub(NAMED);
    let rest: Markup = if rest > 0 { element("p").with(format!("and {rest} more")).into() } else { Markup::new() };
    let name = element("details").with(element("summary").with(element("b").with(reason))).with(list).with(rest);
    element("tr")
        .with(element("th").at("scope", "row").with(name))
        .with(cell("", bar(scale, &[Piece { from: 0.0, to: miss.seconds, class }])))
        .with(time(miss.seconds))
        .with(cell("number", miss.steps.to_string()))
        .with(cell("number", miss.builds.to_string()))
}
