//! One build: what it did, chosen from the history.

use super::element::{Element, Markup, element};
use super::{graph, heading, history, timeline};
use crate::report::terminal::{changed, outcome};
use crate::report::{Build, Report};
use crate::text::bytes;

pub(super) fn section(report: &Report) -> Element {
    let last = report.last();
    let Some(featured) = last.first() else { return element("section") };
    let shown = element("div").at("id", "chosen").at("data-number", featured.number).with(details(featured));
    // All builds wait here as text, which costs a browser next to nothing; the script parses the chosen one. No text of others has a `<`, so
    // none of it can end the element.
    let waiting = report
        .builds
        .iter()
        .map(|build| element("script").at("type", "text/html").at("id", format!("build-{}", build.number)).with(details(build)));
    element("section")
        .at("aria-labelledby", "h-build")
        .with(heading("h-build", "One build"))
        .with(history::chooser(report, featured.number))
        .with(element("p").class("unseen").at("id", "said").at("role", "status"))
        .with(shown)
        .all(waiting)
}

fn details(build: &Build) -> Markup {
    let when = build.started.strftime("%Y-%m-%d %H:%M:%S UTC");
    let mut facts = vec![format!("{}, {when}", build.name()), outcome(build)];
    facts.extend(build.size.map(|size| format!("image {}", bytes(size))));
    facts.extend((build.context_bytes > 0).then(|| format!("{} sent to the engine", bytes(build.context_bytes))));
    facts.push(changed(&build.change));
    let mut all = Markup::from(element("ul").class("facts").all(facts.into_iter().map(|fact| element("li").with(fact))));
    all.add(failure(build));
    all.add(element("div").class("pair").with(timeline::picture(build)).with(graph::picture(build)));
    all
}

/// Why there is no image, with the end of the output of the step that is to blame.
fn failure(build: &Build) -> Markup {
    let Some(error) = &build.error else { return Markup::new() };
    let mut failure = element("div").class("failure").with(element("p").with(element("b").with("No image: ")).with(error));
    for step in build.steps.iter().filter(|step| !step.log.is_empty()) {
        let caption = element("p").with("The end of what ").with(element("b").with(&step.label)).with(" printed:");
        let log = element("pre").at("tabindex", "0").at("role", "group").at("aria-label", format!("Output of {}", step.label));
        failure = failure.with(caption).with(log.with(step.log.join("\n")));
    }
    failure.into()
}
