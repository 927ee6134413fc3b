//! A server process: started, waited for, and ended with its value.

use std::fs;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::super::{PrepareError, PrepareOptions};
use crate::process::{Cancel, ProcessError, Run};
use crate::sqlx::data::Database;

/// How long a server on an empty folder may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A process that ends when the value is dropped.
pub(super) struct Running {
    stop: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a program and waits for a line of its output that says that it is ready.
    pub(super) fn start(
        run: &Run,
        database: Database,
        options: &PrepareOptions,
        is_ready: fn(&str) -> bool,
    ) -> Result<Self, PrepareError> {
        let stop = options.cancel.child();
        let (sender, receiver) = mpsc::channel();
        let (run, flag) = (run.clone().grace(END_WITHIN), stop.clone());
        let thread = std::thread::spawn(move || {
            let lines = sender.clone();
            // Nobody listens any more once the server is ready.
            let finished = run.lines(&flag, &mut |_, line| drop(lines.send(Said::Line(line.to_owned()))));
            drop(sender.send(Said::Ended(finished.err())));
        });
        let running = Self { stop, thread: Some(thread) };
        let until = Instant::now() + READY_WITHIN;
        let mut output: Vec<String> = Vec::new();
        loop {
            match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Said::Line(line)) if is_ready(&line) => return Ok(running),
                Ok(Said::Line(line)) => output.push(line),
                Ok(Said::Ended(Some(error))) => return Err(error.into()),
                Ok(Said::Ended(None)) | Err(_) => {
                    let tail = output.len().saturating_sub(20);
                    return Err(PrepareError::ServerFailed { database, output: output.split_off(tail).join("\n") });
                }
            }
        }
    }
}

enum Said {
    Line(String),
    Ended(Option<ProcessError>),
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has no server left to wait for.
            let _ = thread.join();
        }
    }
}

/// A user to run a server as: servers refuse to run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: u32,
    pub(super) group: u32,
}

impl User {
    /// None if this process is not root; else the first of these names that the system knows.
    pub(super) fn instead_of_root(names: &[&str]) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
        names.iter().find_map(|name| passwd(&text, name))
    }

    /// Gives a folder to the user, if there is one.
    pub(super) fn own(user: Option<Self>, folder: &Utf8Path) -> Result<(), PrepareError> {
        let Some(user) = user else { return Ok(()) };
        std::os::unix::fs::chown(folder, Some(user.id), Some(user.group)).map_err(PrepareError::file("give away", folder))
    }

    /// Runs a program as the user, if there is one.
    pub(super) fn run(user: Option<Self>, run: Run) -> Run {
        match user {
            Some(user) => run.user(user.id, user.group),
            None => run,
        }
    }
}

/// `name:x:id:group:…`
fn passwd(text: &str, name: &str) -> Option<User> {
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2).map(str::parse);
    Some(User { id: fields.next()?.ok()?, group: fields.next()?.ok()? })
}

/// Runs a program that prepares a server's folder.
pub(super) fn step(run: &Run, database: Database, options: &PrepareOptions) -> Result<(), PrepareError> {
    let finished = run.output(&options.cancel)?;
    if finished.success() {
        return Ok(());
    }
    Err(PrepareError::ServerFailed { database, output: format!("{}{}", finished.stdout, finished.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let text = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:114:121:admin:/var:/bin/sh\n";
        assert_eq!(passwd(text, "postgres"), Some(User { id: 114, group: 121 }));
        assert_eq!(passwd(text, "mysql"), None);
    }
}
