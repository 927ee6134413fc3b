//! Workspaces on disk, read and compared.

mod errors;
mod lock;
mod lock_check;
mod members;
mod native;
mod packages;
mod query;
mod sources;
mod speed;

use super::{CargoError, CargoWorkspace};
use crate::project::fixture::Fixture;

fn load(fixture: &Fixture) -> CargoWorkspace {
    match CargoWorkspace::load(fixture.path(), fixture.path()) {
        Ok(workspace) => workspace,
        Err(error) => panic!("{error}"),
    }
}

/// The error, with the folder's own path taken out, and what caused it.
fn error(fixture: &Fixture) -> String {
    match CargoWorkspace::load(fixture.path(), fixture.path()) {
        Ok(workspace) => panic!("read {} packages", workspace.packages.len()),
        Err(error) => words(fixture, &error),
    }
}

fn words(fixture: &Fixture, error: &CargoError) -> String {
    let cause = std::error::Error::source(error).map_or(String::new(), |cause| format!(" / {cause}"));
    format!("{error}{cause}").replace(fixture.path().as_str(), "<root>")
}

/// `folder name`, with `+` for members and `-` for the others.
fn packages(workspace: &CargoWorkspace) -> Vec<String> {
    let each = workspace.packages.iter();
    each.map(|package| format!("{}{} {}", if package.member { '+' } else { '-' }, package.directory, package.name)).collect()
}
