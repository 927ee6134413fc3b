//! The live tree as text: builds, their stages, and in each the step that is at work. Pure, so that it can be tested.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use kiln::event::{Step, StepKind, StepStatus};
use kiln::text::{bytes, seconds};

use super::progress::{View, instruction};

const RUNNING: Style = AnsiColor::Cyan.on_default();
const DONE: Style = AnsiColor::Green.on_default();
const FAILED: Style = AnsiColor::Red.on_default();
const FAINT: Style = Style::new().dimmed();

/// A stage and what became of its steps so far.
#[derive(Debug)]
struct Stage<'a> {
    name: &'a str,
    steps: Vec<&'a Step>,
}

/// The tree, at most `height` lines. Lines may be longer than the terminal is wide: who draws them cuts them.
pub(super) fn lines(views: &[View], now: Timestamp, height: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for view in views {
        lines.push(heading(view, now));
        if view.ended.is_none() {
            lines.extend(stages(view).iter().map(|stage| stage_line(view, stage, now)));
            lines.extend(other_lines(view, now));
        }
    }
    if lines.len() > height {
        // Too small for the tree: what is at work, as much as fits.
        lines = views.iter().filter(|view| view.ended.is_none()).flat_map(|view| busy_lines(view, now)).collect();
        lines.truncate(height);
    }
    lines
}

fn heading(view: &View, now: Timestamp) -> String {
    let label = view.label();
    match view.ended {
        Some((time, true)) => format!("{DONE}✓{DONE:#} {label}  {FAINT}{}{FAINT:#}", seconds(time)),
        Some((time, false)) => format!("{FAILED}✗{FAILED:#} {label}  {FAINT}{}{FAINT:#}", seconds(time)),
        None => format!(
            "{RUNNING}●{RUNNING:#} {label}  {FAINT}{}{FAINT:#}",
            seconds(now.duration_since(view.started).as_secs_f64().max(0.0))
        ),
    }
}

fn stages(view: &View) -> Vec<Stage<'_>> {
    let mut stages: Vec<Stage<'_>> = Vec::new();
    for step in view.state.dockerfile_steps() {
        let name = step.name.stage().unwrap_or_default();
        match stages.iter_mut().find(|stage| stage.name == name) {
            Some(stage) => stage.steps.push(step),
            None => stages.push(Stage { name, steps: vec![step] }),
        }
    }
    stages
}

fn stage_line(view: &View, stage: &Stage<'_>, now: Timestamp) -> String {
    let name = stage.name;
    let has = |status| stage.steps.iter().find(|step| step.status() == status);
    let time: f64 = stage.steps.iter().filter(|step| step.status() != StepStatus::Cached).map(|step| step.seconds(now)).sum();
    if let Some(step) = has(StepStatus::Running) {
        return format!("  {RUNNING}▸{RUNNING:#} {name}  {}", step_text(view, step, now));
    }
    if let Some(step) = has(StepStatus::Failed) {
        return format!("  {FAILED}✗{FAILED:#} {name}  {}", instruction(&step.name, 60));
    }
    let over = stage.steps.iter().all(|step| matches!(step.status(), StepStatus::Cached | StepStatus::Ran));
    match over {
        true if has(StepStatus::Ran).is_none() => format!("  {DONE}✓{DONE:#} {name}  {FAINT}cached{FAINT:#}"),
        true => format!("  {DONE}✓{DONE:#} {name}  {FAINT}{}{FAINT:#}", seconds(time)),
        false => format!("  {FAINT}· {name}{FAINT:#}"),
    }
}

/// `12.3 s of ~40.0 s  RUN make  last line of its output`
fn step_text(view: &View, step: &Step, now: Timestamp) -> String {
    let expected = view.history.expected_seconds(&step.name).filter(|time| *time >= 1.0);
    let expected = expected.map(|time| format!(" of ~{}", seconds(time))).unwrap_or_default();
    let last = step.log.last().unwrap_or_default();
    format!("{}{expected}  {}  {FAINT}{}{FAINT:#}", seconds(step.seconds(now)), instruction(&step.name, 40), last.trim())
}

/// Transfers and exports that are at work.
fn other_lines(view: &View, now: Timestamp) -> impl Iterator<Item = String> {
    let other = |step: &&Step| !matches!(step.name.kind, StepKind::Stage { .. }) && step.status() == StepStatus::Running;
    view.state.steps().iter().filter(other).map(move |step| {
        let sent = if step.bytes() > 0 { format!("  {}", bytes(step.bytes())) } else { String::new() };
        format!("  {RUNNING}▸{RUNNING:#} {FAINT}{}  {}{sent}{FAINT:#}", step.name.text, seconds(step.seconds(now)))
    })
}

fn busy_lines(view: &View, now: Timestamp) -> Vec<String> {
    let running = stages(view).into_iter().flat_map(|stage| stage.steps).filter(|step| step.status() == StepStatus::Running);
    let lines: Vec<String> =
        running.map(|step| format!("{RUNNING}▸{RUNNING:#} {} {}", view.label(), step_text(view, step, now))).collect();
    if lines.is_empty() { vec![heading(view, now)] } else { lines }
}

#[cfg(test)]
mod tests {
    use kiln::event::BuildEvent;
    use kiln::plan::Variant;

    use super::*;

    fn view(events: &[(&str, &str)]) -> View {
        let mut view = View::new("backend", Variant::Prod);
        let time = |second: &str| second.parse::<i64>().map(|second| Timestamp::from_second(second).unwrap()).unwrap();
        view.started = time("0");
        for (what, argument) in events {
            let (digest, rest) = argument.split_once('=').unwrap_or((argument, ""));
            let digest = digest.to_owned();
            view.state.apply(&match *what {
                "found" => BuildEvent::StepFound { digest, name: rest.to_owned(), inputs: Vec::new() },
                "start" => BuildEvent::StepStarted { digest, at: time(rest) },
                "end" => BuildEvent::StepFinished { digest, at: time(rest), error: None },
                "cached" => BuildEvent::StepCached { digest },
                _ => BuildEvent::StepLog { digest, stream: 1, text: format!("{rest}\n") },
            });
        }
        view
    }

    fn text(views: &[View], height: usize) -> String {
        let lines = lines(views, Timestamp::from_second(20).unwrap(), height).join("\n");
        anstream::adapter::strip_str(&lines).to_string()
    }

    fn busy() -> View {
        view(&[
            ("found", "e=[runtime 1/1] COPY --from=builder /out /"),
            ("found", "d=[builder 1/1] RUN --mount=type=cache kiln recipe compile"),
            ("found", "b=[planner 1/1] RUN kiln recipe prepare"),
            ("found", "c=[internal] load build context"),
            ("found", "a=[chef 2/2] WORKDIR /app"),
            ("cached", "a"),
            ("start", "b=1"),
            ("end", "b=2"),
            ("start", "c=19"),
            ("start", "d=8"),
            ("log", "d=   Compiling serde v1.0.0"),
        ])
    }

    #[test]
    fn the_tree_shows_stages_and_the_running_step() {
        let mut done = view(&[]);
        done.service = "frontend".to_owned();
        done.ended = Some((3.21, true));
        insta::assert_snapshot!(text(&[busy(), done], 20), @r"
        ● backend prod  20.0 s
          ✓ chef  cached
          ✓ planner  1.0 s
          ▸ builder  12.0 s  RUN kiln recipe compile  Compiling serde v1.0.0
          · runtime
          ▸ load build context  1.0 s
        ✓ frontend prod  3.2 s
        ");
    }

    #[test]
    fn a_small_terminal_shows_what_is_at_work() {
        insta::assert_snapshot!(text(&[busy()], 2), @"▸ backend prod 12.0 s  RUN kiln recipe compile  Compiling serde v1.0.0");
    }
}
