//! What a session asks of the strategies, and how they are asked on a real machine.

use super::{cleanup, machine, memory};
use crate::bench::strategy::Images;
use crate::bench::{Measured, Scenario, Strategy, StrategyError};
use crate::context::{ContextError, Hashes, read_context};

/// What a session asks of the strategies.
pub(super) trait Builds {
    /// Why a strategy cannot build a service.
    fn refuses(&self, strategy: Strategy, service: &str) -> Option<String>;
    /// Builds what no namespace holds.
    fn lay_foundation(&self, strategy: Strategy, service: &str) -> Result<(), StrategyError>;
    /// Gives a strategy a new, empty namespace for a service, in place of the one before.
    fn enter_namespace(&mut self, strategy: Strategy, service: &str, generation: u32) -> Result<(), StrategyError>;
    /// Builds a service as the copy is now. As [`Scenario::FreshBuilder`] it imports what [`Self::export`] wrote.
    fn build(&mut self, strategy: Strategy, service: &str, scenario: Scenario) -> Result<Measured, StrategyError>;
    /// What the strategy would send, as a hash of it.
    fn context(&self, strategy: Strategy, service: &str) -> Result<String, ContextError>;
    /// Writes the cache of a service that is built to a place outside of the engine.
    fn export(&mut self, strategy: Strategy, service: &str) -> Result<(), StrategyError>;
    /// Takes all that a strategy has for a service away from the engine: layers and mounts.
    fn lose_all(&mut self, strategy: Strategy, service: &str) -> Result<(), StrategyError>;
    /// Takes all cache mounts away, or says why it does not.
    fn lose_mounts(&mut self) -> Result<(), String>;
    /// How the machine is between builds.
    fn condition(&self) -> Condition;
    /// Stops what runs between builds.
    fn stop(&mut self);
}

/// How a machine is while the bench does nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Condition {
    /// Processors busy with other work.
    pub(super) other_load: Option<f64>,
    /// What a processor gets done: [`machine::speed`].
    pub(super) speed: Option<u32>,
}

impl Condition {
    /// The worse of what was found before and after a build.
    pub(super) fn worse(self, other: Self) -> Self {
        let load = |one: Self| one.other_load;
        Self {
            other_load: [load(self), load(other)].into_iter().flatten().max_by(f64::total_cmp),
            speed: [self.speed, other.speed].into_iter().flatten().min(),
        }
    }
}

impl Builds for Images {
    fn refuses(&self, strategy: Strategy, service: &str) -> Option<String> {
        self.refuses(strategy, service)
    }

    fn lay_foundation(&self, strategy: Strategy, service: &str) -> Result<(), StrategyError> {
        self.lay_foundation(strategy, service)
    }

    fn enter_namespace(&mut self, strategy: Strategy, service: &str, generation: u32) -> Result<(), StrategyError> {
        self.enter_namespace(strategy, service, generation)?;
        if let Some(old) = generation.checked_sub(1) {
            // Two of them might be more than the engine keeps, and its garbage collection would take what is being measured.
            self.clean_up(&self.namespace(strategy, service, old), cleanup::What::Cache);
        }
        Ok(())
    }

    fn build(&mut self, strategy: Strategy, service: &str, scenario: Scenario) -> Result<Measured, StrategyError> {
        let watch = memory::Watch::begin(self.container(strategy, service));
        let measured = self.build(strategy, service, scenario);
        let memory_bytes = watch.end();
        Ok(Measured { memory_bytes, ..self.with_image(strategy, service, measured?) })
    }

    fn context(&self, strategy: Strategy, service: &str) -> Result<String, ContextError> {
        let (folder, ignore) = self.context(strategy, service);
        read_context(&folder, &ignore, &mut Hashes::default()).map(|context| context.id())
    }

    fn export(&mut self, strategy: Strategy, service: &str) -> Result<(), StrategyError> {
        let made = cleanup::Made::at(self.state());
        let noted = made.note(self.cleaner().docker(), &self.current_namespace(strategy, service));
        noted.map_err(|error| StrategyError::Failed(format!("cannot note what is exported: {error}")))?;
        self.export(strategy, service)
    }

    fn lose_all(&mut self, strategy: Strategy, service: &str) -> Result<(), StrategyError> {
        // An image keeps its layers.
        self.remove_image(strategy, service);
        let cleaned = self.clean_up(&self.current_namespace(strategy, service), cleanup::What::Cache);
        cleaned.refusal().map_or(Ok(()), |reason| Err(StrategyError::Failed(reason)))
    }

    fn lose_mounts(&mut self) -> Result<(), String> {
        self.clean_up(self.name(), cleanup::What::Mounts).refusal().map_or(Ok(()), Err)
    }

    fn condition(&self) -> Condition {
        Condition { other_load: machine::settled_load(), speed: machine::speed() }
    }

    fn stop(&mut self) {
        self.stop();
    }
}

impl Images {
    fn clean_up(&self, name: &str, what: cleanup::What) -> cleanup::CleanUp {
        self.cleaner().clean_up(name, what, &cleanup::Made::at(self.state()))
    }
}
