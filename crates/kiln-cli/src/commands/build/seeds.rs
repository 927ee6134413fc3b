//! The seeds of a build: which each cook gets, remembering it, and publishing layers for others.

use std::fs;
use std::thread;

use camino::Utf8Path;
use kiln::dockerfile::{LAYER_STAGE, SEED_ARGUMENT};
use kiln::engine::{BuildRequest, Engine, EngineError, ImageInfo, Output};
use kiln::plan::reference::{PlaceholderError, Placeholders, expand};
use kiln::plan::{ImageEngine, Plan, RustService, Service, ServiceKind, mounts};
use kiln::seed::{Ask, Decision, Identity, Misfit, Needs, Note, Pin, Pinned, Pins, Reason, World, cook_part, decide, identity};

use super::Args;
use super::jobs::Job;
use super::session::Builds;
use crate::commands::Context;
use crate::error::{CommandError, Kind};
use crate::hints;

/// A units mount with less than this holds no units: it was made, and then nothing came of it.
const EMPTY_MOUNT: u64 = 1 << 20;

/// What is known of a job whose dependencies can be seeded and published.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    identity: Identity,
    needs: Needs,
    /// What its cook starts with.
    pub(crate) pin: Pin,
    /// Where the layer is published.
    publish: Option<String>,
}

/// What all jobs of a command share.
#[derive(Debug)]
pub(super) struct Seeding<'a, E> {
    pub(super) context: &'a Context,
    pub(super) args: &'a Args,
    pub(super) plan: &'a Plan,
    pub(super) root: &'a Utf8Path,
    /// kiln's own folder in the project.
    pub(super) state: &'a Utf8Path,
    pub(super) engine: &'a E,
    pub(super) branch: Option<&'a str>,
}

impl<E: Engine> Seeding<'_, E> {
    /// Gives each job its seed.
    ///
    /// # Errors
    /// Only for references that cannot be meant. A registry that does not answer is a note.
    pub(super) fn choose(&self, jobs: &mut [Job]) -> Result<(), CommandError> {
        // Before anybody is asked. A candidate may lack the branch, a name to publish under may not.
        let named = self.placeholders("service", "prod");
        let seeds = self.args.seed.iter().map(|template| (template, Placeholders { branch: Some("main"), ..named }));
        for (template, values) in seeds.chain(self.args.seed_to.iter().map(|template| (template, named))) {
            expand(template, &values).map_err(|error| placeholder_error(&error))?;
        }
        let pins = Pins::read(self.state);
        // Registries are slow, and services many.
        let found: Vec<Option<Found>> = thread::scope(|scope| {
            let asked: Vec<_> = jobs.iter().map(|job| scope.spawn(|| self.look(job, &pins))).collect();
            asked.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
        });
        for (job, found) in jobs.iter_mut().zip(found) {
            let Some(Found { identity, needs, decision }) = found else {
                if !self.args.seed.is_empty() && self.rust(job).is_some() {
                    let file = &job.dockerfile;
                    self.context.ui.warn(&format!("`{file}` takes no seed: `kiln init` writes one that does"));
                }
                continue;
            };
            let name = format!("{} {}", job.service, job.variant.name());
            decision.notes.iter().for_each(|note| self.context.ui.note(&format!("{name}: {}", sentence(note))));
            if let Some(line) = explained(&decision.reason) {
                self.context.ui.note(&format!("{name}: {line}"));
            }
            if !decision.pin.is_scratch() {
                job.request.build_args.insert(SEED_ARGUMENT.to_owned(), Some(decision.pin.as_str().to_owned()));
            }
            job.seed = Some(Seed { identity, needs, pin: decision.pin, publish: None });
        }
        self.name_published(jobs)
    }

    fn placeholders<'a>(&'a self, service: &'a str, variant: &'a str) -> Placeholders<'a> {
        Placeholders { service, variant, branch: self.branch }
    }

    fn rust(&self, job: &Job) -> Option<(&Service, &RustService)> {
        let service = self.plan.services.iter().find(|service| service.name == job.service)?;
        match &service.kind {
            ServiceKind::Rust(rust) if self.plan.engine == ImageEngine::Kiln => Some((service, rust)),
            _ => None,
        }
    }

    /// Decides for one job. `None` if it takes no seed, or seeds are no matter here: then nothing is read and nobody asked.
    fn look(&self, job: &Job, pins: &Pins) -> Option<Found> {
        let (service, rust) = self.rust(job)?;
        let candidates = if self.args.seed.is_empty() { &rust.seeds } else { &self.args.seed };
        let variant = self.variant(job);
        let matters = !candidates.is_empty() || self.args.seed_to.is_some() || pins.knows(&job.service, &variant);
        if !matters || job.request.build_args.contains_key(SEED_ARGUMENT) {
            return None;
        }
        let part = cook_part(&fs::read_to_string(&job.request.dockerfile).ok()?)?;
        let tool = job.request.named_contexts.get(&self.plan.tool_image).and_then(|folder| folder.file_name());
        let tool = tool.unwrap_or(&self.plan.tool_image);
        // A workspace that cannot be read has no identity: the build will say why.
        let identity = identity(self.root, service, rust, job.variant, &part, tool, &job.request.platforms).ok()?;
        let needs = Needs::of(service, rust, job.variant);
        let here = (self.args.builder.is_none()).then(|| format!("linux/{}", architecture()));
        let platforms = if job.request.platforms.is_empty() { here.into_iter().collect() } else { job.request.platforms.clone() };
        let ask = Ask {
            identity: &identity,
            remembered: pins.get(&job.service, &variant, &identity),
            candidates,
            placeholders: self.placeholders(&job.service, job.variant.name()),
            needs: &needs,
            platforms: &platforms,
            imports: !job.request.cache_from.is_empty(),
        };
        let mut world = Engines { engine: self.engine, units: mounts::units(self.plan, service, rust, job.variant) };
        let decision = decide(&ask, &mut world);
        Some(Found { identity, needs, decision })
    }

    /// Under which name a variant's pins are remembered: another builder has other caches.
    fn variant(&self, job: &Job) -> String {
        match &self.args.builder {
            Some(builder) => format!("{}@{builder}", job.variant.name()),
            None => job.variant.name().to_owned(),
        }
    }

    /// Finds the names under which layers are published, before anything is built.
    fn name_published(&self, jobs: &mut [Job]) -> Result<(), CommandError> {
        let Some(template) = &self.args.seed_to else { return Ok(()) };
        let mut names: Vec<String> = Vec::new();
        for job in jobs.iter_mut().filter(|job| job.seed.is_some()) {
            let name = expand(template, &self.placeholders(&job.service, job.variant.name()));
            let name = name.map_err(|error| placeholder_error(&error))?;
            if names.contains(&name) {
                let message = format!("`--seed-to {template}` names one image for several layers");
                return Err(CommandError::new(Kind::User, message).hint("put `{service}` and `{variant}` into the name"));
            }
            names.push(name.clone());
            if let Some(seed) = &mut job.seed {
                seed.publish = Some(name);
            }
        }
        if names.is_empty() {
            let message = "`--seed-to` has nothing to publish: no Rust service with Dockerfiles of this kiln is built";
            return Err(CommandError::new(Kind::User, message).hint("`kiln init` writes Dockerfiles that take and give seeds"));
        }
        Ok(())
    }

    /// Notes with which seeds the successful builds were made.
    pub(super) fn remember(&self, builds: &Builds) {
        // Another kiln may have written in between.
        let mut pins = Pins::read(self.state);
        let mut changed = false;
        for build in builds.builds.iter().filter(|build| build.result.is_ok()) {
            if let Some(seed) = &build.job.seed {
                let pinned = Pinned { identity: seed.identity.clone(), pin: seed.pin.clone() };
                changed |= pins.set(&build.job.service, &self.variant(&build.job), pinned);
            }
        }
        if changed && let Err(error) = pins.write(self.state) {
            self.context.ui.warn(&format!("{error}: the next build may choose other seeds"));
        }
    }

    /// Publishes the layers of the builds. Their steps are cached by now.
    ///
    /// # Errors
    /// The first that cannot be published.
    pub(super) fn publish(&self, builds: &Builds) -> Result<(), CommandError> {
        for build in builds.builds.iter().filter(|build| build.result.is_ok()) {
            let Some((seed, name)) = build.job.seed.as_ref().and_then(|seed| Some((seed, seed.publish.as_ref()?))) else {
                continue;
            };
            // The same cook may be there under another seed: its digest is in use, and the content is the same.
            if self.engine.image(name).ok().flatten().and_then(|image| image.identity()).as_ref() == Some(&seed.identity) {
                self.context.ui.note(&format!("`{name}` has these dependencies already"));
                continue;
            }
            let request = BuildRequest {
                target: Some(LAYER_STAGE.to_owned()),
                tags: vec![name.clone()],
                output: Output::Push,
                bare: true,
                labels: seed.needs.labels(&seed.identity, &seed.pin),
                // Emptying the mounts again would cook again.
                no_cache: false,
                cache_to: Vec::new(),
                ..build.job.request.clone()
            };
            self.engine.build(&request, &mut |_| ()).map_err(|error| {
                let mut error = hints::engine_error(&error);
                error.message = format!("cannot publish the dependencies as `{name}`: {}", error.message);
                error
            })?;
            self.context.ui.note(&format!(
                "published the dependencies of {} {} as `{name}`",
                build.job.service,
                build.job.variant.name()
            ));
        }
        Ok(())
    }
}

/// The request without its seed, if its seed is the image that an error is about: a pin that its registry has forgotten, or a registry
/// that is out of reach, costs time and not the build.
pub(super) fn without_lost_seed(job: &Job, error: &EngineError) -> Option<BuildRequest> {
    let pin = &job.seed.as_ref()?.pin;
    // BuildKit completes names: `shop/deps` is `docker.io/shop/deps`.
    let lost = error.image()?.split(' ').next()?.ends_with(pin.as_str());
    if pin.is_scratch() || !lost {
        return None;
    }
    let mut request = job.request.clone();
    request.build_args.remove(SEED_ARGUMENT);
    Some(request)
}

struct Found {
    identity: Identity,
    needs: Needs,
    decision: Decision,
}

/// The engine as the one who is asked.
struct Engines<'a, E> {
    engine: &'a E,
    /// Id of the units mount.
    units: String,
}

impl<E: Engine> World for Engines<'_, E> {
    fn is_warm(&mut self) -> Option<bool> {
        self.engine.cache_mount(&self.units).ok().map(|bytes| bytes > EMPTY_MOUNT)
    }

    fn published(&mut self, reference: &str) -> Result<Option<ImageInfo>, String> {
        self.engine.image(reference).map_err(|error| match error {
            EngineError::Registry { detail, .. } => detail,
            EngineError::Unresponsive => "the registry does not answer".to_owned(),
            error => error.to_string(),
        })
    }
}

/// The architecture of this machine, as in platform names.
const fn architecture() -> &'static str {
    match std::env::consts::ARCH.as_bytes() {
        b"x86_64" => "amd64",
        b"aarch64" => "arm64",
        _ => std::env::consts::ARCH,
    }
}

fn placeholder_error(error: &PlaceholderError) -> CommandError {
    CommandError::new(Kind::User, error.to_string()).hint(match error {
        PlaceholderError::NoBranch { .. } => "check out a branch, or write its name in the place of `{branch}`",
        _ => "write `{service}`, `{variant}` or `{branch}`, or no braces",
    })
}

fn explained(reason: &Reason) -> Option<String> {
    match reason {
        Reason::Nearest { reference } => Some(format!("starts with the dependencies in `{reference}`")),
        Reason::SameCook { reference } => Some(format!("`{reference}` was made from the same recipe: its steps are looked for")),
        Reason::Unchanged | Reason::Warm | Reason::NoSeed => None,
    }
}

fn sentence(note: &Note) -> String {
    match note {
        Note::Foreign { reference, misfit } => format!("`{reference}` is no seed here: it {}", why(misfit)),
        Note::Absent { reference } => format!("there is no seed `{reference}`"),
        Note::Unreachable { reference, detail } => format!("cannot ask for the seed `{reference}`: {detail}"),
        Note::Unnamed(error) => format!("no seed: {error}"),
    }
}

fn why(misfit: &Misfit) -> String {
    let own = |found: &str, own: &str| if found.is_empty() { own.to_owned() } else { format!("`{found}`") };
    match misfit {
        Misfit::NotASeed => "was not published by `kiln build --seed-to`".to_owned(),
        Misfit::Schema => "was published by another version of kiln".to_owned(),
        Misfit::BuildImage { found } => format!("was built on `{found}`"),
        Misfit::Toolchain { found } => format!("was built with {}", own(found, "the toolchain of its base image")),
        Misfit::Target { found } => format!("was built for {}", own(found, "the machine that built it")),
        Misfit::Profile { found } => format!("was built with the profile `{found}`"),
        Misfit::Platform { found } => format!("was built for {}", found.join(", ")),
    }
}
