use super::*;
use crate::recipe::build::mirror::{Change, ChangeKind};

/// Packages `a` (SQLx) and `b` side by side, `root` around both when asked for.
fn packages(folder: &Path, root: bool) -> Packages {
    let mut files = Vec::new();
    let mut write = |path: &str, text: &str| {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        files.push(PathBuf::from(path));
    };
    write("Cargo.toml", if root { "[package]\nname = \"root\"\n[workspace]" } else { "[workspace]\nmembers = [\"a\", \"b\"]" });
    write("a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nsqlx = \"1\"");
    write("b/Cargo.toml", "[package]\nname = \"b\"");
    write("vendor/x/Cargo.toml", "[package]\nname = \"x\"");
    write("vendor/x/.cargo-checksum.json", "{}");
    Packages::read(&[folder], Path::new(""), &files)
}

fn local(name: &str, kind: UnitKind, files: &[&str]) -> Local {
    Local {
        id: Some(UnitId { root: "debug".to_owned(), name: format!("{name}-0000000000000000") }),
        kind: Some(kind),
        folders: vec![PathBuf::from(if name == "root" { "" } else { name })],
        files: files.iter().map(PathBuf::from).collect(),
        ..Local::default()
    }
}

/// The units that a change concerns, as `name` of the package and kind: `?` if it is undeclared.
fn concerned(root: bool, path: &str, kind: ChangeKind, extra: Vec<Local>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let packages = packages(folder.path(), root);
    let change = [Change { path: PathBuf::from(path), kind }];
    let guard = Guard {
        mirror: Path::new("/m"),
        workspace: Path::new(""),
        target: Path::new("/t"),
        cargo_home: Path::new("/c"),
        packages: &packages,
        changes: &change,
        variables: &BTreeSet::new(),
        everything: None,
        links: &Links::default(),
        killed: false,
    };
    let mut locals = vec![
        local("a", UnitKind::Compile, &["a/src/lib.rs", "a/data/one.txt"]),
        local("a", UnitKind::CompileScript, &["a/build.rs"]),
        local("a", UnitKind::RunScript, &["a/proto"]),
        local("b", UnitKind::Compile, &["b/src/main.rs", "shared/x.rs", "a/assets/one.txt"]),
    ];
    if root {
        locals.push(local("root", UnitKind::Compile, &["src/lib.rs"]));
    }
    locals.extend(extra);
    let seen = guard.see(&change[0], &locals);
    let names = locals.iter().filter_map(|local| {
        let mark = match guard.concern(&seen, local) {
            Concern::None => return None,
            Concern::Declared => "",
            Concern::Undeclared => "?",
        };
        let letter = match local.kind? {
            UnitKind::Compile => "",
            UnitKind::CompileScript => ".build",
            UnitKind::RunScript => ".run",
        };
        Some(format!("{}{letter}{mark}", local.id.as_ref()?.package()))
    });
    names.collect()
}

#[test]
fn changes_concern_the_units_that_may_have_read_the_file() {
    let all = ["a?", "a.build?", "a.run?", "b?"].as_slice();
    let own = ["a?", "a.build?", "a.run?"].as_slice();
    let table: &[(&str, &[&str])] = &[
        // Declared by rustc.
        ("a/src/lib.rs", &["a"]),
        ("b/src/main.rs", &["b"]),
        ("shared/x.rs", &["b"]),
        // Other files than sources are read by more than those who say so.
        ("a/data/one.txt", &["a", "a.run?"]),
        // Declared by a build script, as a folder.
        ("a/proto/deep/x.proto", &["a", "a.run"]),
        // Undeclared, in a package.
        ("a/templates/x.html", own),
        ("a/src/new.rs", own),
        ("b/README.md", &["b?"]),
        // Undeclared, outside: anyone's.
        ("migrations/1.sql", all),
        ("config.toml", all),
        // Beside a declared file in another package's folder.
        ("a/assets/two.txt", all),
        // Query data of SQLx.
        (".sqlx/query-1.json", &["a?", "a.build?"]),
        ("sqlx-data.json", &["a?", "a.build?"]),
        // A folder on the way to a declared file is a link, or was one.
        ("a/assets", &["a?", "a.build?", "a.run?", "b"]),
        ("shared", &["a?", "a.build?", "a.run?", "b"]),
        // What cargo reads itself, and maybe a script.
        ("Cargo.lock", &["a.run?"]),
        ("b/Cargo.lock", &[]),
        ("Cargo.toml", &[]),
        ("b/Cargo.toml", &[]),
        ("vendor/x/src/lib.rs", &[]),
        // git: what it means, not how it is kept.
        (".git/index", &[]),
        (".git/objects/ab/cd", &[]),
        (".git/HEAD", all),
        (".git/refs/heads/main", all),
        (".git/logs/HEAD", &[]),
        (".git/modules/vendored/HEAD", all),
        (".git/modules/vendored/index", &[]),
        (".git/modules/vendored/logs/HEAD", &[]),
    ];
    for (path, expected) in table {
        assert_eq!(concerned(false, path, ChangeKind::Modified, vec![]), *expected, "{path}");
    }
}

#[test]
fn a_package_that_contains_others_shares_its_files() {
    assert_eq!(concerned(true, "src/lib.rs", ChangeKind::Modified, vec![]), ["root"]);
    assert_eq!(concerned(true, "assets/x", ChangeKind::Added, vec![]), ["a?", "a.build?", "a.run?", "b?", "root?"]);
    assert_eq!(concerned(true, "b/assets/x", ChangeKind::Added, vec![]), ["b?"]);
}

#[test]
fn a_script_that_declares_nothing_watches_its_package_and_the_lock() {
    let script = || Local { watches_package: true, ..local("b", UnitKind::RunScript, &[]) };
    assert_eq!(concerned(false, "b/src/main.rs", ChangeKind::Removed, vec![script()]), ["b", "b.run"]);
    assert_eq!(concerned(false, "Cargo.lock", ChangeKind::Modified, vec![script()]), ["a.run?", "b.run?"]);
    let blind = Local { blind_to_lock: true, ..script() };
    assert_eq!(concerned(false, "Cargo.lock", ChangeKind::Modified, vec![blind]), ["a.run?"]);
    // It may read a file of any package. A Rust source of another one is that one's.
    assert_eq!(concerned(false, "a/data/one.txt", ChangeKind::Modified, vec![script()]), ["a", "a.run?", "b.run?"]);
    assert_eq!(concerned(false, "a/src/lib.rs", ChangeKind::Modified, vec![script()]), ["a"]);
    assert_eq!(concerned(false, "Cargo.toml", ChangeKind::Modified, vec![script()]), ["b.run?"]);
}

#[test]
fn a_script_that_watches_everything_does_not_speak_for_others() {
    let broad = local("b", UnitKind::RunScript, &[""]);
    assert_eq!(concerned(false, "config.toml", ChangeKind::Added, vec![broad]), ["a?", "a.build?", "a.run?", "b?", "b.run"]);
    let narrow = local("b", UnitKind::RunScript, &["proto"]);
    assert_eq!(concerned(false, "proto/x.proto", ChangeKind::Added, vec![narrow]), ["b.run"]);
}

#[test]
fn what_the_build_wrote_concerns_the_whole_package() {
    assert_eq!(concerned(false, "a/src/lib.rs", ChangeKind::Drifted, vec![]), ["a", "a.build?", "a.run?"]);
    assert_eq!(concerned(false, "outside", ChangeKind::Drifted, vec![]).len(), 4);
    // `b` has no script that could have written this: it may have been any.
    assert_eq!(concerned(false, "b/src/new.rs", ChangeKind::Drifted, vec![]), ["a.run?", "b?"]);
    // `git describe` in a script writes it.
    assert_eq!(concerned(false, ".git/index", ChangeKind::Drifted, vec![]), Vec::<String>::new());
}

#[test]
fn a_unit_of_an_unknown_package_is_concerned_by_everything() {
    let stranger = Local { folders: vec![], ..local("stranger", UnitKind::Compile, &[]) };
    assert_eq!(concerned(false, "b/src/main.rs", ChangeKind::Modified, vec![stranger]), ["b", "stranger?"]);
}
