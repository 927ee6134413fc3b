//! Why query data could not be made.

use std::io;

use camino::Utf8PathBuf;

use crate::process::ProcessError;
use crate::sqlx::Database;
use crate::sqlx::check::CheckError;

/// Why query data could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The sources could not be looked at.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// SQLx 0.6 and before.
    #[error("SQLx {version} keeps its data in `sqlx-data.json`, which `kiln sqlx prepare` does not write")]
    OldSqlx {
        /// The locked version.
        version: String,
    },
    /// Nothing says which version of SQLx is used.
    #[error("nothing says which version of SQLx `{workspace}` uses")]
    NoVersion {
        /// Folder of the workspace.
        workspace: Utf8PathBuf,
    },
    /// No driver, or several.
    #[error("which database? the features of sqlx name {}", if found.is_empty() { "none".to_owned() } else { names(found) })]
    WhichDatabase {
        /// Those whose drivers are on.
        found: Vec<Database>,
    },
    /// The URL is of another database.
    #[error("{} is for another database than {}, which the queries are for", variable, wanted.name())]
    OtherDatabase {
        /// Where the URL comes from.
        variable: String,
        /// What is wanted.
        wanted: Database,
    },
    /// Nothing to make a database from.
    #[error("no folder with migrations in `{workspace}`, and no DATABASE_URL")]
    NoMigrations {
        /// Folder of the workspace.
        workspace: Utf8PathBuf,
    },
    /// A migrations folder that was named has no migrations.
    #[error("`{folder}` holds no migrations (`<version>_<name>.sql`)")]
    EmptyMigrations {
        /// The folder.
        folder: Utf8PathBuf,
    },
    /// There is no server program.
    #[error("no {} server on this machine: `{program}` was not found", database.name())]
    NoServer {
        /// The database.
        database: Database,
        /// The program that was looked for.
        program: &'static str,
        /// Debian's package that has it.
        package: &'static str,
        /// Why no container could be used instead.
        container: String,
    },
    /// The server did not start.
    #[error("the {} server did not start", database.name())]
    ServerFailed {
        /// The database.
        database: Database,
        /// The end of what it said.
        output: String,
    },
    /// The SQLx command line could not be installed.
    #[error("cannot install sqlx-cli {version}")]
    Install {
        /// The version.
        version: String,
        /// The end of what cargo said.
        output: String,
    },
    /// A migration failed.
    #[error("a migration failed: `{}`", file.as_ref().map_or("unknown", |file| file.as_str()))]
    Migration {
        /// The file, if the output told.
        file: Option<Utf8PathBuf>,
        /// What the database says.
        message: String,
    },
    /// The database cannot be reached or made.
    #[error("cannot use the database")]
    Connect {
        /// What sqlx-cli says.
        message: String,
    },
    /// The queries do not compile against the database.
    #[error("the queries do not compile against the database")]
    Compile {
        /// The compiler's errors.
        output: String,
    },
    /// A program could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A program ran and made no sense.
    #[error("`{program}` says something that kiln does not understand")]
    Nonsense {
        /// The program.
        program: String,
        /// The end of what it said.
        output: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {what} `{path}`")]
    File {
        /// read, write, …
        what: &'static str,
        /// The path.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl PrepareError {
    /// Whether the user asked to stop.
    #[must_use]
    pub const fn is_interrupted(&self) -> bool {
        matches!(self, Self::Process(ProcessError::Cancelled { .. }))
    }

    pub(super) fn file(what: &'static str, path: &camino::Utf8Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

fn names(found: &[Database]) -> String {
    found.iter().map(|database| database.name()).collect::<Vec<_>>().join(", ")
}
