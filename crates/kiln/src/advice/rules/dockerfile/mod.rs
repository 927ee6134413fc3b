//! Rules about Dockerfiles and ignore files, written by kiln or by hand.

mod apt;
mod argument_scope;
mod build_into_mount;
mod changed_later;
mod copy_before_install;
mod docker_clean;
mod download;
mod emptied_mount;
mod final_image;
mod ignored_file_copied;
mod install;
mod manifests_with_sources;
mod no_cache;
mod not_ignored;
mod npm_install;
mod piped_script;
mod secrets;
mod syntax;
mod text;
mod toolchain_split;
mod umask;
mod unlocked_mount;
mod unpinned_base;
mod volatile_argument;

use crate::advice::Rule;

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[
    &syntax::RULE,
    &ignored_file_copied::RULE,
    &build_into_mount::RULE,
    &argument_scope::RULE,
    &final_image::SCRIPT,
    &secrets::FILE,
    &secrets::VARIABLE,
    &secrets::DOTENV,
    &copy_before_install::RULE,
    &manifests_with_sources::RULE,
    &volatile_argument::RULE,
    &not_ignored::TARGET,
    &not_ignored::NODE_MODULES,
    &not_ignored::GIT,
    &not_ignored::DOCKERFILE,
    &unlocked_mount::RULE,
    &emptied_mount::RULE,
    &docker_clean::RULE,
    &no_cache::RULE,
    &unpinned_base::RULE,
    &toolchain_split::RULE,
    &apt::UPDATE,
    &apt::LISTS,
    &npm_install::RULE,
    &piped_script::RULE,
    &download::UNCHECKED,
    &download::LOCAL,
    &final_image::ROOT,
    &final_image::SHELL_FORM,
    &final_image::OVERRIDDEN,
    &text::EMPTY_LINE,
    &text::MAINTAINER,
    &changed_later::RULE,
    &umask::RULE,
];
