//! kiln's reading of Dockerfiles and ignore files against BuildKit's own answers.
//!
//! `dockerfiles.jsonl` and `ignore.json` were recorded with real builds (BuildKit 0.25.2, buildx 0.29.1) by the scripts beside them; the tests
//! here need no engine.

mod answer;

use std::collections::{BTreeMap, BTreeSet};

use kiln::context::{FolderMatches, IgnoreFile};
use serde_json::Value;

/// Cases in which kiln says something else on purpose.
const DIFFERENT: [(&str, &str); 3] = [
    ("flag security bad", "the frontend within the engine has no `--security`; others do"),
    ("flag checksum bad", "whether a checksum fits its source is decided when it is fetched"),
    ("mount from index", "an image `0`, which no registry has"),
];

#[test]
fn every_dockerfile_means_what_it_means_to_buildkit() {
    let mut problems = Vec::new();
    let mut count = 0;
    for line in include_str!("dockerfiles.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let name = case["name"].as_str().expect("a name");
        count += 1;
        if DIFFERENT.iter().any(|(different, _)| *different == name) {
            continue;
        }
        let ours = answer::of(&case);
        let theirs = answer::recorded(&case["answer"]);
        if ours != theirs {
            problems.push(format!(
                "== {name}\n{}\nkiln     {ours:#}\nbuildkit {theirs:#}",
                case["dockerfile"].as_str().unwrap_or_default()
            ));
        }
    }
    assert!(problems.is_empty(), "{} of {count} cases differ\n{}", problems.len(), problems.join("\n\n"));
    assert!(count > 300, "{count} cases");
}

#[test]
fn every_ignore_file_leaves_out_what_it_leaves_out_for_buildkit() {
    let table: Value = serde_json::from_str(include_str!("ignore.json")).expect("a table");
    let mut entries = BTreeSet::new();
    for path in table["tree"].as_array().expect("a tree").iter().filter_map(Value::as_str) {
        let path = path.trim_end_matches('/');
        entries.extend(path.match_indices('/').map(|(end, _)| path[..end].to_owned()));
        entries.insert(path.to_owned());
    }
    entries.insert(".dockerignore".to_owned());
    let mut problems = Vec::new();
    let cases = table["cases"].as_array().expect("cases");
    for case in cases {
        let text = case["ignore"].as_str().expect("an ignore file");
        let ours = IgnoreFile::parse(text).map(|ignore| sent(&ignore, &entries));
        let theirs: Option<BTreeSet<String>> =
            case["answer"].as_array().map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        match (ours, theirs) {
            (Ok(ours), Some(theirs)) if ours != theirs => {
                let more: Vec<_> = ours.difference(&theirs).collect();
                let less: Vec<_> = theirs.difference(&ours).collect();
                problems.push(format!("{text:?}: kiln also sends {more:?}, and leaves out {less:?}"));
            }
            (Ok(_), None) => problems.push(format!("{text:?}: BuildKit refuses it")),
            (Err(error), Some(_)) => problems.push(format!("{text:?}: BuildKit takes it, kiln says {error}")),
            _ => {}
        }
    }
    assert!(problems.is_empty(), "{} of {} cases differ\n{}", problems.len(), cases.len(), problems.join("\n"));
    assert!(cases.len() > 450);
}

/// What of a tree is sent: what is not left out, and the folders above it.
fn sent(ignore: &IgnoreFile, entries: &BTreeSet<String>) -> BTreeSet<String> {
    let mut folders: BTreeMap<&str, FolderMatches> = BTreeMap::new();
    let mut sent = BTreeSet::new();
    for path in entries {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let (excluded, matches) = ignore.enter(folders.get(parent).unwrap_or(&FolderMatches::default()), path);
        folders.insert(path, matches);
        assert_eq!(ignore.excludes(path), excluded, "{path}");
        if !excluded {
            sent.insert(path.clone());
            sent.extend(path.match_indices('/').map(|(end, _)| path[..end].to_owned()));
        }
    }
    sent
}
