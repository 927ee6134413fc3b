//! Steps that ran, by the reason why.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Build;
use crate::event::StepStatus;
use crate::predict::MissReason;

/// A kind of reason, for sums over many builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Files that it reads are others.
    Files,
    /// Its instruction is.
    Instruction,
    /// An argument, a variable or a setting has another value.
    Value,
    /// It stands on another image, or on a folder of which a builder keeps nothing.
    BaseImage,
    /// No earlier build got as far.
    FirstBuild,
    /// The builder no longer has what it made before.
    Removed,
    /// A step before it ran, and nothing else was different.
    StepBefore,
    /// Nothing that kiln knows of.
    Unknown,
}

impl Cause {
    /// The kind of a reason.
    #[must_use]
    pub const fn of(reason: &MissReason) -> Self {
        match reason {
            MissReason::FilesAdded { .. }
            | MissReason::FilesChanged { .. }
            | MissReason::FilesRemoved { .. }
            | MissReason::ModesChanged { .. }
            | MissReason::IgnoreFile { .. }
            | MissReason::ContextContent { .. }
            | MissReason::NothingThere { .. } => Self::Files,
            MissReason::Argument { .. }
            | MissReason::Environment { .. }
            | MissReason::EnvironmentOrder
            | MissReason::Setting { .. } => Self::Value,
            MissReason::Instruction { .. } => Self::Instruction,
            MissReason::BaseImage { .. } | MissReason::ContextBase { .. } => Self::BaseImage,
            MissReason::Upstream { .. } | MissReason::UpstreamOutput { .. } => Self::StepBefore,
            MissReason::FirstBuild | MissReason::NotBuilt => Self::FirstBuild,
            MissReason::CacheRemoved => Self::Removed,
            MissReason::Unknown => Self::Unknown,
        }
    }

    /// The one that counts among the reasons of a step: its own before that of a step before it. Nothing without reasons.
    #[must_use]
    pub fn main(reasons: &[MissReason]) -> Option<Self> {
        let mut causes = reasons.iter().map(Self::of);
        let first = causes.next()?;
        Some(if first == Self::StepBefore { causes.find(|cause| *cause != first).unwrap_or(first) } else { first })
    }

    /// The kind in words, as the head of a row.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Files => "files that it reads are new, changed or gone",
            Self::Instruction => "its instruction is new or was changed",
            Self::Value => "an argument, variable or setting has another value",
            Self::BaseImage => "it stands on another image or folder",
            Self::FirstBuild => "no earlier build got as far",
            Self::Removed => "the builder no longer had the result",
            Self::StepBefore => "a step before it ran",
            Self::Unknown => "nothing that kiln knows of",
        }
    }
}

/// What one kind of reason has cost in recorded builds.
#[derive(Debug, Clone, PartialEq)]
pub struct MissSum {
    /// The kind; nothing where no reasons were recorded.
    pub cause: Option<Cause>,
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
pub fn misses(builds: &[Build]) -> Vec<MissSum> {
    let mut found: BTreeMap<Option<Cause>, (MissSum, BTreeMap<String, f64>)> = BTreeMap::new();
    for build in builds {
        let mut counted: Vec<Option<Cause>> = Vec::new();
        for step in build.with_status(StepStatus::Ran) {
            let cause = Cause::main(&step.reasons);
            let none = MissSum { cause, steps: 0, builds: 0, seconds: 0.0, dearest: Vec::new() };
            let (miss, steps) = found.entry(cause).or_insert_with(|| (none, BTreeMap::new()));
            miss.steps += 1;
            miss.seconds += step.seconds;
            if !counted.contains(&cause) {
                counted.push(cause);
                miss.builds += 1;
            }
            *steps.entry(format!("{}: {}", build.name(), step.label)).or_default() += step.seconds;
        }
    }
    let sums = found.into_values().map(|(mut miss, steps)| {
        miss.dearest = steps.into_iter().collect();
        miss.dearest.sort_by(|a, b| b.1.total_cmp(&a.1));
        miss
    });
    let mut sums: Vec<MissSum> = sums.collect();
    sums.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::StepPlace;

    #[test]
    fn a_reason_of_its_own_counts_more_than_a_step_before() {
        let upstream = || MissReason::Upstream { place: StepPlace { stage: "deps".to_owned(), index: 2, line: 7 } };
        let changed = || MissReason::FilesChanged { paths: vec!["src/main.rs".to_owned()] };
        for (reasons, expected) in [
            (vec![], None),
            (vec![upstream()], Some(Cause::StepBefore)),
            (vec![upstream(), changed()], Some(Cause::Files)),
            (vec![changed(), MissReason::EnvironmentOrder], Some(Cause::Files)),
        ] {
            assert_eq!(Cause::main(&reasons), expected, "{reasons:?}");
        }
    }
}
