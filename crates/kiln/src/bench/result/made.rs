//! Results for tests: one place that knows all their fields.

use jiff::Timestamp;

use super::{Header, Options, RESULT_SCHEMA, Results, Sample};
use crate::bench::run::Machine;
use crate::bench::{Measured, Scenario, Strategy};

/// A run of some scenarios and strategies, with two samples of what is slow.
pub(crate) fn options(scenarios: &[Scenario], strategies: &[Strategy], runs: u32) -> Options {
    Options { scenarios: scenarios.to_vec(), strategies: strategies.to_vec(), runs, slow_runs: 2, every_service: false }
}

/// The header of the run `app-bench-1a`, at the beginning of time on a machine that is not slow.
pub(crate) fn header(options: Options) -> Header {
    Header {
        schema: RESULT_SCHEMA,
        name: "app-bench-1a".to_owned(),
        kiln: "0.1.0".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        git: None,
        source: "0123".to_owned(),
        machine: Machine {
            cores: 8,
            engine: Some("28.5.2".to_owned()),
            buildx: "0.29".to_owned(),
            storage: Some("overlay2".to_owned()),
            ..Machine::default()
        },
        options,
    }
}

/// A build that ran three steps and compiled one local crate.
pub(crate) fn sample(scenario: Scenario, service: &str, strategy: Strategy, seconds: f64) -> Sample {
    let measured = Measured { seconds, steps_ran: 3, local_crates: 1, ..Measured::default() };
    Sample { scenario, service: service.to_owned(), strategy, measured, other_load: None, speed: None }
}

/// A run that has these samples of one service and did not end.
pub(crate) fn results(service: &str, samples: &[(Scenario, Strategy, f64)]) -> Results {
    let mut results = Results::new(header(options(&[], &[], 5)));
    let samples = samples.iter().map(|(scenario, strategy, seconds)| sample(*scenario, service, *strategy, *seconds));
    results.samples = samples.collect();
    results
}
