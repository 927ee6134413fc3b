//! Rules about lockfiles.

mod cargo_lock_missing;
mod cargo_lock_out_of_step;
mod engines_unmet;
mod lock_ignored;
mod node_lock_missing;
mod node_lock_out_of_step;
mod npm_peer_conflict;
mod two_lockfiles;

use crate::advice::Rule;

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[
    &cargo_lock_missing::RULE,
    &cargo_lock_out_of_step::RULE,
    &node_lock_missing::RULE,
    &node_lock_out_of_step::RULE,
    &engines_unmet::RULE,
    &lock_ignored::CARGO,
    &lock_ignored::NODE,
    &npm_peer_conflict::RULE,
    &two_lockfiles::RULE,
];
