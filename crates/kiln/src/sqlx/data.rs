//! Saved query data: its names, and what of it decides whether a query compiles.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::version::Layout;

/// A database that SQLx' macros know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// PostgreSQL
    Postgres,
    /// MySQL and MariaDB
    MySql,
    /// SQLite
    Sqlite,
}

impl Database {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::MySql, Self::Sqlite];

    /// Its name for people, and in query data.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// The feature of `sqlx` that turns its driver on.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// The database of a URL.
    ///
    /// ```
    /// use kiln::sqlx::Database;
    /// assert_eq!(Database::of_url("postgresql://localhost/shop"), Some(Database::Postgres));
    /// assert_eq!(Database::of_url("sqlite:shop.db"), Some(Database::Sqlite));
    /// ```
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::MySql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// The database that query data names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|database| database.name() == name)
    }
}

/// The hash by which SQLx finds a query: SHA-256 of its text, in small hexadecimal digits.
///
/// ```
/// assert!(kiln::sqlx::hash("SELECT 1").starts_with("e004ebd5b5532a4b"));
/// ```
#[must_use]
pub fn hash(query: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(query.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The name of the file with the data of a query, since SQLx 0.7.
#[must_use]
pub fn file_name(hash: &str) -> String {
    format!("query-{hash}.json")
}

/// What a query's data says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) database: String,
    pub(super) query: String,
    /// How many arguments the query takes, if the database told.
    pub(super) parameters: Option<usize>,
}

#[derive(Deserialize)]
struct Written {
    db_name: Option<String>,
    query: String,
    describe: serde_json::Value,
    hash: Option<String>,
}

impl Written {
    fn entry(self, database: Option<&str>) -> Result<Entry, String> {
        let database = match (self.db_name, database) {
            (_, Some(database)) => database.to_owned(),
            (Some(name), None) if self.hash.is_some() => name,
            (Some(_), None) => return Err("missing field `hash`".to_owned()),
            (None, None) => return Err("missing field `db_name`".to_owned()),
        };
        let parameters = &self.describe["parameters"];
        let named = parameters["Left"].as_array().map(Vec::len);
        let counted = || parameters["Right"].as_u64().and_then(|count| usize::try_from(count).ok());
        Ok(Entry { database, query: self.query, parameters: named.or_else(counted) })
    }
}

/// A place with query data: a folder, or the one file of SQLx 0.6.
#[derive(Debug)]
pub(super) enum Store {
    /// File names by hash; read when they are asked for.
    Folder { path: Utf8PathBuf, files: BTreeMap<String, Utf8PathBuf> },
    /// Entries by hash.
    File { path: Utf8PathBuf, entries: Result<BTreeMap<String, Result<Entry, String>>, String> },
}

impl Store {
    /// Looks at a place; none if it is not there.
    pub(super) fn open(layout: Layout, path: &Utf8Path) -> Option<Self> {
        match layout {
            Layout::Folder => {
                let entries = path.read_dir_utf8().ok()?;
                let files = entries.flatten().filter_map(|entry| {
                    let hash = entry.file_name().strip_prefix("query-")?.strip_suffix(".json")?.to_owned();
                    Some((hash, entry.into_path()))
                });
                Some(Self::Folder { path: path.to_owned(), files: files.collect() })
            }
            Layout::SingleFile => {
                let text = fs::read_to_string(path).ok()?;
                Some(Self::File { path: path.to_owned(), entries: single_file(&text) })
            }
        }
    }

    pub(super) fn path(&self) -> &Utf8Path {
        match self {
            Self::Folder { path, .. } | Self::File { path, .. } => path,
        }
    }

    /// The hashes that it has.
    pub(super) fn hashes(&self) -> Vec<&str> {
        match self {
            Self::Folder { files, .. } => files.keys().map(String::as_str).collect(),
            Self::File { entries, .. } => entries.iter().flatten().map(|(hash, _)| hash.as_str()).collect(),
        }
    }

    /// The file that holds the data of a hash.
    pub(super) fn file(&self, hash: &str) -> Option<&Utf8Path> {
        match self {
            Self::Folder { files, .. } => files.get(hash).map(Utf8PathBuf::as_path),
            // SQLx 0.6 takes the file that is there, whatever it has.
            Self::File { path, .. } => Some(path),
        }
    }

    /// The data of a hash: none if it has none, or why it cannot be read.
    pub(super) fn entry(&self, hash: &str) -> Option<Result<Entry, String>> {
        match self {
            Self::Folder { files, .. } => files.get(hash).map(|path| {
                let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
                serde_json::from_str::<Written>(&text).map_err(|error| error.to_string())?.entry(None)
            }),
            Self::File { entries: Ok(entries), .. } => entries.get(hash).cloned(),
            Self::File { entries: Err(message), .. } => Some(Err(message.clone())),
        }
    }
}

/// `{"db": "SQLite", "<hash>": {"query": …, "describe": …}, …}`
fn single_file(text: &str) -> Result<BTreeMap<String, Result<Entry, String>>, String> {
    let whole: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let database = whole.get("db").and_then(serde_json::Value::as_str).ok_or("missing field `db`")?.to_owned();
    let entry = |value| serde_json::from_value::<Written>(value).map_err(|error| error.to_string())?.entry(Some(&database));
    Ok(whole.into_iter().filter(|(key, _)| key != "db").map(|(hash, value)| (hash, entry(value))).collect())
}
