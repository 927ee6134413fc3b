//! The last build as bars for a terminal.

use super::visible::shortened;
use super::{Build, Change, Report, Step};
use crate::event::StepStatus;
use crate::record::Ending;
use crate::text::{bytes, count, seconds};

/// Narrower terminals get longer lines than they have room for.
const NARROWEST: usize = 48;
/// Columns of the number at the end.
const NUMBER: usize = 12;

/// What a piece of a line is; the terminal decides what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing special.
    Plain,
    /// A heading.
    Heading,
    /// Of less weight.
    Faint,
    /// Work on the critical path.
    Critical,
    /// Other work.
    Work,
    /// A failure.
    Failure,
}

/// A line, in pieces. No piece has control characters.
pub type Line = Vec<(Role, String)>;

/// The last builds, each with its steps along its time. Without colour, `█` is work on the critical path and `░` other work.
#[must_use]
pub fn last(report: &Report, width: usize) -> Vec<Line> {
    let builds = report.last();
    let mut lines = Vec::new();
    for build in &builds {
        if !lines.is_empty() {
            lines.push(Line::new());
        }
        lines.extend(of(build, width.max(NARROWEST)));
    }
    lines
}

fn of(build: &Build, width: usize) -> Vec<Line> {
    let mut head: Line = vec![(Role::Heading, shortened(&build.name(), 40)), (Role::Plain, format!("  {}", outcome(build)))];
    if let Some(size) = build.size {
        head.push((Role::Faint, format!(", {}", bytes(size))));
    }
    head.push((Role::Faint, format!("  {}", build.started.strftime("%Y-%m-%d %H:%M UTC"))));
    let mut lines = vec![head];
    let change = &build.change;
    if change.commit.is_some() || change.edited.is_some() || change.new_plan {
        lines.push(vec![(Role::Faint, shortened(&changed(change), width))]);
    }
    let steps: Vec<&Step> = build.shown().collect();
    let label = |step: &Step| shortened(&format!("{}  {}", step.label, step.short(80)), 100);
    let room = steps.iter().map(|step| label(step).chars().count()).max().unwrap_or(0).min(width * 2 / 5);
    let columns = width.saturating_sub(room + NUMBER + 2).max(8);
    let whole = build.span();
    for step in steps {
        let name = shortened(&label(step), room);
        let gap = " ".repeat(room - name.chars().count() + 1);
        let (before, bar) = place(step, whole, columns);
        let after = " ".repeat(columns - before - bar);
        let (role, character) = match step.status {
            StepStatus::Failed => (Role::Failure, "▓"),
            _ if step.critical => (Role::Critical, "█"),
            _ => (Role::Work, "░"),
        };
        let time = format!("{after} {:>width$}", seconds(step.seconds), width = NUMBER - 1);
        let bar = character.repeat(bar);
        lines.push(vec![(Role::Plain, name + &gap), (Role::Plain, " ".repeat(before)), (role, bar), (Role::Plain, time)]);
    }
    if let Some(error) = &build.error {
        lines.push(vec![(Role::Failure, shortened(error, width))]);
    }
    lines
}

/// Columns before a bar, and of it.
fn place(step: &Step, whole: f64, columns: usize) -> (usize, usize) {
    let (begin, end) = step.times.unwrap_or((0.0, step.seconds));
    let column = |seconds: f64| if whole > 0.0 { (seconds / whole * columns as f64).round() as usize } else { 0 };
    let before = column(begin.max(0.0)).min(columns - 1);
    (before, column(end).saturating_sub(before).clamp(1, columns - before))
}

/// `built in 12.3 s: 5 steps ran, 11 cached, 146 crates compiled`
pub(super) fn outcome(build: &Build) -> String {
    let how = match build.ending {
        Some(Ending::Succeeded) => "built in",
        Some(Ending::Failed) => "failed after",
        Some(Ending::Interrupted) => "stopped after",
        Some(Ending::Engine) => "given up by the engine after",
        None => "no end after",
    };
    let ran = if build.ran() == 0 { "no step ran".to_owned() } else { format!("{} ran", count(build.ran(), "step")) };
    let crates = if build.crates > 0 { format!(", {} compiled", count(build.crates, "crate")) } else { String::new() };
    format!("{how} {}: {ran}, {} cached{crates}", seconds(build.seconds), build.cached())
}

/// `commit 12ab34c “Fix login”, main.rs edited`
pub(super) fn changed(change: &Change) -> String {
    let mut parts = Vec::new();
    match &change.commit {
        Some(commit) => {
            let short: String = commit.chars().take(8).collect();
            let subject = change.subject.as_ref().map(|subject| format!(" “{subject}”")).unwrap_or_default();
            let what = if change.new_commit == Some(true) { "new commit" } else { "commit" };
            parts.push(format!("{what} {short}{subject}"));
        }
        None => parts.push("no commit known".to_owned()),
    }
    match change.edited {
        Some(0) => parts.push("nothing edited".to_owned()),
        Some(number) => {
            let mut names: Vec<String> = change.paths.iter().take(2).map(ToString::to_string).collect();
            if number > names.len() {
                names.push(format!("{} more", number - names.len()));
            }
            parts.push(format!("{} edited", names.join(", ")));
        }
        None => {}
    }
    if change.new_plan {
        parts.push("another plan".to_owned());
    }
    parts.join(", ")
}
