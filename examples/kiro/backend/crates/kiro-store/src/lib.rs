//! Keeps a board in SQLite. Every query is checked at compile time against the migrations,
//! or against the query data in `.sqlx/` where no database is at hand.

mod notes;
mod tasks;

use std::path::Path;
use std::str::FromStr;

use kiro_domain::Invalid;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

static MIGRATIONS: Migrator = sqlx::migrate!();

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no task {0}")]
    NoTask(i64),
    #[error("the database holds a value that the board does not allow: {0}")]
    Corrupt(#[from] Invalid),
    #[error("cannot create the folder of the database: {0}")]
    Folder(#[source] std::io::Error),
    #[error("cannot bring the database up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// A handle on the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database at `url` and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(url)?;
        if let Some(folder) = options.get_filename().parent()
            && folder != Path::new("")
        {
            std::fs::create_dir_all(folder).map_err(StoreError::Folder)?;
        }
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        Self::migrated(pool).await
    }

    /// An empty database that is gone when the last handle is dropped.
    pub async fn in_memory() -> Result<Self, StoreError> {
        let pool =
            SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).connect("sqlite::memory:").await?;
        Self::migrated(pool).await
    }

    async fn migrated(pool: SqlitePool) -> Result<Self, StoreError> {
        MIGRATIONS.run(&pool).await?;
        tracing::debug!(migrations = MIGRATIONS.iter().count(), "schema is up to date");
        Ok(Self { pool })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query_scalar!("SELECT 1").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Waits for running queries, then closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
