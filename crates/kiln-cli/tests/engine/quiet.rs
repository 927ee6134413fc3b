//! What only a machine that does nothing else can show: `make bench-twice`.

use serde_json::Value;

use crate::support::{Copy, command, kiln, this_run};

/// Seconds that a table does not show.
const SHOWN: f64 = 0.1;

/// A measurement of both runs.
#[derive(Debug)]
struct Pair {
    name: String,
    medians: [f64; 2],
    /// From the fastest to the slowest sample.
    ranges: [f64; 2],
    /// Other work on the machine, or a processor that became slower: nothing that a bench could help.
    disturbed: bool,
}

impl Pair {
    /// Whether the medians are as near to each other as the runs say that samples are.
    fn agrees(&self) -> bool {
        let [one, two] = self.medians;
        (one - two).abs() <= self.ranges[0].max(self.ranges[1]).max(SHOWN)
    }
}

fn quick(copy: &Copy) -> Value {
    let args = ["bench", "--quick", "--fail-under", "80", "--max-seconds", "30", "--json"];
    let output = command(kiln()).args(args).current_dir(&copy.root).output().expect("kiln starts");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 4)), "{talk}");
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON document")
}

/// `source-bin backend kiln`
fn name(row: &Value) -> String {
    ["name", "service", "strategy"].map(|key| row[key].as_str().expect("text").to_owned()).join(" ")
}

fn pairs(first: &Value, second: &Value) -> Vec<Pair> {
    let rows = |run: &Value| run["scenarios"].as_array().expect("scenarios").clone();
    let (first, second) = (rows(first), rows(second));
    assert_eq!(first.iter().map(name).collect::<Vec<_>>(), second.iter().map(name).collect::<Vec<_>>());
    let pair = |(one, two): (&Value, &Value)| {
        let number = |row: &Value, key: &str| row["seconds"][key].as_f64().expect("a number");
        let range = |row: &Value| number(row, "max") - number(row, "min");
        let doubts = [one, two].into_iter().flat_map(|row| row["doubts"].as_array().expect("doubts"));
        Pair {
            name: name(one),
            medians: [number(one, "median"), number(two, "median")],
            ranges: [range(one), range(two)],
            disturbed: doubts.into_iter().any(|doubt| doubt["kind"] != "spread"),
        }
    };
    first.iter().zip(&second).map(pair).collect()
}

fn verdicts(run: &Value) -> Vec<(String, bool)> {
    let verdicts = run["verdicts"].as_array().expect("verdicts").iter();
    let text = |verdict: &Value, key: &str| verdict[key].as_str().expect("text").to_owned();
    let one = |verdict: &Value| {
        let what = ["rule", "scenario", "service"].map(|key| text(verdict, key)).join(" ");
        (what, verdict["passed"] == true)
    };
    verdicts.map(one).collect()
}

#[test]
#[ignore = "needs a Docker Engine and a quiet machine: run `make bench-twice`"]
#[expect(clippy::print_stderr, reason = "who runs it wants to see both runs")]
fn two_quick_runs_agree() {
    let copy = Copy::kiro(&format!("kiro-twice-{}", this_run()));
    let (first, second) = (quick(&copy), quick(&copy));
    let pairs = pairs(&first, &second);
    eprintln!("{:<40} {:>9} {:>9} {:>9} {:>9}", "median seconds", "first", "second", "apart", "stated");
    for pair in &pairs {
        let [one, two] = pair.medians;
        let stated = pair.ranges[0].max(pair.ranges[1]);
        let note = if pair.disturbed {
            "disturbed"
        } else if pair.agrees() {
            ""
        } else {
            "disagrees"
        };
        eprintln!("{:<40} {one:>9.2} {two:>9.2} {:>9.2} {stated:>9.2}  {note}", pair.name, (one - two).abs());
    }
    // A verdict is about halves and multiples: it stands however noisy the machine is.
    assert_eq!(verdicts(&first), verdicts(&second));
    eprintln!("both runs have the verdicts {:?}", verdicts(&first));
    let disturbed: Vec<&str> = pairs.iter().filter(|pair| pair.disturbed).map(|pair| pair.name.as_str()).collect();
    assert!(disturbed.is_empty(), "the machine was not quiet, so nothing is shown: {disturbed:?}");
    // First builds have one sample, and so state no spread.
    let apart: Vec<&Pair> = pairs.iter().filter(|pair| !pair.agrees() && !pair.name.starts_with("cold ")).collect();
    assert!(apart.is_empty(), "medians are further apart than the runs say: {apart:#?}");
    eprintln!("both runs agree");
}
