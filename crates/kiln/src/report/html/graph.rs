//! Which stages had to run? The stages from top to bottom, each below those that it takes from.

use super::element::{Element, Markup, element};
use super::picture::figure;
use crate::report::{Build, Stage, StageState};
use crate::text::{count, seconds};

const WIDTH: f64 = 210.0;
const HEIGHT: f64 = 50.0;
const COLUMN: f64 = 250.0;
const ROW: f64 = 78.0;
const MARGIN: f64 = 6.0;
/// How far an edge that passes a row bows out, for each row.
const BOW: f64 = 16.0;

pub(super) fn picture(build: &Build) -> Markup {
    if build.stages.is_empty() {
        return Markup::new();
    }
    let question = "Which stages had to run?";
    figure(question, &answer(build), Markup::from_iter([drawing(build), words(build)])).into()
}

fn answer(build: &Build) -> String {
    let ran: Vec<&str> = names(build, StageState::Ran);
    let failed = names(build, StageState::Failed);
    let cached = names(build, StageState::Cached).len();
    let mut parts = Vec::new();
    if !failed.is_empty() {
        parts.push(format!("{} failed", failed.join(", ")));
    }
    if ran.is_empty() && failed.is_empty() {
        return format!("None ran: {} from the cache.", count(cached, "stage"));
    }
    if !ran.is_empty() {
        parts.push(format!("{} ran", ran.join(", ")));
    }
    if cached > 0 {
        parts.push(format!("{} came from the cache", count(cached, "stage")));
    }
    let text = parts.join("; ");
    format!("{text}.")
}

fn names(build: &Build, state: StageState) -> Vec<&str> {
    build.stages.iter().filter(|stage| stage.state == state).map(|stage| stage.name.as_str()).collect()
}

/// The middle of the top of each stage.
fn places(stages: &[Stage]) -> Vec<(f64, f64)> {
    let rows = stages.iter().map(|stage| stage.depth).max().unwrap_or(0) + 1;
    let mut used = vec![0_usize; rows];
    let place = |stage: &Stage| {
        let column = used[stage.depth];
        used[stage.depth] += 1;
        (MARGIN + WIDTH / 2.0 + COLUMN * column as f64, MARGIN + ROW * stage.depth as f64)
    };
    stages.iter().map(place).collect()
}

fn drawing(build: &Build) -> Element {
    let places = places(&build.stages);
    let right = places.iter().map(|(x, _)| *x).fold(0.0, f64::max) + WIDTH / 2.0;
    let bottom = places.iter().map(|(_, y)| *y).fold(0.0, f64::max) + HEIGHT + MARGIN;
    let longest = build
        .stages
        .iter()
        .flat_map(|stage| stage.inputs.iter().map(|input| stage.depth.saturating_sub(build.stages[*input].depth)));
    let bow = longest.max().filter(|rows| *rows > 1).map_or(0.0, |rows| BOW * rows as f64);
    let (width, height) = (right + bow + MARGIN, bottom);
    let edges = build
        .stages
        .iter()
        .zip(&places)
        .flat_map(|(stage, to)| stage.inputs.iter().map(|input| edge(&build.stages[*input], places[*input], stage, *to)));
    element("svg")
        .class("graph")
        .number("width", width)
        .number("height", height)
        .at("viewBox", format!("0 0 {width:.0} {height:.0}"))
        .at("role", "img")
        .at("aria-label", format!("The stages of {}; the table after it says the same", build.name()))
        .all(edges)
        .all(build.stages.iter().zip(&places).map(|(stage, at)| node(stage, *at)))
}

/// From below a stage to above the next; one that passes stages goes around them on the right.
fn edge(from: &Stage, (x, y): (f64, f64), to: &Stage, (to_x, to_y): (f64, f64)) -> Element {
    let rows = to.depth.saturating_sub(from.depth);
    let path = if rows > 1 {
        let (start, end, bow) = (x + WIDTH / 2.0, to_x + WIDTH / 2.0, BOW * rows as f64 * 1.3);
        let out = start.max(end) + bow;
        let (top, low) = (y + HEIGHT * 0.7, to_y + HEIGHT * 0.3);
        format!("M{start:.0} {top:.0}C{out:.0} {top:.0} {out:.0} {low:.0} {end:.0} {low:.0}")
    } else {
        let (top, middle) = (y + HEIGHT, (y + HEIGHT + to_y) / 2.0);
        format!("M{x:.0} {top:.0}C{x:.0} {middle:.0} {to_x:.0} {middle:.0} {to_x:.0} {to_y:.0}")
    };
    let critical = from.critical && to.critical;
    let (class, head) = if critical { ("edge critical", "url(#a-critical)") } else { ("edge", "url(#a-plain)") };
    element("path").class(class).at("d", path).at("marker-end", head)
}

fn node(stage: &Stage, (x, y): (f64, f64)) -> Element {
    let left = x - WIDTH / 2.0;
    let class = match stage.state {
        StageState::Cached => "node cached",
        StageState::Ran if stage.critical => "node ran critical",
        StageState::Ran => "node ran",
        StageState::Failed => "node failed",
        StageState::Skipped => "node skipped",
    };
    let shape = element("rect").number("x", left).number("y", y).number("width", WIDTH).number("height", HEIGHT).at("rx", "6");
    let text = |class: &'static str, below: f64, text: String| {
        element("text").class(class).number("x", left + 12.0).number("y", y + below).with(text)
    };
    let name = crate::report::visible::shortened(&stage.name, 26);
    element("g").class(class).with(shape).with(text("name", 20.0, name)).with(text("what", 38.0, state(stage)))
}

/// `● 2 of 5 steps ran, 60.3 s`
fn state(stage: &Stage) -> String {
    let all = stage.ran + stage.cached;
    match stage.state {
        StageState::Cached => format!("○ {} cached", count(stage.cached, "step")),
        StageState::Ran if stage.cached == 0 => format!("● {} ran, {}", count(all, "step"), seconds(stage.seconds)),
        StageState::Ran => format!("● {} of {} ran, {}", stage.ran, count(all, "step"), seconds(stage.seconds)),
        StageState::Failed => format!("✕ failed, {}", seconds(stage.seconds)),
        StageState::Skipped => "– not reached".to_owned(),
    }
}

/// The same for those who do not see it.
fn words(build: &Build) -> Element {
    let heads = ["Stage", "State", "Seconds", "Takes from", "Reads"].map(|head| element("th").at("scope", "col").with(head));
    let row = |stage: &Stage| {
        let from: Vec<&str> = stage.inputs.iter().map(|input| build.stages[*input].name.as_str()).collect();
        let contexts: Vec<&str> = stage.contexts.iter().map(String::as_str).collect();
        let cells = [state(stage), format!("{:.1}", stage.seconds), from.join(", "), contexts.join(", ")];
        let head = element("th").at("scope", "row").with(&stage.name);
        element("tr").with(head).all(cells.into_iter().map(|cell| element("td").with(cell)))
    };
    let table = element("table")
        .class("plain")
        .with(element("thead").with(element("tr").all(heads)))
        .with(element("tbody").all(build.stages.iter().map(row)));
    element("details").class("data").with(element("summary").with("As a table")).with(table)
}
