//! `kiln clean`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kiln::engine::ImageStays;
use kiln::lifecycle::CacheTag;
use kiln::lifecycle::clean::{Choice, Extent, Kept, Stake, at_stake, choose};
use kiln::lifecycle::presence::Presence;
use kiln::lifecycle::status::{Entry, Shared};
use kiln::text::{Text, bytes, count};
use serde::Serialize;

use super::Context;
use super::cached::World;
use super::project::shared_state;
use crate::env_vars;
use crate::error::{CommandError, Kind};
use crate::hints;

/// A layer can go when what lay on it has gone, and what a build held a moment later.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// Removes cached stages, layers and mounts of this project, and nothing of any other
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Stale is what the latest build of no service, variant and branch uses, and what is older than `--older-than`. Images of services stay, and so
does what another project uses, what something stays on top of, and what kiln cannot map to this project. Exit code 75: a build of the
project is running.

With the containerd image store BuildKit (at least up to 0.32) forgets with any removal what lies on base images that the engine has pulled
or loaded itself, so that other builds run their steps again. There layers and mounts stay, and kiln says so, unless nothing else is lost.

Examples:
  kiln clean --dry-run           what would go
  kiln clean                     what is stale
  kiln clean --older-than 14d    also what was not used for two weeks
  kiln clean --all               everything of this project")]
pub(crate) struct Args {
    /// What no current Dockerfile, lock or branch can use any more (the default)
    #[arg(long, conflicts_with = "all")]
    stale: bool,
    /// Everything of this project
    #[arg(long)]
    all: bool,
    /// Also what was not used for so long: 12h, 14d
    #[arg(long, value_name = "AGE", value_parser = age, conflicts_with = "all")]
    older_than: Option<SignedDuration>,
    /// Remove nothing, and tell what would go
    #[arg(long)]
    dry_run: bool,
    /// Remove layers and mounts also where the engine forgets others with them
    #[arg(long)]
    force: bool,
    /// Builder instance to clean (`docker buildx ls`)
    #[arg(long, value_name = "NAME", env = env_vars::BUILDER)]
    builder: Option<String>,
}

fn age(text: &str) -> Result<SignedDuration, String> {
    let factor = [("h", 1), ("d", 24), ("w", 168)].into_iter().find_map(|(unit, hours)| Some((text.strip_suffix(unit)?, hours)));
    let hours = factor.and_then(|(number, hours)| number.parse::<u16>().ok().map(|number| i64::from(number) * hours));
    hours.map(SignedDuration::from_hours).ok_or_else(|| "a number with h, d or w, such as `14d`".to_owned())
}

/// What a run of `kiln clean` did.
#[derive(Debug, Serialize)]
pub(super) struct Cleaned {
    dry_run: bool,
    removed: Vec<Removed>,
    kept: Vec<Stays>,
    /// What makes the engine forget other layers, and so stays, unless it is forced.
    #[serde(skip_serializing_if = "Option::is_none")]
    forgets: Option<Forgets>,
    /// Bytes that the engine says it freed; for a dry run those that the records take.
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Removed {
    id: String,
    what: String,
    bytes: u64,
}

/// Records whose removal makes the engine forget other layers.
#[derive(Debug, Serialize)]
struct Forgets {
    records: usize,
    bytes: u64,
    /// Whether they go all the same.
    forced: bool,
    #[serde(flatten)]
    stake: Stake,
}

#[derive(Debug, Serialize)]
struct Stays {
    id: String,
    what: String,
    why: String,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let unused_since = args.older_than.and_then(|age| Timestamp::now().checked_sub(age).ok());
    let extent = if args.all { Extent::All } else { Extent::Stale { unused_since } };
    let how = How { dry_run: args.dry_run, force: args.force };
    let cleaned = clean(context, args.builder.as_deref(), extent, how)?;
    if context.ui.json {
        context.ui.document(&cleaned);
    } else {
        context.ui.data(&cleaned.text());
    }
    Ok(ExitCode::SUCCESS)
}

/// How a clean-up goes about it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct How {
    /// It only tells what would go.
    dry_run: bool,
    /// It removes also where the engine forgets other layers with it.
    force: bool,
}

/// Removes, or tells what would go.
pub(super) fn clean(context: &Context, builder: Option<&str>, extent: Extent, how: How) -> Result<Cleaned, CommandError> {
    let How { dry_run, force } = how;
    let world = World::find(context, builder)?;
    let _alone = if dry_run { None } else { Some(alone(&world)?) };
    let (records, inventory) = world.look()?;
    let mut choice = choose(&inventory, &records, extent);
    let entries: BTreeMap<&str, &Entry> = inventory.entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
    let mut cleaned = Cleaned { dry_run, removed: Vec::new(), kept: kept(&choice, &entries), forgets: None, bytes: 0 };
    let unpacked = world.unpacked(&records)?;
    if let Some(stake) = at_stake(&records, &choice, |image| unpacked.contains(image)) {
        let bytes = choice.remove.iter().filter_map(|id| entries.get(id.as_str())).map(|entry| entry.bytes).sum();
        cleaned.forgets = Some(Forgets { records: choice.remove.len(), bytes, forced: force, stake });
        if !force {
            choice.remove.clear();
        }
    }
    remove_tags(&world, extent, dry_run, &mut cleaned)?;
    let describe = |entry: &&&Entry| Removed { id: entry.id.clone(), what: label(entry), bytes: entry.bytes };
    let chosen = choice.remove.iter().filter_map(|id| entries.get(id.as_str()));
    if dry_run {
        let not_in_images = |entry: &&&Entry| entry.shared == Shared::No;
        cleaned.bytes = chosen.clone().filter(not_in_images).map(|entry| entry.bytes).sum();
        cleaned.removed.extend(chosen.map(|entry| describe(&entry)));
        return Ok(cleaned);
    }
    let left = remove(context, &world, &choice, &mut cleaned)?;
    for entry in chosen {
        if left.contains(&entry.id) {
            let why = "the engine still works with it".to_owned();
            cleaned.kept.push(Stays { id: entry.id.clone(), what: label(entry), why });
        } else {
            cleaned.removed.push(describe(&entry));
        }
    }
    Ok(cleaned)
}

/// Removes cached stages among the engine's images, or tells which would go: of services that are gone, or all.
fn remove_tags(world: &World, extent: Extent, dry_run: bool, cleaned: &mut Cleaned) -> Result<(), CommandError> {
    let project = &world.plan.project;
    let services: Vec<&str> = world.plan.services.iter().map(|service| service.name.as_str()).collect();
    let is_current = |tag: &str| {
        let name = tag.split_once(':').map_or("", |(_, name)| name);
        CacheTag::parse(name, services.iter().copied()).is_some()
    };
    let tags: Vec<String> = world.tags()?.into_iter().filter(|tag| extent == Extent::All || !is_current(tag)).collect();
    let mut held = if dry_run { world.engine.held_images(&tags).map_err(hints::engine_gone)? } else { BTreeMap::new() };
    for tag in tags {
        let stays = if dry_run { held.remove(&tag) } else { world.engine.remove_image(&tag).map_err(hints::engine_gone)? };
        let why = match stays {
            None => {
                cleaned.removed.push(Removed { id: tag, what: format!("a cached stage of {project}"), bytes: 0 });
                continue;
            }
            Some(ImageStays::Used(container)) => format!("the container {container} uses it"),
            Some(ImageStays::Refused(words)) => words,
        };
        cleaned.kept.push(Stays { id: tag, what: "a cached stage".to_owned(), why });
    }
    Ok(())
}

/// Has the engine remove what was chosen; gives what is left.
fn remove(context: &Context, world: &World, choice: &Choice, cleaned: &mut Cleaned) -> Result<Vec<String>, CommandError> {
    let mut left: Vec<String> = choice.remove.iter().cloned().collect();
    for attempt in 0..ATTEMPTS {
        if left.is_empty() {
            break;
        }
        if context.cancel.is_set() {
            return Err(CommandError::new(Kind::Interrupted, "cleaning was interrupted")
                .hint("what is gone is gone: `kiln clean` goes on"));
        }
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        cleaned.bytes += world.engine.remove_records(&left).map_err(hints::engine_gone)?;
        let there = world.engine.cache_records().map_err(hints::engine_gone)?;
        left.retain(|id| there.iter().any(|record| record.id == *id));
    }
    Ok(left)
}

/// Keeps builds of the project away.
fn alone(world: &World) -> Result<Presence, CommandError> {
    let project = &world.plan.project;
    let folder = shared_state(&world.state).join("locks");
    let lock = Presence::alone(&folder, project).map_err(|error| {
        let mut failed = CommandError::new(Kind::User, format!("cannot lock `{project}` in `{folder}`"));
        failed.causes.push(error.to_string());
        failed
    })?;
    lock.ok_or_else(|| {
        CommandError::new(Kind::Transient, format!("a build of `{project}` is running"))
            .hint("try again when it has ended; `kiln clean --dry-run` works meanwhile")
    })
}

fn kept(choice: &Choice, entries: &BTreeMap<&str, &Entry>) -> Vec<Stays> {
    let stays = choice.kept.iter().filter_map(|(id, why)| {
        let entry = entries.get(id.as_str())?;
        let why = match why {
            Kept::Shared => "another project uses it, or something did since this project's last build",
            Kept::InUse => "a build works with it",
            Kept::Below => "something that stays lies on top of it",
        };
        Some(Stays { id: id.clone(), what: label(entry), why: why.to_owned() })
    });
    stays.collect()
}

/// `api-prod deps: RUN kiln recipe cook …`
fn label(entry: &Entry) -> String {
    let join = |names: &std::collections::BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let place = format!("{} {}", join(&entry.owners), join(&entry.stages));
    let what: String = kiln::lifecycle::known::step_key(&entry.what).chars().take(70).collect();
    format!("{}: {what}", place.trim())
}

impl Cleaned {
    pub(super) fn text(&self) -> String {
        let mut text = Text::new("");
        let verb = if self.dry_run { "would go" } else { "removed" };
        for removed in &self.removed {
            text += format_args!("{verb}  {:>9}  {}  {}\n", bytes(removed.bytes), removed.id, removed.what);
        }
        for stays in &self.kept {
            text += format_args!("stays     {}  {}: {}\n", stays.id, stays.what, stays.why);
        }
        if let Some(forgets) = &self.forgets {
            text += &forgets.text(self.dry_run);
        }
        let sum = bytes(self.bytes);
        match (self.removed.len(), self.dry_run) {
            (0, _) => text += format_args!("nothing to remove\n"),
            (number, true) => text += format_args!("{} would go, {sum}\n", count(number, "thing")),
            (number, false) => text += format_args!("{} removed, {sum} freed as the engine counts\n", count(number, "thing")),
        }
        text.finish()
    }
}

impl Forgets {
    /// What the user has to know of it.
    fn text(&self, dry_run: bool) -> String {
        let Self { records, bytes: size, forced, stake } = self;
        let images: Vec<String> = stake.images.iter().map(|image| format!("`{image}`")).collect();
        let on = if images.is_empty() { String::new() } else { format!(" on {}", images.join(", ")) };
        if *forced {
            let forgets = if dry_run { "would make this engine forget" } else { "makes this engine forget" };
            return format!(
                "with the containerd store this removal {forgets} {}{on}, of any project: their steps run once more in the next build, and \
                 their bytes stay on the disk\n",
                count(stake.layers, "other layer"),
            );
        }
        let (stay, them) = if *records == 1 { ("stays", "it") } else { ("stay", "them") };
        format!(
            "{}, {}, {stay}: with the containerd store any removal makes this engine forget other layers, here {}{on}, whose steps would \
             run again; `kiln clean --force` removes {them} all the same\n",
            count(*records, "record"),
            bytes(*size),
            stake.layers,
        )
    }
}
