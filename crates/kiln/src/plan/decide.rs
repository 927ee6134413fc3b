//! From facts and settings to services: what counts for each.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::chef;
use super::find::{Finder, Pick, What};
use super::ignore::{self, IgnoreFacts};
use super::node::NodeDecision;
use super::paths::{APP, is_within, join, relative};
use super::rust::{self, Draft};
use super::{
    Asset, BaseImages, DEFAULT_TOOL_IMAGE, ImageEngine, Plan, Question, QuestionKind, Serve, Service, ServiceFiles, ServiceKind,
    Source,
};
use crate::project::cargo::SourceFacts;
use crate::project::{Link, Project};
use crate::settings::{At, ServiceSettings, Settings};

/// Decides how the images of a project are built.
///
/// A cargo workspace with one binary is one service, and so is a Node package that makes something to serve. As soon as `kiln.toml`
/// names a service of a cargo workspace, it names them all: nothing else of that workspace is found by itself.
#[must_use]
pub fn plan(project: &Project, settings: &Settings) -> Plan {
    let name = settings.project.name.as_ref().map_or_else(|| rust::service_name(&project.name), |at| at.value.clone());
    let tool_image = settings.project.tool_image.as_ref().map_or_else(|| DEFAULT_TOOL_IMAGE.to_owned(), |at| at.value.clone());
    let engine = settings.project.engine.as_ref().map_or(ImageEngine::Kiln, |at| at.value);
    let (mut picks, mut questions) = Finder::new(project, settings).picks();
    picks.sort_by(|a, b| (&a.path, &a.name).cmp(&(&b.path, &b.name)));
    let all_paths: Vec<Utf8PathBuf> = picks.iter().map(|pick| pick.path.clone()).collect();
    let mut services = Vec::new();
    let mut source_facts = SourceFacts::default();
    for pick in &picks {
        match service(pick, &all_paths, &mut source_facts) {
            Ok((mut service, mut facts)) => {
                let asked = [lock_question(pick), link_question(project, pick, &service)].into_iter().flatten();
                for question in asked {
                    if !asks_already(&questions, &question) {
                        questions.push(question);
                    }
                }
                apply(&mut service, &pick.settings);
                keep(&mut facts, &service, &pick.settings);
                service.ignore = ignore::sections(&facts);
                if engine == ImageEngine::Chef {
                    ignore::leave(&mut service.ignore);
                    chef::complete(&project.root, &mut service);
                }
                services.push(service);
            }
            Err(question) => questions.push(*question),
        }
    }
    let theirs = |path: &Utf8PathBuf| {
        // cargo-chef's files have no header: there, nothing tells kiln's ignore file from a person's.
        engine == ImageEngine::Kiln && project.docker_files.contains(path) && !project.generated_files.contains(path)
    };
    place_files(&mut services, theirs);
    if services.is_empty() && questions.is_empty() {
        questions.push(Question { service: None, path: ".".into(), line: None, kind: QuestionKind::NothingFound, setting: None });
    }
    Plan { project: name, engine, tool_image, services, questions }
}

fn service(
    pick: &Pick<'_>,
    all_paths: &[Utf8PathBuf],
    source_facts: &mut SourceFacts,
) -> Result<(Service, IgnoreFacts), Box<Question>> {
    match &pick.what {
        What::Rust { place, member, chosen } => {
            let choice = match chosen {
                Some(choice) => choice.clone(),
                None => rust::choose(*place, Some(&pick.name), &pick.settings, member.as_deref())?,
            };
            let draft = Draft { place: *place, name: &pick.name, path: &pick.path, settings: &pick.settings, all_paths };
            Ok(rust::service(draft, &choice, source_facts))
        }
        What::Node(decision) => Ok(node_service(pick, decision)),
    }
}

fn node_service(pick: &Pick<'_>, decision: &NodeDecision) -> (Service, IgnoreFacts) {
    let mut node = decision.service.clone();
    node.proxy.extend(pick.settings.proxy.iter().map(|(prefix, at)| (prefix.clone(), at.value.clone())));
    let value = |at: &Option<At<String>>, default: &str| at.as_ref().map_or_else(|| default.to_owned(), |at| at.value.clone());
    let mut native_packages = decision.native_packages.clone();
    native_packages.build = added(&native_packages.build, &pick.settings.apt);
    native_packages.runtime = added(&native_packages.runtime, &pick.settings.runtime_apt);
    let outputs = match &node.serve {
        Serve::Static { directory } => vec![join(&node.package, directory)],
        Serve::Server { output, .. } => output.iter().map(|output| join(&node.package, output)).collect(),
    };
    let facts = IgnoreFacts {
        node: true,
        outputs: outputs.into_iter().filter(|output| output != ".").collect(),
        written_secrets: node.cleaned.keys().map(|path| join(&node.workspace, path)).collect(),
        ..Default::default()
    };
    let sources = decision.sources.iter().map(|(key, path)| (key.replace('_', "-"), Source::Detected { path: path.clone() }));
    let images = BaseImages {
        build: value(&pick.settings.build_image, &decision.build_image),
        runtime: value(&pick.settings.runtime_image, &decision.runtime_image),
    };
    let service = Service {
        native_packages,
        port: Some(decision.port),
        environment: decision.environment.clone(),
        sources: sources.collect(),
        ..Service::undecided(&pick.name, &pick.path, decision.context.clone(), ServiceKind::Node(node), images, &decision.user)
    };
    (service, facts)
}

/// Services of one workspace share its lock: one question is enough.
fn asks_already(questions: &[Question], question: &Question) -> bool {
    questions.iter().any(|other| other.path == question.path && other.kind == question.kind)
}

/// A list with the settings' own entries behind it.
pub(super) fn added(detected: &[String], own: &Option<At<Vec<String>>>) -> Vec<String> {
    let mut list = detected.to_vec();
    list.extend(own.iter().flat_map(|at| &at.value).filter(|name| !detected.contains(name)).cloned());
    list
}

/// A manifest or lockfile of the service that leads out of what is sent: the builder would find a link to nowhere.
fn link_question(project: &Project, pick: &Pick<'_>, service: &Service) -> Option<Question> {
    let folders: Vec<Utf8PathBuf> = match &pick.what {
        What::Rust { place, .. } => {
            let packages = place.workspace.packages.iter().map(|package| join(place.folder, &package.directory));
            std::iter::once(place.folder.to_owned()).chain(packages).collect()
        }
        What::Node(decision) => {
            [&decision.service.workspace, &decision.service.package].map(|folder| join(&decision.context, folder)).to_vec()
        }
    };
    let leads_out = |link: &&Link| {
        let folder = join(Utf8Path::new("."), link.path.parent().unwrap_or(Utf8Path::new(".")));
        folders.contains(&folder) && (link.target.is_absolute() || !is_within(&link.target, &service.context))
    };
    let Link { path, target } = project.links.iter().find(leads_out)?.clone();
    let kind = QuestionKind::LinkedOut { target, context: service.context.clone() };
    Some(Question { service: Some(pick.name.clone()), path, line: None, kind, setting: None })
}

/// What keeps `cargo build --locked` from starting.
fn lock_question(pick: &Pick<'_>) -> Option<Question> {
    let What::Rust { place, .. } = &pick.what else { return None };
    let question = |path: &Utf8Path, line, kind| Question {
        service: Some(pick.name.clone()),
        path: join(place.folder, path),
        line,
        kind,
        setting: None,
    };
    if place.workspace.lock.is_none() {
        let kind = QuestionKind::MissingLock { expected: "Cargo.lock".to_owned(), command: "cargo generate-lockfile".to_owned() };
        return Some(question(Utf8Path::new("Cargo.toml"), None, kind));
    }
    let first = place.workspace.lock_disagreements().into_iter().next()?;
    let dependency = first.kind.dependency().unwrap_or(&first.package).to_owned();
    let kind = QuestionKind::StaleLock { dependency, command: "cargo update --workspace".to_owned() };
    Some(question(&first.manifest, first.line, kind))
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
    service.volumes = settings.volumes.iter().flat_map(|at| at.value.iter().cloned()).collect();
    service.secrets = settings.secrets.iter().map(|at| at.value.clone()).collect();
    let assets = settings.assets.iter().flat_map(|at| &at.value);
    service.assets = assets.map(|text| asset(text, service)).collect();
}

/// `from` or `from:to`: a path in the service's folder, and one in the image, by default the same below the working directory.
fn asset(text: &str, service: &Service) -> Asset {
    let (from, to) = text.split_once(':').unwrap_or((text, ""));
    let from_root = join(&service.path, Utf8Path::new(from));
    let to = if to.is_empty() { join(Utf8Path::new(APP), Utf8Path::new(from)).into_string() } else { to.to_owned() };
    Asset { from: relative(&from_root, &service.context).unwrap_or(from_root), to }
}

/// Adds what must come through the ignore file: assets and what `include` names.
fn keep(facts: &mut IgnoreFacts, service: &Service, settings: &ServiceSettings) {
    facts.keep.extend(service.assets.iter().map(|asset| asset.from.clone()));
    let included = settings.include.iter().flat_map(|at| &at.value);
    facts.keep.extend(included.filter_map(|path| relative(&join(&service.path, path), &service.context)));
}

/// Docker files go beside the service; where services share a folder, into `docker/NAME` below it. One ignore file serves all
/// variants of a service, unless its name could reach another service's context, or a person wrote that file (`theirs`) for Dockerfiles of
/// their own: it may hide what kiln's Dockerfiles read, or let through what they should not see.
fn place_files(services: &mut [Service], theirs: impl Fn(&Utf8PathBuf) -> bool) {
    let mut by_path: BTreeMap<Utf8PathBuf, usize> = BTreeMap::new();
    for service in services.iter() {
        *by_path.entry(service.path.clone()).or_default() += 1;
    }
    for service in services {
        let shared = by_path.get(&service.path).is_some_and(|count| *count > 1);
        let folder = if shared { join(&service.path, Utf8Path::new("docker")).join(&service.name) } else { service.path.clone() };
        service.files = ServiceFiles::in_folder(&folder);
        if folder != service.context || service.files.ignore.iter().any(&theirs) {
            let files = &service.files;
            let beside = [&files.prod, &files.dev, &files.fast].map(|path| Utf8PathBuf::from(format!("{path}.dockerignore")));
            service.files.ignore = beside.to_vec();
        }
    }
}
