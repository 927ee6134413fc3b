//! What rules look at: facts that are there already, and file texts, each read once.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::WalkBuilder;

use super::SourceFile;
use super::dockerfile::{Dockerfile, Dockerfiles, UnreadDockerfile};
use super::facts::configs::{self, Config};
use super::facts::node_lock::NodeLock;
use crate::engine::GcPolicy;
use crate::plan::Plan;
use crate::project::node::NodeWorkspace;
use crate::project::{LookError, Project};
use crate::settings::Settings;
use crate::sqlx::{Check, CheckOptions, FeatureChoice, check};

/// Files larger than this are not read: no rule is about them.
const LARGEST: u64 = 32 << 20;

/// What rules look at.
#[derive(Debug)]
pub struct Context<'a> {
    /// The repository.
    pub project: &'a Project,
    /// `kiln.toml`.
    pub settings: &'a Settings,
    /// By which rules the engine that would build clears its cache, where one told.
    pub collection: Option<GcPolicy>,
    /// Why some of the repository's workspaces and packages are not in `project`.
    pub broken: &'a [LookError],
    plan: OnceCell<Plan>,
    paths: OnceCell<Vec<Utf8PathBuf>>,
    odd_modes: OnceCell<Vec<(Utf8PathBuf, u32)>>,
    dockerfiles: OnceCell<Dockerfiles>,
    sqlx: OnceCell<Vec<Check>>,
    configs: OnceCell<Vec<Config<'a>>>,
    node_locks: RefCell<BTreeMap<Utf8PathBuf, Option<Rc<NodeLock>>>>,
    files: RefCell<BTreeMap<Utf8PathBuf, Option<Rc<SourceFile>>>>,
}

impl<'a> Context<'a> {
    /// Nothing is read before a rule asks.
    #[must_use]
    pub const fn new(project: &'a Project, settings: &'a Settings) -> Self {
        let files = RefCell::new(BTreeMap::new());
        Self {
            project,
            settings,
            collection: None,
            broken: &[],
            plan: OnceCell::new(),
            paths: OnceCell::new(),
            odd_modes: OnceCell::new(),
            dockerfiles: OnceCell::new(),
            sqlx: OnceCell::new(),
            configs: OnceCell::new(),
            node_locks: RefCell::new(BTreeMap::new()),
            files,
        }
    }

    /// With what the engine said of its garbage collection.
    #[must_use]
    pub fn collected_by(mut self, policy: Option<GcPolicy>) -> Self {
        self.collection = policy;
        self
    }

    /// With what could not be read of the repository.
    #[must_use]
    pub const fn with_broken(mut self, broken: &'a [LookError]) -> Self {
        self.broken = broken;
        self
    }

    /// What kiln would build. It may hold open questions.
    pub fn plan(&self) -> &Plan {
        self.plan.get_or_init(|| crate::plan::plan(self.project, self.settings))
    }

    /// A file as text, relative to the repository; `None` if it is missing, not UTF-8 or too large.
    pub fn file(&self, path: &Utf8Path) -> Option<Rc<SourceFile>> {
        if let Some(known) = self.files.borrow().get(path) {
            return known.clone();
        }
        let absolute = self.project.root.join(path);
        let is_small = fs::metadata(&absolute).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
        let text = if is_small { fs::read_to_string(&absolute).ok() } else { None };
        let file = text.map(|text| Rc::new(SourceFile { path: path.to_owned(), text }));
        self.files.borrow_mut().insert(path.to_owned(), file.clone());
        file
    }

    /// A file as tools see it that take bytes: what is not UTF-8 is replaced. Empty if it is missing or too large.
    pub(super) fn lossy(&self, path: &Utf8Path) -> String {
        if let Some(file) = self.file(path) {
            return file.text.clone();
        }
        let absolute = self.project.root.join(path);
        let is_small = fs::metadata(&absolute).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
        let bytes = if is_small { fs::read(&absolute).unwrap_or_default() } else { Vec::new() };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether a fix may write to a path: a text file of the repository, or nothing yet. A link stays a link, and what cannot be read is
    /// nobody's to replace.
    pub(super) fn is_mendable(&self, path: &Utf8Path) -> bool {
        match fs::symlink_metadata(self.project.root.join(path)) {
            Ok(metadata) => metadata.is_file() && self.file(path).is_some(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// The Dockerfiles of the repository by path, each with the context and the ignore file that a build of it would use; those of examples
    /// and tests are left out.
    pub fn dockerfiles(&self) -> &[Dockerfile] {
        &self.dockerfiles.get_or_init(|| Dockerfiles::find(self)).read
    }

    /// Files that have the name of a Dockerfile and cannot be looked into.
    pub fn unread_dockerfiles(&self) -> &[UnreadDockerfile] {
        &self.dockerfiles.get_or_init(|| Dockerfiles::find(self)).unread
    }

    /// Configuration files of bundlers and their tools.
    pub(super) fn configs(&self) -> &[Config<'a>] {
        self.configs.get_or_init(|| configs::all(self))
    }

    /// The lockfile of a Node workspace.
    pub(super) fn node_lock(&self, workspace: &NodeWorkspace) -> Option<Rc<NodeLock>> {
        if let Some(known) = self.node_locks.borrow().get(&workspace.directory) {
            return known.clone();
        }
        let lock = NodeLock::read(self, workspace).map(Rc::new);
        self.node_locks.borrow_mut().insert(workspace.directory.clone(), lock.clone());
        lock
    }

    /// The queries of each workspace that uses SQLx, with their data; those of examples and tests are left out.
    pub fn sqlx_checks(&self) -> &[Check] {
        self.sqlx.get_or_init(|| {
            let own = self.project.cargo.iter().filter(|workspace| !workspace.incidental);
            let options = |workspace| CheckOptions {
                features: FeatureChoice::of_plan(self.plan(), &self.project.root, workspace),
                ..CheckOptions::default()
            };
            // A workspace without SQLx has nothing to check.
            own.filter_map(|workspace| check(workspace, &options(workspace)).ok()).collect()
        })
    }

    /// Whether there is such a file or folder, relative to the repository.
    #[must_use]
    pub fn exists(&self, path: &Utf8Path) -> bool {
        self.project.root.join(path).exists()
    }

    /// Every file of the repository, relative and sorted: not those that git ignores, nor what is below `.git`, `target` or
    /// `node_modules`.
    pub fn paths(&self) -> &[Utf8PathBuf] {
        self.paths.get_or_init(|| {
            let mut builder = WalkBuilder::new(&self.project.root);
            builder.hidden(false).ignore(false).git_global(false).parents(false).require_git(false).follow_links(false);
            builder.filter_entry(|entry| {
                let skipped = ["target", "node_modules", ".git", ".kiln"].iter().any(|name| entry.file_name() == *name);
                !(skipped && entry.depth() > 0 && entry.file_type().is_some_and(|kind| kind.is_dir()))
            });
            let entries = builder.build().filter_map(Result::ok).filter(|entry| entry.file_type().is_some_and(|k| !k.is_dir()));
            let relative =
                |path: &std::path::Path| Utf8Path::from_path(path.strip_prefix(&self.project.root).ok()?).map(Utf8Path::to_owned);
            let mut paths: Vec<Utf8PathBuf> = entries.filter_map(|entry| relative(entry.path())).collect();
            paths.sort();
            paths
        })
    }

    /// Files whose permissions are not those that git gives with the usual umask (644, or 755 for what is executable), in the order of
    /// their paths. None where files have no such permissions.
    pub fn odd_modes(&self) -> &[(Utf8PathBuf, u32)] {
        self.odd_modes.get_or_init(|| {
            let with_mode = |path: &Utf8PathBuf| Some((path.clone(), mode(&self.project.root.join(path))?));
            self.paths().iter().filter_map(with_mode).filter(|(_, mode)| !matches!(mode, 0o644 | 0o755)).collect()
        })
    }

    /// An absolute path as one relative to the repository; `None` outside of it.
    #[must_use]
    pub fn relative(&self, absolute: &Utf8Path) -> Option<Utf8PathBuf> {
        absolute.strip_prefix(&self.project.root).ok().map(Utf8Path::to_owned)
    }

    /// The files that were read so far, in order.
    pub(super) fn read_files(&self) -> Vec<Rc<SourceFile>> {
        self.files.borrow().values().flatten().cloned().collect()
    }
}

/// The permissions of a regular file.
#[cfg(unix)]
fn mode(path: &Utf8Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::symlink_metadata(path).ok().filter(|metadata| metadata.is_file())?;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_path: &Utf8Path) -> Option<u32> {
    None
}
