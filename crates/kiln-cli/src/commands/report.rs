//! `kiln report`

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use kiln::engine::image_layers;
use kiln::event::StepStatus;
use kiln::files::{FilesError, Ownership, Rendered, Status, compare};
use kiln::plan::Variant;
use kiln::predict::MissReason;
use kiln::record::{Ending, commit_subjects};
use kiln::report::terminal::{Line, Role};
use kiln::report::{Build, Bytes, Part, Report, Sources, cache_bytes, markdown, page, terminal};
use kiln::text::Text;
use serde::Serialize;

use super::Context;
use super::cached::World;
use super::project::{look_and_decide, refuse, state_directory};
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Where the page goes unless a file is named; below `.kiln`, which is kiln's own.
const PAGE: &str = ".kiln/report.html";
/// Columns where the terminal does not say, or stdout is none.
const COLUMNS: usize = 100;

/// Shows recorded builds and measurements: as a page, as Markdown, or the last build as bars
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file that a person wrote or edited is kept. The page needs no network and loads nothing.

Examples:
  kiln report                      writes .kiln/report.html
  kiln report --html builds.html   the page under another name
  kiln report --markdown           writes DOCKER_BUILD_OPTIMIZATION.md, to be committed
  kiln report --last               the last build, here in the terminal")]
pub(crate) struct Args {
    /// Write the page; this is done when nothing else is asked for
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = PAGE)]
    html: Option<Utf8PathBuf>,
    /// Write what was set up, what it costs and what was measured as Markdown
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = markdown::FILE_NAME)]
    markdown: Option<Utf8PathBuf>,
    /// Show the last build as bars
    #[arg(long)]
    last: bool,
    /// How many builds the page has, the latest
    #[arg(long, value_name = "N", default_value_t = 500)]
    builds: usize,
    /// Replace files that a person wrote or edited, and save them as NAME.kept
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    files: Vec<File>,
    /// How many builds and bench runs they were made from.
    builds: usize,
    bench_runs: usize,
    unreadable: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Vec<Last<'a>>>,
}

#[derive(Debug, Serialize)]
struct File {
    kind: &'static str,
    path: Utf8PathBuf,
    status: Status,
}

#[derive(Debug, Serialize)]
struct Last<'a> {
    service: &'a str,
    variant: Variant,
    image: &'a str,
    started: Timestamp,
    ending: Option<Ending>,
    seconds: f64,
    size: Option<u64>,
    steps: Vec<LastStep<'a>>,
}

#[derive(Debug, Serialize)]
struct LastStep<'a> {
    step: &'a str,
    instruction: &'a str,
    status: StepStatus,
    begin: Option<f64>,
    end: Option<f64>,
    seconds: f64,
    critical: bool,
    /// As `kiln why` has them; none where they were not recorded.
    reasons: &'a [MissReason],
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let root = root(&context.project)?;
    let plan = if args.markdown.is_some() {
        let (_, plan) = look_and_decide(&root)?;
        if let Some(error) = refuse(&plan) {
            return Err(error);
        }
        Some(plan)
    } else {
        None
    };
    let sources = Sources::read(&root.join(".kiln"), args.builds);
    let commits: Vec<String> =
        sources.records.iter().filter_map(|record| Some(record.header.git.as_ref()?.commit.clone())).collect();
    let subjects = commit_subjects(&root, commits.iter().map(String::as_str), &context.cancel);
    let name = plan.as_ref().map_or_else(|| project_name(&root), |plan| plan.project.clone());
    let mut report = Report::of(&name, Timestamp::now(), sources, &subjects);
    for why in &report.unreadable {
        context.ui.warn(&format!("left out: {why}"));
    }
    if args.last {
        show_last(context, &report)?;
    }
    let mut files = Vec::new();
    if let (Some(path), Some(plan)) = (&args.markdown, &plan) {
        let kiln_mk = std::fs::read_to_string(root.join("kiln.mk")).unwrap_or_default();
        files.push(write(context, &root, path, "markdown", markdown::document(&report, plan, &kiln_mk), args.force)?);
    }
    let html = args.html.clone().or_else(|| (!args.last && args.markdown.is_none()).then(|| PAGE.into()));
    if let Some(path) = &html {
        report.images = images(context, &report);
        // What no engine tells is said to be unknown.
        let cache = World::find(context, None).and_then(|world| world.look());
        report.cache = cache.ok().map(|(_, inventory)| cache_bytes(&inventory));
        files.push(write(context, &root, path, "html", page(&report), args.force)?);
    }
    if context.ui.json {
        let last = args.last.then(|| report.last().into_iter().map(last).collect());
        let (builds, bench_runs) = (report.builds.len(), report.runs.len());
        context.ui.document(&Document { files, builds, bench_runs, unreadable: &report.unreadable, last });
    } else {
        say(context, &files);
    }
    Ok(ExitCode::SUCCESS)
}

/// The project as an absolute path.
fn root(project: &Utf8Path) -> Result<Utf8PathBuf, CommandError> {
    let no_folder = || {
        let message = format!("`{project}` is no folder");
        CommandError::new(Kind::User, message).hint("name the repository with `--project DIR`")
    };
    if !project.is_dir() {
        return Err(no_folder());
    }
    project.canonicalize_utf8().map_err(|_| no_folder())
}

/// The name in `kiln.toml`, or that of the folder: a page of records needs nothing else of the plan.
fn project_name(root: &Utf8Path) -> String {
    let written = kiln::settings::Settings::load(root).ok().and_then(|settings| settings.project.name.map(|at| at.value));
    written.unwrap_or_else(|| root.file_name().unwrap_or("project").to_owned())
}

/// Layers of the latest image of each service and variant. Nothing when the engine knows none of them.
fn images(context: &Context, report: &Report) -> Option<Vec<Bytes>> {
    let docker = env_vars::docker();
    let lanes = report.lanes();
    let latest =
        lanes.iter().filter_map(|(name, builds)| Some((name, builds.iter().rev().find_map(|build| build.id.as_deref())?)));
    let known = latest.filter_map(|(name, id)| {
        let mut layers = image_layers(&docker, id, &context.cancel)?;
        layers.reverse();
        let parts = layers.into_iter().map(|layer| Part { name: layer.instruction, bytes: layer.bytes }).collect();
        Some(Bytes { name: name.clone(), parts })
    });
    Some(known.collect::<Vec<_>>()).filter(|known| !known.is_empty())
}

/// Writes a file, unless a person's work stands there.
fn write(
    context: &Context,
    root: &Utf8Path,
    path: &Utf8Path,
    kind: &'static str,
    body: String,
    force: bool,
) -> Result<File, CommandError> {
    if path.starts_with(".kiln") {
        state_directory(root)?;
    }
    let full = root.join(path);
    let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else {
        return Err(CommandError::new(Kind::User, format!("`{path}` is no name of a file")));
    };
    let rendered = Rendered { path: name.into(), body, ownership: Ownership::Kiln };
    let failed = |error: FilesError| CommandError::from_error(Kind::User, &error).hint("name another file");
    let comparison = compare(folder, vec![rendered], force).map_err(failed)?;
    let status = comparison.entries.first().map_or(Status::Unchanged, |entry| entry.status);
    if !context.cancel.is_set() {
        comparison.write().map_err(failed)?;
    }
    Ok(File { kind, path: path.to_owned(), status })
}

fn say(context: &Context, files: &[File]) {
    let mut text = Text::new("");
    for file in files {
        let (word, style) = match file.status {
            Status::Created => ("created", AnsiColor::Green.on_default()),
            Status::Updated => ("updated", AnsiColor::Green.on_default()),
            Status::Unchanged => ("unchanged", Style::new().dimmed()),
            Status::Kept => ("kept", AnsiColor::Yellow.on_default()),
        };
        text += format_args!("{style}{word:9}{style:#}  {}\n", file.path);
    }
    context.ui.data(&text.finish());
    if files.iter().any(|file| file.status == Status::Kept) {
        context.ui.note("a person's work is left alone; `--force` replaces it and saves it as NAME.kept");
    }
}

fn show_last(context: &Context, report: &Report) -> Result<(), CommandError> {
    if report.builds.is_empty() {
        return Err(CommandError::new(Kind::User, "no build is recorded").hint("`kiln build` records each"));
    }
    if context.ui.json {
        return Ok(());
    }
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let lines = terminal::last(report, columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS));
    let mut text = Text::new("");
    for line in &lines {
        text += &styled(line);
        text += "\n";
    }
    text += "\n█ on the critical path   ░ beside it\n";
    context.ui.data(&text.finish());
    Ok(())
}

fn styled(line: &Line) -> String {
    let piece = |(role, text): &(Role, String)| {
        let style = match role {
            Role::Plain => Style::new(),
            Role::Heading => Style::new().bold(),
            Role::Faint => Style::new().dimmed(),
            Role::Critical => AnsiColor::Yellow.on_default().bold(),
            Role::Work => AnsiColor::Cyan.on_default(),
            Role::Failure => AnsiColor::Red.on_default(),
        };
        format!("{style}{text}{style:#}")
    };
    let text: String = line.iter().map(piece).collect();
    text.trim_end().to_owned()
}

fn last(build: &Build) -> Last<'_> {
    Last {
        service: &build.service,
        variant: build.variant,
        image: &build.image,
        started: build.started,
        ending: build.ending,
        seconds: build.seconds,
        size: build.size,
        steps: build
            .steps
            .iter()
            .map(|step| LastStep {
                step: &step.label,
                instruction: &step.text,
                status: step.status,
                begin: step.times.map(|(begin, _)| begin),
                end: step.times.map(|(_, end)| end),
                seconds: step.seconds,
                critical: step.critical,
                reasons: &step.reasons,
            })
            .collect(),
    }
}
