//! Which external packages the closure asks for.

use super::{HOST, Repository, service};

/// One member with these dependencies, and a lock of `one` to `three` in version 1.0.0 each.
fn app(rest: &str) -> Repository {
    let wanted: Vec<_> = ["one", "two", "three"].into_iter().filter(|name| rest.contains(name)).collect();
    Repository::new()
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
        .member("app", rest)
        .lock(&format!("app 0.1.0: {}\none 1.0.0: three\nthree 1.0.0:\ntwo 1.0.0:", wanted.join(",")))
}

#[test]
fn features_of_a_package_are_resolved() {
    let optional = "[dependencies]\none = { version = \"1\", optional = true }\ntwo = { version = \"1\", optional = true, default-features = false }\n";
    let cases: [(&str, &str, &[&str]); 10] = [
        ("", "", &[]),
        ("", "one", &["one 1.0.0 target: "]),
        ("a = [\"dep:one\"]", "a", &["one 1.0.0 target: "]),
        ("a = [\"one/x\"]", "a", &["one 1.0.0 target: x"]),
        ("a = [\"one?/x\"]", "a", &[]),
        ("a = [\"one?/x\"]", "a,one", &["one 1.0.0 target: x"]),
        ("a = [\"one?/x\", \"b\"]\nb = [\"dep:one\"]", "a", &["one 1.0.0 target: x"]),
        ("a = [\"two\", \"one\"]", "a two/y", &["one 1.0.0 target: ", "two 1.0.0 target: !y"]),
        ("default = [\"two\"]", "", &["two 1.0.0 target: !"]),
        ("default = [\"two\"]\ntwo = [\"dep:two\", \"one?/z\"]", "app/one", &["one 1.0.0 target: z", "two 1.0.0 target: !"]),
    ];
    for (table, features, expected) in cases {
        let found = app(&format!("[features]\n{table}\n{optional}")).features(features).requirements();
        assert_eq!(found, expected, "[features] {table} --features {features}");
    }
}

#[test]
fn an_optional_dependency_is_no_feature_once_any_feature_says_dep() {
    let repository = app("[features]\na = [\"dep:one\"]\n[dependencies]\none = { version = \"1\", optional = true }\n");
    assert!(repository.features("one").try_recipe().is_err());
}

#[test]
fn entries_of_one_alias_in_several_sections_are_united_by_context() {
    let repository = app("[dependencies]\none = { version = \"1\", default-features = false, features = [\"a\"] }\n\
         [target.'cfg(unix)'.dependencies]\none = { version = \"1\", features = [\"b\"] }\n\
         [target.'cfg(windows)'.dependencies]\none = { version = \"1\", features = [\"c\"] }\n\
         [target.'cfg(custom)'.dependencies]\none = { version = \"1\", features = [\"d\"] }\n\
         [build-dependencies]\none = { version = \"1\", features = [\"e\"], default-features = false }\n")
    .file("app/build.rs", "fn main() {}");
    insta::assert_debug_snapshot!(repository.requirements(), @r#"
    [
        "one 1.0.0 target: a,b",
        "one 1.0.0 target cfg(custom): d",
        "one 1.0.0 host: !e",
    ]
    "#);
}

#[test]
fn the_pruned_lock_has_what_requirements_reach_and_no_local_package() {
    assert_eq!(app("[dependencies]\none = \"1\"\n").locked(), ["one 1.0.0", "three 1.0.0"]);
    assert_eq!(
        service().locked(),
        ["bytes 1.10.0", "cc 1.2.0", "libc 0.2.170", "mio 1.0.3", "serde 1.0.200", "serde_derive 1.0.200", "windows-sys 0.60.2"]
    );
}

#[test]
fn two_versions_of_a_package_are_told_apart_and_spelled_as_in_a_lock() {
    let repository = app("[dependencies]\nold = { package = \"one\", version = \"0.9\" }\none = \"1\"\ntwo = \"1\"\n")
        .lock("app 0.1.0: one 0.9.3, one 1.0.0, two\none 0.9.3:\none 1.0.0: one 0.9.3\ntwo 1.0.0: one 1.0.0");
    assert_eq!(repository.requirements(), ["one 0.9.3 target: ", "one 1.0.0 target: ", "two 1.0.0 target: "]);
    let alone = repository.clone().edit("app/Cargo.toml", "old = { package = \"one\", version = \"0.9\" }\n", "").edit(
        "Cargo.lock",
        "[\"one 0.9.3\", \"one 1.0.0\", \"two\"]",
        "[\"one 1.0.0\", \"two\"]",
    );
    assert_eq!(repository.recipe().lock, alone.recipe().lock);
    let lone = app("[dependencies]\ntwo = \"1\"\none = { version = \"0.9\", optional = true }\n")
        .lock("app 0.1.0: one 0.9.3, two\none 0.9.3:\none 1.0.0:\ntwo 1.0.0: one 1.0.0")
        .recipe();
    assert_eq!(lone.lock[1].dependencies, ["one"], "one version is left, so the name is enough");
}

#[test]
fn packages_that_depend_on_a_local_one_are_left_to_the_real_build() {
    let repository = app("[dependencies]\none = \"1\"\ntwo = \"1\"\n")
        .append("Cargo.toml", "exclude = [\"three\"]\n[patch.crates-io]\nthree = { path = \"three\" }\n")
        .member("three", "[dependencies]\nfour = { version = \"1\", features = [\"f\"] }\n")
        .lock("app 0.1.0: one, two\nfour 1.0.0:\none 1.0.0: three\nthree 0.1.0: four\ntwo 1.0.0:");
    assert_eq!(repository.requirements(), ["two 1.0.0 target: "], "`one` needs the local `three`, which nothing else asks for");
    let direct = repository.append("app/Cargo.toml", "three = \"*\"\n").edit(
        "Cargo.lock",
        "[\"one\", \"two\"]",
        "[\"one\", \"three\", \"two\"]",
    );
    assert_eq!(direct.requirements(), ["four 1.0.0 target: f", "two 1.0.0 target: "]);
}

#[test]
fn registries_and_git_are_found_as_the_manifest_says() {
    let repository = app(
        "[dependencies]\none = { version = \"1\", registry = \"company\" }\ntwo = { git = \"https://git.example.org/two.git\", branch = \"a/b\" }\n",
    )
    .append(".cargo/config.toml", "[registries.company]\nindex = \"sparse+https://crates.example.org/index/\"\ntoken = \"s3cret\"\n")
    .edit(
        "Cargo.lock",
        &format!("name = \"one\"\nversion = \"1.0.0\"\nsource = \"{}\"", super::CRATES_IO),
        "name = \"one\"\nversion = \"1.0.0\"\nsource = \"sparse+https://crates.example.org/index/\"",
    )
    .edit(
        "Cargo.lock",
        &format!("name = \"two\"\nversion = \"1.0.0\"\nsource = \"{}\"", super::CRATES_IO),
        "name = \"two\"\nversion = \"1.0.0\"\nsource = \"git+https://git.example.org/two?branch=a%2Fb#0123\"",
    );
    let recipe = repository.recipe();
    insta::assert_debug_snapshot!(recipe.requirements);
    assert!(!recipe.to_json().contains("s3cret"));
    let unescaped = repository.edit("Cargo.lock", "a%2Fb", "a/b").edit("Cargo.lock", "version = 4\n", "version = 3\n");
    assert_eq!(recipe, unescaped.recipe(), "the spelling of the lock's version does not matter");
}

#[test]
fn a_configured_override_of_a_local_build_script_leaves_out_what_only_that_needs() {
    let repository = app("links = \"native\"\n[build-dependencies]\none = \"1\"\n").file("app/build.rs", "fn main() {}");
    assert_eq!(repository.requirements(), ["one 1.0.0 host: "]);
    let config = format!("[target.{HOST}.native]\nrustc-link-lib = [\"n\"]\n");
    assert_eq!(repository.file(".cargo/config.toml", &config).requirements(), ["one 1.0.0 development: "]);
}

#[test]
fn configuration_files_are_merged_with_the_nearest_winning() {
    let recipe = app("[dependencies]\none = \"1\"\n").file(
        ".cargo/config.toml",
        "[build]\nrustflags = [\"-Ca\"]\nrustc-wrapper = \"tools/wrap\"\n[env]\nP = { value = \"x\", relative = true }\n",
    );
    let mut workspace = recipe.load();
    workspace.configs.push(crate::project::cargo::CargoConfig {
        path: "../.cargo/config.toml".into(),
        text: "[build]\nrustflags = \"-Cb\"\nrustc-wrapper = \"no\"\n[source.vendored]\ndirectory = \"third/party\"\n".to_owned(),
    });
    let recipe = super::prepare(&workspace, &recipe.selection, HOST).unwrap();
    insta::assert_snapshot!(recipe.config, @r#"
    [build]
    rustc-wrapper = "tools/wrap"
    rustflags = ["-Cb", "-Ca"]

    [env.P]
    relative = true
    value = "x"

    [source.vendored]
    directory = "../third/party"
    "#);
    assert_eq!(super::super::vendored_folders(&recipe), ["../third/party"]);
}
