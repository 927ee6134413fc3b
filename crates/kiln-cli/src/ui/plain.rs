//! Progress as lines: one when a step starts, one when it ends. For logs and pipes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kiln::event::{BuildEvent, Step, StepKind, StepStatus};
use kiln::text::{bytes, seconds};

use super::Ui;
use super::progress::{Progress, View, cut, instruction, place, warning};

/// After this time a step that still runs gets another line: some CI systems end jobs that are silent.
const SILENCE: Duration = Duration::from_secs(30);
/// Transfers and exports are worth a line from this many seconds on.
const WORTH_A_LINE: f64 = 1.0;
const WIDTH: usize = 100;

#[derive(Debug)]
pub(super) struct Plain<'a> {
    ui: &'a Ui,
    /// Steps said to have started, by place: digest, and when the last line about them was.
    running: BTreeMap<(usize, String), (String, Instant)>,
    /// Places of steps said to be over.
    over: BTreeSet<(usize, String)>,
}

impl<'a> Plain<'a> {
    pub(super) const fn new(ui: &'a Ui) -> Self {
        Self { ui, running: BTreeMap::new(), over: BTreeSet::new() }
    }

    fn line(&self, views: &[View], index: usize, text: &str) {
        let width = views.iter().map(|view| view.label().len()).max().unwrap_or(0);
        self.ui.note(&format!("{:width$} | {text}", views[index].label()));
    }

    fn over(&mut self, views: &[View], index: usize, step: &Step) {
        let key = (index, place(&step.name).unwrap_or_default());
        let time = step.seconds(Timestamp::now());
        let text = match (&step.name.kind, step.status()) {
            (_, StepStatus::Waiting | StepStatus::Running | StepStatus::Skipped) => return,
            // Said at the end, in words.
            (StepKind::CacheImport { .. } | StepKind::CacheExport, StepStatus::Failed) => return,
            (StepKind::Stage { .. }, StepStatus::Cached) => format!("cached  {}", instruction(&step.name, WIDTH)),
            (StepKind::Stage { .. }, StepStatus::Ran) => format!("done    {}", seconds(time)),
            (StepKind::Stage { .. }, StepStatus::Failed) => format!("failed  after {}", seconds(time)),
            (_, StepStatus::Failed) => {
                self.line(views, index, &format!("{}  failed after {}", cut(&step.name.to_string(), WIDTH), seconds(time)));
                return;
            }
            (_, StepStatus::Ran | StepStatus::Cached) if time < WORTH_A_LINE => return,
            (_, _) => {
                let sent = if step.bytes() > 0 { format!("  {}", bytes(step.bytes())) } else { String::new() };
                self.line(views, index, &format!("{}  {}{sent}", cut(&step.name.to_string(), WIDTH), seconds(time)));
                return;
            }
        };
        self.running.remove(&key);
        if self.over.insert(key) {
            self.line(views, index, &format!("{:<14} {text}", place(&step.name).unwrap_or_default()));
        }
    }
}

impl Progress for Plain<'_> {
    fn event(&mut self, views: &[View], index: usize, event: &BuildEvent) {
        let step = |digest: &str| views[index].state.step(digest);
        match event {
            BuildEvent::StepStarted { digest, .. } => {
                let Some(step) = step(digest) else { return };
                let Some(place) = place(&step.name) else { return };
                let key = (index, place.clone());
                if !step.cached && !step.name.is_from() && !self.over.contains(&key) && !self.running.contains_key(&key) {
                    self.line(views, index, &format!("{place:<14} start   {}", instruction(&step.name, WIDTH)));
                    self.running.insert(key, (digest.clone(), Instant::now()));
                }
            }
            BuildEvent::StepFinished { digest, .. } | BuildEvent::StepCached { digest } => {
                if let Some(step) = step(digest) {
                    self.over(views, index, step);
                }
            }
            BuildEvent::Warning { message, line, .. } => {
                self.line(views, index, &format!("warning: {}", warning(message, *line)));
            }
            _ => {}
        }
    }

    fn ended(&mut self, _: &[View], index: usize) {
        self.running.retain(|(job, _), _| *job != index);
    }

    fn tick(&mut self, views: &[View]) {
        let silent = |(_, since): &(String, Instant)| since.elapsed() > SILENCE;
        let silent: Vec<_> =
            self.running.iter().filter(|(_, about)| silent(about)).map(|(key, about)| (key.clone(), about.0.clone())).collect();
        for ((index, place), digest) in silent {
            if let Some(step) = views[index].state.step(&digest) {
                let last = step.log.last().unwrap_or_default();
                let time = seconds(step.seconds(Timestamp::now()));
                self.line(views, index, &format!("{place:<14} runs    {time}  {}", cut(last.trim(), WIDTH)));
            }
            self.running.insert((index, place), (digest, Instant::now()));
        }
    }

    fn close(&mut self) {}
}
