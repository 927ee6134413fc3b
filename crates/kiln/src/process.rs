//! The one place that spawns programs.
//!
//! Every child gets its own process group, so that a cancelled build leaves nothing behind: [`Cancel`] is polled while the child
//! runs, and the whole group is terminated, then killed.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// How often [`Cancel`] and the timeout are looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long a pipe may stay open after the child has ended, because a grandchild holds it.
const LINGER: Duration = Duration::from_millis(500);
/// Longer lines are handed over in pieces.
const LONGEST_LINE: usize = 16 << 20;

/// A flag that ends running work: set once (by Ctrl-C), seen by every child that runs.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    parents: Vec<Arc<AtomicBool>>,
}

impl Cancel {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that is set when this one is, and can also be set alone: to stop a part of the work.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut parents = self.parents.clone();
        parents.push(Arc::clone(&self.flag));
        Self { flag: Arc::default(), parents }
    }

    /// Asks all work that holds this flag to end.
    pub fn set(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Whether work should end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst) || self.parents.iter().any(|parent| parent.load(Ordering::SeqCst))
    }
}

/// Why a program did not run to its end. A program that ran and failed is no error here: see [`Finished`].
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("`{program}` was not found")]
    NotFound {
        /// The program as asked for.
        program: String,
    },
    /// The program exists but cannot be started.
    #[error("cannot start `{program}`")]
    Spawn {
        /// The program as asked for.
        program: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// [`Cancel`] was set; the process group has ended.
    #[error("`{program}` was interrupted")]
    Cancelled {
        /// The program as asked for.
        program: String,
    },
    /// The timeout passed; the process group has ended.
    #[error("`{program}` did not end within {} s", after.as_secs())]
    TimedOut {
        /// The program as asked for.
        program: String,
        /// The timeout.
        after: Duration,
    },
    /// Waiting for the program failed.
    #[error("cannot wait for `{program}`")]
    Wait {
        /// The program as asked for.
        program: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// One of a child's output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The end of its standard output, at most [`Run::capture`] bytes.
    pub stdout: String,
    /// The end of its standard error, at most [`Run::capture`] bytes.
    pub stderr: String,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Finished {
    /// Whether it exited with 0.
    #[must_use]
    pub const fn success(&self) -> bool {
        matches!(self.code, Some(0))
    }
}

/// A program to run, and how.
#[derive(Debug, Clone)]
pub struct Run {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    cwd: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
    stdin_stays_open: bool,
    timeout: Option<Duration>,
    grace: Duration,
    capture: usize,
    user: Option<(u32, u32)>,
}

impl Run {
    /// A program by path, or by name to be looked up in `PATH`.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            stdin: None,
            stdin_stays_open: false,
            timeout: None,
            grace: Duration::from_millis(600),
            capture: 64 << 10,
            user: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable; the others are inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes an inherited environment variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// What the program reads on standard input; nothing by default.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Leaves standard input open after these bytes until the program ends: for one that takes its end for a sign that nobody wants the
    /// answer any more.
    #[must_use]
    pub const fn stdin_stays_open(mut self) -> Self {
        self.stdin_stays_open = true;
        self
    }

    /// Ends the program after this time.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long the process group may take to end once it has been asked to, before it is killed.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Runs the program as another user and group, without further groups; only root may.
    #[must_use]
    pub const fn user(mut self, user: u32, group: u32) -> Self {
        self.user = Some((user, group));
        self
    }

    /// How many bytes of the end of each stream [`Finished`] holds.
    #[must_use]
    pub const fn capture(mut self, bytes: usize) -> Self {
        self.capture = bytes;
        self
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// [`ProcessError`], when it cannot be started, is cancelled or takes too long.
    pub fn output(&self, cancel: &Cancel) -> Result<Finished, ProcessError> {
        self.lines(cancel, &mut |_, _| {})
    }

    /// Runs the program to its end and hands over each line of output, without its line ending, as it comes.
    ///
    /// Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// [`ProcessError`], when it cannot be started, is cancelled or takes too long.
    pub fn lines(&self, cancel: &Cancel, on_line: &mut dyn FnMut(Stream, &str)) -> Result<Finished, ProcessError> {
        let program = || self.program.to_string_lossy().into_owned();
        let started = Instant::now();
        if cancel.is_set() {
            return Err(ProcessError::Cancelled { program: program() });
        }
        let mut child = self.spawn()?;
        let (sender, receiver) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            read(Stream::Stdout, stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            read(Stream::Stderr, stderr, sender.clone());
        }
        drop(sender);
        let _open = child.stdin.take().zip(self.stdin.clone()).map(|(mut stdin, bytes)| {
            let stays_open = self.stdin_stays_open;
            thread::spawn(move || {
                // A program that does not read its input closes the pipe: its business.
                let _ = stdin.write_all(&bytes);
                stays_open.then_some(stdin)
            })
        });
        let mut group = Group { child, ended: false, grace: self.grace };
        let mut tails = [Tail::new(self.capture), Tail::new(self.capture)];
        let end = loop {
            match receiver.recv_timeout(POLL) {
                Ok(line) => deliver(&line, &mut tails, on_line),
                // Both pipes are closed; the child itself may go on without them.
                Err(RecvTimeoutError::Disconnected) if group.exited() => break None,
                Err(RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(1)),
                Err(RecvTimeoutError::Timeout) if group.exited() => {
                    drain(&receiver, &mut tails, on_line);
                    break None;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if cancel.is_set() {
                break Some(ProcessError::Cancelled { program: program() });
            }
            if let Some(after) = self.timeout.filter(|timeout| started.elapsed() > *timeout) {
                break Some(ProcessError::TimedOut { program: program(), after });
            }
        };
        if let Some(error) = end {
            group.end();
            return Err(error);
        }
        let status = group.child.wait().map_err(|source| ProcessError::Wait { program: program(), source })?;
        group.ended = true;
        let [stdout, stderr] = tails.map(Tail::into_text);
        Ok(Finished { code: status.code(), signal: status.signal(), stdout, stderr, elapsed: started.elapsed() })
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns programs")]
    fn spawn(&self) -> Result<Child, ProcessError> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.spawn().map_err(|source| {
            let program = self.program.to_string_lossy().into_owned();
            let missing_cwd = self.cwd.as_ref().is_some_and(|cwd| !cwd.is_dir());
            if source.kind() == io::ErrorKind::NotFound && !missing_cwd {
                ProcessError::NotFound { program }
            } else {
                ProcessError::Spawn { program, source }
            }
        })
    }
}

/// A running child with its process group; dropped, it takes the group with it.
#[derive(Debug)]
struct Group {
    child: Child,
    ended: bool,
    grace: Duration,
}

impl Group {
    /// Whether the child has ended. It is not reaped, so its process group id stays its own.
    fn exited(&self) -> bool {
        let Some(pid) = self.pid() else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None))
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Terminates the group, and kills what is left of it after the grace.
    fn end(&mut self) {
        let Some(pid) = self.pid() else { return };
        // An error means that the group is gone: what was wanted.
        let _ = rustix::process::kill_process_group(pid, Signal::TERM);
        let until = Instant::now() + self.grace;
        while !self.exited() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        let _ = self.child.wait();
        self.ended = true;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.end();
        }
    }
}

/// The last bytes of a stream, in whole lines.
#[derive(Debug)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
    limit: usize,
}

impl Tail {
    const fn new(limit: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, limit }
    }

    fn push(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > self.limit && self.lines.len() > 1 {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len() + 1);
        }
    }

    fn into_text(self) -> String {
        self.lines.into_iter().fold(String::with_capacity(self.bytes), |text, line| text + &line + "\n")
    }
}

type Line = (Stream, String);

fn deliver((stream, line): &Line, tails: &mut [Tail; 2], on_line: &mut dyn FnMut(Stream, &str)) {
    tails[usize::from(*stream == Stream::Stderr)].push(line);
    on_line(*stream, line);
}

/// The child has ended: takes what is still in the pipes, but does not wait for ever for grandchildren that hold them.
fn drain(receiver: &Receiver<Line>, tails: &mut [Tail; 2], on_line: &mut dyn FnMut(Stream, &str)) {
    let until = Instant::now() + LINGER;
    while let Ok(line) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        deliver(&line, tails, on_line);
    }
}

/// Reads a pipe on its own thread and sends its lines. The thread ends with the pipe.
fn read(stream: Stream, mut pipe: impl Read + Send + 'static, sender: Sender<Line>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        let mut pending = Vec::new();
        let send = |bytes: &[u8]| {
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            sender.send((stream, String::from_utf8_lossy(bytes).into_owned())).is_ok()
        };
        loop {
            let count = match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let mut rest = &buffer[..count];
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                pending.extend_from_slice(&rest[..end]);
                if !send(&pending) {
                    return;
                }
                pending.clear();
                rest = &rest[end + 1..];
            }
            pending.extend_from_slice(rest);
            if pending.len() > LONGEST_LINE {
                if !send(&pending) {
                    return;
                }
                pending.clear();
            }
        }
        if !pending.is_empty() {
            send(&pending);
        }
    });
}

#[cfg(test)]
mod tests;
