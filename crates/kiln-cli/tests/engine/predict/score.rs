//! How predictions and builds agree, and why some steps were not told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kiln::event::{BuildState, StepStatus};
use kiln::predict::{MissReason, Model, Origin, Prediction, Told, Verdict};

use super::bench::Build;
use super::edits::{Edit, What};

/// How predictions and builds agree.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) pairs: usize,
    pub(super) agreeing: usize,
    pub(super) steps: usize,
    pub(super) unknown: usize,
    /// Unknown steps by what makes them so, and how many of them ran.
    pub(super) causes: BTreeMap<Cause, (usize, usize)>,
    pub(super) failed: usize,
    pub(super) features: BTreeMap<&'static str, usize>,
    pub(super) edits: BTreeMap<&'static str, usize>,
    /// Pairs with one edit whose reasons were looked at.
    single: usize,
    pub(super) disagreements: Vec<String>,
}

impl Score {
    pub(super) fn share_unknown(&self) -> f64 {
        let number = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        100.0 * number(self.unknown) / number(self.steps.max(1))
    }

    pub(super) fn summary(&self) -> String {
        let list = |map: &BTreeMap<&str, usize>| {
            map.iter().map(|(name, number)| format!("{name} {number}")).collect::<Vec<_>>().join(", ")
        };
        let mut causes = String::new();
        for (cause, (all, ran)) in &self.causes {
            let _ = write!(causes, "\n  {all} {}, of which {ran} ran", cause.words());
        }
        format!(
            "{} pairs, {} agree; {} steps, {} unknown ({:.1} %); {} pairs with one edit; {} builds failed\nunknown steps:{causes}\npairs by feature: {}\npairs by edit: {}",
            self.pairs,
            self.agreeing,
            self.steps,
            self.unknown,
            self.share_unknown(),
            self.single,
            self.failed,
            list(&self.features),
            list(&self.edits)
        )
    }
}

impl Score {
    /// Counts one pair: what was predicted, and what the engine did.
    pub(super) fn compare(
        &mut self,
        build: &Build<'_>,
        model: &Model,
        prediction: &Prediction,
        seen: &BuildState,
        edits: &[Edit],
    ) {
        let told = seen.dockerfile_steps();
        let ran: Vec<&str> = model
            .steps
            .iter()
            .filter(|step| {
                told.iter().any(|told| {
                    told.final_status(true) == StepStatus::Ran
                        && Told::of_step(told).is_some_and(|told| step.place.is(&step.text, &told))
                })
            })
            // Of equal steps BuildKit shows one.
            .map(|step| step.key.as_str())
            .collect();
        let mut wrong = Vec::new();
        for (number, (step, predicted)) in model.steps.iter().zip(&prediction.steps).enumerate() {
            let did_run = ran.contains(&step.key.as_str());
            self.steps += 1;
            match predicted.verdict {
                Verdict::Unknown => {
                    self.unknown += 1;
                    let (all, ran) = self.causes.entry(Cause::of(model, prediction, number)).or_default();
                    *all += 1;
                    *ran += usize::from(did_run);
                }
                Verdict::Runs if did_run => {}
                Verdict::Cached if !did_run => {}
                verdict => wrong.push(format!(
                    "{} {} line {} `{}`: {verdict:?}, reasons {:?}",
                    step.place.stage, step.place.index, step.place.line, step.text, predicted.reasons
                )),
            }
        }
        if let [edit] = edits {
            self.single += 1;
            wrong.extend(wrong_reasons(&edit.what, prediction));
        }
        self.pairs += 1;
        if wrong.is_empty() {
            self.agreeing += 1;
            return;
        }
        let names: Vec<String> =
            told.iter().map(|step| format!("line {:?} {} {:?}", step.line, step.name, step.final_status(true))).collect();
        let edits: Vec<&str> = edits.iter().map(|edit| edit.told.as_str()).collect();
        self.disagreements.push(format!(
            "{}\nafter {edits:#?}, args {:?}, target {:?}\n{}\n{}",
            wrong.join("\n"),
            build.build_args,
            build.target,
            build.dockerfile,
            names.join("\n")
        ));
    }
}

/// Reasons that do not fit the one edit that was made.
fn wrong_reasons(what: &What, prediction: &Prediction) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in prediction.with(Verdict::Runs) {
        for reason in &step.reasons {
            let fits = match (reason, what) {
                (MissReason::Upstream { .. } | MissReason::UpstreamOutput { .. } | MissReason::ContextBase { .. }, _) => true,
                (MissReason::Unknown | MissReason::FirstBuild | MissReason::CacheRemoved, _) | (_, What::Nothing) => false,
                (
                    MissReason::FilesAdded { paths }
                    | MissReason::FilesChanged { paths }
                    | MissReason::FilesRemoved { paths }
                    | MissReason::ModesChanged { paths },
                    What::Files(edited),
                ) => paths.iter().all(|path| edited.contains(path)),
                (_, What::Files(_)) => false,
                (MissReason::IgnoreFile { .. }, what) => *what == What::Ignore,
                (
                    MissReason::FilesAdded { paths } | MissReason::FilesChanged { paths } | MissReason::FilesRemoved { paths },
                    What::Ignore,
                ) => paths.iter().all(|path| path.ends_with(".dockerignore")),
                (_, What::Ignore) => false,
                (MissReason::Argument { name, .. }, What::Argument(given)) => name == given,
                // Text that names the argument, and what is made of it.
                (_, What::Argument(_)) => true,
                (MissReason::FilesChanged { paths }, What::Text) => paths.iter().all(|path| path == "Dockerfile"),
                (_, What::Text) => true,
            };
            if !fits {
                wrong.push(format!("`{}` does not run because of {reason:?}, but of {what:?}", step.instruction));
            }
        }
    }
    wrong
}

/// What makes a step unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// It reads from a stage in which a program runs again.
    Program,
    /// It reads from a stage in which files are copied anew, and no program runs again.
    Files,
    /// It reads from a stage of which that is unknown itself.
    Origin,
    /// It stands on an unknown step, and nothing else.
    Chain,
}

impl Cause {
    fn of(model: &Model, prediction: &Prediction, number: usize) -> Self {
        let verdict = |number: usize| prediction.steps[number].verdict;
        let mut worst = Self::Chain;
        for read in &model.steps[number].reads {
            let Origin::Step(mut at) = read.origin else { continue };
            // Down to what was there before.
            while verdict(at) != Verdict::Cached {
                let step = &model.steps[at];
                let cause = match verdict(at) {
                    Verdict::Unknown => Self::Origin,
                    _ if step.operation.kind == "run" => Self::Program,
                    _ => Self::Files,
                };
                worst = worst.min(cause);
                let Origin::Step(base) = step.base else { break };
                at = base;
            }
        }
        worst
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Program => "read from a stage in which a program runs again",
            Self::Files => "read from a stage in which only files are copied again",
            Self::Origin => "read from a stage that is unknown itself",
            Self::Chain => "stand on an unknown step",
        }
    }
}
