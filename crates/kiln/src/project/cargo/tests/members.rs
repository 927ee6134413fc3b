use super::*;
use crate::project::cargo::Resolver;

#[test]
fn members_are_globs_nested_folders_and_path_dependencies_inside_the_root() {
    let fixture = Fixture::new()
        .file(
            "ws/Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\", \"deep/er/tool\"]\nexclude = [\"crates/left-out\", \"old\"]\n\
             default-members = [\"crates/b*\"]\n",
        )
        .library(
            "ws/crates/a",
            "a",
            "[dependencies]\nhidden = { path = \"../../inner/hidden\" }\nold = { path = \"../../old\" }\n",
        )
        .binary("ws/crates/b", "b", "[dependencies]\na = { path = \"../a\" }\noutside = { path = \"../../../outside\" }\n")
        .library("ws/crates/left-out", "left-out", "")
        .library("ws/crates/left-out/kept", "kept", "")
        .binary("ws/deep/er/tool", "tool", "")
        .library("ws/inner/hidden", "hidden", "")
        .library("ws/old", "old", "[dependencies]\nolder = { path = \"older\" }\n")
        .library("ws/old/older", "older", "")
        .library("outside", "outside", "[dependencies]\nfar = { path = \"../far\" }\n")
        .library("far", "far", "")
        .file("ws/crates/README.md", "a file that the glob matches");
    let root = fixture.path().join("ws");
    let workspace = CargoWorkspace::load(&root, fixture.path()).unwrap();
    assert_eq!(workspace.directory, root);
    assert!(workspace.is_virtual);
    assert_eq!(workspace.default_members, ["crates/b"]);
    insta::assert_snapshot!(packages(&workspace).join("\n"), @r"
    -../far far
    -../outside outside
    +crates/a a
    +crates/b b
    +deep/er/tool tool
    +inner/hidden hidden
    -old old
    -old/older older
    ");
}

#[test]
fn a_listed_folder_wins_over_an_excluded_folder_above_it() {
    let fixture = Fixture::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"group/kept\"]\nexclude = [\"group\"]\n")
        .library("group/kept", "kept", "[dependencies]\nleft = { path = \"../left\" }\n")
        .library("group/left", "left", "");
    assert_eq!(packages(&load(&fixture)), ["+group/kept kept", "-group/left left"]);
}

#[test]
fn the_workspace_is_found_from_a_member() {
    let fixture = Fixture::new().file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"../elsewhere\"]\n").library("a", "a", "");
    let workspace = CargoWorkspace::load(&fixture.path().join("a"), fixture.path());
    assert!(matches!(workspace, Err(CargoError::MissingMember { line: 2, .. })), "{workspace:?}");

    let fixture = Fixture::new()
        .file("ws/Cargo.toml", "[workspace]\nmembers = [\"a\"]\n")
        .library("ws/a", "a", "[dependencies]\npointing = { path = \"../../pointing\" }\n")
        .library("pointing", "pointing", "workspace = \"../ws\"\n");
    for folder in ["ws", "ws/a", "pointing"] {
        let workspace = CargoWorkspace::load(&fixture.path().join(folder), fixture.path()).unwrap();
        assert_eq!(workspace.directory, fixture.path().join("ws"), "{folder}");
        assert_eq!(packages(&workspace), ["+../pointing pointing", "+a a"]);
    }
}

#[test]
fn the_boundary_ends_the_search_upward() {
    let fixture = Fixture::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"repo\"]\n")
        .file("rust-toolchain", "1.70.0\n")
        .binary("repo", "app", "");
    let repository = fixture.path().join("repo");
    let inside = CargoWorkspace::load(&repository, &repository).unwrap();
    assert_eq!((inside.directory.as_path(), inside.toolchain), (repository.as_path(), None));
    let whole = CargoWorkspace::load(&repository, fixture.path()).unwrap();
    assert_eq!(whole.directory, fixture.path());
}

#[test]
fn a_package_on_its_own_is_a_workspace_of_one() {
    let fixture = Fixture::new()
        .binary("app", "app", "[dependencies]\nlib = { path = \"lib\" }\nsibling = { path = \"../sibling\" }\n")
        .library("app/lib", "lib", "")
        .library("sibling", "sibling", "");
    let workspace = CargoWorkspace::load(&fixture.path().join("app"), fixture.path()).unwrap();
    assert!(!workspace.is_virtual);
    assert_eq!(packages(&workspace), ["+. app", "-../sibling sibling", "-lib lib"]);
}

#[test]
fn patches_bring_their_packages() {
    let fixture = Fixture::new()
        .binary(".", "app", "[dependencies]\nlibc = \"0.2\"\n[patch.crates-io]\nlibc = { path = \"vendor/libc\" }\n[replace]\n\"foo:1.0.0\" = { git = \"https://example.test/foo\" }\n")
        .library("vendor/libc", "libc", "");
    let workspace = load(&fixture);
    assert_eq!(packages(&workspace), ["+. app", "-vendor/libc libc"]);
    assert_eq!((workspace.patches[0].target.as_str(), workspace.patches[0].dependency.line), ("crates-io", 8));
    assert_eq!(
        (workspace.replacements[0].target.as_str(), workspace.replacements[0].dependency.package.as_str()),
        ("foo:1.0.0", "foo")
    );
}

#[test]
fn an_outside_package_inherits_from_its_own_workspace() {
    let fixture = Fixture::new()
        .binary("app", "app", "[dependencies]\nshared = { path = \"../other/shared\" }\n")
        .file("other/Cargo.toml", "[workspace]\nmembers = [\"*\"]\n[workspace.package]\nversion = \"9.8.7\"\n[workspace.dependencies]\nbase = { path = \"base\" }\n")
        .file("other/shared/Cargo.toml", "[package]\nname = \"shared\"\nversion.workspace = true\n[dependencies]\nbase.workspace = true\n")
        .file("other/shared/src/lib.rs", "")
        .library("other/base", "base", "");
    let workspace = CargoWorkspace::load(&fixture.path().join("app"), fixture.path()).unwrap();
    assert_eq!(packages(&workspace), ["+. app", "-../other/base base", "-../other/shared shared"]);
    assert_eq!(workspace.packages[2].version, "9.8.7");
}

#[test]
fn the_resolver_follows_the_key_then_the_root_edition() {
    let package = |edition: &str, rest: &str| format!("{rest}[package]\nname = \"app\"\nedition = \"{edition}\"\n");
    for (manifest, expected) in [
        (package("2018", ""), Resolver::V1),
        (package("2021", ""), Resolver::V2),
        (package("2024", ""), Resolver::V2),
        (package("2024", "[workspace]\nresolver = \"1\"\n"), Resolver::V1),
        (format!("{}resolver = \"2\"\n", package("2015", "")), Resolver::V2),
        ("[workspace]\nresolver = \"3\"\n".to_owned(), Resolver::V2),
        ("[workspace]\n[workspace.package]\nedition = \"2024\"\n".to_owned(), Resolver::V1),
    ] {
        let fixture = Fixture::new().file("Cargo.toml", &manifest).file("src/main.rs", "");
        assert_eq!(load(&fixture).resolver, expected, "{manifest}");
    }
}

#[test]
fn toolchain_and_configuration_are_found_upward() {
    let fixture = Fixture::new()
        .binary("a/b", "app", "")
        .file(
            "a/rust-toolchain.toml",
            "[toolchain]\nchannel = \"1.85.0\"\ntargets = [\"wasm32-unknown-unknown\"]\ncomponents = [\"clippy\"]\n",
        )
        .file("rust-toolchain", "nightly-2026-01-01\n")
        .file("a/b/.cargo/config", "[build]\njobs = 1\n")
        .file("a/b/.cargo/config.toml", "[build]\njobs = 2\n")
        .file(".cargo/config.toml", "[net]\noffline = true\n");
    let workspace = CargoWorkspace::load(&fixture.path().join("a/b"), fixture.path()).unwrap();
    insta::assert_json_snapshot!((workspace.toolchain, workspace.configs), @r#"
    [
      {
        "path": "../rust-toolchain.toml",
        "channel": "1.85.0",
        "targets": [
          "wasm32-unknown-unknown"
        ],
        "components": [
          "clippy"
        ]
      },
      [
        {
          "path": ".cargo/config",
          "text": "[build]\njobs = 1\n"
        },
        {
          "path": "../../.cargo/config.toml",
          "text": "[net]\noffline = true\n"
        }
      ]
    ]
    "#);
    for (text, channel) in [("1.76\n", "1.76"), ("[toolchain]\nchannel = \"beta\"\n", "beta")] {
        let fixture = Fixture::new().binary(".", "app", "").file("rust-toolchain", text);
        assert_eq!(load(&fixture).toolchain.unwrap().channel.as_deref(), Some(channel));
    }
}
