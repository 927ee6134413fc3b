//! Git, `[patch]` and `[replace]`.

use super::support::{self, Case};
use super::{member, root};

#[test]
fn patches_to_paths_make_a_package_local() {
    Case::new("patched")
        .file("Cargo.toml", &root("[patch.crates-io]\nitoa = { path = \"outside/itoa\" }\n"))
        .file(
            "app/Cargo.toml",
            &member("app", "[dependencies]\nitoa = { version = \"1\", features = [\"x\"] }\nlog = \"0.4\"\nryu = \"1\"\n"),
        )
        .main("app")
        .file(
            "outside/itoa/Cargo.toml",
            "[package]\nname = \"itoa\"\nversion = \"1.0.99\"\nedition = \"2021\"\n[features]\nx = [\"memchr/std\"]\n\
             [dependencies]\nmemchr = { version = \"2\", default-features = false }\n",
        )
        .lib("outside/itoa")
        .check(&["--bin", "app"]);
}

/// A git repository with two crates, `itoa` and `extra`, on the branch `a/b`.
fn repository() -> Case {
    let repository = Case::new("git")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"itoa\", \"extra\"]\n")
        .file("itoa/Cargo.toml", "[package]\nname = \"itoa\"\nversion = \"1.0.5\"\nedition = \"2021\"\n[features]\nx = []\n[dependencies]\ncfg-if = \"1\"\n")
        .lib("itoa")
        .file("extra/Cargo.toml", "[package]\nname = \"extra\"\nversion = \"0.3.0\"\nedition = \"2021\"\n[dependencies]\nlog = \"0.4\"\nitoa = \"1\"\n")
        .lib("extra");
    for arguments in [
        &["init", "--quiet", "--initial-branch", "a/b"][..],
        &["add", "."],
        &["-c", "user.name=k", "-c", "user.email=k@example.org", "commit", "--quiet", "-m", "x"],
    ] {
        support::git(repository.path(), arguments);
    }
    repository
}

#[test]
fn git_dependencies_and_patches_to_git_stay_external() {
    let repository = repository();
    let source = format!("git = \"file://{}\", branch = \"a/b\"", repository.path());
    for old_lock in [false, true] {
        let case = Case::new("git-user")
            .file("Cargo.toml", &root(&format!("[patch.crates-io]\nitoa = {{ {source} }}\nextra = {{ {source} }}\n")))
            .file(
                "app/Cargo.toml",
                &member("app", &format!("[dependencies]\nitoa = {{ version = \"1\", features = [\"x\"] }}\nmore = {{ {source}, package = \"extra\" }}\n")),
            )
            .main("app");
        let case = if old_lock { case.lock_of_version_3() } else { case };
        case.check(&["--bin", "app"]);
    }
}

#[test]
fn replacements_by_git_stay_external_and_those_by_paths_are_local() {
    let repository = repository();
    Case::new("replaced")
        .file(
            "Cargo.toml",
            &root(&format!(
                "[replace]\n\"itoa:1.0.5\" = {{ git = \"file://{}\", branch = \"a/b\" }}\n\"ryu:1.0.5\" = {{ path = \"outside/ryu\" }}\n",
                repository.path()
            )),
        )
        .file("app/Cargo.toml", &member("app", "[dependencies]\nitoa = \"=1.0.5\"\nryu = \"=1.0.5\"\nlog = \"0.4\"\n"))
        .main("app")
        .file(
            "outside/ryu/Cargo.toml",
            "[package]\nname = \"ryu\"\nversion = \"1.0.5\"\nedition = \"2021\"\n[dependencies]\nmemchr = \"2\"\n",
        )
        .lib("outside/ryu")
        .check(&["--bin", "app"]);
}
