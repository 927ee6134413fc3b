//! What a reader has to know about measurements.

use super::NOTHING;
use crate::bench::result::{Doubt, Results, Row, Skipped, is_source_edit};
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
    let mut about = vec![count(machine.cores, "core")];
    about.extend(machine.memory.map(|memory| format!("{} of memory", bytes(memory))));
    about.extend(machine.engine.as_ref().map(|engine| format!("Docker {engine}")));
    about.extend(machine.storage.clone());
    let day = results.header.started.strftime("%Y-%m-%d");
    let mut notes = vec![format!("medians of {number}, {day}, on {}", about.join(", "))];
    if results.end.is_none() {
        notes.push("the run did not come to its end; `kiln bench --continue` goes on with it".to_owned());
    }
    notes.extend(doubts(rows));
    notes.extend(slow(machine));
    notes.extend(sizes(rows));
    notes.extend(sent(rows));
    notes.extend(memory(rows));
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

/// A sentence for each service: what each strategy has there. `what` ends with the word before the service.
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
        (!parts.is_empty()).then(|| format!("{what} {service}: {}", parts.join(", ")))
    });
    sentences.collect()
}

/// `image of backend: kiln 92.1 MB in 5 layers, naive 92.3 MB in 5 layers`
fn sizes(rows: &[Row]) -> Vec<String> {
    by_service(rows, "image of", &|rows| {
        let size = bytes(rows.iter().find_map(|row| row.image_bytes)?);
        let layers = rows.iter().map(|row| row.layers.len()).find(|layers| *layers > 0);
        Some(layers.map_or_else(|| size.clone(), |layers| format!("{size} in {}", count(layers, "layer"))))
    })
}

/// `sent to the engine for backend: kiln 91.5 kB at first and 1.2 kB at an edit, naive …`
fn sent(rows: &[Row]) -> Vec<String> {
    by_service(rows, "sent to the engine for", &|rows| {
        let of = |is: &dyn Fn(Scenario) -> bool| {
            let mut sent = rows.iter().filter(|row| is(row.scenario)).filter_map(|row| row.context_bytes);
            sent.next()
        };
        let first = bytes(of(&|scenario| scenario == Scenario::Cold)?);
        Some(
            of(&is_source_edit)
                .map_or_else(|| format!("{first} at first"), |edit| format!("{first} at first and {} at an edit", bytes(edit))),
        )
    })
}

/// `most memory of backend: kiln 1.2 GB, naive 1.9 GB`
fn memory(rows: &[Row]) -> Vec<String> {
    let known = by_service(rows, "most memory of", &|rows| Some(bytes(rows.iter().filter_map(|row| row.memory_bytes).max()?)));
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
