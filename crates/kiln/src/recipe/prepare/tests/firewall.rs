//! What changes a recipe, and above all what does not.

use super::{Repository, SERVICE_LOCK, service};

/// An edit by name.
type Edits = Vec<(&'static str, Repository)>;

fn assert_same(edits: Edits) {
    let before = service().recipe().to_json();
    for (name, after) in edits {
        assert_eq!(before, after.recipe().to_json(), "changed by: {name}");
    }
}

fn assert_different(edits: Edits) {
    let before = service().recipe().digest();
    for (name, after) in edits {
        assert_ne!(before, after.recipe().digest(), "not changed by: {name}");
    }
}

#[test]
fn a_recipe_of_a_service_reads_like_this() {
    insta::assert_snapshot!(service().recipe().to_json());
}

#[test]
fn its_stub_reads_like_this() {
    let files = super::super::stub_workspace(&service().recipe());
    insta::assert_snapshot!(files.into_iter().map(|(path, text)| format!("==> {path}\n{text}\n")).collect::<String>());
}

#[test]
fn sources_and_targets_do_not_change_the_recipe() {
    let s = service;
    assert_same(vec![
        ("source edit", s().append("app/src/main.rs", "// more\n")),
        ("new module", s().file("lib/src/more.rs", "")),
        ("new test", s().file("app/tests/t.rs", "")),
        ("new example", s().file("app/examples/e.rs", "fn main() {}")),
        ("new bench", s().file("lib/benches/b.rs", "")),
        (
            "new binary, not chosen",
            s().file("app/src/bin/second.rs", "fn main() {}").select(|it| it.binaries = vec!["app".into()]),
        ),
        ("binary named", s().select(|it| it.binaries = vec!["app".into()])),
        ("package named", s().select(|it| it.package = Some("app".into()))),
    ]);
}

#[test]
fn what_manifests_say_beside_dependencies_does_not_change_the_recipe() {
    let s = service;
    assert_same(vec![
        (
            "member's version",
            s().edit("lib/Cargo.toml", "version = \"0.1.0\"", "version = \"0.2.0\"").edit(
                "Cargo.lock",
                "name = \"lib\"\nversion = \"0.1.0\"",
                "name = \"lib\"\nversion = \"0.2.0\"",
            ),
        ),
        ("description", s().edit("app/Cargo.toml", "edition", "description = \"x\"\nedition")),
        ("authors", s().edit("app/Cargo.toml", "edition", "authors = [\"x\"]\nedition")),
        ("license", s().edit("Cargo.toml", "MIT", "Apache-2.0")),
        ("metadata", s().append("app/Cargo.toml", "\n[package.metadata.x]\ny = 1\n")),
        ("workspace metadata", s().append("Cargo.toml", "\n[workspace.metadata.x]\ny = 1\n")),
        ("lints", s().append("Cargo.toml", "\n[workspace.lints.rust]\nunsafe_code = \"deny\"\n")),
        ("rust-version", s().edit("app/Cargo.toml", "edition", "rust-version = \"1.80\"\nedition")),
        ("default-run", s().edit("app/Cargo.toml", "edition", "default-run = \"app\"\nedition")),
        ("member's edition", s().edit("lib/Cargo.toml", "2021", "2024")),
        ("comment", s().edit("app/Cargo.toml", "[features]", "# about features\n[features]")),
        (
            "order of features",
            s().edit(
                "app/Cargo.toml",
                "default = [\"http\"]\nhttp = [\"lib/net\"]",
                "http = [\"lib/net\"]\ndefault = [\"http\"]",
            ),
        ),
        ("order of a dependency's features", s().edit("lib/Cargo.toml", "[\"os-poll\"]", "[\"os-poll\", \"net\"]")),
        ("internal feature", s().edit("lib/Cargo.toml", "[features]", "[features]\ninternal = []")),
        (
            "internal feature that is on",
            s().edit("app/Cargo.toml", "http = [\"lib/net\"]", "http = [\"lib/net\", \"flag\"]\nflag = []"),
        ),
        (
            "optional dependency that is off",
            s().edit("app/Cargo.toml", "tls = [\"dep:rustls\"]", "tls = [\"dep:rustls\", \"rustls/std\"]"),
        ),
        ("resolver 3", s().edit("Cargo.toml", "resolver = \"2\"", "resolver = \"3\"")),
    ]);
}

#[test]
fn the_shape_of_the_workspace_does_not_change_the_recipe() {
    let s = service;
    let lock = |from: &str, to: &str| SERVICE_LOCK.replace(from, to);
    assert_same(vec![
        (
            "new internal crate",
            s().edit("Cargo.toml", "\"other\"]", "\"other\", \"core\"]")
                .member("core", "")
                .append("lib/Cargo.toml", "core = { path = \"../core\" }\n")
                .lock(&lock("lib 0.1.0: mio,", "core 0.1.0:\nlib 0.1.0: core, mio,")),
        ),
        (
            "renamed member",
            s().edit("lib/Cargo.toml", "name = \"lib\"", "name = \"base\"")
                .edit("app/Cargo.toml", "lib = { path", "lib = { package = \"base\", path")
                .lock(&lock("lib 0.1.0", "base 0.1.0").replace("derive, lib,", "base, derive,")),
        ),
        (
            "dependency moved between members",
            s().edit("app/Cargo.toml", "bytes = \"1\"\n", "")
                .append("lib/Cargo.toml", "bytes = \"1\"\n")
                .lock(&lock("app 0.1.0: bytes, ", "app 0.1.0: ").replace("lib 0.1.0: ", "lib 0.1.0: bytes, ")),
        ),
        ("dependency renamed", s().edit("app/Cargo.toml", "bytes = \"1\"", "octets = { package = \"bytes\", version = \"1\" }")),
        (
            "dependency inherited",
            s().edit("lib/Cargo.toml", "serde.workspace = true", "serde = { version = \"1.0\", default-features = false }"),
        ),
        (
            "a member that the binary does not reach",
            s().append("other/Cargo.toml", "uuid = \"1\"\n").lock(
                &lock("rand, serde", "rand, serde, uuid").replace("windows-sys 0.60.2:", "uuid 1.2.0:\nwindows-sys 0.60.2:"),
            ),
        ),
        ("its part of the lock", s().lock(&lock("rand 0.9.0", "rand 0.9.1"))),
        (
            "development dependency",
            s().append("app/Cargo.toml", "serde = \"1\"\n").lock(&lock("rustls, temp", "rustls, serde, temp")),
        ),
        ("development dependency's version", s().lock(&lock("tempfile 3.10.0", "tempfile 3.11.0"))),
        (
            "feature of another platform's dependency",
            s().edit("app/Cargo.toml", "\"0.60\"", "{ version = \"0.60\", features = [\"Win32\"] }"),
        ),
        (
            "platform that applies anyway",
            s().edit("app/Cargo.toml", "bytes = \"1\"\n", "")
                .append("app/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nbytes = \"1\"\n"),
        ),
        ("version of the lock", s().edit("Cargo.lock", "version = 4\n", "version = 3\n")),
    ]);
}

#[test]
fn harmless_settings_do_not_change_the_recipe() {
    let s = service;
    let config = ".cargo/config.toml";
    assert_same(vec![
        ("another profile", s().edit("Cargo.toml", "debug = 0", "debug = 2")),
        ("new profile", s().append("Cargo.toml", "\n[profile.dist]\ninherits = \"release\"\n")),
        ("override for a member", s().append("Cargo.toml", "\n[profile.release.package.lib]\nopt-level = 1\n")),
        ("override for a package out of reach", s().append("Cargo.toml", "\n[profile.release.package.rand]\nopt-level = 1\n")),
        ("incremental", s().edit("Cargo.toml", "debug = 1", "debug = 1\nincremental = true")),
        ("order of profile keys", s().edit("Cargo.toml", "opt-level = 3\ndebug = 1", "debug = 1\nopt-level = 3")),
        ("profile in configuration that repeats the manifest", s().append(config, "\n[profile.release]\ndebug = 1\n")),
        ("alias", s().append(config, "\n[alias]\nx = \"run\"\n")),
        ("terminal", s().append(config, "\n[term]\nverbose = true\n")),
        ("jobs", s().edit(config, "[build]", "[build]\njobs = 3")),
        ("runner", s().append(config, "runner = \"qemu\"\n")),
        ("another target's linker", s().append(config, "\n[target.aarch64-apple-darwin]\nlinker = \"ld64\"\n")),
        ("flags of platforms that do not apply", s().append(config, "\n[target.'cfg(windows)']\nrustflags = [\"-Cx\"]\n")),
        ("token", s().append(config, "\n[registry]\ntoken = \"secret\"\n\n[registries.y]\ntoken = \"secret\"\n")),
        ("flags as one string", s().edit(config, "[\"-Cforce-frame-pointers\"]", "\"-Cforce-frame-pointers\"")),
        ("components", s().edit("rust-toolchain.toml", "clippy", "rustfmt")),
    ]);
}

#[test]
fn whatever_changes_units_changes_the_recipe() {
    let s = service;
    let config = ".cargo/config.toml";
    let lock = |from: &str, to: &str| s().lock(&SERVICE_LOCK.replace(from, to));
    assert_different(vec![
        ("version of a dependency", lock("bytes 1.10.0", "bytes 1.10.1")),
        ("version below a dependency", lock("libc 0.2.170", "libc 0.2.171")),
        ("checksum", s().edit("Cargo.lock", &blake3::hash(b"cc 1.2.0").to_hex().to_string()[..8], "00000000")),
        ("features of a dependency", s().edit("lib/Cargo.toml", "\"os-poll\"", "\"os-ext\"")),
        (
            "default features",
            s().edit("app/Cargo.toml", "bytes = \"1\"", "bytes = { version = \"1\", default-features = false }"),
        ),
        ("feature of a member that asks for one", s().edit("app/Cargo.toml", "[\"http\"]", "[]")),
        ("--features", s().features("tls")),
        ("--no-default-features", s().select(|it| it.no_default_features = true)),
        ("dependency now for the host too", s().edit("app/Cargo.toml", "cc = \"1\"", "cc = \"1\"\nbytes = \"1\"")),
        ("profile", s().select(|it| it.profile = "dev".into())),
        ("profile setting", s().edit("Cargo.toml", "opt-level = 3", "opt-level = \"z\"")),
        ("override for a package", s().edit("Cargo.toml", "opt-level = 2", "opt-level = 1")),
        ("build-override", s().append("Cargo.toml", "\n[profile.release.build-override]\nopt-level = 3\n")),
        ("link-time optimization", s().edit("Cargo.toml", "debug = 1", "debug = 1\nlto = true")),
        ("profile in configuration", s().append(config, "\n[profile.release]\ndebug = 2\n")),
        ("target", s().target("aarch64-unknown-linux-gnu")),
        ("target by configuration", s().edit(config, "[build]", "[build]\ntarget = \"x86_64-unknown-linux-musl\"")),
        ("flags", s().edit(config, "-Cforce-frame-pointers", "-Ctarget-cpu=native")),
        ("linker", s().edit(config, "clang", "gcc")),
        ("override of a build script", s().append(config, "\n[target.x86_64-unknown-linux-gnu.z]\nrustc-link-lib = [\"z\"]\n")),
        ("environment", s().append(config, "\n[env]\nZ_STATIC = \"1\"\n")),
        ("channel", s().edit("rust-toolchain.toml", "1.90.0", "1.91.0")),
        ("resolver 1", s().edit("Cargo.toml", "resolver = \"2\"", "resolver = \"1\"")),
        ("cargo-features", s().edit("Cargo.toml", "[workspace]\n", "cargo-features = [\"trim-paths\"]\n[workspace]\n")),
        (
            "patch in use",
            s().append("Cargo.toml", "\n[patch.crates-io]\nbytes = { git = \"https://git.example.org/bytes\", rev = \"abc\" }\n")
                .edit(
                    "Cargo.lock",
                    &format!("name = \"bytes\"\nversion = \"1.10.0\"\nsource = \"{}\"", super::CRATES_IO),
                    "name = \"bytes\"\nversion = \"1.10.0\"\nsource = \"git+https://git.example.org/bytes?rev=abc#abcdef\"",
                ),
        ),
    ]);
}

#[test]
fn a_patch_that_the_lock_does_not_use_does_not_change_the_recipe() {
    assert_same(vec![(
        "unused patch",
        service().append("Cargo.toml", "\n[patch.crates-io]\nbytes = { git = \"https://git.example.org/bytes\" }\n"),
    )]);
}

#[test]
fn crate_types_of_members_count_under_lto_only() {
    let cdylib = |repository: Repository| repository.append("lib/Cargo.toml", "\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n");
    let lto = |repository: Repository| repository.edit("Cargo.toml", "debug = 1", "debug = 1\nlto = \"thin\"");
    assert_eq!(service().recipe(), cdylib(service()).recipe());
    assert_ne!(lto(service()).recipe(), lto(cdylib(service())).recipe());
}

#[test]
fn under_resolver_1_development_and_other_platforms_count() {
    let first = || service().edit("Cargo.toml", "resolver = \"2\"", "resolver = \"1\"");
    insta::assert_debug_snapshot!(first().requirements());
    let more = first().edit("app/Cargo.toml", "tempfile = \"3\"", "tempfile = { version = \"3\", features = [\"nightly\"] }");
    assert_ne!(first().recipe(), more.recipe());
}
