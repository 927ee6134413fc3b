//! How long what is left will take: what was measured of the same, else what was measured of something like it.

use crate::bench::result::Results;
use crate::bench::{Scenario, Strategy};

/// A build takes at least this long: the clients start, the engine answers.
const LEAST: f64 = 0.5;

/// Builds that cost about the same with one strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// Everything.
    Whole,
    /// Nothing.
    Idle,
    /// The project's own code.
    Edit,
    /// A dependency, and then the project's own code.
    Dependency,
    /// What neither mounts nor layers of the builder have.
    Fresh,
}

const fn effort(scenario: Scenario) -> Effort {
    match scenario {
        Scenario::Cold => Effort::Whole,
        Scenario::NoOp | Scenario::Docs => Effort::Idle,
        Scenario::SourceBin
        | Scenario::SourceLib
        | Scenario::Comment
        | Scenario::VersionBump
        | Scenario::FrontendSource
        | Scenario::FrontendVersion
        | Scenario::BranchSwitchBack
        | Scenario::GcEdMount => Effort::Edit,
        Scenario::AddDependency | Scenario::BumpLeaf | Scenario::BumpCore | Scenario::LockOnly | Scenario::FrontendDependency => {
            Effort::Dependency
        }
        Scenario::FreshBuilder => Effort::Fresh,
    }
}

/// Which part of a first build it is likely to be, before anything like it was measured.
const fn part(effort: Effort, strategy: Strategy) -> f64 {
    match (effort, strategy) {
        (Effort::Whole, _) | (Effort::Edit | Effort::Dependency | Effort::Fresh, Strategy::Naive | Strategy::Own) => 1.0,
        (Effort::Idle, _) => 0.0,
        (Effort::Dependency, Strategy::Chef) | (Effort::Fresh, Strategy::Mounts) => 1.0,
        (Effort::Edit, _) => 0.1,
        (Effort::Dependency | Effort::Fresh, _) => 0.2,
    }
}

/// Seconds that one more sample is likely to take; nothing before the first build of the service was measured.
pub(super) fn seconds(results: &Results, scenario: Scenario, service: &str, strategy: Strategy) -> Option<f64> {
    let median = |scenario, strategy| results.summary(scenario, service, strategy).map(|summary| summary.median);
    let mean = |found: Vec<f64>| (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64);
    let effort = effort(scenario);
    let alike = || {
        let others = Scenario::ALL.into_iter().filter(|other| self::effort(*other) == effort);
        mean(others.filter_map(|other| median(other, strategy)).collect())
    };
    let whole = || {
        let any = || mean(Strategy::ALL.into_iter().filter_map(|strategy| median(Scenario::Cold, strategy)).collect());
        median(Scenario::Cold, strategy).or_else(any)
    };
    let seconds = median(scenario, strategy).or_else(alike).or_else(|| Some(whole()? * part(effort, strategy)))?;
    Some(seconds.max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::made::results;
    use Scenario::{BumpLeaf, Cold, Docs, NoOp, SourceBin, SourceLib};
    use Strategy::{Chef, Kiln, Mounts, Naive};

    #[test]
    fn the_nearest_measurement_counts() {
        let known = results("api", &[(Cold, Naive, 100.0), (Cold, Kiln, 120.0), (SourceBin, Kiln, 9.0), (SourceBin, Kiln, 11.0)]);
        let guess = |scenario, strategy| seconds(&known, scenario, "api", strategy);
        for (scenario, strategy, expected) in [
            (SourceBin, Kiln, 10.0),
            // Another edit with the same strategy.
            (SourceLib, Kiln, 10.0),
            // A part of the strategy's own first build, else of all first builds.
            (SourceLib, Naive, 100.0),
            (BumpLeaf, Kiln, 24.0),
            (BumpLeaf, Chef, 110.0),
            (Cold, Mounts, 110.0),
            (NoOp, Kiln, LEAST),
            (Docs, Mounts, LEAST),
        ] {
            assert_eq!(guess(scenario, strategy), Some(expected), "{scenario:?} {strategy:?}");
        }
        assert_eq!(seconds(&known, SourceBin, "web", Kiln), None, "nothing is known of that service");
    }
}
