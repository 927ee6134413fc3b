//! The figure of the promise: a workspace of a hundred members is read in milliseconds.

use std::time::Instant;

use super::{Fixture, load};

/// Run with `cargo test --release -p kiln --lib project::cargo::tests::speed -- --ignored`.
#[test]
#[ignore = "a measurement, meaningful in release builds only"]
fn a_hundred_members_are_read_within_twenty_milliseconds() {
    let fixture = Fixture::generated(100, 600);
    let mut seconds: Vec<f64> = (0..40)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(load(&fixture).packages.len(), 100);
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    assert!(median < 0.020, "median {:.1} ms, least {:.1} ms", median * 1e3, seconds[0] * 1e3);
}
