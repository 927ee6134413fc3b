//! Namespaces: where a strategy builds a service, so that nothing of anyone else is used and all of it is found again.
//!
//! A namespace is made of three names: a folder in front of all layers ([`in_namespace`]), the project's name in ids of cache mounts, and
//! the repository of image names. All begin with the run's own name.

use super::Images;
use super::files::{ignore_text, write};
use crate::bench::strategy::container::Container;
use crate::bench::{Strategy, StrategyError};
use crate::dockerfile::{Dockerfile, Instruction, Peer, in_namespace, render, render_peer};
use crate::engine::Engine as _;
use crate::plan::{Plan, ServiceKind, Variant, join};

/// Where namespaces are in images.
const FOLDER: &str = "/kiln-bench";
/// Label of the images of a run.
pub(in crate::bench) const LABEL: &str = "kiln.bench";

impl Images {
    /// Gives a strategy a new, empty namespace for a service.
    pub(in crate::bench) fn enter_namespace(
        &mut self,
        strategy: Strategy,
        service: &str,
        generation: u32,
    ) -> Result<(), StrategyError> {
        self.generations.insert((strategy, service.to_owned()), generation);
        match strategy {
            Strategy::Native => {
                // The old container goes first: two warm targets are not needed.
                self.containers.remove(service);
                let container = self.start_container(service, generation)?;
                self.containers.insert(service.to_owned(), container);
                Ok(())
            }
            Strategy::Own => {
                let Some(Ok(own)) = self.own.get(service) else { return Ok(()) };
                let label = format!("{LABEL}={}", self.place.name);
                let text = own.in_namespace(&self.folder(strategy, service, generation), &label);
                self.write(&format!("own-{service}"), &text, &own.ignore).map(drop)
            }
            _ => {
                let Some(mut dockerfile) = self.dockerfile(strategy, service, generation)? else { return Ok(()) };
                if let Some(last) = dockerfile.stages.last_mut() {
                    last.push(Instruction::Label(LABEL.to_owned(), self.place.name.clone()));
                }
                if strategy == Strategy::Kiln {
                    self.write_settings(service, generation)?;
                    let path = self.place.copy.join(&self.service(service)?.files.prod);
                    return write(&path, &dockerfile.to_string());
                }
                let ignore = ignore_text(&self.plan, self.service(service)?);
                self.write(&format!("{}-{service}", strategy.name()), &dockerfile.to_string(), &ignore).map(drop)
            }
        }
    }

    pub(super) fn generation(&self, strategy: Strategy, service: &str) -> u32 {
        self.generations.get(&(strategy, service.to_owned())).copied().unwrap_or(0)
    }

    /// The namespace in which a strategy builds a service now.
    pub(in crate::bench) fn current_namespace(&self, strategy: Strategy, service: &str) -> String {
        self.namespace(strategy, service, self.generation(strategy, service))
    }

    /// The Dockerfile of a strategy that writes one, in its namespace.
    pub(super) fn dockerfile(
        &self,
        strategy: Strategy,
        service: &str,
        generation: u32,
    ) -> Result<Option<Dockerfile>, StrategyError> {
        let folder = self.folder(strategy, service, generation);
        let peer = match strategy {
            Strategy::Naive => Peer::Naive,
            Strategy::Mounts => Peer::Mounts,
            Strategy::Chef => Peer::Chef,
            Strategy::Own => return Ok(None),
            Strategy::Kiln | Strategy::Native => {
                let plan = Plan { project: self.namespace(strategy, service, generation), ..self.plan.clone() };
                let service = self.service(service)?;
                return Ok(Some(in_namespace(render(&plan, service, Variant::Prod), &folder)));
            }
        };
        let plan = Plan { project: self.namespace(strategy, service, generation), ..self.chef.clone() };
        let Some(service) = plan.services.iter().find(|known| known.name == service) else { return Ok(None) };
        Ok(render_peer(&plan, service, peer, &folder))
    }

    /// Name of a namespace: the project's name in it, with which ids of cache mounts begin.
    pub(in crate::bench) fn namespace(&self, strategy: Strategy, service: &str, generation: u32) -> String {
        format!("{}-{service}-{}-{generation}", self.place.name, strategy.name())
    }

    pub(super) fn folder(&self, strategy: Strategy, service: &str, generation: u32) -> String {
        format!("{FOLDER}/{}", self.namespace(strategy, service, generation))
    }

    fn start_container(&self, service: &str, generation: u32) -> Result<Container, StrategyError> {
        let service = self.service(service)?;
        let Some(mut dockerfile) = self.dockerfile(Strategy::Native, &service.name, generation)? else {
            return Err(StrategyError::NotApplicable("there is no image to build in".to_owned()));
        };
        let target = if matches!(service.kind, ServiceKind::Rust(_)) { "chef" } else { "base" };
        // The image of an earlier container has lost its tag when this one is made; the label finds both.
        for stage in dockerfile.stages.iter_mut().filter(|stage| stage.name == target) {
            stage.push(Instruction::Label(LABEL.to_owned(), self.place.name.clone()));
        }
        let path = self.write(&format!("native-{}", service.name), &dockerfile.to_string(), "*\n")?;
        let mut request = self.request(Strategy::Native, service, path);
        request.target = Some(target.to_owned());
        self.engine.build(&request, &mut |_| ())?;
        let name = self.namespace(Strategy::Native, &service.name, generation);
        let context = join(&self.place.copy, &service.context);
        Container::start(&self.place, service, &name, &request.tags[0], &context)
    }
}
