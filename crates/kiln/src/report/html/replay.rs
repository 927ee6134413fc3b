//! What would past commits have cost? One row for each image and Dockerfile, with the files that cost most.

use super::element::{Element, Markup, element};
use super::picture::{Piece, Scale, bar, cell, figure, table};
use crate::replay::{Replay, ReplayedImage, Whose, WorstFile};
use crate::report::Report;
use crate::text::{count, seconds};

/// How many files a row names.
const NAMED: usize = 8;

/// Nothing where `kiln replay` was never run.
pub(super) fn picture(report: &Report) -> Markup {
    let Some(replay) = report.replay.as_ref().filter(|replay| !replay.images.is_empty()) else { return Markup::new() };
    let question = format!("What would the last {} have cost?", count(replay.commits.len(), "commit"));
    let timed = replay.images.iter().any(|image| image.totals.seconds > 0.0);
    let worth = |image: &ReplayedImage| if timed { image.totals.seconds } else { image.totals.steps as f64 };
    let scale = Scale::new(replay.images.iter().map(worth).fold(0.0, f64::max));
    let over: Markup = if timed { scale.axis().into() } else { "Steps that run".into() };
    let heads: [Markup; 5] = ["Dockerfile".into(), over, "Took".into(), "Steps".into(), "Commits".into()];
    let body = element("tbody").all(replay.images.iter().map(|image| row(image, scale, worth(image), replay.commits.len())));
    let table = table("rows replay", &question, &heads).with(body);
    figure(&question, &answer(replay), table).into()
}

fn answer(replay: &Replay) -> String {
    let day = |commit: Option<&crate::replay::ReplayedCommit>| {
        commit.map(|commit| commit.time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
    };
    let (first, last) = (day(replay.commits.first()), day(replay.commits.last()));
    let rule = format!("Commits from {first} to {last}, each built after the one before it; nothing was built to know this.");
    let unmeasured: usize = replay.images.iter().map(|image| image.totals.unmeasured).sum();
    match unmeasured {
        0 => rule,
        some => format!("{rule} For {} there is no measured time, and none is counted.", count(some, "step")),
    }
}

fn row(image: &ReplayedImage, scale: Scale, worth: f64, commits: usize) -> Element {
    let name = image.variant.map_or_else(|| image.service.clone(), |variant| format!("{} {}", image.service, variant.name()));
    let (own, class) = match image.whose {
        Whose::Repository => (format!("{name}: {}", image.dockerfile), "ran"),
        Whose::Kiln => (format!("{name}: as kiln would write it"), "s-kiln"),
    };
    let worst = image.worst.iter().filter(|file| file.alone > 0).take(NAMED);
    let list = element("ul").all(worst.map(|file| element("li").with(blame(file))));
    let name = element("details").with(element("summary").with(element("b").with(own))).with(list);
    let took = match (image.totals.seconds > 0.0, image.totals.steps) {
        (true, _) => seconds(image.totals.seconds),
        (false, 0) => seconds(0.0),
        (false, _) => "not known".to_owned(),
    };
    element("tr")
        .with(element("th").at("scope", "row").with(name))
        .with(cell("", bar(scale, &[Piece { from: 0.0, to: worth, class }])))
        .with(cell("number", took))
        .with(cell("number", image.totals.steps.to_string()))
        .with(cell("number", format!("{} of {commits}", image.totals.rebuilds)))
}

/// `docs/changelog.md: 41 rebuilds, 3 h 20 min; ignore it`
fn blame(file: &WorstFile) -> String {
    let time = if file.seconds > 0.0 { format!(", {}", seconds(file.seconds)) } else { String::new() };
    let way_out = if file.ignorable { "; ignore it" } else { "" };
    format!("{}: {}{time}{way_out}", file.path, count(file.alone, "rebuild"))
}
