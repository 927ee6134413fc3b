//! From facts and settings to services: which there are, what they are called, and what counts for each.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::ignore::{self, IgnoreFacts};
use super::paths::{is_within, join, relative};
use super::rust::{self, Choice, Draft, Place};
use super::{Asset, DEFAULT_TOOL_IMAGE, Plan, Question, QuestionKind, Service, ServiceFiles, Source};
use crate::project::Project;
use crate::settings::{At, FILE_NAME, Kind, ServiceSettings, Settings};

/// Decides how the images of a project are built.
///
/// A cargo workspace with one binary is one service. As soon as `kiln.toml` names a service of a workspace, it names them all: nothing
/// else of that workspace is found by itself.
#[must_use]
pub fn plan(project: &Project, settings: &Settings) -> Plan {
    let mut plan = Plan {
        project: settings.project.name.as_ref().map_or_else(|| rust::service_name(&project.name), |at| at.value.clone()),
        tool_image: settings.project.tool_image.as_ref().map_or_else(|| DEFAULT_TOOL_IMAGE.to_owned(), |at| at.value.clone()),
        services: Vec::new(),
        questions: Vec::new(),
    };
    let decider = Decider::new(project, settings);
    let (mut picks, questions) = decider.picks();
    plan.questions = questions;
    picks.sort_by(|a, b| (&a.path, &a.name).cmp(&(&b.path, &b.name)));
    let all_paths: Vec<Utf8PathBuf> = picks.iter().map(|pick| pick.path.clone()).collect();
    let mut facts = Vec::new();
    for pick in &picks {
        match decider.service(pick, &all_paths) {
            Ok((mut service, mut ignored)) => {
                plan.questions.extend(decider.lock_question(pick));
                apply(&mut service, &pick.settings);
                keep(&mut ignored, &service, &pick.settings);
                plan.services.push(service);
                facts.push(ignored);
            }
            Err(question) => plan.questions.push(question),
        }
    }
    for (service, facts) in plan.services.iter_mut().zip(&facts) {
        service.ignore = ignore::sections(facts);
    }
    place_files(&mut plan.services);
    if plan.services.is_empty() && plan.questions.is_empty() {
        plan.questions.push(decider.nothing());
    }
    plan
}

/// A service to be built, and where it was found.
struct Pick<'a> {
    name: String,
    path: Utf8PathBuf,
    settings: ServiceSettings,
    what: What<'a>,
}

enum What<'a> {
    Rust { place: Place<'a>, member: Option<Utf8PathBuf>, chosen: Option<Choice<'a>> },
}

struct Decider<'a> {
    settings: &'a Settings,
    /// Workspaces with their folder, relative to the project root.
    cargo: Vec<(Utf8PathBuf, &'a crate::project::cargo::CargoWorkspace)>,
}

impl<'a> Decider<'a> {
    fn new(project: &'a Project, settings: &'a Settings) -> Self {
        let folder = |directory: &Utf8Path| {
            directory.strip_prefix(&project.root).map_or_else(|_| directory.to_owned(), |path| join(Utf8Path::new("."), path))
        };
        let cargo = project.cargo.iter().map(|workspace| (folder(&workspace.directory), workspace)).collect();
        Self { settings, cargo }
    }

    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.cargo.iter().map(|(folder, workspace)| Place { workspace, folder })
    }

    /// Services of `kiln.toml` first, then what is found by itself in workspaces that it does not mention.
    fn picks(&self) -> (Vec<Pick<'_>>, Vec<Question>) {
        let mut picks: Vec<Pick<'_>> = Vec::new();
        let mut questions = Vec::new();
        let mut claimed: BTreeSet<&Utf8Path> = BTreeSet::new();
        for (name, own) in &self.settings.services {
            let enabled = own.enabled.as_ref().is_none_or(|at| at.value);
            match self.locate(name, own) {
                Ok((path, what)) => {
                    let What::Rust { place, .. } = &what;
                    claimed.insert(place.folder);
                    if enabled {
                        picks.push(Pick { name: name.clone(), path, settings: self.settings.service(name), what });
                    }
                }
                // A service that is off needs no place.
                Err(_) if !enabled => {}
                Err(question) => questions.push(question),
            }
        }
        let found = self.found(&claimed, &mut questions);
        for mut pick in found {
            if picks.iter().any(|other| other.name == pick.name) {
                pick.name = rust::service_name(&format!("{}-{}", pick.path, pick.name));
            }
            picks.push(pick);
        }
        (picks, questions)
    }

    fn found(&self, claimed: &BTreeSet<&Utf8Path>, questions: &mut Vec<Question>) -> Vec<Pick<'_>> {
        let mut picks = Vec::new();
        let free: Vec<Place<'_>> = self.places().filter(|place| !claimed.contains(place.folder)).collect();
        let real: Vec<Place<'_>> = free.iter().copied().filter(|place| !rust::candidates(place.workspace).is_empty()).collect();
        for place in &real {
            let settings = self.settings.service("");
            match rust::choose(*place, None, &settings, None) {
                Ok(choice) => {
                    let name = match place.folder.file_name() {
                        Some(folder) if place.folder != "." => rust::service_name(folder),
                        _ => rust::service_name(&choice.binaries[0]),
                    };
                    let what = What::Rust { place: *place, member: None, chosen: Some(choice) };
                    picks.push(Pick { name, path: place.folder.to_owned(), settings, what });
                }
                Err(question) => questions.push(question),
            }
        }
        // A workspace without a binary is a library; only where there is nothing else is that worth a question.
        if real.is_empty() && claimed.is_empty() {
            questions.extend(free.iter().filter_map(|place| rust::choose(*place, None, &self.settings.service(""), None).err()));
        }
        picks
    }

    /// Where a service of `kiln.toml` is.
    fn locate(&self, name: &str, own: &ServiceSettings) -> Result<(Utf8PathBuf, What<'_>), Question> {
        let at = |place: Place<'_>, member: Option<Utf8PathBuf>| -> What<'_> {
            What::Rust { place: Place { workspace: self.workspace(place.folder).unwrap_or(place.workspace), folder: self.folder(place.folder) }, member, chosen: None }
        };
        if let Some(path) = &own.path {
            if own.kind.as_ref().is_some_and(|kind| kind.value == Kind::Node) {
                return Err(self.nothing_at(name, path));
            }
            // The innermost workspace that holds the folder.
            let place = self
                .places()
                .filter(|place| is_within(&path.value, place.folder))
                .max_by_key(|place| place.folder.components().count());
            let Some(place) = place else { return Err(self.nothing_at(name, path)) };
            let member = relative(&path.value, place.folder).unwrap_or_else(|| ".".into());
            if place.folder == path.value {
                return Ok((path.value.clone(), at(place, None)));
            }
            if place.workspace.packages.iter().any(|package| package.member && package.directory == member) {
                return Ok((path.value.clone(), at(place, Some(member))));
            }
            return Err(self.nothing_at(name, path));
        }
        let has_binary = |place: &Place<'_>, wanted: &str| {
            place.workspace.packages.iter().any(|package| package.member && package.binaries.iter().any(|binary| binary.name == wanted))
        };
        let by_folder: Vec<Place<'_>> =
            self.places().filter(|place| place.folder.file_name().is_some_and(|folder| rust::service_name(folder) == name)).collect();
        let by_binary: Vec<Place<'_>> = match (&own.binaries, &own.package) {
            (Some(binaries), _) => self.places().filter(|place| binaries.value.iter().all(|binary| has_binary(place, binary))).collect(),
            (None, Some(package)) => self
                .places()
                .filter(|place| place.workspace.packages.iter().any(|candidate| candidate.member && candidate.name == package.value))
                .collect(),
            (None, None) => self.places().filter(|place| has_binary(place, name)).collect(),
        };
        let only: Vec<Place<'_>> = if own.binaries.is_some() || own.package.is_some() { self.places().collect() } else { Vec::new() };
        for places in [by_folder, by_binary, only] {
            if let [place] = places[..] {
                return Ok((place.folder.to_owned(), at(place, None)));
            }
        }
        Err(Question {
            service: Some(name.to_owned()),
            path: FILE_NAME.into(),
            line: Some(own.line),
            kind: QuestionKind::UnknownService { candidates: self.candidates() },
            setting: Some(format!("[services.{name}]\npath = \"…\"")),
        })
    }

    fn workspace(&self, folder: &Utf8Path) -> Option<&'a crate::project::cargo::CargoWorkspace> {
        self.cargo.iter().find(|(known, _)| known == folder).map(|(_, workspace)| *workspace)
    }

    fn folder(&self, folder: &Utf8Path) -> &Utf8Path {
        self.cargo.iter().find(|(known, _)| known == folder).map_or(Utf8Path::new("."), |(known, _)| known)
    }

    fn nothing_at(&self, name: &str, path: &At<Utf8PathBuf>) -> Question {
        Question {
            service: Some(name.to_owned()),
            path: FILE_NAME.into(),
            line: Some(path.line),
            kind: QuestionKind::NothingAt { folder: path.value.clone(), candidates: self.candidates() },
            setting: None,
        }
    }

    /// What could be built, for people.
    fn candidates(&self) -> Vec<String> {
        self.places()
            .flat_map(|place| rust::candidates(place.workspace).into_iter().map(move |(package, binary)| format!("{}: {}/{binary}", place.folder, package.name)))
            .collect()
    }

    fn service(&self, pick: &Pick<'_>, all_paths: &[Utf8PathBuf]) -> Result<(Service, IgnoreFacts), Question> {
        match &pick.what {
            What::Rust { place, member, chosen } => {
                let choice = match chosen {
                    Some(choice) => choice.clone(),
                    None => rust::choose(*place, Some(&pick.name), &pick.settings, member.as_deref())?,
                };
                let draft = Draft { place: *place, name: &pick.name, path: &pick.path, settings: &pick.settings, all_paths };
                Ok(rust::service(draft, &choice))
            }
        }
    }

    fn lock_question(&self, pick: &Pick<'_>) -> Option<Question> {
        let What::Rust { place, .. } = &pick.what;
        place.workspace.lock.is_none().then(|| Question {
            service: Some(pick.name.clone()),
            path: join(place.folder, Utf8Path::new("Cargo.toml")),
            line: None,
            kind: QuestionKind::MissingLock { expected: "Cargo.lock".to_owned(), command: "cargo generate-lockfile".to_owned() },
            setting: None,
        })
    }

    fn nothing(&self) -> Question {
        Question { service: None, path: ".".into(), line: None, kind: QuestionKind::NothingFound, setting: None }
    }
}

/// Settings that every kind of service takes.
fn apply(service: &mut Service, settings: &ServiceSettings) {
    service.sources.extend(settings.lines().into_iter().map(|(key, line)| (key, Source::Setting { line })));
    service.port = settings.port.as_ref().map_or(service.port, |at| Some(at.value));
    service.platform = settings.platform.as_ref().map(|at| at.value.clone());
    if let Some(at) = &settings.user {
        service.user.clone_from(&at.value);
    }
    if let Some(at) = &settings.health {
        service.health = Some(at.value.clone());
    }
    if let Some(at) = &settings.dev_apt {
        service.dev_packages.clone_from(&at.value);
    }
    if let Some(at) = &settings.ca_certificates {
        service.ca_certificates.clone_from(&at.value);
    }
    let values = |map: &BTreeMap<String, At<String>>| -> Vec<(String, String)> {
        map.iter().map(|(key, at)| (key.clone(), at.value.clone())).collect()
    };
    service.environment.extend(values(&settings.environment));
    service.build_args.extend(values(&settings.build_args));
    service.secrets = settings.secrets.iter().map(|at| at.value.clone()).collect();
    let assets = settings.assets.iter().flat_map(|at| &at.value);
    service.assets = assets.map(|text| asset(text, service)).collect();
}

/// `from` or `from:to`: a path in the service's folder, and one in the image, by default the same below the working directory.
fn asset(text: &str, service: &Service) -> Asset {
    let (from, to) = text.split_once(':').unwrap_or((text, ""));
    let from_root = join(&service.path, Utf8Path::new(from));
    let to = if to.is_empty() { join(Utf8Path::new("/app"), Utf8Path::new(from)).into_string() } else { to.to_owned() };
    Asset { from: relative(&from_root, &service.context).unwrap_or(from_root), to }
}

/// Adds what must come through the ignore file: assets and what `include` names.
fn keep(facts: &mut IgnoreFacts, service: &Service, settings: &ServiceSettings) {
    facts.keep.extend(service.assets.iter().map(|asset| asset.from.clone()));
    let included = settings.include.iter().flat_map(|at| &at.value);
    facts.keep.extend(included.filter_map(|path| relative(&join(&service.path, path), &service.context)));
}

/// Docker files go beside the service; where services share a folder, into `docker/NAME` below it. One ignore file serves all
/// variants of a service, unless its name could reach another service's context.
fn place_files(services: &mut [Service]) {
    let mut by_path: BTreeMap<Utf8PathBuf, usize> = BTreeMap::new();
    for service in services.iter() {
        *by_path.entry(service.path.clone()).or_default() += 1;
    }
    for service in services {
        let shared = by_path.get(&service.path).is_some_and(|count| *count > 1);
        let folder = if shared { join(&service.path, Utf8Path::new("docker")).join(&service.name) } else { service.path.clone() };
        service.files = ServiceFiles::in_folder(&folder);
        if folder != service.context {
            let files = &service.files;
            let beside = [&files.prod, &files.dev, &files.fast].map(|path| Utf8PathBuf::from(format!("{path}.dockerignore")));
            service.files.ignore = beside.to_vec();
        }
    }
}
