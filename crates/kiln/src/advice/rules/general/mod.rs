//! Rules about what kiln itself reads and writes.

mod broken_manifest;
mod files_not_in_image;

use crate::advice::Rule;

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[&broken_manifest::RULE, &files_not_in_image::RULE];
