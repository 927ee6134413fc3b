//! Rules about what kiln itself reads.

mod broken_manifest;

use crate::advice::Rule;

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[&broken_manifest::RULE];
