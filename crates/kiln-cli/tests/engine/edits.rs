//! What an edit costs: the steps that run and the crates that are compiled, counted on the real engine.

use crate::support::{Container, kiro};

const ROUTES: &str = "backend/crates/kiro-server/src/routes.rs";
const MOTD: &str = "Small steps, every day.";

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_unchanged_build_runs_no_step() {
    let kiro = kiro();
    kiro.build(&[]);
    let build = kiro.build(&[]);
    assert_eq!(build.stages_that_ran("backend"), Vec::<String>::new(), "{}", build.log);
    assert_eq!(build.stages_that_ran("frontend"), Vec::<String>::new(), "{}", build.log);
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_edit_of_the_readme_runs_no_step() {
    let kiro = kiro();
    kiro.build(&[]);
    for readme in ["README.md", "backend/README.md", "docs/architecture.md"] {
        let path = kiro.root.join(readme);
        let before = std::fs::read_to_string(&path).ok();
        std::fs::write(&path, format!("{}\nAn edit.\n", before.clone().unwrap_or_default())).expect("file is written");
        let build = kiro.build(&[]);
        assert_eq!(build.stages_that_ran("backend"), Vec::<String>::new(), "{readme}");
        assert_eq!(build.stages_that_ran("frontend"), Vec::<String>::new(), "{readme}");
        match before {
            Some(text) => std::fs::write(&path, text).expect("file is restored"),
            None => std::fs::remove_file(&path).expect("file is removed"),
        }
    }
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_one_line_edit_of_the_binary_compiles_one_crate_and_serves_the_new_text() {
    let kiro = kiro();
    kiro.build(&[]);
    // Never built before, by no run of this test: otherwise the last layer is known, too.
    let greeting = format!("An edited greeting of {}.", kiro.project);
    kiro.edit(ROUTES, MOTD, &greeting);
    let build = kiro.build(&[]);
    assert_eq!(build.stages_that_ran("backend"), ["planner", "builder", "runtime"], "{}", build.log);
    assert_eq!(build.crates_compiled("backend"), ["kiro-server"], "{}", build.log);
    assert_eq!(build.external_crates_compiled("backend"), 0, "{}", build.log);
    assert_eq!(build.stages_that_ran("frontend"), Vec::<String>::new(), "{}", build.log);
    assert!(build.stage_seconds("backend", "planner") < 1.5, "planner took {} s", build.stage_seconds("backend", "planner"));
    let backend = Container::run(&[&kiro.image("backend", "latest")]);
    assert!(backend.get("/api/motd").contains(&greeting));
    kiro.edit(ROUTES, &greeting, MOTD);
    kiro.build(&[]);
    let backend = Container::run(&[&kiro.image("backend", "latest")]);
    assert!(backend.get("/api/motd").contains(MOTD), "the revert is served");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_edit_of_a_library_compiles_it_and_its_dependents_only() {
    let kiro = kiro();
    kiro.build(&[]);
    let path = kiro.root.join("backend/crates/kiro-store/src/lib.rs");
    let before = std::fs::read_to_string(&path).expect("file is read");
    std::fs::write(&path, format!("{before}\n#[doc(hidden)]\npub fn edited() {{}}\n")).expect("file is written");
    let build = kiro.build(&[]);
    assert_eq!(build.crates_compiled("backend"), ["kiro-server", "kiro-store"], "{}", build.log);
    assert_eq!(build.external_crates_compiled("backend"), 0, "{}", build.log);
    std::fs::write(&path, before).expect("file is restored");
    kiro.build(&[]);
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_edit_with_an_older_modification_time_is_not_missed() {
    let kiro = kiro();
    kiro.build(&[]);
    kiro.edit(ROUTES, MOTD, "Older than it looks.");
    let file = std::fs::File::options().append(true).open(kiro.root.join(ROUTES)).expect("file is opened");
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.set_modified(long_ago).expect("time is set");
    kiro.build(&[]);
    let backend = Container::run(&[&kiro.image("backend", "latest")]);
    assert!(backend.get("/api/motd").contains("Older than it looks."));
    kiro.edit(ROUTES, "Older than it looks.", MOTD);
    kiro.build(&[]);
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_version_bump_of_a_member_compiles_no_dependency() {
    let kiro = kiro();
    kiro.build(&[]);
    let manifest = kiro.root.join("backend/Cargo.toml");
    let lock = kiro.root.join("backend/Cargo.lock");
    let (manifest_before, lock_before) =
        (std::fs::read_to_string(&manifest).expect("read"), std::fs::read_to_string(&lock).expect("read"));
    let version = manifest_before
        .lines()
        .find_map(|line| line.strip_prefix("version = \""))
        .and_then(|rest| rest.strip_suffix('"'))
        .expect("the workspace has a version")
        .to_owned();
    let bump = |text: &str| text.replacen(&format!("version = \"{version}\""), "version = \"9.9.9\"", 1);
    std::fs::write(&manifest, bump(&manifest_before)).expect("written");
    let mut bumped_lock = String::new();
    for block in lock_before.split("\n\n") {
        let local = block.contains("name = \"kiro-");
        bumped_lock += &if local { bump(block) } else { block.to_owned() };
        bumped_lock += "\n\n";
    }
    std::fs::write(&lock, bumped_lock.trim_end().to_owned() + "\n").expect("written");
    let build = kiro.build(&[]);
    assert!(!build.stages_that_ran("backend").contains(&"deps".to_owned()), "{}", build.log);
    assert_eq!(build.external_crates_compiled("backend"), 0, "{}", build.log);
    let backend = Container::run(&[&kiro.image("backend", "latest")]);
    assert!(backend.get("/api/version").contains("9.9.9"));
    std::fs::write(&manifest, manifest_before).expect("restored");
    std::fs::write(&lock, lock_before).expect("restored");
    kiro.build(&[]);
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_version_bump_or_a_new_script_of_the_frontend_installs_nothing() {
    let kiro = kiro();
    kiro.build(&[]);
    let manifest = kiro.root.join("frontend/package.json");
    let lock = kiro.root.join("frontend/package-lock.json");
    let (manifest_before, lock_before) =
        (std::fs::read_to_string(&manifest).expect("read"), std::fs::read_to_string(&lock).expect("read"));
    let version = serde_json::from_str::<serde_json::Value>(&manifest_before).expect("JSON")["version"]
        .as_str()
        .expect("the package has a version")
        .to_owned();
    let bump = |text: &str, times| text.replacen(&format!("\"version\": \"{version}\""), "\"version\": \"9.9.9\"", times);
    std::fs::write(
        &manifest,
        bump(&manifest_before, 1).replacen("\"scripts\": {", "\"scripts\": { \"hello\": \"echo hello\",", 1),
    )
    .expect("written");
    std::fs::write(&lock, bump(&lock_before, 2)).expect("written");
    let build = kiro.build(&[]);
    assert!(!build.stages_that_ran("frontend").contains(&"deps".to_owned()), "{}", build.log);
    std::fs::write(&manifest, manifest_before).expect("restored");
    std::fs::write(&lock, lock_before).expect("restored");
    kiro.build(&[]);
}
