//! `cook` and `compile` with real crates: what is cooked is what is used, and a layer is the same wherever it is made.
//!
//! Needs a registry; the crates are few and small.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod hard;
#[path = "../common/kill.rs"]
mod kill;
mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use kiln::recipe::StepError;
use support::{Bench, OFFLINE_ONLY, differences};

const NOTHING: Vec<String> = Vec::new();

#[test]
fn what_is_cooked_is_what_is_used() {
    let bench = Bench::new("");
    let cooked = bench.cook("units", "deps").unwrap();
    assert_eq!(cooked.external_compiled.len(), 4, "{cooked:?}");
    let built = bench.compile("deps", "build", "cargo").unwrap();
    assert_eq!((built.external_compiled, built.defects), (NOTHING, NOTHING));
    assert_eq!(built.local_compiled, ["app (bin)"]);
    assert_eq!(bench.run(), "7 git\n");
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
    let built = bench.compile("other", "build", "cargo").unwrap();
    assert_eq!(built.external_compiled, NOTHING);
    bench.features("");
    assert_eq!(bench.cook("units", "back").unwrap().external_compiled, NOTHING);
    same("back");
    let built = bench.compile("back", "build", "cargo").unwrap();
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
    let built = bench.compile("deps", "third-build", "cargo").unwrap();
    assert!(built.defects.len() == 1 && built.defects[0].starts_with("libc "), "{built:?}");
    let built = bench.compile("deps", "third-build", "cargo").unwrap();
    assert_eq!(built.defects, NOTHING);
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
    let built = bench.compile("deps", "build", "cargo").unwrap();
    assert_eq!(built.external_compiled, NOTHING);
    assert_eq!(bench.run(), "7 git\n");
    bench.edit();
    let built = bench.compile("deps", "build", "cargo").unwrap();
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
