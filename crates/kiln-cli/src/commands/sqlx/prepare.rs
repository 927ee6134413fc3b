//! `kiln sqlx prepare`

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use camino::Utf8PathBuf;
use clap::ValueEnum;
use kiln::process::ProcessError;
use kiln::sqlx::{
    Change, Changed, Database, DatabaseUrl, Placement, PrepareError, PrepareEvent, PrepareOptions, Prepared, prepare,
};
use kiln::text::{Text, count};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Choice, World, check_error};
use crate::commands::Context;
use crate::commands::project::state_directory;
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Makes the data of all queries: starts a database, runs the migrations, compiles the queries against it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
SQLite: a temporary file. PostgreSQL and MySQL: DATABASE_URL if it is set, else a server program of this machine on a temporary
folder and socket, else a container. Migrations run on temporary databases only, unless `--migrate` is given. `cargo sqlx` of the
project's SQLx is installed into `.kiln/tools` if it is not there: that takes some minutes, once.

Examples:
  kiln sqlx prepare                 write what is missing or changed, remove what is dead
  kiln sqlx prepare --check         write nothing; exit code 4 if data is out of date: for CI
  kiln sqlx prepare --tests         also queries that only tests compile
  kiln sqlx prepare --container     a container even where a server program is there
  kiln sqlx prepare --database-url postgres://localhost/shop")]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Write nothing; exit with 4 if data is missing, out of date or dead
    #[arg(long)]
    check: bool,
    /// Queries of tests, benches and examples, too; as soon as there is data of one of them when absent
    #[arg(long)]
    tests: bool,
    /// The database, where sqlx is compiled for several
    #[arg(long, value_name = "KIND")]
    database: Option<DatabaseArg>,
    /// Database to compile against; `DATABASE_URL` when absent, but for SQLite only where there are no migrations
    #[arg(long, value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Run the migrations on that database, too
    #[arg(long)]
    migrate: bool,
    /// Folder with migrations (may be given several times); those of `migrate!` and those called `migrations` when absent
    #[arg(long, value_name = "DIR")]
    migrations: Vec<Utf8PathBuf>,
    /// Use a container for PostgreSQL or MySQL
    #[arg(long, conflicts_with = "database_url")]
    container: bool,
    /// Its image; that of a compose file when absent
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// One `.sqlx` for the workspace, or one for each package; as it is when absent
    #[arg(long, value_name = "WHERE")]
    placement: Option<PlacementArg>,
    /// Where `cargo sqlx` is installed if it is missing; `.kiln/tools` when absent
    #[arg(long, value_name = "DIR", env = env_vars::TOOLS)]
    tools: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DatabaseArg {
    /// PostgreSQL
    Postgres,
    /// MySQL or MariaDB
    Mysql,
    /// SQLite
    Sqlite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlacementArg {
    /// `.sqlx` of the workspace
    Workspace,
    /// `.sqlx` of each package
    Package,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let world = World::look(context, &args.choice)?;
    let mut all = Vec::new();
    for (workspace, check) in &world.workspaces {
        let options = options(context, args, &world, check.clone())?;
        let options = PrepareOptions { tests: args.tests || has_test_data(workspace, check)?, ..options };
        let prepared = prepare(workspace, &options, &mut |event| tell(context, &world, &event));
        all.push(prepared.map_err(|error| prepare_error(&world, error))?);
    }
    let changes: usize = all.iter().map(|prepared| prepared.changes.len()).sum();
    if context.ui.json {
        context.ui.document(&document(&world, &all));
    } else {
        let text = all.iter().flat_map(|prepared| &prepared.changes).fold(Text::default(), |mut text, changed| {
            let (word, style) = word(changed);
            text += format_args!("{style}{word:8}{style:#}  {}\n", world.shown(&changed.path));
            text
        });
        context.ui.data(&text.finish());
    }
    for prepared in &all {
        context.ui.note(&summary(prepared, args.check));
    }
    if args.check && changes > 0 {
        let message = format!("query data is out of date: {}", count(changes, "file"));
        return Err(CommandError::new(Kind::Check, message).hint("run `kiln sqlx prepare` and commit what it writes"));
    }
    Ok(ExitCode::SUCCESS)
}

fn options(
    context: &Context,
    args: &Args,
    world: &World,
    check: kiln::sqlx::CheckOptions,
) -> Result<PrepareOptions, CommandError> {
    let url = match (&args.database_url, env_vars::read(env_vars::DATABASE_URL)) {
        (Some(url), _) => Some(DatabaseUrl { url: url.clone(), origin: "--database-url".to_owned(), explicit: true }),
        (None, Some(url)) => Some(DatabaseUrl { url, origin: env_vars::DATABASE_URL.to_owned(), explicit: false }),
        (None, None) => None,
    };
    let absolute = |path: &Utf8PathBuf| camino::absolute_utf8(path).unwrap_or_else(|_| path.clone());
    let state = state_directory(&world.root)?;
    let tools = match &args.tools {
        Some(tools) => absolute(tools),
        None => state.join("tools"),
    };
    let temporary = Utf8PathBuf::try_from(std::env::temp_dir()).unwrap_or_else(|_| "/tmp".into());
    let path = env_vars::read("PATH").unwrap_or_default();
    Ok(PrepareOptions {
        check,
        tests: args.tests,
        check_only: args.check,
        placement: match args.placement {
            None => Placement::AsItIs,
            Some(PlacementArg::Workspace) => Placement::Workspace,
            Some(PlacementArg::Package) => Placement::Package,
        },
        database: args.database.map(|database| match database {
            DatabaseArg::Postgres => Database::Postgres,
            DatabaseArg::Mysql => Database::MySql,
            DatabaseArg::Sqlite => Database::Sqlite,
        }),
        url,
        migrations: args.migrations.iter().map(absolute).collect(),
        migrate: args.migrate,
        container: args.container,
        image: args.image.clone(),
        compose: world.compose.clone(),
        tools,
        locks: state.join("locks"),
        temporary,
        cargo: env_vars::read(env_vars::CARGO).unwrap_or_else(|| "cargo".to_owned()),
        docker: env_vars::docker(),
        path: std::env::split_paths(&path).filter_map(|path| Utf8PathBuf::try_from(path).ok()).collect(),
        cancel: context.cancel.clone(),
    })
}

/// Data of a query that only tests compile shows that someone wants it: it is kept up to date.
fn has_test_data(
    workspace: &kiln::project::cargo::CargoWorkspace,
    options: &kiln::sqlx::CheckOptions,
) -> Result<bool, CommandError> {
    let check = kiln::sqlx::check(workspace, options).map_err(|error| check_error(&error))?;
    Ok(check.queries.iter().any(|query| query.scope == kiln::sqlx::Scope::Test && query.state.is_good()))
}

fn tell(context: &Context, world: &World, event: &PrepareEvent) {
    let line = match event {
        PrepareEvent::Waiting => "waiting for another `kiln sqlx prepare` to end".to_owned(),
        PrepareEvent::Installing { version, folder } => {
            format!("cargo sqlx {version} is not here: installing it into {}, which takes some minutes", world.shown(folder))
        }
        PrepareEvent::Starting { database, from } => format!("{} from {from}", database.name()),
        PrepareEvent::Using { origin } => format!("the database of {origin}"),
        PrepareEvent::Migrating { folder, files } => format!("{} of {}", count(*files, "migration"), world.shown(folder)),
        PrepareEvent::Compiling { packages } => format!("compiling the queries of {}", packages.join(", ")),
        PrepareEvent::Line(line) => {
            if !is_progress(line) {
                return;
            }
            line.clone()
        }
    };
    context.ui.note(&line);
}

/// Whether a line of cargo tells how far it is: there are minutes with nothing else to be seen. What it warns of in sources is no matter here.
fn is_progress(line: &str) -> bool {
    let line = line.trim_start();
    ["Compiling ", "Checking ", "warning: spurious network error"].iter().any(|start| line.starts_with(start))
}

fn word(changed: &Changed) -> (&'static str, Style) {
    match changed.change {
        Change::Added => ("added", AnsiColor::Green.on_default()),
        Change::Updated => ("updated", AnsiColor::Green.on_default()),
        Change::Removed => ("removed", AnsiColor::Yellow.on_default()),
    }
}

fn summary(prepared: &Prepared, check: bool) -> String {
    let number = |wanted| prepared.changes.iter().filter(|changed| changed.change == wanted).count();
    let would = if check { "to be " } else { "" };
    let mut line = Text::new(format!("{} with data", count(prepared.queries, "query")));
    let mut same = true;
    for (wanted, what) in [(Change::Added, "added"), (Change::Updated, "updated"), (Change::Removed, "removed")] {
        if number(wanted) > 0 {
            line += format_args!(", {} {would}{what}", number(wanted));
            same = false;
        }
    }
    if same {
        line += ", all up to date";
    }
    line.finish()
}

#[derive(Debug, Serialize)]
struct Document {
    queries: usize,
    missing: Vec<Value>,
    dead: Vec<Value>,
    updated: Vec<Value>,
    workspaces: Vec<Value>,
}

/// What was (or, with `--check`, is) missing, out of date and dead.
fn document(world: &World, all: &[Prepared]) -> Document {
    let changed = |wanted: Change| -> Vec<Value> {
        let changes = all.iter().flat_map(|prepared| {
            let with = prepared.changes.iter().filter(move |changed| changed.change == wanted);
            with.map(move |changed| (prepared, changed))
        });
        let value = |(prepared, changed): (&Prepared, &Changed)| {
            let query = prepared.before.queries.iter().find(|query| query.hash == changed.hash);
            json!({
                "data": world.shown(&changed.path), "hash": changed.hash,
                "path": query.map(|query| world.shown(&query.path)), "line": query.map(|query| query.line),
                "sql": query.map(|query| &query.sql),
            })
        };
        changes.map(value).collect()
    };
    let workspace = |prepared: &Prepared| json!({ "path": world.shown(&prepared.before.workspace), "sqlx": prepared.sqlx, "database": prepared.database });
    Document {
        queries: all.iter().map(|prepared| prepared.queries).sum(),
        missing: changed(Change::Added),
        dead: changed(Change::Removed),
        updated: changed(Change::Updated),
        workspaces: all.iter().map(workspace).collect(),
    }
}

fn prepare_error(world: &World, error: PrepareError) -> CommandError {
    let kind = match &error {
        PrepareError::Check(error) => return check_error(error),
        error if error.is_interrupted() => return CommandError::new(Kind::Interrupted, "interrupted; no query data was changed"),
        PrepareError::Compile { .. } => Kind::Build,
        _ => Kind::User,
    };
    let mut message = CommandError::from_error(kind, &error);
    match &error {
        PrepareError::OldSqlx { .. } => {
            message.hint("use `cargo sqlx prepare` of sqlx-cli 0.6; `kiln sqlx check` reads its data")
        }
        PrepareError::NoVersion { .. } => message.hint("run `cargo generate-lockfile` and commit the lockfile"),
        PrepareError::WhichDatabase { .. } => message.hint("name it: `--database postgres`, `mysql` or `sqlite`"),
        PrepareError::OtherDatabase { .. } => message.hint("unset it, or name another with `--database-url`"),
        PrepareError::NoMigrations { .. } => message
            .hint("name the folder with `--migrations DIR`, or a database that has the tables with `--database-url URL`")
            .hint("`cargo sqlx migrate add NAME` begins a migration"),
        PrepareError::EmptyMigrations { .. } => message.hint("name the folder that holds them with `--migrations DIR`"),
        PrepareError::NoServer { package, container, .. } => {
            message.causes.push(format!("and no container: {container}"));
            message
                .hint(format!("install it (Debian: `apt-get install {package}`), or start Docker for a container"))
                .hint("or name a database with `--database-url URL`")
        }
        PrepareError::Install { output, .. } => {
            // Not what cargo did before, which was on the screen.
            let from = output.find("\nerror").map_or(0, |at| at + 1);
            message.causes.push(tail(&output[from..]));
            message.hint(
                "kiln also takes a `cargo sqlx` of the same series from PATH (`cargo install sqlx-cli`), or from the folder that KILN_TOOLS names",
            )
        }
        PrepareError::Process(ProcessError::NotFound { program }) if program.ends_with("cargo") => {
            message.hint("queries are compiled on this machine: install Rust (https://rustup.rs), or name cargo with CARGO")
        }
        PrepareError::ServerFailed { output, .. } | PrepareError::Nonsense { output, .. } => {
            message.causes.push(tail(output));
            message
        }
        PrepareError::Compile { output } => {
            message.causes.push(output.trim().to_owned());
            message.hint("a table or column that is missing wants a migration; `--migrations DIR` names another folder")
        }
        PrepareError::Migration { file, message: said } => {
            if let Some(file) = file {
                message.message = format!("a migration failed: `{}`", world.shown(file));
            }
            message.causes.push(said.clone());
            message
        }
        PrepareError::Connect { message: said } => {
            message.causes.push(said.clone());
            message.hint("see whether the URL is right and the database is there")
        }
        _ => message,
    }
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.trim().lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
