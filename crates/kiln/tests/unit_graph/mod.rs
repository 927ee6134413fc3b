//! cargo's own opinion of a build: its unit graph, which is the oracle of every test of recipes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use camino::Utf8Path;
use serde_json::Value;

/// External units of a build, each with all that its hash is made of.
///
/// # Errors
///
/// What cargo says when it refuses to build.
pub(crate) fn units(folder: &Utf8Path, flags: &[&str]) -> Result<BTreeSet<String>, String> {
    let mut arguments = vec!["build", "--quiet", "--unit-graph", "-Z", "unstable-options"];
    arguments.extend(flags);
    let graph: Value = serde_json::from_str(&cargo(folder, &arguments)?).unwrap();
    let all = graph["units"].as_array().unwrap();
    let mut purposes = BTreeMap::new();
    for root in graph["roots"].as_array().unwrap() {
        let root = root.as_u64().unwrap() as usize;
        purpose(all, root, of_root(&all[root]), &mut purposes);
    }
    let mut known = vec![None; all.len()];
    let external = (0..all.len()).filter(|index| !all[*index]["pkg_id"].as_str().unwrap().starts_with("path+"));
    Ok(external.map(|index| identity(all, index, &purposes, &mut known)).collect())
}

fn identity(all: &[Value], index: usize, purposes: &BTreeMap<usize, Purpose>, known: &mut Vec<Option<String>>) -> String {
    if let Some(known) = &known[index] {
        return known.clone();
    }
    let unit = &all[index];
    let below: BTreeSet<_> = below(unit).map(|dependency| identity(all, dependency, purposes, known)).collect();
    let below = blake3::hash(below.into_iter().collect::<Vec<_>>().join("\n").as_bytes()).to_hex();
    let text = format!(
        "{} {} {} features={} platform={} profile={} code={:?} below={}",
        unit["pkg_id"].as_str().unwrap(),
        unit["mode"],
        unit["target"]["kind"],
        unit["features"],
        unit["platform"],
        unit["profile"],
        purposes.get(&index),
        &below[..8]
    );
    known[index] = Some(text.clone());
    text
}

fn below(unit: &Value) -> impl Iterator<Item = usize> {
    unit["dependencies"].as_array().unwrap().iter().map(|dependency| dependency["index"].as_u64().unwrap() as usize)
}

/// What cargo has a unit compiled to under link-time optimization. Its unit graph does not show it, but its unit hash has it, and it
/// follows from the graph: these are the rules of cargo's `compiler/lto.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Run,
    Off,
    Bitcode,
    Object,
    Both,
}

fn crate_types(unit: &Value) -> Vec<&str> {
    if unit["mode"] == "test" {
        return vec!["bin"];
    }
    unit["target"]["crate_types"].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()).collect()
}

fn is_for_host(unit: &Value) -> bool {
    unit["target"]["kind"].as_array().unwrap().iter().any(|kind| kind == "custom-build" || kind == "proc-macro")
}

fn is_optimized(kind: &str) -> bool {
    ["bin", "staticlib", "cdylib"].contains(&kind)
}

fn needs_object(kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| is_optimized(kind) || ["dylib", "proc-macro"].contains(kind))
}

fn when_object_is_needed(kinds: &[&str]) -> Purpose {
    if kinds.iter().all(|kind| *kind == "dylib") { Purpose::Object } else { Purpose::Both }
}

fn of_root(unit: &Value) -> Purpose {
    let kinds = crate_types(unit);
    match unit["profile"]["lto"].as_str().unwrap() {
        "false" => Purpose::Object,
        "off" => Purpose::Off,
        _ if is_for_host(unit) => Purpose::Object,
        _ if needs_object(&kinds) => when_object_is_needed(&kinds),
        _ => Purpose::Bitcode,
    }
}

fn purpose(all: &[Value], index: usize, above: Purpose, known: &mut BTreeMap<usize, Purpose>) {
    let unit = &all[index];
    let kinds = crate_types(unit);
    let own = if is_for_host(unit) {
        Purpose::Object
    } else if kinds.iter().all(|kind| is_optimized(kind)) {
        match unit["profile"]["lto"].as_str().unwrap() {
            "false" => Purpose::Object,
            "off" => Purpose::Off,
            _ => Purpose::Run,
        }
    } else {
        match (above, needs_object(&kinds)) {
            (Purpose::Run, false) => Purpose::Bitcode,
            (Purpose::Run | Purpose::Bitcode, true) => when_object_is_needed(&kinds),
            (above, _) => above,
        }
    };
    let merged = match known.get(&index) {
        None => own,
        Some(before) => match (own, *before) {
            (own, before) if own == before => return,
            (Purpose::Run, _) | (_, Purpose::Run) => Purpose::Run,
            (Purpose::Off, _) | (_, Purpose::Off) => Purpose::Off,
            _ => Purpose::Both,
        },
    };
    if known.insert(index, merged) != Some(merged) {
        below(unit).for_each(|dependency| purpose(all, dependency, merged, known));
    }
}

/// Runs cargo and returns what it prints, or what it says when it fails.
#[expect(clippy::disallowed_methods, reason = "the test asks cargo itself")]
pub(crate) fn cargo(folder: &Utf8Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(folder).env("RUSTC_BOOTSTRAP", "1");
    // What the outer cargo and the machine say must not leak into the comparison.
    for name in [
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_INCREMENTAL",
        "CARGO_MANIFEST_DIR",
    ] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(format!("cargo {arguments:?} in {folder}:\n{}", String::from_utf8_lossy(&output.stderr)))
}
