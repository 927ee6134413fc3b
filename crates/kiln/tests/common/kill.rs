//! Work in a child process that is killed with everything it has started, as the processes of a container are.
//!
//! The child is this test program again: one of its tests does the work that a variable describes.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Runs a test with a variable and kills it after a while. Whether it was done before.
pub(crate) fn killed_after(test: &str, variable: &str, value: &str, after: Duration) -> bool {
    let started = Instant::now();
    let mut child = command()
        .args(["--exact", test, "--ignored"])
        .env(variable, value)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while started.elapsed() < after {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    // Stopped first, so that none can start another while the rest is killed.
    let mut family = BTreeSet::from([child.id()]);
    loop {
        family.iter().for_each(|id| signal(*id, Signal::STOP));
        let known = family.len();
        for (id, parent) in processes() {
            if family.contains(&parent) {
                family.insert(id);
            }
        }
        if family.len() == known {
            break;
        }
    }
    family.iter().for_each(|id| signal(*id, Signal::KILL));
    let done = child.wait().unwrap().success();
    while processes().iter().any(|(id, _)| family.contains(id)) {
        std::thread::sleep(Duration::from_millis(1));
    }
    done
}

fn signal(id: u32, signal: Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, signal);
    }
}

/// All processes that have not ended, with their parents.
fn processes() -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name is in parentheses and may hold anything.
        let mut rest = text.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (Some(state), Some(parent)) = (rest.next(), rest.next().and_then(|parent| parent.parse().ok())) else { continue };
        if !matches!(state, "Z" | "X") {
            found.push((id, parent));
        }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "the child is this program")]
fn command() -> Command {
    Command::new(std::env::current_exe().unwrap())
}
