//! What earlier builds say about the next one.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::{Ending, Record, list};
use crate::event::{StepName, StepStatus};
use crate::plan::Variant;

/// How many earlier builds are read.
const BUILDS: usize = 10;
/// How many times of one step are taken into account, the latest.
const SAMPLES: usize = 5;

/// Times of the steps of one image in its last builds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The latest first.
    seconds: BTreeMap<(String, String), Vec<f64>>,
    /// Sizes of images, by their ids.
    sizes: BTreeMap<String, u64>,
}

impl History {
    /// Reads the last builds of a service and variant. Records that cannot be read say nothing.
    #[must_use]
    pub fn read(folder: &Utf8Path, service: &str, variant: Variant) -> Self {
        let mut history = Self::default();
        let entries = list(folder).unwrap_or_default();
        let entries = entries.into_iter().filter(|entry| entry.service == service && entry.variant == variant);
        for record in entries.take(BUILDS).filter_map(|entry| Record::load(&entry.path).ok()) {
            history.add(&record);
        }
        history
    }

    fn add(&mut self, record: &Record) {
        if let Some((id, size)) = record.end.as_ref().and_then(|end| end.id.clone().zip(end.size)) {
            self.sizes.insert(id, size);
        }
        // A step that ran in a build that failed elsewhere took as long as ever.
        if !matches!(record.end.as_ref().map(|end| end.ending), Some(Ending::Succeeded | Ending::Failed)) {
            return;
        }
        for step in record.steps.iter().filter(|step| step.status == StepStatus::Ran) {
            if let Some(place) = &step.place {
                let times = self.seconds.entry((place.stage.clone(), place.instruction.clone())).or_default();
                if times.len() < SAMPLES {
                    times.push(step.seconds);
                }
            }
        }
    }

    /// Size of an image that an earlier build made.
    #[must_use]
    pub fn size(&self, id: &str) -> Option<u64> {
        self.sizes.get(id).copied()
    }

    /// How long a step took when it ran: the median of the last times. Nothing for a step that never ran.
    #[must_use]
    pub fn expected_seconds(&self, name: &StepName) -> Option<f64> {
        let mut times = self.seconds.get(&(name.stage()?.to_owned(), name.text.clone()))?.clone();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    }
}
