//! Rules about SQLx: query data, and how Dockerfiles compile queries.

mod cli_version;
mod data_before_cook;
mod data_broken;
mod data_dead;
mod data_duplicated;
mod data_ignored_by_docker;
mod data_ignored_by_git;
mod data_missing;
mod data_of_other_version;
mod data_split;
mod database_url;
mod migrations_ignored_by_docker;
mod new_migrations_unseen;
mod offline_before_cook;
mod offline_missing;
mod prepare_in_image;
mod query_not_literal;
mod steps;

use camino::Utf8Path;

use crate::advice::{Context, Dockerfile, Rule};
use crate::sqlx::{Check, Scope};

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[
    &data_missing::RULE,
    &data_broken::RULE,
    &query_not_literal::RULE,
    &data_dead::RULE,
    &data_duplicated::RULE,
    &data_split::RULE,
    &data_of_other_version::RULE,
    &data_ignored_by_docker::RULE,
    &data_ignored_by_git::RULE,
    &migrations_ignored_by_docker::RULE,
    &new_migrations_unseen::RULE,
    &offline_missing::RULE,
    &offline_before_cook::RULE,
    &data_before_cook::RULE,
    &database_url::RULE,
    &cli_version::RULE,
    &prepare_in_image::RULE,
];

/// The checks of workspaces with queries that a build compiles.
fn with_queries<'c>(context: &'c Context<'_>) -> impl Iterator<Item = &'c Check> {
    context.sqlx_checks().iter().filter(|check| check.queries.iter().any(|query| query.scope == Scope::Build))
}

/// The Dockerfiles that may compile a workspace with queries, each with that workspace's check.
fn dockerfiles<'c>(context: &'c Context<'_>) -> impl Iterator<Item = (&'c Dockerfile, &'c Check)> {
    context.dockerfiles().iter().filter_map(|dockerfile| {
        let folder = dockerfile.folder();
        let near = |check: &&Check| {
            let workspace = context.relative(&check.workspace).unwrap_or_default();
            workspace.starts_with(folder) || folder.starts_with(&workspace)
        };
        Some((dockerfile, with_queries(context).find(near)?))
    })
}

/// A query on one line, shortened.
fn short(sql: &str) -> String {
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= 50 { words } else { words.chars().take(49).chain(['…']).collect() }
}

/// The folder in which a data file lies, as one says it.
fn folder_of(path: &Utf8Path) -> &Utf8Path {
    path.parent().unwrap_or(path)
}
