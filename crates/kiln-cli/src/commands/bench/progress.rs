//! What a run does, as lines for people or objects for programs.

use kiln::bench::result::Skipped;
use kiln::bench::run::BenchEvent;
use kiln::text::{count, seconds};
use serde_json::json;

use super::work;
use crate::args::Progress;
use crate::ui::Ui;

/// Shows one event.
pub(super) fn show(ui: &Ui, event: &BenchEvent<'_>) {
    if ui.progress == Progress::Json {
        return ui.event(&object(event));
    }
    match event {
        BenchEvent::CleanedUp(cleaned) => cleaned.left.iter().for_each(|left| ui.warn(&format!("could not remove: {left}"))),
        event => line(event).iter().for_each(|line| ui.note(line)),
    }
}

fn line(event: &BenchEvent<'_>) -> Option<String> {
    Some(match event {
        BenchEvent::Orphan(cleaned) => format!(
            "removed what an earlier run left: {} and {} of the build cache",
            count(cleaned.objects, "image or container").replace("images or containers", "images and containers"),
            count(cleaned.records, "record")
        ),
        BenchEvent::Skipped(it) => skipped(it),
        BenchEvent::Foundation { service, strategy } => {
            format!("{service}, {}: base images and system packages", strategy.name())
        }
        BenchEvent::CatchesUp { service, strategy } => format!("{service}, {}: catches up", strategy.name()),
        BenchEvent::Begins { scenario, service, strategy, left, seconds_left } => {
            let time = seconds_left.map(|left| format!(", about {}", duration(left))).unwrap_or_default();
            format!("{}, {service}, {} ({} left{time})", scenario.name(), strategy.name(), count(*left, "build"))
        }
        BenchEvent::Measured(sample) => {
            let crates = sample.measured.local_crates + sample.measured.external_crates;
            format!("  {}, {}", seconds(sample.measured.seconds), work(sample.measured.steps_ran, crates))
        }
        BenchEvent::CleansUp => "removing the copy, its images and its caches".to_owned(),
        BenchEvent::CleanedUp(_) => return None,
    })
}

/// `chef, frontend: not measured: cargo-chef is for Rust`
pub(super) fn skipped(skipped: &Skipped) -> String {
    let scenario = skipped.scenario.map(|scenario| scenario.name().to_owned());
    let parts = [scenario, skipped.service.clone(), skipped.strategy.map(|strategy| strategy.name().to_owned())];
    format!("{}: not measured: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "), skipped.reason)
}

/// Minutes where seconds say more than is known.
fn duration(left: f64) -> String {
    let minutes = (left / 60.0).round() as u64;
    match minutes {
        0 => "a minute".to_owned(),
        1..=90 => format!("{minutes} min"),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
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
        BenchEvent::Begins { scenario, service, strategy, left, seconds_left } => json!({
            "event": "bench-begins", "scenario": scenario, "service": service, "strategy": strategy,
            "left": left, "seconds_left": seconds_left,
        }),
        BenchEvent::Measured(sample) => json!({ "event": "bench-measured", "sample": sample }),
        BenchEvent::CleansUp => json!({ "event": "bench-cleans-up" }),
        BenchEvent::CleanedUp(cleaned) => json!({ "event": "bench-cleaned-up", "removed": cleaned }),
    }
}
