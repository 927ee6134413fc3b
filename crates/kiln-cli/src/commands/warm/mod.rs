//! `kiln warm`

mod document;
mod row;
mod show;
mod table;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use camino::Utf8PathBuf;
use kiln::engine::{Buildx, Engine as _, EngineError};
use kiln::lifecycle::warm::{Done, Options, Status, WarmPlan, Why};
use kiln::plan::Variant;

pub(super) use document::{TargetDocument, targets};
use row::Row;
pub(super) use table::text as table;

use super::Context;
use super::build::{self, Ending, Wanted, Warming};
use super::project::{look_and_decide, present, refuse, state_directory};
use crate::env_vars;
use crate::error::{CommandError, Kind};
use crate::hints;

/// Makes caches before they are needed: base images, every stage worth keeping, and the cache mounts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Afterwards a build compiles and installs no dependency and pulls no base image: it only does what an edit asks for. What is there already is
not made again, and an interrupted run goes on where it was. Each stage is kept as `<project>-cache:<service>-<variant>-<stage>`, so that
the engine does not prune it; a builder without an image store has it in its cache only.

What fails takes only what needs it with it. Exit code: 0 all is warm, 3 a stage failed, 75 only the network or the engine did (try again).

Examples:
  kiln warm
  kiln warm backend --variant prod,dev,fast
  kiln warm --pull                            follow base images whose tags moved
  kiln warm --builder ci-1 --builder ci-2     a fleet, before a release")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) what: What,
    /// Pull base images also if the engine has them
    #[arg(long)]
    pull: bool,
}

/// What is warmed, and how; `kiln refresh` takes the same.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct What {
    /// Services to warm; all when none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Which images of the services
    #[arg(long = "variant", value_name = "VARIANT", value_delimiter = ',', default_value = "prod", value_parser = build::variant)]
    variants: Vec<Variant>,
    /// Builder instance to warm (`docker buildx ls`); may be given several times
    #[arg(long = "builder", value_name = "NAME", env = env_vars::BUILDER)]
    builders: Vec<String>,
    /// How many stages and images are worked on at once, on each builder
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// How often something is tried again after a failure that may pass by itself
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(0..=20))]
    retries: u32,
    /// Target platforms
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    /// Build argument, as for `kiln build`: another value is another cache
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<String>,
    /// Where cached steps may come from, as for `kiln build`
    #[arg(long, value_name = "CACHE")]
    cache_from: Vec<String>,
    /// Image with published dependencies, as for `kiln build`
    #[arg(long, value_name = "IMAGE")]
    seed: Vec<String>,
    /// The kiln that runs inside image builds, a static Linux program; this one when absent
    #[arg(long, value_name = "PATH", env = env_vars::TOOL)]
    tool: Option<Utf8PathBuf>,
}

/// One builder, ready to be warmed.
#[derive(Debug)]
struct Fleet<'a> {
    warming: Warming<'a>,
    /// Its name, where it is not the current one.
    builder: Option<String>,
    /// Whether stages are kept as images.
    store: bool,
    plan: WarmPlan,
}

/// How it went on one builder.
#[derive(Debug)]
pub(super) struct Warmed {
    builder: Option<String>,
    /// Whether stages are kept as images.
    store: bool,
    rows: Vec<Row>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let begun = Instant::now();
    let (warmed, errors) = warm(context, &args.what, args.pull)?;
    if context.ui.json {
        context.ui.document(&document::document(&warmed));
    } else if !warmed.is_empty() {
        context.ui.data(&table::text(&warmed, begun.elapsed().as_secs_f64()));
    }
    finish(context, errors)
}

/// Warms every builder; gives how it went, and an error for each thing that failed.
pub(super) fn warm(context: &Context, what: &What, pull: bool) -> Result<(Vec<Warmed>, Vec<CommandError>), CommandError> {
    let (root, plan) = look_and_decide(&context.project)?;
    if let Some(error) = refuse(&plan) {
        return Err(error);
    }
    let state = state_directory(&root)?;
    let _present = present(context, &plan, &root, &state);
    let git = kiln::record::git_head(&root);
    let branch = build::branch(git.as_ref());
    let mut fleet = Vec::new();
    let mut errors = Vec::new();
    for builder in what.builders() {
        let docker = env_vars::docker();
        let engine = Buildx::new(&state).docker(docker).builder(builder.clone()).cancel(context.cancel.clone());
        // Two questions and the reading of the project, side by side.
        let (checked, found, warming) = thread::scope(|scope| {
            let checked = scope.spawn(|| engine.check());
            let found = scope.spawn(|| engine.builder_info());
            let wanted = what.wanted(builder.clone());
            let warming = Warming::prepare(context, wanted, engine.clone(), (&plan, &root, &state), branch.as_deref());
            (join(checked), join(found), warming)
        });
        let warming = warming?;
        match checked.and(found) {
            Ok(info) => {
                let store = info.has_store();
                let plan = WarmPlan::new(&plan.project, &warming.images(), store);
                fleet.push(Fleet { warming, builder, store, plan });
            }
            // A name that nobody knows is a slip of the hand; one of a fleet that does not answer leaves the others.
            Err(error @ EngineError::BuilderNotFound { .. }) => return Err(hints::engine_error(&error)),
            Err(error) => errors.push(of_builder(builder.as_deref(), hints::engine_error(&error))),
        }
    }
    let options = Options { jobs: what.jobs.into(), pull, retries: what.retries, ..Options::new(state.join("run")) };
    let about = show::About { records: state.join("builds"), plan: build::plan_digest(&plan), git };
    let results = show::run(context, &fleet, &options, &about);
    let mut warmed = Vec::new();
    for (fleet, result) in fleet.into_iter().zip(results) {
        match result {
            Ok(done) => {
                let rows = row::rows(&fleet.plan, &done);
                let (endings, bases) = endings(&fleet.plan, done);
                let found = bases.into_iter().chain(fleet.warming.finish(endings));
                errors.extend(found.map(|error| of_builder(fleet.builder.as_deref(), error)));
                warmed.push(Warmed { builder: fleet.builder, store: fleet.store, rows });
            }
            Err(error) => errors.push(of_builder(fleet.builder.as_deref(), hints::engine_error(&error))),
        }
    }
    Ok((warmed, errors))
}

impl What {
    /// The builders; `None` is the current one.
    pub(super) fn builders(&self) -> Vec<Option<String>> {
        let mut builders: Vec<Option<String>> = self.builders.iter().cloned().map(Some).collect();
        builders.dedup();
        if builders.is_empty() {
            builders.push(None);
        }
        builders
    }

    fn wanted(&self, builder: Option<String>) -> Wanted {
        Wanted {
            services: self.services.clone(),
            variants: self.variants.clone(),
            builder,
            platform: self.platform.clone(),
            build_args: self.build_args.clone(),
            cache_from: self.cache_from.clone(),
            seed: self.seed.clone(),
            tool: self.tool.clone(),
        }
    }
}

/// The result of a thread; one that panicked was interrupted.
fn join<T>(thread: thread::ScopedJoinHandle<'_, Result<T, EngineError>>) -> Result<T, EngineError> {
    thread.join().unwrap_or(Err(EngineError::Interrupted))
}

fn of_builder(builder: Option<&str>, mut error: CommandError) -> CommandError {
    if let Some(name) = builder {
        error.message = format!("builder `{name}`: {}", error.message);
    }
    error
}

/// A base image that could not be pulled again, while the engine has one of that name.
fn not_refreshed(image: &str, error: &EngineError) -> CommandError {
    let CommandError { kind, message, causes, .. } = hints::engine_error(error);
    let message = format!("the base image `{image}` could not be refreshed: {message}");
    CommandError { causes, ..CommandError::new(kind, message) }
        .hint("the one that the engine has was used, whether or not a newer one exists; `kiln warm` alone does not ask registries for what is there")
}

/// How it went with each image, and an error for each base image that could not be had.
fn endings(plan: &WarmPlan, done: Vec<Done>) -> (Vec<Ending>, Vec<CommandError>) {
    let mut endings: Vec<Ending> = Vec::new();
    let mut bases = Vec::new();
    // A full disk is in the way of much, and each time in other words: said once it is said.
    let mut full = false;
    let mut is_news = |error: &EngineError| !matches!(error, EngineError::DiskFull { .. }) || !std::mem::replace(&mut full, true);
    for (target, done) in plan.targets.iter().zip(done) {
        let Some(stage) = target.work.stage() else {
            if let Some(Why::Engine(error)) = &done.why
                && is_news(error)
            {
                let kept = target.tag().filter(|_| done.status == Status::Kept);
                bases.push(kept.map_or_else(|| hints::engine_error(error), |image| not_refreshed(image, error)));
            }
            continue;
        };
        while endings.len() <= stage.image {
            endings.push(Ending { whole: true, stages: BTreeSet::new(), seed_lost: false, failed: Vec::new() });
        }
        let ending = &mut endings[stage.image];
        let there = done.status.is_there();
        ending.whole &= there;
        if there {
            ending.stages.extend(stage.request.target.clone());
        }
        ending.seed_lost |= done.seed_lost;
        if let Some(Why::Engine(error)) = done.why
            && is_news(&error)
        {
            ending.failed.push((done.state, done.seconds, error));
        }
    }
    (endings, bases)
}

/// Prints what failed and decides the exit code: a failed stage counts most, what may pass by itself least.
pub(super) fn finish(context: &Context, mut errors: Vec<CommandError>) -> Result<ExitCode, CommandError> {
    if context.cancel.is_set() {
        let error = CommandError::new(Kind::Interrupted, "warming was interrupted");
        return Err(error.hint("what is done stays: `kiln warm` goes on from there"));
    }
    // One engine that is gone has one message.
    let mut known: Vec<String> = Vec::new();
    errors.retain(|error| {
        !known.contains(&error.message) && {
            known.push(error.message.clone());
            true
        }
    });
    let weight = |error: &CommandError| match error.kind {
        Kind::Build => 3,
        Kind::Transient => 1,
        _ => 2,
    };
    errors.sort_by_key(weight);
    let Some(last) = errors.pop() else { return Ok(ExitCode::SUCCESS) };
    for error in &errors {
        let _ = context.ui.report(error);
    }
    Err(last)
}
