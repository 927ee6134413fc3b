//! Databases: one that was named, or one that lives as long as its value.

mod container;
mod mysql;
mod postgres;
mod running;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Folder, PrepareError, PrepareEvent, PrepareOptions};
use crate::sqlx::data::Database;

/// A database to compile against.
pub(super) struct Server {
    pub(super) url: String,
    /// Whether it was made for this run, so that it is empty and ours.
    pub(super) temporary: bool,
    database: Database,
    /// What it is, in words: a program, an image, a file, or where the URL comes from.
    from: String,
    // Dropped in this order: the process ends before its folder goes.
    _process: Option<Box<dyn Send>>,
    _folder: Option<Folder>,
}

impl Server {
    pub(super) fn event(&self) -> PrepareEvent {
        if self.temporary {
            PrepareEvent::Starting { database: self.database, from: self.from.clone() }
        } else {
            PrepareEvent::Using { origin: self.from.clone() }
        }
    }
}

/// The database that was named, if it is to be used.
///
/// For SQLite one from the migrations is as quick and cannot be out of date, so a URL that merely is in the environment is left alone
/// where there are migrations.
pub(super) fn named(database: Database, options: &PrepareOptions, no_migrations: bool) -> Result<Option<Server>, PrepareError> {
    let Some(url) = &options.url else { return Ok(None) };
    if !url.explicit && (options.container || (database == Database::Sqlite && !no_migrations)) {
        return Ok(None);
    }
    if Database::of_url(&url.url) != Some(database) {
        return Err(PrepareError::OtherDatabase { variable: url.origin.clone(), wanted: database });
    }
    let from = url.origin.clone();
    Ok(Some(Server { url: url.url.clone(), temporary: false, database, from, _process: None, _folder: None }))
}

/// Makes a temporary one.
pub(super) fn start(
    database: Database,
    options: &PrepareOptions,
    on_event: &mut dyn FnMut(PrepareEvent),
) -> Result<Server, PrepareError> {
    if database == Database::Sqlite {
        let folder = Folder::new(&options.temporary)?;
        let url = format!("sqlite://{}/kiln.db?mode=rwc", folder.path());
        let from = "a temporary file".to_owned();
        return Ok(Server { url, temporary: true, database, from, _process: None, _folder: Some(folder) });
    }
    if options.container {
        return container::start(database, options, on_event);
    }
    let local = match database {
        Database::Postgres => postgres::start(options)?,
        Database::MySql | Database::Sqlite => mysql::start(options)?,
    };
    if let Some(server) = local {
        return Ok(server);
    }
    container::start(database, options, on_event).map_err(|error| match error {
        error if error.is_interrupted() => error,
        error => {
            let (program, package) = match database {
                Database::Postgres => ("postgres", "postgresql"),
                Database::MySql | Database::Sqlite => ("mariadbd", "mariadb-server"),
            };
            let source = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
            let detail =
                if let PrepareError::ServerFailed { output, .. } = &error { format!(": {}", output.trim()) } else { source };
            PrepareError::NoServer { database, program, package, container: format!("{error}{detail}") }
        }
    })
}

/// The first of some programs, in the folders of `PATH` and then in others.
fn program(names: &[&str], path: &[Utf8PathBuf], others: impl IntoIterator<Item = Utf8PathBuf>) -> Option<Utf8PathBuf> {
    let folders: Vec<Utf8PathBuf> = path.iter().cloned().chain(others).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// `bin` folders of versions below a folder, the newest first.
fn versions(base: &str, bin: &str) -> Vec<Utf8PathBuf> {
    let mut found: Vec<(u32, Utf8PathBuf)> = Utf8Path::new(base)
        .read_dir_utf8()
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let digits: String = entry.file_name().chars().filter(char::is_ascii_digit).collect();
            Some((digits.parse().ok()?, entry.path().join(bin)))
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, path)| path).collect()
}
