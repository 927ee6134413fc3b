//! `kiln why --history`: builds that BuildKit remembers, also those that kiln did not start.

use std::process::ExitCode;

use kiln::engine::{Buildx, PastBuild, PastError};
use kiln::predict::{Model, misses};
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
    let run = engine.past_run(build).map_err(error)?;
    let model = Model::of_past(&run, build.succeeded()).map_err(|error| CommandError::from_error(Kind::User, &error))?;
    let before = builds[at + 1..].iter().filter(|other| other.name == build.name && other.is_over()).take(EARLIER);
    // One that is forgotten meanwhile, or had no Dockerfile, is no build to compare with.
    let earlier: Vec<Model> =
        before.filter_map(|other| Model::of_past(&engine.past_run(other).ok()?, other.succeeded()).ok()).collect();
    let started = build.started.unwrap_or_default();
    let steps = misses(&model, &earlier, &step_records(&run.state, started, build.succeeded()));
    let document = BuildDocument {
        build: build.id.clone(),
        service: build.name.clone(),
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

fn choose(builds: &[PastBuild], wanted: Option<&str>) -> Result<usize, CommandError> {
    let mut over = (0..builds.len()).filter(|&at| builds[at].is_over());
    let found = match wanted {
        None => over.next(),
        Some(wanted) => over.find(|&at| builds[at].id == wanted || builds[at].name == wanted),
    };
    found.ok_or_else(|| match wanted {
        Some(wanted) => CommandError::new(Kind::User, format!("the builder remembers no build `{wanted}`"))
            .hint("`kiln why --history --list` shows those that it remembers"),
        None => CommandError::new(Kind::User, "the builder remembers no build")
            .hint("it keeps them for about two days; another builder is asked with `--builder NAME`"),
    })
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
            build.name,
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
