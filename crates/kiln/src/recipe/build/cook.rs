//! `cook`: builds the external crates of a recipe in a mount that remembers units, and exports what it used as a layer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use toml_edit::DocumentMut;

use super::export::{Export, Layer, Surroundings, export, used_units};
use super::inputs::rerun_if_env_changed;
use super::nearest::{self, Taken};
use super::seed::{Record, age_out, own};
use super::sources::{self, Package, Wanted};
use super::step::{
    At as _, CargoRun, Limits, StepError, Stopwatch, changed_variables, environment_digests, lock, remove, system_digest,
    toolchain, write_atomically,
};
use super::target::{UnitKind, Units};
use crate::process::{Cancel, Run};
use crate::recipe::{CargoReport, Recipe, SeedUse, stub_workspace, vendored_folders};

/// What `cook` is to do, and where.
#[derive(Debug, Clone)]
pub struct CookRequest<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// Where the stub workspace is written, and removed again. Always the same, so that the same recipe gives the same bytes.
    pub stub_folder: &'a Path,
    /// The units mount.
    pub mount: &'a Path,
    /// `CARGO_HOME`, the same for `cook` and `compile`.
    pub cargo_home: &'a Path,
    /// Where the layer is written.
    pub output: &'a Path,
    /// A folder with a deps layer (in it, or in its folder `deps`) of another recipe, whose units are taken over if they fit. An empty
    /// folder is no seed.
    pub seed: Option<&'a Path>,
    /// Variables that hold secrets: nothing about their values goes into the layer.
    pub secret_variables: &'a [String],
    /// The workspace's folder, where the recipe reads vendored packages from it.
    pub vendored: Option<&'a Path>,
    /// The cargo program.
    pub cargo: &'a Path,
    /// The environment of the step.
    pub environment: &'a BTreeMap<String, String>,
    /// Files that tell which system packages are installed.
    pub system_files: &'a [PathBuf],
    /// How much the mount may hold.
    pub limits: Limits,
    /// The time, for the age of units.
    pub now: SystemTime,
}

/// What a mount remembers besides its units.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    environment: BTreeMap<String, String>,
    system: String,
}

/// Builds the external crates of a recipe and writes the layer. cargo's own lines, and kiln's, go to `talk`.
///
/// # Errors
/// [`StepError`]: cargo failed, the lock differs from the recipe, a file cannot be written. Nothing is then at the output, and the
/// mount can be used again.
pub fn cook(request: &CookRequest<'_>, cancel: &Cancel, talk: &mut dyn FnMut(&str)) -> Result<(CargoReport, Layer), StepError> {
    let written = run(request, cancel, talk);
    // The stub is no part of the layer, whether cooking worked or not.
    let removed = remove(request.stub_folder);
    let result = written?;
    removed?;
    Ok(result)
}

fn run(request: &CookRequest<'_>, cancel: &Cancel, talk: &mut dyn FnMut(&str)) -> Result<(CargoReport, Layer), StepError> {
    let mut watch = Stopwatch::default();
    let _held = watch.time("wait", || lock(&request.mount.join("lock"), cancel))?;
    let target = request.mount.join("target");
    let record_path = request.mount.join("record.json");
    let toolchain = toolchain(request.recipe.toolchain.as_deref(), request.environment, cancel)?;
    let rustc = rustc_version(toolchain.as_deref(), cancel)?;
    let surroundings = surroundings(request, rustc);
    settle_scripts(request, &target)?;
    // Of a cook that was killed.
    let units = Units::scan(&target)?;
    units.empty_unfinished(&units.linkages()?, &|_| true)?;
    let taken = watch.time("seed", || {
        let place = nearest::Place { target: &target, record: &record_path, cargo_home: request.cargo_home, now: request.now };
        request.seed.map_or(Ok(None), |folder| nearest::take(folder, &surroundings, &place, cancel, talk))
    })?;
    remove(request.stub_folder)?;
    write_stub(request)?;
    let cargo = CargoRun {
        program: request.cargo,
        home: request.cargo_home,
        target: &target,
        toolchain: toolchain.as_deref(),
        directory: request.stub_folder,
        arguments: arguments(request.recipe),
        environment: Vec::new(),
    };
    let end = watch.time("cargo", || cargo.run(cancel, false, talk))?;
    end.held.iter().for_each(|line| talk(line));
    if end.code != Some(0) {
        return Err(StepError::Cargo { code: end.code });
    }
    check_lock(request)?;
    let packages = watch.time("sources", || packages(&cargo, request.recipe, &surroundings.rustc, cancel))?;
    let units = Units::scan(&target)?;
    let used = used_units(&end.transcript, &units)?;
    let layer = watch.time("export", || {
        let export_request = Export {
            target: &target,
            cargo_home: request.cargo_home,
            output: request.output,
            recipe_text: &request.recipe.to_json(),
            toolchain: toolchain.clone(),
            surroundings,
            sources: Wanted::new(&packages, &request.recipe.lock, request.cargo_home),
        };
        export(&export_request, &units, &used)
    })?;
    let mount = watch.time("clean", || {
        let mut record = Record::read(&record_path).unwrap_or_default();
        // What cargo compiled although the seed has it must not be taken from the same seed again.
        if let Some(taken) = &taken {
            own(&taken.layer, &target, &mut record)?;
        }
        let used: BTreeSet<_> = used.iter().collect();
        let now = request.now.duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_secs());
        let (_, left) = age_out(request.mount, &target, &mut record, &|unit| used.contains(unit), request.limits, now)?;
        record.write(&record_path).map(|()| left)
    })?;
    let report = CargoReport {
        phase: "cook".to_owned(),
        local_compiled: Vec::new(),
        external_compiled: end.transcript.external_compiled(),
        seed: taken.map(|taken| seed_use(&taken, &layer)),
        fresh: end.transcript.artifacts.iter().filter(|artifact| artifact.fresh && !artifact.package.local).count(),
        seconds: watch.0,
        mount: Some(mount),
        ..CargoReport::default()
    };
    Ok((report, layer))
}

/// Writes the stub, with links to vendored packages: at the same place below the workspace's root, their units are the same.
fn write_stub(request: &CookRequest<'_>) -> Result<(), StepError> {
    for (path, contents) in stub_workspace(request.recipe) {
        write_atomically(&request.stub_folder.join(path), contents.as_bytes())?;
    }
    for folder in vendored_folders(request.recipe).iter().filter(|folder| folder.is_relative()) {
        let Some(root) = request.vendored else { continue };
        let link = request.stub_folder.join(folder);
        if let Some(parent) = link.parent() {
            fs::create_dir_all(parent).at("create", parent)?;
        }
        symlink(root.join(folder), &link).at("write", &link)?;
    }
    Ok(())
}

fn arguments(recipe: &Recipe) -> Vec<String> {
    let mut arguments =
        ["build", "--workspace", "--message-format=json-render-diagnostics", "--profile"].map(str::to_owned).to_vec();
    arguments.push(recipe.profile.clone());
    if let Some(target) = &recipe.target {
        arguments.extend(["--target".to_owned(), target.clone()]);
    }
    arguments
}

/// The packages that cargo needs on this machine to build the stub, compiled or not.
fn packages(cargo: &CargoRun<'_>, recipe: &Recipe, rustc: &str, cancel: &Cancel) -> Result<Vec<Package>, StepError> {
    let mut cargo = cargo.clone();
    cargo.arguments = ["metadata", "--format-version=1"].map(str::to_owned).to_vec();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    for platform in host.into_iter().chain(recipe.target.as_deref()) {
        cargo.arguments.extend(["--filter-platform".to_owned(), platform.to_owned()]);
    }
    let mut offline = cargo.clone();
    offline.arguments.push("--offline".to_owned());
    let metadata = match offline.read(cancel)? {
        Some(metadata) => Some(metadata),
        None => cargo.read(cancel)?,
    };
    metadata.as_deref().and_then(sources::packages).ok_or(StepError::Metadata)
}

fn rustc_version(toolchain: Option<&str>, cancel: &Cancel) -> Result<String, StepError> {
    let mut run = Run::new("rustc").arg("-vV").cwd("/");
    if let Some(toolchain) = toolchain {
        run = run.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    Ok(run.output(cancel)?.stdout)
}

/// Makes build scripts run again when what they may look at without saying so has changed: installed packages, or a variable that
/// no script declares. cargo would keep their results, and a layer never would.
fn settle_scripts(request: &CookRequest<'_>, target: &Path) -> Result<(), StepError> {
    let path = request.mount.join("state.json");
    let before: Option<State> = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let after = State { environment: environment_digests(request.environment), system: system_digest(request.system_files) };
    let changed = before.as_ref().map(|before| changed_variables(&before.environment, &after.environment)).unwrap_or_default();
    let system = before.as_ref().is_none_or(|before| before.system != after.system);
    if system || !changed.is_empty() {
        let units = Units::scan(target)?;
        let mut scripts = Vec::new();
        let mut declared = BTreeSet::new();
        for unit in units.all() {
            if units.kind(unit)? == Some(UnitKind::RunScript) {
                let output = units.script_output(unit).and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
                declared.extend(rerun_if_env_changed(&output).map(str::to_owned));
                scripts.push(unit);
            }
        }
        if system || changed.iter().any(|name| !declared.contains(name)) {
            for unit in scripts {
                units.forget(unit, Some(UnitKind::RunScript))?;
            }
        }
    }
    let bytes = serde_json::to_vec(&after).map_err(|source| StepError::Format { path: path.clone(), source })?;
    write_atomically(&path, &bytes)
}

/// What the units of this cook depend on besides their sources.
fn surroundings(request: &CookRequest<'_>, rustc: String) -> Surroundings {
    let mut environment = environment_digests(request.environment);
    environment.retain(|name, _| !request.secret_variables.contains(name));
    Surroundings {
        rustc,
        system: system_digest(request.system_files),
        profile: request.recipe.profile.clone(),
        target: request.recipe.target.clone(),
        environment,
    }
}

fn seed_use(taken: &Taken, layer: &Layer) -> SeedUse {
    let seeds: BTreeSet<_> = taken.layer.units.iter().map(|unit| (&unit.root, &unit.name, &unit.digest)).collect();
    let used = layer.units.iter().filter(|unit| seeds.contains(&(&unit.root, &unit.name, &unit.digest))).count();
    SeedUse { recipe: taken.layer.recipe.clone(), units: taken.layer.units.len(), taken: taken.copied, used }
}

/// Checks that cargo built what the recipe locks and nothing else.
fn check_lock(request: &CookRequest<'_>) -> Result<(), StepError> {
    let path = request.stub_folder.join("Cargo.lock");
    let text = fs::read_to_string(&path).at("read", &path)?;
    let locked: BTreeSet<(&str, &str, &str, Option<&str>)> = request
        .recipe
        .lock
        .iter()
        .map(|entry| (entry.name.as_str(), entry.version.as_str(), entry.source.as_str(), entry.checksum.as_deref()))
        .collect();
    let document: DocumentMut = text.parse().unwrap_or_default();
    let packages = document.get("package").and_then(toml_edit::Item::as_array_of_tables);
    let mut foreign = Vec::new();
    for package in packages.into_iter().flatten() {
        let value = |key: &str| package.get(key).and_then(toml_edit::Item::as_str);
        let (Some(name), Some(version), Some(source)) = (value("name"), value("version"), value("source")) else { continue };
        if !locked.contains(&(name, version, source, value("checksum"))) {
            foreign.push(format!("{name} {version}"));
        }
    }
    if foreign.is_empty() { Ok(()) } else { Err(StepError::LockDiffers { packages: foreign }) }
}
