//! What a builder no longer has, by what it says of its cache.
//!
//! BuildKit describes each of its records in the words of the step that first made it, and says no more about where it belongs. So only this
//! can be told for sure: of a step whose words no record has, the builder has no result. Records of steps that came out of a cache outside
//! of the engine say nothing of their steps; builds that use such caches find there what this calls lost.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Model, ModelStep};

/// Numbers of the steps of a model of which the builder has no result, given what earlier builds called them and how the builder describes
/// the records of its cache. A step of which that cannot be told is left out.
#[must_use]
pub fn lost<'a>(next: &Model, earlier: &[Model], descriptions: impl IntoIterator<Item = &'a str>) -> BTreeSet<usize> {
    let mut commands = BTreeSet::new();
    let mut texts = BTreeSet::new();
    let mut ends = BTreeSet::new();
    for description in descriptions {
        if let Some(command) = description.strip_prefix("mount / from exec ") {
            commands.insert(first_line(command));
        } else if let Some((_, text)) = description.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            let text = first_line(text);
            ends.extend(ends_of(&text));
            texts.insert(text);
        }
    }
    let mut names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for step in earlier.iter().flat_map(|model| &model.steps) {
        if let Some(name) = &step.name {
            names.entry(&step.operation_key).or_default().insert(first_line(name));
        }
    }
    let is_lost = |step: &ModelStep| {
        if step.operation.kind == "run" {
            return !commands.contains(&first_line(&step.operation.words.join(" ")));
        }
        // An earlier text of the same step may have been the one that made the record: its destination says as much.
        let known = names.get(step.operation_key.as_str()).filter(|_| !step.linked);
        known.is_some_and(|known| {
            known.iter().all(|name| !texts.contains(name) && ends_of(name).is_none_or(|end| !ends.contains(&end)))
        })
    };
    (0..next.steps.len()).filter(|&number| is_lost(&next.steps[number])).collect()
}

/// Lists of records show no more of a command.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Keyword and destination of a file instruction.
fn ends_of(text: &str) -> Option<(String, String)> {
    let mut words = text.split(' ');
    let keyword = words.next().filter(|word| !word.is_empty())?;
    let end = words.next_back()?.trim_matches('/');
    Some((keyword.to_owned(), end.to_owned()))
}
