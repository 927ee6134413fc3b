//! Results as a table: a row for each scenario and service, a column for each strategy.

use std::fmt::Write as _;

use kiln::bench::result::{Doubt, Results, Row};
use kiln::bench::run::{Machine, Slow};
use kiln::bench::{Scenario, Strategy};
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

/// `12.3 s ±2 % (4.1×)`: the median, how far samples are from it, and how many times as long as kiln; `~` if it is doubtful.
fn cell(row: &Row) -> String {
    let doubt = if row.noisy { "~" } else { "" };
    let far = (row.seconds.max - row.seconds.median).max(row.seconds.median - row.seconds.min) / row.seconds.median;
    let spread = if row.samples > 1 { format!(" ±{:.0} %", far * 100.0) } else { String::new() };
    let times = match row.times_kiln {
        Some(times) if row.strategy != Strategy::Kiln => format!(" ({times:.1}×)"),
        _ => String::new(),
    };
    format!("{doubt}{}{spread}{times}", seconds(row.seconds.median))
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
    notes.extend(doubts(&rows));
    notes.extend(slow(machine));
    notes.extend(sizes(&rows));
    notes.extend(memory(&rows));
    notes.extend(installs(&rows));
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

/// `~ marks 3 measurements: other work kept up to 1.2 processors busy (2), samples are more than …`
fn doubts(rows: &[Row]) -> Option<String> {
    let noisy = rows.iter().filter(|row| row.noisy).count();
    if noisy == 0 {
        return None;
    }
    let all: Vec<Doubt> = rows.iter().flat_map(|row| row.doubts.iter().copied()).collect();
    let worst = |of: &dyn Fn(&Doubt) -> Option<f64>| {
        let found: Vec<f64> = all.iter().filter_map(of).collect();
        found.iter().copied().max_by(f64::total_cmp).map(|worst| (found.len(), worst))
    };
    let load = worst(&|doubt| if let Doubt::OtherWork(load) = doubt { Some(*load) } else { None });
    let spread = worst(&|doubt| if let Doubt::Spread(part) = doubt { Some(*part) } else { None });
    let slowed = worst(&|doubt| if let Doubt::SlowedDown(part) = doubt { Some(*part) } else { None });
    let reasons = [
        load.map(|(number, load)| format!("other work kept up to {load:.1} processors busy ({number})")),
        spread.map(|(number, part)| format!("samples were up to {:.0} % of their median apart ({number})", part * 100.0)),
        slowed.map(|(number, part)| format!("the processor did up to {:.0} % less than at its best ({number})", part * 100.0)),
    ];
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    Some(format!("~ marks {} that cannot be relied on: {}", count(noisy, "measurement"), reasons.join(", ")))
}

/// What is slow about a machine.
pub(super) fn slow(machine: &Machine) -> Vec<String> {
    let line = |slow: Slow| match slow {
        Slow::Cores(cores) => format!(
            "this is a small machine ({}): with more, builds that compile many crates gain more than those that compile one",
            count(cores, "core")
        ),
        Slow::Memory(memory) => format!("this machine has little memory ({}): linkers may wait for its disk", bytes(memory)),
        Slow::Processor(speed, usual) => format!(
            "this machine has slow processors ({:.0} % of what is usual): others build everything faster",
            f64::from(speed) / f64::from(usual) * 100.0
        ),
        Slow::Disk(rate) => {
            format!("this machine has a slow disk ({} a second): layers and contexts take longer here", bytes(rate))
        }
    };
    machine.slow().into_iter().map(line).collect()
}

/// A sentence for each service: what each strategy has there.
fn by_service(rows: &[Row], what: &str, of: &dyn Fn(&[&Row]) -> Option<String>) -> Vec<String> {
    let mut services: Vec<&str> = rows.iter().map(|row| row.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let sentences = services.into_iter().filter_map(|service| {
        let part = |strategy: Strategy| {
            let own: Vec<&Row> = rows.iter().filter(|row| row.service == service && row.strategy == strategy).collect();
            Some(format!("{} {}", strategy.name(), of(&own)?))
        };
        let parts: Vec<String> = Strategy::ALL.into_iter().filter_map(part).collect();
        (!parts.is_empty()).then(|| format!("{what} of {service}: {}", parts.join(", ")))
    });
    sentences.collect()
}

/// `image of backend: kiln 92.1 MB in 5 layers, naive 92.3 MB in 5 layers`
fn sizes(rows: &[Row]) -> Vec<String> {
    by_service(rows, "image", &|rows| {
        let size = bytes(rows.iter().find_map(|row| row.image_bytes)?);
        let layers = rows.iter().map(|row| row.layers.len()).find(|layers| *layers > 0);
        Some(layers.map_or_else(|| size.clone(), |layers| format!("{size} in {}", count(layers, "layer"))))
    })
}

/// `most memory of backend: kiln 1.2 GB, naive 1.9 GB`
fn memory(rows: &[Row]) -> Vec<String> {
    let known = by_service(rows, "most memory", &|rows| Some(bytes(rows.iter().filter_map(|row| row.memory_bytes).max()?)));
    if known.is_empty() {
        vec!["most memory: unknown: the engine's control groups are not to be seen here".to_owned()]
    } else {
        known
    }
}

/// `npm of frontend, kiln: first 12.0 s; frontend-dependency 5.1 s (0.43×); frontend-version none`
fn installs(rows: &[Row]) -> Vec<String> {
    let scenarios = [Scenario::FrontendSource, Scenario::FrontendDependency, Scenario::FrontendVersion];
    let first = rows.iter().filter(|row| row.scenario == Scenario::Cold && row.strategy == Strategy::Kiln);
    let lines = first.filter_map(|first| {
        let whole = first.install_seconds?;
        let own = |scenario| {
            let row = rows
                .iter()
                .find(|row| row.scenario == scenario && row.service == first.service && row.strategy == first.strategy)?;
            let what = match (row.installs, row.install_seconds) {
                (0, _) => "none".to_owned(),
                (_, Some(time)) if whole > 0.0 => format!("{} ({:.2}×)", seconds(time), time / whole),
                (number, _) => count(number, "time"),
            };
            Some(format!("; {} {what}", scenario.name()))
        };
        let parts: String = scenarios.into_iter().filter_map(own).collect();
        Some(format!("installing the packages of {} with kiln: first build {}{parts}", first.service, seconds(whole)))
    });
    lines.collect()
}
