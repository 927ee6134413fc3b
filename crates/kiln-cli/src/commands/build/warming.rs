//! What `kiln warm` shares with builds: stages must be made of the very inputs that a build gives them, or no build would find them.

use std::collections::BTreeSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::{Buildx, EngineError, Outcome};
use kiln::event::BuildState;
use kiln::lifecycle::warm::Image;
use kiln::plan::{Plan, Variant};
use kiln::seed::Pin;

use super::jobs::Job;
use super::session::{Build, Builds};
use super::{Args, caches, failed, jobs, models, seeds, tool_image, warn_of_old_files};
use crate::commands::Context;
use crate::env_vars;
use crate::error::CommandError;

/// What decides what is built and from which inputs; each field as in [`Args`].
#[derive(Debug, Clone)]
pub(in crate::commands) struct Wanted {
    pub(in crate::commands) services: Vec<String>,
    pub(in crate::commands) variants: Vec<Variant>,
    pub(in crate::commands) builder: Option<String>,
    pub(in crate::commands) platform: Vec<String>,
    pub(in crate::commands) build_args: Vec<String>,
    pub(in crate::commands) cache_from: Vec<String>,
    pub(in crate::commands) seed: Vec<String>,
    pub(in crate::commands) tool: Option<Utf8PathBuf>,
}

impl From<Wanted> for Args {
    fn from(wanted: Wanted) -> Self {
        Self {
            explain: false,
            services: wanted.services,
            variants: wanted.variants,
            tag: None,
            push: false,
            builder: wanted.builder,
            keep_going: true,
            platform: wanted.platform,
            build_args: wanted.build_args,
            target: None,
            no_cache: false,
            cache_from: wanted.cache_from,
            cache_to: Vec::new(),
            seed: wanted.seed,
            seed_to: None,
            export_cache: false,
            tool: wanted.tool,
        }
    }
}

/// The project that is warmed.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    context: &'a Context,
    plan: &'a Plan,
    root: &'a Utf8Path,
    state: &'a Utf8Path,
    branch: Option<&'a str>,
}

/// Images on one builder, decided as a build would decide them.
#[derive(Debug)]
pub(in crate::commands) struct Warming<'a> {
    place: Place<'a>,
    args: Args,
    /// The builder.
    pub(in crate::commands) engine: Buildx,
    jobs: Vec<Job>,
}

/// How it went with the stages of one image.
#[derive(Debug)]
pub(in crate::commands) struct Ending {
    /// Whether all of them are there.
    pub(in crate::commands) whole: bool,
    /// Names of the stages that are there.
    pub(in crate::commands) stages: BTreeSet<String>,
    /// Whether its dependencies had to start without their seed.
    pub(in crate::commands) seed_lost: bool,
    /// The stages that failed: what happened, seconds, and why.
    pub(in crate::commands) failed: Vec<(BuildState, f64, EngineError)>,
}

impl<'a> Warming<'a> {
    /// Decides everything that needs no build.
    pub(in crate::commands) fn prepare(
        context: &'a Context,
        wanted: Wanted,
        engine: Buildx,
        (plan, root, state): (&'a Plan, &'a Utf8Path, &'a Utf8Path),
        branch: Option<&'a str>,
    ) -> Result<Self, CommandError> {
        let place = Place { context, plan, root, state, branch };
        let args = Args::from(wanted);
        let mut jobs = jobs::collect(context, &args, plan, root, state)?;
        caches::fill(context, &args, plan, root, branch, &mut jobs)?;
        warn_of_old_files(context, root, plan, &jobs);
        let mut warming = Self { place, args, engine, jobs: Vec::new() };
        warming.seeding().choose(&mut jobs)?;
        warming.jobs = jobs;
        Ok(warming)
    }

    fn seeding(&self) -> seeds::Seeding<'_, Buildx> {
        let Place { context, plan, root, state, branch } = self.place;
        seeds::Seeding { context, args: &self.args, plan, root, state, engine: &self.engine, branch }
    }

    /// The images whose stages are to be there.
    pub(in crate::commands) fn images(&self) -> Vec<Image> {
        let image = |job: &Job| Image {
            service: job.service.clone(),
            variant: job.variant,
            // It was read a moment ago.
            dockerfile: fs::read_to_string(&job.request.dockerfile).unwrap_or_default(),
            request: job.request.clone(),
        };
        self.jobs.iter().map(image).collect()
    }

    /// The Dockerfile of an image, relative to the project.
    pub(in crate::commands) fn dockerfile(&self, image: usize) -> &Utf8Path {
        &self.jobs[image].dockerfile
    }

    /// Remembers the seeds, so that the next build takes the same, says which caches were of no use, and gives an error for each stage that
    /// failed. One `Ending` for each image, in their order.
    pub(in crate::commands) fn finish(&self, endings: Vec<Ending>) -> Vec<CommandError> {
        let mut whole = Vec::new();
        let mut broken = Vec::new();
        for (job, ending) in self.jobs.iter().zip(endings) {
            let mut job = job.clone();
            if let Some(seed) = job.seed.as_mut().filter(|_| ending.seed_lost) {
                seed.pin = Pin::scratch();
            }
            for (state, seconds, error) in ending.failed {
                broken.push(Build { job: job.clone(), state, seconds, result: Err(error), record: None, misses: Vec::new() });
            }
            if !ending.stages.is_empty() && !self.place.context.cancel.is_set() {
                let docker = env_vars::docker();
                models::keep_stages(self.place.context, &job, &ending.stages, (&self.engine, &docker), self.place.state);
            }
            if ending.whole {
                whole.push(Build {
                    job,
                    state: BuildState::new(),
                    seconds: 0.0,
                    result: Ok(Outcome::default()),
                    record: None,
                    misses: Vec::new(),
                });
            }
        }
        let builds = |builds| Builds { builds, lack: None, engine: None, seconds: 0.0 };
        let whole = builds(whole);
        let Place { context, plan, state, .. } = self.place;
        if self.args.builder.is_none() && !context.cancel.is_set() {
            tool_image::keep(context, &self.engine, &plan.tool_image, &whole, state);
        }
        self.seeding().remember(&whole);
        let broken = builds(broken);
        caches::report(self.place.context, &broken);
        failed::errors(self.place.root, &broken)
    }
}
