use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn broken_toml_names_line_column_and_what_the_parser_said() {
    let manifest = "[package]\nname = \"app\"\nedition = 2021\"\n";
    insta::assert_snapshot!(error(&Fixture::new().file("Cargo.toml", manifest)), @r#"<root>/Cargo.toml:3:11: missing opening quote, expected `"`"#);
    insta::assert_snapshot!(error(&Fixture::new().file("Cargo.toml", "[package]\nname = \"é\" x\n")), @"<root>/Cargo.toml:2:12: unexpected key or value, expected newline, `#`");
    let twice = "[dependencies]\na = \"1\"\na = \"2\"\n";
    insta::assert_snapshot!(error(&Fixture::new().library(".", "app", twice)), @"<root>/Cargo.toml:7:1: duplicate key");
    let member = Fixture::new().file("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n").file("a/Cargo.toml", "[package\n");
    insta::assert_snapshot!(error(&member), @"<root>/a/Cargo.toml:1:9: unclosed table, expected `]`");
    let config = Fixture::new().binary(".", "app", "").file(".cargo/config.toml", "[build\n");
    insta::assert_snapshot!(error(&config), @"<root>/.cargo/config.toml:1:7: unclosed table, expected `]`");
}

#[test]
fn values_of_the_wrong_type_name_the_key_and_the_line() {
    for (rest, expected) in [
        ("[dependencies]\na = 1\n", "6: `dependencies.a` must be a version requirement or a table"),
        ("[dependencies]\na = { version = 1 }\n", "6: `dependencies.a.version` must be a string"),
        ("[dependencies.a]\nversion = \"1\"\nfeatures = \"x\"\n", "7: `dependencies.a.features` must be an array of strings"),
        (
            "[target.'cfg(unix)'.dependencies]\na = []\n",
            "6: `target.'cfg(unix)'.dependencies.a` must be a version requirement or a table",
        ),
        ("[features]\na = [1]\n", "6: `features.a` must be an array of strings"),
        ("links = true\n", "5: `package.links` must be a string"),
        ("[workspace]\nmembers = \"a\"\n", "6: `workspace.members` must be an array of strings"),
        ("[[bin]]\npath = \"x.rs\"\n", "6: `bin.name` is missing"),
        ("[[bin]]\nname = \"x\"\n", "6: no source file for binary `x` at `src/bin/x.rs` or `src/bin/x/main.rs`"),
    ] {
        assert_eq!(error(&Fixture::new().library(".", "app", rest)), format!("<root>/Cargo.toml:{expected}"));
    }
}

#[test]
fn what_is_missing_is_named() {
    insta::assert_snapshot!(error(&Fixture::new()), @"cannot read `<root>/Cargo.toml` / No such file or directory (os error 2)");
    insta::assert_snapshot!(error(&Fixture::new().file("Cargo.toml", "[dependencies]\n")), @"`<root>/Cargo.toml` has neither `[package]` nor `[workspace]`");
    insta::assert_snapshot!(error(&Fixture::new().file("Cargo.toml", "# x\n[package]\nversion = \"1.0.0\"\n")), @"<root>/Cargo.toml:2: `package.name` is missing");
    let members = "[workspace]\nmembers = [\n  \"here\",\n  \"gone\",\n]\n";
    insta::assert_snapshot!(error(&Fixture::new().file("Cargo.toml", members).library("here", "here", "")), @"<root>/Cargo.toml:4: member `gone` has no manifest: `<root>/gone/Cargo.toml` does not exist");
    let globbed = Fixture::new().file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n").file("crates/empty/x", "");
    insta::assert_snapshot!(error(&globbed), @"<root>/Cargo.toml:2: member `crates/*` has no manifest: `<root>/crates/empty/Cargo.toml` does not exist");
    insta::assert_snapshot!(error(&Fixture::new().file("Cargo.toml", "[workspace]\nmembers = [\"a[\"]\n")), @"<root>/Cargo.toml:2: `a[` is not a valid glob / Pattern syntax error near position 1: invalid range pattern");
    let default = "[workspace]\ndefault-members = [\"crates/x\"]\n";
    insta::assert_snapshot!(error(&Fixture::new().file("Cargo.toml", default)), @"<root>/Cargo.toml:2: default member `crates/x` is not a member of the workspace");
    let path = Fixture::new().library(".", "app", "[dependencies]\ngone = { path = \"../gone\" }\n");
    let message = error(&path);
    assert!(message.starts_with("<root>/Cargo.toml:6: path dependency `gone` has no manifest: `"), "{message}");
}

#[test]
fn inheritance_of_what_the_root_lacks_names_both_files() {
    let member = |manifest: &str| {
        let manifest = format!("[package]\nname = \"a\"\n{manifest}");
        Fixture::new()
            .file("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n")
            .file("a/Cargo.toml", &manifest)
            .file("a/src/lib.rs", "")
    };
    insta::assert_snapshot!(error(&member("version.workspace = true\n")), @"<root>/a/Cargo.toml:3: `package.version` is inherited, but `<root>/Cargo.toml` has no `workspace.package.version`");
    insta::assert_snapshot!(error(&member("[dependencies]\nserde.workspace = true\n")), @"<root>/a/Cargo.toml:4: `dependencies.serde` is inherited, but `<root>/Cargo.toml` has no `workspace.dependencies.serde`");
    insta::assert_snapshot!(error(&member("edition = { workspace = false }\n")), @"<root>/a/Cargo.toml:3: `package.edition` must be a string");
    insta::assert_snapshot!(error(&Fixture::new().library(".", "app", "[dependencies]\nserde.workspace = true\n")), @"<root>/Cargo.toml:6: `dependencies.serde` is inherited, but the package belongs to no workspace");
}

#[test]
fn packages_that_do_not_fit_together_are_named() {
    let workspace = |members: &str| Fixture::new().file("Cargo.toml", &format!("[workspace]\nmembers = [{members}]\n"));
    let same = workspace("\"a\", \"b\"").library("a", "same", "").library("b", "same", "");
    insta::assert_snapshot!(error(&same), @"two packages are named `same`: `<root>/a/Cargo.toml` and `<root>/b/Cargo.toml`");
    let nested = workspace("\"a\"").library("a", "a", "[workspace]\n");
    insta::assert_snapshot!(error(&nested), @"two workspace roots in one workspace: `<root>/Cargo.toml` and `<root>/a/Cargo.toml`");
    let wrong = workspace("\"a\"").library("a", "a", "[dependencies]\nb = { path = \"../c\" }\n").library("c", "c", "");
    insta::assert_snapshot!(error(&wrong), @"<root>/a/Cargo.toml:6: dependency on `b` by path, but `<root>/c` holds `c`");
    let unlisted = workspace("").library("a", "a", "");
    let result = CargoWorkspace::load(&unlisted.path().join("a"), unlisted.path());
    insta::assert_snapshot!(words(&unlisted, &result.unwrap_err()), @"`<root>/a/Cargo.toml` lies below the workspace `<root>/Cargo.toml`, which neither lists nor excludes it");
}

#[test]
fn a_circle_of_path_dependencies_ends_in_an_error_and_a_development_circle_does_not() {
    let circle = |section: &str| {
        Fixture::new()
            .file("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n")
            .library("a", "a", "[dependencies]\nb = { path = \"../b\" }\n")
            .library("b", "b", "[dependencies]\nc = { path = \"../c\" }\n")
            .library("c", "c", &format!("\n[{section}]\na = {{ path = \"../a\" }}\n"))
    };
    insta::assert_snapshot!(error(&circle("dependencies")), @"<root>/c/Cargo.toml:7: packages depend on each other in a circle: a -> b -> c -> a");
    assert_eq!(load(&circle("dev-dependencies")).packages.len(), 3);
    let itself = Fixture::new().library(".", "app", "[dependencies]\napp = { path = \".\" }\n");
    insta::assert_snapshot!(error(&itself), @"<root>/Cargo.toml:6: packages depend on each other in a circle: app -> app");
}

#[test]
fn names_that_are_not_utf_8_are_named_where_cargo_would_need_them() {
    let fixture = Fixture::new().binary(".", "app", "").file("src/bin/fine.rs", "");
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.rs");
    fs::write(fixture.path().join("src/bin").as_std_path().join(name), "").unwrap();
    insta::assert_snapshot!(error(&fixture), @"the name `caf�.rs` in `<root>/src/bin` is not valid UTF-8");
    let fixture = Fixture::new().file("Cargo.toml", "");
    fs::write(fixture.path().join("Cargo.toml"), b"name = \"\xff\"").unwrap();
    insta::assert_snapshot!(error(&fixture), @"`<root>/Cargo.toml` is not valid UTF-8 text (line 1)");
}

#[test]
fn symbolic_links_that_lead_in_circles_are_survived() {
    let fixture = Fixture::new().file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n").library("crates/a", "a", "");
    symlink("itself", fixture.path().join("crates/itself")).unwrap();
    assert_eq!(packages(&load(&fixture)), ["+crates/a a"]);
    symlink("../crates", fixture.path().join("crates/up")).unwrap();
    insta::assert_snapshot!(error(&fixture), @"<root>/Cargo.toml:2: member `crates/*` has no manifest: `<root>/crates/up/Cargo.toml` does not exist");
}
