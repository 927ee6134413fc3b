//! What a run does, as lines for people or objects for programs.

use kiln::bench::run::{BenchEvent, Kept};
use kiln::report::{skipped, work};
use kiln::text::{bytes, count, seconds};
use serde_json::json;

use crate::args::Progress;
use crate::ui::Ui;

/// Shows what happens. Each timed build is a line that begins with the build and is completed when it has ended.
pub(super) struct Shown<'a> {
    ui: &'a Ui,
    /// Processors of the machine.
    cores: usize,
    /// Whether a line is not complete.
    open: bool,
}

impl<'a> Shown<'a> {
    pub(super) const fn new(ui: &'a Ui, cores: usize) -> Self {
        Self { ui, cores, open: false }
    }

    /// Shows one event.
    pub(super) fn event(&mut self, event: &BenchEvent<'_>) {
        if self.ui.progress == Progress::Json {
            return self.ui.event(&object(event));
        }
        match event {
            BenchEvent::Begins { .. } => {
                self.close();
                self.ui.piece(&line(event, self.cores));
                self.open = true;
            }
            BenchEvent::Measured(_) => {
                self.ui.note(&line(event, self.cores));
                self.open = false;
            }
            BenchEvent::CleanedUp(cleaned) => {
                self.close();
                cleaned.left.iter().for_each(|left| self.ui.warn(&format!("could not remove: {left}")));
                cleaned.kept.iter().for_each(|kept| self.ui.note(&self::kept(kept)));
            }
            event => {
                self.close();
                self.ui.note(&line(event, self.cores));
            }
        }
    }

    /// Ends a line that is not complete.
    pub(super) fn close(&mut self) {
        if self.open {
            self.ui.note("stopped");
            self.open = false;
        }
    }
}

fn line(event: &BenchEvent<'_>, cores: usize) -> String {
    match event {
        BenchEvent::Orphan(cleaned) => format!(
            "removed what an earlier run left: {} and {} of the build cache",
            count(cleaned.objects, "image or container").replace("images or containers", "images and containers"),
            count(cleaned.records, "record")
        ),
        BenchEvent::Skipped(it) => skipped(it),
        BenchEvent::Foundation { service, strategy } => {
            format!("prepares base images and system packages of {service} for {}", strategy.name())
        }
        BenchEvent::CatchesUp { service, strategy } => format!("builds {service} with {}, untimed", strategy.name()),
        BenchEvent::Exports { service, strategy } => {
            format!("writes the cache of {service} with {} for an empty builder, untimed", strategy.name())
        }
        BenchEvent::Begins { scenario, service, strategy, sample, samples, left, seconds_left, at_least } => {
            let time = seconds_left.map(|left| format!(", {}", duration(left, *at_least))).unwrap_or_default();
            let left = format!("{left} left{time}");
            let (scenario, strategy) = (scenario.name(), strategy.name());
            format!("{left:<27}  {scenario:<19}  {service}  {strategy:<6}  {sample}/{samples}  ")
        }
        BenchEvent::Measured(sample) => {
            let measured = &sample.measured;
            let crates = measured.local_crates + measured.external_crates;
            let load = sample.other_load.filter(|_| sample.is_disturbed(cores));
            let doubt = load.map(|load| format!("  (other work keeps {load:.1} processors busy)")).unwrap_or_default();
            format!("{:>12}  {}{doubt}", seconds(measured.seconds), work(measured.steps_ran, crates))
        }
        BenchEvent::CleansUp => "removes the copy, its images and its caches".to_owned(),
        BenchEvent::CleanedUp(_) => String::new(),
    }
}

/// `kept in the engine: 34 layers and mounts of the run (2.1 GB), since …`
fn kept(kept: &Kept) -> String {
    format!(
        "kept in the engine: {} of the run ({}), since with their removal it would forget {} (docs/cache.md); `--prune` removes them all the same, else \
         its garbage collection does",
        count(kept.records, "layer or mount").replace("layer or mounts", "layers and mounts"),
        bytes(kept.bytes),
        count(kept.others, "other layer"),
    )
}

/// `about 12 min`: minutes, where seconds would say more than is known.
fn duration(left: f64, at_least: bool) -> String {
    let minutes = (left / 60.0).round() as u64;
    let word = if at_least { "over" } else { "about" };
    match minutes {
        0 if at_least => "time unknown".to_owned(),
        0 => "under a minute".to_owned(),
        1..=90 => format!("{word} {minutes} min"),
        _ => format!("{word} {} h {:02} min", minutes / 60, minutes % 60),
    }
}

fn object(event: &BenchEvent<'_>) -> serde_json::Value {
    match event {
        BenchEvent::Orphan(cleaned) => json!({ "event": "bench-orphan", "removed": cleaned }),
        BenchEvent::Skipped(skipped) => json!({ "event": "bench-skipped", "skipped": skipped }),
        BenchEvent::Foundation { service, strategy } => {
            json!({ "event": "bench-foundation", "service": service, "strategy": strategy })
        }
        BenchEvent::CatchesUp { service, strategy } => {
            json!({ "event": "bench-catches-up", "service": service, "strategy": strategy })
        }
        BenchEvent::Exports { service, strategy } => {
            json!({ "event": "bench-exports", "service": service, "strategy": strategy })
        }
        BenchEvent::Begins { scenario, service, strategy, sample, samples, left, seconds_left, at_least } => json!({
            "event": "bench-begins", "scenario": scenario, "service": service, "strategy": strategy,
            "sample": sample, "samples": samples, "left": left, "seconds_left": seconds_left, "at_least": at_least,
        }),
        BenchEvent::Measured(sample) => json!({ "event": "bench-measured", "sample": sample }),
        BenchEvent::CleansUp => json!({ "event": "bench-cleans-up" }),
        BenchEvent::CleanedUp(cleaned) => json!({ "event": "bench-cleaned-up", "removed": cleaned }),
    }
}
