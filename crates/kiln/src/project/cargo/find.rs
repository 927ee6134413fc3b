//! Which of a repository's manifests are workspace roots.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::document::read_text;
use super::{CargoError, CargoWorkspace, locate, paths};

/// The workspaces of a repository.
#[derive(Debug, Default)]
pub struct Found {
    /// Ordered by folder.
    pub workspaces: Vec<CargoWorkspace>,
    /// Folders of packages that lie below a workspace root which neither lists nor excludes them; cargo refuses to build them.
    /// Relative to the repository.
    pub strays: Vec<Utf8PathBuf>,
    /// Why the other workspaces cannot be read, each reason once.
    pub broken: Vec<CargoError>,
}

/// Reads the workspaces among the folders that hold a `Cargo.toml` (relative to `repository`).
///
/// Members belong to their workspace, and so does a package without a lock of its own that a workspace reaches by path. What
/// `incidental` says yes to is marked, and left out if it cannot be read: broken manifests are common among test data.
#[must_use]
pub fn find(repository: &Utf8Path, folders: &[Utf8PathBuf], incidental: impl Fn(&Utf8Path) -> bool) -> Found {
    let mut found = Found::default();
    let mut claimed: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    let mut folders: Vec<&Utf8PathBuf> = folders.iter().collect();
    folders.sort_by_key(|folder| folder.components().count());
    let (roots, others): (Vec<_>, Vec<_>) =
        folders.into_iter().partition(|folder| may_be_root(&repository.join(folder).join("Cargo.toml")));
    // Roots of workspaces first: what they claim need not be asked.
    for relative in roots.into_iter().chain(others) {
        let folder = paths::normalize(&repository.join(relative));
        if claimed.contains(&folder) {
            continue;
        }
        // A package below a root that was read already, and did not claim it: no need to read that root's members again.
        if let Ok(root) = locate::root_of(&folder, repository)
            && root.folder() != folder
            && found.workspaces.iter().any(|workspace| workspace.directory == root.folder())
        {
            found.strays.push(relative.clone());
            continue;
        }
        match CargoWorkspace::load(&folder, repository) {
            Ok(workspace) if workspace.directory == folder => {
                let local = workspace.packages.iter().map(|package| (package.member, workspace.folder(package)));
                let claims = local.filter(|(member, folder)| *member || !folder.join("Cargo.lock").is_file());
                claimed.extend(claims.map(|(_, folder)| folder));
                found.workspaces.push(CargoWorkspace { incidental: incidental(relative), ..workspace });
            }
            // A member that was reached before its root.
            Ok(_) => {}
            Err(CargoError::Unlisted { path, .. }) if path.parent() == Some(&folder) => found.strays.push(relative.clone()),
            Err(_) if incidental(relative) => {}
            // Members of a root that cannot be read have the root's reason.
            Err(error) if found.broken.iter().any(|known| known.to_string() == error.to_string()) => {}
            Err(error) => found.broken.push(error),
        }
    }
    found.workspaces.sort_by(|left, right| left.directory.cmp(&right.directory));
    found.strays.sort();
    found
}

/// Whether a manifest seems to have a `[workspace]` table; the reader itself decides.
fn may_be_root(manifest: &Utf8Path) -> bool {
    let Ok(text) = read_text(manifest) else { return false };
    text.lines().any(|line| {
        let line = line.trim_start().trim_start_matches('[').trim_start();
        line.strip_prefix("workspace").is_some_and(|rest| rest.trim_start().starts_with(['.', ']']))
    })
}
