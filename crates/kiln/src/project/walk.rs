//! One walk over a repository that collects what other readers start from.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use ignore::{DirEntry, WalkBuilder, WalkState};

use super::LookError;
use super::node::LOCKFILES;
use crate::parallel;

/// Folders that hold what tools made, never sources.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// Folders whose packages are for demonstration or test, or someone else's.
const INCIDENTAL: [&str; 15] = [
    "benches",
    "example",
    "examples",
    "fixture",
    "fixtures",
    "template",
    "templates",
    "test",
    "test-data",
    "test_data",
    "testdata",
    "tests",
    "third-party",
    "third_party",
    "vendor",
];

/// And those that say of what, such as `push-examples`.
const OF_SOMETHING: [&str; 4] = ["-examples", "_examples", "-fixtures", "_fixtures"];

/// What a walk found; every path is relative to the folder walked, and lists are ordered by path.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Folders with a `Cargo.toml` (`.` for the walked folder itself).
    pub(super) cargo: Vec<Utf8PathBuf>,
    /// Folders with a `package.json`.
    pub(super) node: Vec<Utf8PathBuf>,
    /// Dockerfiles, compose, bake and ignore files.
    pub(super) docker_files: Vec<Utf8PathBuf>,
    /// Manifests and lockfiles that are symbolic links.
    pub(super) links: Vec<Utf8PathBuf>,
    /// Folders that cannot be read, and manifests in folders that cannot be named.
    pub(super) broken: Vec<LookError>,
}

/// Whether a path (relative to the folder that was looked at) lies in a folder for examples, tests or vendored code.
pub(crate) fn is_incidental(relative: &Utf8Path) -> bool {
    let is = |name: &str| INCIDENTAL.contains(&name) || OF_SOMETHING.iter().any(|ending| name.ends_with(ending));
    relative.components().any(|component| is(component.as_str()))
}

/// Walks a repository. Ignored by git, hidden, `target` and `node_modules` folders are left out; links are not followed. An error if the
/// repository itself cannot be read.
pub(super) fn walk(root: &Utf8Path) -> Result<Candidates, LookError> {
    let mut builder = WalkBuilder::new(root);
    // Only the repository's own rules: neither the person's global ones nor those of folders above decide what it holds.
    builder.hidden(false).ignore(false).git_global(false).parents(false).require_git(false).follow_links(false);
    builder.filter_entry(enters);
    let found = Mutex::new(Candidates::default());
    let found = || found.lock().unwrap_or_else(PoisonError::into_inner);
    builder.threads(parallel::threads()).build_parallel().run(|| {
        Box::new(|entry| {
            match entry {
                Ok(entry) if entry.depth() > 0 => collect(root, &entry, &found),
                Ok(_) => {}
                Err(error) => found().broken.extend(unreadable(root, error)),
            }
            WalkState::Continue
        })
    });
    let mut candidates = std::mem::take(&mut *found());
    let is_root = |error: &LookError| matches!(error, LookError::Read { path, .. } if path == root);
    if let Some(at) = candidates.broken.iter().position(is_root) {
        return Err(candidates.broken.swap_remove(at));
    }
    candidates.cargo.sort();
    candidates.node.sort();
    candidates.docker_files.sort();
    candidates.links.sort();
    candidates.broken.sort_by(|a, b| a.place().0.cmp(b.place().0));
    Ok(candidates)
}

fn enters(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let name = entry.file_name();
    !name.as_encoded_bytes().starts_with(b".") && !SKIPPED.iter().any(|skipped| name == OsStr::new(skipped))
}

fn collect<'a>(root: &Utf8Path, entry: &DirEntry, found: &impl Fn() -> MutexGuard<'a, Candidates>) {
    let Some(name) = entry.file_name().to_str() else { return };
    let is_manifest = name == "Cargo.toml" || name == "package.json";
    let is_link = entry.path_is_symlink() && (is_manifest || name == "Cargo.lock" || LOCKFILES.contains(&name));
    // Few files have such names: only they are worth a question to the system.
    if !is_manifest && !is_link && !is_docker_file(name) || entry.path().is_dir() {
        return;
    }
    let mut candidates = found();
    let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
    let Some(relative) = Utf8Path::from_path(below) else {
        candidates.broken.extend(is_manifest.then(|| not_utf8(root, below)));
        return;
    };
    let folder = || match relative.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder.to_owned(),
        _ => Utf8PathBuf::from("."),
    };
    if is_link {
        candidates.links.push(relative.to_owned());
    }
    match name {
        "Cargo.toml" => candidates.cargo.push(folder()),
        "package.json" => candidates.node.push(folder()),
        _ if is_link => {}
        _ => candidates.docker_files.push(relative.to_owned()),
    }
}

/// The error for the first part of a path that is not UTF-8.
fn not_utf8(root: &Utf8Path, below: &Path) -> LookError {
    let mut folder = root.to_owned();
    let mut name = String::new();
    for component in below.components() {
        match component.as_os_str().to_str() {
            Some(part) => folder.push(part),
            None => {
                name = component.as_os_str().to_string_lossy().into_owned();
                break;
            }
        }
    }
    LookError::NameNotUtf8 { folder, name }
}

/// A folder that cannot be read is an error; a broken rule in a `.gitignore`, or an entry that vanished, is not.
fn unreadable(root: &Utf8Path, error: ignore::Error) -> Option<LookError> {
    let path = path_of(&error).unwrap_or_else(|| root.to_owned());
    let vanished = error.depth().is_some_and(|depth| depth > 0) && path != root;
    let source = error.into_io_error()?;
    (source.kind() != io::ErrorKind::NotFound || !vanished).then_some(LookError::Read { path, source })
}

fn path_of(error: &ignore::Error) -> Option<Utf8PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(Utf8PathBuf::from(path.to_string_lossy().into_owned())),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

fn is_docker_file(name: &str) -> bool {
    let yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    (name.starts_with("Dockerfile") && !name.ends_with(".md"))
        || name.ends_with(".Dockerfile")
        || name.ends_with(".dockerfile")
        || name.ends_with(".dockerignore")
        || (yaml && (name.starts_with("compose") || name.starts_with("docker-compose")))
        || name.starts_with("docker-bake.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_for_demonstration_are_told_by_their_names() {
        for path in ["examples/a", "docs/example", "extra/push-examples/javascript", "tests/api_fixtures/x"] {
            assert!(is_incidental(Utf8Path::new(path)), "{path}");
        }
        for path in ["services/email-template", "apps/examples-site", "contest", "src"] {
            assert!(!is_incidental(Utf8Path::new(path)), "{path}");
        }
    }

    #[test]
    fn docker_files_are_told_by_their_names() {
        for name in [
            "Dockerfile",
            "Dockerfile.dev",
            "api.Dockerfile",
            ".dockerignore",
            "Dockerfile.fast.dockerignore",
            "compose.yaml",
            "compose.override.yml",
            "docker-compose.yml",
            "docker-bake.hcl",
            "docker-bake.override.json",
        ] {
            assert!(is_docker_file(name), "{name}");
        }
        for name in ["dockerfile.rs", "compose.rs", "Dockerfile.md", "docker.md", "compose.toml"] {
            assert!(!is_docker_file(name), "{name}");
        }
    }
}
