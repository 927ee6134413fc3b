//! Everything that is printed goes through [`Ui`]: data to stdout, talk to stderr.

mod json;
mod plain;
pub(crate) mod progress;
mod tree;
mod tty;

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::args::{Color, Global, Progress};
use crate::error::CommandError;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Version of the JSON documents on stdout.
const JSON_SCHEMA: u32 = 1;

/// Streams, colour and verbosity.
#[derive(Debug)]
pub(crate) struct Ui {
    /// Whether stdout carries one JSON document.
    pub(crate) json: bool,
    /// How progress is shown, with `auto` resolved.
    pub(crate) progress: Progress,
}

impl Ui {
    pub(crate) fn new(global: &Global) -> Self {
        match global.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        let progress = match global.progress {
            Progress::Auto if std::io::stderr().is_terminal() => Progress::Tty,
            Progress::Auto => Progress::Plain,
            chosen => chosen,
        };
        Self { json: global.json, progress }
    }

    /// Prints data to stdout. A closed pipe is not an error.
    pub(crate) fn data(&self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Wipes the terminal, so that what follows stands alone on it. `false` where stdout is none, or carries a document.
    pub(crate) fn clear(&self) -> bool {
        let clears = !self.json && std::io::stdout().is_terminal();
        if clears {
            self.data("\x1b[2J\x1b[H");
        }
        clears
    }

    /// Prints a JSON document to stdout, with its schema number first.
    pub(crate) fn document(&self, document: &impl Serialize) {
        #[derive(Serialize)]
        struct Document<'a, T: Serialize> {
            schema: u32,
            #[serde(flatten)]
            document: &'a T,
        }
        match serde_json::to_string_pretty(&Document { schema: JSON_SCHEMA, document }) {
            Ok(text) => self.data(&(text + "\n")),
            Err(error) => self.warn(&format!("cannot write the JSON document: {error}")),
        }
    }

    /// Prints a line of talk to stderr, unless quiet or for programs.
    pub(crate) fn note(&self, line: &str) {
        if !matches!(self.progress, Progress::Quiet | Progress::Json) {
            self.talk(&format!("{line}\n"));
        }
    }

    /// Prints a part of a line of talk; the rest follows.
    pub(crate) fn piece(&self, text: &str) {
        if !matches!(self.progress, Progress::Quiet | Progress::Json) {
            self.talk(text);
        }
    }

    /// Prints a warning to stderr.
    pub(crate) fn warn(&self, line: &str) {
        if self.progress == Progress::Json {
            return self.event(&serde_json::json!({ "event": "kiln-warning", "message": line }));
        }
        self.talk(&format!("{WARNING}warning{WARNING:#}: {line}\n"));
    }

    /// Prints one JSON object on a line of stderr.
    pub(crate) fn event(&self, event: &serde_json::Value) {
        self.talk(&format!("{event}\n"));
    }

    /// Prints an error with its causes and hints to stderr and gives its exit code.
    pub(crate) fn report(&self, error: &CommandError) -> ExitCode {
        if self.progress == Progress::Json {
            let (message, causes, hints) = (&error.message, &error.causes, &error.hints);
            self.event(&serde_json::json!({ "event": "error", "message": message, "causes": causes, "hints": hints }));
            return error.exit_code();
        }
        let mut text = format!("{ERROR}error{ERROR:#}: {}\n", error.message);
        for cause in &error.causes {
            let _ = writeln!(text, "caused by: {cause}");
        }
        for hint in &error.hints {
            let _ = writeln!(text, "{HINT}hint{HINT:#}: {hint}");
        }
        self.talk(&text);
        error.exit_code()
    }

    fn talk(&self, text: &str) {
        let mut stderr = anstream::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}
