//! `kiln build --seed` and `--seed-to`

use std::fs;

use crate::support::{Ran, Test};

const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const BRANCH: &str = "r.example/deps:api-prod-fix-1";
const MAIN: &str = "r.example/deps:api-prod-main";
const UNITS: &str = "Size: 120MB\nDescription: cached mount /kiln/units from exec x with id \"/shop-units-rust-1.95.0-slim-bookworm-native-release\"";

/// A Rust service with the files of `kiln init`, on the branch `fix/1`.
fn api() -> Test {
    let mut test = Test::new()
        .docker()
        .write("kiln.toml", "[project]\nname = \"shop\"\n\n[services.api]\nseed = [\"r.example/deps:{service}-{variant}-{branch}\", \"r.example/deps:{service}-{variant}-main\"]\n")
        .write("Cargo.toml", "[package]\nname = \"api\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"api\"\nversion = \"0.1.0\"\n")
        .write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n")
        .write("src/main.rs", "fn main() {}\n")
        .write(".git/HEAD", "ref: refs/heads/fix/1\n")
        .write(".git/refs/heads/fix/1", "0123456789abcdef\n")
        .write("tool.sh", "#!/bin/sh\n")
        .env("KILN_TOOL", "tool.sh")
        .fake("build", "stream noop")
        .fake("du", "true");
    let ran = test.run_with(["init"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    test
}

/// What `imagetools` says of the given references; of all others that they are not there.
fn published(images: &[(&str, String)]) -> String {
    let cases: String = images.iter().map(|(reference, image)| format!("{reference}) echo '{image}' ;;\n")).collect();
    format!("case $reference in\n{cases}*) echo \"ERROR: $reference: not found\" >&2; exit 1 ;;\nesac\n")
}

/// A layer with what `api` needs, except for one label.
fn layer(label: &str, value: &str) -> String {
    let mut labels = vec![
        ("schema", "3"),
        ("identity", "another"),
        ("cooked-with", "scratch"),
        ("build-image", "rust:1.95.0-slim-bookworm"),
        ("toolchain", ""),
        ("target", ""),
        ("profile", "release"),
    ];
    labels.retain(|(name, _)| *name != label);
    labels.push((label, value));
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("\"org.kiln.seed.{name}\":\"{value}\"")).collect();
    format!(
        "{{\"manifest\":{{\"digest\":\"{DIGEST}\"}},\"image\":{{\"os\":\"linux\",\"architecture\":\"{}\",\"config\":{{\"Labels\":{{{}}}}}}}}}",
        if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" },
        labels.join(",")
    )
}

/// Builds, and gives the calls of the client since the last time.
fn build(test: &mut Test, arguments: &[&str]) -> (Ran, String) {
    let _ = fs::remove_file(test.root().join("fake/calls"));
    let ran = test.run_with(["build"].iter().chain(arguments).copied());
    let calls = test.calls();
    (ran, calls)
}

fn argument() -> String {
    format!("--build-arg KILN_SEED=r.example/deps@{DIGEST}")
}

#[test]
fn the_nearest_layer_is_pinned_and_an_unchanged_build_asks_nobody() {
    let mut test = api().fake("imagetools", &published(&[(MAIN, layer("", ""))]));
    let (ran, calls) = build(&mut test, &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains(&format!("api prod: there is no seed `{BRANCH}`")), "{ran}");
    assert!(ran.stderr.contains(&format!("api prod: starts with the dependencies in `{MAIN}`")), "{ran}");
    assert!(calls.contains(&argument()) && calls.contains("buildx du"), "{calls}");

    // The same again, without a registry and after an edit; then another recipe.
    let mut test = test.fake("imagetools", "exit 1").write("src/main.rs", "fn main() { println!(); }\n");
    let (ran, calls) = build(&mut test, &["--json", "--progress", "quiet"]);
    assert_eq!(ran.json()["builds"][0]["seed"], format!("r.example/deps@{DIGEST}").as_str());
    assert!(calls.contains(&argument()) && !calls.contains("imagetools") && !calls.contains("buildx du"), "{calls}");
    let mut test = test.fake("du", &format!("echo '{UNITS}'")).write(
        "Cargo.toml",
        "[package]\nname = \"api\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[profile.release]\nopt-level = 1\n",
    );
    let (ran, calls) = build(&mut test, &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!calls.contains("KILN_SEED") && !calls.contains("imagetools"), "a warm builder needs no seed: {calls}");
    // And back, as after a change of branches.
    let mut test = test.write("Cargo.toml", "[package]\nname = \"api\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    let (_, calls) = build(&mut test, &[]);
    assert!(calls.contains(&argument()) && !calls.contains("buildx du"), "{calls}");
}

#[test]
fn a_layer_that_does_not_fit_is_named_and_not_used() {
    for (label, value, why) in [
        ("schema", "1", "was published by another version of kiln"),
        ("build-image", "rust:1.80", "was built on `rust:1.80`"),
        ("toolchain", "nightly", "was built with `nightly`"),
        ("target", "x86_64-unknown-linux-musl", "was built for `x86_64-unknown-linux-musl`"),
        ("profile", "dev", "was built with the profile `dev`"),
    ] {
        let mut test = api().fake("imagetools", &published(&[(MAIN, layer(label, value))]));
        let (ran, calls) = build(&mut test, &["--seed", MAIN]);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stderr.contains(&format!("`{MAIN}` is no seed here: it {why}")), "{ran}");
        assert!(!calls.contains("KILN_SEED") && !ran.stderr.contains(BRANCH), "{calls}");
    }
}

#[test]
fn a_registry_that_does_not_answer_fails_no_build() {
    let mut test =
        api().fake("imagetools", "echo 'ERROR: failed to do request: dial tcp: no such host' >&2; exit 1").fake("du", "exit 1");
    let (ran, calls) = build(&mut test, &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(
        ran.stderr.contains(&format!("cannot ask for the seed `{BRANCH}`: failed to do request: dial tcp: no such host")),
        "{ran}"
    );
    assert_eq!(calls.matches("imagetools").count(), 1, "one registry is asked once: {calls}");
}

#[test]
fn a_seed_that_is_gone_costs_time_and_not_the_build() {
    let lost = format!(
        "case \"$*\" in *KILN_SEED*) echo 'ERROR: failed to build: failed to solve: r.example/deps@{DIGEST}: failed to resolve source metadata for r.example/deps@{DIGEST}: r.example/deps@{DIGEST}: not found' >&2; exit 1 ;; esac; stream noop"
    );
    let mut test = api().fake("imagetools", &published(&[(MAIN, layer("", ""))])).fake("build", &lost);
    let (ran, calls) = build(&mut test, &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("warning: api: going on without its seed"), "{ran}");
    assert_eq!(calls.matches("buildx build").count(), 2, "{calls}");
    let (_, calls) = build(&mut test, &[]);
    assert_eq!((calls.matches("buildx build").count(), calls.contains("KILN_SEED")), (1, false), "{calls}");
}

#[test]
fn layers_are_published_with_what_others_need_to_know() {
    let mut test = api().fake("imagetools", &published(&[]));
    let (ran, calls) = build(&mut test, &["--seed-to", "r.example/deps:{service}-{variant}-{branch}"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains(&format!("published the dependencies of api prod as `{BRANCH}`")), "{ran}");
    let call = calls.lines().find(|call| call.contains("--target layer")).expect("a build of the layer");
    for part in [
        "--push --provenance=false",
        &format!("--tag {BRANCH}"),
        "--label org.kiln.seed.build-image=rust:1.95.0-slim-bookworm",
        "--label org.kiln.seed.profile=release",
        "--label org.kiln.seed.cooked-with=scratch",
    ] {
        assert!(call.contains(part), "{part}: {call}");
    }
    // Who asks then finds what this build would have published.
    let identity = call.split("org.kiln.seed.identity=").nth(1).and_then(|rest| rest.split(' ').next()).expect("an identity");
    let mut test = test.fake("imagetools", &published(&[(BRANCH, layer("identity", identity))]));
    let (ran, calls) = build(&mut test, &["--seed-to", BRANCH]);
    assert!(ran.stderr.contains(&format!("`{BRANCH}` has these dependencies already")) && !calls.contains("--push"), "{ran}");
    // With an import the same cook is built with what that one was built with.
    fs::remove_file(test.project().join(".kiln/seeds.json")).expect("pins");
    let (ran, calls) = build(&mut test, &["--cache-from", "type=registry,ref=r.example/cache"]);
    assert!(ran.stderr.contains(&format!("`{BRANCH}` was made from the same recipe")) && !calls.contains("KILN_SEED"), "{ran}");
}

#[test]
fn references_that_cannot_be_meant_are_refused() {
    let mut test = api();
    insta::assert_snapshot!(build(&mut test, &["--seed", "r.example/deps:{tag}"]).0);
    let mut test = test.write(".git/HEAD", "0123456789abcdef\n");
    insta::assert_snapshot!(build(&mut test, &["--seed-to", "r.example/deps:{branch}"]).0);
    let mut test = Test::new().docker().service("web", "FROM scratch\n").fake("build", "stream noop");
    insta::assert_snapshot!(build(&mut test, &["--seed-to", "r.example/deps"]).0);
}

#[test]
fn without_seeds_nobody_is_asked() {
    let mut test = api().write("kiln.toml", "[project]\nname = \"shop\"\n");
    let (ran, calls) = build(&mut test, &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!calls.contains("imagetools") && !calls.contains("buildx du") && !test.project().join(".kiln/seeds.json").exists());
}
