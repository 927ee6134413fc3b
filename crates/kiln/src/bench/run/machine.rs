//! What a measurement depends on and no Dockerfile says: the machine, and what else it does.

use std::fmt;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::bench::result::noisy_load;
use crate::engine::EngineInfo;
use crate::text::{bytes, count};

/// How long the machine is watched between samples. The bench itself does nothing meanwhile.
const WATCHED: Duration = Duration::from_millis(250);
/// So often it is watched before other work counts: what the engine still does for the build before is over by then.
const WATCHES: u32 = 3;
/// Steps of the computation by which processors are compared: some hundredths of a second.
const STEPS: u32 = 20_000_000;
/// Bytes that are written to see how fast the disk is.
const WRITTEN: usize = 16 << 20;

/// Fewer processors make a machine small.
const FEW_CORES: usize = 2;
/// Less memory than this, and linkers wait for the disk.
const LITTLE_MEMORY: u64 = 4_000_000_000;
/// Millions of steps a second. A processor of 3 GHz does about 600, a Raspberry Pi 4 about 200.
const SLOW_PROCESSOR: u32 = 350;
/// Bytes a second, written for good. A hard disk does more, a shared network disk often less.
const SLOW_DISK: u64 = 50_000_000;

/// The machine a run was made on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether the engine can export caches.
    #[serde(default)]
    pub exports: bool,
    /// Millions of steps of a fixed computation that one processor does in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<u32>,
    /// Bytes a second that the disk of the project takes for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
}

/// What makes a machine a slow one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    /// It has so many processors.
    Cores(usize),
    /// It has so many bytes of memory.
    Memory(u64),
    /// One processor does so many million steps a second, of so many that would do.
    Processor(u32, u32),
    /// Its disk takes so many bytes a second.
    Disk(u64),
}

impl Machine {
    /// This machine with an engine. A file in `folder` shows how fast its disk is.
    #[must_use]
    pub fn look(engine: &EngineInfo, folder: &Utf8Path) -> Self {
        Self {
            exports: engine.containerd_store,
            speed: speed(),
            disk: disk(folder),
            cores: cores(),
            memory: fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text)),
            engine: engine.server.clone(),
            buildx: engine.buildx.clone(),
            storage: engine.storage_driver.clone(),
        }
    }
}

/// `2 cores, 25.3 GB of memory, Docker 28.5.2, overlay2`
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", count(self.cores, "core"))?;
        if let Some(memory) = self.memory {
            write!(f, ", {} of memory", bytes(memory))?;
        }
        if let Some(engine) = &self.engine {
            write!(f, ", Docker {engine}")?;
        }
        self.storage.iter().try_for_each(|storage| write!(f, ", {storage}"))
    }
}

impl Machine {
    /// Whether measurements of the two can stand in one table: what does not vary from one look to the next is the same.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let fixed = |machine: &Self| {
            (machine.cores, machine.engine.clone(), machine.buildx.clone(), machine.storage.clone(), machine.exports)
        };
        fixed(self) == fixed(other)
    }

    /// What is slow about it. On such a machine builds that compile much gain less from kiln than elsewhere, or more: the numbers are its own.
    #[must_use]
    pub fn slow(&self) -> Vec<Slow> {
        let cores = Some(self.cores).filter(|cores| *cores <= FEW_CORES).map(Slow::Cores);
        let memory = self.memory.filter(|memory| *memory < LITTLE_MEMORY).map(Slow::Memory);
        let processor = self.speed.filter(|speed| *speed < SLOW_PROCESSOR);
        let processor = processor.map(|speed| Slow::Processor(speed, SLOW_PROCESSOR));
        let disk = self.disk.filter(|disk| *disk < SLOW_DISK).map(Slow::Disk);
        [cores, memory, processor, disk].into_iter().flatten().collect()
    }
}

/// Millions of steps of a fixed computation that a processor does in a second: a chain in which each step waits for the one before.
///
/// It tells a slow processor, and one that became slower: by heat, or by neighbours on the same host.
#[must_use]
pub(super) fn speed() -> Option<u32> {
    if cfg!(debug_assertions) {
        return None;
    }
    let begun = Instant::now();
    let mut state = black_box(1_u64);
    for _ in 0..STEPS {
        state = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    black_box(state);
    let seconds = begun.elapsed().as_secs_f64();
    (seconds > 0.0).then(|| (f64::from(STEPS) / seconds / 1e6).round() as u32)
}

/// Bytes a second that a disk takes for good.
fn disk(folder: &Utf8Path) -> Option<u64> {
    let path = folder.join(format!("disk-{}", std::process::id()));
    fs::create_dir_all(folder).ok()?;
    let begun = Instant::now();
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0x5a; WRITTEN])?;
        file.sync_all()
    });
    let seconds = begun.elapsed().as_secs_f64();
    let _ = fs::remove_file(&path);
    written.ok().filter(|()| seconds > 0.0).map(|()| (WRITTEN as f64 / seconds) as u64)
}

/// Processors that may be used.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How many processors stay busy while the bench does nothing: the work of others. What ends within a second does not count.
#[must_use]
pub(super) fn settled_load() -> Option<f64> {
    let mut least = other_load()?;
    for _ in 1..WATCHES {
        if least <= noisy_load(cores()) {
            break;
        }
        least = least.min(other_load()?);
    }
    Some(least)
}

/// How many processors are busy while the bench does nothing: the work of others. Nothing where the system does not say.
///
/// Not the load average: that still has the bench's own last build in it.
#[must_use]
fn other_load() -> Option<f64> {
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
    fn a_slow_machine_is_recognised() {
        let quick = Machine { cores: 8, memory: Some(32 << 30), speed: Some(600), disk: Some(900 << 20), ..Machine::default() };
        assert_eq!(quick.slow(), []);
        // What is unknown is not called slow.
        assert_eq!(Machine { memory: None, speed: None, disk: None, ..quick }.slow(), []);
        let slow = Machine { cores: 2, memory: Some(2 << 30), speed: Some(200), disk: Some(9_000_000), ..Machine::default() };
        let expected = [Slow::Cores(2), Slow::Memory(2 << 30), Slow::Processor(200, SLOW_PROCESSOR), Slow::Disk(9_000_000)];
        assert_eq!(slow.slow(), expected);
    }

    #[test]
    fn machines_are_alike_by_what_does_not_vary() {
        let one = Machine {
            cores: 2,
            memory: Some(25_300_000_000),
            engine: Some("28.5.2".to_owned()),
            storage: Some("overlay2".to_owned()),
            speed: Some(600),
            disk: Some(1 << 30),
            ..Machine::default()
        };
        assert_eq!(one.to_string(), "2 cores, 25.3 GB of memory, Docker 28.5.2, overlay2");
        assert_eq!(Machine { cores: 1, ..Machine::default() }.to_string(), "1 core");
        assert!(one.is_like(&Machine { speed: None, disk: Some(1), ..one.clone() }));
        for other in [
            Machine { cores: 4, ..one.clone() },
            Machine { engine: None, ..one.clone() },
            Machine { storage: Some("overlayfs".to_owned()), exports: true, ..one.clone() },
        ] {
            assert!(!one.is_like(&other), "{other}");
        }
    }

    #[test]
    fn a_disk_is_measured_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        assert!(disk(path).is_some_and(|bytes| bytes > 0));
        assert_eq!(path.read_dir_utf8().unwrap().count(), 0);
    }

    #[test]
    fn proc_files_are_read() {
        let stat = "cpu  10 0 20 60 10 0 5 5 7 0\ncpu0 5 0 10 30 5 0 2 3 0 0\ncpu1 5 0 10 30 5 0 3 2 0 0\nctxt 1\n";
        assert_eq!(ticks(stat), Some(Ticks { busy: 40, total: 110, processors: 2 }));
        assert_eq!(ticks("nonsense"), None);
        assert_eq!(total_memory("MemTotal:       1000 kB\nMemFree: 1 kB\n"), Some(1_024_000));
    }
}
