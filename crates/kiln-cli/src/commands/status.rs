//! `kiln status`

use std::process::ExitCode;

use kiln::engine::GcRule;
use kiln::lifecycle::gc::{Forecast, MOUNT, endangers_mounts, forecast};
use kiln::lifecycle::status::{Entry, EntryKind, Inventory, Shared, Sum};
use kiln::text::{Text, bytes, count};
use serde::Serialize;

use super::Context;
use super::cached::{World, ago, span};
use crate::env_vars;
use crate::error::CommandError;
use crate::hints;

/// How many mounts a rule of the garbage collection is spelled out for.
const SPELLED_OUT: usize = 5;

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
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let world = World::find(context, args.builder.as_deref())?;
    let (records, inventory) = world.look()?;
    let tags = world.tags()?;
    let policy = world.engine.gc_policy().map_err(|error| hints::engine_error(&error))?;
    let policy = if world.is_dockers_own() { policy.for_engine(world.info.server.as_deref()) } else { policy };
    let cache_bytes = records.iter().filter(|record| !record.shared).map(|record| record.bytes).sum();
    let forecasts = forecast(&policy, cache_bytes);
    if context.ui.json {
        let totals = Totals {
            project: inventory.sum(|_| true),
            stale: inventory.sum(|entry| !entry.current),
            shared: inventory.sum(|entry| entry.shared != Shared::No),
            unknown: inventory.unknown,
            elsewhere: inventory.elsewhere,
        };
        let gc = Gc { cache_bytes, rules: &policy.rules, forecasts: &forecasts };
        let project = &world.plan.project;
        context.ui.document(&Document { project, entries: &inventory.entries, tags: &tags, totals, gc });
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = Text::new("");
    tree(&mut text, &world.plan.project, &inventory, &tags);
    collection(&mut text, &inventory, &forecasts, cache_bytes);
    context.ui.data(&text.finish());
    Ok(ExitCode::SUCCESS)
}

/// Services, their stages, and what is cached of each.
fn tree(text: &mut Text, project: &str, inventory: &Inventory, tags: &[String]) {
    let all = inventory.sum(|_| true);
    let stale = inventory.sum(|entry| !entry.current);
    *text += format_args!("{project}: {} in {}", bytes(all.bytes), count(all.records, "record"));
    if stale.records > 0 {
        *text += format_args!("; {} of it stale", bytes(stale.bytes));
    }
    *text += format_args!("\n");
    let mut group = None;
    for entry in &inventory.entries {
        if group != Some(&entry.owners) {
            let names: Vec<&str> = entry.owners.iter().map(String::as_str).collect();
            let name = if names.is_empty() { "all services".to_owned() } else { names.join(", ") };
            let sum = inventory.sum(|other| other.owners == entry.owners);
            *text += format_args!("\n{name}  {}\n", bytes(sum.bytes));
            group = Some(&entry.owners);
        }
        let stages: Vec<&str> = entry.stages.iter().map(String::as_str).collect();
        let kind = match entry.kind {
            EntryKind::Layer => "layer",
            EntryKind::Mount => "mount",
            EntryKind::Context => "context",
            EntryKind::Tool => "tool",
        };
        let size = bytes(entry.bytes);
        let used = ago(entry.last_used);
        let hits = count(entry.hits, "hit");
        let what: String = kiln::lifecycle::known::step_key(&entry.what).chars().take(60).collect();
        let stages = stages.join(", ");
        *text += format_args!("  {stages:<12} {kind:<7} {size:>9}  {used:<11} {hits:<8} {what}{}\n", marks(entry));
    }
    if !tags.is_empty() {
        *text += format_args!("\nstages kept as images: {}\n", tags.join(", "));
    }
    *text += format_args!(
        "\nunknown: {} in {} that fit steps of this project, but no recorded build; other projects, base images and the rest: {} in {}\n",
        bytes(inventory.unknown.bytes),
        count(inventory.unknown.records, "record"),
        bytes(inventory.elsewhere.bytes),
        count(inventory.elsewhere.records, "record"),
    );
}

fn marks(entry: &Entry) -> String {
    let mut marks = Vec::new();
    if !entry.current {
        marks.push("stale");
    }
    match entry.shared {
        Shared::No => {}
        Shared::Image => marks.push("also in an image"),
        Shared::Others => marks.push("shared"),
    }
    if entry.in_use {
        marks.push("in use");
    }
    if marks.is_empty() { String::new() } else { format!("  [{}]", marks.join(", ")) }
}

/// What the engine's garbage collection will take, and when.
fn collection(text: &mut Text, inventory: &Inventory, forecasts: &[Forecast], cache_bytes: u64) {
    *text += format_args!("\n");
    if forecasts.is_empty() {
        *text += format_args!("garbage collection: off, or the builder does not tell its rules\n");
        return;
    }
    for forecast in forecasts {
        let what = if forecast.kind == MOUNT { "mounts" } else { "layers" };
        let kind = if forecast.kind == MOUNT { EntryKind::Mount } else { EntryKind::Layer };
        let after = forecast.unused_seconds.map_or_else(
            || "from the one that was used longest ago on".to_owned(),
            |seconds| format!("after {} without a build", span(seconds)),
        );
        let when = conditions(forecast, cache_bytes);
        if endangers_mounts(forecast) {
            let mut mounts: Vec<&Entry> = inventory.entries.iter().filter(|entry| entry.kind == kind).collect();
            mounts.sort_by_key(|entry| std::cmp::Reverse(entry.bytes));
            let removed = if forecast.dormant { "would be removed" } else { "is removed" };
            for entry in mounts.iter().take(SPELLED_OUT) {
                *text += format_args!("the mount `{}`, {}, {removed} {after}{when}\n", entry.what, bytes(entry.bytes));
            }
            let rest: u64 = mounts.iter().skip(SPELLED_OUT).map(|entry| entry.bytes).sum();
            if rest > 0 {
                *text += format_args!("other mounts, {}, likewise\n", bytes(rest));
            }
            if forecast.dormant {
                *text += format_args!("this engine has that rule but never applies it; releases from 29.6 on do\n");
            }
            *text += format_args!("`kiln init --gc docker` (or `buildkitd`) prints the setting that keeps them\n");
        } else {
            let sum = inventory.sum(|entry| entry.kind == kind && entry.shared == Shared::No);
            *text += format_args!("{what}, {}, are removed {after}{when}\n", bytes(sum.bytes));
        }
    }
}

/// `, once the whole cache is above 40.0 GB (1.5 GB now)`
fn conditions(forecast: &Forecast, cache_bytes: u64) -> String {
    let size =
        forecast.above_bytes.map(|bound| format!("the whole cache is above {} ({} now)", bytes(bound), bytes(cache_bytes)));
    let disk = forecast.below_free_bytes.map(|bound| format!("less than {} of the disk is free", bytes(bound)));
    let conditions: Vec<String> = size.into_iter().chain(disk).collect();
    if conditions.is_empty() { String::new() } else { format!(", once {}", conditions.join(" or ")) }
}
