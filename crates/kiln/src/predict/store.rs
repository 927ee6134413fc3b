//! Models of earlier builds, beside their records: `models/<record>.json`, and the files of their contexts in `models/trees/<hash>`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::model::{MODEL_SCHEMA, Model};
use crate::context::Tree;
use crate::files::replace_file;

/// How many models of one image are kept, the latest.
pub const KEPT: usize = 10;

/// Something of kiln's memory, a model or a replay, that cannot be written or read. Never a reason to stop.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{path}`")]
pub struct StoreError {
    /// The file or folder.
    pub path: Utf8PathBuf,
    /// What the system, or the reader, says.
    #[source]
    pub source: io::Error,
}

/// Models of earlier builds of one image.
#[derive(Debug, Default)]
pub struct Known {
    /// The models, the latest first. Only the first one has its trees.
    pub models: Vec<Model>,
    /// Names of their records, without ending.
    pub builds: Vec<String>,
    /// How many files could not be understood.
    pub damaged: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    trees: BTreeMap<String, String>,
    model: Model,
}

/// Stores a model under the name of its record, which ends with what names the image, and removes those beyond [`KEPT`].
///
/// # Errors
/// What the system says.
pub fn save(folder: &Utf8Path, build: &str, model: &Model) -> Result<(), StoreError> {
    let trees = folder.join("trees");
    let failed = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| StoreError { path, source }
    };
    fs::create_dir_all(&trees).map_err(failed(&trees))?;
    let mut ids = BTreeMap::new();
    for (name, tree) in &model.trees {
        let bytes = tree.to_bytes();
        let id = blake3::hash(&bytes).to_hex()[..32].to_owned();
        let path = trees.join(&id);
        if !path.exists() {
            replace_file(&path, &bytes).map_err(failed(&path))?;
        }
        ids.insert(name.clone(), id);
    }
    let path = folder.join(format!("{build}.json"));
    let bytes = serde_json::to_vec(&Stored { trees: ids, model: model.clone() }).unwrap_or_default();
    replace_file(&path, &bytes).map_err(failed(&path))?;
    prune(folder, image_of(build));
    Ok(())
}

/// The models of an image (`service-variant`), the latest first. What is damaged or of another version is counted and left out.
#[must_use]
pub fn known(folder: &Utf8Path, image: &str) -> Known {
    let mut found = Known::default();
    for name in names(folder, image).into_iter().take(KEPT) {
        let stored =
            fs::read(folder.join(format!("{name}.json"))).ok().and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        let Some(Stored { trees, mut model }) = stored.filter(|stored| is_sound(&stored.model)) else {
            found.damaged += 1;
            continue;
        };
        if found.models.is_empty() {
            let read = |id: &String| Tree::from_bytes(&fs::read(folder.join("trees").join(id)).ok()?);
            model.trees = trees.iter().filter_map(|(name, id)| Some((name.clone(), read(id)?))).collect();
        }
        found.models.push(model);
        found.builds.push(name);
    }
    found
}

/// Whether a model that was read can be reasoned about: each step refers to earlier ones only.
fn is_sound(model: &Model) -> bool {
    let sound = |number: usize| Model::origins(&model.steps[number]).all(|origin| origin < number);
    model.schema == MODEL_SCHEMA && (0..model.steps.len()).all(sound)
}

/// The image that a record's name speaks of: what follows the time.
fn image_of(build: &str) -> &str {
    build.split_once('-').map_or(build, |(_, image)| image.split('.').next().unwrap_or(image))
}

/// Names of models, the latest first.
fn names(folder: &Utf8Path, image: &str) -> Vec<String> {
    let entries = folder.read_dir_utf8().map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let names = entries.iter().filter_map(|entry| entry.file_name().strip_suffix(".json"));
    let mut names: Vec<String> = names.filter(|name| image_of(name) == image).map(str::to_owned).collect();
    names.sort();
    names.reverse();
    names
}

/// Removes what is beyond the limit, and trees that no model has. Failing to remove something costs only space.
fn prune(folder: &Utf8Path, image: &str) {
    for name in names(folder, image).into_iter().skip(KEPT) {
        let _ = fs::remove_file(folder.join(format!("{name}.json")));
    }
    #[derive(Deserialize)]
    struct Used {
        trees: BTreeMap<String, String>,
    }
    let Ok(entries) = folder.read_dir_utf8() else { return };
    let mut used = BTreeSet::new();
    for entry in entries.flatten().filter(|entry| entry.file_name().ends_with(".json")) {
        let read = fs::read(entry.path()).ok().and_then(|bytes| serde_json::from_slice::<Used>(&bytes).ok());
        used.extend(read.into_iter().flat_map(|read| read.trees.into_values()));
    }
    let Ok(trees) = folder.join("trees").read_dir_utf8() else { return };
    for tree in trees.flatten().filter(|tree| !used.contains(tree.file_name()) && !tree.file_name().ends_with(".new")) {
        let _ = fs::remove_file(tree.path());
    }
}
