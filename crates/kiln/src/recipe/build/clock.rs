//! Clocks that go back.
//!
//! cargo builds a unit again if it is older than what it was compiled with. After a clock has gone back everything that is compiled
//! is older than what is there, and would be compiled each time until the clock has caught up.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::export::set_time;
use super::mirror::nanoseconds;
use super::step::{At as _, StepError, parallel};
use super::target::tree;
use crate::process::Cancel;

/// A clock that is at most this far back is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The time, in nanoseconds since the epoch: later than `latest`, unless the clock has gone back further than one would wait.
///
/// # Errors
/// [`StepError`], when the clock cannot be read, or [`StepError::Cancelled`].
pub(super) fn later(latest: u64, clock: &mut dyn FnMut() -> Result<u64, StepError>, cancel: &Cancel) -> Result<u64, StepError> {
    let started = Instant::now();
    loop {
        let now = clock()?;
        let soon = now <= latest && u128::from(latest - now) <= PATIENCE.as_nanos();
        if !soon || started.elapsed() >= PATIENCE * 2 {
            return Ok(now);
        }
        if cancel.is_set() {
            return Err(StepError::Cancelled);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The latest time in a target directory, in nanoseconds since the epoch; 0 if it is empty.
///
/// # Errors
/// [`StepError`], when something cannot be read.
pub(super) fn newest(target: &Path) -> Result<u64, StepError> {
    if !target.is_dir() {
        return Ok(0);
    }
    Ok(tree(target)?.values().map(nanoseconds).max().unwrap_or_default())
}

/// Makes everything in a target directory that is later than `floor` older by one span, so that nothing is later than `now`. What
/// was later than something else still is.
///
/// # Errors
/// [`StepError`], when a time cannot be read or set.
pub(super) fn move_back(target: &Path, now: SystemTime, floor: SystemTime) -> Result<(), StepError> {
    if !target.is_dir() {
        return Ok(());
    }
    // All times are read first: programs have a second name, which must not move twice.
    let mut files = Vec::new();
    for (path, metadata) in tree(target)?.into_iter().filter(|(_, metadata)| metadata.is_file()) {
        let modified = metadata.modified().at("read", &path)?;
        if modified > floor {
            files.push((path, modified));
        }
    }
    let Some(span) = files.iter().map(|(_, time)| *time).max().and_then(|latest| latest.duration_since(now).ok()) else {
        return Ok(());
    };
    parallel(&files, |(path, modified)| set_time(path, modified.checked_sub(span).map_or(floor, |earlier| earlier.max(floor))))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_clock_is_waited_for_if_it_is_nearly_there() {
        let second = 1_000_000_000;
        let ask = |times: &[u64], latest| {
            let mut times = times.iter().copied();
            later(latest, &mut || Ok(times.next().unwrap()), &Cancel::new()).unwrap()
        };
        assert_eq!(ask(&[10 * second], 9 * second), 10 * second);
        assert_eq!(ask(&[9 * second, 10 * second, 10 * second + 1], 10 * second), 10 * second + 1);
        // An hour: it has gone back.
        assert_eq!(ask(&[10 * second], 3610 * second), 10 * second);
    }

    #[test]
    fn times_move_back_together_and_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let write = |name: &str, seconds| {
            File::create(folder.path().join(name)).unwrap().set_modified(at(seconds)).unwrap();
        };
        let times = || ["seeded", "old", "new"].map(|name| fs::metadata(folder.path().join(name)).unwrap().modified().unwrap());
        write("seeded", 1);
        write("old", 500);
        write("new", 900);
        fs::hard_link(folder.path().join("new"), folder.path().join("second-name")).unwrap();
        move_back(folder.path(), at(1000), at(1)).unwrap();
        assert_eq!(times(), [at(1), at(500), at(900)]);
        move_back(folder.path(), at(800), at(1)).unwrap();
        assert_eq!(times(), [at(1), at(400), at(800)]);
        move_back(folder.path(), at(300), at(1)).unwrap();
        assert_eq!(times(), [at(1), at(1), at(300)]);
    }
}
