//! Interruptions and failures on the real engine.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Copy, command, kiln, kiro};

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
