//! How builds in progress are shown: one reader of events for each `--progress` mode.

use jiff::Timestamp;
use kiln::event::{BuildEvent, BuildState, StepName};
use kiln::plan::Variant;
use kiln::record::History;

use super::{Ui, json, plain, tty};
use crate::args::Progress as Mode;

/// Everything a display needs to know about one build.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) service: String,
    pub(crate) variant: Variant,
    pub(crate) state: BuildState,
    /// What earlier builds took.
    pub(crate) history: History,
    pub(crate) started: Timestamp,
    /// Seconds, and whether there is an image.
    pub(crate) ended: Option<(f64, bool)>,
}

impl View {
    pub(crate) fn new(service: &str, variant: Variant) -> Self {
        Self {
            service: service.to_owned(),
            variant,
            state: BuildState::new(),
            history: History::default(),
            started: Timestamp::now(),
            ended: None,
        }
    }

    /// `backend prod`
    pub(crate) fn label(&self) -> String {
        format!("{} {}", self.service, self.variant.name())
    }
}

/// What the engine warns of, with the line in the Dockerfile, which it often names itself.
pub(super) fn warning(message: &str, line: Option<u32>) -> String {
    match line.map(|line| format!("(line {line})")) {
        Some(place) if !message.contains(&place) => format!("{message} {place}"),
        _ => message.to_owned(),
    }
}

/// Shows builds while they go on.
pub(crate) trait Progress {
    /// An event, already part of the view's state.
    fn event(&mut self, views: &[View], index: usize, event: &BuildEvent);
    /// A build ended.
    fn ended(&mut self, views: &[View], index: usize);
    /// Called several times a second.
    fn tick(&mut self, views: &[View]);
    /// Nothing more comes: leaves the terminal as it was.
    fn close(&mut self);
}

/// The display for the chosen mode.
pub(crate) fn for_ui(ui: &Ui) -> Box<dyn Progress + '_> {
    match ui.progress {
        Mode::Tty => Box::new(tty::Tty::new()),
        Mode::Plain | Mode::Auto => Box::new(plain::Plain::new(ui)),
        Mode::Json => Box::new(json::Json::new(ui)),
        Mode::Quiet => Box::new(Quiet),
    }
}

/// Shows nothing.
#[derive(Debug)]
struct Quiet;

impl Progress for Quiet {
    fn event(&mut self, _: &[View], _: usize, _: &BuildEvent) {}
    fn ended(&mut self, _: &[View], _: usize) {}
    fn tick(&mut self, _: &[View]) {}
    fn close(&mut self) {}
}

/// `builder 2/4`
pub(super) fn place(name: &StepName) -> Option<String> {
    let (index, total) = name.position()?;
    Some(format!("{} {index}/{total}", name.stage()?))
}

/// An instruction on one line, without the flags that mount things, cut to a length.
pub(super) fn instruction(name: &StepName, limit: usize) -> String {
    let words = name.text.split_whitespace().filter(|word| !word.starts_with("--mount=") && *word != "\\");
    cut(&words.collect::<Vec<_>>().join(" "), limit)
}

/// At most `limit` characters, with an ellipsis where some are missing.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_shortened() {
        let name = StepName::parse(
            "[builder 2/2] RUN --mount=type=cache,target=/x     --mount=type=bind,from=kiln     kiln recipe compile",
        );
        assert_eq!(instruction(&name, 80), "RUN kiln recipe compile");
        assert_eq!(instruction(&name, 10), "RUN kiln …");
        assert_eq!(place(&name).as_deref(), Some("builder 2/2"));
    }
}
