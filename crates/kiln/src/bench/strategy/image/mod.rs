//! The state of a run's builds: one copy of the repository, and for each strategy the namespace in which it builds now.

mod cache;
mod files;
mod namespace;

use std::collections::BTreeMap;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use self::cache::Cache;
pub(super) use self::files::ignore_text;
pub(in crate::bench) use self::namespace::LABEL;
use super::container::Container;
use super::crates::Crates;
use super::own::OwnDockerfile;
use super::{Measured, Strategy, StrategyError, layers, npm, tool};
use crate::bench::Scenario;
use crate::bench::run::Cleaner;
use crate::context::IgnoreFile;
use crate::dockerfile::foundation;
use crate::engine::{BuildRequest, BuildSecret, Buildx, Engine as _, Output};
use crate::event::{BuildState, StepStatus};
use crate::plan::{Plan, Service, ServiceKind, join};
use crate::process::{Cancel, Run};
use crate::settings;

/// What builds need.
#[derive(Debug, Clone)]
pub(in crate::bench) struct Place {
    /// Name of the run, with which all names that it makes begin.
    pub(in crate::bench) name: String,
    /// The repository itself.
    pub(in crate::bench) original: Utf8PathBuf,
    /// The copy that is changed and built.
    pub(in crate::bench) copy: Utf8PathBuf,
    /// A folder for Dockerfiles and state, beside the copy.
    pub(in crate::bench) state: Utf8PathBuf,
    /// The program that the strategy `kiln` runs.
    pub(in crate::bench) kiln: Utf8PathBuf,
    /// The docker client.
    pub(in crate::bench) docker: String,
    /// Takes away what builds leave.
    pub(in crate::bench) cleaner: Cleaner,
    /// Ends all.
    pub(in crate::bench) cancel: Cancel,
}

/// All strategies' builds of one run.
#[derive(Debug)]
pub(in crate::bench) struct Images {
    place: Place,
    /// What kiln decided, and what it would decide for its engine `chef`.
    plan: Plan,
    chef: Plan,
    services: Vec<String>,
    engine: Buildx,
    own: BTreeMap<String, Result<OwnDockerfile, String>>,
    /// Number of each strategy's namespace, once it has one.
    generations: BTreeMap<(Strategy, String), u32>,
    containers: BTreeMap<String, Container>,
    /// Names of the images that were built last.
    names: BTreeMap<(Strategy, String), String>,
    /// What is known of them.
    looked_at: BTreeMap<(Strategy, String), layers::Image>,
}

impl Images {
    /// Builds of some services in a copy that is there.
    pub(in crate::bench) fn new(place: Place, plan: Plan, chef: Plan, services: Vec<String>) -> Result<Self, StrategyError> {
        let engine = Buildx::new(place.state.clone()).docker(&place.docker).cancel(place.cancel.clone());
        let mut images = Self {
            own: BTreeMap::new(),
            generations: BTreeMap::new(),
            containers: BTreeMap::new(),
            names: BTreeMap::new(),
            looked_at: BTreeMap::new(),
            place,
            plan,
            chef,
            services,
            engine,
        };
        for plan in [&mut images.plan, &mut images.chef] {
            plan.tool_image = format!("{}/kiln:latest", images.place.name);
        }
        let own = images.chosen().map(|service| {
            let own = OwnDockerfile::read(&images.place.original, &service.files.prod, &service.context);
            let own = own.map(|mut own| {
                let kilns = [settings::FILE_NAME.into(), ".kiln".into(), service.files.prod.as_path()];
                own.leave_out(&service.context, kilns.into_iter().chain(service.files.ignore.iter().map(Utf8PathBuf::as_path)));
                own
            });
            (service.name.clone(), own)
        });
        images.own = own.collect();
        images.write_ignore_files()?;
        images.bring_secrets()?;
        Ok(images)
    }

    fn chosen(&self) -> impl Iterator<Item = &Service> {
        self.plan.services.iter().filter(|service| self.services.contains(&service.name))
    }

    fn service(&self, name: &str) -> Result<&Service, StrategyError> {
        let service = self.plan.services.iter().find(|service| service.name == name);
        service.ok_or_else(|| StrategyError::Failed(format!("there is no service `{name}`")))
    }

    /// Takes away what builds leave.
    pub(in crate::bench) const fn cleaner(&self) -> &Cleaner {
        &self.place.cleaner
    }

    /// Name of the run.
    pub(in crate::bench) fn name(&self) -> &str {
        &self.place.name
    }

    /// Why a strategy cannot build a service.
    pub(in crate::bench) fn refuses(&self, strategy: Strategy, service: &str) -> Option<String> {
        let service = self.service(service).ok()?;
        match strategy {
            Strategy::Chef if matches!(service.kind, ServiceKind::Node(_)) => Some("cargo-chef is for Rust".to_owned()),
            Strategy::Own => self.own.get(&service.name).and_then(|own| own.as_ref().err().cloned()),
            Strategy::Native if matches!(&service.kind, ServiceKind::Node(node) if node.build_script.is_none()) => {
                Some("there is no build script".to_owned())
            }
            Strategy::Native if service.platform.is_some() => Some("the image is for another platform".to_owned()),
            _ => None,
        }
    }

    /// Builds what no namespace holds: base images are pulled, system packages and cargo-chef installed. Nothing here is timed.
    pub(in crate::bench) fn lay_foundation(&self, strategy: Strategy, service: &str) -> Result<(), StrategyError> {
        if strategy == Strategy::Own {
            return Ok(());
        }
        let folder = self.folder(strategy, service, 0);
        let Some(dockerfile) = self.dockerfile(strategy, service, 0)? else { return Ok(()) };
        let dockerfile = foundation(dockerfile, &folder);
        let path = self.write(&format!("{}-{service}-foundation", strategy.name()), &dockerfile.to_string(), "*\n")?;
        for stage in &dockerfile.stages {
            let mut request = self.request(strategy, self.service(service)?, path.clone());
            request.name = format!("foundation-{service}");
            request.target = Some(stage.name.clone());
            request.tags.clear();
            request.output = Output::Discard;
            self.engine.build(&request, &mut |_| ())?;
        }
        Ok(())
    }

    /// Builds a service as the copy is now, and tells what that took. As a fresh builder's it imports what [`Self::export`] wrote.
    pub(in crate::bench) fn build(
        &mut self,
        strategy: Strategy,
        service: &str,
        scenario: Scenario,
    ) -> Result<Measured, StrategyError> {
        let import = Some(Cache::Import).filter(|_| scenario == Scenario::FreshBuilder);
        self.build_with(strategy, service, scenario, import)
    }

    /// Writes the cache of a service that is built to a folder: all steps of all stages.
    pub(in crate::bench) fn export(&mut self, strategy: Strategy, service: &str) -> Result<(), StrategyError> {
        self.build_with(strategy, service, Scenario::NoOp, Some(Cache::Export)).map(drop)
    }

    fn build_with(
        &mut self,
        strategy: Strategy,
        service: &str,
        scenario: Scenario,
        cache: Option<Cache>,
    ) -> Result<Measured, StrategyError> {
        let folder = self.place.state.join("caches").join(self.current_namespace(strategy, service));
        match strategy {
            Strategy::Kiln => {
                // Settings name the namespace of one service at a time.
                let generation = self.generation(strategy, service);
                self.write_settings(service, generation)?;
                let arguments = match cache {
                    Some(Cache::Import) => vec!["--cache-from".to_owned(), Cache::Import.value(&folder)],
                    Some(Cache::Export) => vec!["--cache-to".to_owned(), Cache::Export.value(&folder)],
                    // Those of `kiln.toml` are the user's.
                    None => vec!["--cache-from".to_owned(), "none".to_owned()],
                };
                let Place { kiln, docker, copy, cancel, .. } = &self.place;
                let (measured, image) = tool::build(kiln, docker, copy, service, &arguments, cancel)?;
                self.names.insert((strategy, service.to_owned()), image);
                Ok(measured)
            }
            Strategy::Native => match self.containers.get_mut(service) {
                Some(container) => container.build(scenario, &self.place.cancel),
                None => Err(StrategyError::Failed(format!("there is no container for `{service}`"))),
            },
            _ => {
                let file = self.place.state.join("dockerfiles").join(format!("{}-{service}.Dockerfile", strategy.name()));
                let mut request = self.request(strategy, self.service(service)?, file);
                match cache {
                    Some(Cache::Import) => request.cache_from = Cache::Import.references(&folder)?,
                    Some(Cache::Export) => request.cache_to = Cache::Export.references(&folder)?,
                    None => {}
                }
                self.names.insert((strategy, service.to_owned()), request.tags.first().cloned().unwrap_or_default());
                self.measure(&request)
            }
        }
    }

    /// The same measurement with what the engine has of the image now. A build that ran nothing has one as well: that of the build before.
    pub(in crate::bench) fn with_image(&mut self, strategy: Strategy, service: &str, measured: Measured) -> Measured {
        let key = (strategy, service.to_owned());
        let Some(name) = self.names.get(&key) else { return measured };
        let Some(image) = layers::look(&self.place.docker, name, self.looked_at.get(&key), &self.place.cancel) else {
            return measured;
        };
        let measured = Measured { image_bytes: Some(image.bytes), layers: image.layers.clone(), ..measured };
        self.looked_at.insert(key, image);
        measured
    }

    /// Removes the image that a strategy built last.
    pub(in crate::bench) fn remove_image(&mut self, strategy: Strategy, service: &str) {
        if let Some(image) = self.names.remove(&(strategy, service.to_owned())) {
            // What stays for a moment longer is found again at the end.
            let _ = Run::new(&self.place.docker).args(["rmi", "--force", &image]).output(&self.place.cancel);
        }
    }

    /// Docker's name for the container in which a strategy works.
    pub(in crate::bench) fn container(&self, strategy: Strategy, service: &str) -> Option<&str> {
        self.containers.get(service).filter(|_| strategy == Strategy::Native).map(Container::id)
    }

    /// Folder of what belongs to the run and is no part of the copy.
    pub(in crate::bench) fn state(&self) -> &Utf8Path {
        &self.place.state
    }

    /// The context of a service in the copy, with what the strategy leaves out of it.
    pub(in crate::bench) fn context(&self, strategy: Strategy, service: &str) -> (Utf8PathBuf, IgnoreFile) {
        let Ok(service) = self.service(service) else { return (self.place.copy.clone(), IgnoreFile::default()) };
        let text = match (strategy, self.own.get(&service.name)) {
            (Strategy::Own, Some(Ok(own))) => own.ignore.clone(),
            _ => ignore_text(&self.plan, service),
        };
        (join(&self.place.copy, &service.context), IgnoreFile::parse(&text).unwrap_or_default())
    }

    /// Stops what runs on the engine between builds.
    pub(in crate::bench) fn stop(&mut self) {
        self.containers.clear();
    }

    fn measure(&self, request: &BuildRequest) -> Result<Measured, StrategyError> {
        let mut state = BuildState::new();
        let mut crates = Crates::default();
        let begun = Instant::now();
        let outcome = self.engine.build(request, &mut |event| {
            crates.event(&event);
            state.apply(&event);
        });
        let seconds = begun.elapsed().as_secs_f64();
        outcome.map_err(|error| match (StrategyError::from(error), state.failed()) {
            (StrategyError::Failed(message), Some(step)) => {
                let log: Vec<String> = step.log.lines().collect();
                StrategyError::Failed(format!("{message}\n{}", tool::end_of(&log.join("\n"))))
            }
            (error, _) => error,
        })?;
        let steps = state.dockerfile_steps();
        let ran = steps.iter().filter(|step| step.final_status(true) == StepStatus::Ran).count();
        let now = Timestamp::now();
        let steps = steps.iter().map(|step| (step.name.text.as_str(), step.final_status(true), step.seconds(now)));
        let (installs, install_seconds) = npm::count(steps);
        Ok(Measured {
            seconds,
            steps_ran: ran,
            local_crates: crates.local(),
            external_crates: crates.external(),
            context_bytes: Some(state.context_bytes()),
            installs,
            install_seconds,
            ..Measured::default()
        })
    }

    fn request(&self, strategy: Strategy, service: &Service, dockerfile: Utf8PathBuf) -> BuildRequest {
        let mut build_args = BTreeMap::new();
        if strategy == Strategy::Own {
            let namespace = self.current_namespace(strategy, &service.name);
            build_args.insert("BUILDKIT_CACHE_MOUNT_NS".to_owned(), Some(namespace));
        }
        BuildRequest {
            name: format!("{}-{}", strategy.name(), service.name),
            context: join(&self.place.copy, &service.context),
            dockerfile,
            tags: vec![format!("{}/{}:{}", self.place.name, service.name, strategy.name())],
            build_args,
            platforms: service.platform.iter().cloned().collect(),
            secrets: BuildSecret::of(service, &self.place.original),
            ..BuildRequest::default()
        }
    }
}
