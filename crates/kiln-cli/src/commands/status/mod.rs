//! `kiln status`

mod collection;
mod tree;

use std::process::ExitCode;

use kiln::engine::GcRule;
use kiln::lifecycle::gc::{Forecast, forecast};
use kiln::lifecycle::status::{Entry, Shared, Sum};
use serde::Serialize;

use super::Context;
use super::cached::World;
use crate::env_vars;
use crate::error::CommandError;
use crate::hints;

/// Shows what is cached of this project: for which service and stage, how big, last used, and what the engine will take when
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Layers are mapped to steps by kiln's records of its builds, mounts by their ids. What fits a step of the project but none of its recorded
builds (one by plain `docker build`, or on another machine) is counted as unknown.

Examples:
  kiln status
  kiln status --builder ci
  kiln status --json")]
pub(crate) struct Args {
    /// Builder instance to ask (`docker buildx ls`)
    #[arg(long, value_name = "NAME", env = env_vars::BUILDER)]
    builder: Option<String>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    project: &'a str,
    entries: &'a [Entry],
    /// Cached stages among the engine's images.
    tags: &'a [String],
    totals: Totals,
    gc: Gc<'a>,
}

#[derive(Debug, Serialize)]
struct Totals {
    project: Sum,
    stale: Sum,
    shared: Sum,
    unknown: Sum,
    elsewhere: Sum,
}

#[derive(Debug, Serialize)]
struct Gc<'a> {
    cache_bytes: u64,
    rules: &'a [GcRule],
    forecasts: &'a [Forecast],
    /// The command that prints a setting under which mounts stay up to a bound.
    setting: &'static str,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let world = World::find(context, args.builder.as_deref())?;
    let (records, inventory) = world.look()?;
    let tags = world.tags()?;
    let policy = world.engine.gc_policy().map_err(hints::engine_gone)?;
    let policy = if world.is_dockers_own() { policy.for_engine(world.info.server.as_deref()) } else { policy };
    let cache_bytes = records.iter().filter(|record| !record.shared).map(|record| record.bytes).sum();
    let forecasts = forecast(&policy, cache_bytes);
    let setting = if world.is_dockers_own() { "kiln init --gc docker" } else { "kiln init --gc buildkitd" };
    if context.ui.json {
        let totals = Totals {
            project: inventory.sum(|_| true),
            stale: inventory.sum(|entry| !entry.current),
            shared: inventory.sum(|entry| entry.shared != Shared::No),
            unknown: inventory.unknown,
            elsewhere: inventory.elsewhere,
        };
        let gc = Gc { cache_bytes, rules: &policy.rules, forecasts: &forecasts, setting };
        let project = &world.plan.project;
        context.ui.document(&Document { project, entries: &inventory.entries, tags: &tags, totals, gc });
        return Ok(ExitCode::SUCCESS);
    }
    let now = jiff::Timestamp::now();
    let tree = tree::text(&world.plan.project, &inventory, &tags, now);
    context.ui.data(&format!("{tree}\n{}", collection::text(&inventory, &forecasts, cache_bytes, setting, now)));
    Ok(ExitCode::SUCCESS)
}
