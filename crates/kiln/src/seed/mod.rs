//! Seeds: the published dependencies of another build as the start of a cook on an empty builder.
//!
//! What a seed is, is decided here without asking anybody ([`decide`] gets the answers through [`World`]); the engine is asked, and the
//! build done, by the caller. Why it is so: `docs/design/0004-seeds.md`.
//!
//! A seed is an input of the step that cooks, and so a part of its cache key. It is therefore always named by digest ([`Pin`]), and an
//! unchanged cook ([`Identity`]) keeps the pin that it was built with ([`Pins`]), whatever has been published since.

mod decide;
mod identity;
mod needs;
mod pins;

pub use decide::{Ask, Decision, Note, Reason, World, decide};
pub use identity::{Identity, IdentityError, cook_part, identity};
pub use needs::{Misfit, Needs};
pub use pins::{Pin, PinError, Pinned, Pins};
