//! What the Rust sources of packages say: each package is read once, whoever asks and however many services are made of it.

use std::collections::{BTreeSet, HashMap};

use camino::{Utf8Path, Utf8PathBuf};

use super::sources::{self, Source};
use super::{CargoPackage, CargoWorkspace, SqlxUse, includes, paths, sqlx};

/// Remembers what the sources of packages say.
#[derive(Debug, Default)]
pub struct SourceFacts {
    /// By the folder of the package.
    known: HashMap<Utf8PathBuf, PackageFacts>,
}

/// What the sources of one package say. All paths are absolute.
#[derive(Debug, Default)]
pub(super) struct PackageFacts {
    /// What they read while compiling, of what is there.
    pub(super) included: BTreeSet<Utf8PathBuf>,
    /// Whether they use macros of SQLx that check queries.
    pub(super) checked_queries: bool,
    /// The folders that SQLx's `migrate!` names.
    pub(super) migrations: BTreeSet<Utf8PathBuf>,
}

impl SourceFacts {
    /// What the sources of a package and of its local dependencies read while compiling, relative to the workspace root (paths may
    /// begin with `..`), sorted. Rust modules that cargo finds by itself are not listed.
    #[must_use]
    pub fn included(&mut self, workspace: &CargoWorkspace, package: &str) -> Vec<Utf8PathBuf> {
        let mut found = BTreeSet::new();
        for package in workspace.closure(package, false) {
            let included = &self.of(workspace, package).included;
            found.extend(included.iter().map(|path| paths::relative(&workspace.directory, path)));
        }
        found.into_iter().filter(|path| path != ".").collect()
    }

    /// How the closure of a package uses SQLx; `None` if it does not.
    #[must_use]
    pub fn sqlx(&mut self, workspace: &CargoWorkspace, package: &str) -> Option<SqlxUse> {
        sqlx::of_closure(self, workspace, package)
    }

    pub(super) fn of(&mut self, workspace: &CargoWorkspace, package: &CargoPackage) -> &PackageFacts {
        let folder = workspace.folder(package);
        self.known.entry(folder).or_insert_with_key(|folder| PackageFacts::read(folder, package))
    }
}

/// [`SourceFacts::included`] of one package.
#[must_use]
pub fn included_paths(workspace: &CargoWorkspace, package: &str) -> Vec<Utf8PathBuf> {
    SourceFacts::default().included(workspace, package)
}

impl PackageFacts {
    fn read(folder: &Utf8Path, package: &CargoPackage) -> Self {
        let mut whole = Self::default();
        for facts in sources::each(folder, |source| Self::of_source(source, package)) {
            whole.included.extend(facts.included);
            whole.checked_queries |= facts.checked_queries;
            whole.migrations.extend(facts.migrations);
        }
        whole.included.extend(includes::by_custom(folder, package));
        whole.included.retain(|path| path.exists());
        whole
    }

    fn of_source(source: &Source<'_>, package: &CargoPackage) -> Self {
        let mut included = includes::of_source(source, package);
        let migrations = sqlx::migrate_folders(source);
        included.extend(migrations.iter().cloned());
        let uses_sqlx =
            || source.text.contains("sqlx") || package.dependencies.iter().any(|dependency| dependency.package == "sqlx");
        if uses_sqlx() {
            Self { included, checked_queries: sqlx::has_queries(source.text), migrations: migrations.into_iter().collect() }
        } else {
            Self { included, ..Self::default() }
        }
    }
}
