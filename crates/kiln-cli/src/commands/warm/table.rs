//! The table at the end: what is warm, what was built, what failed and why.

use anstyle::{AnsiColor, Style};
use kiln::lifecycle::warm::{Status, TargetKind};
use kiln::text::{Text, count, seconds};

use super::Warmed;
use super::row::Row;

const FAINT: Style = Style::new().dimmed();
/// How much of an error fits into a line.
const WIDTH: usize = 100;

/// The table with its last line. `took` are the seconds of all.
pub(crate) fn text(warmed: &[Warmed], took: f64) -> String {
    let mut text = Text::default();
    let width = warmed.iter().flat_map(|one| &one.rows).map(|row| label(row).chars().count()).max().unwrap_or(0);
    for one in warmed {
        if let Some(builder) = &one.builder {
            let cache = if one.store { "" } else { ", which keeps stages in its cache only" };
            text += format_args!("builder {builder}{cache}\n");
        }
        let bases = one.rows.iter().filter(|row| row.kind == TargetKind::Base);
        let stages = one.rows.iter().filter(|row| row.kind != TargetKind::Base);
        let mut heading = "";
        for row in bases.chain(stages) {
            let own = row.place.as_ref().map_or("base images", |(image, _)| image);
            if own != heading {
                heading = own;
                text += format_args!("{heading}\n");
            }
            text += &line(row, width);
        }
    }
    text += format_args!("{}\n", summary(warmed, took));
    text.finish()
}

fn label(row: &Row) -> &str {
    row.place.as_ref().map_or(&row.name, |(_, stage)| stage)
}

fn line(row: &Row, width: usize) -> String {
    let (word, style) = match (row.status, row.kind) {
        (Status::Warm, _) => ("warm", FAINT),
        (Status::Built, TargetKind::Base) => ("pulled", AnsiColor::Green.on_default()),
        (Status::Built, TargetKind::Stage) => ("built", AnsiColor::Green.on_default()),
        (Status::Built, TargetKind::Mounts) => ("filled", AnsiColor::Green.on_default()),
        (Status::Kept, _) => ("kept", AnsiColor::Yellow.on_default()),
        (Status::Failed, _) => ("failed", AnsiColor::Red.on_default()),
        (Status::Skipped, _) => ("skipped", AnsiColor::Yellow.on_default()),
    };
    let time = if row.attempts == 0 { String::new() } else { seconds(row.seconds) };
    let mut notes = Vec::new();
    if row.status == Status::Kept {
        notes.push("not refreshed".to_owned());
    }
    if matches!(row.status, Status::Failed | Status::Kept) && row.attempts > 1 {
        notes.push(format!("{} attempts", row.attempts));
    }
    if let Some((before, now)) = &row.moved {
        notes.push(format!("moved from {} to {}", short(before), short(now)));
    }
    notes.extend(row.error.as_deref().map(first_line));
    let line = format!("  {:width$}  {style}{word:7}{style:#}  {time:>8}  {}", label(row), notes.join(": "));
    format!("{}\n", line.trim_end())
}

/// `12 targets: 10 warm, 2 built in 3.2 s`
fn summary(warmed: &[Warmed], took: f64) -> String {
    let rows = || warmed.iter().flat_map(|one| &one.rows);
    let of = |wanted: Status| rows().filter(|row| row.status == wanted).count();
    let parts = [
        (Status::Warm, "warm"),
        (Status::Built, "made"),
        (Status::Kept, "kept"),
        (Status::Failed, "failed"),
        (Status::Skipped, "skipped"),
    ];
    let parts = parts.map(|(status, word)| (of(status), word));
    let parts: Vec<String> =
        parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    format!("{}: {} in {}", count(rows().count(), "target"), parts.join(", "), seconds(took))
}

fn short(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= WIDTH { line.to_owned() } else { line.chars().take(WIDTH - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(place: Option<(&str, &str)>, name: &str, status: Status) -> Row {
        let kind = if place.is_some() { TargetKind::Stage } else { TargetKind::Base };
        let attempts = u32::from(status != Status::Skipped);
        let place = place.map(|(image, stage)| (image.to_owned(), stage.to_owned()));
        Row {
            name: name.to_owned(),
            kind,
            place,
            tag: None,
            status,
            seconds: 1.25,
            attempts,
            error: None,
            moved: None,
            mounts: Vec::new(),
        }
    }

    #[test]
    fn the_table_says_what_became_of_each_target_and_why() {
        let mut rows = vec![
            row(None, "rust:1.95-slim", Status::Built),
            row(Some(("api prod", "chef")), "", Status::Warm),
            row(Some(("api prod", "deps")), "", Status::Failed),
            row(Some(("api prod", "builder")), "", Status::Skipped),
            row(None, "debian:slim", Status::Warm),
            row(Some(("web dev", "deps")), "", Status::Built),
        ];
        rows[0].moved = Some((format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64))));
        rows[2].error = Some("process failed\nwith details".to_owned());
        rows[2].attempts = 3;
        rows[3].error = Some("needs api-prod-deps".to_owned());
        let fleet = Warmed { builder: Some("ci".to_owned()), store: false, rows };
        let text = anstream::adapter::strip_str(&text(&[fleet], 12.0)).to_string();
        insta::assert_snapshot!(text, @r"
        builder ci, which keeps stages in its cache only
        base images
          rust:1.95-slim  pulled      1.2 s  moved from aaaaaaaaaaaa to bbbbbbbbbbbb
          debian:slim     warm        1.2 s
        api prod
          chef            warm        1.2 s
          deps            failed      1.2 s  3 attempts: process failed
          builder         skipped            needs api-prod-deps
        web dev
          deps            built       1.2 s
        6 targets: 2 warm, 2 made, 1 failed, 1 skipped in 12.0 s
        ");
    }
}
