//! The first look: what the last build of each image took, and what a source edit saves.

use super::element::{Element, element};
use crate::bench::result::Results;
use crate::report::measured::{Saving, first_savings};
use crate::report::{Build, Report};
use crate::text::{bytes, count, seconds};

pub(super) fn tiles(report: &Report) -> Element {
    let lanes = report.lanes();
    let latest = lanes.values().filter_map(|builds| builds.iter().copied().rev().find(|build| build.ending.is_some()));
    let mut tiles: Vec<Element> = latest.map(last).collect();
    tiles.extend(saved(report));
    element("ul").class("tiles").all(tiles)
}

fn tile(name: &str, figure: &str, below: &str) -> Element {
    let parts = [("name", name), ("figure", figure), ("below", below)];
    element("li").all(parts.map(|(class, text)| element("span").class(class).with(text)))
}

fn last(build: &Build) -> Element {
    let mut parts = vec![match build.ran() {
        0 => "nothing ran".to_owned(),
        ran => format!("{} ran", count(ran, "step")),
    }];
    parts.push(format!("{} cached", build.cached()));
    parts.extend(build.size.map(bytes));
    let name = format!("last build of {}", build.name());
    let figure = if build.succeeded() { seconds(build.seconds) } else { "no image".to_owned() };
    tile(&name, &figure, &parts.join(", "))
}

fn saved(report: &Report) -> Vec<Element> {
    let rows = report.main_run().map(Results::rows).unwrap_or_default();
    let shown = |Saving { row, percent, .. }: Saving<'_>| {
        let name = format!("source edit of {}, measured", row.service);
        let below = format!("{percent:.0} % less than a naive Dockerfile");
        let doubt = if row.noisy { "~ " } else { "" };
        tile(&name, &format!("{doubt}{}", seconds(row.seconds.median)), &below)
    };
    first_savings(&rows).into_iter().map(shown).collect()
}
