//! Makes query data: a database with the project's schema, `cargo sqlx prepare` against it, and its results put into place.
//!
//! The database is one that exists, or a temporary one: an SQLite file, a local server on a socket in a temporary folder, a
//! container. Whatever was started ends with the value that started it, also when the work is cancelled.

mod compile;
mod error;
mod migrations;
mod place;
mod server;
mod tool;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::check::{CheckOptions, check};
use super::data::Database;
use super::outcome::{Check, Scope};
use super::version::{Layout, Version};
use crate::lock::{LockError, exclusive};
use crate::process::{Cancel, ProcessError};
use crate::project::cargo::CargoWorkspace;
use crate::text::short_hash;

pub use error::PrepareError;
pub use place::{Change, Changed, Placement};

/// How to make query data.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// What is compiled.
    pub check: CheckOptions,
    /// Also queries that only tests compile.
    pub tests: bool,
    /// Write nothing.
    pub check_only: bool,
    /// Where data goes.
    pub placement: Placement,
    /// The database, where the features of sqlx do not decide.
    pub database: Option<Database>,
    /// A database to use: its URL, and where that comes from.
    pub url: Option<DatabaseUrl>,
    /// Folders with migrations, absolute; those that are found when empty.
    pub migrations: Vec<Utf8PathBuf>,
    /// Run migrations also on a database that was named.
    pub migrate: bool,
    /// Start a container even where a server program is there.
    pub container: bool,
    /// Image of the container, in place of that in a compose file.
    pub image: Option<String>,
    /// Compose files, absolute: they may name the image of the database.
    pub compose: Vec<Utf8PathBuf>,
    /// Where sqlx-cli is installed if it is missing.
    pub tools: Utf8PathBuf,
    /// Where lock files are: one run at a time makes the data of a workspace.
    pub locks: Utf8PathBuf,
    /// Where temporary folders are made.
    pub temporary: Utf8PathBuf,
    /// The cargo program.
    pub cargo: String,
    /// The docker client.
    pub docker: String,
    /// `PATH`, for programs that are not always in it.
    pub path: Vec<Utf8PathBuf>,
    /// Ends the work.
    pub cancel: Cancel,
}

/// The URL of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// The URL; it may hold a password.
    pub url: String,
    /// `--database-url` or `DATABASE_URL`.
    pub origin: String,
    /// Whether it was asked for in this run, and not only found in the environment.
    pub explicit: bool,
}

/// What is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrepareEvent {
    /// Another run makes the data of this workspace, or installs sqlx-cli into the same folder: this one waits until it has ended.
    Waiting,
    /// sqlx-cli is compiled: minutes, once.
    Installing {
        /// Its version.
        version: String,
        /// Where to.
        folder: Utf8PathBuf,
    },
    /// A temporary database is made.
    Starting {
        /// Of this kind.
        database: Database,
        /// A program, an image or a file.
        from: String,
    },
    /// A database that was named is used.
    Using {
        /// `--database-url` or `DATABASE_URL`.
        origin: String,
    },
    /// Migrations run.
    Migrating {
        /// From this folder.
        folder: Utf8PathBuf,
        /// So many.
        files: usize,
    },
    /// The queries are compiled.
    Compiling {
        /// In these packages.
        packages: Vec<String>,
    },
    /// A line of a program's output.
    Line(String),
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Prepared {
    /// Queries that have data now.
    pub queries: usize,
    /// What was written, or would be.
    pub changes: Vec<Changed>,
    /// The sources, checked before anything was made.
    #[serde(skip)]
    pub before: Check,
    /// Version of SQLx.
    pub sqlx: Version,
    /// The database, unless there was no query to make data for.
    pub database: Option<Database>,
}

/// Makes the data of a workspace's queries and puts it into place.
///
/// # Errors
///
/// Nothing was changed, except that files may be in place when a later one cannot be.
pub fn prepare(
    workspace: &CargoWorkspace,
    options: &PrepareOptions,
    on_event: &mut dyn FnMut(PrepareEvent),
) -> Result<Prepared, PrepareError> {
    let before = check(workspace, &options.check)?;
    let Some(sqlx) = before.sqlx.clone() else {
        return Err(PrepareError::NoVersion { workspace: workspace.directory.clone() });
    };
    if sqlx.layout() == Layout::SingleFile {
        return Err(PrepareError::OldSqlx { version: sqlx.to_string() });
    }
    // Two runs would take each other's results for their own: SQLx' macros write them into one folder.
    let name = format!("sqlx-{}.lock", short_hash(workspace.directory.as_str().as_bytes()));
    let (_held, waited) = locked(&options.locks.join(name), options, on_event)?;
    let before = if waited { check(workspace, &options.check)? } else { before };
    let packages = packages(&before, options.tests);
    if packages.is_empty() {
        let changes = place::changes(&before, workspace, &place::Made::default(), options)?;
        place::apply(&changes, options)?;
        return Ok(Prepared {
            queries: 0,
            changes: changes.into_iter().map(|change| change.told).collect(),
            before,
            sqlx,
            database: None,
        });
    }
    let database = which(&before, options)?;
    let migrations = migrations::find(workspace, options)?;
    let own = server::named(database, options, migrations.is_empty())?;
    if own.is_none() && migrations.is_empty() {
        return Err(PrepareError::NoMigrations { workspace: workspace.directory.clone() });
    }
    let tool = tool::Tool::find(&sqlx, database, own.is_some(), options, on_event)?;
    let server = match own {
        Some(server) => server,
        None => server::start(database, options, on_event)?,
    };
    on_event(server.event());
    if server.temporary {
        tool.create(&server.url, options)?;
    }
    if server.temporary || options.migrate {
        migrations::run(&tool, &server.url, &migrations, options, on_event)?;
    }
    on_event(PrepareEvent::Compiling { packages: packages.clone() });
    let made = compile::compile(&tool, &server.url, workspace, &packages, options, on_event)?;
    drop(server);
    let changes = place::changes(&before, workspace, &made, options)?;
    if !options.check_only {
        place::apply(&changes, options)?;
    }
    let changes = changes.into_iter().map(|change| change.told).collect();
    Ok(Prepared { queries: made.files.len(), changes, before, sqlx, database: Some(database) })
}

/// Takes a lock, and gives with it whether it had to be waited for.
fn locked(
    path: &Utf8Path,
    options: &PrepareOptions,
    on_event: &mut dyn FnMut(PrepareEvent),
) -> Result<(std::fs::File, bool), PrepareError> {
    let mut waited = false;
    let held = exclusive(path.as_std_path(), &options.cancel, || {
        waited = true;
        on_event(PrepareEvent::Waiting);
    });
    match held {
        Ok(held) => Ok((held, waited)),
        Err(LockError::Cancelled) => {
            Err(PrepareError::Process(ProcessError::Cancelled { program: "kiln sqlx prepare".to_owned() }))
        }
        Err(LockError::File { source, .. }) => Err(PrepareError::file("lock", path)(source)),
    }
}

/// The packages that have queries which are compiled.
fn packages(check: &Check, tests: bool) -> Vec<String> {
    let counts = |scope| scope == Scope::Build || (tests && scope == Scope::Test);
    let queries = check.queries.iter().filter(|query| counts(query.scope)).map(|query| &query.package);
    let others = check.unresolved.iter().filter(|call| counts(call.scope)).map(|call| &call.package);
    let mut names: Vec<String> = queries.chain(others).cloned().collect();
    names.sort();
    names.dedup();
    names
}

fn which(check: &Check, options: &PrepareOptions) -> Result<Database, PrepareError> {
    if let Some(database) = options.database {
        return Ok(database);
    }
    let found: Vec<Database> = check.databases.iter().copied().collect();
    if let [only] = found.as_slice() {
        return Ok(*only);
    }
    let of_url = options.url.as_ref().and_then(|url| Database::of_url(&url.url));
    of_url.filter(|database| found.is_empty() || found.contains(database)).ok_or(PrepareError::WhichDatabase { found })
}

/// A folder that is removed with all that is in it when the value is dropped.
#[derive(Debug)]
pub(super) struct Folder(Utf8PathBuf);

impl Folder {
    /// A new folder that only this user sees. Its path is short, for a socket must fit into 107 bytes.
    pub(super) fn new(temporary: &Utf8Path) -> Result<Self, PrepareError> {
        use std::os::unix::fs::DirBuilderExt as _;
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let base = if temporary.as_str().len() > 40 { Utf8Path::new("/tmp") } else { temporary };
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("kiln-sqlx-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(PrepareError::file("make the folder", &path)(error)),
            }
        }
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // There is nobody to tell; a temporary folder that stays is a pity and no failure.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
