//! `kiln build` as its user runs it: a process of its own, timed from start to end.

use std::collections::BTreeSet;

use camino::Utf8Path;
use serde::Deserialize;

use super::{Measured, StrategyError, npm};
use crate::event::StepStatus;
use crate::process::{Cancel, Run};
use crate::record::{Record, list};

/// What is read of the document of `kiln build --json`.
#[derive(Debug, Deserialize)]
struct Document {
    builds: Vec<Build>,
}

/// Environment variable with the number of the process with which a `kiln` that it started ends.
pub const ENDS_WITH: &str = "KILN_ENDS_WITH";

#[derive(Debug, Deserialize)]
struct Build {
    image: String,
    local_crates_compiled: Vec<String>,
    external_crates_compiled: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    instruction: String,
    status: StepStatus,
    seconds: f64,
}

/// Builds a service of the project at `root` with the program `kiln` and more arguments. Gives the name of the image, too.
pub(super) fn build(
    kiln: &Utf8Path,
    docker: &str,
    root: &Utf8Path,
    service: &str,
    arguments: &[String],
    cancel: &Cancel,
) -> Result<(Measured, String), StrategyError> {
    let run = Run::new(kiln)
        .args(["build", service, "--json", "--progress", "quiet", "--project"])
        .arg(root)
        .args(arguments)
        .env("KILN_DOCKER", docker)
        // Which projects there are is nothing that a copy should add to: what kiln remembers of it goes with it.
        .env("XDG_STATE_HOME", root.join(".kiln").as_str())
        // A run that is killed cleans nothing up; what it started must not go on behind the one that does.
        .env(ENDS_WITH, std::process::id().to_string())
        .env_remove("KILN_PROJECT")
        .env_remove("KILN_PROGRESS")
        // It takes its own builds with it.
        .grace(std::time::Duration::from_secs(10))
        .capture(8 << 20);
    let finished = run.output(cancel)?;
    if !finished.success() {
        return Err(StrategyError::Failed(end_of(&finished.stderr)));
    }
    let document: Document = serde_json::from_str(&finished.stdout)
        .map_err(|error| StrategyError::Failed(format!("`kiln build` printed no document: {error}")))?;
    let Some(build) = document.builds.into_iter().next() else {
        return Err(StrategyError::Failed("`kiln build` built nothing".to_owned()));
    };
    // A package counts once, as in cargo's own lines.
    let packages: BTreeSet<&str> =
        build.local_crates_compiled.iter().map(|name| name.split(' ').next().unwrap_or(name)).collect();
    let steps = build.steps.iter().map(|step| (step.instruction.as_str(), step.status, step.seconds));
    let (installs, install_seconds) = npm::count(steps);
    let measured = Measured {
        seconds: finished.elapsed.as_secs_f64(),
        steps_ran: build.steps.iter().filter(|step| step.status == StepStatus::Ran).count(),
        local_crates: packages.len(),
        external_crates: build.external_crates_compiled.iter().collect::<BTreeSet<_>>().len(),
        context_bytes: context_bytes(root),
        installs,
        install_seconds,
        ..Measured::default()
    };
    Ok((measured, build.image))
}

/// From the record of the latest build; it is only for show.
fn context_bytes(root: &Utf8Path) -> Option<u64> {
    let latest = list(&root.join(".kiln/builds")).ok()?.into_iter().next()?;
    Some(Record::load(&latest.path).ok()?.end?.context_bytes)
}

/// The last lines of what a program said.
pub(super) fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
