//! `kiln init`

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use camino::{Utf8Path, Utf8PathBuf};
use kiln::advice::{self, Selection, examine};
use kiln::files::{Comparison, FilesError, Status, Surroundings, compare, render};
use kiln::lifecycle::gc::{Daemon, setting};
use kiln::plan::{ImageEngine, Plan, Variant};
use kiln::project::Project;
use kiln::settings::Settings;
use kiln::text::{Text, count};
use serde::Serialize;

use super::Context;
use super::project::{decide_for, look_at, refuse};
use crate::error::{CommandError, Kind};

/// Writes Dockerfiles and what belongs to them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file that a person wrote or edited is kept. Nothing is written before everything is decided.

Examples:
  kiln init                 write what is missing or out of date
  kiln init --diff          and show what changes
  kiln init --check         only tell; exit code 4 if a file is out of date
  kiln init --force         also replace edited files; each is saved as NAME.kept
  kiln init --ci github     also a workflow for GitHub Actions
  kiln init --engine chef   the same images with cargo-chef, and nothing of kiln in any file")]
pub(crate) struct Args {
    /// Write nothing; exit with 4 if a file is out of date
    #[arg(long)]
    check: bool,
    /// Show differences, also those of files that are kept
    #[arg(long)]
    diff: bool,
    /// Replace files that a person wrote or edited, and save them as NAME.kept
    #[arg(long)]
    force: bool,
    /// Who cooks dependencies in the images, for this run; `[project] engine` in kiln.toml says it for good
    #[arg(long, value_name = "ENGINE")]
    engine: Option<EngineArg>,
    /// Also write a workflow: all images in one build with a cache in the registry, and measurements on demand
    #[arg(long, value_name = "SYSTEM")]
    ci: Option<CiArg>,
    /// Write nothing; print the piece of configuration under which the engine keeps caches up to a bound
    #[arg(long, value_name = "DAEMON")]
    gc: Option<GcArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum GcArg {
    /// Docker Engine 28 or later: for its daemon.json
    Docker,
    /// A builder of its own: for its buildkitd.toml
    Buildkitd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CiArg {
    /// GitHub Actions: .github/workflows/images.yml
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EngineArg {
    /// kiln, mounted into the steps that need it
    Kiln,
    /// cargo-chef and the package managers alone: no trace of kiln, for those who want to leave
    Chef,
}

impl From<EngineArg> for ImageEngine {
    fn from(argument: EngineArg) -> Self {
        match argument {
            EngineArg::Kiln => Self::Kiln,
            EngineArg::Chef => Self::Chef,
        }
    }
}

#[derive(Debug, Serialize)]
struct Document {
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    path: Utf8PathBuf,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    if let Some(daemon) = args.gc {
        let daemon = if daemon == GcArg::Docker { Daemon::Docker } else { Daemon::Buildkitd };
        context.ui.data(&setting(daemon));
        return Ok(ExitCode::SUCCESS);
    }
    let (settings, project) = look_at(&context.project)?;
    let plan = decide_for(&project, settings, args.engine.map(ImageEngine::from));
    let root = project.root.clone();
    if let Some(error) = refuse(&plan) {
        return Err(error);
    }
    let mut surroundings = Surroundings::look(&root).map_err(|error| files_error(&error))?;
    surroundings.github |= args.ci == Some(CiArg::Github);
    let comparison = compare(&root, render(&plan, &surroundings), args.force).map_err(|error| files_error(&error))?;
    let out_of_date = comparison.out_of_date().count();
    if !args.check && !context.cancel.is_set() {
        comparison.write().map_err(|error| files_error(&error))?;
    }
    show(context, args, &plan, &comparison);
    if let Some(note) = leaving(&root, plan.engine) {
        context.ui.note(&note);
    }
    if !args.check {
        tell_missing_files(context, &project);
    }
    if args.check && out_of_date > 0 {
        let verb = if out_of_date == 1 { "is" } else { "are" };
        let message = format!("{} {verb} out of date", count(out_of_date, "file"));
        return Err(CommandError::new(Kind::Check, message).hint("run `kiln init`"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Names files that the programs open and the images would lack: those containers build, and do not start.
fn tell_missing_files(context: &Context, project: &Project) {
    // As it is now, with what was just written.
    let Ok(settings) = Settings::load(&project.root) else { return };
    let rule = "files-not-in-image".to_owned();
    for finding in examine(&advice::Context::new(project, &settings), &Selection { rules: [rule].into() }) {
        context.ui.warn(&format!("{}:{}: {}", finding.path, finding.line, finding.message));
        context.ui.note(&finding.help);
    }
}

/// What is left to do by hand after the engine was chosen on the command line.
fn leaving(root: &Utf8Path, engine: ImageEngine) -> Option<String> {
    let written = Settings::load(root).ok()?.project.engine.map(|at| at.value).unwrap_or_default();
    if written != engine && root.join(kiln::settings::FILE_NAME).exists() {
        let (chosen, written) = (engine.name(), written.name());
        return Some(format!(
            "kiln.toml still says {written}: write `engine = \"{chosen}\"` under `[project]` for the choice to last"
        ));
    }
    let left = engine == ImageEngine::Chef && root.join("kiln.mk").exists();
    left.then(|| "kiln.mk and the line that includes it are still there; nothing else needs them".to_owned())
}

fn show(context: &Context, args: &Args, plan: &Plan, comparison: &Comparison) {
    if context.ui.json {
        let files = comparison.entries.iter().map(|entry| File {
            path: entry.path.clone(),
            status: entry.status,
            diff: args.diff.then(|| entry.diff()).filter(|diff| !diff.is_empty()),
        });
        context.ui.document(&Document { files: files.collect() });
        return;
    }
    let mut text = Text::default();
    for entry in &comparison.entries {
        let (word, style) = match entry.status {
            Status::Created => ("created", AnsiColor::Green.on_default()),
            Status::Updated => ("updated", AnsiColor::Green.on_default()),
            Status::Unchanged => ("unchanged", Style::new().dimmed()),
            Status::Kept => ("kept", AnsiColor::Yellow.on_default()),
        };
        text += format_args!("{style}{word:9}{style:#}  {}\n", entry.path);
        if args.diff {
            text += &entry.diff();
        }
    }
    context.ui.data(&text.finish());
    let kept = comparison.entries.iter().filter(|entry| entry.status == Status::Kept).count();
    if kept > 0 && !args.diff {
        let theirs = if kept == 1 { "is a person's work" } else { "are a person's work" };
        context.ui.note(&format!(
            "{} {theirs} and left alone; `kiln init --diff` shows what kiln would write, `--force` writes it",
            count(kept, "file")
        ));
    }
    if let Some(note) = built_as_they_stand(plan, comparison) {
        context.ui.note(&note);
    }
}

/// What it means that a Dockerfile is kept: its image is built, but not by kiln's steps.
fn built_as_they_stand(plan: &Plan, comparison: &Comparison) -> Option<String> {
    let dockerfiles: Vec<&Utf8PathBuf> =
        plan.services.iter().flat_map(|service| Variant::ALL.map(|variant| service.files.dockerfile(variant))).collect();
    let kept = comparison.entries.iter().filter(|entry| entry.status == Status::Kept && dockerfiles.contains(&&entry.path));
    let names: Vec<String> = kept.map(|entry| format!("`{}`", entry.path)).collect();
    let stand = if names.len() == 1 { "as it stands" } else { "as they stand" };
    (!names.is_empty()).then(|| format!("`kiln build` builds {} {stand}, with what its own steps cache", names.join(", ")))
}

fn files_error(error: &FilesError) -> CommandError {
    let message = CommandError::from_error(Kind::User, error);
    match error {
        FilesError::NotAFile { .. } => message.hint("move it away, or give the service another `path` in kiln.toml"),
        FilesError::Folder { .. } | FilesError::Replace { .. } => {
            message.hint("make the folder writable and run `kiln init` again")
        }
        FilesError::NotText { path, .. } => message.hint(format!(
            "convert it, as with `iconv -f ISO-8859-1 -t UTF-8`, or move it away: {path} has to be compared with what kiln would write"
        )),
        FilesError::Read { .. } => message,
    }
}
