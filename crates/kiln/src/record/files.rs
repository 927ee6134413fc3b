//! The files of a folder of records: `20261123T070028.158Z-backend-prod.jsonl`.

use std::fs;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Header, RecordError};
use crate::plan::Variant;

/// A record, by its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub path: Utf8PathBuf,
    /// When the build began.
    pub started: Timestamp,
    /// The service.
    pub service: String,
    /// The variant.
    pub variant: Variant,
}

/// How many records are kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most so many, the latest.
    pub count: usize,
    /// None older than this.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { count: 200, age: Duration::from_secs(90 * 24 * 60 * 60) }
    }
}

pub(super) fn file_name(header: &Header, number: u32) -> String {
    let milliseconds = header.started.subsec_millisecond();
    let time = header.started.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S");
    let again = if number == 0 { String::new() } else { format!(".{number}") };
    format!("{time}.{milliseconds:03}Z-{}-{}{again}.jsonl", header.service, header.variant.name())
}

/// Takes a file name apart; nothing for files of others.
fn parse(path: &Utf8Path) -> Option<Entry> {
    let stem = path.file_name()?.strip_suffix(".jsonl")?;
    let (time, rest) = stem.split_once('-')?;
    let (time, milliseconds) = time.strip_suffix('Z')?.split_once('.')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let started = time.checked_add(Duration::from_millis(milliseconds.parse().ok()?)).ok()?;
    let (service, variant) = rest.rsplit_once('-')?;
    let variant = variant.split('.').next()?;
    let variant = Variant::ALL.into_iter().find(|known| known.name() == variant)?;
    Some(Entry { path: path.to_owned(), started, service: service.to_owned(), variant })
}

/// The records of a folder, the latest first. A folder that does not exist has none.
///
/// # Errors
/// [`RecordError::File`], if the folder cannot be read.
pub fn list(folder: &Utf8Path) -> Result<Vec<Entry>, RecordError> {
    let failed = |source| RecordError::File { path: folder.to_owned(), source };
    let entries = match folder.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut records: Vec<Entry> = entries.filter_map(|entry| parse(entry.ok()?.path())).collect();
    records.sort_by(|a, b| (b.started, &b.path).cmp(&(a.started, &a.path)));
    Ok(records)
}

/// Removes records beyond the limits and gives how many.
///
/// # Errors
/// [`RecordError::File`], for the first that cannot be removed.
pub fn prune(folder: &Utf8Path, limits: Limits, now: Timestamp) -> Result<usize, RecordError> {
    let oldest = now.checked_sub(limits.age).unwrap_or(Timestamp::MIN);
    let mut removed = 0;
    for (number, entry) in list(folder)?.into_iter().enumerate() {
        if number >= limits.count || entry.started < oldest {
            match fs::remove_file(&entry.path) {
                Ok(()) => removed += 1,
                // Another kiln was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(RecordError::File { path: entry.path, source }),
            }
        }
    }
    Ok(removed)
}
