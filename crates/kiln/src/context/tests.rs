use camino::Utf8Path;

use super::{ContentId, Entry, Hashes, IgnoreFile, Selection, Selector, Tree, read_context, read_ignore};

fn file(text: &str) -> Entry {
    Entry::File { mode: 0o644, content: ContentId::of(text.as_bytes()) }
}

fn tree(files: &[(&str, Entry)]) -> Tree {
    Tree::new(files.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())).collect())
}

fn link(target: &str) -> Entry {
    Entry::Link { target: target.to_owned() }
}

fn sample() -> Vec<(&'static str, Entry)> {
    vec![
        ("a/one.txt", file("1")),
        ("a/b/two.txt", file("2")),
        ("a/b/three.md", file("3")),
        ("a-b", file("4")),
        ("package.json", file("5")),
        ("package-lock.json", file("6")),
        ("empty", Entry::Folder),
        ("to-a", link("a")),
        ("to-one", link("to-a/one.txt")),
        ("loop", link("loop2")),
        ("loop2", link("loop")),
        ("up", link("../../a/one.txt")),
    ]
}

fn hash(files: &[(&str, Entry)], selector: &Selector) -> String {
    Selection::of(&tree(files), std::slice::from_ref(selector)).hash
}

#[test]
fn contents_have_the_ids_that_git_gives_them() {
    assert_eq!(ContentId::of(b"").to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_eq!(ContentId::of(b"hello\n").to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_eq!(ContentId::parse("ce013625030ba8dba906f756967f9e9ca394464a"), Some(ContentId::of(b"hello\n")));
    assert_eq!(ContentId::parse("ce01"), None);
}

#[test]
fn trees_know_what_is_below_a_folder_and_survive_being_written() {
    let tree = tree(&sample());
    let names = |folder: &str| tree.below(folder).iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>();
    assert_eq!(names("a"), ["a/b", "a/b/three.md", "a/b/two.txt", "a/one.txt"]);
    assert_eq!(names("a/b"), ["a/b/three.md", "a/b/two.txt"]);
    assert_eq!(names("empty"), [""; 0]);
    assert_eq!(tree.get("a"), Some(&Entry::Folder));
    assert_eq!(Tree::from_bytes(&tree.to_bytes()), Some(tree.clone()));
    assert_eq!(Tree::from_bytes(b"f644 zz\0a\0\0"), None);
}

#[test]
fn a_path_is_hashed_with_what_is_below_it_and_without_its_own_name() {
    let before = sample();
    let cases: &[(&str, &str, bool)] = &[
        ("a", "a/b/two.txt", true),
        ("a/b", "a/one.txt", false),
        ("to-a", "a/b/two.txt", true),
        ("to-one", "a/one.txt", true),
        ("to-one", "a/b/two.txt", false),
        ("to-a/b/../one.txt", "a/one.txt", true),
        ("up", "a/one.txt", true),
        (".", "package.json", true),
        ("a", "a-b", false),
        ("package.json", "package.json", true),
    ];
    for (source, edited, differs) in cases {
        let mut after = before.clone();
        after.iter_mut().filter(|(path, _)| path == edited).for_each(|(_, entry)| *entry = file("new"));
        let selector = Selector::new(source, true);
        assert_eq!(hash(&before, &selector) != hash(&after, &selector), *differs, "COPY {source}, edit of {edited}");
    }
    assert_eq!(hash(&[("a/x", file("1"))], &Selector::new("a", true)), hash(&[("b/x", file("1"))], &Selector::new("b", true)));
    let other_mode = Entry::File { mode: 0o755, content: ContentId::of(b"1") };
    assert_ne!(hash(&[("a", other_mode)], &Selector::new("a", true)), hash(&[("a", file("1"))], &Selector::new("a", true)));
    let with_folder = [("a/x", file("1")), ("a/new", Entry::Folder)];
    assert_ne!(hash(&with_folder, &Selector::new("a", true)), hash(&[("a/x", file("1"))], &Selector::new("a", true)));
}

#[test]
fn loops_and_missing_paths_end() {
    for source in ["loop", "loop/x", "nothing", "package.json/x"] {
        let selection = Selection::of(&tree(&sample()), &[Selector::new(source, true)]);
        assert_eq!(selection.missing, [source], "{source}");
    }
}

#[test]
fn wildcards_and_filters_choose_files() {
    let with = |path: &str, include: &[&str], exclude: &[&str]| Selector {
        include: include.iter().map(|pattern| (*pattern).to_owned()).collect(),
        exclude: exclude.iter().map(|pattern| (*pattern).to_owned()).collect(),
        ..Selector::new(path, include.is_empty())
    };
    let cases: Vec<(Selector, &[&str])> = vec![
        (with("package*.json", &[], &[]), &["package-lock.json", "package.json"]),
        (with("a/*", &[], &[]), &["a/b", "a/b/three.md", "a/b/two.txt", "a/one.txt"]),
        (with("*/b/*.md", &[], &[]), &["a/b/three.md"]),
        (with("**/one.txt", &[], &[]), &["a/one.txt"]),
        (with("nothing*", &[], &[]), &[]),
        (with("a", &[], &["**/*.md"]), &["a", "a/b", "a/b/two.txt", "a/one.txt"]),
        (with("a", &[], &["b"]), &["a", "a/one.txt"]),
        (with("", &["a/b/*.md"], &[]), &["a", "a/b", "a/b/three.md"]),
        (with("", &["package.json"], &[]), &["package.json"]),
        (with("[a-b]", &[], &[]), &["a", "a/b", "a/b/three.md", "a/b/two.txt", "a/one.txt"]),
    ];
    for (selector, expected) in cases {
        let selection = Selection::of(&tree(&sample()), std::slice::from_ref(&selector));
        assert_eq!(selection.files.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{selector:?}");
        assert_eq!(selection.missing, [""; 0], "{selector:?}");
    }
}

#[test]
fn sources_within_others_count_once_and_in_any_order() {
    let tree = tree(&sample());
    let of = |paths: &[&str]| Selection::of(&tree, &paths.iter().map(|path| Selector::new(path, true)).collect::<Vec<_>>()).hash;
    assert_eq!(of(&["a", "a/one.txt"]), of(&["a"]));
    assert_eq!(of(&["package.json", "a"]), of(&["a", "package.json"]));
    assert_ne!(of(&["package.json", "a"]), of(&["a"]));
}

#[test]
fn a_context_is_read_without_what_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    for path in ["src/main.rs", "docs/a.md", "docs/keep/b.md", "target/x/y"] {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), path).unwrap();
    }
    std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
    let ignore = IgnoreFile::parse("docs\n!docs/keep/b.md\ntarget\n").unwrap();
    let tree = read_context(root, &ignore, &mut Hashes::default()).unwrap();
    let names: Vec<&str> = tree.entries().iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, ["docs", "docs/keep", "docs/keep/b.md", "loop", "src", "src/main.rs"]);
}

#[test]
fn an_ignore_file_that_is_too_large_is_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    std::fs::write(root.join(".dockerignore"), "# nothing\n".repeat(2 << 20)).unwrap();
    let error = read_ignore(root, None).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `{root}/.dockerignore`"));
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("16 MiB"));
}

#[test]
fn hashes_are_remembered_only_while_the_file_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    let (path, memory) = (root.join("context/f"), root.join("memory"));
    std::fs::create_dir(root.join("context")).unwrap();
    std::fs::write(&path, "old").unwrap();
    let read = |hashes: &mut Hashes| {
        let tree = read_context(&root.join("context"), &IgnoreFile::default(), hashes).unwrap();
        tree.get("f").cloned().unwrap()
    };
    let mut hashes = Hashes::default();
    assert_eq!(content(&read(&mut hashes)), ContentId::of(b"old"));
    hashes.save(&memory).unwrap();
    // Same size, and the time set back: only the change time tells.
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "new").unwrap();
    std::fs::File::open(&path).unwrap().set_modified(before).unwrap();
    let mut hashes = Hashes::load(&memory);
    assert_eq!(content(&read(&mut hashes)), ContentId::of(b"new"));
    std::fs::write(&memory, b"kilnhsh1 damaged").unwrap();
    assert_eq!(content(&read(&mut Hashes::load(&memory))), ContentId::of(b"new"));
}

fn content(entry: &Entry) -> ContentId {
    match entry {
        Entry::File { content, .. } => *content,
        other => panic!("{other:?}"),
    }
}
