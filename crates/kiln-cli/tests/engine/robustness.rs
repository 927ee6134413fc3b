//! Interruptions and failures on the real engine.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Copy, command, kiln, kiro, this_run};

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_interrupt_ends_the_build_within_a_second_and_the_next_build_is_whole() {
    let kiro = kiro();
    kiro.build(&[]);
    let routes = "backend/crates/kiro-server/src/routes.rs";
    kiro.edit(routes, "Small steps, every day.", "Interrupted steps.");
    let mut child = command(kiln())
        .args(["build", "backend", "--progress", "plain"])
        .current_dir(&kiro.root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("kiln starts");
    std::thread::sleep(Duration::from_millis(1500));
    let pid = child.id().to_string();
    let interrupted = Instant::now();
    assert!(command("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let status = child.wait().expect("kiln ends");
    let took = interrupted.elapsed();
    assert_eq!(status.code(), Some(130));
    assert!(took < Duration::from_secs(1), "took {took:?}");
    let build = kiro.build(&["backend"]);
    assert_eq!(build.external_crates_compiled("backend"), 0, "{}", build.log);
    kiro.edit(routes, "Interrupted steps.", "Small steps, every day.");
    kiro.build(&[]);
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_compile_error_is_shown_with_its_line_and_exits_3() {
    let kiro = kiro();
    let routes = "backend/crates/kiro-server/src/routes.rs";
    kiro.edit(routes, "\"Small steps, every day.\"", "5");
    let output = kiro.try_run(&["build", "backend", "--progress", "plain"]);
    kiro.edit(routes, "const MOTD: &str = 5", "const MOTD: &str = \"Small steps, every day.\"");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{log}");
    assert!(log.contains("mismatched types"), "{log}");
    assert!(log.contains("Dockerfile:"), "{log}");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_broken_service_does_not_stop_the_other_with_keep_going() {
    let kiro = kiro();
    let routes = "backend/crates/kiro-server/src/routes.rs";
    kiro.edit(routes, "\"Small steps, every day.\"", "6");
    let output = kiro.try_run(&["build", "--keep-going", "--json"]);
    kiro.edit(routes, "const MOTD: &str = 6", "const MOTD: &str = \"Small steps, every day.\"");
    assert_eq!(output.status.code(), Some(3));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON document");
    let frontend = document["builds"].as_array().and_then(|builds| builds.iter().find(|build| build["service"] == "frontend"));
    assert!(frontend.is_some_and(|build| build["id"].is_string()), "{document:#}");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn two_checkouts_of_one_project_build_at_once_and_each_gets_its_own_text() {
    let kiro = kiro();
    let other = Copy::kiro(&format!("{}-b", kiro.project));
    // The same project name: the same mounts.
    other.edit("kiln.toml", &format!("name = \"{}\"", other.project), &format!("name = \"{}\"", kiro.project));
    other.run(&["init"]);
    let routes = "backend/crates/kiro-server/src/routes.rs";
    other.edit(routes, "Small steps, every day.", "The other checkout.");
    let mut child = command(kiln())
        .args(["build", "backend", "--progress", "plain", "--tag", "kiln-test-other"])
        .current_dir(&other.root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("kiln starts");
    kiro.edit(routes, "Small steps, every day.", "The first checkout.");
    kiro.build(&["backend"]);
    assert!(child.wait().expect("kiln ends").success());
    let first = crate::support::Container::run(&[&kiro.image("backend", "latest")]).get("/api/motd");
    let second = crate::support::Container::run(&["kiln-test-other"]).get("/api/motd");
    assert!(first.contains("The first checkout."), "{first}");
    assert!(second.contains("The other checkout."), "{second}");
    kiro.edit(routes, "The first checkout.", "Small steps, every day.");
    kiro.build(&[]);
}

/// A package without dependencies, in a folder that is removed when dropped.
fn small(name: &str, settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    };
    write("Cargo.toml", &format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"));
    write("Cargo.lock", &format!("version = 4\n\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n"));
    write("src/main.rs", "fn main() { println!(\"hello\"); }\n");
    write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n");
    write("kiln.toml", &format!("[project]\nname = \"{name}\"\n{settings}"));
    folder
}

fn kiln_in(folder: &tempfile::TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> std::process::Output {
    command(kiln()).args(arguments).envs(environment.iter().copied()).current_dir(folder.path()).output().expect("kiln starts")
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_secret_reaches_the_steps_that_download_and_no_layer() {
    let name = format!("kiln-test-secret-{}", this_run());
    let settings = "[[defaults.secrets]]\nid = \"token\"\nenv = \"KILN_TEST_TOKEN\"\nas-env = \"CARGO_REGISTRIES_SHOP_TOKEN\"\n";
    let folder = small(&name, settings);
    let token = "s3cr3t-of-the-test";
    assert!(kiln_in(&folder, &["init"], &[]).status.success());
    let output = kiln_in(&folder, &["build", "--progress", "plain"], &[("KILN_TEST_TOKEN", token)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let image = format!("{name}/{name}:latest");
    let archive = command("docker").args(["save", &image]).output().expect("docker starts").stdout;
    let holds = |needle: &str| archive.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(archive.len() > 1_000_000 && holds("manifest.json"), "the archive is whole");
    assert!(!holds(token), "the token is in the image");
    for record in std::fs::read_dir(folder.path().join(".kiln/builds")).expect("records") {
        let text = std::fs::read_to_string(record.expect("a record").path()).expect("read");
        assert!(!text.contains(token), "the token is in the record");
    }
    let _ = command("docker").args(["rmi", "-f", &image]).output();
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_name_that_buildkit_cannot_transfer_is_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = small(&format!("kiln-test-name-{}", this_run()), "");
    assert!(kiln_in(&folder, &["init"], &[]).status.success());
    std::fs::write(folder.path().join("src").join(std::ffi::OsStr::from_bytes(b"odd\xff.rs")), "").expect("written");
    let output = kiln_in(&folder, &["build", "--progress", "plain"], &[]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("`src/odd\\xff.rs` is not valid UTF-8"), "{log}");
    assert!(log.contains("hint: rename the file"), "{log}");
}
