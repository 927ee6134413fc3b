//! `kiln sqlx`

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::support::{Ran, Test};

const MANIFEST: &str = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite\"] }\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\n \"sqlx\",\n]\n\n[[package]]\nname = \"sqlx\"\nversion = \"0.8.6\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

pub(crate) fn shop(source: &str) -> Test {
    Test::new().write("Cargo.toml", MANIFEST).write("Cargo.lock", LOCK).write("src/main.rs", source)
}

pub(crate) fn with_data(test: Test, query: &str) -> Test {
    let hash = kiln::sqlx::hash(query);
    let data = serde_json::json!({
        "db_name": "SQLite", "query": query, "hash": hash, "describe": { "columns": [], "parameters": { "Right": 0 }, "nullable": [] },
    });
    test.write(&format!(".sqlx/query-{hash}.json"), &data.to_string())
}

const SOURCE: &str = r#"fn main() {
    sqlx::query!("SELECT 1");
    sqlx::query!("SELECT id, title FROM orders WHERE state = 'open' AND created > now() ORDER BY created", 7);
    sqlx::query!(concat!("SELECT ", "2"));
}

#[cfg(test)]
mod tests {
    fn f() {
        sqlx::query_scalar!("SELECT 3");
    }
}
"#;

#[test]
fn check_tells_what_an_offline_build_would_miss() {
    let mut test = with_data(with_data(shop(SOURCE), "SELECT 1"), "SELECT 0").args(["sqlx", "check"]);
    assert_snapshot!("check", test.run());
    let ran = test.run_with(["sqlx", "check", "--json", "--tests"]);
    assert_eq!(ran.code, Some(4), "{ran}");
    let document = ran.json();
    assert_eq!((&document["schema"], &document["queries"]), (&1.into(), &3.into()));
    assert_eq!(document["missing"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["missing"][0]["path"], "src/main.rs");
    assert_eq!(document["missing"][0]["line"], 3);
    assert_eq!(document["dead"].as_array().map(Vec::len), Some(1));
}

#[test]
fn check_is_content_when_all_is_there_and_strict_wants_no_dead_data() {
    let mut test = with_data(with_data(shop("fn main() { sqlx::query!(\"SELECT 1\"); }\n"), "SELECT 1"), "SELECT 0");
    test = test.args(["sqlx", "check"]);
    assert_snapshot!("check_good", test.run());
    assert_snapshot!("check_strict", test.run_with(["sqlx", "check", "--strict"]));
    assert_snapshot!("check_other_package", test.run_with(["sqlx", "check", "--package", "shp"]));
    let plain = Test::new().write("Cargo.toml", "[package]\nname = \"plain\"\nversion = \"0.1.0\"\n").write("src/main.rs", "");
    assert_snapshot!("check_no_sqlx", plain.args(["sqlx", "check"]).run());
}

/// Answers as the engine does for a database that needs two probes to be ready, or with `FAKE_NEVER` never is; `FAKE_RUN` makes `docker run` fail.
const DOCKER: &str = r#"#!/bin/sh
echo "docker $*" >>"$FAKE_DOCKER/calls"
case $1 in
run) if [ -n "$FAKE_RUN" ]; then echo "$FAKE_RUN" >&2; exit 125; fi; echo 0123456789abcdef ;;
port) echo 127.0.0.1:49153 ;;
exec) if [ -n "$FAKE_NEVER" ]; then : >"$FAKE_DOCKER/probed"; exit 2; fi
    if [ -e "$FAKE_DOCKER/ready" ]; then exit 0; fi; : >"$FAKE_DOCKER/ready"; exit 2 ;;
esac
"#;

/// Answers as cargo does: only where its target folder is.
const CARGO: &str = r#"#!/bin/sh
[ "$1" = metadata ] || exit 1
echo "{\"target_directory\":\"$FAKE_DOCKER/target\"}"
"#;

/// Answers as sqlx-cli does: migrations that run, data for one query, and the error of a difference.
const CARGO_SQLX: &str = r#"#!/bin/sh
echo "cargo $*" >>"$FAKE_DOCKER/calls"
case "$*" in
*--version*) echo "sqlx-cli-sqlx $FAKE_VERSION" ;;
*"migrate run"*) if [ -n "$FAKE_MIGRATION" ]; then echo "error: $FAKE_MIGRATION"; exit 1; fi ;;
*prepare*)
    if [ -n "$FAKE_SLOW" ]; then echo "begins" >>"$FAKE_DOCKER/calls"; sleep 1; echo "ends" >>"$FAKE_DOCKER/calls"; fi
    if [ -n "$FAKE_COMPILE" ]; then
        printf '   Compiling shop v0.1.0\nerror: %s\n --> src/main.rs:2:5\n\nerror: could not compile `shop`\n' "$FAKE_COMPILE" >&2
        echo 'error: `cargo check` failed with status: exit status: 101'
        exit 1
    fi
    mkdir -p "$FAKE_DOCKER/target/sqlx-prepare-check"
    echo '{"db_name":"PostgreSQL"}' >"$FAKE_DOCKER/target/sqlx-prepare-check/query-$FAKE_HASH.json"
    echo 'error: prepare check failed: .sqlx is missing one or more queries; you should re-run sqlx prepare'
    exit 1
    ;;
esac
"#;

/// A project for PostgreSQL with one query, and programs that only say that they do something.
fn with_programs() -> Test {
    let test = with_data(shop("fn main() {\n    sqlx::query!(\"SELECT 1\");\n}\n"), "SELECT 0")
        .write("Cargo.toml", &MANIFEST.replace("sqlite", "postgres"))
        .write("migrations/20250101000000_first.sql", "CREATE TABLE t (id INT);\n")
        .write("compose.yaml", "services:\n  db:\n    image: postgres:16-alpine\n")
        .env("FAKE_HASH", &kiln::sqlx::hash("SELECT 1"))
        .env("FAKE_VERSION", "0.8.2")
        .program("docker", DOCKER)
        .program("cargo", CARGO)
        .program("cargo-sqlx", CARGO_SQLX);
    // The scripts need the usual programs, too.
    let path = format!("{}:/usr/bin:/bin", test.root().join("bin"));
    test.env("PATH", &path)
}

#[test]
fn prepare_uses_a_container_of_the_version_in_the_compose_file_and_removes_it() {
    let mut test = with_programs().args(["sqlx", "prepare", "--container"]);
    assert_snapshot!("prepare_container", test.run());
    assert_snapshot!("prepare_container_calls", test.redacted_calls());
    assert_eq!(test.run_with(["sqlx", "prepare", "--container", "--check"]).code, Some(0));
    let document = test.run_with(["sqlx", "prepare", "--container", "--json"]).json();
    assert_eq!((&document["schema"], &document["queries"]), (&1.into(), &1.into()));
}

#[test]
fn prepare_says_what_went_wrong_and_changes_nothing() {
    let rejected = "while executing migration 20250101000000: error returned from database: type \"inte\" does not exist";
    let table = [
        ("container", with_programs().env("FAKE_RUN", "docker: pull access denied for postgres")),
        ("migration", with_programs().env("FAKE_MIGRATION", rejected)),
        ("compile", with_programs().env("FAKE_COMPILE", "error returned from database: relation \"t\" does not exist")),
    ];
    for (name, test) in table {
        let test = test.args(["sqlx", "prepare", "--container"]);
        let ran = test.run();
        assert_snapshot!(format!("prepare_bad_{name}"), ran);
        let left = std::fs::read_dir(test.project().join(".sqlx")).expect("read").count();
        assert_eq!(left, 1, "{name}: what is dead is still there, and nothing is added");
        assert!(test.redacted_calls().contains("docker rm --force --volumes kiln-sqlx-"), "{name}: {}", test.redacted_calls());
    }
    let other = with_programs().env("DATABASE_URL", "mysql://root@localhost/shop").args(["sqlx", "prepare"]);
    assert_snapshot!("prepare_bad_url", other.run());
    let mut none = with_programs().args(["sqlx", "prepare", "--migrations", "src"]);
    assert_snapshot!("prepare_bad_folder", none.run());
    std::fs::remove_dir_all(none.project().join("migrations")).expect("removed");
    assert_snapshot!("prepare_bad_nothing", none.run_with(["sqlx", "prepare"]));
    let old = with_programs().write("Cargo.lock", &LOCK.replace("0.8.6", "0.6.3")).args(["sqlx", "prepare"]);
    assert_snapshot!("prepare_bad_old", old.run());
}

/// Sends what a terminal sends for Ctrl-C.
fn interrupt(child: &std::process::Child) {
    let process = rustix::process::Pid::from_raw(child.id().try_into().expect("a number")).expect("a process");
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("sent");
}

/// Starts kiln, interrupts it once a program has made a file, and sees that it ends at once.
fn interrupted_when(test: &Test, file: &str) -> Ran {
    let child = test.spawn();
    let until = Instant::now() + Duration::from_secs(20);
    while !test.root().join(file).exists() {
        assert!(Instant::now() < until, "{file} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    interrupt(&child);
    let ran = test.ran(&child.wait_with_output().expect("kiln ends"));
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    ran
}

#[test]
fn an_interrupt_removes_the_container_and_changes_no_data() {
    let test = with_programs().env("FAKE_NEVER", "1").args(["sqlx", "prepare", "--container"]);
    let ran = interrupted_when(&test, "fake/probed");
    assert!(ran.stderr.contains("interrupted; no query data was changed"), "{ran}");
    let calls = test.redacted_calls();
    assert!(calls.trim_end().ends_with("docker rm --force --volumes kiln-sqlx-<pid>"), "{calls}");
    assert_eq!(std::fs::read_dir(test.project().join(".sqlx")).expect("read").count(), 1);
}

#[test]
fn two_runs_at_once_take_turns_and_a_wait_can_be_interrupted() {
    let test = with_programs().env("FAKE_SLOW", "1").args(["sqlx", "prepare", "--container"]);
    let first = test.spawn();
    let until = Instant::now() + Duration::from_secs(20);
    while !test.redacted_calls().contains("begins") {
        assert!(Instant::now() < until, "the first does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (second, third) = (test.spawn(), test.spawn());
    std::thread::sleep(Duration::from_millis(300));
    interrupt(&third);
    let third = test.ran(&third.wait_with_output().expect("kiln ends"));
    assert_eq!(third.code, Some(130), "{third}");
    let first = test.ran(&first.wait_with_output().expect("kiln ends"));
    let second = test.ran(&second.wait_with_output().expect("kiln ends"));
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first}{second}");
    assert!(first.stderr.contains("1 added") && second.stderr.contains("all up to date"), "{first}{second}");
    assert!(second.stderr.contains("waiting for another `kiln sqlx prepare` to end"), "{second}");
    let calls = test.redacted_calls();
    let turns: Vec<&str> = calls.lines().filter(|line| matches!(*line, "begins" | "ends")).collect();
    assert_eq!(turns, ["begins", "ends", "begins", "ends"], "{calls}");
}

/// Answers as `cargo install` does, once it was given time, and counts how often it was asked.
const CARGO_INSTALL: &str = r#"#!/bin/sh
case "$1" in
install)
    echo installs >>"$FAKE_DOCKER/installs"
    echo '   Compiling sqlx-cli v0.8.6' >&2
    if [ -n "$FAKE_NETWORK" ]; then printf 'warning: spurious network error (3 tries remaining): [6]\nerror: download of config.json failed\n' >&2; exit 101; fi
    while [ $# -gt 0 ]; do if [ "$1" = --root ]; then root=$2; fi; shift; done
    mkdir -p "$root/bin" "$root/target"
    if [ -n "$FAKE_ENDLESS" ]; then : >"$FAKE_DOCKER/installing"; sleep 60; fi
    sleep 1
    cp "$FAKE_DOCKER/cargo-sqlx" "$root/bin/cargo-sqlx"
    ;;
metadata) echo "{\"target_directory\":\"$FAKE_DOCKER/target\"}" ;;
esac
"#;

/// The same without a `cargo sqlx` in `PATH`: it has to be installed.
fn without_tool() -> Test {
    let test = with_programs().program("cargo", CARGO_INSTALL);
    std::fs::rename(test.root().join("bin/cargo-sqlx"), test.root().join("fake/cargo-sqlx")).expect("moved");
    test
}

/// What is in kiln's folder of tools, but for the lock.
fn tools_of(test: &Test) -> Vec<String> {
    let entries = std::fs::read_dir(test.project().join(".kiln/tools")).expect("read").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != ".installing.lock").collect()
}

#[test]
fn an_installation_shows_what_it_does_and_removes_what_a_killed_one_left() {
    // The process that left it was killed, and could not clean up.
    let test = without_tool().write(".kiln/tools/.installing-1/target/release/deps/libsqlx.rlib", "half").args([
        "sqlx",
        "prepare",
        "--container",
    ]);
    let ran = test.run();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("Compiling sqlx-cli v0.8.6"), "{ran}");
    assert_eq!(tools_of(&test), ["sqlx-cli-0.8.6-postgres"]);
}

#[test]
fn an_interrupted_installation_leaves_nothing_and_the_next_run_installs() {
    let mut test = without_tool().env("FAKE_ENDLESS", "1").args(["sqlx", "prepare", "--container"]);
    interrupted_when(&test, "fake/installing");
    assert_eq!(tools_of(&test), [""; 0]);
    test = test.env("FAKE_ENDLESS", "");
    assert_eq!(test.run().code, Some(0));
    assert_eq!(tools_of(&test), ["sqlx-cli-0.8.6-postgres"]);
}

#[test]
fn an_installation_that_cannot_be_made_says_what_to_do() {
    let args = ["sqlx", "prepare", "--container"];
    assert_snapshot!("prepare_bad_network", without_tool().env("FAKE_NETWORK", "1").args(args).run());
    let without_cargo = without_tool();
    std::fs::remove_file(without_cargo.root().join("bin/cargo")).expect("removed");
    let path = without_cargo.root().join("bin").into_string();
    assert_snapshot!("prepare_bad_cargo", without_cargo.env("PATH", &path).args(args).run());
}

#[test]
fn two_projects_that_share_a_folder_of_tools_install_once() {
    let (one, other) = (without_tool(), without_tool());
    let tools = one.root().join("tools").into_string();
    let args = ["sqlx", "prepare", "--container", "--tools", tools.as_str()];
    let (one, other) = (one.args(args), other.args(args));
    let children = [one.spawn(), other.spawn()];
    let ran: Vec<_> = children.into_iter().map(|child| one.ran(&child.wait_with_output().expect("kiln ends"))).collect();
    assert!(ran.iter().all(|ran| ran.code == Some(0)), "{}{}", ran[0], ran[1]);
    let installs = |test: &Test| std::fs::read_to_string(test.root().join("fake/installs")).unwrap_or_default().lines().count();
    assert_eq!(installs(&one) + installs(&other), 1, "{}{}", ran[0], ran[1]);
    let names: Vec<_> = std::fs::read_dir(&tools).expect("read").flatten().map(|entry| entry.file_name()).collect();
    assert!(names.iter().any(|name| name == "sqlx-cli-0.8.6-postgres"), "{names:?}");
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with(".installing-")), "{names:?}");
}
