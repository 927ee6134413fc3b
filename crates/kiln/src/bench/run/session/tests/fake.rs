//! Strategies without an engine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;

use camino::Utf8PathBuf;

use crate::bench::run::builds::{Builds, Condition};
use crate::bench::{Measured, Scenario, Strategy, StrategyError};
use crate::context::ContextError;

/// What the strategies were asked to do, in order.
pub(super) type Log = Rc<RefCell<Vec<String>>>;

/// Strategies without an engine: a build takes the strategy's time if the file differs from what it built last.
pub(super) struct Fake {
    pub(super) root: Utf8PathBuf,
    pub(super) log: Log,
    pub(super) built: BTreeMap<Strategy, String>,
    /// Seconds of a build with something to do.
    pub(super) seconds: BTreeMap<Strategy, f64>,
    /// Builds of this strategy fail as soon as the file has a line with the word.
    pub(super) fails: Option<(Strategy, &'static str)>,
    /// Why nothing can be taken away from the builder.
    pub(super) keeps: Option<&'static str>,
}

impl Fake {
    fn text(&self) -> String {
        fs::read_to_string(self.root.join("README.md")).unwrap()
    }

    fn note(&self, strategy: Strategy, what: &str) {
        self.log.borrow_mut().push(format!("{} {what}", strategy.name()));
    }
}

impl Builds for Fake {
    fn refuses(&self, strategy: Strategy, _: &str) -> Option<String> {
        (strategy == Strategy::Chef).then(|| "not for this".to_owned())
    }

    fn lay_foundation(&self, _: Strategy, _: &str) -> Result<(), StrategyError> {
        Ok(())
    }

    fn enter_namespace(&mut self, strategy: Strategy, _: &str, generation: u32) -> Result<(), StrategyError> {
        self.built.remove(&strategy);
        self.note(strategy, &format!("namespace {generation}"));
        Ok(())
    }

    fn build(&mut self, strategy: Strategy, _: &str, _: Scenario) -> Result<Measured, StrategyError> {
        let text = self.text();
        if self.fails.is_some_and(|(fails, word)| fails == strategy && text.contains(word)) {
            return Err(StrategyError::Failed("it does not compile".to_owned()));
        }
        let before = self.built.insert(strategy, text.clone());
        // How many lines are new is what a sample must have measured, no more and no less.
        let is_new = |before: &String, line: &str| !before.lines().any(|known| known == line);
        let new = before.as_ref().map(|before| text.lines().filter(|line| is_new(before, line)).count());
        self.note(strategy, &new.map_or_else(|| "everything".to_owned(), |new| format!("+{new}")));
        let idle = before.is_some_and(|before| before == text);
        let seconds = if idle { 0.5 } else { self.seconds.get(&strategy).copied().unwrap_or(1.0) };
        Ok(Measured { seconds, ..Measured::default() })
    }

    fn context(&self, _: Strategy, _: &str) -> Result<String, ContextError> {
        Ok(self.text())
    }

    fn export(&mut self, strategy: Strategy, _: &str) -> Result<(), StrategyError> {
        self.note(strategy, "exports");
        if strategy == Strategy::Mounts { Err(StrategyError::Failed("no space".to_owned())) } else { Ok(()) }
    }

    fn lose_all(&mut self, strategy: Strategy, _: &str) -> Result<(), StrategyError> {
        self.note(strategy, "loses all");
        self.keeps.map_or(Ok(()), |reason| Err(StrategyError::Failed(reason.to_owned())))
    }

    fn lose_mounts(&mut self) -> Result<(), String> {
        self.log.borrow_mut().push("mounts are lost".to_owned());
        self.keeps.map_or(Ok(()), |reason| Err(reason.to_owned()))
    }

    fn condition(&self) -> Condition {
        Condition::default()
    }

    fn stop(&mut self) {}
}
