//! Which images are replayed: those of the repository's Dockerfiles, and the same as kiln would write them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::context::{ContentId, Entry, Tree};
use kiln::event::{StepKind, StepName};
use kiln::files::{Rendered, Status, Surroundings, compare, render};
use kiln::plan::{Plan, Variant};
use kiln::predict::{ModelStep, Subject};
use kiln::record::History;
use kiln::replay::{Image, Whose};

use crate::commands::Context;
use crate::commands::foresee::subjects::{self, Meant, Selection};
use crate::commands::project::look_and_decide;
use crate::error::{CommandError, Kind};

/// What is replayed.
#[derive(Debug)]
pub(super) struct All {
    /// The project, absolute.
    pub(super) root: Utf8PathBuf,
    /// Its folder of kiln's own.
    pub(super) state: Utf8PathBuf,
    pub(super) images: Vec<Image>,
    pub(super) prices: Prices,
}

/// Measured times of steps, by service and variant.
#[derive(Debug, Default)]
pub(super) struct Prices {
    known: HashMap<(String, Option<Variant>), Measured>,
}

/// What is known of the builds of one image.
#[derive(Debug)]
struct Measured {
    history: History,
    /// BuildKit's words for steps, by stage and instruction.
    names: BTreeMap<(String, String), String>,
}

impl Prices {
    /// How long a step took when it ran: the median of the last builds.
    pub(super) fn of(&self, image: &Image, step: &ModelStep) -> Option<f64> {
        let Measured { history, names } = self.known.get(&(image.service.clone(), image.variant))?;
        let key = (step.place.stage.clone(), step.text.clone());
        // Without a model of a build its text is BuildKit's name for it, unless it has variables.
        let text = names.get(&key).cloned().unwrap_or_else(|| step.text.split_whitespace().collect::<Vec<_>>().join(" "));
        let kind = StepKind::Stage { platform: None, stage: Some(step.place.stage.clone()), index: 0, total: 0 };
        history.expected_seconds(&StepName { kind, text })
    }

    fn add(&mut self, state: &Utf8Path, meant: &Meant) {
        let Some(variant) = meant.variant else { return };
        let history = History::read(&state.join("builds"), &meant.service, variant);
        // Names of the latest build stand for those of earlier ones.
        let steps = meant.known.models.iter().rev().flat_map(|model| &model.steps);
        let names = steps.filter_map(|step| Some(((step.place.stage.clone(), step.text.clone()), step.name.clone()?)));
        self.known.insert((meant.service.clone(), meant.variant), Measured { history, names: names.collect() });
    }
}

pub(super) fn find(context: &Context, selection: &Selection) -> Result<All, CommandError> {
    let found = subjects::find(context, selection)?;
    let root = context.project.canonicalize_utf8().unwrap_or_else(|_| context.project.clone());
    let mut all = All { root, state: found.state, images: Vec::new(), prices: Prices::default() };
    // kiln writes Dockerfiles of services only.
    let written = if selection.dockerfile.is_some() { None } else { Some(Written::new(&all.root)?) };
    let fixed = fixed(found.meant.iter().map(|meant| &meant.subject));
    let memory = subjects::memory(&all.state);
    let mut without = Vec::new();
    for meant in &found.meant {
        all.prices.add(&all.state, meant);
        let image = |whose, inputs, fixed| Image {
            service: meant.service.clone(),
            variant: meant.variant,
            dockerfile: meant.shown.clone(),
            whose,
            inputs,
            context: meant.subject.context.clone(),
            fixed,
        };
        let failed = |error| subjects::error(&error);
        if written.is_none() || meant.subject.dockerfile.exists() {
            let inputs = meant.subject.frame(None, Some(&memory)).map_err(failed)?;
            all.images.push(image(Whose::Repository, inputs, fixed.clone()));
        } else {
            without.push(format!("`{}`", meant.shown));
        }
        let Some(written) = &written else { continue };
        let Some((dockerfile, ignore)) = written.other_files(&all.root, meant)? else { continue };
        let names_tool = dockerfile.contains(&written.plan.tool_image);
        let mut inputs = meant.subject.frame(Some((dockerfile.into_bytes(), ignore)), Some(&memory)).map_err(failed)?;
        if names_tool {
            // The kiln within the image builds is the same one for all commits.
            let own = Entry::File { mode: 0o755, content: ContentId::of(b"kiln") };
            inputs.options.contexts.extend([written.plan.tool_image.clone()]);
            inputs.trees.insert(written.plan.tool_image.clone(), Tree::new(vec![("kiln".to_owned(), own)]));
        }
        all.images.push(image(Whose::Kiln, inputs, written.fixed(&all.root)));
    }
    if !without.is_empty() {
        context.ui.note(&format!("there is no {} yet: only what kiln would write is replayed", without.join(", ")));
    }
    Ok(all)
}

/// The Docker files of today, as they are in every commit.
fn fixed<'a>(subjects: impl Iterator<Item = &'a Subject>) -> BTreeMap<Utf8PathBuf, Entry> {
    let paths = subjects.flat_map(|subject| {
        let beside = Utf8PathBuf::from(format!("{}.dockerignore", subject.dockerfile));
        [subject.dockerfile.clone(), beside, subject.context.join(".dockerignore")]
    });
    let read = |path: Utf8PathBuf| {
        let bytes = fs::read(&path).ok()?;
        let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o7777;
        Some((path, Entry::File { mode, content: ContentId::of(&bytes) }))
    };
    paths.filter_map(read).collect()
}

/// The Docker files as kiln would write them.
#[derive(Debug)]
struct Written {
    plan: Plan,
    files: Vec<Rendered>,
}

impl Written {
    fn new(root: &Utf8Path) -> Result<Self, CommandError> {
        let (_, plan) = look_and_decide(root)?;
        let docker: Vec<Utf8PathBuf> = plan
            .services
            .iter()
            .flat_map(|service| {
                let dockerfiles = Variant::ALL.map(|variant| service.files.dockerfile(variant).clone());
                dockerfiles.into_iter().chain(service.files.ignore.iter().cloned())
            })
            .collect();
        let files = render(&plan, &Surroundings::default()).into_iter().filter(|file| docker.contains(&file.path)).collect();
        Ok(Self { plan, files })
    }

    fn text(&self, path: &Utf8Path) -> Option<&Rendered> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Dockerfile and ignore file of an image, unless those in the repository are the same.
    fn other_files(&self, root: &Utf8Path, meant: &Meant) -> Result<Option<(String, String)>, CommandError> {
        let Some(service) = self.plan.services.iter().find(|service| service.name == meant.service) else { return Ok(None) };
        let Some(dockerfile) = self.text(&meant.shown) else { return Ok(None) };
        let beside = Utf8PathBuf::from(format!("{}.dockerignore", meant.shown));
        let ignore = self.text(&beside).or_else(|| service.files.ignore.iter().find_map(|path| self.text(path)));
        let both: Vec<Rendered> = [Some(dockerfile), ignore].into_iter().flatten().cloned().collect();
        let comparison = compare(root, both, false).map_err(|error| CommandError::from_error(Kind::User, &error))?;
        if comparison.entries.iter().all(|entry| entry.status == Status::Unchanged) {
            return Ok(None);
        }
        Ok(Some((dockerfile.body.clone(), ignore.map(|ignore| ignore.body.clone()).unwrap_or_default())))
    }

    fn fixed(&self, root: &Utf8Path) -> BTreeMap<Utf8PathBuf, Entry> {
        let entry = |file: &Rendered| Entry::File { mode: 0o644, content: ContentId::of(file.body.as_bytes()) };
        self.files.iter().map(|file| (root.join(&file.path), entry(file))).collect()
    }
}
