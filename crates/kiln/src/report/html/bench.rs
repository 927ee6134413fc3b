//! How long does a change take, with kiln and with other ways to build? A bar for each scenario and strategy. What did the builds need?

use std::collections::BTreeMap;

use super::element::{Element, Markup, element, sentence};
use super::heading;
use super::picture::{Piece, Scale, bar, capital, cell, figure, legend, table, whisker};
use crate::bench::result::{Results, Row};
use crate::bench::{Scenario, Strategy};
use crate::report::Report;
use crate::report::measured::{self, Need, Saving, needs, savings, work};
use crate::text::{count, seconds};

/// How many earlier runs are shown.
const EARLIER: usize = 5;
/// Seconds of a build that does nothing: what it takes more or less than another says nothing.
const IDLE: f64 = 0.5;

pub(super) fn section(report: &Report) -> Element {
    let section = element("section").at("aria-labelledby", "h-bench").with(heading("h-bench", "Measured"));
    let Some(main) = report.main_run() else {
        let text = "Nothing is measured yet. `kiln bench --quick` takes some minutes and compares usual changes in a copy of the repository.";
        return section.with(element("p").class("none").with(text));
    };
    let earlier: Vec<&Results> = report.runs.iter().filter(|run| run.header.name != main.header.name).take(EARLIER).collect();
    let mut section = section.with(picture(main));
    if !earlier.is_empty() {
        let summary = element("summary").with(count(earlier.len(), "other run"));
        section = section.with(element("details").class("data").with(summary).all(earlier.into_iter().map(picture)));
    }
    section
}

/// A figure for each service, with a scale of its own: what is quick in one may be slow in another.
fn picture(run: &Results) -> Markup {
    let rows = run.rows();
    let mut services: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        services.entry(&row.service).or_default().push(row);
    }
    let mut all: Markup = services.into_iter().map(|(service, rows)| of_service(run, service, &rows)).collect();
    all.add(needed(&rows));
    all.add(notes(run, &rows));
    all
}

fn of_service(run: &Results, service: &str, rows: &[&Row]) -> Element {
    let question = format!("How long does a change to {service} take, with kiln and with other ways to build?");
    let scale = Scale::new(rows.iter().map(|row| row.seconds.max).fold(0.0, f64::max));
    let heads: [Markup; 6] =
        ["Built by".into(), scale.axis().into(), "Median".into(), "Samples".into(), "Compared".into(), "Work".into()];
    let mut groups: BTreeMap<Scenario, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.scenario).or_default().push(row);
    }
    let bodies = groups.into_iter().map(|(scenario, rows)| {
        if rows.len() > 1 && rows.iter().all(|row| row.seconds.max < IDLE) {
            return idle(scenario, &rows);
        }
        let what = run.what.get(&scenario).filter(|what| *what != "nothing is edited");
        let what: Markup = what.map_or_else(Markup::new, |what| element("span").class("edit").with(sentence(what)).into());
        let head = element("th").at("scope", "rowgroup").at("colspan", "6").with(name(scenario)).with(what);
        element("tbody").with(element("tr").class("group").with(head)).all(rows.into_iter().map(|measured| row(measured, scale)))
    });
    let used: Vec<(&'static str, &str)> = Strategy::ALL
        .into_iter()
        .filter(|strategy| rows.iter().any(|row| row.strategy == *strategy))
        .map(|strategy| (class(strategy), words(strategy)))
        .collect();
    figure(&question, &answer(rows), table("rows bench", &question, &heads).all(bodies)).with(legend(&used))
}

/// `source-bin: a line in the binary's main source file`
fn name(scenario: Scenario) -> Markup {
    Markup::from_iter([element("b").with(scenario.name()).into(), Markup::from(format!(": {}", scenario.description()))])
}

/// A scenario in which nobody had anything to do is one row: bars would only differ by chance.
fn idle(scenario: Scenario, rows: &[&Row]) -> Element {
    let most = rows.iter().map(|row| row.seconds.max).fold(0.0, f64::max);
    let head = element("th").at("scope", "rowgroup").at("colspan", "2").with(name(scenario));
    let number = cell("number", format!("≤ {}", seconds(most)));
    let all = element("td").class("what").at("colspan", "3").with("all alike: nothing to do");
    element("tbody").with(element("tr").class("group").with(head).with(number).with(all))
}

/// The source edits, as they are what a day is made of.
fn answer(rows: &[&Row]) -> String {
    let said = savings(rows.iter().copied()).into_iter().map(|Saving { row, naive, percent }| {
        let (took, before) = (seconds(row.seconds.median), seconds(naive));
        format!("{} takes {took} in place of {before} ({percent:.0} % less)", row.scenario.name())
    });
    let said: Vec<String> = said.take(3).collect();
    if said.is_empty() { String::new() } else { format!("{}.", said.join("; ")) }
}

fn row(row: &Row, scale: Scale) -> Element {
    let piece = Piece { from: 0.0, to: row.seconds.median, class: class(row.strategy) };
    let mut drawing = bar(scale, &[piece]);
    if row.samples > 1 {
        drawing = drawing.with(whisker(scale, row.seconds.min, row.seconds.max));
    }
    let against = match (row.strategy, row.reduction_pct, row.times_kiln) {
        _ if row.seconds.median < IDLE => String::new(),
        (Strategy::Kiln, Some(percent), _) if percent < 0.0 => format!("{:.0} % more than naive", -percent),
        (Strategy::Kiln, Some(percent), _) => format!("{percent:.0} % less than naive"),
        (Strategy::Kiln, ..) => String::new(),
        (_, _, Some(times)) => format!("{times:.1} × kiln"),
        _ => String::new(),
    };
    let doubt = if row.noisy { "~ " } else { "" };
    let range = if row.samples > 1 {
        format!("{}: {} to {}", row.samples, seconds(row.seconds.min), seconds(row.seconds.max))
    } else {
        "1".to_owned()
    };
    element("tr")
        .with(element("th").at("scope", "row").with(row.strategy.name()))
        .with(cell("", drawing))
        .with(cell("number", format!("{doubt}{}", seconds(row.seconds.median))))
        .with(cell("what", range))
        .with(cell("what", against))
        .with(cell("what", work(row.steps_ran, row.local_crates + row.external_crates)))
}

const fn class(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Kiln => "s-kiln",
        Strategy::Naive => "s-naive",
        Strategy::Mounts => "s-mounts",
        Strategy::Chef => "s-chef",
        Strategy::Native => "s-native",
        Strategy::Own => "s-own",
    }
}

const fn words(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Kiln => "kiln",
        Strategy::Naive => "naive: COPY . . and build",
        Strategy::Mounts => "mounts: with cache mounts",
        Strategy::Chef => "chef: cargo-chef",
        Strategy::Native => "native: the work alone, without an image",
        Strategy::Own => "own: your Dockerfile as it is",
    }
}

/// What the builds needed besides time, as a table; nothing where nothing is known of it.
fn needed(rows: &[Row]) -> Markup {
    let needs = needs(rows);
    if needs.is_empty() {
        return Markup::new();
    }
    let question = "What did the builds need besides time?";
    let heads: Vec<Markup> = ["built by"].iter().chain(&Need::HEADS).map(|head| Markup::from(capital(head))).collect();
    let mut services: BTreeMap<&str, Vec<&Need>> = BTreeMap::new();
    for need in &needs {
        services.entry(&need.service).or_default().push(need);
    }
    let columns = heads.len();
    let bodies = services.into_iter().map(|(service, needs)| {
        let head = element("th").at("scope", "rowgroup").at("colspan", columns).with(element("b").with(service));
        let row = |need: &Need| {
            let name = element("th").at("scope", "row").with(need.strategy.name());
            element("tr").with(name).all(need.cells().map(|text| cell("number", text)))
        };
        element("tbody").with(element("tr").class("group").with(head)).all(needs.into_iter().map(row))
    });
    figure(question, "", table("needs", question, &heads).all(bodies)).into()
}

/// What a reader has to know about the numbers.
fn notes(run: &Results, rows: &[Row]) -> Element {
    let name = format!("run {} of {}", run.header.name, run.header.started.strftime("%Y-%m-%d %H:%M UTC"));
    let notes = std::iter::once(name).chain(measured::about(run, rows)).chain(measured::missing(run));
    element("ul").class("notes").all(notes.map(|note| element("li").with(sentence(&note))))
}
