//! Where are the bytes? Of images by layer, of the cache by what it is for.

use super::element::{Element, Markup, element};
use super::picture::{Piece, Scale, bar, capital, cell, figure, table};
use crate::report::{Bytes, Part, Report};
use crate::text::{bytes, count};

/// Parts of less than this part of the largest are put together.
const SMALL: f64 = 0.01;

pub(super) fn figures(report: &Report) -> Markup {
    let mut all = Markup::new();
    if report.builds.is_empty() && report.images.is_none() && report.cache.as_ref().is_none_or(Vec::is_empty) {
        return all;
    }
    all.add(picture("Where are the bytes of the images?", report.images.as_deref(), "layer", "image"));
    all.add(picture("Where are the bytes of the cache?", report.cache.as_deref(), "part", "cache"));
    all
}

fn picture(question: &str, found: Option<&[Bytes]>, part: &str, whole: &str) -> Element {
    let Some(found) = found else {
        let text = "Not known: no engine told it when this page was made.";
        return element("figure").with(element("figcaption").with(element("h3").with(question)).with(element("p").with(text)));
    };
    let largest = found.iter().flat_map(|bytes| &bytes.parts).map(|part| part.bytes).max().unwrap_or(0);
    if largest == 0 {
        let text = format!("There are none: no {whole} of this project is in the engine.");
        return element("figure").with(element("figcaption").with(element("h3").with(question)).with(element("p").with(text)));
    }
    let scale = Scale::new(largest as f64);
    let heads: [Markup; 4] = [capital(part).into(), "".into(), "Bytes".into(), "Share".into()];
    let bodies = found.iter().filter(|bytes| bytes.total() > 0).map(|bytes| body(bytes, scale, part, largest));
    let total: u64 = found.iter().map(Bytes::total).sum();
    let top = found.iter().flat_map(|all| all.parts.iter().map(move |part| (all, part))).max_by_key(|(_, part)| part.bytes);
    let answer = top.map(|(all, part)| {
        let size = bytes(part.bytes);
        format!(
            "{} in all; the largest {}, {size}, is of {}: {}.",
            bytes(total),
            whole_part(whole),
            all.name,
            short(&part.name, 60)
        )
    });
    figure(question, &answer.unwrap_or_default(), table("rows bytes", question, &heads).all(bodies))
}

fn whole_part(whole: &str) -> &'static str {
    if whole == "image" { "layer" } else { "part" }
}

fn body(all: &Bytes, scale: Scale, part: &str, largest: u64) -> Element {
    let (large, small): (Vec<&Part>, Vec<&Part>) =
        all.parts.iter().filter(|part| part.bytes > 0).partition(|part| part.bytes as f64 >= largest as f64 * SMALL);
    let mut rows: Vec<Element> = large.iter().map(|part| row(&part.name, part.bytes, all.total(), scale)).collect();
    if !small.is_empty() {
        let sum = small.iter().map(|part| part.bytes).sum();
        rows.push(row(&format!("{} of less", count(small.len(), part)), sum, all.total(), scale));
    }
    let name = element("b").with(&all.name);
    let head = element("th").at("scope", "rowgroup").at("colspan", "4").with(name).with(format!(": {}", bytes(all.total())));
    element("tbody").with(element("tr").class("group").with(head)).all(rows)
}

fn row(name: &str, size: u64, total: u64, scale: Scale) -> Element {
    let piece = Piece { from: 0.0, to: size as f64, class: "bytes" };
    let share = if total > 0 { format!("{:.0} %", size as f64 / total as f64 * 100.0) } else { String::new() };
    element("tr")
        .with(element("th").at("scope", "row").at("title", name).with(element("code").with(short(name, 90))))
        .with(cell("", bar(scale, &[piece])))
        .with(cell("number", bytes(size)))
        .with(cell("number", share))
}

fn short(name: &str, characters: usize) -> String {
    crate::report::visible::shortened(name, characters)
}
