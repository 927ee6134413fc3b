//! Rules about system packages, toolchains and platforms.

mod native_packages;
mod npm_blocked_scripts;
mod platform_packages;
mod rust_image;

use crate::advice::Rule;

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[
    &native_packages::RULE,
    &platform_packages::RULE,
    &npm_blocked_scripts::RULE,
    &rust_image::LOCK_VERSION,
    &rust_image::RUST_VERSION,
];
