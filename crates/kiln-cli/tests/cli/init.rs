//! `kiln plan` and `kiln init`

use std::fs;

use insta::assert_snapshot;

use crate::support::Test;

const MANIFEST: &str = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"0.1.0\"\n";

pub(crate) fn package() -> Test {
    Test::new().write("Cargo.toml", MANIFEST).write("src/main.rs", "fn main() {}\n").write("Cargo.lock", LOCK)
}

fn two_binaries() -> Test {
    package().write("src/bin/worker.rs", "fn main() {}\n")
}

#[test]
fn plan_shows_services_and_explains_each_value() {
    assert_snapshot!(package().args(["plan"]).run());
    let explained = package()
        .write("kiln.toml", "[project]\nname = \"shop\"\n\n[services.hello]\nport = 8080\n")
        .write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90\"\n")
        .args(["plan", "--explain"]);
    assert_snapshot!(explained.run());
}

#[test]
fn plan_prints_one_json_document() {
    let ran = package().args(["plan", "--json"]).run();
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(document["schema"], 1);
    assert_eq!(document["services"][0]["variants"]["fast"]["dockerfile"], "Dockerfile.fast");
    assert_eq!(document["services"][0]["recipe"]["binaries"][0], "hello");
}

#[test]
fn init_writes_once_and_check_tells_what_is_out_of_date() {
    let mut test = package().args(["init"]);
    assert_snapshot!("init_first", test.run());
    assert_snapshot!("init_second", test.run());
    assert_eq!(test.run_with(["init", "--check"]).code, Some(0));
    fs::remove_file(test.project().join("Dockerfile")).expect("removed");
    assert_snapshot!("init_check", test.run_with(["init", "--check"]));
    assert!(!test.project().join("Dockerfile").exists());
}

#[test]
fn init_keeps_an_edited_file_and_force_saves_it() {
    let mut test = package().args(["init"]);
    test.run();
    let path = test.project().join("kiln.mk");
    fs::write(&path, "# mine\n").expect("written");
    assert_snapshot!("init_kept", test.run_with(["init"]));
    assert_eq!(test.run_with(["init", "--check"]).code, Some(0));
    let ran = test.run_with(["init", "--diff"]);
    assert!(ran.stdout.contains("--- a/kiln.mk\n+++ b/kiln.mk\n"), "{ran}");
    assert_eq!(fs::read_to_string(&path).expect("read"), "# mine\n");
    test.run_with(["init", "--force"]);
    assert_eq!(fs::read_to_string(test.project().join("kiln.mk.kept")).expect("read"), "# mine\n");
}

#[test]
fn init_beside_docker_files_of_a_person_says_what_is_built_of_them() {
    let own = package().write("Dockerfile", "FROM scratch\nCOPY dist /\n").write(".dockerignore", "*\n!dist\n");
    let mut test = own.args(["init"]);
    assert_snapshot!("init_own_files", test.run());
    assert_eq!(test.run_with(["init", "--check"]).code, Some(0));
    assert!(!test.project().join("Dockerfile.dockerignore").exists());
}

#[test]
fn init_names_files_that_the_program_opens_until_they_are_assets() {
    let reads = "fn main() {\n    println!(\"{}\", std::fs::read_to_string(\"configuration/base.yaml\").unwrap());\n}\n";
    let mut test = package().write("src/main.rs", reads).write("configuration/base.yaml", "port: 80\n").args(["init"]);
    assert_snapshot!("init_files_not_in_image", test.run());
    let settings = "[services.hello]\npath = \".\"\nassets = [\"configuration\"]\n";
    fs::write(test.project().join("kiln.toml"), settings).expect("written");
    let ran = test.run_with(["init"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!ran.stderr.contains("configuration"), "{ran}");
    assert!(fs::read_to_string(test.project().join("Dockerfile")).expect("read").contains("configuration /app/configuration"));
}

#[test]
fn bad_input_names_file_line_and_way_out_and_writes_nothing() {
    let table = [
        ("unknown_key", package().write("kiln.toml", "[services.hello]\nprot = 80\n")),
        ("wrong_type", package().write("kiln.toml", "[services.hello]\nport = \"80\"\n")),
        ("broken_settings", package().write("kiln.toml", "[services.hello\n")),
        ("broken_manifest", package().write("Cargo.toml", "[package]\nname = \n")),
        ("missing_lock", Test::new().write("Cargo.toml", MANIFEST).write("src/main.rs", "fn main() {}\n")),
        ("stale_lock", package().write("Cargo.toml", &format!("{MANIFEST}\n[dependencies]\nserde = \"1\"\n"))),
        ("two_binaries", two_binaries()),
        ("no_such_binary", package().write("kiln.toml", "[services.hello]\nbinary = \"other\"\n")),
        ("unknown_service", package().write("kiln.toml", "[services.web]\n")),
        ("no_binary", Test::new().write("Cargo.toml", MANIFEST).write("src/lib.rs", "").write("Cargo.lock", LOCK)),
        ("nothing", Test::new()),
        (
            "missing_npm_lock",
            Test::new()
                .write("package.json", "{\"name\":\"web\",\"scripts\":{\"start\":\"node x.js\"},\"dependencies\":{\"a\":\"1\"}}"),
        ),
        (
            "sveltekit_for_a_platform",
            Test::new()
                .write(
                    "package.json",
                    "{\"name\":\"shop\",\"scripts\":{\"build\":\"vite build\"},\"devDependencies\":{\"@sveltejs/kit\":\"2\"}}",
                )
                .write(
                    "package-lock.json",
                    "{\"lockfileVersion\":3,\"packages\":{\"\":{\"devDependencies\":{\"@sveltejs/kit\":\"2\"}},\"node_modules/@sveltejs/kit\":{\"version\":\"2.0.0\"}}}",
                )
                .write("svelte.config.js", "import adapter from '@sveltejs/adapter-vercel';\nexport default { kit: { adapter: adapter() } };\n"),
        ),
        ("folder_in_the_way", package().write("Dockerfile.fast/x", "")),
        ("linked_out", package().link("web/Cargo.toml", "../Cargo.toml").link("web/Cargo.lock", "../Cargo.lock").write("web/src/main.rs", "fn main() {}\n").args(["--project", "web"])),
        ("not_utf_8", package().write_bytes("compose.yaml", b"services:\n  # caf\xe9\n  app: {}\n")),
    ];
    for (name, test) in table {
        let test = test.args(["init"]);
        let ran = test.run();
        assert_eq!(ran.code, Some(1), "{name}: {ran}");
        assert!(!test.project().join("Dockerfile").exists(), "{name} wrote");
        assert_snapshot!(format!("bad_{name}"), ran);
    }
}

#[test]
fn init_with_chef_leaves_no_trace_of_kiln_and_build_still_builds() {
    let mut test = package().docker().fake("build", "stream cold").args(["init", "--engine", "chef"]);
    assert_snapshot!("init_chef", test.run());
    let names = ["Dockerfile", "Dockerfile.dev", "Dockerfile.fast", ".dockerignore", "docker-bake.hcl", "compose.yaml"];
    for name in names {
        let text = fs::read_to_string(test.project().join(name)).expect("read");
        assert!(!text.to_lowercase().contains("kiln"), "{name}:\n{text}");
    }
    assert!(test.run_with(["plan"]).stdout.contains("engine  chef"));
    let document: serde_json::Value = serde_json::from_str(&test.run_with(["plan", "--json"]).stdout).expect("JSON");
    assert_eq!(document["engine"], "chef");
    // The choice is in kiln.toml: it needs no flag from now on.
    assert_eq!(test.run_with(["init", "--check"]).code, Some(0));
    fs::write(test.project().join("Dockerfile"), "FROM scratch\n").expect("written");
    assert_snapshot!("init_chef_edited", test.run_with(["init"]));
    let ran = test.run_with(["build", "--variant", "fast"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!test.calls().contains("--build-context"), "{}", test.calls());
}

#[test]
fn init_says_how_an_engine_from_the_command_line_becomes_the_settings() {
    let mut test = package().args(["init"]);
    test.run();
    assert_snapshot!("init_chef_after_kiln", test.run_with(["init", "--engine", "chef"]));
    let settings = "[project]\nengine = \"chef\"\n";
    fs::write(test.project().join("kiln.toml"), settings).expect("written");
    assert_snapshot!("init_chef_leftovers", test.run_with(["init"]));
    assert_snapshot!("init_back_to_kiln", test.run_with(["init", "--engine", "kiln"]));
}

#[test]
fn the_files_of_the_example_are_what_kiln_writes() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/kiro");
    let ran = Test::new().args(["init", "--check", "--project", example]).run();
    assert_eq!(ran.code, Some(0), "run `kiln init --project examples/kiro`:\n{ran}");
}
