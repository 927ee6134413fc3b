//! `kiln init --engine chef`: what is left builds with `docker build` alone.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::{Copy, command, docker};

/// An image with cargo-chef, for the stage that would compile it. Compiled once for an engine (some minutes), without optimizations:
/// the program is the same. The version is the one that generated files name.
fn cargo_chef(dockerfile: &str) -> String {
    let words: Vec<&str> = dockerfile.split_whitespace().collect();
    let version = words.windows(2).find(|pair| pair[0] == "--version").map(|pair| pair[1]).expect("a version of cargo-chef");
    let base = words.windows(4).find(|four| four[0] == "FROM" && four[3] == "cargo-chef").map(|four| four[1]).expect("its stage");
    let tag = format!("kiln-test-cargo-chef:{version}");
    let text = format!(
        "FROM {base}\nRUN CARGO_PROFILE_DEV_DEBUG=false cargo install cargo-chef --version {version} --locked --debug --root /usr/local/cargo\n"
    );
    let mut build =
        command("docker").args(["build", "--quiet", "--tag", &tag, "-"]).stdin(Stdio::piped()).spawn().expect("docker starts");
    build.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("the Dockerfile is taken");
    assert!(build.wait().expect("docker ends").success(), "no cargo-chef");
    tag
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn what_is_left_with_chef_builds_without_kiln() {
    let lock = "version = 4\n\n[[package]]\nname = \"greeting\"\nversion = \"0.1.0\"\ndependencies = [\n \"itoa\",\n]\n\n\
        [[package]]\nname = \"hello\"\nversion = \"0.1.0\"\ndependencies = [\n \"greeting\",\n]\n\n[[package]]\nname = \"itoa\"\nversion = \"1.0.19\"\n\
        source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4\"\n";
    let package = |name: &str, dependency: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n{dependency}\n")
    };
    let copy = Copy::of(
        "chef",
        &[
            ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"hello\", \"greeting\"]\n"),
            ("Cargo.lock", lock),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
            ("hello/Cargo.toml", &package("hello", "greeting = { path = \"../greeting\" }")),
            ("hello/src/main.rs", "fn main() { println!(\"{}\", greeting::text()); }\n"),
            ("greeting/Cargo.toml", &package("greeting", "itoa = \"1\"")),
            ("greeting/src/lib.rs", "pub fn text() -> String { format!(\"first {}\", itoa::Buffer::new().format(7)) }\n"),
        ],
    );
    copy.run(&["init", "--engine", "chef"]);
    // The person who leaves takes kiln's settings and records along.
    fs::remove_file(copy.root.join("kiln.toml")).expect("settings");
    let _ = fs::remove_dir_all(copy.root.join(".kiln"));
    assert_eq!(files_that_name_kiln(&copy.root), Vec::<String>::new());

    let dockerfile = fs::read_dir(&copy.root).expect("the root").flatten().map(|entry| entry.path());
    let dockerfile =
        dockerfile.chain([copy.root.join("hello/Dockerfile")]).find(|path| path.ends_with("Dockerfile") && path.is_file());
    let dockerfile = dockerfile.expect("a Dockerfile");
    let chef = cargo_chef(&fs::read_to_string(&dockerfile).expect("text"));
    let image = format!("{}/hello", copy.project);
    let build = || {
        let output = command("docker")
            .args([
                "build",
                "--progress",
                "plain",
                "--tag",
                &image,
                "--build-context",
                &format!("cargo-chef=docker-image://{chef}"),
                "--file",
            ])
            .arg(&dockerfile)
            .arg(&copy.root)
            .output()
            .expect("docker starts");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{log}");
        log
    };
    build();
    assert_eq!(docker(&["run", "--rm", &image]), "first 7");
    copy.edit("greeting/src/lib.rs", "first", "second");
    let log = build();
    let cook = log.lines().find(|line| line.contains("RUN") && line.contains("cargo chef cook")).expect("the cook step");
    let step = cook.split(' ').next().expect("its number");
    assert!(log.lines().any(|line| line == format!("{step} CACHED")), "{log}");
    assert_eq!(docker(&["run", "--rm", &image]), "second 7");
    let _ = command("docker").args(["rmi", "-f", &image]).output();
}

/// Files below a folder that name kiln, but for the name of the test's own project.
fn files_that_name_kiln(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files_that_name_kiln(&entry.path()));
        } else if fs::read_to_string(entry.path()).expect("text").to_lowercase().replace("kiln-test-", "").contains("kiln") {
            found.push(entry.path().display().to_string());
        }
    }
    found
}
