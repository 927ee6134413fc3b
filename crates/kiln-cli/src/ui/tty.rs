//! Progress as a live tree. All use of indicatif is here.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use kiln::event::BuildEvent;

use super::progress::{Progress, View, warning};
use super::tree;

/// What takes less is not worth a flicker.
const DELAY: Duration = Duration::from_millis(250);
const REDRAW: Duration = Duration::from_millis(100);
/// Where the terminal does not say.
const ROWS: usize = 24;

/// Draws the tree and takes it away at the end.
#[derive(Debug)]
pub(super) struct Tty {
    multi: MultiProgress,
    lines: Vec<ProgressBar>,
    begun: Instant,
    drawn: Option<Instant>,
    colour: bool,
}

impl Tty {
    pub(super) fn new() -> Self {
        let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self { multi, lines: Vec::new(), begun: Instant::now(), drawn: None, colour }
    }

    fn draw(&mut self, lines: &[String]) {
        while self.lines.len() > lines.len() {
            if let Some(line) = self.lines.pop() {
                self.multi.remove(&line);
            }
        }
        while self.lines.len() < lines.len() {
            let line = ProgressBar::new_spinner();
            // `wide_msg` cuts a line to the terminal's width, colours and wide characters considered.
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                line.set_style(style);
            }
            self.lines.push(self.multi.add(line));
        }
        for (line, text) in self.lines.iter().zip(lines) {
            let text = if self.colour { text.clone() } else { anstream::adapter::strip_str(text).to_string() };
            line.set_message(text);
        }
    }
}

impl Progress for Tty {
    fn event(&mut self, views: &[View], index: usize, event: &BuildEvent) {
        // The tree goes when the builds are over; what the engine warns of stays, above it.
        if let BuildEvent::Warning { message, line, .. } = event {
            // A terminal that went away cannot be told.
            let _ = self.multi.println(format!("warning: {}: {}", views[index].label(), warning(message, *line)));
        }
    }

    fn ended(&mut self, _: &[View], _: usize) {}

    fn tick(&mut self, views: &[View]) {
        if self.begun.elapsed() < DELAY || self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).ok();
        let rows = size.map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 0).unwrap_or(ROWS);
        self.draw(&tree::lines(views, Timestamp::now(), rows.saturating_sub(1).max(1)));
    }

    fn close(&mut self) {
        // A terminal that went away cannot be cleaned.
        let _ = self.multi.clear();
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
        self.lines.clear();
    }
}
