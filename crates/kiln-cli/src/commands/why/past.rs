//! `kiln why --history`: builds that BuildKit remembers, also those that kiln did not start.

use std::process::ExitCode;

use kiln::engine::{Buildx, PastBuild, PastError};
use kiln::predict::{Model, misses, uses_link};
use kiln::record::step_records;
use kiln::text::{Text, count};

use super::super::cached::ago;
use super::{Args, BuildDocument, Document, text};
use crate::commands::Context;
use crate::env_vars;
use crate::error::{CommandError, Kind};
use crate::hints;

/// How many earlier builds of the same name one is compared with.
const EARLIER: usize = 3;

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let docker = env_vars::docker();
    let engine = Buildx::new("").docker(docker).builder(args.builder.clone()).cancel(context.cancel.clone());
    let builds = engine.past_builds().map_err(error)?;
    if args.list {
        show_list(context, &builds);
        return Ok(ExitCode::SUCCESS);
    }
    let at = choose(&builds, args.build.as_deref())?;
    let build = &builds[at];
    let run = engine.past_run(build).map_err(|refused| match refused {
        PastError::NoDescription { .. } if !build.succeeded() => {
            error(refused).hint("builders keep that of builds that succeeded; the output of one that failed says where it did")
        }
        refused => error(refused),
    })?;
    let merges = uses_link(&run.dockerfile) && engine.merges().map_err(|error| hints::engine_error(&error))?;
    let model = Model::of_past(&run, build.succeeded(), merges).map_err(|error| CommandError::from_error(Kind::User, &error))?;
    let before = builds[at + 1..].iter().filter(|other| other.name == build.name && other.is_over()).take(EARLIER);
    // One that is forgotten meanwhile, or had no Dockerfile, is no build to compare with.
    let earlier: Vec<Model> =
        before.filter_map(|other| Model::of_past(&engine.past_run(other).ok()?, other.succeeded(), merges).ok()).collect();
    let started = build.started.unwrap_or_default();
    let steps = misses(&model, &earlier, &step_records(&run.state, started, build.succeeded()));
    let document = BuildDocument {
        build: build.id.clone(),
        service: named(build).to_owned(),
        variant: None,
        seconds: build.started.zip(build.ended).map(|(started, ended)| ended.duration_since(started).as_secs_f64()),
        explained: true,
        steps,
    };
    if context.ui.json {
        context.ui.document(&Document { builds: vec![document] });
    } else {
        context.ui.data(&text(&[document]));
    }
    Ok(ExitCode::SUCCESS)
}

/// The build that is asked for, or the latest that succeeded: of others builders keep no description.
fn choose(builds: &[PastBuild], wanted: Option<&str>) -> Result<usize, CommandError> {
    let is = |build: &PastBuild| match wanted {
        None => build.succeeded(),
        Some(wanted) => build.id == wanted || build.name == wanted,
    };
    if let Some(found) = builds.iter().position(|build| build.is_over() && is(build)) {
        return Ok(found);
    }
    Err(match wanted {
        Some(wanted) if builds.iter().any(is) => CommandError::new(Kind::User, format!("the build `{wanted}` is not over yet")),
        Some(wanted) => CommandError::new(Kind::User, format!("the builder remembers no build `{wanted}`"))
            .hint("`kiln why --history --list` shows those that it remembers"),
        None => CommandError::new(Kind::User, "the builder remembers no build that succeeded")
            .hint("it keeps them for about two days; another builder is asked with `--builder NAME`"),
    })
}

/// Builds whose context came from standard input have no name.
fn named(build: &PastBuild) -> &str {
    if build.name.is_empty() { "(no name)" } else { &build.name }
}

fn show_list(context: &Context, builds: &[PastBuild]) {
    if context.ui.json {
        let builds: Vec<&str> = builds.iter().map(|build| build.id.as_str()).collect();
        return context.ui.document(&serde_json::json!({ "builds": builds }));
    }
    let (now, mut text) = (jiff::Timestamp::now(), Text::default());
    for build in builds {
        text += format_args!(
            "{}  {}  {} ({}, {} cached)  {}\n",
            build.id,
            named(build),
            build.status.to_lowercase(),
            count(usize::try_from(build.steps).unwrap_or_default(), "step"),
            build.cached,
            ago(build.started, now)
        );
    }
    context.ui.data(&text.finish());
}

fn error(error: PastError) -> CommandError {
    match error {
        PastError::Engine(error) => hints::engine_error(&error),
        PastError::NoHistory => CommandError::from_error(Kind::User, &error)
            .hint("buildx 0.20 and later have it; `kiln why` knows the builds that kiln started"),
        error => CommandError::from_error(Kind::User, &error),
    }
}
