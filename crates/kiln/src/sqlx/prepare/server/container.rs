//! A server in a container of the engine.

use std::time::{Duration, Instant};

use super::super::{PrepareError, PrepareEvent, PrepareOptions};
use super::Server;
use crate::process::{Cancel, Run};
use crate::sqlx::data::Database;

/// How long the engine may take to answer, and a server to be ready.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A container that is removed when the value is dropped.
struct Container {
    docker: String,
    name: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        // The run may have been cancelled: this must still happen. If it fails, `--rm` takes the container once it stops.
        let remove = Run::new(&self.docker).args(["rm", "--force", "--volumes", &self.name]).timeout(Duration::from_secs(20));
        let _ = remove.output(&Cancel::new());
    }
}

/// Starts one, of the image that a compose file names if one does.
pub(super) fn start(
    database: Database,
    options: &PrepareOptions,
    on_event: &mut dyn FnMut(PrepareEvent),
) -> Result<Server, PrepareError> {
    let image = options.image.clone().or_else(|| image(database, options)).unwrap_or_else(|| match database {
        Database::Postgres => "postgres:17".to_owned(),
        Database::MySql | Database::Sqlite => "mariadb:11".to_owned(),
    });
    let (port, variables): (&str, &[&str]) = match database {
        Database::Postgres => ("5432", &["POSTGRES_HOST_AUTH_METHOD=trust"]),
        Database::MySql | Database::Sqlite => ("3306", &["MYSQL_ALLOW_EMPTY_PASSWORD=1", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1"]),
    };
    let failed = |output: String| PrepareError::ServerFailed { database, output };
    let container = Container { docker: options.docker.clone(), name: format!("kiln-sqlx-{}", std::process::id()) };
    let publish = format!("127.0.0.1::{port}");
    let mut run = Run::new(&options.docker).args(["run", "--detach", "--rm", "--name", &container.name, "--publish", &publish]);
    for variable in variables {
        run = run.args(["--env", variable]);
    }
    on_event(PrepareEvent::Line(format!("docker run {image}")));
    let finished = run.arg(&image).lines(&options.cancel, &mut |_, line| on_event(PrepareEvent::Line(line.to_owned())))?;
    if !finished.success() {
        return Err(failed(finished.stderr));
    }
    let published = Run::new(&options.docker).args(["port", &container.name, port]).output(&options.cancel)?;
    let address = published.stdout.lines().next().unwrap_or_default().trim().to_owned();
    if !published.success() || address.is_empty() {
        return Err(PrepareError::Nonsense { program: "docker port".to_owned(), output: published.stdout + &published.stderr });
    }
    ready(database, &container, options)?;
    let url = match database {
        Database::Postgres => format!("postgres://postgres@{address}/kiln?sslmode=disable"),
        Database::MySql | Database::Sqlite => format!("mysql://root@{address}/kiln"),
    };
    Ok(Server { url, temporary: true, database, from: image, _process: Some(Box::new(container)), _folder: None })
}

/// Waits until the server answers over TCP: while an image initialises itself, it only does so on its socket.
fn ready(database: Database, container: &Container, options: &PrepareOptions) -> Result<(), PrepareError> {
    let probe: &[&str] = match database {
        Database::Postgres => &["pg_isready", "--host", "127.0.0.1", "--username", "postgres"],
        Database::MySql | Database::Sqlite => {
            &["sh", "-c", "mariadb-admin -h127.0.0.1 -uroot ping 2>/dev/null || mysqladmin -h127.0.0.1 -uroot ping"]
        }
    };
    let until = Instant::now() + READY_WITHIN;
    loop {
        let answer = Run::new(&options.docker).args(["exec", &container.name]).args(probe).output(&options.cancel)?;
        if answer.success() {
            return Ok(());
        }
        if Instant::now() > until || answer.stderr.contains("No such container") || answer.stderr.contains("is not running") {
            let logs = Run::new(&options.docker).args(["logs", "--tail", "20", &container.name]).output(&options.cancel)?;
            return Err(PrepareError::ServerFailed { database, output: logs.stdout + &logs.stderr + &answer.stderr });
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The image of such a database in the project's compose files: the version that the application meets elsewhere.
fn image(database: Database, options: &PrepareOptions) -> Option<String> {
    let texts = options.compose.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    texts.into_iter().find_map(|text| compose_image(&text, database))
}

fn compose_image(text: &str, database: Database) -> Option<String> {
    let fits = |image: &str| {
        let name = crate::text::repository(image).rsplit('/').next().unwrap_or_default();
        match database {
            Database::Postgres => ["postgres", "postgis", "timescaledb", "pgvector"].contains(&name),
            Database::MySql | Database::Sqlite => ["mysql", "mariadb", "percona"].contains(&name),
        }
    };
    let value: serde_json::Value = serde_saphyr::from_str(text).ok()?;
    let services = value.get("services")?.as_object()?;
    let mut images = services.values().filter_map(|service| service.get("image")?.as_str());
    // `postgres:${VERSION}` is nothing that the engine could pull.
    images.find(|image| fits(image) && !image.contains('$')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_that_of_the_compose_file() {
        let text = "services:\n  api:\n    image: shop/api\n  db:\n    image: docker.io/library/postgres:16-alpine\n  other:\n    image: mariadb:10\n";
        assert_eq!(compose_image(text, Database::Postgres).as_deref(), Some("docker.io/library/postgres:16-alpine"));
        assert_eq!(compose_image(text, Database::MySql).as_deref(), Some("mariadb:10"));
        assert_eq!(compose_image("services:\n  db:\n    image: postgres:${V}\n", Database::Postgres), None);
        assert_eq!(compose_image("services: [", Database::Postgres), None);
    }
}
