//! Why cargo compiled an external crate that the layer should have: a defect of the plan must say what to look at.
//!
//! There are two kinds. A unit of the layer that cargo finds stale has the same name, and `cargo build --verbose` says why:
//! `Dirty itoa v1.0.1: the rustflags changed`. [`Verbose`] takes those lines and hides the rest of what `--verbose` adds. A unit
//! that the layer does not have under this name was made of other things; cargo gives no reason, since to it the unit is new.
//! Then cargo's fingerprints of both units, which are JSON, are compared ([`differences`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::export::{Layer, LayerUnit};
use super::messages::{Artifact, Transcript};
use super::step::StepError;
use super::target::{UnitId, Units, entries};
use crate::recipe::Defect;

/// The part of cargo's stderr that `--verbose` adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verbose {
    /// Reasons by `name version`, the first for each.
    reasons: BTreeMap<String, String>,
    /// A line that is only shown if the next one is.
    held: Option<String>,
}

impl Verbose {
    /// Takes a line of stderr and gives what people should see of it: what cargo prints without `--verbose`.
    pub(super) fn line(&mut self, line: &str) -> Vec<String> {
        let plain = without_escapes(line);
        if let Some(held) = self.held.take() {
            // The command line of a failed rustc, below what rustc itself has said.
            let command = plain.starts_with("  process didn't exit successfully: `") && plain.contains(" --crate-name ");
            return if command { Vec::new() } else { vec![held, line.to_owned()] };
        }
        let status = plain.trim_start();
        if plain == "Caused by:" {
            self.held = Some(line.to_owned());
            return Vec::new();
        }
        // cargo aligns its verbs to the right, in twelve columns; what a program prints looks different.
        let verb = plain.get(..12).map(str::trim_start);
        match verb {
            Some("Dirty") => {
                if let Some((package, reason)) = status.strip_prefix("Dirty ").and_then(dirty) {
                    self.reasons.entry(package).or_insert(reason);
                }
                Vec::new()
            }
            Some("Fresh") => Vec::new(),
            Some("Running") if status.starts_with("Running `") => Vec::new(),
            _ => vec![line.to_owned()],
        }
    }

    /// What is held back when the output has ended.
    pub(super) fn end(&mut self) -> Option<String> {
        self.held.take()
    }
}

/// `itoa v1.0.1 (path or URL): the reason`.
fn dirty(text: &str) -> Option<(String, String)> {
    let (name, rest) = text.split_once(' ')?;
    let rest = rest.strip_prefix('v')?;
    let end = rest.find([' ', ':'])?;
    let (version, rest) = rest.split_at(end);
    let reason = match rest.strip_prefix(" (") {
        // A path may have anything in it, a closing bracket with a colon hardly.
        Some(source) => source.split_once("): ")?.1,
        None => rest.strip_prefix(": ")?,
    };
    Some((format!("{name} {version}"), reason.to_owned()))
}

/// The text without the escape sequences that give it colour.
fn without_escapes(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|character: char| character.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        plain.push_str(&part[end..]);
    }
    plain
}

/// The external packages of which something was compiled, each with the reason.
///
/// # Errors
/// [`StepError`], when the target directory cannot be read.
pub(super) fn defects(
    transcript: &Transcript,
    verbose: &Verbose,
    layer: &Layer,
    folder: &Path,
    target: &Path,
) -> Result<Vec<Defect>, StepError> {
    let units = Units::scan(target)?;
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    for artifact in transcript.artifacts.iter().filter(|artifact| !artifact.package.local && !artifact.fresh) {
        let package = format!("{} {}", artifact.package.name, artifact.package.version);
        let reason = found.entry(package.clone()).or_default();
        if reason.is_none() {
            *reason = match verbose.reasons.get(&package) {
                Some(given) => Some(given.clone()),
                None => compared(artifact, layer, folder, &units)?,
            };
        }
    }
    let defect = |(package, reason): (String, Option<String>)| Defect { package, reason: reason.unwrap_or_default() };
    Ok(found.into_iter().map(defect).collect())
}

/// What sets a compiled unit apart from the most similar one of the layer.
fn compared(artifact: &Artifact, layer: &Layer, folder: &Path, units: &Units) -> Result<Option<String>, StepError> {
    let Some(unit) = artifact.files.iter().find_map(|file| units.of_file(file)) else { return Ok(None) };
    let Some((name, own)) = fingerprint(&units.fingerprint(unit))? else { return Ok(None) };
    let of_package = |candidate: &&LayerUnit| candidate.id().package() == unit.package();
    let mut best: Option<(usize, String)> = None;
    let mut any = false;
    for candidate in layer.units.iter().filter(of_package) {
        any = true;
        let Some(theirs) = stored(candidate, &name, folder) else { continue };
        if candidate.id() == *unit {
            return Ok(Some("the layer has the same unit, and cargo did not take it".to_owned()));
        }
        let differences = differences(&own, &theirs, &candidate.id(), unit);
        if best.as_ref().is_none_or(|(fewest, _)| differences.len() < *fewest) {
            best = Some((differences.len(), differences.join("; ")));
        }
    }
    Ok(Some(match best {
        Some((0, _)) => "the layer has it under another name, with an equal fingerprint".to_owned(),
        Some((_, text)) => text,
        None if any => "the layer has other parts of it only".to_owned(),
        None => "the layer does not have it".to_owned(),
    }))
}

/// The fingerprint in a unit's folder, and its file's name.
fn fingerprint(folder: &Path) -> Result<Option<(String, Value)>, StepError> {
    for path in entries(folder)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".json")) else { continue };
        let value = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(value) = value {
            return Ok(Some((name.to_owned(), value)));
        }
    }
    Ok(None)
}

/// A unit's fingerprint in the layer, if it is of the same kind.
fn stored(unit: &LayerUnit, name: &str, folder: &Path) -> Option<Value> {
    let file = unit.files.iter().find(|file| file.path.ends_with(&format!("/{name}")))?;
    serde_json::from_slice(&fs::read(folder.join("target").join(&file.path)).ok()?).ok()
}

/// How two fingerprints of one crate differ, in words; `own` is what was compiled now.
fn differences(own: &Value, layer: &Value, layer_id: &UnitId, own_id: &UnitId) -> Vec<String> {
    let mut found = Vec::new();
    if own["features"] != layer["features"] {
        let features = |value: &Value| value["features"].as_str().unwrap_or_default().replace('"', "");
        found.push(format!("the features are {} and were {} for the layer", features(own), features(layer)));
    }
    if own["rustflags"] != layer["rustflags"] {
        let flags = |value: &Value| value["rustflags"].to_string().replace('"', "");
        found.push(format!("the rustflags are {} and were {} for the layer", flags(own), flags(layer)));
    }
    if own_id.root != layer_id.root {
        found.push(format!("it was built for {} and the layer for {}", own_id.root, layer_id.root));
    } else if own["profile"] != layer["profile"] {
        found.push("the profile has other settings than for the layer".to_owned());
    }
    for (key, text) in [
        ("rustc", "the compiler is another than for the layer"),
        ("compile_kind", "it is built for another machine (host or target) than for the layer"),
        ("config", "the configuration of the target is another than for the layer"),
        ("target", "the crate's own target has other settings than for the layer"),
        ("path", "its source lies at another path than for the layer"),
        ("declared_features", "the crate declares other features than for the layer"),
    ] {
        if own[key] != layer[key] {
            found.push(text.to_owned());
        }
    }
    let changed = changed_dependencies(&own["deps"], &layer["deps"]);
    if !changed.is_empty() {
        found.push(format!("it depends on other units than for the layer: {}", changed.join(", ")));
    }
    found
}

/// Names of dependencies that only one side has, or that have other hashes: `[[hash, name, public, hash], …]`.
fn changed_dependencies(own: &Value, layer: &Value) -> Vec<String> {
    let read = |value: &Value| -> BTreeSet<(String, String)> {
        let all = value.as_array().into_iter().flatten();
        all.map(|one| (one[1].as_str().unwrap_or_default().to_owned(), one[3].to_string())).collect()
    };
    let (own, layer) = (read(own), read(layer));
    let names: BTreeSet<&String> = own.symmetric_difference(&layer).map(|(name, _)| name).collect();
    names.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_verbose_adds_is_hidden_and_reasons_are_kept() {
        let mut verbose = Verbose::default();
        let said = [
            "       Dirty itoa v1.0.1: the rustflags changed",
            "\u{1b}[1m\u{1b}[92m       Fresh\u{1b}[0m paste v1.0.15",
            "\u{1b}[1m\u{1b}[33m       Dirty\u{1b}[0m extra v0.3.0 (file:///tmp/x y#12ab): the file `src/a: b.rs` has changed (3s)",
            "   Compiling itoa v1.0.1",
            "     Running `rustc --crate-name itoa`",
            "Running `make`",
            "error: could not compile `itoa` (lib) due to 1 previous error",
            "",
            "Caused by:",
            "  process didn't exit successfully: `rustc --crate-name itoa --edition=2021` (exit status: 1)",
            "Caused by:",
            "  process didn't exit successfully: `/target/build-script-build` (exit status: 1)",
            "Fresh air",
        ];
        let shown: Vec<String> = said.iter().flat_map(|line| verbose.line(line)).collect();
        let kept = [3, 5, 6, 7, 10, 11, 12].map(|index| said[index]);
        assert_eq!(shown, kept);
        assert_eq!(verbose.reasons["itoa 1.0.1"], "the rustflags changed");
        assert_eq!(verbose.reasons["extra 0.3.0"], "the file `src/a: b.rs` has changed (3s)");
        verbose.line("Caused by:");
        assert_eq!(verbose.end().as_deref(), Some("Caused by:"));
    }

    #[test]
    fn fingerprints_are_compared_in_words() {
        let json = |features: &str, flags: &str, dependency: u64| -> Value {
            let text = format!(
                r#"{{"rustc":1,"features":"[{features}]","profile":2,"deps":[[5,"cfg_if",false,{dependency}]],"rustflags":[{flags}]}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let id = |root: &str| UnitId { root: root.to_owned(), name: "log-0123456789abcdef".to_owned() };
        let words = |own: &Value, layer: &Value| differences(own, layer, &id("release"), &id("release"));
        let base = json(r#"\"std\""#, "", 1);
        assert_eq!(words(&base, &base), Vec::<String>::new());
        assert_eq!(words(&json("", "", 1), &base), ["the features are [] and were [std] for the layer"]);
        assert_eq!(words(&json(r#"\"std\""#, r#""-Ca""#, 1), &base), ["the rustflags are [-Ca] and were [] for the layer"]);
        assert_eq!(words(&json(r#"\"std\""#, "", 2), &base), ["it depends on other units than for the layer: cfg_if"]);
        let elsewhere = differences(&base, &base, &id("release"), &id("debug"));
        assert_eq!(elsewhere, ["it was built for debug and the layer for release"]);
    }
}
