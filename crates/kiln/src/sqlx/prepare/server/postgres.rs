//! PostgreSQL from a local program, on a socket in a temporary folder.

use super::super::{Folder, PrepareError, PrepareOptions};
use super::running::{Running, User, step};
use super::{Server, program, versions};
use crate::process::Run;
use crate::sqlx::data::Database;

/// None if there is no such program.
pub(super) fn start(options: &PrepareOptions) -> Result<Option<Server>, PrepareError> {
    // Debian keeps its versions apart and out of `PATH`; so do the project's own packages for other systems.
    let others = || versions("/usr/lib/postgresql", "bin").into_iter().chain(versions("/usr", "bin"));
    let Some(initdb) = program(&["initdb"], &options.path, others()) else { return Ok(None) };
    let Some(folder_of_programs) = initdb.parent() else { return Ok(None) };
    let postgres = folder_of_programs.join("postgres");
    if !postgres.is_file() {
        return Ok(None);
    }
    let user = User::instead_of_root(&["postgres", "nobody"]);
    let folder = Folder::new(&options.temporary)?;
    User::own(user, folder.path())?;
    let data = folder.path().join("data");
    // The rules of locale and encoding of the server's own image, so that it sorts and compares alike.
    let initialize = Run::new(&initdb)
        .args([
            "--pgdata",
            data.as_str(),
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
        ])
        .arg("--no-sync")
        .cwd(folder.path())
        .env("LC_ALL", "C")
        .env("HOME", folder.path());
    step(&User::run(user, initialize), Database::Postgres, options)?;
    let mut serve = Run::new(&postgres)
        .args(["-D", data.as_str(), "-k", folder.path().as_str()])
        .cwd(folder.path())
        .env("LC_ALL", "C")
        .env("HOME", folder.path());
    // Nothing of it is kept, and nothing may stay in the system if it has to be killed.
    for setting in [
        "listen_addresses=",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "dynamic_shared_memory_type=mmap",
        "shared_buffers=16MB",
        "max_connections=30",
        "autovacuum=off",
        "logging_collector=off",
        "log_destination=stderr",
    ] {
        serve = serve.args(["-c", setting]);
    }
    for inherited in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGOPTIONS"] {
        serve = serve.env_remove(inherited);
    }
    let is_ready = |line: &str| line.contains("ready to accept connections");
    let running = Running::start(&User::run(user, serve), Database::Postgres, options, is_ready)?;
    let url = format!("postgres://postgres@localhost/kiln?host={}&port=5432&sslmode=disable", folder.path());
    Ok(Some(Server {
        url,
        temporary: true,
        database: Database::Postgres,
        from: postgres.into_string(),
        _process: Some(Box::new(running)),
        _folder: Some(folder),
    }))
}
