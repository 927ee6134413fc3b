//! `cook` and `compile` with real crates: what is cooked is what is used, and a layer is the same wherever it is made.
//!
//! Needs a registry; the crates are few and small.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod hard;
#[path = "../common/kill.rs"]
mod kill;
#[path = "../support/mod.rs"]
mod shared;
mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use kiln::recipe::StepError;
use shared::OFFLINE_ONLY;
use support::{Bench, differences};

const NOTHING: Vec<String> = Vec::new();

#[test]
fn what_is_cooked_is_what_is_used() {
    let bench = Bench::new("");
    let cooked = bench.cook("units", "deps").unwrap();
    assert_eq!(cooked.external_compiled.len(), 4, "{cooked:?}");
    let built = bench.compile("deps", "build", "").unwrap();
    assert_eq!((built.external_compiled, built.defects), (NOTHING, Vec::new()));
    assert_eq!(built.local_compiled, ["app (bin)"]);
    assert_eq!(bench.run(), "7 git\n");
    // The metadata of a library is in the library, and nowhere else.
    let outputs: Vec<_> =
        fs::read_dir(bench.at("deps/target/release/deps")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let count =
        |ending: &str| outputs.iter().filter(|path| path.extension().is_some_and(|extension| extension == ending)).count();
    assert!(count("rlib") > 2 && count("rmeta") == 0, "{outputs:?}");
    let same = |layer: &str| assert_eq!(differences(&bench.at("deps"), &bench.at(layer)), Vec::<PathBuf>::new());

    // The same recipe gives the same layer: from a warm mount, and from an empty mount and an empty cargo home.
    assert_eq!(bench.cook("units", "again").unwrap().external_compiled, NOTHING);
    same("again");
    fs::rename(bench.at("cargo"), bench.at("cargo-of-the-first")).unwrap();
    bench.cook("empty-units", "elsewhere").unwrap();
    same("elsewhere");

    // A builder that has nothing but the layer compiles and downloads nothing external.
    fs::remove_dir_all(bench.at("cargo")).unwrap();
    let built = bench.compile("deps", "fresh-build", OFFLINE_ONLY).unwrap();
    assert_eq!(built.external_compiled, NOTHING);
    assert_eq!(bench.run(), "7 git\n");

    // Files of a seeded unit that get lost come back.
    fs::remove_dir_all(bench.at("fresh-build/target/release/deps")).unwrap();
    let built = bench.compile("deps", "fresh-build", OFFLINE_ONLY).unwrap();
    assert_eq!(built.external_compiled, NOTHING);

    // Another recipe compiles what differs and no more, on the mount and from a seed, and the way back costs nothing.
    bench.features("\"extra_traits\"");
    let cooked = bench.cook("units", "other").unwrap();
    assert!(cooked.external_compiled.len() == 1 && cooked.external_compiled[0].starts_with("libc "), "{cooked:?}");
    let seeded = bench.cook_with("seeded-units", "seeded", Some("deps"), None).unwrap();
    assert_eq!(seeded.external_compiled, cooked.external_compiled);
    let built = bench.compile("other", "build", "").unwrap();
    assert_eq!(built.external_compiled, NOTHING);
    bench.features("");
    assert_eq!(bench.cook("units", "back").unwrap().external_compiled, NOTHING);
    same("back");
    let built = bench.compile("back", "build", "").unwrap();
    assert_eq!((built.external_compiled, built.local_compiled), (NOTHING, NOTHING));

    // Units of other recipes are the only ones that age out.
    bench.cook_with("units", "small", None, Some(0)).unwrap();
    same("small");
    assert_eq!(bench.cook("units", "small").unwrap().external_compiled, NOTHING);
    bench.features("\"extra_traits\"");
    assert_eq!(bench.cook("units", "other").unwrap().external_compiled.len(), 1);
    bench.features("");

    // A unit that the layer should have and has not is reported, and compiled once.
    bench.drop_from_layer("deps", "libc-");
    let built = bench.compile("deps", "third-build", "").unwrap();
    assert!(built.defects.len() == 1 && built.defects[0].package.starts_with("libc "), "{built:?}");
    let built = bench.compile("deps", "third-build", "").unwrap();
    assert_eq!(built.defects, []);
}

#[test]
fn a_seed_is_used_only_where_it_was_built_in_the_same_surroundings() {
    let mut bench = Bench::new("");
    bench.system("libssl-dev 1");
    bench.environment.insert("TOKEN".to_owned(), "secret".to_owned());
    bench.environment.insert("PKG_HINT".to_owned(), "a".to_owned());
    let whole = bench.cook("units", "deps").unwrap().external_compiled;
    let text = fs::read_to_string(bench.at("deps/units.json")).unwrap();
    assert!(text.contains("PKG_HINT") && !text.contains("TOKEN"), "nothing about a secret is in the layer");
    let mut number = 0;
    let mut cook = |bench: &Bench, seed: &str| {
        number += 1;
        let report = bench.cook_with(&format!("mount-{number}"), "out-layer", Some(seed), None).unwrap();
        (report, bench.said_of_the_seed())
    };

    // The same cook on an empty builder: nothing is compiled, and a secret that differs does not matter.
    bench.environment.insert("TOKEN".to_owned(), "another".to_owned());
    let (report, said) = cook(&bench, "deps");
    let seed = report.seed.unwrap();
    assert_eq!((report.external_compiled, seed.units, seed.taken, seed.used), (NOTHING, seed.units, seed.units, seed.units));
    assert!(said.starts_with(&format!("kiln cook: took {0} of the seed's {0} units", seed.units)), "{said}");
    assert_eq!(differences(&bench.at("deps"), &bench.at("out-layer")), Vec::<PathBuf>::new());

    // An image has its layer in `deps`; an empty stage has nothing, and nothing is said.
    fs::create_dir_all(bench.at("image")).unwrap();
    let (report, said) = cook(&bench, "image");
    assert_eq!((report.external_compiled.len(), report.seed, said.as_str()), (whole.len(), None, ""));
    fs::write(bench.at("image/readme"), "").unwrap();
    let (_, said) = cook(&bench, "image");
    assert!(said.ends_with("image holds no deps layer; not used as a seed"), "{said}");
    fs::rename(bench.at("deps"), bench.at("image/deps")).unwrap();
    assert_eq!(cook(&bench, "image").0.external_compiled, NOTHING);
    fs::rename(bench.at("image/deps"), bench.at("deps")).unwrap();

    // What cargo does not look at itself is the same, or the seed is left alone (all cases: the unit tests).
    bench.system("libssl-dev 2");
    let (report, said) = cook(&bench, "deps");
    assert_eq!((report.external_compiled.len(), report.seed), (whole.len(), None));
    assert_eq!(said, "kiln cook: the seed was built beside other system packages; not used");
}

#[test]
fn the_nearest_seed_saves_all_that_cargo_would_keep() {
    let bench = Bench::new("");
    bench.system("");
    bench.cook("units", "old").unwrap();
    bench.features("\"extra_traits\"");
    // What cargo compiles in the target directory of the old recipe is what may be compiled on top of the seed.
    let native = bench.cook("units", "native").unwrap().external_compiled;
    assert_eq!(native.len(), 1, "{native:?}");
    fs::rename(bench.at("cargo"), bench.at("cargo-of-the-first")).unwrap();
    let report = bench.cook_with("empty", "new", Some("old"), None).unwrap();
    assert_eq!(report.external_compiled, native);
    let seed = report.seed.unwrap();
    // All but libc's library, its build script and what that said.
    assert!(seed.taken == seed.units && seed.used == seed.units - 3, "{seed:?}");
    assert_eq!(differences(&bench.at("native"), &bench.at("new")), Vec::<PathBuf>::new());

    // The same seed again on what is now a warm mount: nothing is taken, nothing compiled.
    let report = bench.cook_with("empty", "again", Some("old"), None).unwrap();
    assert_eq!((report.external_compiled, report.seed.unwrap().taken), (NOTHING, 0));
    assert_eq!(differences(&bench.at("new"), &bench.at("again")), Vec::<PathBuf>::new());
}

#[test]
fn a_cook_that_ends_early_leaves_nothing_and_can_be_repeated() {
    let bench = Bench::new("");
    for milliseconds in [0, 400, 900] {
        let error = bench.cook_for("units", "deps", Duration::from_millis(milliseconds));
        if let Err(error) = error {
            assert!(matches!(error, StepError::Process(_) | StepError::Cancelled), "{error:?}");
            assert!(!bench.at("deps").exists() && !bench.at("stub").exists());
        }
    }
    bench.cook("units", "deps").unwrap();
    // A rustc that is killed leaves these beside its output.
    for unit in fs::read_dir(bench.at("units/target/release/build")).unwrap() {
        let folder = unit.unwrap().path().join("rustcIHdhB9");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("symbols.o"), "").unwrap();
    }
    bench.cook("units", "deps").unwrap();
    bench.cook("other-units", "other").unwrap();
    assert_eq!(differences(&bench.at("deps"), &bench.at("other")), Vec::<PathBuf>::new());
    // The output cannot be written: an error, and the mount still works.
    fs::write(bench.at("file"), "").unwrap();
    let error = bench.cook("units", "file/deps").unwrap_err();
    assert!(matches!(error, StepError::Io { .. }), "{error:?}");
    assert_eq!(bench.cook("units", "deps").unwrap().external_compiled, NOTHING);
}

#[test]
fn one_folder_per_unit_is_understood_too() {
    let bench = Bench::new("export RUSTC_BOOTSTRAP=1\nset -- -Zbuild-dir-new-layout \"$@\"\n");
    bench.cook("units", "deps").unwrap();
    assert!(bench.at("deps/target/release/build/itoa").is_dir());
    let built = bench.compile("deps", "build", "").unwrap();
    assert_eq!(built.external_compiled, NOTHING);
    assert_eq!(bench.run(), "7 git\n");
    bench.edit();
    let built = bench.compile("deps", "build", "").unwrap();
    assert_eq!((built.external_compiled, built.local_compiled), (NOTHING, vec!["app (bin)".to_owned()]));
    assert_eq!(bench.run(), "8 git\n");
}

#[test]
fn a_lock_that_cannot_be_met_is_a_defect_of_the_plan() {
    let bench = Bench::new("");
    let mut recipe = bench.recipe();
    for entry in &mut recipe.lock {
        if entry.name == "itoa" {
            entry.version = "1.0.99".to_owned();
        }
    }
    let error = bench.cook_recipe(&recipe, "units", "deps").unwrap_err();
    assert!(matches!(error, StepError::LockDiffers { .. } | StepError::Cargo { .. }), "{error:?}");
    assert!(!bench.at("deps").exists());
}
