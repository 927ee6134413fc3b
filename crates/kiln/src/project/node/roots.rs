//! Which `package.json` folders are roots of their own.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::{Manifest, NodeError, WorkspaceGlobs, lock};

/// A folder that [`NodeWorkspace::load`](super::NodeWorkspace::load) is to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeRoot {
    /// Folder relative to the repository (`.` for the repository itself).
    pub directory: Utf8PathBuf,
    /// Whether it has a lockfile.
    pub locked: bool,
}

/// Of the folders that hold a `package.json` (relative to `repository`), those that are roots, ordered by path.
///
/// A member of a workspace belongs to its root, unless it has a lockfile of its own. A lone package without a lockfile is a root too:
/// the plan asks for its lock. A `package.json` that has neither name, dependencies nor scripts (`{"type": "module"}` beside some
/// sources) is no package.
///
/// # Errors
///
/// A `package.json` or `pnpm-workspace.yaml` that cannot be read.
pub fn find_roots(repository: &Utf8Path, candidates: &[Utf8PathBuf]) -> Result<Vec<NodeRoot>, NodeError> {
    let mut folders = candidates.iter().map(|folder| normal(folder)).collect::<Vec<_>>();
    folders.sort();
    folders.dedup();
    let mut workspaces: Vec<(Utf8PathBuf, WorkspaceGlobs)> = Vec::new();
    let mut roots = Vec::new();
    for folder in folders {
        let absolute = repository.join(&folder);
        let is_member = workspaces.iter().any(|(root, globs)| folder.strip_prefix(root).is_ok_and(|below| globs.matches(below)));
        let locked = !lock::find_names(&absolute).is_empty();
        if is_member && !locked {
            continue;
        }
        let manifest = Manifest::load(&absolute.join("package.json"))?;
        let globs = WorkspaceGlobs::read(&absolute, &manifest)?;
        let says_something = locked || !globs.is_empty() || !manifest.scripts.is_empty() || !manifest.dependencies.is_empty();
        if !globs.is_empty() {
            workspaces.push((folder.clone(), globs));
        }
        if says_something {
            let directory = if folder == "" { Utf8PathBuf::from(".") } else { folder };
            roots.push(NodeRoot { directory, locked });
        }
    }
    Ok(roots)
}

fn normal(folder: &Utf8Path) -> Utf8PathBuf {
    folder.components().filter(|component| component.as_str() != ".").collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn repository(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (folder, root)
    }

    #[test]
    fn members_belong_to_their_root_and_lone_packages_are_roots() {
        let (_guard, root) = repository(&[
            ("package.json", r#"{"workspaces": ["packages/*", "!packages/own"]}"#),
            ("package-lock.json", "{}"),
            ("packages/a/package.json", r#"{"name": "a", "scripts": {"x": ""}}"#),
            ("packages/own/package.json", r#"{"name": "own", "scripts": {"x": ""}}"#),
            ("packages/locked/package.json", r#"{"name": "locked"}"#),
            ("packages/locked/yarn.lock", ""),
            ("src/package.json", r#"{"type": "module"}"#),
            ("web/package.json", r#"{"dependencies": {"a": "1"}}"#),
        ]);
        let candidates = [".", "packages/a", "packages/own", "packages/locked", "src", "web"].map(Utf8PathBuf::from);
        let roots = find_roots(&root, &candidates).unwrap();
        let roots = roots.iter().map(|root| (root.directory.as_str(), root.locked)).collect::<Vec<_>>();
        assert_eq!(roots, [(".", true), ("packages/locked", true), ("packages/own", false), ("web", false)]);
    }
}
