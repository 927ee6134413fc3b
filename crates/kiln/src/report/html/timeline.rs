//! Where did the time of a build go? Each step along the build's time.

use super::element::{Element, Markup, element};
use super::picture::{Piece, Scale, bar, cell, drawing, figure, legend, table, time};
use crate::event::StepStatus;
use crate::report::build::SHORT;
use crate::report::{Build, Step, sentence};
use crate::text::{bytes, count, seconds};

/// How many characters of an instruction stand in the row.
const CHARACTERS: usize = 56;

pub(super) fn picture(build: &Build) -> Element {
    let question = format!("Where did the time of this {} build go?", build.name());
    let scale = Scale::new(build.span());
    let heads: [Markup; 4] = ["Step".into(), scale.axis().into(), "Path".into(), "Took".into()];
    let mut body = element("tbody").all(build.shown().map(|step| row(step, scale)));
    for (status, words) in [(StepStatus::Cached, "from the cache"), (StepStatus::Skipped, "not reached")] {
        body = body.with(together(build, status, words));
    }
    let marks = [("critical", "on the critical path"), ("ran", "ran beside it"), ("failed", "failed")];
    let used = |class: &str| build.shown().any(|step| mark(step) == class);
    let marks: Vec<_> = marks.into_iter().filter(|(class, _)| used(class)).collect();
    let legend: Markup = if marks.is_empty() { Markup::new() } else { legend(&marks).into() };
    figure(&question, &answer(build), table("rows timeline", &question, &heads).with(body)).with(legend)
}

/// The critical path in a sentence.
fn answer(build: &Build) -> String {
    let critical: f64 = build.steps.iter().filter(|step| step.critical).map(|step| step.seconds).sum();
    let dearest = build.steps.iter().filter(|step| step.critical).max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let Some(dearest) = dearest.filter(|_| build.ran() > 0) else {
        return format!("No step ran: all {} came from the cache.", count(build.cached(), "step"));
    };
    let share = if build.seconds > 0.0 { (critical / build.seconds * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    let idle = build.seconds - working(build);
    let idle = if idle > build.seconds / 20.0 && idle > SHORT {
        format!(" For {} no step worked.", seconds(idle))
    } else {
        String::new()
    };
    format!(
        "The chain of steps that waited for each other took {} of {} ({share:.0} %); the longest of it, {}, {}.{idle}",
        seconds(critical),
        seconds(build.seconds),
        if dearest.place.is_some() { dearest.label.clone() } else { dearest.short(CHARACTERS) },
        seconds(dearest.seconds)
    )
}

/// Seconds in which at least one step worked.
fn working(build: &Build) -> f64 {
    let (mut total, mut covered) = (0.0, 0.0_f64);
    // Steps are in the order of their begin.
    for (begin, end) in build.steps.iter().filter_map(|step| step.times) {
        total += (end - begin.max(covered)).max(0.0);
        covered = covered.max(end);
    }
    total
}

const fn mark(step: &Step) -> &'static str {
    match step.status {
        StepStatus::Failed => "failed",
        _ if step.critical => "critical",
        _ => "ran",
    }
}

fn row(step: &Step, scale: Scale) -> Element {
    let bar: Element = match step.times {
        Some((from, to)) => bar(scale, &[Piece { from, to, class: mark(step) }]),
        None => drawing("bar", 1.0),
    };
    let what = match (step.status, step.critical) {
        (StepStatus::Failed, _) => "failed",
        (StepStatus::Running, _) => "cut off",
        (_, true) => "critical",
        _ => "beside",
    };
    let head = element("th").at("scope", "row").with(name(step));
    element("tr").with(head).with(cell("", bar)).with(cell("what", what)).with(time(step.seconds))
}

/// A step's name, which opens to all that is known of it.
fn name(step: &Step) -> Element {
    let label = element("b").with(&step.label);
    let summary = element("summary").with(label).with(" ").with(element("code").with(step.short(CHARACTERS)));
    let mut facts: Vec<String> = Vec::new();
    facts.extend(step.place.as_ref().and_then(|place| place.line).map(|line| format!("line {line} of the Dockerfile")));
    facts.extend(step.times.map(|(from, to)| format!("from {} to {}", seconds(from), seconds(to))));
    facts.extend((step.bytes > 0).then(|| format!("{} transferred", bytes(step.bytes))));
    let (local, external) = step.crates;
    facts.extend(
        (local + external > 0)
            .then(|| format!("cargo compiled {} of the repository and {external} others", count(local, "crate"))),
    );
    if step.place.is_some() && step.status == StepStatus::Ran {
        facts.push(if step.reasons.is_empty() {
            "why it ran was not recorded".to_owned()
        } else {
            format!("why it ran: {}", sentence::reasons(&step.reasons))
        });
    }
    let mut details = element("details").with(summary).with(element("code").class("whole").with(&step.text));
    details = details.with(element("p").with(facts.join("; ")));
    element("div").with(details)
}

/// Steps that have no time to show, in one row.
fn together(build: &Build, status: StepStatus, words: &str) -> Markup {
    let steps: Vec<&Step> = build.with_status(status).collect();
    if steps.is_empty() {
        return Markup::new();
    }
    let one = |step: &&Step| {
        element("li").with(element("b").with(&step.label)).with(" ").with(element("code").with(step.short(CHARACTERS)))
    };
    let list = element("ul").all(steps.iter().map(one));
    let summary = element("summary").with(format!("{} {words}", count(steps.len(), "step")));
    let head = element("th").at("scope", "row").with(element("details").with(summary).with(list));
    let marks = drawing("bar", 1.0);
    let what = if status == StepStatus::Cached { "cached" } else { "skipped" };
    element("tr").class("together").with(head).with(cell("", marks)).with(cell("what", what)).with(cell("number", "")).into()
}
