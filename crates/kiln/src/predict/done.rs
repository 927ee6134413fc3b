//! Steps that earlier builds have done, by what a step that is the same as one of them has in common with it.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::model::{ModelStep, Origin, Read};

/// Steps of earlier builds, each once.
#[derive(Debug)]
pub(crate) struct Done<S> {
    steps: Vec<S>,
    /// Keys and outputs: most builds did mostly the same.
    known: HashSet<(String, String)>,
    /// Numbers of steps by a hash of their operation, what they stand on and a [`Trait`].
    by_trait: HashMap<u64, Vec<usize>>,
}

/// What two steps that read the same have in common, by the first thing that they read.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Trait<'a> {
    /// Nothing in particular.
    Any,
    /// The hash of what is read.
    Content(&'a str),
    /// That this hash is not known.
    NoContent,
    /// [`Read::files`].
    Files(&'a str),
    /// [`Read::origin_key`].
    Origin(&'a str),
    /// The key of the program that has a part in it.
    Program(&'a str),
}

impl<S> Default for Done<S> {
    fn default() -> Self {
        Self { steps: Vec::new(), known: HashSet::new(), by_trait: HashMap::new() }
    }
}

impl<S: Borrow<ModelStep>> Done<S> {
    /// Adds a step, unless there is one like it.
    pub(crate) fn add(&mut self, step: S) {
        let new: &ModelStep = step.borrow();
        if !self.known.insert((new.key.clone(), new.output.clone())) {
            return;
        }
        let mut traits = vec![Trait::Any];
        if let Some(read) = new.reads.first() {
            traits.push(read.content.as_deref().map_or(Trait::NoContent, Trait::Content));
            traits.extend(read.files.as_deref().map(Trait::Files));
            traits.push(Trait::Origin(&read.origin_key));
            traits.extend(program(read).map(|(_, key, _)| Trait::Program(key)));
        }
        // Only of these it is ever asked whatever they stand on.
        let is_apart = new.linked || may_stand_on_anything(new);
        let grounds = [Some(new.base_key.as_str())].into_iter().chain(is_apart.then_some(None));
        for base in grounds {
            for by in &traits {
                self.by_trait.entry(place(&new.operation_key, base, *by)).or_default().push(self.steps.len());
            }
        }
        self.steps.push(step);
    }

    /// Steps of an operation that stand on something, or on anything, and have a trait. Steps that do not have it may be among them.
    pub(super) fn with<'s>(
        &'s self,
        operation: &'s str,
        base: Option<&'s str>,
        by: Trait<'_>,
    ) -> impl Iterator<Item = &'s ModelStep> {
        let numbers = self.by_trait.get(&place(operation, base, by)).into_iter().flatten();
        let steps = numbers.map(|&number| self.steps[number].borrow());
        steps.filter(move |step| step.operation_key == operation && base.is_none_or(|base| step.base_key == base))
    }
}

fn place(operation: &str, base: Option<&str>, by: Trait<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (operation, base, by).hash(&mut hasher);
    hasher.finish()
}

/// Whether a step may be the same as one that stands on something else: what a program both stands on and mounts may go by content.
fn may_stand_on_anything(step: &ModelStep) -> bool {
    step.operation.kind == "run" && !step.reads.is_empty()
}

/// The step of the program that has a part in what is read from a stage, its key, and the hash of the instructions on top.
pub(super) fn program(read: &Read) -> Option<(usize, &str, &str)> {
    match (&read.source, &read.origin) {
        (Some(source), _) => Some((source.step, &source.key, &source.above)),
        (None, Origin::Step(step)) => Some((*step, &read.origin_key, "")),
        _ => None,
    }
}
