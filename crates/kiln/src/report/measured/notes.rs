//! What a reader has to know about measurements.

use super::NOTHING;
use crate::bench::result::{Doubt, Results, Row, Skipped};
use crate::bench::run::{Machine, Slow};
use crate::bench::{Scenario, Strategy};
use crate::report::visible::shortened;
use crate::text::{bytes, count, seconds};

/// How many characters of the reason for which something was not measured are shown: behind it may stand the log of a build.
const REASON: usize = 300;

/// All notes, as plain text.
pub(super) fn of(results: &Results, rows: &[Row]) -> Vec<String> {
    let mut notes = about(results, rows);
    if rows.iter().any(|row| row.samples > 1) {
        notes.push("±: how far the farthest sample is from the median; ×: how many times as long as kiln".to_owned());
    }
    for (scenario, what) in &results.what {
        notes.push(format!("{}: {what}", scenario.name()));
    }
    notes.extend(missing(results));
    notes
}

/// What the numbers are worth, and what else was measured.
pub(in crate::report) fn about(results: &Results, rows: &[Row]) -> Vec<String> {
    let machine = &results.header.machine;
    let samples = |pick: fn(usize, usize) -> usize| rows.iter().map(|row| row.samples).reduce(pick).unwrap_or(0);
    let (least, most) = (samples(usize::min), samples(usize::max));
    let number = if least == most { count(most, "sample") } else { format!("{least} to {most} samples") };
    let day = results.header.started.strftime("%Y-%m-%d");
    let mut notes = vec![format!("medians of {number}, {day}, on {machine}")];
    if results.end.is_none() {
        notes.push("the run did not come to its end; `kiln bench --continue` goes on with it".to_owned());
    }
    notes.extend(doubts(rows));
    notes.extend(slow(machine));
    notes.extend(needed(rows));
    notes.extend(installs(rows));
    notes.extend(left(results));
    notes
}

/// What was not measured, and why.
pub(in crate::report) fn missing(results: &Results) -> Vec<String> {
    results.skipped.iter().map(|it| shortened(skipped(it).lines().next().unwrap_or(NOTHING), REASON)).collect()
}

/// What is still in the engine.
fn left(results: &Results) -> Vec<String> {
    let contexts = results.context_bytes();
    let mut left = Vec::new();
    if contexts > 0 {
        let size = bytes(contexts);
        left.push(format!("still in the engine, until its garbage collection: copies of the build contexts, at most {size}"));
    }
    if let Some(kept) = results.end.as_ref().and_then(|end| end.clean_up.kept.as_ref()) {
        let size = bytes(kept.bytes);
        left.push(format!(
            "still in the engine, which would forget layers of others with their removal: layers and mounts, {size}"
        ));
    }
    left
}

/// What strategies are, as Markdown.
pub(super) fn strategies(used: &[Strategy]) -> Option<String> {
    let words = |strategy: &Strategy| match strategy {
        Strategy::Kiln => None,
        Strategy::Naive => Some("`naive` copies everything and builds"),
        Strategy::Mounts => Some("`mounts` has cache mounts as in Docker's guides"),
        Strategy::Chef => Some("`chef` is cargo-chef as its README has it"),
        Strategy::Native => Some("`native` is the work alone in a warm container, without an image"),
        Strategy::Own => Some("`own` is the repository's own Dockerfile"),
    };
    let words: Vec<&str> = used.iter().filter_map(words).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// `chef, frontend: not measured: cargo-chef is for Rust`
#[must_use]
pub fn skipped(skipped: &Skipped) -> String {
    let scenario = skipped.scenario.map(|scenario| scenario.name().to_owned());
    let parts = [scenario, skipped.service.clone(), skipped.strategy.map(|strategy| strategy.name().to_owned())];
    format!("{}: not measured: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "), skipped.reason)
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
#[must_use]
pub fn slow(machine: &Machine) -> Vec<String> {
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

/// How to read what builds needed.
fn needed(rows: &[Row]) -> Vec<String> {
    let is_kilns = |row: &&Row| row.strategy == Strategy::Kiln && row.scenario == Scenario::Cold && row.context_bytes.is_some();
    let mut notes = Vec::new();
    if rows.iter().any(|row| is_kilns(&row)) {
        notes.push("sent at first: with kiln that is also kiln itself, which compiles in the image".to_owned());
    }
    if rows.iter().all(|row| row.memory_bytes.is_none()) {
        notes.push("most memory: unknown, as the engine's control groups are not to be seen here".to_owned());
    }
    notes
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
