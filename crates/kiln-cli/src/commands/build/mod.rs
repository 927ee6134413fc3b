//! `kiln build`

mod caches;
mod failed;
mod jobs;
mod models;
mod seeds;
mod session;
mod summary;
mod tool_image;
mod warming;

use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::Buildx;
use kiln::files::{Status, Surroundings, compare};
use kiln::plan::{Plan, Variant};
use kiln::record::GitHead;

use super::Context;
use super::foresee::sentence;
use super::project::{look_and_decide, present, refuse, state_directory};
use crate::env_vars;
use crate::error::{CommandError, Kind};
use crate::hints;
use crate::ui::progress;

/// Builds images, all services side by side, and records what happened
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kiln build\n  kiln build backend --variant fast\n  kiln build --variant prod,dev,fast --keep-going"
)]
pub(crate) struct Args {
    /// Services to build; all when none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Which images of the services
    #[arg(long = "variant", value_name = "VARIANT", value_delimiter = ',', default_value = "prod", value_parser = variant)]
    variants: Vec<Variant>,
    /// Name of the image, if one is built; `:TAG` keeps the names and changes the tag
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,
    /// Push the images to their registry instead of loading them
    #[arg(long)]
    push: bool,
    /// Builder instance to use (`docker buildx ls`)
    #[arg(long, value_name = "NAME", env = env_vars::BUILDER)]
    builder: Option<String>,
    /// Finish the other builds when one fails
    #[arg(long)]
    keep_going: bool,
    /// Target platforms
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    /// Build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<String>,
    /// Say of every step that ran why it did
    #[arg(long)]
    explain: bool,
    /// Stage to build instead of the last one
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Run every step again and empty the cache mounts
    #[arg(long)]
    no_cache: bool,
    /// Where cached steps may come from, as for `docker buildx build`, with `{service}`, `{variant}` and `{branch}`; `none` for
    /// no cache of kiln.toml
    #[arg(long, value_name = "CACHE")]
    cache_from: Vec<String>,
    /// Where cached steps go to, in the same form; all steps, with zstd, unless it says otherwise
    #[arg(long, value_name = "CACHE")]
    cache_to: Vec<String>,
    /// Image with published dependencies, from which an empty builder starts (may be given several times, the nearest first); in place of
    /// `seed` in kiln.toml. `{service}`, `{variant}` and `{branch}` stand for their names
    #[arg(long, value_name = "IMAGE")]
    seed: Vec<String>,
    /// Publish the dependencies as this image after the build, for the `--seed` of others
    #[arg(long, value_name = "IMAGE")]
    seed_to: Option<String>,
    /// Write the caches that kiln.toml names under `to`
    #[arg(long, env = env_vars::EXPORT_CACHE, value_parser = clap::builder::FalseyValueParser::new())]
    export_cache: bool,
    /// The kiln that runs inside image builds, a static Linux program; this one when absent
    #[arg(long, value_name = "PATH", env = env_vars::TOOL)]
    tool: Option<Utf8PathBuf>,
}

pub(super) use warming::{Ending, Wanted, Warming};

pub(super) fn variant(name: &str) -> Result<Variant, String> {
    let known = Variant::ALL.into_iter().find(|variant| variant.name() == name);
    known.ok_or_else(|| format!("possible values: {}", Variant::ALL.map(Variant::name).join(", ")))
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let (root, plan) = look_and_decide(&context.project)?;
    if let Some(error) = refuse(&plan) {
        return Err(error);
    }
    let state = state_directory(&root)?;
    let _present = present(context, &plan, &root, &state);
    let git = kiln::record::git_head(&root);
    let mut jobs = jobs::collect(context, args, &plan, &root, &state)?;
    let branch = branch(git.as_ref());
    let branch = branch.as_deref();
    caches::fill(context, args, &plan, &root, branch, &mut jobs)?;
    warn_of_old_files(context, &root, &plan, &jobs);

    let group = context.cancel.child();
    let docker = env_vars::docker();
    let engine = Buildx::new(&state).docker(docker.as_str()).builder(args.builder.clone()).cancel(group.clone());
    let seeding = seeds::Seeding { context, args, plan: &plan, root: &root, state: &state, engine: &engine, branch };
    seeding.choose(&mut jobs)?;
    let check_cancel = context.cancel.child();
    let checker = engine.clone().cancel(check_cancel.clone());
    let session = session::Session {
        engine: &engine,
        checker: &checker,
        check_cancel: &check_cancel,
        context,
        group: &group,
        keep_going: args.keep_going,
        root: root.clone(),
        records: state.join("builds"),
        plan: plan_digest(&plan),
        builder: args.builder.clone(),
        git,
    };
    let mut display = progress::for_ui(&context.ui);
    let looking = models::look(&jobs, &state);
    let mut builds = session.run(jobs, display.as_mut());
    display.close();
    if !context.cancel.is_set() {
        let asked = engine.clone().cancel(context.cancel.child());
        looking.finish(context, &mut builds, &asked, &docker, &state);
    }
    seeding.remember(&builds);
    if builds.failed() == 0 && summary::any_step_ran(&builds) && !args.push && args.builder.is_none() {
        tool_image::keep(context, &engine, &plan.tool_image, &builds, &state);
    }

    if context.ui.json {
        context.ui.document(&summary::document(&builds));
    }
    let code = finish(context, &root, &builds, args.explain)?;
    seeding.publish(&builds)?;
    Ok(code)
}

/// The branch, for `{branch}`: the one that is checked out, else what CI says of it.
pub(super) fn branch(git: Option<&GitHead>) -> Option<String> {
    git.and_then(|git| git.branch.clone()).or_else(|| env_vars::BRANCH.into_iter().find_map(env_vars::read))
}

/// Says how it went, and decides the exit code.
fn finish(context: &Context, root: &Utf8Path, builds: &session::Builds, explain: bool) -> Result<ExitCode, CommandError> {
    if context.cancel.is_set() {
        return Err(CommandError::new(Kind::Interrupted, "the build was interrupted"));
    }
    if let Some(lack) = &builds.lack {
        let error = hints::engine_error(lack);
        if builds.failed() > 0 {
            return Err(error);
        }
        // It got there all the same.
        context.ui.warn(&error.message);
    }
    // One build that failed is all in its error.
    if builds.builds.len() > 1 || builds.failed() == 0 {
        for line in summary::lines(builds) {
            context.ui.note(&line);
        }
    }
    for build in &builds.builds {
        for miss in models::worth_naming(&build.misses, explain) {
            context.ui.note(&format!("  {}", sentence::miss(miss)));
        }
    }
    caches::report(context, builds);
    let mut errors = failed::errors(root, builds);
    let Some(last) = errors.pop() else { return Ok(ExitCode::SUCCESS) };
    for error in &errors {
        let _ = context.ui.report(error);
    }
    Err(last)
}

/// Says which of the Docker files that are about to be used `kiln init` would write differently.
///
/// A file that cannot be compared says nothing: building it will tell.
fn warn_of_old_files(context: &Context, root: &Utf8Path, plan: &Plan, jobs: &[jobs::Job]) {
    let Ok(surroundings) = Surroundings::look(root) else { return };
    let Ok(comparison) = compare(root, kiln::files::render(plan, &surroundings), false) else { return };
    let used = |path: &Utf8Path| jobs.iter().any(|job| job.dockerfile == path || job.reads_ignore_file(path));
    for entry in comparison.out_of_date().filter(|entry| used(&entry.path)) {
        let what = if entry.status == Status::Created { "is missing" } else { "is out of date" };
        context.ui.warn(&format!("`{}` {what}: `kiln init` writes it", entry.path));
    }
}

pub(super) fn plan_digest(plan: &Plan) -> String {
    serde_json::to_vec(plan).map(|bytes| kiln::text::short_hash(&bytes)).unwrap_or_default()
}
