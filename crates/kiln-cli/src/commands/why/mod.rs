//! `kiln why`

mod past;

use std::process::ExitCode;

use camino::Utf8Path;
use kiln::event::StepStatus;
use kiln::plan::Variant;
use kiln::predict::{Miss, Saving, known, misses};
use kiln::record::{Entry, Record, list};
use kiln::text::{Text, count, seconds};
use serde::Serialize;

use super::Context;
use super::foresee::{sentence, subjects};
use super::project::state_directory;
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Tells why the steps of a recorded build ran, what that cost, and what would help
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kiln why                     the latest build of each image
  kiln why backend             the latest build of one service
  kiln why 20261123T070028.158Z-backend-prod
  kiln why --list              the builds that are recorded
  kiln why --history           the latest that the builder remembers and that succeeded
  kiln why --history --list    all builds that it remembers

The builder keeps no files of earlier builds: with `--history` it is told that files changed, not which.")]
pub(crate) struct Args {
    /// A service, or a build by its record's name; the latest of each image when absent. With `--history` a name or an id from its list
    #[arg(value_name = "BUILD")]
    build: Option<String>,
    /// Builds from BuildKit's own history instead of kiln's records
    #[arg(long)]
    history: bool,
    /// With `--history`: builder instance to ask (`docker buildx ls`)
    #[arg(long, value_name = "NAME", env = env_vars::BUILDER)]
    builder: Option<String>,
    /// List the recorded builds
    #[arg(long, conflicts_with = "build")]
    list: bool,
}

#[derive(Debug, Serialize)]
struct Document {
    builds: Vec<BuildDocument>,
}

#[derive(Debug, Serialize)]
struct BuildDocument {
    build: String,
    /// The service; for builds of others what the builder calls them.
    service: String,
    variant: Option<Variant>,
    seconds: Option<f64>,
    /// Whether it is known what the build was made of: otherwise nothing can be said of its steps.
    explained: bool,
    steps: Vec<Miss>,
}

/// In how many builds it is looked what a remedy would have saved.
const RECENT: usize = 20;

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    if args.history {
        return past::run(context, args);
    }
    let root = context.project.canonicalize_utf8().map_err(|error| {
        let mut message = CommandError::new(Kind::User, format!("cannot read `{}`", context.project));
        message.causes.push(error.to_string());
        message
    })?;
    let state = state_directory(&root)?;
    let entries = list(&state.join("builds")).map_err(|error| CommandError::from_error(Kind::User, &error))?;
    if args.list {
        let lines: String = entries.iter().map(|entry| format!("{}\n", name(entry))).collect();
        if context.ui.json {
            let builds: Vec<&str> = entries.iter().map(name).collect();
            context.ui.document(&serde_json::json!({ "builds": builds }));
        } else {
            context.ui.data(&lines);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&entries, args.build.as_deref())?;
    let mut builds = Vec::new();
    for entry in chosen {
        let record = Record::load(&entry.path).map_err(|error| CommandError::from_error(Kind::User, &error))?;
        if record.damaged > 0 {
            context.ui.warn(&format!("{} of `{}` cannot be read", count(record.damaged, "line"), entry.path));
        }
        builds.push(explain(&state, &entries, entry, record));
    }
    if context.ui.json {
        context.ui.document(&Document { builds });
    } else {
        context.ui.data(&text(&builds));
    }
    Ok(ExitCode::SUCCESS)
}

/// Name of a record: its file without ending.
fn name(entry: &Entry) -> &str {
    entry.path.file_stem().unwrap_or_default()
}

fn choose<'a>(entries: &'a [Entry], wanted: Option<&str>) -> Result<Vec<&'a Entry>, CommandError> {
    let mut chosen: Vec<&Entry> = Vec::new();
    for entry in entries {
        let matches = wanted.is_none_or(|wanted| entry.service == wanted || name(entry) == wanted);
        if matches && !chosen.iter().any(|known| (&known.service, known.variant) == (&entry.service, entry.variant)) {
            chosen.push(entry);
        }
    }
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    Err(match wanted {
        Some(wanted) => CommandError::new(Kind::User, format!("there is no record of `{wanted}`"))
            .hint("`kiln why --list` names those there are"),
        None => CommandError::new(Kind::User, "no build is recorded yet").hint("`kiln build` records what it does"),
    })
}

fn explain(state: &Utf8Path, entries: &[Entry], entry: &Entry, record: Record) -> BuildDocument {
    let seconds = record.end.as_ref().map(|end| end.seconds);
    let found = explained(state, entry, &record);
    let is_explained = found.is_some();
    let mut steps = found.unwrap_or_else(|| unexplained(&record));
    let image = |other: &&Entry| other.service == entry.service && other.variant == entry.variant;
    let earlier = entries.iter().filter(image).filter(|other| other.started < entry.started).take(RECENT - 1);
    let recorded = earlier.filter_map(|entry| Record::load(&entry.path).ok()?.misses);
    let recent: Vec<Vec<Miss>> = std::iter::once(steps.clone()).chain(recorded).collect();
    for miss in &mut steps {
        miss.saving = miss.remedy.as_ref().map(|remedy| Saving::of(remedy, &recent));
    }
    BuildDocument {
        build: name(entry).to_owned(),
        service: entry.service.clone(),
        variant: Some(entry.variant),
        seconds,
        explained: is_explained,
        steps,
    }
}

/// The misses as they were recorded with the build; of a record without them, by its model as far as that is kept.
fn explained(state: &Utf8Path, entry: &Entry, record: &Record) -> Option<Vec<Miss>> {
    if let Some(misses) = &record.misses {
        return Some(misses.clone());
    }
    let known = known(&subjects::models(state), &format!("{}-{}", entry.service, entry.variant.name()));
    let own = known.builds.iter().position(|build| build == name(entry))?;
    Some(misses(&known.models[own], &known.models[own + 1..], &record.steps))
}

/// The steps that ran, without a reason: there is no model of the build.
fn unexplained(record: &Record) -> Vec<Miss> {
    let ran = record.steps.iter().filter(|step| step.status == StepStatus::Ran);
    let places = ran.filter_map(|step| Some((step, step.place.as_ref()?)));
    places
        .map(|(step, place)| Miss {
            place: kiln::predict::StepPlace {
                stage: place.stage.clone(),
                index: place.index,
                line: usize::try_from(place.line.unwrap_or_default()).unwrap_or_default(),
            },
            instruction: place.instruction.clone(),
            seconds: step.seconds,
            reasons: vec![kiln::predict::MissReason::Unknown],
            is_cause: true,
            dragged_along: Vec::new(),
            cost_seconds: step.seconds,
            remedy: None,
            saving: None,
        })
        .collect()
}

fn text(builds: &[BuildDocument]) -> String {
    let mut text = Text::default();
    for build in builds {
        let whole = build.seconds.map(|time| format!(", {}", seconds(time))).unwrap_or_default();
        let variant = build.variant.map(|variant| format!(" {}", variant.name())).unwrap_or_default();
        text += format_args!("{}{variant}  {}{whole}\n", build.service, build.build);
        if build.steps.is_empty() {
            text += format_args!("  every step was cached\n");
        }
        if !build.explained && !build.steps.is_empty() {
            text += format_args!("  kiln kept no model of this build: what ran is known, but not why\n");
        }
        for miss in build.steps.iter().filter(|miss| miss.is_cause) {
            text += format_args!("  {}\n    {}\n", sentence::miss(miss), sentence::short(&miss.instruction));
            for &index in &miss.dragged_along {
                let dragged = &build.steps[index];
                text += format_args!(
                    "    then {}  {}  {}\n",
                    sentence::step(&dragged.place),
                    seconds(dragged.seconds),
                    sentence::short(&dragged.instruction)
                );
            }
            if let Some(remedy) = &miss.remedy {
                let saving = miss.saving.as_ref().map(|saving| format!("; {}", sentence::saving(saving))).unwrap_or_default();
                text += format_args!("    {}{saving}\n", sentence::remedy(remedy));
            }
        }
    }
    text.finish()
}
