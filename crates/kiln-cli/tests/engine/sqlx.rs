//! `kiln sqlx prepare` against real databases, and what it makes in an image build without one.
//!
//! `make sqlx-test` installs PostgreSQL and MariaDB where it can; the tests start them themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Copy, command, docker, kiln, repository, this_run};

const MANIFEST: &str = "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nsqlx = { version = \"=0.8.6\", default-features = false, features = [\"macros\", \"migrate\", \"postgres\", \"runtime-tokio\"] }\ntokio = { version = \"1\", features = [\"macros\", \"rt\"] }\n";
const MIGRATION: &str = "CREATE TABLE orders (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title TEXT NOT NULL, tags TEXT[] NOT NULL DEFAULT '{}');\n";
const SOURCE: &str = r##"struct Order {
    id: i64,
    title: String,
    tags: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let Ok(url) = std::env::var("ORDERS_URL") else {
        println!("orders has no database");
        return Ok(());
    };
    let pool = sqlx::PgPool::connect(&url).await?;
    sqlx::migrate!().run(&pool).await?;
    let id = sqlx::query_scalar!("INSERT INTO orders (title) VALUES ($1) RETURNING id", "first").fetch_one(&pool).await?;
    let order = sqlx::query_as!(Order, r#"SELECT id, title, tags FROM orders WHERE id = $1"#, id).fetch_one(&pool).await?;
    println!("{} {} {:?}", order.id, order.title, order.tags);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts() {
        let _ = sqlx::query!("SELECT count(*) AS n FROM orders");
    }
}
"##;

/// A service with queries for PostgreSQL.
fn orders(name: &str) -> Copy {
    project(name, MANIFEST, SOURCE, MIGRATION)
}

fn project(name: &str, manifest: &str, source: &str, migration: &str) -> Copy {
    let copy = Copy::of(
        name,
        &[
            ("Cargo.toml", manifest),
            ("src/main.rs", source),
            ("migrations/20250101000000_orders.sql", migration),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n"),
        ],
    );
    let lock = command("cargo").arg("generate-lockfile").current_dir(&copy.root).output().expect("cargo starts");
    assert!(lock.status.success(), "{}", text(&lock));
    copy
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// `kiln sqlx …` in a copy, without a database in the environment.
fn sqlx(copy: &Copy, arguments: &[&str]) -> Output {
    let mut run = command(kiln());
    run.arg("sqlx").args(arguments).current_dir(&copy.root).env_remove("DATABASE_URL").env_remove("SQLX_OFFLINE");
    run.env("CARGO_TARGET_DIR", repository().join("target/sqlx-test"));
    run.output().expect("kiln starts")
}

fn succeeds(copy: &Copy, arguments: &[&str]) -> String {
    let output = sqlx(copy, arguments);
    assert!(output.status.success(), "kiln sqlx {arguments:?}: {}", text(&output));
    text(&output)
}

/// Names and texts of a `.sqlx` folder.
fn data(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let read = |path: &Path| fs::read_to_string(path).expect("read");
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), read(&entry.path()))).collect()
}

/// Temporary folders of servers that a kiln has started.
fn temporary_folders(process: u32) -> Vec<String> {
    let names =
        fs::read_dir("/tmp").into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&format!("kiln-sqlx-{process}-"))).collect()
}

#[test]
#[ignore = "needs a Docker Engine: run `make sqlx-test`"]
fn sqlite_data_from_nothing_lets_an_image_build_pass() {
    let kiro = Copy::kiro(&format!("kiln-test-sqlite-{}", this_run()));
    let folder = kiro.root.join("backend/.sqlx");
    let known = data(&folder);
    fs::remove_dir_all(&folder).expect("removed");
    let before = sqlx(&kiro, &["check"]);
    assert_eq!(before.status.code(), Some(4), "{}", text(&before));
    assert!(text(&before).contains("10 queries of SQLx"), "{}", text(&before));
    succeeds(&kiro, &["prepare"]);
    assert_eq!(data(&folder), known);
    succeeds(&kiro, &["check", "--strict"]);
    let build = kiro.build(&["backend", "--variant", "fast"]);
    assert!(build.service("backend")["id"].is_string(), "{}", build.log);
    let _ = command("docker").args(["rmi", "--force", &kiro.image("backend", "fast")]).output();
}

#[test]
#[ignore = "needs PostgreSQL and a Docker Engine: run `make sqlx-test`"]
fn postgres_data_from_nothing_lets_an_image_build_pass() {
    let orders = orders("postgres");
    let folder = orders.root.join(".sqlx");
    assert_eq!(sqlx(&orders, &["check"]).status.code(), Some(4));
    let said = succeeds(&orders, &["prepare"]);
    assert!(said.contains("PostgreSQL from ") && said.contains("2 queries with data, 2 added"), "{said}");
    let made = data(&folder);
    assert_eq!(made.len(), 2, "{made:?}");
    assert!(made.values().all(|text| text.contains("\"db_name\": \"PostgreSQL\"")), "{made:?}");
    succeeds(&orders, &["check", "--strict"]);
    succeeds(&orders, &["prepare", "--check"]);

    orders.run(&["init"]);
    let dockerfile = fs::read_to_string(orders.root.join("Dockerfile")).expect("read");
    let builder = dockerfile.find("AS builder").expect("a stage that compiles the application");
    let offline = dockerfile.find("SQLX_OFFLINE=true").expect("offline");
    assert!(
        offline > builder && dockerfile.matches("SQLX_OFFLINE").count() == 1,
        "only where the application is compiled:\n{dockerfile}"
    );
    let build = orders.build(&[]);
    assert!(build.service("orders")["id"].is_string(), "{}", build.log);
    assert_eq!(docker(&["run", "--rm", &orders.image("orders", "latest")]), "orders has no database");

    // Another column: the data of the query changes, its dependencies do not, and the member is compiled again.
    orders.edit("migrations/20250101000000_orders.sql", "title TEXT NOT NULL", "title VARCHAR(80) NOT NULL");
    let stale = sqlx(&orders, &["prepare", "--check"]);
    assert_eq!(stale.status.code(), Some(4), "{}", text(&stale));
    assert_eq!(data(&folder), made, "--check writes nothing");
    let said = succeeds(&orders, &["prepare"]);
    assert!(said.contains("2 updated"), "{said}");
    let build = orders.build(&[]);
    assert!(!build.stages_that_ran("orders").iter().any(|stage| stage == "deps"), "{:?}", build.stages_that_ran("orders"));
    assert_eq!(build.crates_compiled("orders"), ["orders"], "{}", build.log);
    assert_eq!(build.external_crates_compiled("orders"), 0, "{}", build.log);
    let _ = command("docker").args(["rmi", "--force", &orders.image("orders", "latest")]).output();
}

#[test]
#[ignore = "needs PostgreSQL: run `make sqlx-test`"]
fn changed_dead_and_test_data_is_put_right_and_failures_change_nothing() {
    let orders = orders("postgres-changes");
    let folder = orders.root.join(".sqlx");
    succeeds(&orders, &["prepare", "--tests"]);
    let made = data(&folder);
    assert_eq!(made.len(), 3);
    // Data of tests is kept, and kept up to date, once it is there.
    succeeds(&orders, &["prepare", "--check"]);

    // A table that is not there: the compiler says so, and the data stays.
    orders.edit("src/main.rs", "INSERT INTO orders", "INSERT INTO order_list");
    let failed = sqlx(&orders, &["prepare"]);
    assert_eq!(failed.status.code(), Some(3), "{}", text(&failed));
    assert!(
        text(&failed).contains("relation \"order_list\" does not exist") && text(&failed).contains("src/main.rs"),
        "{}",
        text(&failed)
    );
    assert_eq!(data(&folder), made);

    // A migration that fails: its file, and the database's words.
    orders.write("migrations/20250102000000_broken.sql", "CREATE TABEL nothing (id INT);\n");
    let failed = sqlx(&orders, &["prepare"]);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    let said = text(&failed);
    assert!(
        said.contains("migrations/20250102000000_broken.sql") && said.contains("syntax error at or near \"TABEL\""),
        "{said}"
    );
    assert_eq!(data(&folder), made);
    fs::remove_file(orders.root.join("migrations/20250102000000_broken.sql")).expect("removed");

    // The query with another table is gone, so its data is dead; a file that is not data stays.
    orders.write("migrations/20250102000000_list.sql", "CREATE TABLE order_list (id BIGINT PRIMARY KEY, title TEXT NOT NULL);\n");
    orders.edit("src/main.rs", "(title) VALUES ($1)", "(id, title) VALUES (7, $1)");
    orders.write(".sqlx/README.md", "Made by kiln.\n");
    let said = succeeds(&orders, &["prepare"]);
    assert!(said.contains("1 added, 1 removed"), "{said}");
    assert!(folder.join("README.md").is_file());
    succeeds(&orders, &["check", "--strict", "--tests"]);

    // Nothing to make a database from.
    fs::rename(orders.root.join("migrations"), orders.root.join("elsewhere")).expect("renamed");
    orders.edit("src/main.rs", "    sqlx::migrate!().run(&pool).await?;\n", "");
    let failed = sqlx(&orders, &["prepare"]);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    assert!(
        text(&failed).contains("no folder with migrations") && text(&failed).contains("--migrations DIR"),
        "{}",
        text(&failed)
    );
    succeeds(&orders, &["prepare", "--check", "--migrations", "elsewhere"]);
}

#[test]
#[ignore = "needs PostgreSQL: run `make sqlx-test`"]
fn an_interrupt_ends_the_server_and_removes_its_folder() {
    let orders = orders("postgres-interrupt");
    succeeds(&orders, &["prepare"]);
    let made = data(&orders.root.join(".sqlx"));
    orders.edit("src/main.rs", "\"first\"", "\"second\"");
    let mut run = command(kiln());
    run.args(["sqlx", "prepare"]).current_dir(&orders.root).env_remove("DATABASE_URL");
    run.env("CARGO_TARGET_DIR", repository().join("target/sqlx-test"));
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kiln starts");
    let until = Instant::now() + Duration::from_secs(60);
    // The socket is there: the server runs, and the rest of the work is about to begin.
    let socket = |folder: &String| Path::new("/tmp").join(folder).join(".s.PGSQL.5432").exists();
    while !temporary_folders(child.id()).iter().any(socket) {
        assert!(Instant::now() < until, "the server did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupted = Instant::now();
    assert!(command("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs").success());
    let status = child.wait().expect("kiln ends");
    assert_eq!(status.code(), Some(130));
    assert!(interrupted.elapsed() < Duration::from_secs(2), "took {:?}", interrupted.elapsed());
    assert_eq!(temporary_folders(child.id()), [""; 0]);
    let processes = command("ps").args(["-eo", "args"]).output().expect("ps starts");
    let name = format!("kiln-sqlx-{}-", child.id());
    assert!(!String::from_utf8_lossy(&processes.stdout).contains(&name), "a server is left");
    assert_eq!(data(&orders.root.join(".sqlx")), made);
}

const MYSQL_SOURCE: &str = r##"struct Order {
    id: u64,
    title: String,
    note: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let Ok(url) = std::env::var("ORDERS_URL") else {
        println!("orders has no database");
        return Ok(());
    };
    let pool = sqlx::MySqlPool::connect(&url).await?;
    sqlx::query!("INSERT INTO orders (title) VALUES (?)", "first").execute(&pool).await?;
    let order = sqlx::query_as!(Order, r#"SELECT id, title, note FROM orders WHERE title = ?"#, "first").fetch_one(&pool).await?;
    println!("{} {} {:?}", order.id, order.title, order.note);
    Ok(())
}
"##;
const MYSQL_MIGRATION: &str =
    "CREATE TABLE orders (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, title VARCHAR(80) NOT NULL, note TEXT);\n";

/// Whether the queries compile with the data alone.
fn compiles_offline(copy: &Copy) -> Output {
    let mut run = command("cargo");
    run.args(["check", "--quiet"]).current_dir(&copy.root).env_remove("DATABASE_URL").env("SQLX_OFFLINE", "true");
    run.env("CARGO_TARGET_DIR", repository().join("target/sqlx-test")).output().expect("cargo starts")
}

#[test]
#[ignore = "needs MariaDB: run `make sqlx-test`"]
fn mysql_data_from_nothing_lets_an_offline_compile_pass() {
    let orders = project("mysql", &MANIFEST.replace("\"postgres\"", "\"mysql\""), MYSQL_SOURCE, MYSQL_MIGRATION);
    assert_eq!(sqlx(&orders, &["check"]).status.code(), Some(4));
    let before = compiles_offline(&orders);
    assert!(!before.status.success() && text(&before).contains("there is no cached data for this query"), "{}", text(&before));
    let said = succeeds(&orders, &["prepare"]);
    assert!(said.contains("MySQL from ") && said.contains("2 queries with data, 2 added"), "{said}");
    let made = data(&orders.root.join(".sqlx"));
    assert_eq!(made.len(), 2, "{made:?}");
    assert!(made.values().all(|text| text.contains("\"db_name\": \"MySQL\"")), "{made:?}");
    succeeds(&orders, &["check", "--strict"]);
    succeeds(&orders, &["prepare", "--check"]);
    let after = compiles_offline(&orders);
    assert!(after.status.success(), "{}", text(&after));

    // A server that is told to end while queries are compiled: nothing of it stays, and no data changes.
    orders.edit("src/main.rs", "\"first\"", "\"second\"");
    let mut run = command(kiln());
    run.args(["sqlx", "prepare"]).current_dir(&orders.root).env_remove("DATABASE_URL");
    run.env("CARGO_TARGET_DIR", repository().join("target/sqlx-test"));
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kiln starts");
    let until = Instant::now() + Duration::from_secs(120);
    let socket = |folder: &String| Path::new("/tmp").join(folder).join("s").exists();
    while !temporary_folders(child.id()).iter().any(socket) {
        assert!(Instant::now() < until, "the server did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(command("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs").success());
    assert_eq!(child.wait().expect("kiln ends").code(), Some(130));
    assert_eq!(temporary_folders(child.id()), [""; 0]);
    let processes = command("ps").args(["-eo", "args"]).output().expect("ps starts");
    assert!(!String::from_utf8_lossy(&processes.stdout).contains(&format!("kiln-sqlx-{}-", child.id())), "a server is left");
    assert_eq!(data(&orders.root.join(".sqlx")), made);
}
