//! Which services there are and where: those that `kiln.toml` names, then those that are found by themselves.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::node::{NodeChoice, NodeDecision, plan_node};
use super::paths::{is_within, join, relative};
use super::rust::{self, Choice, Place};
use super::{Question, QuestionKind};
use crate::project::Project;
use crate::project::node::NodeWorkspace;
use crate::settings::{At, FILE_NAME, Kind, ServeSetting, ServiceSettings, Settings, service_head, string};

/// A service to be built, and where it was found.
pub(super) struct Pick<'a> {
    pub(super) name: String,
    /// Its folder, relative to the project root.
    pub(super) path: Utf8PathBuf,
    pub(super) settings: ServiceSettings,
    pub(super) what: What<'a>,
}

pub(super) enum What<'a> {
    Rust {
        place: Place<'a>,
        /// Folder of the member that `path` points at, relative to the workspace.
        member: Option<Utf8PathBuf>,
        chosen: Option<Choice<'a>>,
    },
    Node(Box<NodeDecision>),
}

/// Where a service of `kiln.toml` is.
enum Location<'a> {
    Rust { path: Utf8PathBuf, place: Place<'a>, member: Option<Utf8PathBuf> },
    Node { path: Utf8PathBuf },
}

pub(super) struct Finder<'a> {
    project: &'a Project,
    settings: &'a Settings,
    places: Vec<Place<'a>>,
    /// Folders of buildable Node packages, relative to the project root.
    node_folders: Vec<Utf8PathBuf>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(project: &'a Project, settings: &'a Settings) -> Self {
        let places = project.cargo.iter().map(|workspace| Place::new(&project.root, workspace)).collect();
        let node_folders = project.node.iter().flat_map(|workspace| node_folders(&project.root, workspace)).collect();
        Self { project, settings, places, node_folders }
    }

    /// All services, and what keeps others from being one.
    pub(super) fn picks(&self) -> (Vec<Pick<'a>>, Vec<Question>) {
        let mut picks = Vec::new();
        let mut questions = Vec::new();
        let mut claimed: BTreeSet<&Utf8Path> = BTreeSet::new();
        let mut named: BTreeMap<Utf8PathBuf, &str> = BTreeMap::new();
        for (name, own) in &self.settings.services {
            let enabled = is_enabled(own);
            match self.locate(name, own) {
                Ok(Location::Rust { path, place, member }) => {
                    claimed.insert(place.folder);
                    if enabled {
                        let what = What::Rust { place, member, chosen: None };
                        picks.push(Pick { name: name.clone(), path, settings: self.settings.service(name), what });
                    }
                }
                Ok(Location::Node { path }) => {
                    named.insert(path, name);
                }
                // A service that is off needs no place.
                Err(_) if !enabled => {}
                Err(question) => questions.push(*question),
            }
        }
        let nothing_named = claimed.is_empty();
        let free: Vec<Place<'a>> = self.places.iter().copied().filter(|place| !claimed.contains(place.folder)).collect();
        self.node(&named, &mut picks, &mut questions);
        self.rust(&free, nothing_named && picks.is_empty(), &mut picks, &mut questions);
        (picks, questions)
    }

    fn rust(&self, free: &[Place<'a>], alone: bool, picks: &mut Vec<Pick<'a>>, questions: &mut Vec<Question>) {
        let settings = self.settings.service("");
        let (real, libraries): (Vec<Place<'a>>, Vec<Place<'a>>) = free
            .iter()
            .copied()
            .filter(|place| !place.workspace.incidental)
            .partition(|place| !rust::candidates(place.workspace).is_empty());
        for place in &real {
            match rust::choose(*place, None, &settings, None) {
                Ok(choice) => {
                    let name = place.folder.file_name().filter(|_| place.folder != ".").unwrap_or(&choice.binaries[0]);
                    let name = unused(picks, rust::service_name(name), place.folder);
                    let what = What::Rust { place: *place, member: None, chosen: Some(choice) };
                    picks.push(Pick { name, path: place.folder.to_owned(), settings: settings.clone(), what });
                }
                Err(question) => questions.push(*question),
            }
        }
        // A workspace without a binary is a library; only where there is nothing else is that worth a question.
        if alone && real.is_empty() {
            questions.extend(
                libraries.iter().filter_map(|place| rust::choose(*place, None, &settings, None).err().map(|question| *question)),
            );
        }
    }

    fn node(&self, named: &BTreeMap<Utf8PathBuf, &str>, picks: &mut Vec<Pick<'a>>, questions: &mut Vec<Question>) {
        let choices: BTreeMap<Utf8PathBuf, NodeChoice> =
            named.iter().map(|(path, name)| (path.clone(), choice(&self.settings.service(name)))).collect();
        let is_off = |path: &Utf8Path| {
            let name = named.get(path).and_then(|name| self.settings.services.get(*name));
            name.is_some_and(|own| !is_enabled(own))
        };
        for workspace in &self.project.node {
            let plan = plan_node(&self.project.root, workspace, &choices);
            let is_named = plan.decisions.iter().any(|decision| named.contains_key(&decision.path));
            if workspace.incidental && !is_named {
                continue;
            }
            questions.extend(plan.questions.into_iter().filter(|question| !is_off(folder_of(question))).map(with_setting));
            for decision in plan.decisions {
                if is_off(&decision.path) {
                    continue;
                }
                let (name, settings) = match named.get(&decision.path) {
                    Some(name) => ((*name).to_owned(), self.settings.service(name)),
                    None => (unused(picks, rust::service_name(&decision.name), &decision.path), self.settings.service("")),
                };
                picks.push(Pick { name, path: decision.path.clone(), settings, what: What::Node(Box::new(decision)) });
            }
        }
    }

    fn locate(&self, name: &str, own: &ServiceSettings) -> Result<Location<'a>, Box<Question>> {
        let rust = self.locate_rust(name, own);
        let node = self.locate_node(name, own);
        let rust_only = own.package.is_some() || own.binaries.is_some() || own.features.is_some() || own.target.is_some();
        let node_only = own.serve.is_some() || own.output.is_some() || own.build_script.is_some() || own.dev_script.is_some();
        match (rust, node, own.kind.as_ref().map(|kind| kind.value)) {
            (Some(found), _, Some(Kind::Rust)) | (_, Some(found), Some(Kind::Node)) => Ok(found),
            (Some(found), None, None) | (None, Some(found), None) => Ok(found),
            (Some(found), Some(_), None) if rust_only => Ok(found),
            (Some(_), Some(found), None) if node_only => Ok(found),
            (Some(_), Some(_), None) => {
                Err(self.question(name, own, QuestionKind::WhichKind, format!("{}\nkind = \"rust\"", service_head(name))))
            }
            _ => Err(match &own.path {
                Some(path) => self.nothing_at(name, path),
                None => {
                    let kind = QuestionKind::UnknownService { candidates: self.candidates() };
                    self.question(name, own, kind, format!("{}\npath = \"…\"", service_head(name)))
                }
            }),
        }
    }

    fn locate_rust(&self, name: &str, own: &ServiceSettings) -> Option<Location<'a>> {
        let at = |place: &Place<'a>| Location::Rust { path: place.folder.to_owned(), place: *place, member: None };
        if let Some(path) = &own.path {
            // The innermost workspace that holds the folder.
            let holding = self.places.iter().filter(|place| is_within(&path.value, place.folder));
            let place = holding.max_by_key(|place| if place.folder == "." { 0 } else { place.folder.components().count() })?;
            if place.folder == path.value {
                return Some(at(place));
            }
            let member = relative(&path.value, place.folder)?;
            let package = place.workspace.package_in(&member).filter(|package| package.member)?;
            return Some(Location::Rust { path: path.value.clone(), place: *place, member: Some(package.directory.clone()) });
        }
        let has_binary =
            |place: &Place<'_>, wanted: &str| place.workspace.binaries().iter().any(|(_, binary)| binary.name == wanted);
        let by_folder = |place: &Place<'_>| place.folder.file_name().is_some_and(|folder| rust::service_name(folder) == name);
        let by_settings = |place: &Place<'_>| match (&own.binaries, &own.package) {
            (Some(binaries), _) => binaries.value.iter().all(|binary| has_binary(place, binary)),
            (None, Some(package)) => place.workspace.members().any(|member| member.name == package.value),
            (None, None) => has_binary(place, name),
        };
        let rust_said =
            own.binaries.is_some() || own.package.is_some() || own.kind.as_ref().is_some_and(|kind| kind.value == Kind::Rust);
        let only_workspace = |_: &Place<'_>| rust_said;
        [&by_folder as &dyn Fn(&Place<'_>) -> bool, &by_settings, &only_workspace].into_iter().find_map(|matches| {
            let mut found = self.places.iter().filter(|place| matches(place));
            let first = found.next()?;
            found.next().is_none().then(|| at(first))
        })
    }

    fn locate_node(&self, name: &str, own: &ServiceSettings) -> Option<Location<'a>> {
        let found = match &own.path {
            Some(path) => self.node_folders.iter().find(|folder| **folder == path.value)?,
            None => {
                let mut found = self
                    .node_folders
                    .iter()
                    .filter(|folder| folder.file_name().is_some_and(|last| rust::service_name(last) == name));
                found.next().filter(|_| found.next().is_none())?
            }
        };
        Some(Location::Node { path: found.clone() })
    }

    fn question(&self, name: &str, own: &ServiceSettings, kind: QuestionKind, setting: String) -> Box<Question> {
        Box::new(Question {
            service: Some(name.to_owned()),
            path: FILE_NAME.into(),
            line: Some(own.line),
            kind,
            setting: Some(setting),
        })
    }

    fn nothing_at(&self, name: &str, path: &At<Utf8PathBuf>) -> Box<Question> {
        let kind = QuestionKind::NothingAt { folder: path.value.clone(), candidates: self.candidates() };
        Box::new(Question { service: Some(name.to_owned()), path: FILE_NAME.into(), line: Some(path.line), kind, setting: None })
    }

    /// What could be built, for people: `folder: package/binary`, or the folder of a Node package.
    fn candidates(&self) -> Vec<String> {
        let rust = self.places.iter().flat_map(|place| {
            let found = rust::candidates(place.workspace).into_iter();
            found.map(move |(package, binary)| format!("{}: {}/{binary}", place.folder, package.name))
        });
        rust.chain(self.node_folders.iter().map(ToString::to_string)).collect()
    }
}

fn folder_of(question: &Question) -> &Utf8Path {
    question.path.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."))
}

/// A question about a Node package with the lines that answer it.
fn with_setting(question: Question) -> Question {
    if !matches!(question.kind, QuestionKind::WhatToServe { .. }) {
        return question;
    }
    let folder = folder_of(&question);
    let name = rust::service_name(question.service.as_deref().unwrap_or("web"));
    let setting = Some(format!("{}\npath = {}\noutput = [\"dist\"]", service_head(&name), string(folder.as_str())));
    Question { setting, ..question }
}

fn is_enabled(own: &ServiceSettings) -> bool {
    own.enabled.as_ref().is_none_or(|at| at.value)
}

fn node_folders<'a>(root: &'a Utf8Path, workspace: &'a NodeWorkspace) -> impl Iterator<Item = Utf8PathBuf> + 'a {
    let base = workspace.directory.strip_prefix(root).unwrap_or(&workspace.directory);
    workspace.packages.iter().map(move |package| join(base, &package.directory))
}

fn choice(settings: &ServiceSettings) -> NodeChoice {
    let value = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let command = match settings.serve.as_ref().map(|at| &at.value) {
        Some(ServeSetting::Command(command)) => Some(command.clone()),
        Some(ServeSetting::Static) | None => None,
    };
    NodeChoice {
        manager: None,
        node_version: value(&settings.node_version),
        build_script: value(&settings.build_script),
        dev_script: value(&settings.dev_script),
        output: settings.output.as_ref().and_then(|at| at.value.first().cloned()),
        command,
    }
}

/// A name that no other service has: the folder's path where the plain name is taken.
fn unused(picks: &[Pick<'_>], name: String, folder: &Utf8Path) -> String {
    let is_taken = |name: &str| picks.iter().any(|pick| pick.name == name);
    if !is_taken(&name) {
        return name;
    }
    let longer = rust::service_name(&folder.as_str().replace('/', "-"));
    let mut candidates = std::iter::once(longer.clone()).chain((2..).map(|number| format!("{longer}-{number}")));
    candidates.find(|name| !is_taken(name)).unwrap_or(name)
}
