//! Failed builds as messages: the step, where it stands, the end of its output, a way out.

use std::fmt::Write as _;
use std::fs;

use camino::Utf8Path;
use kiln::engine::{BuildFailure, EngineError, EngineInfo};
use kiln::event::StepKind;

use super::session::{Build, Builds};
use crate::error::{CommandError, Kind};
use crate::hints;

/// How many lines of output are shown.
const LOG_LINES: usize = 30;
/// How many lines of an instruction are shown.
const SOURCE_LINES: usize = 8;

/// One error for each failed build; for several that failed in the same way, because the engine did, one for all.
pub(super) fn errors(root: &Utf8Path, builds: &Builds) -> Vec<CommandError> {
    let mut errors: Vec<CommandError> = Vec::new();
    for build in &builds.builds {
        let error = match &build.result {
            Ok(_) | Err(EngineError::Interrupted) => continue,
            Err(EngineError::Build(failure)) => build_error(root, build, failure),
            Err(error @ EngineError::CacheExport) => no_export(error, builds.engine.as_ref()),
            Err(error) => hints::engine_error(error),
        };
        if !errors.iter().any(|known| known.message == error.message) {
            errors.push(error);
        }
    }
    errors
}

/// An engine that cannot export, with the store that is the reason, where it is.
fn no_export(error: &EngineError, engine: Option<&EngineInfo>) -> CommandError {
    let mut command_error = hints::engine_error(error);
    if let Some(store) = engine.filter(|engine| !engine.containerd_store).and_then(|engine| engine.storage_driver.as_ref()) {
        let _ = write!(command_error.message, ": it keeps images in the `{store}` store");
    }
    command_error
}

fn build_error(root: &Utf8Path, build: &Build, failure: &BuildFailure) -> CommandError {
    let step = failure.step.as_deref().and_then(|digest| build.state.step(digest));
    let what = format!("cannot build `{}` ({})", build.job.service, build.job.variant.name());
    let mut message = match (step, failure.exit_code) {
        (Some(step), Some(code)) => {
            let stage = match &step.name.kind {
                StepKind::Stage { stage: Some(stage), .. } => format!(" of stage `{stage}`"),
                _ => String::new(),
            };
            let keyword = step.name.keyword().unwrap_or_else(|| "a".to_owned());
            format!("{what}: {keyword} step{stage} failed with exit code {code}")
        }
        _ => match undecodable_name(build, failure) {
            Some(path) => {
                let message = format!("{what}: the name of `{path}` is not valid UTF-8, which BuildKit cannot transfer");
                return CommandError::new(Kind::User, message)
                    .hint("rename the file, or leave it out by a line in the ignore file");
            }
            None => format!("{what}: {}", failure.message),
        },
    };
    let line = failure.line.or_else(|| step.and_then(|step| step.line));
    let instruction =
        line.map(|line| excerpt(&root.join(&build.job.dockerfile), &build.job.dockerfile, line)).unwrap_or_default();
    message += &instruction;
    let log: Vec<String> = step.map(|step| step.log.lines().collect()).unwrap_or_default();
    let shown = &log[log.len().saturating_sub(LOG_LINES)..];
    if !shown.is_empty() {
        let hidden = log.len() - shown.len() + step.map_or(0, |step| step.log.dropped());
        message += if hidden > 0 { "\nend of its output:" } else { "\nits output:" };
        for line in shown {
            let _ = write!(message, "\n  {line}");
        }
    }
    let text = format!("{}\n{}", log.join("\n"), failure.message);
    hints::of_failure(&instruction, &text).into_iter().fold(CommandError::new(Kind::Build, message), CommandError::hint)
}

/// The file that BuildKit stumbled over when it says no more than that some name is not text. Escapes stand for the odd bytes.
fn undecodable_name(build: &Build, failure: &BuildFailure) -> Option<String> {
    if !failure.message.contains("invalid UTF-8") {
        return None;
    }
    let context = build.job.request.context.as_std_path();
    let mut folders = vec![context.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).ok()?.flatten() {
            let path = entry.path();
            if entry.file_name().to_str().is_none() {
                let relative = path.strip_prefix(context).unwrap_or(&path);
                return Some(relative.as_os_str().as_encoded_bytes().escape_ascii().to_string());
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
        }
    }
    None
}

/// Place and text of an instruction, with its continuation lines.
fn excerpt(path: &Utf8Path, shown: &Utf8Path, line: u32) -> String {
    let mut text = format!("\n  --> {shown}:{line}");
    let source = fs::read_to_string(path).unwrap_or_default();
    let lines = (1..).zip(source.lines()).skip_while(|(number, _)| *number < line);
    for (number, source) in lines.take(SOURCE_LINES) {
        let _ = write!(text, "\n{number:>4} | {source}");
        if !source.trim_end().ends_with('\\') {
            break;
        }
    }
    text
}
