use super::*;
use crate::project::cargo::{CargoPackage, DependencySource};

fn lone(fixture: &Fixture) -> CargoPackage {
    load(fixture).packages.remove(0)
}

fn binaries(fixture: &Fixture) -> Vec<String> {
    lone(fixture).binaries.iter().map(|binary| format!("{} {}", binary.name, binary.path)).collect()
}

#[test]
fn binaries_are_those_of_the_manifest_and_those_that_cargo_finds() {
    let sources = || {
        Fixture::new()
            .file("src/main.rs", "")
            .file("src/bin/one.rs", "")
            .file("src/bin/two/main.rs", "")
            .file("src/bin/not-one/lib.rs", "")
            .file("src/odd/place.rs", "")
    };
    let found = ["app src/main.rs", "one src/bin/one.rs", "two src/bin/two/main.rs"];
    assert_eq!(binaries(&sources().file("Cargo.toml", "[package]\nname = \"app\"\nedition = \"2021\"\n")), found);

    let explicit = "[[bin]]\nname = \"odd\"\npath = \"src/odd/place.rs\"\nrequired-features = [\"x\"]\n[[bin]]\nname = \"two\"\n";
    let modern = format!("[package]\nname = \"app\"\nedition = \"2021\"\n{explicit}");
    assert_eq!(
        binaries(&sources().file("Cargo.toml", &modern)),
        ["odd src/odd/place.rs", "two src/bin/two/main.rs", "app src/main.rs", "one src/bin/one.rs"]
    );
    let without = format!("[package]\nname = \"app\"\nedition = \"2021\"\nautobins = false\n{explicit}");
    assert_eq!(binaries(&sources().file("Cargo.toml", &without)), ["odd src/odd/place.rs", "two src/bin/two/main.rs"]);
    let old = format!("[package]\nname = \"app\"\n{explicit}");
    assert_eq!(binaries(&sources().file("Cargo.toml", &old)), ["odd src/odd/place.rs", "two src/bin/two/main.rs"]);
    let renamed = "[package]\nname = \"app\"\nedition = \"2021\"\n[[bin]]\nname = \"server\"\npath = \"src/main.rs\"\n";
    assert_eq!(
        binaries(&sources().file("Cargo.toml", renamed)),
        ["server src/main.rs", "one src/bin/one.rs", "two src/bin/two/main.rs"]
    );
    let legacy = "[package]\nname = \"app\"\n[[bin]]\nname = \"tool\"\n";
    assert_eq!(binaries(&Fixture::new().file("Cargo.toml", legacy).file("src/tool.rs", "")), ["tool src/tool.rs"]);
}

#[test]
fn libraries_have_their_name_and_kinds() {
    for (rest, expected) in [
        ("", "my_lib false lib"),
        ("[lib]\nname = \"other\"\npath = \"lib.rs\"\n", "other false lib"),
        ("[lib]\nproc-macro = true\n", "my_lib true proc-macro"),
        ("[lib]\nproc_macro = true\n", "my_lib true proc-macro"),
        ("[lib]\ncrate_type = [\"cdylib\", \"rlib\"]\n", "my_lib false cdylib rlib"),
    ] {
        let library = lone(&Fixture::new().library(".", "my-lib", rest)).library.unwrap();
        assert_eq!(format!("{} {} {}", library.name, library.proc_macro, library.crate_types.join(" ")), expected);
    }
    assert!(lone(&Fixture::new().binary(".", "app", "")).library.is_none());
    assert!(lone(&Fixture::new().library(".", "app", "autolib = false\n")).library.is_none());
}

#[test]
fn build_scripts_are_keys_or_files() {
    let package = |rest: &str| Fixture::new().library(".", "app", rest);
    assert!(!lone(&package("")).build_script);
    assert!(lone(&package("").file("build.rs", "")).build_script);
    assert!(!lone(&package("build = false\n").file("build.rs", "")).build_script);
    assert!(lone(&package("build = \"tools/make.rs\"\n")).build_script);
    insta::assert_snapshot!(error(&package("build = 3\n")), @"<root>/Cargo.toml:5: `package.build` must be a path or `false`");
}

#[test]
fn everything_in_a_manifest_is_read() {
    let fixture = Fixture::new()
        .file(
            "Cargo.toml",
            r#"cargo-features = ["edition2024"]

[workspace]
members = ["a"]

[workspace.package]
version = "1.2.3"
edition = "2024"
rust-version = "1.85"

[workspace.dependencies]
serde = { version = "1", default-features = false, features = ["derive"] }
other = { path = "b", package = "b" }

[profile.release]
lto = "thin"      # a comment
[profile.release.package."*"]
opt-level = 3

[profile.fast]
inherits = "dev"
build-override = { opt-level = 1 }
"#,
        )
        .file(
            "a/Cargo.toml",
            r#"[package]
name = "a"
version.workspace = true
edition = { workspace = true }
rust-version.workspace = true
links = "thing"
default-run = "a"

[features]
default = ["std"]
std = ["serde/std", "dep:extra"]

[dependencies]
serde = { workspace = true, features = ["rc"], default-features = true }
extra = { version = "2", optional = true, registry = "company" }
renamed = { package = "real-name", git = "https://example.test/real", tag = "v1" }

[dependencies.other]
workspace = true

[dev_dependencies]
insta = "1"

[build-dependencies]
cc = { version = "1", default_features = false }

[target.'cfg(unix)'.dependencies]
libc = "0.2"
"#,
        )
        .file("a/src/main.rs", "")
        .library("b", "b", "");
    let workspace = CargoWorkspace { directory: "<root>".into(), ..load(&fixture) };
    insta::assert_json_snapshot!(workspace);
}

#[test]
fn a_member_can_turn_default_features_on_and_not_off() {
    for (offered, wanted, expected) in
        [("false", "true", true), ("false", "false", false), ("true", "false", true), ("true", "true", true)]
    {
        let fixture = Fixture::new()
            .file("Cargo.toml", &format!("[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nx = {{ version = \"1\", default-features = {offered} }}\n"))
            .library("a", "a", &format!("[dependencies]\nx = {{ workspace = true, default-features = {wanted} }}\n"));
        let package = lone(&fixture);
        assert_eq!(package.dependencies[0].default_features, expected, "{offered} {wanted}");
        assert_eq!(package.dependencies[0].source, DependencySource::Registry(None));
    }
}
