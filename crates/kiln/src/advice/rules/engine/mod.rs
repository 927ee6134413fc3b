//! Rules about the engine and its caches. They speak only where an engine has answered.

mod mounts_collected;

use crate::advice::Rule;

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[&mounts_collected::RULE];
