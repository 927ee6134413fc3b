//! Units of a deps layer into a target directory, as a difference.
//!
//! cargo compares times of units: a dependency that looks newer than what was compiled with it makes that stale. So all seeded
//! units have one time, the oldest that works ([`Layer::not_before`]), and a [`Record`] beside the target directory remembers which
//! content was put there. Content that *replaces* other content under the same name (a build script that saw another system
//! header, say) gets a new time, and the whole layer with it: everything compiled against the old content becomes stale.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::export::{FileKind, Layer, LayerUnit, file_digest, set_time};
use super::step::{At as _, StepError, parallel, write_atomically};
use super::target::{UnitId, Units};
use crate::recipe::MountUse;

/// What is known about the units of a mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The time of the seeded units, in seconds since the epoch.
    pub(super) time: u64,
    /// Content of units by name, also of those that have been removed since.
    pub(super) contents: BTreeMap<String, Content>,
    /// Units that are being copied: half of one may lie there.
    pub(super) pending: BTreeMap<String, String>,
    /// Last use of each unit, in seconds since the epoch.
    pub(super) used: BTreeMap<String, u64>,
}

/// What is known about a unit's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    /// Copied from a layer: the digest there.
    Seeded(String),
    /// cargo compiled it here, although a layer has it with this digest.
    Own(String),
    /// It was compiled here and has been removed.
    Gone,
}

impl Record {
    /// Reads the record; an unreadable one is as good as none, since then everything is compared with the files themselves.
    #[must_use]
    pub(super) fn read(path: &Path) -> Option<Self> {
        fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`StepError`], when it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), StepError> {
        let bytes = serde_json::to_vec(self).map_err(|source| StepError::Format { path: path.to_owned(), source })?;
        write_atomically(path, &bytes)
    }

    fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.time)
    }
}

/// What seeding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seeded {
    /// Units copied because they were missing.
    pub(super) copied: usize,
    /// Units whose content was replaced by another.
    pub(super) replaced: usize,
    /// Units that were there.
    pub(super) kept: usize,
}

/// What is to be done with one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Keep,
    /// Content is right, its time is too old.
    Touch,
    /// Content is right, but nothing was known about it.
    Adopt,
    Copy,
    Replace,
    /// cargo's own, to be left alone.
    Leave,
}

/// Brings the units of a layer into `target`. `now` is a time later than everything in the mount.
///
/// # Errors
/// [`StepError`], when a file cannot be read or written; what was begun is finished next time.
pub(super) fn seed(
    folder: &Path,
    layer: &Layer,
    target: &Path,
    record_path: &Path,
    now: SystemTime,
) -> Result<(Seeded, Record), StepError> {
    let mut record = Record::read(record_path).unwrap_or_default();
    record.time = record.time.max(layer.not_before).max(1);
    let units = Units::scan(target)?;
    let mut actions = parallel(&layer.units, |unit| action(unit, &units, target, &record))?;
    if actions.contains(&Action::Replace) {
        // Later than anything that was compiled against what is replaced.
        let seconds =
            now.duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_secs() + u64::from(duration.subsec_nanos() > 0));
        record.time = record.time.max(seconds);
        for action in actions.iter_mut().filter(|action| matches!(action, Action::Keep | Action::Adopt)) {
            *action = Action::Touch;
        }
    }
    let work: Vec<(&LayerUnit, Action)> = layer.units.iter().zip(actions.iter().copied()).collect();
    let writes = |action: Action| matches!(action, Action::Copy | Action::Replace);
    record.pending =
        work.iter().filter(|(_, action)| writes(*action)).map(|(unit, _)| (unit.id().to_string(), unit.digest.clone())).collect();
    if actions.iter().any(|action| !matches!(action, Action::Keep | Action::Leave)) {
        record.write(record_path)?;
        parallel(&work, |(unit, action)| match action {
            Action::Copy | Action::Replace => copy_unit(unit, &units, folder, target, record.time()),
            Action::Touch => touch_unit(unit, target, record.time()),
            Action::Keep | Action::Leave | Action::Adopt => Ok(()),
        })?;
        for (unit, action) in work.iter().filter(|(_, action)| !matches!(action, Action::Leave)) {
            debug_assert!(*action != Action::Leave);
            record.contents.insert(unit.id().to_string(), Content::Seeded(unit.digest.clone()));
        }
        record.pending.clear();
        record.write(record_path)?;
    }
    let count = |wanted: Action| actions.iter().filter(|action| **action == wanted).count();
    let seeded = Seeded {
        copied: count(Action::Copy),
        replaced: count(Action::Replace),
        kept: count(Action::Keep) + count(Action::Touch) + count(Action::Adopt) + count(Action::Leave),
    };
    Ok((seeded, record))
}

fn action(unit: &LayerUnit, units: &Units, target: &Path, record: &Record) -> Result<Action, StepError> {
    let id = unit.id();
    let name = id.to_string();
    if record.pending.get(&name) == Some(&unit.digest) {
        let known = matches!(record.contents.get(&name), Some(Content::Seeded(digest)) if *digest != unit.digest);
        return Ok(if known { Action::Replace } else { Action::Copy });
    }
    let there = units.contains(&id);
    match record.contents.get(&name) {
        Some(Content::Own(digest)) if *digest == unit.digest && there => return Ok(Action::Leave),
        Some(Content::Seeded(digest)) if *digest == unit.digest => match state(unit, target, record.time()) {
            State::Complete => return Ok(Action::Keep),
            State::Older => return Ok(Action::Touch),
            State::Newer => {}
            State::Missing => return Ok(Action::Copy),
        },
        None if !there => return Ok(Action::Copy),
        _ => {}
    }
    if there && same_contents(unit, target)? { Ok(Action::Adopt) } else { Ok(Action::Replace) }
}

/// How the files of a unit look in a target directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Complete,
    Older,
    Newer,
    Missing,
}

/// Looks at sizes and times only.
fn state(unit: &LayerUnit, target: &Path, time: SystemTime) -> State {
    let mut worst = State::Complete;
    for file in &unit.files {
        let path = target.join(&file.path);
        let state = match (&file.kind, fs::symlink_metadata(&path)) {
            (FileKind::File { size, .. }, Ok(metadata)) if metadata.is_file() && metadata.len() == *size => {
                match metadata.modified() {
                    Ok(modified) if modified == time => State::Complete,
                    Ok(modified) if modified < time => State::Older,
                    _ => State::Newer,
                }
            }
            (FileKind::Folder, Ok(metadata)) if metadata.is_dir() => State::Complete,
            (FileKind::Link { .. }, Ok(metadata)) if metadata.is_symlink() => State::Complete,
            _ => State::Missing,
        };
        worst = worst.max(state);
    }
    worst
}

fn same_contents(unit: &LayerUnit, target: &Path) -> Result<bool, StepError> {
    for file in &unit.files {
        let path = target.join(&file.path);
        let Ok(metadata) = fs::symlink_metadata(&path) else { return Ok(false) };
        let same = match &file.kind {
            FileKind::File { size, digest, .. } => {
                metadata.is_file() && metadata.len() == *size && file_digest(&path)? == *digest
            }
            FileKind::Folder => metadata.is_dir(),
            FileKind::Link { to } => fs::read_link(&path).is_ok_and(|link| link == Path::new(to)),
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Copies a unit: outputs first, its fingerprint last, so that half of a unit never looks whole to cargo.
fn copy_unit(unit: &LayerUnit, units: &Units, folder: &Path, target: &Path, time: SystemTime) -> Result<(), StepError> {
    let id = unit.id();
    if units.contains(&id) {
        units.remove(&id)?;
    }
    let fingerprint = units.fingerprint(&id);
    let (last, first): (Vec<_>, Vec<_>) = unit.files.iter().partition(|file| target.join(&file.path).starts_with(&fingerprint));
    for file in first.into_iter().chain(last) {
        let (from, to) = (folder.join("target").join(&file.path), target.join(&file.path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).at("create", parent)?;
        }
        match &file.kind {
            FileKind::Folder => fs::create_dir_all(&to).at("create", &to)?,
            FileKind::Link { to: link } => symlink(link, &to).at("write", &to)?,
            FileKind::File { size, within, .. } => {
                match within {
                    Some(within) => within.write(&folder.join("target"), *size, &to)?,
                    None => fs::copy(&from, &to).at("write", &to).map(drop)?,
                }
                set_time(&to, time)?;
            }
        }
    }
    Ok(())
}

fn touch_unit(unit: &LayerUnit, target: &Path, time: SystemTime) -> Result<(), StepError> {
    for file in &unit.files {
        let path = target.join(&file.path);
        // Only ever later: an earlier time could hide that something was compiled against other content.
        if matches!(file.kind, FileKind::File { .. })
            && fs::metadata(&path).and_then(|metadata| metadata.modified()).at("read", &path)? < time
        {
            set_time(&path, time)?;
        }
    }
    Ok(())
}

/// Removes units that are neither in `keep` nor young enough, then the longest unused ones until the rest fits; gives their number, and
/// what is left. `path` is that of the mount.
///
/// # Errors
/// [`StepError`], when something cannot be read or removed.
pub(super) fn age_out(
    path: &Path,
    target: &Path,
    record: &mut Record,
    keep: &dyn Fn(&UnitId) -> bool,
    limits: super::step::Limits,
    now: u64,
) -> Result<(usize, MountUse), StepError> {
    let units = Units::scan(target)?;
    let all = units.all();
    let mut sizes = parallel(&all, |unit| units.size(unit))?.into_iter();
    let mut total = 0;
    let mut left = MountUse { path: path.to_string_lossy().into_owned(), units: all.len(), ..MountUse::default() };
    let mut old = Vec::new();
    for unit in all {
        let size = sizes.next().unwrap_or_default();
        total += size;
        // A clock that was wrong must not keep a unit for ever.
        let used = record.used.entry(unit.to_string()).or_insert(now);
        *used = if keep(unit) { now } else { (*used).min(now) };
        if !keep(unit) {
            old.push((*used, size, unit.clone()));
        }
    }
    old.sort();
    let mut removed = 0;
    for (used, size, unit) in old {
        if now.saturating_sub(used) <= limits.age.as_secs() && total <= limits.bytes {
            left.unused += 1;
            left.unused_bytes += size;
            continue;
        }
        units.remove(&unit)?;
        let name = unit.to_string();
        record.used.remove(&name);
        record.contents.entry(name).or_insert(Content::Gone);
        total -= size;
        removed += 1;
    }
    left.units -= removed;
    left.bytes = total;
    Ok((removed, left))
}

/// Notes the units that cargo compiled itself although the layer has them: they are left alone as long as the layer's are the same.
pub(super) fn own(layer: &Layer, target: &Path, record: &mut Record) -> Result<(), StepError> {
    let units = Units::scan(target)?;
    for unit in &layer.units {
        let id = unit.id();
        let ours = matches!(record.contents.get(&id.to_string()), Some(Content::Seeded(_)));
        if ours && units.contains(&id) && state(unit, target, record.time()) > State::Older {
            record.contents.insert(id.to_string(), Content::Own(unit.digest.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
