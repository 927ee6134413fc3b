//! The deps layer of another recipe as the start of a cook: whether it fits, and taking it over.
//!
//! cargo decides by itself which external units a changed recipe can still use, as long as everything that it does *not* look at is
//! the same: what build scripts see of the system, and variables that they read without saying so. So a layer says in which
//! [`Surroundings`] it was cooked, and one from other surroundings is named and left alone.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::export::{LAYER_FILE, Layer, LayerUnit, Surroundings};
use super::inputs::rerun_if_env_changed;
use super::seed::seed;
use super::sources;
use super::step::{StepError, changed_variables};
use crate::process::Cancel;

/// Why a layer is not used as a seed. `Display` is the rest of a sentence that begins with the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeedMismatch {
    /// Another version of `units.json`.
    Schema,
    /// A `units.json` that cannot be understood.
    Unreadable,
    /// Another compiler, or one for another machine.
    Toolchain,
    /// Other system packages.
    System,
    /// Another profile.
    Profile {
        /// The seed's.
        found: String,
    },
    /// Another target triple.
    Target {
        /// The seed's.
        found: Option<String>,
    },
    /// Variables with other values that no build script of the seed declares.
    Environment {
        /// Their names.
        variables: BTreeSet<String>,
    },
}

impl fmt::Display for SeedMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema => f.write_str("was written by another version of kiln"),
            Self::Unreadable => f.write_str("cannot be understood"),
            Self::Toolchain => f.write_str("was built by another toolchain"),
            Self::System => f.write_str("was built beside other system packages"),
            Self::Profile { found } => write!(f, "was built with the profile `{found}`"),
            Self::Target { found: Some(found) } => write!(f, "was built for the target `{found}`"),
            Self::Target { found: None } => f.write_str("was built for the machine that built it"),
            Self::Environment { variables } => {
                let names: Vec<&str> = variables.iter().map(String::as_str).collect();
                write!(f, "was built with other values of {}", names.join(", "))
            }
        }
    }
}

/// Where units and sources go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) target: &'a Path,
    pub(super) record: &'a Path,
    pub(super) cargo_home: &'a Path,
    pub(super) now: SystemTime,
}

/// A layer that was taken over.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) layer: Layer,
    /// Units that the mount lacked.
    pub(super) copied: usize,
}

/// Takes over the units and sources of a layer that fits. `None` where there is none, or none that fits: then a line says why, unless
/// the folder is empty, which is how a build without a seed looks.
///
/// # Errors
/// [`StepError`], when a file cannot be read or written.
pub(super) fn take(
    folder: &Path,
    wanted: &Surroundings,
    place: &Place<'_>,
    cancel: &Cancel,
    talk: &mut dyn FnMut(&str),
) -> Result<Option<Taken>, StepError> {
    let Some(folder) = layer_folder(folder, talk) else { return Ok(None) };
    let layer = match Layer::read(&folder) {
        Ok(Some((layer, _))) => layer,
        Ok(None) => return Ok(None),
        Err(StepError::LayerSchema { .. }) => return Ok(refused(&SeedMismatch::Schema, talk)),
        // A seed is a gift: a spoilt one costs time, not the build.
        Err(StepError::Format { .. }) => return Ok(refused(&SeedMismatch::Unreadable, talk)),
        Err(error) => return Err(error),
    };
    if let Some(mismatch) = mismatch(&layer, wanted, &folder) {
        return Ok(refused(&mismatch, talk));
    }
    let (seeded, _) = seed(&folder, &layer, place.target, place.record, place.now)?;
    sources::seed(&folder, &layer.sources, place.cargo_home, cancel)?;
    let copied = seeded.copied + seeded.replaced;
    talk(&format!("kiln cook: took {copied} of the seed's {} units (recipe {})", layer.units.len(), short(&layer.recipe)));
    Ok(Some(Taken { layer, copied }))
}

fn refused(mismatch: &SeedMismatch, talk: &mut dyn FnMut(&str)) -> Option<Taken> {
    talk(&format!("kiln cook: the seed {mismatch}; not used"));
    None
}

/// The folder of the layer itself. An image has it in `/deps`; a mount of an empty stage has nothing.
fn layer_folder(folder: &Path, talk: &mut dyn FnMut(&str)) -> Option<PathBuf> {
    let found = [folder.to_owned(), folder.join("deps")].into_iter().find(|folder| folder.join(LAYER_FILE).is_file());
    let holds_something = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if found.is_none() && holds_something() {
        talk(&format!("kiln cook: {} holds no deps layer; not used as a seed", folder.display()));
    }
    found
}

fn mismatch(layer: &Layer, wanted: &Surroundings, folder: &Path) -> Option<SeedMismatch> {
    let found = &layer.surroundings;
    if found.rustc != wanted.rustc {
        return Some(SeedMismatch::Toolchain);
    }
    if found.target != wanted.target {
        return Some(SeedMismatch::Target { found: found.target.clone() });
    }
    if found.profile != wanted.profile {
        return Some(SeedMismatch::Profile { found: found.profile.clone() });
    }
    if found.system != wanted.system {
        return Some(SeedMismatch::System);
    }
    let mut variables = changed_variables(&found.environment, &wanted.environment);
    if !variables.is_empty() {
        // cargo itself compares what scripts declare.
        for output in layer.units.iter().flat_map(|unit| script_outputs(unit, folder)) {
            for name in rerun_if_env_changed(&output) {
                variables.remove(name);
            }
        }
    }
    if variables.is_empty() { None } else { Some(SeedMismatch::Environment { variables }) }
}

/// What the build scripts of a unit printed.
fn script_outputs(unit: &LayerUnit, folder: &Path) -> impl Iterator<Item = String> {
    let outputs = unit.files.iter().map(|file| Path::new(&file.path)).filter(|path| {
        // Not a file of that name in `out`, which is the script's own.
        path.file_name().is_some_and(|name| name == "output" || name == "stdout") && !path.iter().any(|part| part == "out")
    });
    outputs.filter_map(move |path| fs::read_to_string(folder.join("target").join(path)).ok())
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::recipe::build::export::{FileKind, LAYER_SCHEMA, LayerFile};

    fn surroundings() -> Surroundings {
        Surroundings {
            rustc: "rustc 1.95.0".to_owned(),
            system: "packages".to_owned(),
            profile: "release".to_owned(),
            target: None,
            environment: BTreeMap::from([("HINT".to_owned(), "a".to_owned()), ("DECLARED".to_owned(), "a".to_owned())]),
        }
    }

    /// Writes a layer with one build script, which declares one variable.
    fn layer(folder: &Path) -> Layer {
        let path = "release/build/x-0000000000000001/output";
        fs::create_dir_all(folder.join("target").join(path).parent().unwrap()).unwrap();
        fs::write(folder.join("target").join(path), "cargo:rerun-if-env-changed=DECLARED\n").unwrap();
        let kind = FileKind::File { size: 36, digest: String::new(), executable: false, within: None };
        let unit = LayerUnit {
            root: "release".to_owned(),
            name: "x-0000000000000001".to_owned(),
            digest: String::new(),
            files: vec![LayerFile { path: path.to_owned(), kind }],
        };
        Layer {
            schema: LAYER_SCHEMA,
            recipe: String::new(),
            toolchain: None,
            surroundings: surroundings(),
            not_before: 1,
            units: vec![unit],
            sources: Vec::new(),
        }
    }

    #[test]
    fn every_difference_that_cargo_does_not_see_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let layer = layer(folder.path());
        let with = |change: &dyn Fn(&mut Surroundings)| {
            let mut wanted = surroundings();
            change(&mut wanted);
            mismatch(&layer, &wanted, folder.path()).map(|mismatch| mismatch.to_string())
        };
        let set = |wanted: &mut Surroundings, name: &str| drop(wanted.environment.insert(name.to_owned(), "b".to_owned()));
        assert_eq!(with(&|_| ()), None);
        assert_eq!(with(&|wanted| set(wanted, "DECLARED")), None, "cargo compares what a script declares");
        let named = [
            (with(&|wanted| wanted.rustc += " "), "was built by another toolchain"),
            (with(&|wanted| wanted.system += " "), "was built beside other system packages"),
            (with(&|wanted| wanted.profile = "dev".to_owned()), "was built with the profile `release`"),
            (with(&|wanted| wanted.target = Some("a".to_owned())), "was built for the machine that built it"),
            (with(&|wanted| set(wanted, "HINT")), "was built with other values of HINT"),
            (with(&|wanted| set(wanted, "NEW")), "was built with other values of NEW"),
        ];
        for (found, expected) in named {
            assert_eq!(found.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_spoilt_or_foreign_layer_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (seed, mount) = (folder.path().join("seed"), folder.path().join("mount"));
        fs::create_dir_all(&seed).unwrap();
        let (target, record) = (mount.join("target"), mount.join("record.json"));
        let place = Place { target: &target, record: &record, cargo_home: &mount, now: SystemTime::UNIX_EPOCH };
        let said = |units: Option<&str>| {
            if let Some(units) = units {
                fs::write(seed.join(LAYER_FILE), units).unwrap();
            }
            let mut lines = Vec::new();
            let taken = take(&seed, &surroundings(), &place, &Cancel::new(), &mut |line| lines.push(line.to_owned())).unwrap();
            assert!(taken.is_none() && !target.exists());
            lines.join("\n")
        };
        assert_eq!(said(None), "");
        assert_eq!(
            said(Some("{\"schema\":1,\"units\":[]}")),
            "kiln cook: the seed was written by another version of kiln; not used"
        );
        assert_eq!(said(Some("{")), "kiln cook: the seed cannot be understood; not used");
        let own = format!("{{\"schema\":{LAYER_SCHEMA}}}");
        assert_eq!(said(Some(&own)), "kiln cook: the seed cannot be understood; not used");
    }
}
