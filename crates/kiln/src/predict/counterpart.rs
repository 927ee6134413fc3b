//! Which step of an earlier build a step is to be compared with, when a person asks what is different.

use std::collections::HashMap;

use super::model::{Model, ModelStep};

/// Counterparts of the steps of one model in another.
#[derive(Debug)]
pub(super) struct Counterparts<'a> {
    found: Vec<Option<&'a ModelStep>>,
}

impl<'a> Counterparts<'a> {
    /// Steps of one text in a stage of one name are compared in their order; what is left over, by keyword and number.
    pub(super) fn new(next: &Model, earlier: &'a Model) -> Self {
        let mut open: Vec<Option<&'a ModelStep>> = earlier.steps.iter().map(Some).collect();
        let mut found: Vec<Option<&'a ModelStep>> = vec![None; next.steps.len()];
        let mut by_text: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for (number, step) in earlier.steps.iter().enumerate().rev() {
            by_text.entry((&step.place.stage, &step.text)).or_default().push(number);
        }
        let take = |open: &mut Vec<Option<&'a ModelStep>>, numbers: Option<&mut Vec<usize>>| {
            let numbers = numbers?;
            while let Some(number) = numbers.pop() {
                if let Some(step) = open[number].take() {
                    return Some(step);
                }
            }
            None
        };
        for (step, found) in next.steps.iter().zip(&mut found) {
            *found = take(&mut open, by_text.get_mut(&(step.place.stage.as_str(), step.text.as_str())));
        }
        // The stage may have another name now.
        let mut texts: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut places: HashMap<(&str, u32, &str), Vec<usize>> = HashMap::new();
        for (number, step) in earlier.steps.iter().enumerate().rev() {
            texts.entry(&step.text).or_default().push(number);
            places.entry((&step.place.stage, step.place.index, &step.operation.kind)).or_default().push(number);
        }
        for (step, found) in next.steps.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let place = (step.place.stage.as_str(), step.place.index, step.operation.kind.as_str());
            *found = take(&mut open, places.get_mut(&place)).or_else(|| take(&mut open, texts.get_mut(step.text.as_str())));
        }
        Self { found }
    }

    pub(super) fn of(&self, number: usize) -> Option<&'a ModelStep> {
        self.found[number]
    }
}
