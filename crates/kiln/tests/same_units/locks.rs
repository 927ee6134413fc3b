//! A lock that is missing, stale or damaged is an error before anything is compiled: in `prepare`, on the host and in a build, and,
//! should a build get there without it, in `compile`.

use std::fs;

use camino::Utf8Path;
use kiln::project::cargo::CargoWorkspace;
use kiln::recipe::{Recipe, StepError, prepare};

use super::bench::{Case, HOST};

fn case(name: &str) -> Case {
    Case::new(name)
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"lib\", \"other\"]\n")
        .app(
            "[dependencies]\nitoa = \"1\"\nlib = { path = \"../lib\" }\n",
            "fn main() { println!(\"{}\", itoa::Buffer::new().format(7)); }\n",
        )
        .lib("lib", "[dependencies]\nfnv = \"1\"\n", "")
        .lib("other", "[dependencies]\n", "")
        .locked()
}

fn try_recipe(case: &Case) -> Result<Recipe, String> {
    let root = case.at("src");
    let root = Utf8Path::from_path(&root).unwrap();
    let loaded = CargoWorkspace::load(root, root).map_err(|error| error.to_string())?;
    prepare(&loaded, &case.selection, HOST).map_err(|error| error.to_string())
}

/// What is done to the lock (or a manifest), and what `prepare` must say.
type Damage = (&'static str, fn(&Case), &'static [&'static str]);

fn edit(case: &Case, file: &str, change: impl FnOnce(String) -> String) {
    let path = case.at("src").join(file);
    fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
}

const DAMAGES: &[Damage] = &[
    (
        "missing",
        |case| fs::remove_file(case.at("src/Cargo.lock")).unwrap(),
        &["Cargo.lock is missing", "cargo generate-lockfile", "commit"],
    ),
    ("empty", |case| edit(case, "Cargo.lock", |_| String::new()), &["Cargo.lock", "`app`", "cargo update -w"]),
    (
        "stale: a new dependency",
        |case| edit(case, "app/Cargo.toml", |text| text + "memchr = \"2\"\n"),
        &["app/Cargo.toml:8", "Cargo.lock", "`memchr`", "cargo update -w"],
    ),
    (
        "stale: a new requirement",
        |case| edit(case, "app/Cargo.toml", |text| text.replace("itoa = \"1\"", "itoa = \"0.4\"")),
        &["app/Cargo.toml:6", "Cargo.lock", "`itoa`", "`0.4`", "cargo update -w"],
    ),
    (
        "stale: a new member",
        |case| edit(case, "Cargo.lock", |text| text.replace("name = \"lib\"", "name = \"other\"")),
        &["Cargo.lock", "lib", "cargo"],
    ),
    // What no unit comes from counts as well: `cargo build --locked` would refuse it, after minutes of cooking.
    (
        "stale: a development dependency",
        |case| edit(case, "app/Cargo.toml", |text| text + "[dev-dependencies]\nmemchr = \"2\"\n"),
        &["app/Cargo.toml:9", "Cargo.lock", "`memchr`", "cargo update -w"],
    ),
    (
        "stale: a member that is not built",
        |case| edit(case, "other/Cargo.toml", |text| text + "ryu = \"0.2\"\n"),
        &["other/Cargo.toml:6", "Cargo.lock", "`ryu`", "cargo update -w"],
    ),
    (
        "stale: a dependency that is gone",
        |case| edit(case, "lib/Cargo.toml", |text| text.replace("fnv = \"1\"\n", "")),
        &["lib/Cargo.toml", "Cargo.lock", "`fnv`", "cargo update -w"],
    ),
    (
        "stale: a member's version",
        |case| edit(case, "lib/Cargo.toml", |text| text.replace("0.1.0", "0.2.0")),
        &["lib/Cargo.toml", "Cargo.lock", "0.2.0", "0.1.0", "cargo update -w"],
    ),
    (
        "of a future version",
        |case| edit(case, "Cargo.lock", |text| text.replace("version = 4\n", "version = 5\n")),
        &["Cargo.lock:3", "version 5", "kiln"],
    ),
    (
        "with merge conflict markers",
        |case| {
            edit(case, "Cargo.lock", |text| {
                let changed = text.replacen("[[package]]\n", "<<<<<<< HEAD\n[[package]]\n", 2).replacen(
                    "checksum",
                    "=======\n>>>>>>> other\nchecksum",
                    1,
                );
                assert_ne!(text, changed);
                changed
            });
        },
        &["Cargo.lock:5", "merge conflict", "cargo update -w"],
    ),
    ("cut off", |case| edit(case, "Cargo.lock", |text| text[..text.len() - 30].to_owned()), &["Cargo.lock"]),
];

#[test]
fn prepare_names_the_file_and_the_way_out() {
    for (name, damage, words) in DAMAGES {
        let case = case(name);
        assert!(try_recipe(&case).is_ok());
        damage(&case);
        let message = try_recipe(&case).expect_err(name);
        for word in *words {
            assert!(message.contains(word), "{name}: {word:?} is not in {message:?}");
        }
    }
}

#[test]
fn compile_stops_before_it_compiles_and_leaves_the_lock_alone() {
    for (name, damage, _) in DAMAGES {
        let case = case(name);
        case.cook().unwrap();
        damage(&case);
        let before = fs::read(case.at("src/Cargo.lock")).ok();
        let error = case.compile_selection(&case.selection, "").expect_err(name);
        assert!(matches!(error, StepError::Cargo { .. }), "{name}: {error:?}");
        assert_eq!(fs::read(case.at("src/Cargo.lock")).ok(), before);
        // The layer's units may lie there, a program must not.
        let programs = fs::read_dir(case.at("out")).map_or(0, Iterator::count);
        let local = fs::read_dir(case.at("mount/build/target/debug/.fingerprint")).into_iter().flatten();
        let local = local.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("app-")).count();
        assert_eq!((programs, local), (0, 0), "{name}");
    }
}
