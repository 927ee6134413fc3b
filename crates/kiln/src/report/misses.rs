//! Steps that ran, by the reason why.

use std::collections::BTreeMap;

use super::Build;

/// What one reason has cost in recorded builds.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    /// The reason; nothing where the records do not tell it.
    pub reason: Option<String>,
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
    let mut found: BTreeMap<Option<&str>, (Miss, BTreeMap<String, f64>)> = BTreeMap::new();
    for build in builds {
        let mut counted: Vec<Option<&str>> = Vec::new();
        for step in build.with_status(crate::event::StepStatus::Ran) {
            let reason = step.reason.as_deref();
            let none = Miss { reason: reason.map(str::to_owned), steps: 0, builds: 0, seconds: 0.0, dearest: Vec::new() };
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
