//! The file that a run appends to.

use std::fs::{self, File};
use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use super::{End, Line, ResultError, Results, Sample, Skipped};
use crate::bench::Scenario;

/// Writes results as they come.
#[derive(Debug)]
pub(in crate::bench) struct ResultFile {
    path: Utf8PathBuf,
    file: File,
    pub(in crate::bench) results: Results,
}

impl ResultFile {
    /// A new file, or the next lines of one that is there.
    pub(in crate::bench) fn open(path: &Utf8Path, results: Results) -> Result<Self, ResultError> {
        let failed = |source| ResultError::File { path: path.to_owned(), source };
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        parent.map_err(failed)?;
        let mut file = File::options().create(true).append(true).open(path).map_err(failed)?;
        // Held as long as the run goes on. A file system without locks has nobody who could be in the way.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK) {
            return Err(ResultError::InUse { path: path.to_owned() });
        }
        if file.metadata().map_err(failed)?.len() > 0 {
            // The last line may have been cut off.
            file.write_all(b"\n").map_err(failed)?;
            return Ok(Self { path: path.to_owned(), file, results });
        }
        let header = Line::Header(results.header.clone());
        let mut new = Self { path: path.to_owned(), file, results };
        new.append(&header)?;
        Ok(new)
    }

    pub(in crate::bench) fn what(&mut self, scenario: Scenario, what: &str) -> Result<(), ResultError> {
        if self.results.what.insert(scenario, what.to_owned()).as_deref() == Some(what) {
            return Ok(());
        }
        self.append(&Line::What { scenario, what: what.to_owned() })
    }

    pub(in crate::bench) fn sample(&mut self, sample: Sample) -> Result<(), ResultError> {
        self.append(&Line::Sample(sample.clone()))?;
        self.results.add(sample);
        Ok(())
    }

    pub(in crate::bench) fn skip(&mut self, skipped: Skipped) -> Result<(), ResultError> {
        if self.results.skipped.contains(&skipped) {
            return Ok(());
        }
        self.append(&Line::Skipped(skipped.clone()))?;
        self.results.skip(skipped);
        Ok(())
    }

    pub(in crate::bench) fn end(&mut self, end: End) -> Result<(), ResultError> {
        self.append(&Line::End(end.clone()))?;
        self.results.end = Some(end);
        Ok(())
    }

    /// One write for each line, so that an interruption cuts off at most the last one.
    fn append(&mut self, line: &Line) -> Result<(), ResultError> {
        let failed = |source| ResultError::File { path: self.path.clone(), source };
        let text = serde_json::to_string(line).map_err(|error| failed(io::Error::other(error)))?;
        self.file.write_all(format!("{text}\n").as_bytes()).map_err(failed)
    }
}
