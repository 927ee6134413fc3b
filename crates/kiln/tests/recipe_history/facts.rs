//! What decides external units although the unit graph does not show it: checksums, configuration, the toolchain.
//!
//! Read without kiln's own readers: they are under test.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use cargo_platform::{Cfg, Platform};
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item};

use crate::unit_graph;

/// The machine of the replay.
pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

/// What counts beside these units, as text.
pub(crate) fn facts(workspace: &Utf8Path, repository: &Utf8Path, units: &BTreeSet<String>, cfgs: &[Cfg]) -> String {
    let mut lines = Vec::from_iter(locked(workspace, units));
    lines.push(format!("toolchain {:?}", toolchain(workspace, repository)));
    lines.push(format!("configuration {}", configuration(workspace, cfgs)));
    lines.join("\n") + "\n"
}

/// Source with commit, and checksum, of the packages of units.
fn locked(workspace: &Utf8Path, units: &BTreeSet<String>) -> BTreeSet<String> {
    let used: BTreeSet<(String, String)> = units.iter().map(|unit| package(unit.split(' ').next().unwrap())).collect();
    let lock: DocumentMut = std::fs::read_to_string(workspace.join("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array_of_tables().unwrap();
    let text = |item: Option<&Item>| item.and_then(Item::as_str).unwrap_or_default().to_owned();
    let external = packages.iter().filter(|package| package.contains_key("source"));
    external
        .filter(|package| used.contains(&(text(package.get("name")), text(package.get("version")))))
        .map(|package| ["name", "version", "source", "checksum"].map(|key| text(package.get(key))).join(" "))
        .collect()
}

/// Name and version in a package id, `URL#name@version` or `URL/name#version`.
fn package(id: &str) -> (String, String) {
    let (url, rest) = id.rsplit_once('#').unwrap();
    let (name, version) = rest.rsplit_once('@').unwrap_or_else(|| {
        let path = url.split('?').next().unwrap().trim_end_matches('/').trim_end_matches(".git");
        (path.rsplit('/').next().unwrap(), rest)
    });
    (name.to_owned(), version.to_owned())
}

/// `channel` of the nearest toolchain file, or its only line.
fn toolchain(workspace: &Utf8Path, repository: &Utf8Path) -> Option<String> {
    let folders = workspace.ancestors().take_while(|folder| folder.starts_with(repository));
    for folder in folders {
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
                let Ok(table) = text.parse::<DocumentMut>() else { return Some(text.trim().to_owned()) };
                return table["toolchain"].get("channel").and_then(Item::as_str).map(str::to_owned);
            }
        }
    }
    None
}

/// What cargo's merged configuration says of compiling for this machine.
fn configuration(workspace: &Utf8Path, cfgs: &[Cfg]) -> Value {
    let text = unit_graph::cargo(workspace, &["config", "get", "--format=json", "-Z", "unstable-options"]);
    let mut all: Map<String, Value> = serde_json::from_str(&text.unwrap()).unwrap();
    let mut some = BTreeMap::new();
    if let Some(Value::Object(build)) = all.remove("build") {
        let keys = ["rustflags", "rustc", "rustc-wrapper", "target"];
        let build: Map<_, _> = build.into_iter().filter(|(key, _)| keys.contains(&key.as_str())).collect();
        if !build.is_empty() {
            some.insert("build".to_owned(), Value::Object(build));
        }
    }
    if let Some(Value::Object(targets)) = all.remove("target") {
        for (key, mut target) in targets {
            if key.parse::<Platform>().is_ok_and(|platform| platform.matches(HOST, cfgs)) {
                target.as_object_mut().unwrap().remove("runner");
                some.insert(format!("target.{key}"), target);
            }
        }
    }
    if let Some(environment) = all.remove("env") {
        some.insert("env".to_owned(), environment);
    }
    serde_json::to_value(some).unwrap()
}
