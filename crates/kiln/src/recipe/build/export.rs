//! The deps layer: exactly the units that cargo used, and the sources it needs, as files with one constant time.
//!
//! Takes cargo's transcript of a cook; writes `target/…`, `cargo/…`, `recipe.json` and `units.json` into a folder under another
//! name and renames it. The same recipe gives the same bytes: everything is sorted, times are constant, and what depends on the
//! state of a mount (index entries, hard links) is written in a canonical form.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::messages::Transcript;
use super::metadata::{self, Within};
use super::sources;
use super::step::{At as _, StepError, parallel, remove, write_atomically};
use super::target::{UnitId, Units, tree};

/// Version of `units.json`.
pub const LAYER_SCHEMA: u32 = 3;

/// Name of the layer's own description in its folder.
pub const LAYER_FILE: &str = "units.json";

/// The modification time of every file of a layer: one second after the epoch. cargo compares times of units with each other
/// only by "newer than", so equal ones are fresh.
pub(super) fn layer_time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1)
}

/// What a deps layer holds: `units.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// [`LAYER_SCHEMA`].
    pub schema: u32,
    /// BLAKE3 of the recipe's text.
    pub recipe: String,
    /// `RUSTUP_TOOLCHAIN` of the cook, if there is a rustup.
    pub toolchain: Option<String>,
    /// What the units were compiled with and for.
    #[serde(flatten)]
    pub surroundings: Surroundings,
    /// Seconds since the epoch that the units must not be older than: the newest system file that an external build script
    /// watches. 1 where none does.
    pub not_before: u64,
    /// Units, sorted.
    pub units: Vec<LayerUnit>,
    /// Files below `cargo/`, sorted.
    pub sources: Vec<LayerFile>,
}

/// What units depend on besides their sources, as far as cargo does not look at it itself. A layer is a seed only for a cook with the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// What `rustc -vV` said.
    pub rustc: String,
    /// Digest of the files that tell which system packages are installed: build scripts look at headers without saying so.
    pub system: String,
    /// Name of the cargo profile.
    pub profile: String,
    /// Target triple given to cargo, if any.
    pub target: Option<String>,
    /// Variables of the step by name, with digests of their values. Those that hold secrets are not in it.
    pub environment: BTreeMap<String, String>,
}

/// One unit of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerUnit {
    /// The profile's folder, below the target triple if there is one.
    pub root: String,
    /// `<package>-<hash>`, or `<package>/<hash>` in the layout of one folder per unit.
    pub name: String,
    /// BLAKE3 over names and contents.
    pub digest: String,
    /// Files, folders and links below `target/`, sorted.
    pub files: Vec<LayerFile>,
}

impl LayerUnit {
    /// The unit's name in a target directory.
    #[must_use]
    pub(super) fn id(&self) -> UnitId {
        UnitId { root: self.root.clone(), name: self.name.clone() }
    }
}

/// One file, folder or link of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFile {
    /// Path with `/`.
    pub path: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: FileKind,
}

/// What a path of a layer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum FileKind {
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// BLAKE3.
        digest: String,
        /// Whether it can be run.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        executable: bool,
        /// Where its bytes lie; `None` for a file that the layer has as such.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Within>,
    },
    /// A folder that has to exist.
    Folder,
    /// A symbolic link.
    Link {
        /// Where it points.
        to: String,
    },
}

impl Layer {
    /// Reads `units.json` of a layer; `None` where there is none.
    ///
    /// # Errors
    /// [`StepError`], when the file cannot be read or understood; [`StepError::LayerSchema`] for one of another kiln.
    pub(super) fn read(folder: &Path) -> Result<Option<(Self, String)>, StepError> {
        let path = folder.join(LAYER_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StepError::io("read", path, error)),
        };
        /// Read first, so that a layer of another schema is named as such, whatever its shape.
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let Head { schema } = serde_json::from_str(&text).map_err(|source| StepError::Format { path: path.clone(), source })?;
        if schema != LAYER_SCHEMA {
            return Err(StepError::LayerSchema { path, found: schema });
        }
        let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        let layer = serde_json::from_str(&text).map_err(|source| StepError::Format { path, source })?;
        Ok(Some((layer, digest)))
    }

    /// Bytes of all files that the layer has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let files = self.units.iter().flat_map(|unit| &unit.files).chain(&self.sources);
        files.map(|file| if let FileKind::File { size, within: None, .. } = file.kind { size } else { 0 }).sum()
    }
}

/// The units that cargo used for packages that are not local, sorted.
///
/// # Errors
/// [`StepError::UnknownUnit`], when cargo names a file that no unit has.
pub(super) fn used_units(transcript: &Transcript, units: &Units) -> Result<Vec<UnitId>, StepError> {
    let mut used = BTreeSet::new();
    for artifact in transcript.artifacts.iter().filter(|artifact| !artifact.package.local) {
        let unit = artifact.files.iter().find_map(|file| units.of_file(file));
        let unit = unit.ok_or_else(|| StepError::UnknownUnit { file: artifact.files.first().cloned().unwrap_or_default() })?;
        used.insert(unit.clone());
    }
    for script in transcript.scripts.iter().filter(|script| !script.package.local) {
        let unit = units.of_file(&script.out_dir);
        used.insert(unit.ok_or_else(|| StepError::UnknownUnit { file: script.out_dir.clone() })?.clone());
    }
    Ok(used.into_iter().collect())
}

/// What the export needs to know besides the units.
#[derive(Debug, Clone)]
pub(super) struct Export<'a> {
    pub(super) target: &'a Path,
    pub(super) cargo_home: &'a Path,
    pub(super) output: &'a Path,
    pub(super) recipe_text: &'a str,
    pub(super) toolchain: Option<String>,
    pub(super) surroundings: Surroundings,
    pub(super) sources: sources::Wanted,
}

/// Writes the layer. Until the last rename nothing is at the place of the output.
pub(super) fn export(request: &Export<'_>, units: &Units, used: &[UnitId]) -> Result<Layer, StepError> {
    let mut name = request.output.file_name().unwrap_or_default().to_owned();
    name.push(".kiln-new");
    let temporary = request.output.with_file_name(name);
    remove(&temporary)?;
    let written = write_layer(request, units, used, &temporary);
    if written.is_err() {
        // The first error says more than one about cleaning up.
        let _ = remove(&temporary);
    }
    let layer = written?;
    remove(request.output)?;
    fs::rename(&temporary, request.output).at("write", request.output)?;
    Ok(layer)
}

fn write_layer(request: &Export<'_>, units: &Units, used: &[UnitId], folder: &Path) -> Result<Layer, StepError> {
    let target = folder.join("target");
    let mut files = Vec::new();
    for (index, unit) in used.iter().enumerate() {
        for path in unit_paths(units, unit, request.target)? {
            files.push((index, path));
        }
    }
    for (_, path) in &files {
        if let Some(parent) = target.join(path).parent() {
            fs::create_dir_all(parent).at("create", parent)?;
        }
    }
    let exported: BTreeSet<&Path> = files.iter().map(|(_, path)| path.as_path()).collect();
    let copied = parallel(&files, |(index, path)| {
        let file = match metadata::of_library(request.target, path, |library| exported.contains(library))? {
            Some(kind) => LayerFile { path: name_of(path)?, kind },
            None => copy(request.target, &target, path)?,
        };
        Ok((*index, file))
    })?;
    let mut layer_units: Vec<LayerUnit> = used
        .iter()
        .map(|unit| LayerUnit { root: unit.root.clone(), name: unit.name.clone(), digest: String::new(), files: Vec::new() })
        .collect();
    for (index, file) in copied {
        layer_units[index].files.push(file);
    }
    for unit in &mut layer_units {
        unit.files.sort_by(|a, b| a.path.cmp(&b.path));
        unit.digest = digest(&unit.files);
    }
    let sources = sources::export(request.cargo_home, &folder.join("cargo"), &request.sources)?;
    let layer = Layer {
        schema: LAYER_SCHEMA,
        recipe: blake3::hash(request.recipe_text.as_bytes()).to_hex().to_string(),
        toolchain: request.toolchain.clone(),
        surroundings: request.surroundings.clone(),
        not_before: not_before(units, used, request.cargo_home, request.target)?,
        units: layer_units,
        sources,
    };
    write_atomically(&folder.join("recipe.json"), request.recipe_text.as_bytes())?;
    let path = folder.join(LAYER_FILE);
    let mut text = serde_json::to_string(&layer).map_err(|source| StepError::Format { path: path.clone(), source })?;
    text.push('\n');
    write_atomically(&path, text.as_bytes())?;
    settle(folder)?;
    Ok(layer)
}

/// All paths of a unit below the target directory. A second name of the same file (cargo links `build-script-build` to the file
/// with the hash) is left out: cargo makes it again.
fn unit_paths(units: &Units, unit: &UnitId, target: &Path) -> Result<Vec<PathBuf>, StepError> {
    let mut paths = Vec::new();
    for place in units.places(unit) {
        let found = tree(&target.join(place))?;
        let hashed: BTreeSet<u64> = found
            .iter()
            .filter(|(path, metadata)| metadata.is_file() && path.to_string_lossy().ends_with(&unit.name[unit.name.len() - 16..]))
            .map(|(_, metadata)| metadata.ino())
            .collect();
        for (path, metadata) in found {
            if path.strip_prefix(target).is_ok_and(is_leftover) {
                continue;
            }
            let plain_name = path.file_name().is_some_and(|name| name == "build-script-build");
            if plain_name && metadata.nlink() > 1 && hashed.contains(&metadata.ino()) {
                continue;
            }
            paths.extend(path.strip_prefix(target).ok().map(Path::to_owned));
        }
    }
    Ok(paths)
}

/// Whether a path below the target directory is what a killed rustc left behind: its folder for temporary files beside the output, or an
/// object file of one codegen unit. What a build script wrote (`out`) is its own.
fn is_leftover(path: &Path) -> bool {
    let names = path.iter().filter_map(|name| name.to_str());
    names.take_while(|name| *name != "out").any(|name| {
        let random = name.strip_prefix("rustc").or_else(|| name.strip_prefix("rmeta"));
        let is_folder = random.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        is_folder || name.ends_with(".rcgu.o")
    })
}

/// Copies one path and describes it.
pub(super) fn copy(from: &Path, to: &Path, path: &Path) -> Result<LayerFile, StepError> {
    let name = name_of(path)?;
    let (source, destination) = (from.join(path), to.join(path));
    let metadata = fs::symlink_metadata(&source).at("read", &source)?;
    let kind = if metadata.is_dir() {
        fs::create_dir_all(&destination).at("create", &destination)?;
        FileKind::Folder
    } else if metadata.is_symlink() {
        let link = fs::read_link(&source).at("read", &source)?;
        symlink(&link, &destination).at("write", &destination)?;
        FileKind::Link { to: link.to_str().ok_or_else(|| StepError::FileName { path: source.clone() })?.to_owned() }
    } else {
        fs::copy(&source, &destination).at("write", &destination)?;
        let executable = metadata.mode() & 0o111 != 0;
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(&destination, fs::Permissions::from_mode(mode)).at("write", &destination)?;
        FileKind::File { size: metadata.len(), digest: file_digest(&destination)?, executable, within: None }
    };
    Ok(LayerFile { path: name, kind })
}

/// The path as text, as a layer names it.
pub(super) fn name_of(path: &Path) -> Result<String, StepError> {
    path.to_str().map(str::to_owned).ok_or_else(|| StepError::FileName { path: path.to_owned() })
}

/// BLAKE3 of a file's contents.
pub(super) fn file_digest(path: &Path) -> Result<String, StepError> {
    let mut file = File::open(path).at("read", path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).at("read", path)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            count => hasher.update(&buffer[..count]),
        };
    }
}

/// BLAKE3 over the descriptions of files.
fn digest(files: &[LayerFile]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let (tag, content) = match &file.kind {
            FileKind::File { digest, executable, .. } => (if *executable { "x" } else { "f" }, digest.as_str()),
            FileKind::Folder => ("d", ""),
            FileKind::Link { to } => ("l", to.as_str()),
        };
        for part in [tag, &file.path, content] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// Gives every file and folder the constant time; folders last, since writing into them changes theirs.
fn settle(folder: &Path) -> Result<(), StepError> {
    let found: Vec<PathBuf> =
        tree(folder)?.into_iter().filter(|(_, metadata)| !metadata.is_symlink()).map(|(path, _)| path).collect();
    parallel(&found, |path| set_time(path, layer_time())).map(drop)
}

/// Sets the modification time of a file or folder.
pub(super) fn set_time(path: &Path, time: SystemTime) -> Result<(), StepError> {
    let file = File::open(path).at("read", path)?;
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time)).at("set the time of", path)
}

/// The newest system file that the units' build scripts watch (headers found by bindgen, for example), in seconds: seeded
/// units must not look older, or cargo would run the scripts again.
fn not_before(units: &Units, used: &[UnitId], cargo_home: &Path, target: &Path) -> Result<u64, StepError> {
    let mut newest = 1;
    for unit in used {
        let Some(output) = units.script_output(unit) else { continue };
        let text = String::from_utf8_lossy(&fs::read(&output).at("read", &output)?).into_owned();
        for watched in super::inputs::rerun_if_changed(&text) {
            let path = Path::new(watched);
            if !path.is_absolute() || path.starts_with(cargo_home) || path.starts_with(target) {
                continue;
            }
            let Ok(found) = tree(path) else { continue };
            for metadata in found.values() {
                let seconds = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                newest = newest.max(seconds.map_or(1, |duration| duration.as_secs() + 1));
            }
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |duration| duration.as_secs());
    Ok(newest.min(now))
}
