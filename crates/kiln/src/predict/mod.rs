//! Foresee: which steps of a build BuildKit would reuse, and why not the others.
//!
//! A [`Model`] is what a build was asked for: for each step what it does ([`Operation`]), what it stands on and what it reads, with
//! hashes. [`predict()`] compares the model of the next build with those of earlier ones: a step is cached exactly if one of them has an
//! equal step on equal ground. What a foreign program would write cannot be known, so a step that reads it is
//! [unknown](Verdict::Unknown) once that program runs again; kiln's own recipe steps are computed ([`outputs`]).
//!
//! What is assumed: what a tag or an address stands for has not changed, and the builder still has what it had, unless it is asked
//! ([`lost()`]). After a build [`misses()`] says of each step that ran why it did, as [`MissReason`]s, which records keep.

mod build;
mod compare;
mod counterpart;
mod done;
mod images;
mod look;
mod lost;
mod model;
mod operation;
pub mod outputs;
mod past;
mod reason;
mod remedy;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod why;

pub use build::{Contents, Inputs, PredictError, uses_link};
pub(crate) use compare::verdicts;
pub use compare::{Predicted, Prediction, Verdict, predict, predict_without};
pub(crate) use done::Done;
pub use images::{ImageFacts, inspect};
pub(crate) use look::read;
pub use look::{Memory, Subject, SubjectError};
pub use lost::lost;
pub use model::{MODEL_SCHEMA, Model, ModelStep, Origin, Read, Source, StepPlace, Told};
pub use operation::Operation;
pub use reason::MissReason;
pub use remedy::{Remedy, Saving, installs_dependencies, is_for_people};
pub(crate) use remedy::{is_manifest, pattern};
pub use store::{KEPT, Known, StoreError, known, save};
pub use why::{Miss, misses};
