//! After a build: each step that ran, the first cause, what it dragged along and what might help.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::compare::{Predicted, Verdict, predict};
use super::model::{Model, StepPlace, Told};
use super::reason::{MissReason, unseen};
use super::remedy::{Remedy, Saving, remedy};
use crate::event::StepStatus;
use crate::record::StepRecord;

/// A step that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// Where it stands.
    #[serde(flatten)]
    pub place: StepPlace,
    /// The instruction.
    pub instruction: String,
    /// How long it took.
    pub seconds: f64,
    /// Why it ran.
    pub reasons: Vec<MissReason>,
    /// Whether it has a reason of its own, not only steps before it.
    pub is_cause: bool,
    /// Numbers, within the list, of the steps that ran because of it.
    pub dragged_along: Vec<usize>,
    /// Seconds of it and of what it dragged along.
    pub cost_seconds: f64,
    /// What would have kept it from running.
    #[serde(default)]
    pub remedy: Option<Remedy>,
    /// What the remedy would have saved in recent builds, where they were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saving: Option<Saving>,
}

impl Miss {
    /// Whether it is this step that a build or record tells of.
    #[must_use]
    pub fn is(&self, told: &Told<'_>) -> bool {
        self.place.is(&self.instruction, told)
    }
}

/// The steps that ran in a build, explained by its model and those of earlier builds, the latest first.
#[must_use]
pub fn misses(model: &Model, earlier: &[Model], record: &[StepRecord]) -> Vec<Miss> {
    let prediction = predict(model, earlier);
    let ran: Vec<Option<f64>> = prediction.steps.iter().map(|step| seconds_of(step, record)).collect();
    let numbers: Vec<usize> = (0..ran.len()).filter(|&number| ran[number].is_some()).collect();
    let position = |number: usize| numbers.iter().position(|&known| known == number);
    let mut misses: Vec<Miss> = numbers
        .iter()
        .map(|&number| {
            let step = &prediction.steps[number];
            let ran_too = |place: &StepPlace| numbers.iter().any(|&number| prediction.steps[number].place == *place);
            let mut reasons: Vec<MissReason> =
                step.reasons.iter().filter(|reason| upstream(reason).is_none_or(ran_too)).cloned().collect();
            if reasons.is_empty() || step.verdict == Verdict::Cached {
                // An earlier build has made the very same, or a copy that is laid over what ran was open and turned out to be cached.
                let grounds = model.grounds(&model.steps[number]).into_iter();
                reasons = grounds
                    .filter(|origin| ran[*origin].is_some())
                    .map(|origin| MissReason::Upstream { place: prediction.steps[origin].place.clone() })
                    .collect();
            }
            if reasons.is_empty() && step.verdict != Verdict::Cached {
                // It was unknown because of steps that turned out to be cached: what is left are files that nobody noted.
                reasons.extend(unseen(&model.steps[number]));
            }
            if reasons.is_empty() {
                reasons.push(if step.verdict == Verdict::Cached { MissReason::CacheRemoved } else { MissReason::Unknown });
            }
            let is_cause = reasons.iter().any(|reason| upstream(reason).is_none());
            let seconds = ran[number].unwrap_or_default();
            Miss {
                place: step.place.clone(),
                instruction: step.instruction.clone(),
                seconds,
                reasons,
                is_cause,
                dragged_along: Vec::new(),
                cost_seconds: seconds,
                remedy: None,
                saving: None,
            }
        })
        .collect();
    for cause in 0..misses.len() {
        if !misses[cause].is_cause {
            continue;
        }
        let mut reached = BTreeSet::from([numbers[cause]]);
        for &number in numbers.iter().filter(|&&number| number > numbers[cause]) {
            let follows = model.grounds(&model.steps[number]).iter().any(|ground| reached.contains(ground));
            let named = position(number).is_some_and(|at| misses[at].reasons.iter().any(|reason| upstream(reason).is_some()));
            if follows && named {
                reached.insert(number);
            }
        }
        reached.remove(&numbers[cause]);
        let dragged: Vec<usize> = reached.into_iter().filter_map(position).collect();
        misses[cause].cost_seconds += dragged.iter().map(|&at| misses[at].seconds).sum::<f64>();
        misses[cause].remedy = remedy(model, numbers[cause], &misses[cause].reasons, dragged.iter().map(|&at| &misses[at]));
        misses[cause].dragged_along = dragged;
    }
    misses
}

fn upstream(reason: &MissReason) -> Option<&StepPlace> {
    match reason {
        MissReason::Upstream { place } | MissReason::UpstreamOutput { place } => Some(place),
        _ => None,
    }
}

/// How long a step ran; nothing if it did not.
fn seconds_of(step: &Predicted, record: &[StepRecord]) -> Option<f64> {
    let told = record.iter().filter(|told| Told::of_record(told).is_some_and(|told| step.place.is(&step.instruction, &told)));
    let ran = told.filter(|told| matches!(told.status, StepStatus::Ran | StepStatus::Failed));
    ran.map(|told| told.seconds).max_by(f64::total_cmp)
}
