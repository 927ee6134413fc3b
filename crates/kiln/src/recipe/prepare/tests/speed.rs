//! The figure of the promise: preparing (without reading) takes at most three milliseconds.

use std::time::Instant;

use super::super::{Selection, prepare};
use super::{CRATES_IO, HOST};
use crate::project::cargo::CargoWorkspace;
use crate::project::fixture::Fixture;

/// Run with `cargo test --release -p kiln --lib recipe::tests::speed -- --ignored`.
#[test]
#[ignore = "a measurement, meaningful in release builds only"]
fn a_hundred_members_are_prepared_within_three_milliseconds() {
    let fixture = Fixture::generated(100, 600);
    let mut workspace = CargoWorkspace::load(fixture.path(), fixture.path()).unwrap();
    for package in workspace.lock.iter_mut().flat_map(|lock| &mut lock.packages) {
        package.source = package.source.take().map(|_| CRATES_IO.to_owned());
    }
    let selection = Selection { binaries: vec!["member90".to_owned()], profile: "release".to_owned(), ..Selection::default() };
    let mut seconds: Vec<f64> = (0..100)
        .map(|_| {
            let start = Instant::now();
            let text = prepare(&workspace, &selection, HOST).unwrap().to_json();
            assert!(text.len() > 10_000);
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let (median, worst) = (seconds[50], seconds[99]);
    assert!(median < 0.003, "median {:.2} ms, worst {:.2} ms", median * 1e3, worst * 1e3);
}
