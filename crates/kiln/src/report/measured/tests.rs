use jiff::Timestamp;

use super::*;
use crate::bench::Measured as Done;
use crate::bench::result::{End, Header, Options, RESULT_SCHEMA, Sample, Skipped};
use crate::bench::run::{CleanUp, Kept, Machine};
use Scenario::{BumpLeaf, NoOp, SourceBin};
use Strategy::{Kiln, Naive};

fn results(service: &str, samples: &[(Scenario, Strategy, f64)]) -> Results {
    let header = Header {
        schema: RESULT_SCHEMA,
        name: "app-bench-1a".to_owned(),
        kiln: "0.1.0".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        git: None,
        source: "0123".to_owned(),
        machine: Machine { cores: 8, storage: Some("overlay2".to_owned()), ..Machine::default() },
        options: Options { scenarios: Vec::new(), strategies: Vec::new(), runs: 3, slow_runs: 2, every_service: false },
    };
    let mut results = Results::new(header);
    results.samples = samples
        .iter()
        .map(|(scenario, strategy, seconds)| Sample {
            scenario: *scenario,
            service: service.to_owned(),
            strategy: *strategy,
            measured: Done { seconds: *seconds, steps_ran: 3, local_crates: 1, ..Done::default() },
            other_load: None,
            speed: None,
        })
        .collect();
    results.end = Some(End { finished: Timestamp::UNIX_EPOCH, clean_up: CleanUp::default() });
    results
}

#[test]
fn a_run_is_one_table_everywhere() {
    let mut results = results(
        "api",
        &[
            (NoOp, Kiln, 0.5),
            (NoOp, Naive, 0.25),
            (SourceBin, Kiln, 10.0),
            (SourceBin, Kiln, 9.0),
            (SourceBin, Kiln, 11.0),
            (SourceBin, Naive, 100.0),
            (BumpLeaf, Kiln, 20.0),
        ],
    );
    results.samples[6].other_load = Some(1.5);
    let measured = Measured::of(&results);
    let text = measured.text();
    let lines: Vec<&str> = text.lines().take(4).collect();
    assert_eq!(
        lines,
        [
            "scenario    service  kiln          naive               kiln saves  kiln's work",
            "no-op       api      0.5 s         0.2 s (0.5×)        –           3 steps ran, 1 crate compiled",
            "source-bin  api      10.0 s ±10 %  1 min 40 s (10.0×)  90 %        3 steps ran, 1 crate compiled",
            "bump-leaf   api      ~20.0 s       –                   –           3 steps ran, 1 crate compiled",
        ]
    );
    let markdown = measured.markdown();
    for part in [
        "| change | service | kiln | naive | kiln saves | kiln's work |\n|---|---|---:|---:|---:|---:|\n",
        "| source-bin: a line in the binary's main source file | api | 10.0 s ±10 % | 1 min 40 s (10.0×) | 90 % | 3 steps ran, 1 crate compiled |\n",
        "- medians of 1 to 3 samples, 1970-01-01, on 8 cores, overlay2\n",
        "cannot be relied on: other work kept up to 1.5 processors busy (1)\n",
        "- `naive` copies everything and builds\n",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
}

#[test]
fn nothing_is_compared_where_only_kiln_was_measured() {
    let measured = Measured::of(&results("api", &[(SourceBin, Kiln, 10.0)]));
    assert!(measured.text().starts_with("scenario    service  kiln    kiln's work\n"), "{}", measured.text());
}

#[test]
fn names_and_logs_stay_text() {
    let mut results = results("a|b", &[(NoOp, Kiln, 1.0)]);
    let reason = "it does not compile\n<script>alert(1)</script>\n\u{1b}[31m".to_owned();
    results.skipped = vec![Skipped { scenario: Some(SourceBin), service: Some("a|b".to_owned()), strategy: Some(Naive), reason }];
    let kept = Some(Kept { records: 3, bytes: 2_100_000_000, ..Kept::default() });
    results.end = Some(End { finished: Timestamp::UNIX_EPOCH, clean_up: CleanUp { kept, ..CleanUp::default() } });
    let markdown = Measured::of(&results).markdown();
    assert!(
        markdown.contains("| a\\|b |") && markdown.contains("- source-bin, a\\|b, naive: not measured: it does not compile\n"),
        "{markdown}"
    );
    assert!(!markdown.contains("script") && markdown.contains("layers and mounts, 2.1 GB"), "{markdown}");
    results.end = None;
    assert!(Measured::of(&results).text().contains("did not come to its end"));
}
