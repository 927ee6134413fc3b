use super::*;
use crate::project::cargo::CargoPackage;

fn names(packages: &[&CargoPackage]) -> Vec<String> {
    packages.iter().map(|package| package.name.clone()).collect()
}

fn workspace() -> Fixture {
    Fixture::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"*-crate\"]\n[patch.crates-io]\ndeep = { path = \"patched\" }\n")
        .binary(
            "app-crate",
            "app",
            "[dependencies]\nlibrary = { path = \"../library-crate\" }\nexternal = \"1\"\n[dev-dependencies]\nfixtures = { path = \
             \"../fixtures-crate\" }\n[build-dependencies]\nmaker = { path = \"../maker-crate\", optional = true }\n",
        )
        .library("library-crate", "library", "[dev-dependencies]\napp = { path = \"../app-crate\" }\ntester = \"1\"\n")
        .library("fixtures-crate", "fixtures", "")
        .library("maker-crate", "maker", "")
        .binary("alone-crate", "alone", "")
        .library("patched", "deep", "")
        .file(
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"external\",\n \"fixtures\",\n \
             \"library\",\n \"maker\",\n]\n\n[[package]]\nname = \"library\"\nversion = \"0.1.0\"\ndependencies = [\n \"app\",\n \
             \"tester\",\n]\n\n[[package]]\nname = \"tester\"\nversion = \"1.0.0\"\nsource = \
             \"registry+x\"\n\n[[package]]\nname = \"external\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\ndependencies = [\n \
             \"deep\",\n]\n\n[[package]]\nname = \"deep\"\nversion = \"0.1.0\"\n",
        )
}

#[test]
fn the_closure_follows_paths_and_patches_and_leaves_development_out_unless_asked() {
    let fixture = workspace();
    let workspace = load(&fixture);
    assert_eq!(names(&workspace.closure("app", false)), ["app", "library", "maker", "deep"]);
    assert_eq!(names(&workspace.closure("app", true)), ["app", "fixtures", "library", "maker", "deep"]);
    assert_eq!(names(&workspace.closure("alone", false)), ["alone"]);
    assert_eq!(names(&workspace.closure("nobody", false)), [""; 0]);
}

#[test]
fn the_locked_closure_has_no_development_dependencies() {
    let fixture = workspace();
    let workspace = load(&fixture);
    let locked: Vec<&str> = workspace.locked_closure("app").iter().map(|package| package.name.as_str()).collect();
    assert_eq!(locked, ["app", "library", "external", "deep"]);
}

#[test]
fn binaries_come_with_their_package_and_one_may_be_the_default() {
    let fixture = workspace().file("app-crate/src/bin/other.rs", "");
    let workspace = load(&fixture);
    let binaries: Vec<String> =
        workspace.binaries().iter().map(|(package, binary)| format!("{}/{}", package.name, binary.name)).collect();
    assert_eq!(binaries, ["alone/alone", "app/app", "app/other"]);
    assert_eq!(workspace.package("alone").unwrap().default_binary().unwrap().name, "alone");
    assert!(workspace.package("app").unwrap().default_binary().is_none());
}
