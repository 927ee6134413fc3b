//! `compile`: builds the workspace in a persisted mirror and target directory, on top of a deps layer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::clock::{later, move_back, newest};
use super::export::{Layer, layer_time, set_time};
use super::guard::{Forgotten, Guard};
use super::mirror::{Ledger, Plan, nanoseconds, reset_times, time};
use super::packages::Packages;
use super::reasons;
use super::seed::{Record, age_out, own, seed};
use super::sources;
use super::step::{
    At as _, CargoEnd, CargoRun, Limits, StepError, Stopwatch, changed_variables, environment_digests, lock, remove,
    system_digest, toolchain,
};
use super::target::{UnitId, Units, entries};
use crate::process::Cancel;
use crate::recipe::{CargoReport, MountUse, Selection};

/// What `compile` is to do, and where.
#[derive(Debug, Clone)]
pub struct CompileRequest<'a> {
    /// The source as it was bound into the step; only read.
    pub source: &'a Path,
    /// The workspace's folder, in `source`.
    pub workspace: &'a Path,
    /// What to build; package and binaries named, as [`resolve_selection`](crate::recipe::resolve_selection) gives it.
    pub selection: &'a Selection,
    /// The mount that holds mirror, ledger and target directory.
    pub mount: &'a Path,
    /// `CARGO_HOME`, the same for `cook` and `compile`.
    pub cargo_home: &'a Path,
    /// The deps layer, if there is one.
    pub deps: Option<&'a Path>,
    /// Where the programs go.
    pub output: &'a Path,
    /// The cargo program.
    pub cargo: &'a Path,
    /// The environment of the step.
    pub environment: &'a BTreeMap<String, String>,
    /// Variables that change often and that no build reads.
    pub ignored_variables: &'a [String],
    /// Files that tell which system packages are installed.
    pub system_files: &'a [PathBuf],
    /// Compile incrementally, also in a release profile.
    pub incremental: bool,
    /// How much the mount may hold.
    pub limits: Limits,
}

/// Builds the selected binaries and copies them to the output. cargo's own lines go to `talk`.
///
/// # Errors
/// [`StepError`]: cargo failed, a binary was not built, a file cannot be written. The mount stays right for the next build.
pub fn compile(request: &CompileRequest<'_>, cancel: &Cancel, talk: &mut dyn FnMut(&str)) -> Result<CargoReport, StepError> {
    let outside = || StepError::Workspace { workspace: request.workspace.to_owned(), source_root: request.source.to_owned() };
    let within = request.workspace.strip_prefix(request.source).map_err(|_| outside())?;
    if !request.workspace.is_dir() {
        return Err(outside());
    }
    let mut watch = Stopwatch::default();
    let mount = Mount::new(request.mount)?;
    let _held = watch.time("wait", || lock(&mount.root.join("lock"), cancel))?;
    let layer = match request.deps {
        Some(folder) => Layer::read(folder)?.map(|(layer, _)| (folder, layer)),
        None => None,
    };
    let layer_units: BTreeSet<_> = layer.iter().flat_map(|(_, layer)| &layer.units).map(super::LayerUnit::id).collect();
    let (mut ledger, forgotten) =
        watch.time("guard", || guard(request, &mount, within, &|unit| layer_units.contains(unit), cancel))?;
    let mut record = watch.time("seed", || match &layer {
        Some((folder, layer)) => {
            sources::seed(folder, &layer.sources, request.cargo_home, cancel)?;
            seed(folder, layer, &mount.target, &mount.record, time(ledger.latest)).map(|(_, record)| record)
        }
        None => Ok(Record::read(&mount.record).unwrap_or_default()),
    })?;
    let toolchain = match &layer {
        // The layer was cooked in the same image; asking rustup again would cost more than reading the layer.
        Some((_, layer)) => request.environment.get("RUSTUP_TOOLCHAIN").or(layer.toolchain.as_ref()).cloned(),
        None => toolchain(channel(request.workspace).as_deref(), request.environment, cancel)?,
    };
    let directory = mount.mirror.join(within);
    let mut arguments = arguments(request.selection);
    if layer.is_some() {
        // Only so does cargo say why it compiles what the layer should have.
        arguments.push("--verbose".to_owned());
    }
    let cargo = CargoRun {
        program: request.cargo,
        home: request.cargo_home,
        target: &mount.target,
        toolchain: toolchain.as_deref(),
        directory: &directory,
        arguments,
        environment: if request.incremental { vec![("CARGO_INCREMENTAL", "1")] } else { Vec::new() },
    };
    let end = watch.time("cargo", || run_cargo(&cargo, cancel, talk));
    // Whatever happened: the next build's times must be later than anything cargo wrote.
    ledger.latest = ledger.latest.max(mount.clock()?);
    ledger.finished = true;
    ledger.write(&mount.ledger)?;
    let end = end?;
    let compiled = end.transcript.external_compiled();
    let mut defects = Vec::new();
    if let Some((folder, layer)) = layer.as_ref().filter(|_| !compiled.is_empty()) {
        defects = reasons::defects(&end.transcript, &end.verbose, layer, folder, &mount.target)?;
        own(layer, &mount.target, &mut record)?;
        record.write(&mount.record)?;
    }
    if end.code != Some(0) {
        return Err(StepError::Cargo { code: end.code });
    }
    watch.time("export", || deliver(request, &end))?;
    let left = watch.time("clean", || clean(request, &mount, &end, &mut record, &|unit| layer_units.contains(unit)))?;
    Ok(CargoReport {
        seed: None,
        phase: "compile".to_owned(),
        local_compiled: end.transcript.local_compiled(),
        fresh: end.transcript.fresh(),
        seconds: watch.0,
        undeclared: forgotten.undeclared,
        defects,
        external_compiled: compiled,
        mount: Some(left),
    })
}

/// The places in the mount.
#[derive(Debug)]
struct Mount {
    root: PathBuf,
    mirror: PathBuf,
    target: PathBuf,
    ledger: PathBuf,
    /// A file that is there while the mirror is ahead of the ledger.
    ahead: PathBuf,
    record: PathBuf,
}

impl Mount {
    fn new(root: &Path) -> Result<Self, StepError> {
        fs::create_dir_all(root).at("create", root)?;
        let at = |name: &str| root.join(name);
        Ok(Self {
            root: root.to_owned(),
            mirror: at("src"),
            target: at("target"),
            ledger: at("ledger.json"),
            ahead: at("mirror-ahead"),
            record: at("record.json"),
        })
    }

    /// The time as the mount's file system gives it to files, in nanoseconds since the epoch.
    fn clock(&self) -> Result<u64, StepError> {
        let path = self.root.join("clock");
        fs::write(&path, b"").at("write", &path)?;
        Ok(nanoseconds(&fs::metadata(&path).at("read", &path)?))
    }
}

/// Brings the mirror up to date and makes cargo forget what may be stale. The ledger is written before cargo runs: what must be
/// compiled again has no fingerprint any more, so a build that is killed needs no note.
fn guard(
    request: &CompileRequest<'_>,
    mount: &Mount,
    within: &Path,
    seeded: &(dyn Fn(&UnitId) -> bool + Sync),
    cancel: &Cancel,
) -> Result<(Ledger, Forgotten), StepError> {
    let known = Ledger::read(&mount.ledger);
    let mut environment = environment_digests(request.environment);
    environment.retain(|name, _| !request.ignored_variables.contains(name));
    let system = system_digest(request.system_files);
    let unknown = known.is_none();
    let mut ledger = known.unwrap_or_default();
    let ahead = mount.ahead.exists();
    if ahead {
        ledger.distrust_times();
    }
    let killed = ahead || !ledger.finished;
    if !ledger.finished {
        ledger.latest = ledger.latest.max(newest(&mount.target)?);
    }
    let plan = Plan::make(request.source, &mount.mirror, &ledger)?;
    let everything = match &ledger {
        _ if unknown => Some("a mount without a ledger"),
        ledger if ledger.system != system => Some("installed system packages"),
        _ => None,
    };
    let variables = if unknown { BTreeSet::new() } else { changed_variables(&ledger.environment, &environment) };
    let mut files: Vec<PathBuf> = plan.files().collect();
    files.extend(plan.changes.iter().map(|change| change.path.clone()));
    files.sort();
    files.dedup();
    let packages = Packages::read(&[request.source, &mount.mirror], within, &files);
    let links = plan.links(&ledger);
    let guard = Guard {
        mirror: &mount.mirror,
        workspace: within,
        target: &mount.target,
        cargo_home: request.cargo_home,
        packages: &packages,
        changes: &plan.changes,
        variables: &variables,
        everything,
        links: &links,
        killed,
    };
    let mut forgotten = guard.run(seeded)?;
    if unknown {
        // Nothing was there to be stale, or nothing is known of it: no input is to blame.
        forgotten.undeclared.clear();
    }
    let now = later(ledger.latest, &mut || mount.clock(), cancel)?;
    let back = now <= ledger.latest;
    fs::write(&mount.ahead, b"").at("write", &mount.ahead)?;
    ledger.files = plan.apply(now)?;
    if back {
        reset_times(&mount.mirror, &mut ledger.files)?;
        let seeded = Record::read(&mount.record).map_or(0, |record| record.time);
        move_back(&mount.target, time(now), UNIX_EPOCH + Duration::from_secs(seeded))?;
    }
    ledger.latest = now;
    ledger.finished = false;
    ledger.environment = environment;
    ledger.system = system;
    ledger.write(&mount.ledger)?;
    remove(&mount.ahead)?;
    Ok((ledger, forgotten))
}

fn arguments(selection: &Selection) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["build", "--locked", "--message-format=json-render-diagnostics", "--profile"].map(str::to_owned).to_vec();
    arguments.push(if selection.profile.is_empty() { "dev".to_owned() } else { selection.profile.clone() });
    let mut add = |flag: &str, value: &str| arguments.extend([flag.to_owned(), value.to_owned()]);
    if let Some(package) = &selection.package {
        add("--package", package);
    }
    for binary in &selection.binaries {
        add("--bin", binary);
    }
    if !selection.features.is_empty() {
        add("--features", &selection.features.join(","));
    }
    if let Some(target) = &selection.target {
        add("--target", target);
    }
    if selection.binaries.is_empty() {
        arguments.push("--bins".to_owned());
    }
    if selection.no_default_features {
        arguments.push("--no-default-features".to_owned());
    }
    arguments
}

/// Runs cargo without the network, and once more with it if something is missing: the whole workspace's lock needs index entries
/// of members outside the closure, which no layer carries.
fn run_cargo(cargo: &CargoRun<'_>, cancel: &Cancel, talk: &mut dyn FnMut(&str)) -> Result<CargoEnd, StepError> {
    let mut offline = cargo.clone();
    offline.arguments.push("--offline".to_owned());
    let end = offline.run(cancel, true, talk)?;
    let began = !end.transcript.artifacts.is_empty();
    let end =
        if end.code == Some(0) || began || !end.stderr.contains("offline") { end } else { cargo.run(cancel, false, talk)? };
    end.held.iter().for_each(|line| talk(line));
    Ok(end)
}

/// Copies the programs that cargo reported in this run.
fn deliver(request: &CompileRequest<'_>, end: &CargoEnd) -> Result<(), StepError> {
    let selection = request.selection;
    fs::create_dir_all(request.output).at("create", request.output)?;
    let mut missing: BTreeSet<&str> = selection.binaries.iter().map(String::as_str).collect();
    let mut delivered = 0;
    for artifact in end.transcript.artifacts.iter().filter(|artifact| artifact.package.local && artifact.is("bin")) {
        let Some(executable) = &artifact.executable else { continue };
        let selected = selection.binaries.is_empty() || selection.binaries.contains(&artifact.target);
        if !selected || selection.package.as_ref().is_some_and(|package| artifact.package.name != *package) {
            continue;
        }
        let destination = request.output.join(executable.file_name().unwrap_or_default());
        let mut name = destination.file_name().unwrap_or_default().to_owned();
        name.push(".kiln-new");
        let temporary = destination.with_file_name(name);
        remove(&temporary)?;
        fs::copy(executable, &temporary).at("write", &temporary)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755)).at("write", &temporary)?;
        set_time(&temporary, layer_time())?;
        fs::rename(&temporary, &destination).at("write", &destination)?;
        missing.remove(artifact.target.as_str());
        delivered += 1;
    }
    if missing.is_empty() && delivered > 0 {
        return Ok(());
    }
    let names = if missing.is_empty() { vec!["any binary".to_owned()] } else { missing.into_iter().map(str::to_owned).collect() };
    Err(StepError::MissingBinary { names })
}

/// Ages units out of the mount: never those of the layer, nor those of this build. Gives what is left.
fn clean(
    request: &CompileRequest<'_>,
    mount: &Mount,
    end: &CargoEnd,
    record: &mut Record,
    in_layer: &dyn Fn(&UnitId) -> bool,
) -> Result<MountUse, StepError> {
    let units = Units::scan(&mount.target)?;
    let mut used = BTreeSet::new();
    let mut programs = BTreeSet::new();
    for artifact in &end.transcript.artifacts {
        match artifact.files.iter().find_map(|file| units.of_file(file)) {
            Some(unit) => drop(used.insert(unit.clone())),
            // A program is reported under its plain name: all units of its package are kept.
            None => drop(programs.insert(artifact.package.name.clone())),
        }
    }
    used.extend(end.transcript.scripts.iter().filter_map(|script| units.of_file(&script.out_dir).cloned()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_secs());
    let keep = |unit: &UnitId| in_layer(unit) || used.contains(unit) || programs.contains(unit.package());
    let (_, left) = age_out(&mount.root, &mount.target, record, &keep, request.limits, now)?;
    for unit_root in units.roots() {
        for folder in entries(&mount.target.join(unit_root).join("incremental"))? {
            let used = fs::metadata(&folder).and_then(|metadata| metadata.modified()).at("read", &folder)?;
            if used.elapsed().is_ok_and(|unused| unused > request.limits.age) {
                remove(&folder)?;
            }
        }
    }
    record.write(&mount.record)?;
    Ok(left)
}

/// `channel` of the workspace's toolchain file.
fn channel(workspace: &Path) -> Option<String> {
    let plain = fs::read_to_string(workspace.join("rust-toolchain")).ok();
    if let Some(line) = plain.as_deref().map(str::trim).filter(|text| !text.is_empty() && !text.contains(['\n', '['])) {
        return Some(line.to_owned());
    }
    let text = fs::read_to_string(workspace.join("rust-toolchain.toml")).ok().or(plain)?;
    let document: toml_edit::DocumentMut = text.parse().ok()?;
    Some(document.get("toolchain")?.get("channel")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_gets_the_selection_as_flags() {
        let selection = Selection {
            binaries: vec!["a".to_owned()],
            features: vec!["x".to_owned(), "y".to_owned()],
            no_default_features: true,
            profile: "dev".to_owned(),
            target: Some("t".to_owned()),
            package: Some("p".to_owned()),
        };
        let flags = arguments(&selection).join(" ");
        assert_eq!(
            flags,
            "build --locked --message-format=json-render-diagnostics --profile dev --package p --bin a --features x,y --target t --no-default-features"
        );
    }
}
