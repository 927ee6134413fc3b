//! MySQL or MariaDB from a local program, on a socket in a temporary folder.

use camino::Utf8PathBuf;

use super::super::{Folder, PrepareError, PrepareOptions};
use super::running::{Running, User, step};
use super::{Server, program};
use crate::process::Run;
use crate::sqlx::data::Database;

/// None if there is no such program.
pub(super) fn start(options: &PrepareOptions) -> Result<Option<Server>, PrepareError> {
    let others = || ["/usr/sbin", "/usr/libexec", "/usr/local/bin", "/usr/bin"].map(Utf8PathBuf::from);
    let Some(server) = program(&["mysqld", "mariadbd"], &options.path, others()) else { return Ok(None) };
    let user = User::instead_of_root(&["mysql", "nobody"]);
    let folder = Folder::new(&options.temporary)?;
    User::own(user, folder.path())?;
    let data = folder.path().join("data");
    let run = |program: &Utf8PathBuf| Run::new(program).cwd(folder.path()).env("HOME", folder.path());
    let initialize = match program(&["mariadb-install-db", "mysql_install_db"], &options.path, others()) {
        // MariaDB's server does not make its own tables.
        Some(install) => run(&install).args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]),
        None => run(&server).args(["--no-defaults", "--initialize-insecure"]),
    };
    let initialize = initialize.arg(format!("--datadir={data}")).arg(format!("--tmpdir={}", folder.path()));
    step(&User::run(user, initialize), Database::MySql, options)?;
    let socket = folder.path().join("s");
    let serve = run(&server).args([
        "--no-defaults".to_owned(),
        format!("--datadir={data}"),
        format!("--tmpdir={}", folder.path()),
        format!("--socket={socket}"),
        format!("--pid-file={}", folder.path().join("pid")),
        "--skip-networking".to_owned(),
        "--innodb-flush-log-at-trx-commit=0".to_owned(),
    ]);
    let is_ready = |line: &str| line.contains("ready for connections");
    let running = Running::start(&User::run(user, serve), Database::MySql, options, is_ready)?;
    Ok(Some(Server {
        url: format!("mysql://root@localhost/kiln?socket={socket}"),
        temporary: true,
        database: Database::MySql,
        from: server.into_string(),
        _process: Some(Box::new(running)),
        _folder: Some(folder),
    }))
}
