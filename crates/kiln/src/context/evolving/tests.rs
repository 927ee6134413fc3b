use std::collections::BTreeMap;

use super::{Evolving, SUBMODULE};
use crate::context::{ContentId, Entry, IgnoreFile, Selection, Selector, Tree};

fn file(text: &str) -> Entry {
    Entry::File { mode: 0o644, content: ContentId::of(text.as_bytes()) }
}

fn link(target: &str) -> Entry {
    Entry::Link { target: target.to_owned() }
}

/// A small generator of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// What BuildKit would see of some files, made in one go.
fn tree(files: &BTreeMap<String, Entry>, rules: &IgnoreFile) -> Tree {
    let mut entries = Vec::new();
    for (path, entry) in files {
        for (end, _) in path.match_indices('/').filter(|(end, _)| !rules.excludes(&path[..*end])) {
            entries.push((path[..end].to_owned(), Entry::Folder));
        }
        if !rules.excludes(path) {
            entries.push((path.clone(), entry.clone()));
        }
    }
    Tree::new(entries)
}

fn selectors() -> Vec<Vec<Selector>> {
    let plain = |path: &str| Selector::new(path, false);
    let filtered = |path: &str, exclude: &str| Selector { exclude: vec![exclude.to_owned()], ..Selector::new(path, true) };
    let parents = |include: &str| Selector { include: vec![include.to_owned()], ..Selector::new("", false) };
    vec![
        vec![plain("")],
        vec![plain("a")],
        vec![plain("a"), plain("a/b"), plain("c.txt")],
        vec![plain("a/b/x.md"), plain("c.txt")],
        vec![plain("to-a/b")],
        vec![plain("to-c")],
        vec![Selector::new("*.txt", true)],
        vec![Selector::new("a/*", true)],
        vec![Selector::new("to-*", true)],
        vec![filtered("", "**/*.md"), plain("docs")],
        vec![parents("a/*/x.md")],
    ]
}

#[test]
fn a_state_reached_by_changes_is_that_of_its_files() {
    let paths = ["a/1", "a/b/x.md", "a/b/y", "a/c/x.md", "c.txt", "d.txt", "docs/g.md", "docs/in/h", "to-a", "to-c", "deep/er/f"];
    for (seed, ignore) in ["", "docs\n**/y\n", "docs\n!docs/in\na/c\n", "*\n!a\n!*.txt\na/b\n"].into_iter().enumerate() {
        let rules = IgnoreFile::parse(ignore).unwrap();
        let mut random = Random(seed as u64 + 7);
        let mut context = Evolving::new(rules.clone());
        let watches: Vec<usize> = selectors().iter().map(|selectors| context.watch(selectors)).collect();
        let mut files: BTreeMap<String, Entry> = BTreeMap::new();
        let mut before: Option<(Vec<String>, Vec<String>)> = None;
        for round in 0..300 {
            for _ in 0..=random.below(4) {
                let path = paths[random.below(paths.len())];
                let entry = match (path, random.below(5)) {
                    (_, 0) => None,
                    ("to-a", _) => Some(link(["a", "docs", "nowhere", "c.txt"][random.below(4)])),
                    ("to-c", _) => Some(link(["c.txt", "a/b/x.md", "to-a", "to-c"][random.below(4)])),
                    (_, 1) => Some(Entry::File { mode: 0o755, content: ContentId::of(b"same") }),
                    _ => Some(file(&format!("{}", random.below(3)))),
                };
                context.set(path, entry.clone());
                match entry {
                    Some(entry) => drop(files.insert(path.to_owned(), entry)),
                    None => drop(files.remove(path)),
                }
            }
            let (_, watched) = context.settle();
            let whole = tree(&files, &rules);
            let known: Vec<(String, Entry)> =
                context.entries().iter().map(|(path, entry)| (path.clone(), entry.clone())).collect();
            let mut expected = whole.entries().to_vec();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(known, expected, "round {round}, ignore {ignore:?}");
            let exact: Vec<String> = selectors().iter().map(|selectors| Selection::of(&whole, selectors).hash).collect();
            let followed: Vec<String> = watches.iter().map(|&watch| context.hash(watch).to_owned()).collect();
            if let Some((exact_before, followed_before)) = &before {
                for at in 0..exact.len() {
                    let (same, seen) = (exact[at] == exact_before[at], followed[at] == followed_before[at]);
                    assert_eq!(same, seen, "round {round}, ignore {ignore:?}, {:?}", selectors()[at]);
                    assert_eq!(same, watched[watches[at]].paths.is_empty(), "round {round}: {:?}", watched[watches[at]]);
                }
            }
            // A context that began anew has the same hashes.
            if round % 50 == 0 {
                let mut fresh = Evolving::new(rules.clone());
                files.iter().for_each(|(path, entry)| fresh.set(path, Some(entry.clone())));
                for (selectors, hash) in selectors().iter().zip(&followed) {
                    let watch = fresh.watch(selectors);
                    assert_eq!(fresh.hash(watch), hash, "{selectors:?}");
                }
            }
            before = Some((exact, followed));
        }
    }
}

#[test]
fn a_file_may_take_the_place_of_a_folder_and_the_other_way_round() {
    let mut context = Evolving::new(IgnoreFile::default());
    let watch = context.watch(&[Selector::new("", false)]);
    let mut hashes = Vec::new();
    for changes in [&[("x", Some("1"))][..], &[("x", None), ("x/y", Some("1"))], &[("x/y", None), ("x", Some("1"))]] {
        for (path, text) in changes {
            context.set(path, text.map(file));
        }
        context.settle();
        hashes.push(context.hash(watch).to_owned());
        assert_eq!(context.entries().len(), context.entries().keys().filter(|path| path.starts_with('x')).count());
    }
    assert_eq!(hashes[0], hashes[2]);
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn what_lies_in_a_submodule_is_uncertain() {
    let mut context = Evolving::new(IgnoreFile::default());
    let (whole, inside) = (context.watch(&[Selector::new("", false)]), context.watch(&[Selector::new("sub/src", false)]));
    let module = |text: &str| Some(Entry::File { mode: SUBMODULE, content: ContentId::of(text.as_bytes()) });
    context.set("sub", module("1"));
    context.settle();
    context.set("sub", module("2"));
    let (_, watched) = context.settle();
    assert_eq!((&watched[whole].paths, watched[whole].uncertain), (&vec!["sub".to_owned()], false));
    assert_eq!((&watched[inside].paths, watched[inside].uncertain), (&vec!["sub".to_owned()], true));
    assert!(watched[inside].missing.is_empty());
    context.set("other", Some(file("1")));
    let (_, watched) = context.settle();
    assert!(watched[inside].paths.is_empty());
    assert_eq!(watched[whole].paths, ["other"]);
}
