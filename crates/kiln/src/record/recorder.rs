//! Writes a record while a build goes on.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::{End, Header, Line, Place, RecordError, StepRecord, files};
use crate::event::{BuildEvent, BuildState, Step, StepKind, StepStatus};
use crate::predict::Miss;

/// How many lines of a failed step's output are kept.
const LOG_LINES: usize = 100;

/// A record being written.
#[derive(Debug)]
pub struct Recorder {
    path: Utf8PathBuf,
    file: File,
    started: Timestamp,
    written: BTreeMap<usize, StepRecord>,
}

impl Recorder {
    /// Begins a record in a folder, which is made if need be.
    ///
    /// # Errors
    /// [`RecordError::File`].
    pub fn create(folder: &Utf8Path, header: Header) -> Result<Self, RecordError> {
        fs::create_dir_all(folder).map_err(|source| RecordError::File { path: folder.to_owned(), source })?;
        let mut number = 0;
        let (path, file) = loop {
            let path = folder.join(files::file_name(&header, number));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 100 => number += 1,
                Err(source) => return Err(RecordError::File { path, source }),
            }
        };
        let mut recorder = Self { path, file, started: header.started, written: BTreeMap::new() };
        recorder.write(&Line::Header(header))?;
        Ok(recorder)
    }

    /// Where the record is.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Takes in an event, together with the state that it led to.
    ///
    /// # Errors
    /// [`RecordError::File`].
    pub fn observe(&mut self, state: &BuildState, event: &BuildEvent) -> Result<(), RecordError> {
        let BuildEvent::StepFinished { digest, .. } = event else { return Ok(()) };
        let Some(number) = state.steps().iter().position(|step| step.digest == *digest) else { return Ok(()) };
        let step = &state.steps()[number];
        self.step(state, number, step.status())
    }

    /// Ends the record: what is new about steps, then how the build ended.
    ///
    /// # Errors
    /// [`RecordError::File`].
    pub fn finish(mut self, state: &BuildState, end: End) -> Result<(), RecordError> {
        let succeeded = end.ending == super::Ending::Succeeded;
        for (number, step) in state.steps().iter().enumerate() {
            self.step(state, number, step.final_status(succeeded))?;
        }
        self.write(&Line::End(end))
    }

    fn step(&mut self, state: &BuildState, number: usize, status: StepStatus) -> Result<(), RecordError> {
        let record = compact(state, number, status, self.started);
        if self.written.get(&number) == Some(&record) {
            return Ok(());
        }
        self.write(&Line::Step(Box::new(record.clone())))?;
        self.written.insert(number, record);
        Ok(())
    }

    fn write(&mut self, line: &Line) -> Result<(), RecordError> {
        write_line(&mut self.file, line).map_err(|source| RecordError::File { path: self.path.clone(), source })
    }
}

/// Adds to a record that is finished why its steps ran.
///
/// # Errors
/// [`RecordError::File`].
pub fn append_misses(path: &Utf8Path, misses: &[Miss]) -> Result<(), RecordError> {
    let failed = |source| RecordError::File { path: path.to_owned(), source };
    let mut file = OpenOptions::new().append(true).open(path).map_err(failed)?;
    write_line(&mut file, &Line::Misses { misses: misses.to_vec() }).map_err(failed)
}

/// The steps of a build that is over, as its record would have them.
#[must_use]
pub fn step_records(state: &BuildState, started: Timestamp, succeeded: bool) -> Vec<StepRecord> {
    let steps = state.steps().iter().enumerate();
    steps.map(|(number, step)| compact(state, number, step.final_status(succeeded), started)).collect()
}

/// One write for each line: a record that is cut off is cut between lines.
fn write_line(file: &mut File, line: &Line) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}

/// Three decimals: a millisecond is finer than anything a build step can be asked for.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn compact(state: &BuildState, number: usize, status: StepStatus, started: Timestamp) -> StepRecord {
    let step: &Step = &state.steps()[number];
    let place = match &step.name.kind {
        StepKind::Stage { platform, index, total, .. } => Some(Place {
            platform: platform.clone(),
            stage: step.name.stage().unwrap_or_default().to_owned(),
            index: *index,
            total: *total,
            instruction: step.name.text.clone(),
            line: step.line,
        }),
        _ => None,
    };
    let number_of = |digest: &String| state.steps().iter().position(|step| step.digest == *digest);
    let last = step.intervals.iter().filter_map(|(_, end)| *end).max();
    let offset = |at: Timestamp| rounded(at.duration_since(started).as_secs_f64());
    let begin = step.intervals.first().map(|(begin, _)| offset(*begin)).filter(|begin| *begin >= 0.0);
    let failed = status == StepStatus::Failed;
    let log: Vec<String> = if failed { step.log.lines().collect() } else { Vec::new() };
    StepRecord {
        step: number,
        name: step.name.to_string(),
        place,
        status,
        seconds: rounded(last.map_or(0.0, |last| step.seconds(last))),
        begin,
        end: last.filter(|_| begin.is_some()).map(offset),
        inputs: step.inputs.iter().filter_map(number_of).collect(),
        bytes: step.bytes(),
        error: step.error.clone().filter(|_| failed),
        log: log[log.len().saturating_sub(LOG_LINES)..].to_vec(),
        cargo: step.cargo.clone(),
    }
}
