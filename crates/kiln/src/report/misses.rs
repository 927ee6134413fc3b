//! Steps that ran, by the reason why.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Build;

/// Why a step ran, as far as the records of builds show it: facts, not guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No earlier build of the image is recorded.
    FirstBuild,
    /// Its instruction is in no earlier record of the image.
    NewInstruction,
    /// A step whose result it takes ran.
    StepBefore,
    /// It reads a build context, and no step whose result it takes ran.
    Context,
}

impl Reason {
    /// The reason in words, after "because".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::FirstBuild => "no earlier build of the image is recorded",
            Self::NewInstruction => "its instruction is new or was changed",
            Self::StepBefore => "a step that it takes from ran",
            Self::Context => "it reads the sources, and nothing else before it ran",
        }
    }
}

/// What one reason has cost in recorded builds.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    /// The reason; nothing where the records do not tell it.
    pub reason: Option<Reason>,
    /// How many steps ran because of it.
    pub steps: usize,
    /// In how many builds.
    pub builds: usize,
    /// Seconds that they took.
    pub seconds: f64,
    /// The steps with their seconds, the dearest first: `backend prod: deps 2/2`.
    pub dearest: Vec<(String, f64)>,
}

/// The misses of all builds, the dearest first. Steps that failed are none: they will run again for that reason alone.
#[must_use]
pub fn misses(builds: &[Build]) -> Vec<Miss> {
    let mut found: BTreeMap<Option<Reason>, (Miss, BTreeMap<String, f64>)> = BTreeMap::new();
    for build in builds {
        let mut counted: Vec<Option<Reason>> = Vec::new();
        for step in build.with_status(crate::event::StepStatus::Ran) {
            let reason = step.reason;
            let none = Miss { reason, steps: 0, builds: 0, seconds: 0.0, dearest: Vec::new() };
            let (miss, steps) = found.entry(reason).or_insert_with(|| (none, BTreeMap::new()));
            miss.steps += 1;
            miss.seconds += step.seconds;
            if !counted.contains(&reason) {
                counted.push(reason);
                miss.builds += 1;
            }
            *steps.entry(format!("{}: {}", build.name(), step.label)).or_default() += step.seconds;
        }
    }
    let mut misses: Vec<Miss> = found
        .into_values()
        .map(|(mut miss, steps)| {
            miss.dearest = steps.into_iter().collect();
            miss.dearest.sort_by(|a, b| b.1.total_cmp(&a.1));
            miss
        })
        .collect();
    misses.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    misses
}
