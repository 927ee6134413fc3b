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
