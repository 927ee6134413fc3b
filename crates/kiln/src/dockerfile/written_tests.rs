//! What kiln writes means to BuildKit what it meant to kiln, whatever is in it.

use super::evaluate::{EvaluatedStep, Graph, Options};
use super::parse::{Instruction, parse};
use super::{Command, Copy, Dockerfile, Instruction as Written, Mount, Run, Sharing, Stage, Word};
use crate::random::{Random, cases};

/// Texts that mean something to one of a Dockerfile's readers.
const TEXTS: [&str; 30] = [
    "plain",
    "a b",
    "it's",
    "a\"b",
    "\"",
    "\"quoted\"",
    "$HOME",
    "a\\b",
    "${X:-y}",
    "é ü",
    "#x",
    "a,b",
    "a\",\"b",
    "<<EOF",
    "a=b",
    "'",
    "\\",
    "\\\\",
    "--x",
    "[a]",
    "[\"a\"]",
    "*",
    "a?[b-c]*",
    "tab\there",
    " before",
    "after ",
    "`",
    "%",
    "a;b|c&d",
    "x\\",
];

/// A file with the text in every place that takes one.
fn written(text: &str) -> Dockerfile {
    let mut stage = Stage::new("debian:12", "a", []);
    let word = |text: &str| Word::Literal(text.to_owned());
    stage.push(Written::Env(vec![("A".to_owned(), word(text)), ("B".to_owned(), word("end"))]));
    stage.push(Written::Label("l".to_owned(), text.to_owned()));
    stage.push(Written::Cmd(vec![text.to_owned(), "x".to_owned()]));
    stage.push(Written::File { destination: "/f".to_owned(), text: format!("{text}\n$X \\\n") });
    stage.push(Written::Run(Run { mounts: mounts(text), command: Command::Exec(vec!["/bin/x".to_owned(), text.to_owned()]) }));
    stage.push(Written::Copy(Copy {
        sources: vec!["src".into(), text.into()],
        destination: format!("/d{text}/"),
        link: true,
        ..Copy::default()
    }));
    stage.push(Written::Workdir(format!("/w{text}")));
    Dockerfile { comments: Vec::new(), args: vec![("G".to_owned(), text.to_owned())], stages: vec![stage] }
}

/// Mounts of each kind. BuildKit reads flags byte by byte, so that text beyond ASCII cannot stand in one.
fn mounts(text: &str) -> Vec<Mount> {
    if !text.is_ascii() {
        return Vec::new();
    }
    vec![
        Mount::Cache { id: format!("i{text}"), target: format!("/m/{text}"), sharing: Sharing::Locked },
        Mount::Bind { from: None, source: text.to_owned(), target: format!("/b/{text}"), writable: true },
        Mount::Secret { id: text.to_owned(), target: Some(format!("/s/{text}")), required: true },
        Mount::Tmpfs { target: format!("/t/{text}") },
    ]
}

/// Whether the source of a `COPY` means the text and nothing else: a path, or a pattern as Go's `path.Match` reads it.
fn is_exactly(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?', '[']) {
        return pattern.strip_prefix("./").unwrap_or(pattern) == text;
    }
    let mut plain = String::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        match character {
            '[' => {
                plain.extend(rest.next());
                assert_eq!(rest.next(), Some(']'), "{pattern}");
            }
            '\\' => plain.extend(rest.next()),
            '*' | '?' => return false,
            other => plain.push(other),
        }
    }
    // So that it is no flag and no heredoc.
    plain.strip_prefix("./").unwrap_or(&plain) == text
}

#[track_caller]
fn same(text: &str) {
    let written = written(text).to_string();
    let file = parse(written.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let graph = Graph::new(&file, &Options::default()).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(graph.global.get("G"), Some(text), "{written}");
    let stage = graph.evaluate(&file, 0, None, None).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(stage.steps.len(), 7, "{written}");
    stage.steps.iter().for_each(|step| check(step, text, &written));
}

fn check(step: &EvaluatedStep, text: &str, written: &str) {
    match &step.instruction {
        Instruction::Env(pairs) => {
            assert_eq!((pairs[0].value.as_str(), pairs[1].value.as_str()), (text, "end"), "{written}");
        }
        Instruction::Label(pairs) => assert_eq!(pairs[0].value, text, "{written}"),
        Instruction::Cmd(command) => assert_eq!(command.words, [text, "x"], "{written}"),
        Instruction::Run(_) => {
            assert_eq!(step.argv, ["/bin/x", text], "{written}");
            let found: Vec<_> =
                step.mounts.iter().map(|mount| (mount.source.as_deref(), mount.target.as_deref(), mount.id.as_deref())).collect();
            let [id, cache, bind, secret, tmpfs] =
                [format!("i{text}"), format!("/m/{text}"), format!("/b/{text}"), format!("/s/{text}"), format!("/t/{text}")];
            let expected = [
                (None, Some(cache.as_str()), Some(id.as_str())),
                (Some(text), Some(bind.as_str()), None),
                (None, Some(secret.as_str()), Some(text)),
                (None, Some(tmpfs.as_str()), None),
            ];
            assert_eq!(found, if text.is_ascii() { &expected[..] } else { &[] }, "{written}");
        }
        Instruction::Copy(copy) => match copy.files.first() {
            Some(file) => assert_eq!(file.text, format!("{text}\n$X \\\n"), "{written}"),
            None => {
                assert_eq!((copy.sources.len(), copy.sources[0].as_str()), (2, "src"), "{written}");
                assert!(is_exactly(&copy.sources[1], text), "{:?} for {text:?}\n{written}", copy.sources);
                assert_eq!(copy.destination, format!("/d{text}/"), "{written}");
            }
        },
        Instruction::Workdir(path) => assert_eq!(*path, format!("/w{text}"), "{written}"),
        other => panic!("{other:?}\n{written}"),
    }
}

#[test]
fn what_kiln_writes_means_what_it_meant() {
    TEXTS.into_iter().for_each(same);
}

/// Characters that some reader takes for its own.
const CHARACTERS: [&str; 27] = [
    "a", "b", "0", " ", "\t", "'", "\"", "\\", "$", "{", "}", "#", "=", ",", "<", ">", "-", "[", "]", "*", "?", "/", ":", "`",
    "%", "&", "é",
];

fn random(random: &mut Random) -> String {
    let length = 1 + random.below(8);
    (0..length).map(|_| *random.of(&CHARACTERS)).collect()
}

#[test]
fn random_words_mean_what_they_meant() {
    for (_, mut numbers) in cases(600) {
        same(&random(&mut numbers));
    }
}
