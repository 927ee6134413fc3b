//! What all pictures share: the figure with its question, bars, and their scale.

use super::element::{Element, Markup, element};
use crate::text::seconds;

/// Height of a bar in pixels.
const BAR: f64 = 14.0;
/// Narrower bars could not be seen, in percent.
const THINNEST: f64 = 0.4;

/// A picture: the question that it answers, the answer in a sentence, the picture.
pub(super) fn figure(question: &str, answer: &str, body: impl Into<Markup>) -> Element {
    let caption = element("figcaption").with(element("h3").with(question)).with(if answer.is_empty() {
        Markup::new()
    } else {
        element("p").with(answer).into()
    });
    // Wide content scrolls in its own box, which the keyboard has to reach.
    let scroll = element("div").class("scroll").at("tabindex", "0").at("role", "group").at("aria-label", question);
    element("figure").with(caption).with(scroll.with(body))
}

/// A linear scale from zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    whole: f64,
}

impl Scale {
    pub(super) const fn new(whole: f64) -> Self {
        Self { whole }
    }

    /// Where a value is, in percent of the width.
    pub(super) fn percent(self, value: f64) -> f64 {
        if self.whole > 0.0 { (value / self.whole * 100.0).clamp(0.0, 100.0) } else { 0.0 }
    }

    /// At most five round values.
    fn ticks(self) -> Vec<f64> {
        if self.whole.is_nan() || self.whole <= 0.0 {
            return Vec::new();
        }
        let rough = self.whole / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
        (0..=5).map(|tick| f64::from(tick) * step).filter(|value| *value <= self.whole).collect()
    }

    /// The axis above bars, in seconds.
    pub(super) fn axis(self) -> Element {
        let svg = drawing("axis", 16.0);
        svg.all(self.ticks().into_iter().map(|tick| {
            let at = self.percent(tick);
            let anchor = if at < 1.0 {
                "start"
            } else if at > 92.0 {
                "end"
            } else {
                "middle"
            };
            let text = if tick < 1.0 && tick > 0.0 { format!("{tick:.1} s") } else { format!("{tick:.0} s") };
            element("text").percent("x", at).number("y", 12.0).at("text-anchor", anchor).with(text)
        }))
    }
}

/// A part of a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) from: f64,
    pub(super) to: f64,
    /// Says by a class what it looks like.
    pub(super) class: &'static str,
}

/// A bar as wide as its cell. Its numbers are in the cells beside it.
pub(super) fn bar(scale: Scale, pieces: &[Piece]) -> Element {
    drawing("bar", BAR).all(pieces.iter().map(|piece| {
        let from = scale.percent(piece.from);
        let width = (scale.percent(piece.to) - from).max(THINNEST);
        let from = from.min(100.0 - THINNEST);
        element("rect").at("class", piece.class).percent("x", from).percent("width", width).number("height", BAR)
    }))
}

/// A whisker over a bar: from the fastest to the slowest sample.
pub(super) fn whisker(scale: Scale, from: f64, to: f64) -> Element {
    let (from, to, middle) = (scale.percent(from), scale.percent(to), BAR / 2.0);
    element("line").class("whisker").percent("x1", from).percent("x2", to).number("y1", middle).number("y2", middle)
}

/// A drawing without a name of its own: what stands beside it says the same in words.
pub(super) fn drawing(class: &'static str, height: f64) -> Element {
    let svg = element("svg").class(class).at("width", "100%").number("height", height);
    svg.at("aria-hidden", "true").at("focusable", "false")
}

/// A table whose name is the question of its figure.
pub(super) fn table(class: &'static str, name: &str, heads: &[Markup]) -> Element {
    let heads = heads.iter().map(|head| element("th").at("scope", "col").with(head.clone()));
    let caption = element("caption").class("unseen").with(name);
    element("table").class(class).with(caption).with(element("thead").with(element("tr").all(heads)))
}

pub(super) fn cell(class: &'static str, content: impl Into<Markup>) -> Element {
    element("td").class(class).with(content)
}

pub(super) fn time(number: f64) -> Element {
    cell("number", seconds(number))
}

/// A word at the beginning of a line.
pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What a table shows by shapes, with its words.
pub(super) fn legend(entries: &[(&'static str, &str)]) -> Element {
    let entry = |(class, words): &(&'static str, &str)| {
        let svg = element("svg").at("width", "22").at("height", "12").at("aria-hidden", "true");
        let sample = element("rect").at("class", class).at("x", "1").at("y", "1").at("width", "20").at("height", "10");
        element("li").with(svg.with(sample)).with(format!(" {words}"))
    };
    element("ul").class("legend").all(entries.iter().map(entry))
}

/// Patterns and arrow heads: what tells shapes apart without colour.
pub(super) fn defs() -> Element {
    let pattern = |id: &'static str, size: f64, shapes: Vec<Element>| {
        let ground = element("rect").class("ground").number("width", size).number("height", size);
        element("pattern")
            .at("id", id)
            .at("patternUnits", "userSpaceOnUse")
            .number("width", size)
            .number("height", size)
            .with(ground)
            .all(shapes)
    };
    let line = |d: &'static str| element("path").class("ink").at("d", d);
    let dot = element("circle").class("dot").at("cx", "3").at("cy", "3").at("r", "1.3");
    let arrow = |id: &'static str, class: &'static str| {
        let head = element("path").class(class).at("d", "M0 0L8 4L0 8z");
        element("marker")
            .at("id", id)
            .at("viewBox", "0 0 8 8")
            .at("refX", "7")
            .at("refY", "4")
            .at("markerWidth", "7")
            .at("markerHeight", "7")
            .at("orient", "auto-start-reverse")
            .at("markerUnits", "userSpaceOnUse")
            .with(head)
    };
    let defs = element("defs")
        .with(pattern("p-rising", 6.0, vec![line("M-1 1L1 -1M0 6L6 0M5 7L7 5")]))
        .with(pattern("p-falling", 6.0, vec![line("M-1 5L1 7M0 0L6 6M5 -1L7 1")]))
        .with(pattern("p-dots", 6.0, vec![dot]))
        .with(pattern("p-upright", 5.0, vec![line("M2.5 0V5")]))
        .with(pattern("p-level", 5.0, vec![line("M0 2.5H5")]))
        .with(arrow("a-plain", "head"))
        .with(arrow("a-critical", "head critical"));
    element("svg").class("defs").at("width", "0").at("height", "0").at("aria-hidden", "true").with(defs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        for (whole, expected) in [
            (0.0, vec![]),
            (1.0, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (72.4, vec![0.0, 20.0, 40.0, 60.0]),
            (155.0, vec![0.0, 50.0, 100.0, 150.0]),
            (f64::NAN, vec![]),
        ] {
            let ticks = Scale::new(whole).ticks();
            let near = ticks.len() == expected.len() && ticks.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(near, "{whole}: {ticks:?}");
        }
    }

    #[test]
    fn every_bar_can_be_seen_and_none_leaves_its_cell() {
        let markup = |from, to| Markup::from(bar(Scale::new(100.0), &[Piece { from, to, class: "ran" }])).into_string();
        assert!(markup(5.0, 5.0).contains(r#"x="5%" width="0.4%""#), "{}", markup(5.0, 5.0));
        assert!(markup(100.0, 100.0).contains(r#"x="99.6%" width="0.4%""#), "{}", markup(100.0, 100.0));
        assert!(markup(50.0, 900.0).contains(r#"x="50%" width="50%""#), "{}", markup(50.0, 900.0));
    }
}
