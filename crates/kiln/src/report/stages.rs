//! The stages of a build: what each took, and which results it waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Step;
use super::critical::Node;
use super::visible::shortened;
use crate::event::{StepKind, StepName, StepStatus};

/// What became of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StageState {
    /// No step was needed.
    Skipped,
    /// All its steps came from the cache.
    Cached,
    /// Steps ran.
    Ran,
    /// A step failed.
    Failed,
}

/// A stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name, with the platform in builds for several.
    pub name: String,
    /// What became of it.
    pub state: StageState,
    /// Seconds that its steps worked.
    pub seconds: f64,
    /// Steps that came from the cache.
    pub cached: usize,
    /// Steps that ran.
    pub ran: usize,
    /// Whether a step of it is on the critical path.
    pub critical: bool,
    /// Build contexts that it reads, by their names; the main one is `sources`.
    pub contexts: BTreeSet<String>,
    /// Stages whose results it takes, as places in the list.
    pub inputs: Vec<usize>,
    /// How many stages are in a row before it, at most.
    pub depth: usize,
}

/// The stages of steps that are still in the order of `nodes`.
pub(super) fn of(steps: &[Step], nodes: &[Node]) -> Vec<Stage> {
    let name = |step: &Step| {
        let place = step.place.as_ref()?;
        let platform = place.platform.as_ref().map(|platform| format!("{platform} ")).unwrap_or_default();
        Some(shortened(&format!("{platform}{}", place.stage), 60))
    };
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        if let Some(name) = name(step) {
            members.entry(name).or_default().push(index);
        }
    }
    let place: BTreeMap<String, usize> = members.keys().cloned().enumerate().map(|(at, name)| (name, at)).collect();
    let mut stages: Vec<Stage> = Vec::new();
    for (stage, indices) in &members {
        let own = || indices.iter().map(|index| &steps[*index]);
        let inputs: Vec<usize> = indices.iter().flat_map(|index| &nodes[*index].inputs).copied().collect();
        let from = inputs.iter().filter_map(|input| name(steps.get(*input)?)).filter(|from| from != stage);
        let from: BTreeSet<usize> = from.filter_map(|from| place.get(&from).copied()).collect();
        stages.push(Stage {
            name: stage.clone(),
            state: own().map(|step| state(step.status)).max().unwrap_or(StageState::Skipped),
            seconds: own().filter(|step| step.worked()).map(|step| step.seconds).sum(),
            cached: own().filter(|step| step.status == StepStatus::Cached).count(),
            ran: own().filter(|step| step.worked()).count(),
            critical: own().any(|step| step.critical),
            contexts: inputs.iter().filter_map(|input| context(steps.get(*input)?)).collect(),
            inputs: from.into_iter().collect(),
            depth: 0,
        });
    }
    layered(stages)
}

const fn state(status: StepStatus) -> StageState {
    match status {
        StepStatus::Cached => StageState::Cached,
        StepStatus::Ran | StepStatus::Running => StageState::Ran,
        StepStatus::Failed => StageState::Failed,
        StepStatus::Waiting | StepStatus::Skipped => StageState::Skipped,
    }
}

/// The build context that a step loads, if it does.
pub(super) fn context(step: &Step) -> Option<String> {
    if step.place.is_some() {
        return None;
    }
    if step.text == "load build context" {
        return Some("sources".to_owned());
    }
    match StepName::parse(&step.text).kind {
        StepKind::Context { name } => Some(shortened(&name, 30)),
        _ => None,
    }
}

/// Stages by depth, each after those that it takes from.
fn layered(mut stages: Vec<Stage>) -> Vec<Stage> {
    // Each round settles at least one more level; a circle, which no build has, ends with the last.
    for _ in 0..stages.len() {
        let depths: Vec<usize> = stages.iter().map(|stage| stage.depth).collect();
        for stage in &mut stages {
            stage.depth = stage.inputs.iter().map(|input| depths[*input] + 1).max().unwrap_or(0);
        }
    }
    let mut order: Vec<usize> = (0..stages.len()).collect();
    order.sort_by_key(|index| stages[*index].depth);
    let mut place = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        place[*old] = new;
    }
    let moved = |old: usize| {
        let mut stage = stages[old].clone();
        stage.inputs.iter_mut().for_each(|input| *input = place[*input]);
        stage.inputs.sort_unstable();
        stage
    };
    order.iter().map(|old| moved(*old)).collect()
}
