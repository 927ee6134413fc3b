//! Rules about lockfiles.

mod cargo_lock_missing;
mod cargo_lock_out_of_step;
mod engines_unmet;
mod node_lock_missing;
mod node_lock_out_of_step;

use crate::advice::Rule;

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[
    &cargo_lock_missing::RULE,
    &cargo_lock_out_of_step::RULE,
    &node_lock_missing::RULE,
    &node_lock_out_of_step::RULE,
    &engines_unmet::RULE,
];
