//! `kiln recipe cook` and `compile`: what runs cargo inside an image build.
//!
//! `cook` builds a recipe's stub in a target directory that persists in a cache mount and exports the units it used as a layer.
//! `compile` mirrors the sources by content, lets the guard forget what may be stale, seeds the target directory from the layer and
//! builds the real workspace. Why it is so: `docs/design/0002-mounts-and-guard.md`.

mod clock;
mod compile;
mod cook;
mod export;
mod guard;
mod index;
mod inputs;
mod linkages;
mod links;
mod messages;
mod metadata;
mod mirror;
mod nearest;
mod packages;
mod reasons;
mod script;
mod seed;
mod sources;
mod step;
mod target;

pub use compile::{CompileRequest, compile};
pub use cook::{CookRequest, cook};
pub use export::{FileKind, LAYER_FILE, LAYER_SCHEMA, Layer, LayerFile, LayerUnit, Surroundings};
pub(super) use inputs::normalized;
pub use metadata::Within;
pub use nearest::SeedMismatch;
pub(super) use step::{At, parallel, remove};
pub use step::{Limits, StepError};
