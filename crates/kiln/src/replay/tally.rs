//! Sums over commits: totals, the files that cost most, and what would have helped.

use std::collections::{BTreeMap, BTreeSet};

use super::{Replayed, ReplayedStep, Saving, StepFacts, Totals, WorstFile};
use crate::predict::{Remedy, Verdict, installs_dependencies, is_for_people, is_manifest, pattern};

/// What some steps cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    rebuilds: usize,
    steps: usize,
    seconds: f64,
    unmeasured: usize,
}

impl Cost {
    /// Adds the steps that would not have run after one commit.
    fn add<'a>(&mut self, run: impl Iterator<Item = &'a ReplayedStep>, steps: &[StepFacts]) {
        let before = self.steps;
        for step in run {
            self.steps += 1;
            match steps.get(step.step).and_then(|step| step.seconds) {
                Some(seconds) => self.seconds += seconds,
                None => self.unmeasured += 1,
            }
        }
        self.rebuilds += usize::from(self.steps > before);
    }

    fn saving(self, remedy: Remedy) -> Saving {
        let Self { rebuilds, steps, seconds, unmeasured } = self;
        Saving { remedy, rebuilds, steps, seconds, unmeasured }
    }
}

/// The steps of a build that surely run.
fn running(build: &Replayed) -> impl Iterator<Item = &ReplayedStep> + Clone {
    build.steps.iter().filter(|step| step.verdict == Verdict::Runs)
}

/// The files that made steps of a build run.
fn to_blame(build: &Replayed) -> BTreeSet<&str> {
    running(build).flat_map(|step| &step.paths).map(String::as_str).collect()
}

/// Sums of everything.
pub(super) fn totals(builds: &[Replayed], steps: &[StepFacts]) -> Totals {
    let mut totals = Totals::default();
    for build in builds {
        totals.unbuildable += usize::from(!build.missing.is_empty());
        totals.rebuilds += usize::from(running(build).next().is_some());
        totals.steps += running(build).count();
        totals.seconds += build.seconds;
        totals.unmeasured += build.unmeasured;
        for step in build.steps.iter().filter(|step| step.verdict == Verdict::Unknown) {
            totals.unknown += 1;
            totals.unknown_seconds += steps.get(step.step).and_then(|step| step.seconds).unwrap_or_default();
        }
    }
    totals
}

/// The files that made steps run, the dearest first: those that did it alone most often, by time where it is known.
pub(super) fn worst(builds: &[Replayed], steps: &[StepFacts]) -> Vec<WorstFile> {
    let mut all: BTreeMap<&str, (usize, Cost)> = BTreeMap::new();
    for build in builds {
        let files = to_blame(build);
        for &file in &files {
            let (rebuilds, alone) = all.entry(file).or_default();
            *rebuilds += 1;
            if files.len() == 1 {
                alone.add(running(build), steps);
            }
        }
    }
    let mut worst: Vec<WorstFile> = all
        .into_iter()
        .map(|(path, (rebuilds, alone))| WorstFile {
            path: path.to_owned(),
            rebuilds,
            alone: alone.rebuilds,
            seconds: alone.seconds,
            unmeasured: alone.unmeasured,
            ignorable: is_ignorable(path, steps),
        })
        .collect();
    worst.sort_by(|a, b| {
        let order = b.seconds.total_cmp(&a.seconds).then(b.alone.cmp(&a.alone)).then(b.rebuilds.cmp(&a.rebuilds));
        order.then_with(|| a.path.cmp(&b.path))
    });
    worst
}

/// Whether no program reads a file: one for people, which no instruction names, nor its folder. A `Makefile` is for people only where no step
/// calls `make`.
fn is_ignorable(path: &str, steps: &[StepFacts]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folder = path.split('/').next().unwrap_or(path);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let named = |step: &StepFacts| {
        let mut words = step.instruction.split(|c| !is_part(c));
        words.any(|word| word == name || word == folder || (word == "make" && name.eq_ignore_ascii_case("makefile")))
    };
    is_for_people(path) && !steps.iter().any(named)
}

/// What would have kept steps from running, the most useful first.
pub(super) fn savings(builds: &[Replayed], steps: &[StepFacts]) -> Vec<Saving> {
    let mut ignored = Cost::default();
    let mut patterns: BTreeSet<String> = BTreeSet::new();
    let mut firewall: BTreeMap<usize, Cost> = BTreeMap::new();
    for build in builds {
        let files = to_blame(build);
        if files.is_empty() {
            continue;
        }
        // What is left of the context without them is as it was: nothing would have run.
        if files.iter().all(|file| is_ignorable(file, steps)) {
            ignored.add(running(build), steps);
            patterns.extend(files.iter().map(|file| pattern(file)));
        } else if !files.iter().any(|file| is_manifest(file)) {
            for step in running(build).filter(|step| step.paths.is_empty()) {
                if steps.get(step.step).is_some_and(|step| installs_dependencies(&step.instruction)) {
                    firewall.entry(step.step).or_default().add([step].into_iter(), steps);
                }
            }
        }
    }
    let mut savings = Vec::new();
    if ignored.rebuilds > 0 {
        savings.push(ignored.saving(Remedy::Ignore { patterns: patterns.into_iter().collect() }));
    }
    for (step, cost) in firewall {
        if let Some(facts) = steps.get(step) {
            savings.push(cost.saving(Remedy::ManifestsFirst { install: facts.place.clone() }));
        }
    }
    savings.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then(b.steps.cmp(&a.steps)));
    savings
}
