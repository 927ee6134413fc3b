//! Measure: real changes to a copy of a repository, and what each strategy needs to build them.
//!
//! A [`Scenario`] is a kind of change by its name. [`choose`] looks at a repository and says for each what it means there
//! (which file, which package), or why it does not apply. [`Choice::apply`] makes the change of one round.
//! [`run`](run::run) goes through the rounds: it applies a change, lets each [`Strategy`] build it, and keeps the samples ([`result`](mod@result)).
//!
//! A change is worth measuring only if it is one that a person could make. So each edits a file that exists, compiles, and changes
//! what is built (but for those whose point is that nothing is): source changes end up in object code, versions move in
//! manifest and lock alike, and a dependency moves to a version for which the lock was resolved before.

pub mod change;
pub mod result;
pub mod run;
mod scenario;
pub mod statistics;
mod strategy;

pub use change::{
    Change, ChangeError, Choice, HostTools, LockTool, NotApplicable, Release, Snapshot, ToolError, choose, choose_from,
    edits_of_all,
};
pub use scenario::Scenario;
pub use strategy::{ENDS_WITH, Measured, Strategy, StrategyError};
