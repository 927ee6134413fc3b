//! Random and hostile Dockerfiles: reading ends, soon, with a value or an error.

use std::time::{Duration, Instant};

use super::evaluate::{Base, EvaluatedStage, EvaluationErrorKind, Graph, Options};
use super::parse::parse;
use crate::random::{Random, cases};

/// What random texts are made of: everything that means something to BuildKit, whole or half.
const PIECES: [&str; 70] = [
    "FROM a",
    "FROM ",
    " AS ",
    "b",
    "\n",
    "\n",
    "\n",
    "RUN ",
    "COPY ",
    "ADD ",
    "ARG ",
    "ENV ",
    "LABEL ",
    "ONBUILD ",
    "SHELL ",
    "CMD ",
    "HEALTHCHECK ",
    "--interval=1s ",
    "WORKDIR ",
    "USER ",
    "EXPOSE ",
    "VOLUME ",
    "MAINTAINER ",
    "--from=",
    "--mount=type=cache,target=",
    "--mount=type=tmpfs,size=",
    "--chown=",
    "--exclude=",
    "--link",
    "\\",
    "\\\n",
    "`",
    "# escape=`\n",
    "# syntax=x\n",
    "#",
    "<<EOF",
    "<<-",
    "EOF\n",
    "\"",
    "'",
    "$",
    "${",
    "}",
    ":-",
    ":+",
    ":?",
    "#",
    "%",
    "/",
    "[\"a\", ",
    "]",
    ",",
    "=",
    " ",
    "\t",
    "\r\n",
    "\u{feff}",
    "é",
    "\u{85}",
    "a",
    "$A",
    "${A#*}",
    "${A/b/c}",
    "0",
    "1",
    ".",
    "*",
    "<<",
    "\\ud800",
    "\u{0}",
];

/// A text is read within this time, by a build that nobody optimised on a machine that does other things.
const SOON: Duration = Duration::from_secs(5);

fn text(random: &mut Random) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    for _ in 0..random.below(40) {
        text.extend(random.of(&PIECES).as_bytes());
    }
    if random.once_in(4) && !text.is_empty() {
        let at = random.below(text.len());
        text[at] = u8::try_from(random.below(256)).expect("a byte");
    }
    text
}

/// Reads and evaluates; gives how many stages could be evaluated.
fn whole(source: &[u8]) -> usize {
    let Ok(file) = parse(source) else { return 0 };
    let Ok(graph) = Graph::new(&file, &Options::default()) else { return 0 };
    let mut stages: Vec<Option<EvaluatedStage>> = Vec::new();
    for (index, stage) in graph.stages.iter().enumerate() {
        let base = if let Base::Stage(earlier) = stage.base { stages[earlier].as_ref() } else { None };
        stages.push(graph.evaluate(&file, index, base, None).ok());
    }
    stages.iter().flatten().count()
}

#[test]
fn no_text_makes_the_reader_panic_or_hang() {
    let mut evaluated = 0;
    for (seed, mut random) in cases(3_000) {
        let text = text(&mut random);
        let started = Instant::now();
        whole(&text);
        evaluated += usize::from(whole(&[b"FROM a\n".as_slice(), &text].concat()) > 0);
        assert!(started.elapsed() < SOON, "seed {seed}: {:?} for {:?}", started.elapsed(), String::from_utf8_lossy(&text));
    }
    // Texts that are all refused at their first line would show nothing about what follows.
    assert!(evaluated > 0, "no text could be evaluated");
}

/// Files that mean something, with something wrong in them: what BuildKit was asked for its answers, changed here and there.
#[test]
fn no_change_of_a_real_file_makes_the_reader_panic_or_hang() {
    let recorded = include_str!("../../tests/buildkit/dockerfiles.jsonl");
    let text = |line: &str| {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case");
        case["dockerfile"].as_str().expect("a Dockerfile").as_bytes().to_vec()
    };
    let files: Vec<Vec<u8>> = recorded.lines().map(text).collect();
    for (seed, mut random) in cases(2_000) {
        let mut text = random.of(&files).clone();
        for _ in 0..=random.below(4) {
            let at = random.below(text.len() + 1);
            match random.below(4) {
                0 => drop(text.splice(at..at, random.of(&PIECES).bytes())),
                1 => text.truncate(at),
                2 => drop(text.drain(at..text.len().min(at + random.below(6)))),
                _ => {
                    let other = random.of(&files);
                    let from = random.below(other.len() + 1);
                    let to = other.len().min(from + random.below(30));
                    drop(text.splice(at..at, other[from..to].iter().copied()));
                }
            }
        }
        let started = Instant::now();
        whole(&text);
        assert!(started.elapsed() < SOON, "seed {seed}: {:?} for {:?}", started.elapsed(), String::from_utf8_lossy(&text));
    }
}

#[test]
fn many_stages_chains_and_cycles_take_little_time() {
    let started = Instant::now();
    let base = |index: usize| if index == 0 { "a".to_owned() } else { format!("s{}", index - 1) };
    let chain: String = (0..5_000).map(|index| format!("FROM {} AS s{index}\nARG A{index}=1\nRUN a\n", base(index))).collect();
    let file = parse(chain.as_bytes()).expect("a chain");
    let graph = Graph::new(&file, &Options::default()).expect("a graph");
    assert!(graph.stages.iter().all(|stage| stage.reachable));
    let cycle: String =
        (0..1_000).map(|index| format!("FROM a AS s{index}\nCOPY --from=s{} /x /x\n", (index + 1) % 1_000)).collect();
    let error = Graph::new(&parse(cycle.as_bytes()).expect("stages"), &Options::default()).expect_err("a cycle");
    assert!(matches!(error.kind, EvaluationErrorKind::Circular(_)), "{error}");
    let doubled = format!("FROM a\nENV A=xxxxxxxx\n{}", "ENV A=$A$A\n".repeat(100));
    let file = parse(doubled.as_bytes()).expect("variables");
    let graph = Graph::new(&file, &Options::default()).expect("a graph");
    assert!(graph.evaluate(&file, 0, None, None).is_err(), "a value that doubles with every line");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
