//! Whole repositories.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::fixture::Fixture;
use super::*;

fn seen(fixture: &Fixture) -> String {
    let project = look(fixture.path()).unwrap_or_else(|error| panic!("{error}"));
    let below = |path: &Utf8Path| cargo::paths::relative(&project.root, path);
    let mark = |incidental| if incidental { " (incidental)" } else { "" };
    let cargo = project.cargo.iter().map(|workspace| {
        let members: Vec<&str> = workspace.members().map(|package| package.name.as_str()).collect();
        format!("cargo {}: {}{}", below(&workspace.directory), members.join(", "), mark(workspace.incidental))
    });
    let node = project.node.iter().map(|workspace| format!("node {}{}", below(&workspace.directory), mark(workspace.incidental)));
    let strays = project.strays.iter().map(|stray| format!("stray {stray}"));
    let docker = project.docker_files.iter().map(|file| format!("docker {file}"));
    cargo.chain(node).chain(strays).chain(docker).collect::<Vec<_>>().join("\n")
}

const PACKAGE: &str = r#"{"name": "web", "scripts": {"build": "rollup -c"}, "dependencies": {"rollup": "4"}}"#;

#[test]
fn workspaces_and_packages_are_found_at_any_depth() {
    let fixture = Fixture::new()
        .file("services/backend/Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"tools\"]\n")
        .binary("services/backend/crates/api", "api", "[dependencies]\nshared = { path = \"../../../../shared\" }\n")
        .library("services/backend/crates/model", "model", "")
        .binary("services/backend/tools/own", "own", "[workspace]\n")
        .binary("services/backend/tools/alone", "alone", "")
        .library("services/backend/forgotten", "forgotten", "")
        .library("shared", "shared", "")
        .binary("shared/helper", "helper", "")
        .binary("examples/demo", "demo", "")
        .file("tests/fixtures/broken/Cargo.toml", "[package\n")
        .file("tests/fixtures/broken/package.json", "{")
        .file("frontend/package.json", PACKAGE)
        .file("examples/web/package.json", PACKAGE)
        .file("frontend/node_modules/x/package.json", PACKAGE)
        .file("services/backend/target/package/x/Cargo.toml", "[package\n")
        .file(".hidden/Cargo.toml", "[package\n")
        .file(".gitignore", "generated/\n")
        .file("generated/Cargo.toml", "[package\n")
        .file("Dockerfile", "")
        .file("services/backend/.dockerignore", "")
        .file("services/backend/Dockerfile.dev", "")
        .file("docker-bake.hcl", "")
        .file("compose.yaml", "");
    insta::assert_snapshot!(seen(&fixture), @r#"
    cargo examples/demo: demo (incidental)
    cargo services/backend: api, model
    cargo services/backend/tools/alone: alone
    cargo services/backend/tools/own: own
    cargo shared/helper: helper
    node examples/web (incidental)
    node frontend
    stray services/backend/forgotten
    docker Dockerfile
    docker compose.yaml
    docker docker-bake.hcl
    docker services/backend/.dockerignore
    docker services/backend/Dockerfile.dev
    "#);
}

#[test]
fn a_path_dependency_with_a_lock_of_its_own_is_a_workspace_of_its_own() {
    let fixture = Fixture::new()
        .binary("app", "app", "[dependencies]\none = { path = \"../one\" }\ntwo = { path = \"../two\" }\n")
        .binary("one", "one", "")
        .file("one/Cargo.lock", "version = 4\n")
        .binary("two", "two", "");
    insta::assert_snapshot!(seen(&fixture), @r#"
    cargo app: app
    cargo one: one
    "#);
}

#[test]
fn a_folder_that_is_looked_at_itself_is_not_incidental() {
    let fixture =
        Fixture::new().binary("examples/demo", "demo", "").file("Cargo.toml", "[workspace]\nexclude = [\"examples\"]\n");
    let project = look(&fixture.path().join("examples/demo")).unwrap();
    assert_eq!((project.name.as_str(), project.cargo.len(), project.cargo[0].incidental), ("demo", 1, false));
    insta::assert_snapshot!(seen(&fixture), @r#"
    cargo .: 
    cargo examples/demo: demo (incidental)
    "#);
}

#[test]
fn broken_manifests_and_names_are_errors() {
    let message = |fixture: &Fixture| match look(fixture.path()) {
        Ok(_) => panic!("no error"),
        Err(error) => error.to_string().replace(fixture.path().as_str(), "<root>"),
    };
    insta::assert_snapshot!(message(&Fixture::new().file("a/Cargo.toml", "[package]\nname = \n")), @"<root>/a/Cargo.toml:2:8: string values must be quoted, expected literal string");
    insta::assert_snapshot!(message(&Fixture::new().file("a/package.json", "{\n")), @"`<root>/a/package.json` line 2 is not valid JSON");
    let fixture = Fixture::new().file("a/x", "");
    let folder = fixture.path().join("a").as_std_path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&folder).unwrap();
    assert_eq!(seen(&fixture), "");
    fs::write(folder.join("Cargo.toml"), "").unwrap();
    insta::assert_snapshot!(message(&fixture), @"the name `caf�` in `<root>/a` is not valid UTF-8");
    insta::assert_snapshot!(look("/nowhere/at/all".into()).unwrap_err().to_string(), @"cannot read `/nowhere/at/all`");
}

#[test]
fn an_unreadable_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new().file("locked/x", "");
    let locked = fixture.path().join("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Nothing is unreadable for root.
    let readable = fs::read_dir(&locked).is_ok();
    let result = look(fixture.path());
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(readable || matches!(&result, Err(LookError::Read { path, .. }) if *path == locked), "{result:?}");
}

#[test]
fn symbolic_links_that_lead_in_circles_are_survived() {
    let fixture = Fixture::new().binary("app", "app", "");
    symlink("..", fixture.path().join("app/up")).unwrap();
    symlink("itself", fixture.path().join("itself")).unwrap();
    assert_eq!(seen(&fixture), "cargo app: app");
}

#[test]
fn names_become_fit_for_images() {
    for (folder, expected) in [
        ("kiro", "kiro"),
        ("My App", "my-app"),
        ("a__b--c", "a_b-c"),
        ("_x_", "x"),
        ("ümlaut", "mlaut"),
        ("", "project"),
        ("v1.2", "v1.2"),
    ] {
        assert_eq!(image_name(folder), expected, "{folder}");
    }
}
