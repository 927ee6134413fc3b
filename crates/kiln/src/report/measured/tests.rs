use jiff::Timestamp;

use super::*;
use crate::bench::result::made::results;
use crate::bench::result::{End, Skipped};
use crate::bench::run::{CleanUp, Kept};
use Scenario::{BumpLeaf, NoOp, SourceBin};
use Strategy::{Kiln, Naive};

fn ended(results: Results) -> Results {
    Results { end: Some(End { finished: Timestamp::UNIX_EPOCH, clean_up: CleanUp::default() }), ..results }
}

#[test]
fn a_run_is_one_table_everywhere() {
    let mut results = ended(results(
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
    ));
    results.samples[6].other_load = Some(1.5);
    let kiln = &mut results.samples[4].measured;
    (kiln.image_bytes, kiln.layers, kiln.context_bytes) = (Some(92_100_000), vec![74_800_000, 17_300_000], Some(1200));
    results.samples[3].measured.memory_bytes = Some(662_000_000);
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
    assert!(
        text.contains(
            "\nservice  built by  image    layers  sent at first  sent at an edit  most memory\n\
             api      kiln      92.1 MB  2       –              1.2 kB           662.0 MB\n\n"
        ),
        "{text}"
    );
    let markdown = measured.markdown();
    for part in [
        "| service | built by | image | layers | sent at first | sent at an edit | most memory |\n|---|---|---:|---:|---:|---:|---:|\n| api | kiln | 92.1 MB | 2 |",
        "| change | service | kiln | naive | kiln saves | kiln's work |\n|---|---|---:|---:|---:|---:|\n",
        "| source-bin: a line in the binary's main source file | api | 10.0 s ±10 % | 1 min 40 s (10.0×) | 90 % | 3 steps ran, 1 crate compiled |\n",
        "- medians of 1 to 3 samples, 1970-01-01, on 8 cores, Docker 28.5.2, overlay2\n",
        "cannot be relied on: other work kept up to 1.5 processors busy (1)\n",
        "- `naive` copies everything and builds\n",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
}

#[test]
fn nothing_is_compared_where_only_kiln_was_measured() {
    let measured = Measured::of(&ended(results("api", &[(SourceBin, Kiln, 10.0)])));
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
