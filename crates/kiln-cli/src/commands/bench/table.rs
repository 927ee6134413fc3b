//! Results as a table: a row for each scenario and service, a column for each strategy.

use std::fmt::Write as _;

use kiln::bench::Strategy;
use kiln::bench::result::{NOISY_LOAD, Results, Row};
use kiln::bench::statistics::NOISY_SPREAD;
use kiln::text::{bytes, count, seconds};

use super::progress::skipped;
use super::work;

/// For a terminal.
pub(super) fn text(results: &Results) -> String {
    let table = Table::of(results);
    let mut text = table.aligned();
    text.push('\n');
    for note in notes(results) {
        let _ = writeln!(text, "{note}");
    }
    text
}

/// For documents.
pub(super) fn markdown(results: &Results) -> String {
    let table = Table::of(results);
    let mut text = String::new();
    for (number, line) in table.lines.iter().enumerate() {
        let _ = writeln!(text, "| {} |", line.join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(line.len()));
        }
    }
    text.push('\n');
    for note in notes(results) {
        let _ = writeln!(text, "- {note}");
    }
    text
}

#[derive(Debug)]
struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    fn of(results: &Results) -> Self {
        let rows = results.rows();
        let strategies: Vec<Strategy> =
            Strategy::ALL.into_iter().filter(|strategy| rows.iter().any(|row| row.strategy == *strategy)).collect();
        let mut head = vec!["scenario".to_owned(), "service".to_owned()];
        head.extend(strategies.iter().map(|strategy| strategy.name().to_owned()));
        head.push("kiln's work".to_owned());
        let mut lines = vec![head];
        let mut keys: Vec<_> = rows.iter().map(|row| (row.scenario, row.service.as_str())).collect();
        keys.dedup();
        for (scenario, service) in keys {
            let find =
                |strategy| rows.iter().find(|row| row.scenario == scenario && row.service == service && row.strategy == strategy);
            let mut line = vec![scenario.name().to_owned(), service.to_owned()];
            line.extend(strategies.iter().map(|strategy| find(*strategy).map_or_else(|| "–".to_owned(), cell)));
            let kiln = find(Strategy::Kiln).map(|row| work(row.steps_ran, row.local_crates + row.external_crates));
            line.push(kiln.unwrap_or_default());
            lines.push(line);
        }
        Self { lines }
    }

    fn aligned(&self) -> String {
        let columns = self.lines.first().map_or(0, Vec::len);
        let width = |column: usize| self.lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for line in &self.lines {
            let cells =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        text
    }
}

/// `12.3 s (4.1×)`: the median, and how many times as long as kiln; `~` if it is doubtful.
fn cell(row: &Row) -> String {
    let doubt = if row.noisy { "~" } else { "" };
    let times = match row.times_kiln {
        Some(times) if row.strategy != Strategy::Kiln => format!(" ({times:.1}×)"),
        _ => String::new(),
    };
    format!("{doubt}{}{times}", seconds(row.seconds.median))
}

/// What a reader has to know about the numbers.
fn notes(results: &Results) -> Vec<String> {
    let rows = results.rows();
    let machine = &results.header.machine;
    let mut notes = Vec::new();
    let samples = |slow: bool| rows.iter().map(|row| row.samples).filter(move |samples| slow || *samples > 0);
    let (least, most) = (samples(true).min().unwrap_or(0), samples(false).max().unwrap_or(0));
    let number = if least == most { count(most, "sample") } else { format!("{least} to {most} samples") };
    let mut about = vec![count(machine.cores, "core")];
    about.extend(machine.memory.map(|memory| format!("{} of memory", bytes(memory))));
    about.extend(machine.engine.as_ref().map(|engine| format!("Docker {engine}")));
    about.extend(machine.storage.clone());
    notes.push(format!("medians of {number}; {}", about.join(", ")));
    let noisy = rows.iter().filter(|row| row.noisy).count();
    if noisy > 0 {
        notes.push(format!(
            "~ marks {} that other work on the machine (more than {NOISY_LOAD} cores) or a spread over {:.0} % make doubtful",
            count(noisy, "measurement"),
            NOISY_SPREAD * 100.0
        ));
    }
    if machine.cores <= 2 {
        notes.push(
            "this is a small machine: with more cores what compiles many crates gains more than what compiles one".to_owned(),
        );
    }
    notes.extend(sizes(&rows));
    let contexts = results.context_bytes();
    if contexts > 0 {
        let size = bytes(contexts);
        notes.push(format!("still in the engine, until its garbage collection: copies of the build contexts, at most {size}"));
    }
    for (scenario, what) in &results.what {
        notes.push(format!("{}: {what}", scenario.name()));
    }
    notes.extend(results.skipped.iter().map(skipped));
    notes
}

/// `image of backend: kiln 92.1 MB, naive 92.3 MB`
fn sizes(rows: &[Row]) -> Vec<String> {
    let mut services: Vec<&str> = rows.iter().map(|row| row.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let sizes = services.into_iter().filter_map(|service| {
        let size = |strategy: Strategy| {
            let mut rows = rows.iter().filter(|row| row.service == service && row.strategy == strategy);
            let size = rows.find_map(|row| row.image_bytes)?;
            Some(format!("{} {}", strategy.name(), bytes(size)))
        };
        let sizes: Vec<String> = Strategy::ALL.into_iter().filter_map(size).collect();
        (!sizes.is_empty()).then(|| format!("image of {service}: {}", sizes.join(", ")))
    });
    sizes.collect()
}
