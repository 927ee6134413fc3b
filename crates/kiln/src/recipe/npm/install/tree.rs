//! Files of an installation: the manifests that npm reads, and the folders `node_modules`, each copied without the other.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::lock::is_within;
use crate::recipe::build::{At as _, StepError, normalized, parallel, remove};

/// Name of the folders that npm fills.
const MODULES: &str = "node_modules";

/// What a folder holds, by path below it.
#[derive(Debug, Default)]
struct Found {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    links: Vec<PathBuf>,
}

impl Found {
    /// Adds what lies below `at`, a folder of `root`. `enter` tells which folders are looked into.
    fn walk(&mut self, root: &Path, at: &Path, enter: &dyn Fn(&Path) -> bool) -> Result<(), StepError> {
        let folder = root.join(at);
        for entry in fs::read_dir(&folder).at("read", &folder)? {
            let entry = entry.at("read", &folder)?;
            let kind = entry.file_type().at("read", &folder)?;
            let path = at.join(entry.file_name());
            if kind.is_symlink() {
                self.links.push(path);
            } else if !kind.is_dir() {
                self.files.push(path);
            } else if enter(&path) {
                self.folders.push(path.clone());
                self.walk(root, &path, enter)?;
            }
        }
        Ok(())
    }

    /// Copies everything to where nothing of it is.
    fn copy(&self, from: &Path, to: &Path) -> Result<(), StepError> {
        for folder in &self.folders {
            let folder = to.join(folder);
            fs::create_dir_all(&folder).at("create", &folder)?;
        }
        parallel(&self.files, |file| {
            let target = to.join(file);
            fs::copy(from.join(file), &target).map(drop).at("write", &target)
        })?;
        for link in &self.links {
            let source = from.join(link);
            let target = to.join(link);
            symlink(fs::read_link(&source).at("read", &source)?, &target).at("write", &target)?;
        }
        Ok(())
    }
}

/// What a project has besides its packages.
fn manifests(project: &Path) -> Result<Found, StepError> {
    let mut found = Found::default();
    found.walk(project, Path::new(""), &|path| path.file_name().is_none_or(|name| name != MODULES))?;
    Ok(found)
}

/// Where a project and its members have packages, or may have them.
fn module_folders(project: &Path) -> Result<impl Iterator<Item = PathBuf>, StepError> {
    let folders = std::iter::once(PathBuf::new()).chain(manifests(project)?.folders);
    Ok(folders.map(|folder| folder.join(MODULES)))
}

/// Puts the manifests of a project, everything but its `node_modules`, in the place of those that `kept` has.
pub(super) fn take_manifests(project: &Path, kept: &Path) -> Result<(), StepError> {
    fs::create_dir_all(kept).at("create", kept)?;
    let old = manifests(kept)?;
    for path in old.files.iter().chain(&old.links) {
        remove(&kept.join(path))?;
    }
    let new = manifests(project)?;
    new.copy(project, kept)?;
    // A member that is gone takes its own packages with it.
    for folder in old.folders.iter().rev().filter(|folder| !new.folders.contains(folder)) {
        remove(&kept.join(folder))?;
    }
    Ok(())
}

/// Copies the folders `node_modules` of `kept` into a project that has none, without some packages and the links to their programs: npm
/// makes a program executable when it links to it. For the programs of members, which stay linked, that is done here.
pub(super) fn give_modules(kept: &Path, project: &Path, without: &[String]) -> Result<(), StepError> {
    let wanted = |path: &Path| !path.to_str().is_some_and(|path| without.iter().any(|folder| is_within(path, folder)));
    let mut found = Found::default();
    for modules in module_folders(kept)?.filter(|modules| kept.join(modules).is_dir()) {
        found.folders.push(modules.clone());
        found.walk(kept, &modules, &wanted)?;
    }
    found.links.retain(|link| {
        !is_program(link) || fs::read_link(kept.join(link)).is_ok_and(|to| wanted(&normalized(&link.with_file_name(to))))
    });
    found.copy(kept, project)?;
    let root = fs::canonicalize(project).at("read", project)?;
    for link in found.links.iter().filter(|link| is_program(link)) {
        // Its package may be a link itself, to a member.
        let Ok(program) = fs::canonicalize(root.join(link)) else { continue };
        if program.strip_prefix(&root).is_ok_and(|path| path.iter().all(|part| part != MODULES)) {
            let mode = fs::metadata(&program).at("read", &program)?.permissions().mode();
            fs::set_permissions(&program, Permissions::from_mode(mode | 0o111)).at("write", &program)?;
        }
    }
    Ok(())
}

/// Whether a link is one of npm's to a program.
fn is_program(link: &Path) -> bool {
    link.parent().is_some_and(|folder| folder.ends_with(".bin"))
}

/// Removes every `node_modules` of a project.
pub(super) fn remove_modules(project: &Path) -> Result<(), StepError> {
    module_folders(project)?.try_for_each(|modules| remove(&project.join(modules)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(root: &Path) -> Vec<String> {
        let mut found = Found::default();
        found.walk(root, Path::new(""), &|_| true).unwrap();
        let mut names: Vec<String> = found.files.iter().chain(&found.links).map(|path| path.display().to_string()).collect();
        names.sort();
        names
    }

    fn write(root: &Path, paths: &[&str]) {
        for path in paths {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    #[test]
    fn manifests_go_one_way_and_packages_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (project, kept) = (folder.path().join("project"), folder.path().join("kept"));
        write(&project, &["package.json", "packages/ui/package.json"]);
        write(
            &kept,
            &[
                "package.json",
                ".npmrc",
                "node_modules/a/index.js",
                "node_modules/b/index.js",
                "packages/ui/package.json",
                "packages/ui/node_modules/c/index.js",
                "packages/gone/package.json",
                "packages/gone/node_modules/d/index.js",
            ],
        );
        symlink("../a/index.js", kept.join("node_modules/b/link")).unwrap();
        fs::create_dir(kept.join("node_modules/.bin")).unwrap();
        symlink("../a/index.js", kept.join("node_modules/.bin/a")).unwrap();
        symlink("../b/index.js", kept.join("node_modules/.bin/b")).unwrap();
        take_manifests(&project, &kept).unwrap();
        assert_eq!(
            files(&kept),
            [
                "node_modules/.bin/a",
                "node_modules/.bin/b",
                "node_modules/a/index.js",
                "node_modules/b/index.js",
                "node_modules/b/link",
                "package.json",
                "packages/ui/node_modules/c/index.js",
                "packages/ui/package.json",
            ]
        );
        give_modules(&kept, &project, &["node_modules/a".to_owned()]).unwrap();
        assert_eq!(
            files(&project),
            [
                "node_modules/.bin/b",
                "node_modules/b/index.js",
                "node_modules/b/link",
                "package.json",
                "packages/ui/node_modules/c/index.js",
                "packages/ui/package.json",
            ]
        );
        assert_eq!(fs::read_link(project.join("node_modules/b/link")).unwrap(), Path::new("../a/index.js"));
        remove_modules(&project).unwrap();
        assert_eq!(files(&project), ["package.json", "packages/ui/package.json"]);
    }
}
