//! kiln: from a repository to fast images.
//!
//! Everything is a value until the last moment. Each arrow of the pipeline is one folder:
//!
//! ```text
//! directory --project--> Project --plan--> Plan --dockerfile, files--> files
//!                                           |
//!                                           +--engine--> BuildEvent… --record--> Record --report--> text, HTML
//! ```
//!
//! Inside the image build the same library runs as `kiln recipe …` ([`recipe`]).
//!
//! The library never prints, never exits, never parses flags and never reads environment variables or the home
//! directory: callers pass what it needs. Programs are spawned by [`process`] only.

pub mod advice;
pub mod bench;
pub mod context;
pub mod dockerfile;
pub mod engine;
pub mod event;
pub mod files;
pub mod git;
mod image_name;
pub mod lifecycle;
mod lock;
pub mod parallel;
pub mod plan;
pub mod predict;
pub mod process;
pub mod project;
#[cfg(test)]
mod random;
pub mod recipe;
pub mod record;
pub mod replay;
pub mod report;
pub mod seed;
pub mod settings;
pub mod sqlx;
pub mod text;
