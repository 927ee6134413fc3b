//! The verdict of `kiln sqlx check` is that of the compiler: a workspace of small packages, each with one case, is compiled with
//! `SQLX_OFFLINE=true`, and every package must be judged as it compiles. Needs cargo and a registry; SQLx is compiled once.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::sqlx::{CheckOptions, Scope, check, file_name, hash};

use cases::{CASES, Case};

/// One column and `parameters` arguments, as SQLx 0.8 writes it.
fn data(query: &str, parameters: usize) -> String {
    let column = serde_json::json!({ "name": "n", "ordinal": 0, "type_info": "Integer" });
    serde_json::json!({
        "db_name": "SQLite", "query": query, "hash": hash(query),
        "describe": { "columns": [column], "parameters": { "Right": parameters }, "nullable": [false] },
    })
    .to_string()
}

fn write(path: &Utf8Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Writes the workspace below the target folder, so that SQLx stays compiled between runs.
fn workspace() -> Utf8PathBuf {
    let root = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("sqlx-offline");
    for folder in ["cases", ".sqlx"] {
        let _ = fs::remove_dir_all(root.join(folder));
    }
    let manifest = "[workspace]\nresolver = \"2\"\nmembers = [\"cases/*\"]\n[workspace.dependencies]\nsqlx = { version = \
                    \"=0.8.6\", default-features = false, features = [\"macros\", \"runtime-tokio\", \"sqlite\"] }\n";
    write(&root.join("Cargo.toml"), manifest);
    for case in CASES {
        let folder = root.join("cases").join(case.name);
        let manifest = "[package]\nversion = \"0.1.0\"\nedition = \"2021\"\n[features]\non = []\ndefault = [\"on\"]\noff = \
                        []\n[lib]\ndoctest = false\n[dependencies]\nsqlx.workspace = true\n";
        write(
            &folder.join("Cargo.toml"),
            &manifest.replacen("[package]\n", &format!("[package]\nname = \"{}\"\n", case.name), 1),
        );
        for (path, text) in case.files {
            write(&folder.join(path), text);
        }
        for (place, query, parameters) in case.data {
            let place = if *place == "workspace" { root.join(".sqlx") } else { folder.join(place) };
            write(&place.join(file_name(&hash(query))), &data(query, *parameters));
        }
        for (path, query, text) in case.other_data {
            write(&folder.join(path).join(file_name(&hash(query))), &text.replace("{good}", &data(query, 0)));
        }
    }
    root
}

#[derive(Debug, Default)]
struct Compiled {
    built: BTreeSet<String>,
    messages: BTreeMap<String, String>,
}

#[expect(clippy::disallowed_methods, reason = "the truth is what cargo says")]
fn compile(root: &Utf8Path, tests: bool) -> Compiled {
    let mut command = Command::new(env!("CARGO"));
    command.args(["check", "--workspace", "--keep-going", "--message-format=json"]).current_dir(root);
    if tests {
        command.args(["--lib", "--profile", "test"]);
    }
    command.env("SQLX_OFFLINE", "true").env("CARGO_TARGET_DIR", root.join("target"));
    command.env_remove("DATABASE_URL").env_remove("SQLX_OFFLINE_DIR").env_remove("RUSTFLAGS");
    let output = command.output().unwrap();
    let mut compiled = Compiled::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(name) = message["target"]["name"].as_str().map(|name| name.replace('_', "-")) else { continue };
        match message["reason"].as_str() {
            Some("compiler-artifact") => {
                compiled.built.insert(name);
            }
            Some("compiler-message") if message["message"]["level"] == "error" => {
                compiled.messages.entry(name).or_insert_with(|| message["message"]["message"].as_str().unwrap().to_owned());
            }
            _ => {}
        }
    }
    let all = CASES.iter().all(|case| compiled.built.contains(case.name) || compiled.messages.contains_key(case.name));
    assert!(all, "cargo did not get to every case:\n{}", String::from_utf8_lossy(&output.stderr));
    compiled
}

/// Whether kiln says that a package compiles; none if it says that it does not know.
fn verdict(root: &Utf8Path, tests: bool) -> BTreeMap<String, Option<bool>> {
    let project = kiln::project::look(root).unwrap();
    let found = check(&project.cargo[0], &CheckOptions::default()).unwrap();
    let bad: BTreeSet<&str> = found
        .failing(tests)
        .map(|query| query.package.as_str())
        .chain(found.refused(tests).map(|call| call.package.as_str()))
        .collect();
    let unknown: BTreeSet<&str> = found
        .unresolved
        .iter()
        .filter(|call| !call.reason.is_refused() && call.scope != Scope::Off)
        .map(|call| call.package.as_str())
        .collect();
    let judge = |name: &str| {
        if bad.contains(name) {
            Some(false)
        } else if unknown.contains(name) {
            None
        } else {
            Some(true)
        }
    };
    CASES.iter().map(|case| (case.name.to_owned(), judge(case.name))).collect()
}

#[test]
fn every_case_is_judged_as_it_compiles() {
    let root = workspace();
    let mut wrong = Vec::new();
    for tests in [false, true] {
        let compiled = compile(&root, tests);
        let judged = verdict(&root, tests);
        for Case { name, compiles, .. } in CASES {
            let truth = compiled.built.contains(*name);
            let message = compiled.messages.get(*name).map_or("", String::as_str);
            if judged[*name] != Some(truth) && !(name.starts_with("unknown") && judged[*name].is_none()) {
                wrong.push(format!("{name}, tests {tests}: compiles: {truth} {message}; kiln says {:?}", judged[*name]));
            }
            let meant = *compiles && !(tests && *name == "not-compiled");
            assert_eq!(truth, meant, "{name} was meant otherwise: {message}");
        }
    }
    assert_eq!(wrong, [""; 0], "of {} cases, each without and with tests", CASES.len());
}
