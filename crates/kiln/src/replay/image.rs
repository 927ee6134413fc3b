//! One image on its way through the commits.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::{Image, ReplayError, Replayed, ReplayedStep, Shadow, StepFacts};
use crate::context::evolving::Watched;
use crate::context::{Evolving, Selection, Selector};
use crate::predict::outputs::{KnownOutputs, RecipeCall};
use crate::predict::{Contents, Done, Inputs, Model, ModelStep, Origin, Verdict, verdicts};

/// What of an image is the same for all commits.
#[derive(Debug)]
pub(super) struct Prepared {
    inputs: Inputs,
    /// Selections of the main context that steps read.
    selections: Vec<Vec<Selector>>,
    /// Recipes that steps make.
    calls: Vec<RecipeCall>,
    pub(super) steps: Vec<StepFacts>,
}

impl Prepared {
    pub(super) fn new(image: &Image, price: &dyn Fn(&Image, &ModelStep) -> Option<f64>) -> Result<Self, ReplayError> {
        let asked = Asked::default();
        let refused = |problem| ReplayError::Dockerfile { path: image.dockerfile.clone(), problem: Box::new(problem) };
        let model = Model::of(&image.inputs, &asked, &asked).map_err(refused)?;
        let facts = |step: &ModelStep| StepFacts {
            place: step.place.clone(),
            instruction: step.text.clone(),
            seconds: price(image, step),
        };
        let steps = model.steps.iter().map(facts).collect();
        let (selections, calls) = (asked.selections.into_inner(), asked.calls.into_inner());
        Ok(Self { inputs: image.inputs.clone(), selections, calls, steps })
    }
}

/// Listens to what a model asks for.
#[derive(Debug, Default)]
struct Asked {
    selections: RefCell<Vec<Vec<Selector>>>,
    calls: RefCell<Vec<RecipeCall>>,
}

impl Contents for Asked {
    fn selection(&self, context: &str, selectors: &[Selector]) -> Option<Selection> {
        let mut known = self.selections.borrow_mut();
        if context.is_empty() && !known.iter().any(|known| known == selectors) {
            known.push(selectors.to_vec());
        }
        Some(Selection::default())
    }
}

impl KnownOutputs for Asked {
    fn of(&self, call: &RecipeCall) -> Option<BTreeMap<String, String>> {
        let mut known = self.calls.borrow_mut();
        if !known.contains(call) {
            known.push(call.clone());
        }
        None
    }
}

/// The builder of an image, which has built it after each commit so far.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    prepared: &'a Prepared,
    /// Numbers of the selections in the context.
    watches: Vec<usize>,
    /// What has changed since the last build, for each selection.
    pending: Vec<Pending>,
    /// What decided about the last build.
    last: Option<Vec<String>>,
    /// Steps that were done.
    done: Done<ModelStep>,
}

#[derive(Debug, Clone, Default)]
struct Pending {
    paths: BTreeSet<String>,
    /// Whether more than submodules changed.
    certain: bool,
}

/// The context as it is after a commit.
struct Now<'a> {
    context: &'a Evolving,
    inputs: &'a Inputs,
}

impl Contents for Now<'_> {
    fn selection(&self, context: &str, selectors: &[Selector]) -> Option<Selection> {
        if context.is_empty() {
            let hash = self.context.hash(self.context.number(selectors)?).to_owned();
            return Some(Selection { hash, ..Selection::default() });
        }
        self.inputs.trees.selection(context, selectors)
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(prepared: &'a Prepared, context: &mut Evolving) -> Self {
        let watches: Vec<usize> = prepared.selections.iter().map(|selectors| context.watch(selectors)).collect();
        let pending = vec![Pending::default(); watches.len()];
        Self { prepared, watches, pending, last: None, done: Done::default() }
    }

    pub(super) fn has_recipes(&self) -> bool {
        !self.prepared.calls.is_empty()
    }

    /// Builds the image with the context as it is now.
    pub(super) fn build(&mut self, context: &Evolving, watched: &[Watched], shadow: &Shadow) -> Replayed {
        for (pending, &number) in self.pending.iter_mut().zip(&self.watches) {
            let watched = &watched[number];
            pending.certain |= !watched.paths.is_empty() && !watched.uncertain;
            pending.paths.extend(watched.paths.iter().cloned());
        }
        let missing: BTreeSet<String> = self.watches.iter().flat_map(|&number| watched[number].missing.clone()).collect();
        if !missing.is_empty() {
            return Replayed { missing: missing.into_iter().collect(), ..Replayed::default() };
        }
        let mut decides: Vec<String> = self.watches.iter().map(|&number| context.hash(number).to_owned()).collect();
        decides.extend(self.prepared.calls.iter().map(|call| format!("{:?}", shadow.of(call))));
        if self.last.as_ref() == Some(&decides) {
            self.forget();
            return Replayed::default();
        }
        let now = Now { context, inputs: &self.prepared.inputs };
        // It was a Dockerfile when the replay began, and is the same one still.
        let Ok(model) = Model::of(&self.prepared.inputs, &now, shadow) else { return Replayed::default() };
        let verdicts = verdicts(&model, &self.done);
        // Nothing can be said of the first build but that there was one.
        let built = if self.last.is_some() { self.built(&model, &verdicts) } else { Replayed::default() };
        model.steps.into_iter().for_each(|step| self.done.add(step));
        self.last = Some(decides);
        self.forget();
        built
    }

    fn forget(&mut self) {
        self.pending.iter_mut().for_each(|pending| *pending = Pending::default());
    }

    fn built(&self, model: &Model, verdicts: &[Verdict]) -> Replayed {
        let mut built = Replayed::default();
        let mut certain = vec![false; verdicts.len()];
        for (number, step) in model.steps.iter().enumerate() {
            if verdicts[number] == Verdict::Cached {
                continue;
            }
            let selections = step.reads.iter().filter(|read| read.origin == Origin::Context(String::new()));
            let read = selections.filter_map(|read| self.prepared.selections.iter().position(|known| *known == read.selectors));
            let pending: Vec<&Pending> = read.map(|at| &self.pending[at]).filter(|pending| !pending.paths.is_empty()).collect();
            // What only lies within submodules may be the same all the same.
            let grounds = model.grounds(step);
            let after = grounds.iter().any(|&ground| certain[ground]);
            let own = pending.iter().any(|pending| pending.certain);
            let open = !pending.is_empty() || grounds.iter().any(|&ground| verdicts[ground] == Verdict::Runs && !certain[ground]);
            certain[number] = verdicts[number] == Verdict::Runs && (after || own || !open);
            let verdict = if certain[number] { Verdict::Runs } else { Verdict::Unknown };
            let paths: BTreeSet<String> = pending.into_iter().flat_map(|pending| pending.paths.iter().cloned()).collect();
            if verdict == Verdict::Runs {
                match self.prepared.steps.get(number).and_then(|step| step.seconds) {
                    Some(seconds) => built.seconds += seconds,
                    None => built.unmeasured += 1,
                }
            }
            built.steps.push(ReplayedStep { step: number, verdict, paths: paths.into_iter().collect() });
        }
        built
    }
}
