//! What must be noticed: a plan that is wrong, a toolchain that is another, a lock that does not fit.

use kiln::recipe::{CargoReport, Defect};

use super::bench::{Case, HOST};
use super::registry::Registry;
use super::shared::{command, run};

/// A program with three external crates, one of them above another's kind: a procedural macro with a build script.
fn program(name: &str) -> Case {
    Case::new(name)
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
        .app(
            "[features]\nfull = [\"log/std\"]\n[dependencies]\nlog = \"0.4\"\nitoa = \"1\"\npaste = \"1\"\n",
            "fn main() { paste::paste! { let [<a b>] = 7; } println!(\"{} {}\", log::Level::Info, itoa::Buffer::new().format(ab)); }\n",
        )
        .locked()
}

fn reasons(report: &CargoReport) -> Vec<String> {
    assert_eq!(report.defects.iter().map(|one| one.package.clone()).collect::<Vec<_>>(), report.external_compiled);
    let name = |defect: &Defect| defect.package.split(' ').next().unwrap().to_owned();
    report.defects.iter().map(|defect| format!("{}: {}", name(defect), defect.reason)).collect()
}

/// Cooks as planned, then compiles otherwise.
fn wrong(mut case: Case, prologue: &str, change: impl FnOnce(&mut Case)) -> Vec<String> {
    case.cook().unwrap();
    change(&mut case);
    let report = case.compile(prologue).unwrap();
    assert_eq!(case.run("app"), "INFO 7\n", "a defect costs time, never correctness");
    // Compiled once, the units are there.
    assert_eq!(case.compile(prologue).unwrap().defects, []);
    reasons(&report)
}

#[test]
fn an_external_crate_that_compiles_after_cook_is_reported_with_the_reason() {
    let nothing = |_: &mut Case| {};
    assert_eq!(
        wrong(program("other RUSTFLAGS"), "export RUSTFLAGS=-Cdebuginfo=1\n", nothing),
        ["itoa", "log", "paste"].map(|name| format!("{name}: the rustflags are [-Cdebuginfo=1] and were [] for the layer"))
    );
    assert_eq!(
        wrong(program("other features"), "", |case| case.selection.features = vec!["full".to_owned()]),
        ["log: the features are [alloc, std] and were [] for the layer"]
    );
    assert_eq!(
        wrong(program("other profile"), "export CARGO_PROFILE_DEV_OVERFLOW_CHECKS=false\n", nothing),
        ["itoa", "log", "paste"].map(|name| format!("{name}: the profile has other settings than for the layer"))
    );
    assert_eq!(
        wrong(program("other folder of the profile"), "", |case| case.selection.profile = "release".to_owned())[0],
        "itoa: it was built for release and the layer for debug"
    );
    assert_eq!(
        wrong(program("other target"), "", |case| case.selection.target = Some(HOST.to_owned()))[0],
        format!(
            "itoa: it was built for {HOST}/debug and the layer for debug; it is built for another machine (host or target) than for the layer"
        )
    );
    // The same unit by name, and stale: cargo itself says why.
    let stale = wrong(program("a stale unit"), "", |case| super::change_unit(&case.at("deps"), "itoa-"));
    assert_eq!(stale.len(), 1, "{stale:?}");
    assert_eq!(stale[0], "itoa: the list of declared features changed");
}

/// Every stage has one toolchain, whatever files lie in the workspace or in a registry crate.
#[test]
fn a_registry_crate_with_a_toolchain_file_decides_nothing() {
    let marker = "KILN_TEST_WITHOUT_TOOLCHAIN";
    if super::variable(marker).is_empty() {
        // rustup tells what it runs which toolchain was chosen; nothing may have chosen one here.
        let test = std::env::current_exe().unwrap();
        let name = "sentinels::a_registry_crate_with_a_toolchain_file_decides_nothing";
        let mut alone = command(test);
        alone.args(["--exact", name, "--nocapture"]).env_remove("RUSTUP_TOOLCHAIN").env(marker, "1").current_dir("/");
        assert!(run(&mut alone).contains("1 passed"));
        return;
    }
    let case = Case::new("toolchain file in a registry crate");
    let registry = Registry::sparse(&case).publish(
        "mine",
        "build = \"build.rs\"\n",
        "",
        &[
            ("rust-toolchain", "1.0.0\n"),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.0.0\"\n"),
            (
                "build.rs",
                "fn main() { println!(\"cargo:rustc-env=WHO={}\", std::env::var(\"RUSTUP_TOOLCHAIN\").unwrap_or_default()); }\n",
            ),
            ("src/lib.rs", "pub const WHO: &str = env!(\"WHO\");\n"),
        ],
    );
    let case = case
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
        .file(".cargo/config.toml", &format!("[registries.own]\nindex = \"{}\"\n", registry.index()))
        .app(
            "[dependencies]\nmine = { version = \"1\", registry = \"own\" }\n",
            "fn main() { println!(\"{} {}\", mine::WHO, option_env!(\"RUSTUP_TOOLCHAIN\").unwrap_or_default()); }\n",
        )
        .locked();
    // cargo itself, not rustup's proxy of it, which would fix the toolchain: so it is in images that have cargo first in PATH.
    let cargo = run(command("rustup").args(["which", "cargo"]).current_dir("/"));
    let real = format!("exec {} \"$@\"\n", cargo.trim());
    let hijacked =
        command(case.script("hijacked.sh", &format!("unset RUSTUP_TOOLCHAIN RUSTC\nexport RUSTUP_AUTO_INSTALL=0\n{real}")))
            .args(["build", "--quiet", "--target-dir"])
            .arg(case.at("hijacked"))
            .current_dir(case.workspace())
            .env("CARGO_HOME", case.home())
            .output()
            .unwrap();
    assert!(!hijacked.status.success(), "the crate's file would decide, if kiln did not");
    let case = case.direct(cargo.trim());
    let (_, layer) = case.cook().unwrap();
    let chosen = layer.toolchain.unwrap();
    let report = case.compile("").unwrap();
    assert_eq!((report.external_compiled.len(), report.defects.len()), (0, 0), "{report:?}");
    assert_eq!(case.run("app"), format!("{chosen} {chosen}\n"));
}

/// `rust-toolchain.toml` of the workspace, and `RUSTUP_TOOLCHAIN`, which is stronger, as for rustup.
#[test]
fn the_workspaces_toolchain_is_that_of_all_stages() {
    let list = run(command("rustup").args(["toolchain", "list", "--quiet"]).current_dir("/"));
    let active = run(command("rustup").args(["show", "active-toolchain"]).current_dir("/"));
    let active = active.split(' ').next().unwrap();
    // Where only one is installed, its full name is as good a channel as any.
    let other = list.lines().map(str::trim).find(|name| *name != active && !name.starts_with("nightly")).unwrap_or(active);
    let channel = other.strip_suffix(&format!("-{HOST}")).unwrap_or(other);
    let case = |name: &str| {
        Case::new(name)
            .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
            .app("[dependencies]\nitoa = \"1\"\n", "fn main() { println!(\"{}\", option_env!(\"RUSTUP_TOOLCHAIN\").unwrap_or_default()); let _ = itoa::Buffer::new(); }\n")
            .compiles(&["app (bin)"])
    };
    let file = format!("[toolchain]\nchannel = \"{channel}\"\ncomponents = [\"clippy\"]\n");
    case("rust-toolchain.toml").file("rust-toolchain.toml", &file).prints("app", other).check();
    case("rust-toolchain").file("rust-toolchain", &format!("{channel}\n")).prints("app", other).check();
    case("RUSTUP_TOOLCHAIN over rust-toolchain.toml")
        .file("rust-toolchain.toml", &file)
        .env("RUSTUP_TOOLCHAIN", active)
        .prints("app", active)
        .check();
}
