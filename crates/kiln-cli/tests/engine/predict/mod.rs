//! What is predicted against what the engine does: one build before and one after each edit.
//!
//! Three sources of pairs: random Dockerfiles with random edits, the shapes of well-known projects, and ten edits at once. In the random
//! ones `KILN_TEST_PAIRS` says how many pairs (40), `KILN_TEST_SEED` where to begin, `KILN_TEST_JOBS` how many chains of builds go on side by
//! side (2). Each disagreement is told with its Dockerfile; `KILN_TEST_REPORT` names a file for all that was counted. Another builder than
//! Docker's own (`BUILDX_BUILDER`) takes the images that Dockerfiles are based on from the registry `KILN_TEST_BASES=REGISTRY/`.

mod bench;
mod edits;
mod pieces;
mod random;
mod score;
mod server;
mod shapes;
mod state;
mod ten;

use std::fs;

use bench::Bench;
use camino::{Utf8Path, Utf8PathBuf};
use score::Score;

use crate::support::environment;

/// A bench in a folder of its own.
fn bench() -> (tempfile::TempDir, Bench) {
    let folder = tempfile::tempdir().expect("a folder");
    let root: Utf8PathBuf = Utf8Path::from_path(folder.path()).expect("a path").canonicalize_utf8().expect("a path");
    let bench = Bench::new(&root);
    (folder, bench)
}

/// Fails with all that was wrong.
fn report(score: &Score) {
    let report = format!("{}\n\n{}\n", score.summary(), score.disagreements.join("\n\n----\n"));
    if let Some(file) = environment("KILN_TEST_REPORT") {
        fs::write(file, &report).expect("a report");
    }
    assert!(score.disagreements.is_empty(), "{report}");
}

#[test]
#[ignore = "needs a Docker Engine"]
fn predictions_are_what_the_engine_does() {
    let number = |name: &str, default: usize| environment(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (_folder, bench) = bench();
    let score = bench.chains(number("KILN_TEST_SEED", 1), number("KILN_TEST_PAIRS", 40), number("KILN_TEST_JOBS", 2));
    report(&score);
    // A few chains say little about the share.
    assert!(score.share_unknown() < 8.0, "{}", score.summary());
}
