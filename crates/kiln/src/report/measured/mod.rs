//! A bench run as a table: a row for each scenario and service, a column for each strategy, and what a reader has to know about the numbers.

mod needs;
mod notes;
#[cfg(test)]
mod tests;

use crate::bench::result::{Results, Row, is_source_edit};
use crate::bench::{Scenario, Strategy};
use crate::text::{Text, count, seconds};

use super::marks::{heads, plain, sentence, table};

pub(super) use needs::{Need, needs};
pub(super) use notes::{about, missing};
pub use notes::{skipped, slow};

/// The table of a run, for a terminal or a document.
#[derive(Debug, Clone)]
pub struct Measured {
    strategies: Vec<Strategy>,
    lines: Vec<Line>,
    /// Whether kiln can be compared with `naive`.
    saves: bool,
    needs: Vec<Need>,
    notes: Vec<String>,
}

#[derive(Debug, Clone)]
struct Line {
    scenario: Scenario,
    service: String,
    /// One for each strategy.
    cells: Vec<String>,
    /// How many percent kiln takes off `naive`.
    saves: String,
    /// What kiln's build did.
    work: String,
}

/// What stands where nothing was measured.
const NOTHING: &str = "–";
/// Seconds in which a build does nothing.
const SHORT: f64 = 1.0;

impl Measured {
    /// The table of a run as far as it came.
    #[must_use]
    pub fn of(results: &Results) -> Self {
        let rows = results.rows();
        let strategies: Vec<Strategy> =
            Strategy::ALL.into_iter().filter(|strategy| rows.iter().any(|row| row.strategy == *strategy)).collect();
        let mut keys: Vec<_> = rows.iter().map(|row| (row.scenario, row.service.as_str())).collect();
        keys.dedup();
        let line = |(scenario, service): (Scenario, &str)| {
            let find = |strategy| {
                let is = |row: &&Row| row.scenario == scenario && row.service == service && row.strategy == strategy;
                rows.iter().find(is)
            };
            let kiln = find(Strategy::Kiln);
            let naive = find(Strategy::Naive);
            // Of what takes no time there is nothing to be saved.
            let is_long = |row: &&Row| row.seconds.median >= SHORT;
            let percent = kiln.filter(|kiln| is_long(kiln) || naive.is_some_and(|naive| is_long(&naive)));
            let percent = percent.and_then(|row| row.reduction_pct);
            Line {
                scenario,
                service: service.to_owned(),
                cells: strategies.iter().map(|strategy| find(*strategy).map_or_else(|| NOTHING.to_owned(), cell)).collect(),
                saves: percent.map_or_else(|| NOTHING.to_owned(), |percent| format!("{percent:.0} %")),
                work: kiln.map(|row| work(row.steps_ran, row.local_crates + row.external_crates)).unwrap_or_default(),
            }
        };
        let lines = keys.into_iter().map(line).collect();
        let saves = rows.iter().any(|row| row.strategy == Strategy::Kiln && row.reduction_pct.is_some());
        Self { strategies, lines, saves, needs: needs(&rows), notes: notes::of(results, &rows) }
    }

    /// For a terminal: columns below each other, then the notes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![self.heads("scenario")];
        lines.extend(self.lines.iter().map(|line| self.cells(line, line.scenario.name().to_owned(), line.service.clone())));
        let mut text = Text::new(columns(&lines));
        text += "\n";
        if !self.needs.is_empty() {
            let mut lines = vec![need_heads()];
            lines.extend(self.needs.iter().map(|need| need_cells(need, need.service.clone())));
            text += &columns(&lines);
            text += "\n";
        }
        for note in &self.notes {
            text += format_args!("{note}\n");
        }
        text.finish()
    }

    /// For documents: two tables and a list.
    #[must_use]
    pub fn markdown(&self) -> String {
        let change = |line: &Line| format!("{}: {}", line.scenario.name(), line.scenario.description());
        let rows: Vec<Vec<String>> =
            self.lines.iter().map(|line| self.cells(line, plain(&change(line)), plain(&line.service))).collect();
        let mut text = Text::new(table(&self.heads("change"), 2, &rows));
        text += "\n";
        if !self.needs.is_empty() {
            let rows: Vec<Vec<String>> = self.needs.iter().map(|need| need_cells(need, plain(&need.service))).collect();
            text += &table(&need_heads(), 2, &rows);
            text += "\n";
        }
        let ways = notes::strategies(&self.strategies);
        for note in self.notes.iter().map(|note| sentence(note)).chain(ways) {
            text += format_args!("- {note}\n");
        }
        text.finish()
    }

    fn heads(&self, first: &str) -> Vec<String> {
        let mut heads = vec![first.to_owned(), "service".to_owned()];
        heads.extend(self.strategies.iter().map(|strategy| strategy.name().to_owned()));
        heads.extend(self.saves.then(|| "kiln saves".to_owned()));
        heads.push("kiln's work".to_owned());
        heads
    }

    fn cells(&self, line: &Line, change: String, service: String) -> Vec<String> {
        let mut cells = vec![change, service];
        cells.extend(line.cells.iter().cloned());
        cells.extend(self.saves.then(|| line.saves.clone()));
        cells.push(line.work.clone());
        cells
    }
}

fn need_heads() -> Vec<String> {
    heads(&[&["service", "built by"][..], &Need::HEADS].concat())
}

fn need_cells(need: &Need, service: String) -> Vec<String> {
    [service, need.strategy.name().to_owned()].into_iter().chain(need.cells()).collect()
}

/// Lines with their cells below each other.
fn columns(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = Text::new("");
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
        text += format_args!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text.finish()
}

/// `12.3 s ±2 % (4.1×)`: the median, how far samples are from it, and how many times as long as kiln; `~` if it is doubtful.
fn cell(row: &Row) -> String {
    let doubt = if row.noisy { "~" } else { "" };
    let median = row.seconds.median;
    let far = (row.seconds.max - median).max(median - row.seconds.min);
    let spread = if row.samples > 1 && median > 0.0 { format!(" ±{:.0} %", far / median * 100.0) } else { String::new() };
    let times = match row.times_kiln {
        Some(times) if row.strategy != Strategy::Kiln => format!(" ({times:.1}×)"),
        _ => String::new(),
    };
    format!("{doubt}{}{spread}{times}", seconds(median))
}

/// What a source edit with kiln saves.
pub(super) struct Saving<'a> {
    /// The edit, with kiln.
    pub(super) row: &'a Row,
    /// Seconds with `naive`.
    pub(super) naive: f64,
    /// How many percent less kiln takes, more than none.
    pub(super) percent: f64,
}

/// The source edits that kiln makes shorter than `naive`, in the order of the rows.
pub(super) fn savings<'a>(rows: impl IntoIterator<Item = &'a Row> + Clone) -> Vec<Saving<'a>> {
    let edits = rows.clone().into_iter().filter(|row| row.strategy == Strategy::Kiln && is_source_edit(row.scenario));
    let saving = |row: &'a Row| {
        let is =
            |other: &&Row| other.scenario == row.scenario && other.service == row.service && other.strategy == Strategy::Naive;
        let naive = rows.clone().into_iter().find(is)?.seconds.median;
        let percent = row.reduction_pct.filter(|percent| *percent > 0.0)?;
        Some(Saving { row, naive, percent })
    };
    edits.filter_map(saving).collect()
}

/// The first of them for each service.
pub(super) fn first_savings(rows: &[Row]) -> Vec<Saving<'_>> {
    let mut services: Vec<&str> = Vec::new();
    let mut first = savings(rows);
    first.retain(|saving| {
        let is_first = !services.contains(&saving.row.service.as_str());
        services.push(&saving.row.service);
        is_first
    });
    first
}

/// `3 steps ran, 1 crate compiled`
#[must_use]
pub fn work(steps: usize, crates: usize) -> String {
    match (steps, crates) {
        (0, 0) => "nothing ran".to_owned(),
        (0, crates) => format!("{} compiled", count(crates, "crate")),
        (steps, 0) => format!("{} ran", count(steps, "step")),
        (steps, crates) => format!("{} ran, {} compiled", count(steps, "step"), count(crates, "crate")),
    }
}
