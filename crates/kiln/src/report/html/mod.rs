//! The page: one file that needs nothing else, and that nothing in it can make do anything but show.
//!
//! Markup is put together from typed [`element`]s, which escape. The page forbids itself by its content security policy all scripts and styles
//! but its own two, told by their hashes, and everything from elsewhere. Charts are tables with bars in them, or drawings with a table beside
//! them, so that each can be read without seeing it. Builds other than the one that is shown wait as text, already escaped, until they are chosen.

mod bench;
mod bytes;
mod chosen;
mod element;
mod graph;
mod history;
mod misses;
mod picture;
mod replay;
mod summary;
mod timeline;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use self::element::{Element, Markup, element, void};
use self::picture::defs;
use super::Report;
use crate::text::{Text, count};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The page of a report.
#[must_use]
pub fn page(report: &Report) -> String {
    let head = element("head")
        .with(void("meta").at("charset", "utf-8"))
        .with(void("meta").at("http-equiv", "Content-Security-Policy").at("content", policy()))
        .with(void("meta").at("name", "viewport").at("content", "width=device-width, initial-scale=1"))
        .with(void("meta").at("name", "color-scheme").at("content", "light dark"))
        .with(void("meta").at("name", "referrer").at("content", "no-referrer"))
        .with(element("title").with(format!("{}: builds", report.project)))
        .with(element("style").with(Markup::asset(STYLE)));
    let body = element("body")
        .with(element("a").class("skip").at("href", "#main").with("To the pictures"))
        .with(defs())
        .with(header(report))
        .with(main(report))
        .with(footer(report))
        .with(element("script").with(Markup::asset(SCRIPT)));
    let page: Markup = element("html").at("lang", "en").with(head).with(body).into();
    format!("<!doctype html>\n{}\n", page.into_string())
}

/// Only this page's own style and script, nothing from anywhere, nothing sent anywhere.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!("default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'")
}

fn header(report: &Report) -> Element {
    let title = element("h1").with(element("span").class("project").with(&report.project)).with(" builds");
    let runs = report.runs.len();
    let mut from = Text::new(count(report.builds.len(), "recorded build"));
    if let (Some(first), Some(last)) = (report.builds.first(), report.builds.last()) {
        let day = |build: &super::Build| build.started.strftime("%Y-%m-%d").to_string();
        let (first, last) = (day(first), day(last));
        from += &if first == last { format!(" of {first}") } else { format!(" from {first} to {last}") };
    }
    if runs > 0 {
        from += format_args!(" and {}", count(runs, "bench run"));
    }
    let from = from.finish();
    let made = report.made.strftime("%Y-%m-%d %H:%M UTC").to_string();
    element("header").with(title).with(element("p").class("from").with(format!("From {from}. Made {made}.")))
}

fn main(report: &Report) -> Element {
    let mut main = element("main").at("id", "main").with(summary::tiles(report));
    if report.builds.is_empty() {
        let text = "No build is recorded yet. `kiln build` records each; then `kiln report` shows it here.";
        main = main.with(element("p").class("none").with(text));
    } else {
        main = main.with(history::section(report)).with(chosen::section(report));
    }
    main.with(bench::section(report)).with(together(report))
}

/// What all builds, or all commits, have in common.
fn together(report: &Report) -> Markup {
    let pictures = Markup::from_iter([misses::picture(report), replay::picture(report), bytes::figures(report)]);
    if pictures == Markup::new() {
        return pictures;
    }
    let section = element("section").at("aria-labelledby", "h-cost").with(heading("h-cost", "All builds together"));
    section.with(pictures).into()
}

/// The heading of a section.
fn heading(id: &'static str, text: &str) -> Element {
    element("h2").at("id", id).with(text)
}

fn footer(report: &Report) -> Element {
    let mut footer = element("footer");
    if !report.unreadable.is_empty() {
        let summary = format!(
            "{} could not be read and {} left out",
            count(report.unreadable.len(), "file"),
            were(report.unreadable.len())
        );
        let list = element("ul").all(report.unreadable.iter().take(20).map(|why| element("li").with(why)));
        footer = footer.with(element("details").with(element("summary").with(summary)).with(list));
    }
    if report.stage_builds > 0 {
        let text =
            format!("Left out: {} of single stages (`kiln warm`, `kiln build --target`).", count(report.stage_builds, "build"));
        footer = footer.with(element("p").with(text));
    }
    let version = crate::files::VERSION;
    footer.with(element("p").with(format!(
        "Written by kiln {version}. Times are wall times as the engine tells them; the page holds all it shows and loads nothing."
    )))
}

const fn were(number: usize) -> &'static str {
    if number == 1 { "was" } else { "were" }
}
