//! Foresee: which steps of a build BuildKit would reuse, and why not the others.
//!
//! A [`Model`] is what a build was asked for: for each step what it does ([`Operation`]), what it stands on and what it reads, with
//! hashes. [`predict()`] compares the model of the next build with those of earlier ones: a step is cached exactly if one of them has an
//! equal step on equal ground. What a foreign program would write cannot be known, so a step that reads it is
//! [unknown](Verdict::Unknown) once that program runs again; kiln's own recipe steps are computed ([`outputs`]).
//!
//! What is assumed: nobody has removed the builder's cache, and what a tag or an address stands for has not changed.

mod build;
mod compare;
mod counterpart;
mod images;
mod look;
mod model;
mod operation;
pub mod outputs;
mod reason;
mod store;
#[cfg(test)]
mod tests;
mod why;

pub use build::{Contents, Inputs, PredictError};
pub(crate) use compare::verdicts;
pub use compare::{Predicted, Prediction, Verdict, predict};
pub use images::{ImageFacts, inspect};
pub(crate) use look::read;
pub use look::{Subject, SubjectError};
pub use model::{MODEL_SCHEMA, Model, ModelStep, Origin, Read, StepPlace};
pub use operation::Operation;
pub use reason::MissReason;
pub use store::{KEPT, Known, StoreError, known, save};
pub use why::{Miss, Remedy, installs_dependencies, is_for_people, misses};
pub(crate) use why::{is_manifest, pattern};
