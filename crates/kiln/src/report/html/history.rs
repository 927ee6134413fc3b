//! How long did builds take? Each build a mark, in the order of their begins; a lane for each image.

use super::element::{Element, Markup, element, void};
use super::heading;
use super::picture::figure;
use crate::record::Ending;
use crate::report::terminal::{changed, outcome};
use crate::report::{Build, Report};
use crate::text::{bytes, count, seconds};

/// Height of a lane.
const LANE: f64 = 110.0;
/// Room above and below the marks.
const PAD: f64 = 10.0;
/// Where lanes begin and end, in percent, so that no mark is cut.
const SIDES: (f64, f64) = (2.5, 97.5);

pub(super) fn section(report: &Report) -> Element {
    let question = "How long did builds take?";
    let body =
        Markup::from_iter([lanes(report), element("p").class("detail").at("id", "detail").at("aria-hidden", "true"), key()]);
    let figure = figure(question, &answer(report), body).with(table(report));
    element("section").at("aria-labelledby", "h-history").with(heading("h-history", "History")).with(figure)
}

/// The builds that did nothing against those that did.
fn answer(report: &Report) -> String {
    let median = |busy: bool| {
        let is = |build: &&Build| build.succeeded() && (build.ran() > 0) == busy;
        let builds: Vec<f64> = report.builds.iter().filter(is).map(|build| build.seconds).collect();
        crate::bench::statistics::Summary::of(builds.iter().copied()).map(|summary| (builds.len(), summary.median))
    };
    let part = |found: Option<(usize, f64)>, what: &str| {
        let (number, median) = found?;
        Some(format!("{} {what} (median {})", count(number, "build"), seconds(median)))
    };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(part(median(true), "had something to do"));
    parts.extend(part(median(false), "had nothing to do"));
    let lost = report.builds.iter().filter(|build| !build.succeeded()).count();
    if lost > 0 {
        parts.push(format!("{} gave no image", count(lost, "build")));
    }
    if parts.is_empty() { String::new() } else { format!("{}.", parts.join("; ")) }
}

/// A logarithmic scale: a build that does nothing and a first one are both to be seen.
#[derive(Debug, Clone, Copy)]
struct Log {
    least: f64,
    most: f64,
}

impl Log {
    fn of(report: &Report) -> Self {
        let times = || report.builds.iter().map(|build| build.seconds.max(0.01));
        let (least, most) = (times().fold(f64::MAX, f64::min), times().fold(0.0, f64::max));
        Self { least: least.min(0.5), most: most.max(least * 4.0).max(1.0) }
    }

    fn height(self, value: f64) -> f64 {
        let share = (value.max(0.01).ln() - self.least.ln()) / (self.most.ln() - self.least.ln());
        PAD + (1.0 - share.clamp(0.0, 1.0)) * (LANE - 2.0 * PAD)
    }

    fn ticks(self) -> impl Iterator<Item = f64> {
        [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0].into_iter().filter(move |tick| (self.least..=self.most).contains(tick))
    }
}

fn lanes(report: &Report) -> Element {
    let scale = Log::of(report);
    let across = |number: usize| {
        let steps = report.builds.len().max(2) - 1;
        SIDES.0 + (SIDES.1 - SIDES.0) * number as f64 / steps as f64
    };
    let featured = report.last().first().map(|build| build.number);
    let lanes = report.lanes().into_iter().map(|(name, builds)| {
        let axis = element("svg").class("ticks").at("width", "44").number("height", LANE).at("aria-hidden", "true");
        let axis = axis.all(scale.ticks().map(|tick| {
            let y = scale.height(tick) + 4.0;
            element("text").at("x", "40").number("y", y).at("text-anchor", "end").with(format!("{tick} s"))
        }));
        let grid = scale.ticks().map(|tick| {
            let y = scale.height(tick);
            element("line").class("grid").at("x1", "0").at("x2", "100%").number("y1", y).number("y2", y)
        });
        let commits = builds.iter().filter(|build| build.change.new_commit == Some(true)).map(|build| {
            let x = across(build.number);
            element("line").class("commit").percent("x1", x).percent("x2", x).at("y1", "0").number("y2", LANE)
        });
        let marks = builds.iter().map(|build| mark(build, across(build.number), scale, featured));
        let plot = element("svg")
            .class("plot")
            .at("width", "100%")
            .number("height", LANE)
            .at("role", "group")
            .at("aria-label", format!("Builds of {name}, the oldest first"))
            .all(grid)
            .all(commits)
            .all(marks);
        element("div").class("lane").with(element("h4").with(name)).with(axis).with(plot)
    });
    element("div").class("lanes").all(lanes).with(between(report))
}

/// The first and the last moment below the lanes. What lies between is in order, and not to scale.
fn between(report: &Report) -> Markup {
    let (Some(first), Some(last)) = (report.builds.first(), report.builds.last()) else { return Markup::new() };
    if first.number == last.number {
        return Markup::new();
    }
    let moment = |build: &Build| element("span").with(build.started.strftime("%Y-%m-%d %H:%M").to_string());
    let middle = element("span").with("in the order of their begins → heights on a logarithmic scale");
    element("p").class("between").with(moment(first)).with(middle).with(moment(last)).into()
}

fn mark(build: &Build, x: f64, scale: Log, featured: Option<usize>) -> Element {
    let y = scale.height(build.seconds);
    let dot = |class: &'static str| element("circle").class(class).percent("cx", x).number("cy", y).at("r", "4.5");
    let sign = |sign: &'static str| {
        element("text").class("sign").percent("x", x).number("y", y + 4.5).at("text-anchor", "middle").with(sign)
    };
    let shape = match build.ending {
        Some(Ending::Succeeded) if build.ran() > 0 => dot("busy"),
        Some(Ending::Succeeded) => dot("idle"),
        Some(Ending::Failed | Ending::Engine) => sign("✕"),
        Some(Ending::Interrupted) | None => sign("□"),
    };
    let is_featured = featured == Some(build.number);
    element("a")
        .at("href", format!("#build-{}", build.number))
        .at("data-build", build.number)
        .at("tabindex", if is_featured { "0" } else { "-1" })
        .at("aria-current", if is_featured { "true" } else { "false" })
        .with(element("title").with(sentence(build)))
        .with(shape)
}

/// What a mark stands for.
fn sentence(build: &Build) -> String {
    let when = build.started.strftime("%Y-%m-%d %H:%M");
    format!("{}, {when}: {}; {}", build.name(), outcome(build), changed(&build.change))
}

fn key() -> Element {
    let entry = |sign: Element, words: &'static str| element("li").with(sign).with(format!(" {words}"));
    let svg =
        |shape: Element| element("svg").class("plot").at("width", "14").at("height", "14").at("aria-hidden", "true").with(shape);
    let dot = |class: &'static str| svg(element("circle").class(class).at("cx", "7").at("cy", "7").at("r", "4.5"));
    let sign =
        |text: &'static str| svg(element("text").class("sign").at("x", "7").at("y", "11").at("text-anchor", "middle").with(text));
    let line = svg(element("line").class("commit").at("x1", "7").at("x2", "7").at("y1", "0").at("y2", "14"));
    let entries = [
        entry(dot("busy"), "steps ran"),
        entry(dot("idle"), "nothing to do"),
        entry(sign("✕"), "failed"),
        entry(sign("□"), "stopped, or no end recorded"),
        entry(line, "another commit than before"),
    ];
    element("ul").class("legend").all(entries)
}

/// The same as a table, the latest first.
fn table(report: &Report) -> Element {
    let heads = ["Begun (UTC)", "Image", "Took", "Steps ran", "Cached", "Crates", "Size", "What was built"];
    let row = |build: &Build| {
        let begun = build.started.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let link = element("a").at("href", format!("#build-{}", build.number)).at("data-build", build.number).with(begun);
        let numbers = [
            build.ran().to_string(),
            build.cached().to_string(),
            build.crates.to_string(),
            build.size.map(bytes).unwrap_or_default(),
        ];
        let how = if build.succeeded() { String::new() } else { format!("{}. ", how(build)) };
        element("tr")
            .with(element("th").at("scope", "row").with(link))
            .with(element("td").with(build.name()))
            .with(element("td").class("number").with(seconds(build.seconds)))
            .all(numbers.map(|number| element("td").class("number").with(number)))
            .with(element("td").with(how + &changed(&build.change)))
    };
    let table = element("table")
        .class("plain")
        .with(element("thead").with(element("tr").all(heads.map(|head| element("th").at("scope", "col").with(head)))))
        .with(element("tbody").all(report.builds.iter().rev().map(row)));
    element("details").class("data").with(element("summary").with("As a table")).with(element("div").class("scroll").with(table))
}

const fn how(build: &Build) -> &'static str {
    match build.ending {
        Some(Ending::Succeeded) => "Built",
        Some(Ending::Failed) => "Failed",
        Some(Ending::Interrupted) => "Stopped",
        Some(Ending::Engine) => "The engine failed",
        None => "No end",
    }
}

/// The list to choose a build from, with its neighbours.
pub(super) fn chooser(report: &Report, featured: usize) -> Element {
    let option = |build: &Build| {
        let when = build.started.strftime("%Y-%m-%d %H:%M:%S");
        let text = format!("{when}  {}  {}  {}", build.name(), how(build).to_lowercase(), seconds(build.seconds));
        element("option").at("value", build.number).flag("selected", build.number == featured).with(text)
    };
    let select = element("select").at("id", "choose").all(report.builds.iter().rev().map(option));
    let button = |id: &'static str, text: &'static str| element("button").at("type", "button").at("id", id).with(text);
    element("div")
        .class("chooser")
        .with(element("label").at("for", "choose").with("Build "))
        .with(select)
        .with(button("earlier", "Earlier"))
        .with(button("later", "Later"))
        .with(void("br").class("unseen"))
}
