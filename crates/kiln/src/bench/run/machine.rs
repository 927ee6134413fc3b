//! What a measurement depends on and no Dockerfile says: the machine, and what else it does.

use std::fs;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::EngineInfo;

/// How long the machine is watched before a sample. The bench itself does nothing meanwhile.
const WATCHED: Duration = Duration::from_millis(250);

/// The machine a run was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors that may be used.
    pub cores: usize,
    /// Bytes of memory, where the system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Version of the Docker engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Version of buildx.
    pub buildx: String,
    /// The engine's storage driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
}

impl Machine {
    /// This machine with an engine.
    #[must_use]
    pub fn look(engine: &EngineInfo) -> Self {
        Self {
            cores: thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text)),
            engine: engine.server.clone(),
            buildx: engine.buildx.clone(),
            storage: engine.storage_driver.clone(),
        }
    }
}

/// How many processors are busy while the bench does nothing: the work of others. Nothing where the system does not say.
///
/// Not the load average: that still has the bench's own last build in it.
#[must_use]
pub(super) fn other_load() -> Option<f64> {
    let before = ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    thread::sleep(WATCHED);
    let after = ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    let (busy, total) = (after.busy.saturating_sub(before.busy), after.total.saturating_sub(before.total));
    (total > 0).then(|| (busy as f64 / total as f64 * after.processors as f64 * 100.0).round() / 100.0)
}

/// Time of all processors since the machine was started, in the system's unit.
#[derive(Debug, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    total: u64,
    processors: usize,
}

fn ticks(stat: &str) -> Option<Ticks> {
    // user, nice, system, idle, waiting for disks, interrupts (two), stolen; guests are part of the first two.
    let ticks: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    let total: u64 = ticks.iter().sum();
    let is_one = |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    Some(Ticks { busy: total - idle, total, processors: stat.lines().filter(is_one).count() })
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        let stat = "cpu  10 0 20 60 10 0 5 5 7 0\ncpu0 5 0 10 30 5 0 2 3 0 0\ncpu1 5 0 10 30 5 0 3 2 0 0\nctxt 1\n";
        assert_eq!(ticks(stat), Some(Ticks { busy: 40, total: 110, processors: 2 }));
        assert_eq!(ticks("nonsense"), None);
        assert_eq!(total_memory("MemTotal:       1000 kB\nMemFree: 1 kB\n"), Some(1_024_000));
    }
}
