//! Decides for a cargo workspace: which binary, in which context, with which toolchain and packages.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::decide::added;
use super::paths::{common, is_within, join, relative};
use super::{
    BaseImages, DEFAULT_RUNTIME_IMAGE, NativePackages, Question, QuestionKind, RustService, Service, ServiceKind, Source, Sqlx,
    chef, ignore, images,
};
use crate::project::cargo::{
    CargoPackage, CargoWorkspace, DependencySource, Distribution as Family, NativeNeed, SourceFacts, compiler_cache,
    linker_needs, native_needs,
};
use crate::settings::{FILE_NAME, ServiceSettings, service_head, string};

/// A workspace with its place in the repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The workspace.
    pub(super) workspace: &'a CargoWorkspace,
    /// Its folder, relative to the project root.
    pub(super) folder: &'a Utf8Path,
}

impl<'a> Place<'a> {
    /// The place of a workspace below the project root.
    pub(super) fn new(root: &Utf8Path, workspace: &'a CargoWorkspace) -> Self {
        let folder = workspace.directory.strip_prefix(root).unwrap_or(&workspace.directory);
        Self { workspace, folder: if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder } }
    }
}

/// The binaries that were chosen, all of one package.
#[derive(Debug, Clone)]
pub(super) struct Choice<'a> {
    pub(super) package: &'a CargoPackage,
    pub(super) binaries: Vec<String>,
    /// Whether the repository had no other candidate, or says itself which one is the default.
    pub(super) source: Source,
}

/// Folders whose packages help development and are no service unless someone says so.
const INCIDENTAL: &[&str] =
    &["xtask", "xtasks", "examples", "example", "tests", "test", "benches", "bench", "fuzz", "tools", "scripts"];

/// `package/binary` of every binary that may be a service.
pub(super) fn candidates(workspace: &CargoWorkspace) -> Vec<(&CargoPackage, &str)> {
    binaries(workspace).filter(|(package, _)| !is_incidental(package)).collect()
}

fn binaries(workspace: &CargoWorkspace) -> impl Iterator<Item = (&CargoPackage, &str)> {
    let members = workspace.packages.iter().filter(|package| package.member);
    members.flat_map(|package| package.binaries.iter().map(move |binary| (package, binary.name.as_str())))
}

fn is_incidental(package: &CargoPackage) -> bool {
    package.name == "xtask" || package.directory.components().any(|part| INCIDENTAL.contains(&part.as_str()))
}

fn names(candidates: &[(&CargoPackage, &str)]) -> Vec<String> {
    candidates.iter().map(|(package, binary)| format!("{}/{binary}", package.name)).collect()
}

/// Which binaries a service builds. `member` is the folder of a member that the setting `path` points at, relative to the workspace.
pub(super) fn choose<'a>(
    place: Place<'a>,
    name: Option<&str>,
    settings: &ServiceSettings,
    member: Option<&Utf8Path>,
) -> Result<Choice<'a>, Box<Question>> {
    let workspace = place.workspace;
    let question = |kind, setting| {
        let path = join(place.folder, Utf8Path::new("Cargo.toml"));
        Box::new(Question { service: name.map(str::to_owned), path, line: None, kind, setting })
    };
    // What `kiln.toml` names is looked for among all binaries, incidental or not.
    let no_such = |wanted: String, line| {
        let kind = QuestionKind::NoSuchBinary { wanted, candidates: names(&binaries(workspace).collect::<Vec<_>>()) };
        Box::new(Question { path: FILE_NAME.into(), line: Some(line), ..*question(kind, None) })
    };
    let package = settings.package.as_ref();
    let in_scope = |candidate: &CargoPackage| {
        package.is_none_or(|package| package.value == candidate.name) && member.is_none_or(|member| member == candidate.directory)
    };
    if let Some(package) = package
        && !workspace.packages.iter().any(|candidate| candidate.member && candidate.name == package.value)
    {
        return Err(no_such(package.value.clone(), package.line));
    }
    if let Some(wanted) = &settings.binaries {
        let found: Vec<&CargoPackage> = workspace
            .packages
            .iter()
            .filter(|package| package.member && in_scope(package))
            .filter(|package| wanted.value.iter().all(|name| package.binaries.iter().any(|binary| binary.name == *name)))
            .collect();
        return match found[..] {
            [package] => Ok(Choice { package, binaries: wanted.value.clone(), source: Source::Setting { line: wanted.line } }),
            [] => Err(no_such(wanted.value.join("`, `"), wanted.line)),
            _ => {
                let same: Vec<_> = found.iter().map(|package| (*package, wanted.value[0].as_str())).collect();
                let setting = name.map(|name| format!("{}\npackage = \"{}\"", service_head(name), same[0].0.name));
                Err(question(QuestionKind::WhichBinary { candidates: names(&same) }, setting))
            }
        };
    }
    // A package or folder that is named may be incidental; what is found by itself may not.
    let mut left: Vec<(&CargoPackage, &str)> = if package.is_some() || member.is_some() {
        binaries(workspace).filter(|(package, _)| in_scope(package)).collect()
    } else {
        candidates(workspace)
    };
    let all = names(&left);
    if left.is_empty() {
        return Err(question(QuestionKind::NoBinary, None));
    }
    let detected = |package: &CargoPackage| Source::Detected {
        path: join(&join(place.folder, &package.directory), Utf8Path::new("Cargo.toml")),
    };
    let narrow = |left: &mut Vec<(&'a CargoPackage, &'a str)>, keep: &dyn Fn(&CargoPackage, &str) -> bool| {
        if left.len() > 1 && left.iter().any(|(package, binary)| keep(package, binary)) {
            left.retain(|(package, binary)| keep(package, binary));
        }
    };
    narrow(&mut left, &|_, binary| Some(binary) == name);
    if !workspace.default_members.is_empty() {
        narrow(&mut left, &|package, _| workspace.default_members.contains(&package.directory));
    } else if !workspace.is_virtual {
        narrow(&mut left, &|package, _| package.directory == ".");
    }
    if left.iter().all(|(package, _)| package.name == left[0].0.name) {
        narrow(&mut left, &|package, binary| package.default_run.as_deref() == Some(binary));
    }
    match left[..] {
        [(package, binary)] => Ok(Choice { package, binaries: vec![binary.to_owned()], source: detected(package) }),
        _ => {
            let setting = which_binary(place.folder, name, &left);
            Err(question(QuestionKind::WhichBinary { candidates: all }, Some(setting)))
        }
    }
}

/// The lines of `kiln.toml` that make each candidate a service of its own.
fn which_binary(folder: &Utf8Path, name: Option<&str>, candidates: &[(&CargoPackage, &str)]) -> String {
    if let Some(name) = name
        && let Some((_, binary)) = candidates.first()
    {
        return format!("{}\nbinary = \"{binary}\"", service_head(name));
    }
    let folder = string(folder.as_str());
    let sections = candidates.iter().map(|(package, binary)| {
        let same = candidates.iter().filter(|(_, other)| other == binary).count() > 1;
        let package_line = if same { format!("package = \"{}\"\n", package.name) } else { String::new() };
        let service = if same { service_name(&package.name) } else { service_name(binary) };
        format!("{}\npath = {folder}\n{package_line}binary = \"{binary}\"\n", service_head(&service))
    });
    sections.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// A name fit for an image: lower case, other characters as `-`.
pub(super) fn service_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if matches!(c, '.' | '_' | '-') || !name.is_empty() {
            let c = if matches!(c, '.' | '_') { c } else { '-' };
            if !name.is_empty() && !name.ends_with(['-', '.', '_']) {
                name.push(c);
            }
        }
    }
    let name = name.trim_end_matches(['-', '.', '_']);
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
}

/// What a Rust service is made of, apart from where its files go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) place: Place<'a>,
    pub(super) name: &'a str,
    /// Folder of the service, relative to the project root.
    pub(super) path: &'a Utf8Path,
    pub(super) settings: &'a ServiceSettings,
    /// Folders of all services, relative to the project root.
    pub(super) all_paths: &'a [Utf8PathBuf],
}

/// The service for a choice, with the facts for its ignore file.
pub(super) fn service(draft: Draft<'_>, choice: &Choice<'_>, source_facts: &mut SourceFacts) -> (Service, ignore::IgnoreFacts) {
    let Draft { place, name, path, settings, all_paths } = draft;
    let workspace = place.workspace;
    let mut sources = BTreeMap::from([("binary".to_owned(), choice.source.clone())]);
    let included: Vec<Utf8PathBuf> =
        source_facts.included(workspace, &choice.package.name).iter().map(|path| join(place.folder, path)).collect();
    let context = context(place, &included);
    let in_context = |path: &Utf8Path| relative(path, &context).unwrap_or_else(|| path.to_owned());
    let closure = workspace.closure(&choice.package.name, false);

    let toolchain_file = workspace.toolchain.as_ref();
    let channel = settings
        .toolchain
        .as_ref()
        .map(|at| at.value.as_str())
        .or_else(|| toolchain_file.and_then(|file| file.channel.as_deref()));
    let newest =
        closure.iter().filter_map(|package| package.rust_version.as_deref()).max_by_key(|version| images::numbers(version));
    let image = images::toolchain_image(channel, newest);
    let toolchain_source = match (&settings.toolchain, toolchain_file.filter(|file| file.channel.is_some())) {
        (Some(at), _) => Source::Setting { line: at.line },
        (None, Some(file)) => Source::Detected { path: join(place.folder, &file.path) },
        (None, None) if image.toolchain != images::DEFAULT_RUST_VERSION => {
            let asks = closure.iter().find(|package| package.rust_version.as_deref() == newest);
            let directory = asks.map_or(Utf8Path::new("."), |package| package.directory.as_path());
            Source::Detected { path: join(&join(place.folder, directory), Utf8Path::new("Cargo.toml")) }
        }
        (None, None) => Source::Default,
    };
    sources.insert("toolchain".to_owned(), toolchain_source.clone());
    sources.insert("build-image".to_owned(), toolchain_source);
    let base_images = BaseImages {
        build: settings.build_image.as_ref().map_or(image.image, |at| at.value.clone()),
        runtime: settings.runtime_image.as_ref().map_or_else(|| DEFAULT_RUNTIME_IMAGE.to_owned(), |at| at.value.clone()),
    };
    // An image of one's own has the toolchain that one wants in it.
    let install_toolchain = image.install.filter(|_| settings.build_image.is_none() || images::is_rust_image(&base_images.build));

    let target = settings.target.as_ref().map(|at| at.value.clone()).or_else(|| {
        let (path, target) = configured_target(workspace)?;
        sources.insert("target".to_owned(), Source::Detected { path: join(place.folder, &path) });
        Some(target)
    });
    let value = |at: &Option<crate::settings::At<String>>, default: &str| {
        at.as_ref().map_or_else(|| default.to_owned(), |at| at.value.clone())
    };
    let absent_wrapper =
        compiler_cache(workspace).filter(|cache| !settings.apt.iter().any(|at| at.value.iter().any(|name| name == cache)));
    let rust = RustService {
        workspace: in_context(place.folder),
        package: choice.package.name.clone(),
        binaries: choice.binaries.clone(),
        features: settings.features.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        no_default_features: settings.no_default_features.as_ref().is_some_and(|at| at.value),
        profile: value(&settings.profile, "release"),
        fast_profile: value(&settings.fast_profile, "dev"),
        target,
        toolchain: image.toolchain,
        install_toolchain,
        absent_wrapper: absent_wrapper.map(str::to_owned),
        sqlx: source_facts.sqlx(workspace, &choice.package.name).map(|found| Sqlx {
            version: found.version,
            offline: found.checked_queries && !(found.data.is_empty() && found.legacy_data.is_empty()),
            data: found.data,
            migrations: found.migrations,
        }),
        seeds: settings.seed.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        beside: chef::beside(place, &context),
    };

    let native_packages = native_packages(place, choice, settings, &base_images, &mut sources);
    let facts = ignore::IgnoreFacts {
        cargo: Some(rust.workspace.clone()),
        test_folders: ignore::test_folders(workspace, &rust.workspace),
        reads_unseen_files: ignore::reads_unseen_files(&closure),
        keep: included.iter().filter_map(|path| relative(path, &context)).collect(),
        ..Default::default()
    };
    let mut needed: BTreeSet<Utf8PathBuf> =
        workspace.packages.iter().map(|package| join(&rust.workspace, &package.directory)).collect();
    needed.extend(facts.keep.iter().cloned());
    let other_services = if facts.reads_unseen_files {
        Vec::new()
    } else {
        ignore::other_services(&context, &[path.to_owned(), place.folder.to_owned()], all_paths, &needed)
    };
    let facts = ignore::IgnoreFacts { other_services, ..facts };
    let service = Service {
        native_packages,
        dev_packages: DEV_PACKAGES.iter().map(|name| (*name).to_owned()).collect(),
        sources,
        ..Service::undecided(name, path, context, ServiceKind::Rust(rust), base_images, "10001:10001")
    };
    (service, facts)
}

/// A debugger, and what one misses first in a shell of a slim image.
const DEV_PACKAGES: [&str; 4] = ["gdb", "git", "less", "procps"];

/// The system packages that the crates want, named for each image's distribution, and those of the settings.
fn native_packages(
    place: Place<'_>,
    choice: &Choice<'_>,
    settings: &ServiceSettings,
    images: &BaseImages,
    sources: &mut BTreeMap<String, Source>,
) -> NativePackages {
    let needs = |image: &str| match images::distribution(image) {
        images::Distribution::Debian => native_needs(place.workspace, &choice.package.name, Family::Debian),
        images::Distribution::Alpine => native_needs(place.workspace, &choice.package.name, Family::Alpine),
        images::Distribution::Bare => Vec::new(),
    };
    let (mut build, runtime) = (needs(&images.build), needs(&images.runtime));
    let found_in = |needs: &[NativeNeed]| if needs.is_empty() { None } else { Some(Utf8PathBuf::from("Cargo.lock")) };
    let (mut build_source, runtime_source) = (found_in(&build), found_in(&runtime));
    if images::distribution(&images.build) != images::Distribution::Bare {
        let linkers = linker_needs(place.workspace);
        build_source = build_source.or_else(|| linkers.first().map(|need| need.krate.clone().into()));
        build.extend(linkers);
    }
    let mut wanted_by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut collect = |list: Vec<(String, Vec<String>)>| {
        let mut all = BTreeSet::new();
        for (krate, packages) in list.into_iter().filter(|(_, packages)| !packages.is_empty()) {
            all.extend(packages.iter().cloned());
            wanted_by.entry(krate).or_default().extend(packages);
        }
        all.into_iter().collect::<Vec<String>>()
    };
    let build = collect(build.into_iter().map(|need| (need.krate, need.build)).collect());
    let runtime = collect(runtime.into_iter().map(|need| (need.krate, need.runtime)).collect());
    for (key, list, source) in [("apt", &build, build_source), ("runtime-apt", &runtime, runtime_source)] {
        if let Some(path) = source.filter(|_| !list.is_empty()) {
            sources.insert(key.to_owned(), Source::Detected { path: join(place.folder, &path) });
        }
    }
    NativePackages { build: added(&build, &settings.apt), runtime: added(&runtime, &settings.runtime_apt), wanted_by }
}

/// The nearest folder that holds everything cargo reads: the workspace, path dependencies and patches outside of it, the toolchain
/// file and cargo's configuration above it, and the files that sources include. Relative to the project root.
fn context(place: Place<'_>, included: &[Utf8PathBuf]) -> Utf8PathBuf {
    let workspace = place.workspace;
    let patches = workspace.patches.iter().chain(&workspace.replacements).filter_map(|patch| match &patch.dependency.source {
        DependencySource::Path(directory) => Some(directory.as_path()),
        _ => None,
    });
    let files = workspace.toolchain.iter().map(|file| &file.path).chain(workspace.configs.iter().map(|config| &config.path));
    let folders = files.map(|path| config_root(path));
    let all = workspace.packages.iter().map(|package| package.directory.as_path()).chain(patches).chain(folders);
    all.map(|path| join(place.folder, path))
        .chain(included.iter().cloned())
        // What lies outside of the repository cannot be in a context; cargo will say so.
        .filter(|path| !path.starts_with(".."))
        .fold(place.folder.to_owned(), |context, path| common(&context, &path))
}

/// The folder that must be in the context for a toolchain file or a `.cargo/config.toml` to be found.
fn config_root(path: &Utf8Path) -> &Utf8Path {
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    if folder.file_name() == Some(".cargo") { folder.parent().unwrap_or(Utf8Path::new(".")) } else { folder }
}

/// `build.target` of the nearest cargo configuration that has one.
fn configured_target(workspace: &CargoWorkspace) -> Option<(Utf8PathBuf, String)> {
    workspace.configs.iter().find_map(|config| {
        let document = toml_edit::Document::parse(config.text.as_str()).ok()?;
        let target = document.as_table().get("build")?.as_table_like()?.get("target")?.as_str()?.to_owned();
        // A custom target specification is a file of the repository and no triple.
        (!target.contains('/') && !is_within(Utf8Path::new(&target), Utf8Path::new("target")))
            .then(|| (config.path.clone(), target))
    })
}
