//! Random ignore files, against a model of moby's rules that is as simple as they can be said.
//!
//! The model knows single patterns as what they match, tried in every way, and a file as a list of rules; paths are walked as a client walks
//! them. It knows neither automata nor fast ways, and takes patterns as they were meant, before noise is written around them that means nothing.

use std::time::{Duration, Instant};

use super::IgnoreFile;
use super::ignore::FolderMatches;
use crate::random::{Random, cases};

/// A rule as it is meant: `!`, and a pattern without noise.
#[derive(Debug)]
struct Rule {
    includes: bool,
    pattern: String,
}

/// What parts of patterns are made of. Nothing here has a meaning that depends on what stands around it.
const PIECES: [&str; 17] =
    ["a", "b", "ab", "c.d", ".e", "*", "*", "?", "**", "[ab]", "[^a]", "[a-c]", "\\*", "\\?", "\\[", "+(x)", "$"];

/// What names of files are made of.
const NAMES: [&str; 14] = ["a", "b", "ab", "c.d", "cxd", ".e", "aab", "x", "*", "?", "[", "+(x)", "$", "a*b"];

fn rule(random: &mut Random) -> Rule {
    let segments: Vec<String> = (0..=random.below(3))
        .map(|_| {
            if random.once_in(4) {
                return "**".to_owned();
            }
            (0..=random.below(3)).map(|_| *random.of(&PIECES)).collect()
        })
        .collect();
    Rule { includes: random.once_in(3), pattern: segments.join("/") }
}

fn path(random: &mut Random) -> String {
    let name = |random: &mut Random| (0..=random.below(2)).map(|_| *random.of(&NAMES)).collect::<String>();
    (0..=random.below(4)).map(|_| name(random)).collect::<Vec<_>>().join("/")
}

/// The rules as a file, with everything around them that means nothing.
fn written(rules: &[Rule], random: &mut Random) -> String {
    let mut text = String::from(*random.of(&["", "", "\u{feff}"]));
    let end = *random.of(&["\n", "\n", "\r\n"]);
    for rule in rules {
        for noise in ["# a comment", "", "   ", "#!a"] {
            if random.once_in(8) {
                text = text + noise + end;
            }
        }
        let slash = *random.of(&["/", "/", "//", "/./"]);
        let noisy = rule.pattern.replace('/', slash);
        let before = *random.of(&["", "", "/", "./", "x/../"]);
        let after = *random.of(&["", "", "/", "/."]);
        let (blank, mark) = (*random.of(&["", "", " ", "\t"]), if rule.includes { *random.of(&["!", "! "]) } else { "" });
        text = format!("{text}{blank}{mark}{before}{noisy}{after}{blank}{end}");
    }
    if random.once_in(3) { text.trim_end_matches(['\r', '\n']).to_owned() } else { text }
}

/// Whether a pattern matches a whole path.
fn matches(pattern: &str, path: &str) -> bool {
    let special = |text: &str| text.contains(['*', '?', '[', ']', '\\']);
    // Two stars at an end, and nothing else that is special, are about the text of the path and not about its folders.
    if let Some(end) = pattern.strip_prefix("**").filter(|end| !special(end)) {
        return path.ends_with(end) || end.strip_prefix('/') == Some(path);
    }
    if let Some(start) = pattern.strip_suffix("**").filter(|start| !special(start)) {
        return path.starts_with(start);
    }
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    matches_from(&pattern, &path)
}

fn matches_from(pattern: &[char], path: &[char]) -> bool {
    let one = |rest: &[char], fits: &dyn Fn(char) -> bool| {
        path.first().is_some_and(|first| fits(*first)) && matches_from(rest, &path[1..])
    };
    match pattern {
        [] => path.is_empty(),
        // Nothing, or whole folders; at the end anything. A slash behind it belongs to it.
        ['*', '*', rest @ ..] => {
            let rest = rest.strip_prefix(&['/']).unwrap_or(rest);
            let after_folder = |at: usize| path[at] == '/' && matches_from(rest, &path[at + 1..]);
            rest.is_empty() || matches_from(rest, path) || (0..path.len()).any(after_folder)
        }
        ['*', rest @ ..] => {
            let name = path.iter().take_while(|character| **character != '/').count();
            (0..=name).any(|taken| matches_from(rest, &path[taken..]))
        }
        ['?', rest @ ..] => one(rest, &|character| character != '/'),
        ['\\', literal, rest @ ..] => one(rest, &|character| character == *literal),
        ['[', '^', excluded, ']', rest @ ..] => one(rest, &|character| character != *excluded),
        ['[', low, '-', high, ']', rest @ ..] => one(rest, &|character| (*low..=*high).contains(&character)),
        ['[', first, second, ']', rest @ ..] => one(rest, &|character| character == *first || character == *second),
        [literal, rest @ ..] => one(rest, &|character| character == *literal),
    }
}

/// Whether a path is left out, and which rules speak of it: those that spoke of its folder, and those whose pattern matches while the opposite
/// was decided so far.
fn walked(rules: &[Rule], path: &str) -> (bool, Vec<bool>) {
    let folder = path.rsplit_once('/').map(|(folder, _)| walked(rules, folder).1);
    let mut left_out = false;
    let mut speak = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let inherits = folder.as_ref().is_some_and(|folder| folder[index]);
        let speaks = inherits || (rule.includes == left_out && matches(&rule.pattern, path));
        if speaks {
            left_out = !rule.includes;
        }
        speak.push(speaks);
    }
    (left_out, speak)
}

#[test]
fn random_ignore_files_leave_out_what_the_model_leaves_out() {
    let mut left_out = [0_usize; 2];
    for (seed, mut random) in cases(1_500) {
        let rules: Vec<Rule> = (0..=random.below(5)).map(|_| rule(&mut random)).collect();
        let text = written(&rules, &mut random);
        let file = IgnoreFile::parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text:?}"));
        assert_eq!(file.has_inclusions(), rules.iter().any(|rule| rule.includes), "seed {seed}: {text:?}");
        for _ in 0..25 {
            let path = path(&mut random);
            let expected = walked(&rules, &path).0;
            assert_eq!(file.excludes(&path), expected, "seed {seed}: {path:?} with {rules:#?}\n{text:?}");
            let entered =
                path.match_indices('/').fold(FolderMatches::default(), |folder, (end, _)| file.enter(&folder, &path[..end]).1);
            assert_eq!(file.enter(&entered, &path).0, expected, "seed {seed}: {path:?} on a walk with {rules:#?}\n{text:?}");
            left_out[usize::from(expected)] += 1;
        }
    }
    // A generator whose patterns match nothing, or everything, would show nothing.
    let [sent, left_out] = left_out;
    assert!(left_out * 20 > sent && sent * 20 > left_out, "{sent} sent, {left_out} left out");
}

/// What texts are made of that need not be patterns.
const BYTES: [&str; 36] = [
    "a",
    "b",
    "/",
    "/",
    "\n",
    "\n",
    "\r\n",
    "*",
    "**",
    "?",
    "[",
    "]",
    "[^",
    "a-z",
    "-",
    "\\",
    "!",
    "#",
    ".",
    "..",
    " ",
    "\t",
    "\u{feff}",
    "é",
    "\u{0}",
    "\\Q",
    "\\E",
    "\\x",
    "{41}",
    "[:alpha:]",
    "[[:",
    "(",
    "$",
    "^",
    "\u{85}",
    "\u{a0}",
];

#[test]
fn no_text_makes_the_matcher_panic_or_hang() {
    let mut valid = 0;
    for (seed, mut random) in cases(4_000) {
        let text: String = (0..random.below(40)).map(|_| *random.of(&BYTES)).collect();
        let path: String = (0..random.below(12)).map(|_| *random.of(&BYTES)).collect();
        let started = Instant::now();
        if let Ok(file) = IgnoreFile::parse(&text) {
            for path in [&path, &path.repeat(20)] {
                assert!(!file.excludes(path) || file.deciding_line(path).is_some(), "seed {seed}: {text:?}");
            }
            valid += 1;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "seed {seed}: {:?} for {text:?}", started.elapsed());
    }
    assert!(valid > 0, "no text was valid");
}

#[test]
fn patterns_that_could_be_tried_in_many_ways_take_little_time() {
    let started = Instant::now();
    let long = "a/".repeat(2_000) + "b";
    for pattern in ["**/a/".repeat(40) + "c", "a*".repeat(200) + "c", "[ab]*?".repeat(100) + "c", "**a".repeat(60) + "c"] {
        let file = IgnoreFile::parse(&pattern).unwrap_or_else(|error| panic!("{error}"));
        assert!(!file.enter(&FolderMatches::default(), &long).0, "{pattern}");
    }
    let many: String = (0..2_000).map(|number| format!("folder{number}/**/*.txt\n!folder{number}/keep\n")).collect();
    let file = IgnoreFile::parse(&many).expect("valid");
    assert!(file.excludes("folder7/x/y.txt") && !file.excludes("folder7/keep"));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
