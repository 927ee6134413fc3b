//! `kiln sqlx check`

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use kiln::sqlx::{Check, Query, Scope, State, Unresolved, UnresolvedReason, check};
use kiln::text::{Text, count};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Choice, World, check_error};
use crate::commands::Context;
use crate::error::{CommandError, Kind};

/// Tells which queries an offline build finds no data for; needs no database and builds nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads the sources as the compiler does and looks where SQLx looks: in SQLX_OFFLINE_DIR, in `.sqlx` of the package and of the
workspace, or in sqlx-data.json with SQLx 0.6. Exits with 4 if `SQLX_OFFLINE=true cargo build` would not get past a query.

Examples:
  kiln sqlx check            what an image build would miss
  kiln sqlx check --tests    also queries that only tests compile
  kiln sqlx check --strict   also fail for data that nobody reads
  kiln sqlx check --json     the same for programs")]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Queries of tests, benches and examples count, too
    #[arg(long)]
    tests: bool,
    /// Fail also for dead, duplicated and split data
    #[arg(long)]
    strict: bool,
}

const MISSING: Style = AnsiColor::Red.on_default().bold();
const ODD: Style = AnsiColor::Yellow.on_default().bold();

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let world = World::look(context, &args.choice)?;
    let mut checks = Vec::new();
    for (workspace, options) in &world.workspaces {
        checks.push(check(workspace, options).map_err(|error| check_error(&error))?);
    }
    if context.ui.json {
        context.ui.document(&document(&world, &checks));
    } else {
        let text = checks.iter().fold(Text::default(), |text, check| report(&world, check, args, text));
        context.ui.data(&text.finish());
        for check in &checks {
            context.ui.note(&summary(&world, check, args.tests));
        }
    }
    verdict(&checks, args)
}

fn verdict(checks: &[Check], args: &Args) -> Result<ExitCode, CommandError> {
    let failing: usize = checks.iter().map(|check| check.failing(args.tests).count()).sum();
    let refused: usize = checks.iter().map(|check| check.refused(args.tests).count()).sum();
    let unread: usize = checks.iter().map(|check| check.unread.len()).sum();
    let odd: usize = checks.iter().map(|check| check.dead.len() + check.duplicated.len() + check.split.len()).sum();
    let message = if failing > 0 {
        format!("{} without good data: an offline build fails", count(failing, "query"))
    } else if refused > 0 {
        format!("{} that SQLx does not take: the build fails", count(refused, "query"))
    } else if unread > 0 && args.strict {
        format!("{} could not be read", count(unread, "source file"))
    } else if odd > 0 && args.strict {
        format!("{} about data that nobody reads", count(odd, "finding"))
    } else {
        return Ok(ExitCode::SUCCESS);
    };
    let error = CommandError::new(Kind::Check, message);
    Err(if failing > 0 || odd > 0 { error.hint("`kiln sqlx prepare` makes the data anew; then commit it") } else { error })
}

/// The query on one line, shortened.
fn short(sql: &str) -> String {
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= 60 { words } else { words.chars().take(59).chain(['…']).collect() }
}

fn report(world: &World, check: &Check, args: &Args, mut text: Text) -> Text {
    for query in check.queries.iter().filter(|query| !query.state.is_good() && query.scope != Scope::Off) {
        let (word, detail) = problem(world, query);
        let counts = query.scope == Scope::Build || args.tests;
        let (style, only) = if counts { (MISSING, "") } else { (ODD, " (tests only)") };
        let (path, line, column) = (world.shown(&query.path), query.line, query.column);
        text +=
            format_args!("{path}:{line}:{column}: {style}{word}{style:#}{only}: {}! `{}`\n", query.macro_name, short(&query.sql));
        text += format_args!("    {detail}\n");
    }
    for unresolved in check.unresolved.iter().filter(|unresolved| unresolved.scope != Scope::Off) {
        let (path, line, column) = (world.shown(&unresolved.path), unresolved.line, unresolved.column);
        let style = if unresolved.reason.is_refused() { MISSING } else { ODD };
        let word = if unresolved.reason.is_refused() { "not a literal" } else { "not resolved" };
        let why = why(unresolved);
        text += format_args!("{path}:{line}:{column}: {style}{word}{style:#}: {}!\n    {why}\n", unresolved.macro_name);
    }
    for dead in &check.dead {
        let perhaps = if dead.certain { "" } else { ", unless a query that is not resolved is this one" };
        text += format_args!("{}: {ODD}dead{ODD:#}: no query asks for it{perhaps}\n", world.shown(&dead.path));
    }
    for duplicated in &check.duplicated {
        let differs = if duplicated.equal { "" } else { ", and they differ" };
        text += format_args!("{}: {ODD}duplicated{ODD:#}: SQLx takes this one{differs}\n", world.shown(&duplicated.used));
        for path in &duplicated.shadowed {
            text += format_args!("    and not {}\n", world.shown(path));
        }
    }
    for split in &check.split {
        text += format_args!("{ODD}split{ODD:#}: the data of `{}` lies in several places\n", split.package);
        for (place, number) in &split.places {
            text += format_args!("    {}: {}\n", world.shown(place), count(*number, "query"));
        }
    }
    for path in &check.other_layout {
        let version = check.sqlx.as_ref().map_or_else(String::new, |version| format!(" {version}"));
        text += format_args!("{}: {ODD}not read{ODD:#}: SQLx{version} keeps its data elsewhere\n", world.shown(path));
    }
    for unread in &check.unread {
        text += format_args!("{}:{}: {ODD}not read{ODD:#}: this is no Rust source\n", world.shown(&unread.path), unread.line);
    }
    text
}

fn problem(world: &World, query: &Query) -> (&'static str, String) {
    match &query.state {
        State::Found { data } => ("found", world.shown(data).to_string()),
        State::Missing { looked_at } => {
            let places: Vec<&str> = looked_at.iter().map(|path| world.shown(path).as_str()).collect();
            ("no data", format!("looked for {}", places.join(", ")))
        }
        State::Broken { data, message } => ("bad data", format!("{}: {message}", world.shown(data))),
        State::NoDriver { data, database } => {
            ("wrong database", format!("{} is for {database}, whose driver is not turned on in Cargo.toml", world.shown(data)))
        }
        State::Arguments { data, wants, has } => {
            ("wrong arguments", format!("{} wants {}, the macro has {has}", world.shown(data), count(*wants, "argument")))
        }
        State::NoFile { message } => {
            let file = query.file.as_deref().map_or("", |file| world.shown(file).as_str());
            ("no query file", format!("{file}: {message}"))
        }
    }
}

fn why(unresolved: &Unresolved) -> String {
    match &unresolved.reason {
        UnresolvedReason::MacroArgument => "its text comes through a macro's argument, so its data is not checked".to_owned(),
        UnresolvedReason::Macro { name } => format!("SQLx does not expand `{name}!` in a query; join literals with `+`"),
        UnresolvedReason::NoLiteral => "SQLx takes string literals, joined with `+`, and nothing else".to_owned(),
        UnresolvedReason::Empty => "there is no query".to_owned(),
    }
}

fn summary(world: &World, check: &Check, tests: bool) -> String {
    let counts = |query: &&Query| query.scope == Scope::Build || (tests && query.scope == Scope::Test);
    let compiled = check.queries.iter().filter(counts);
    let (all, good) = compiled.fold((0, 0), |(all, good), query| (all + 1, good + usize::from(query.state.is_good())));
    let folder = match world.shown(&check.workspace).as_str() {
        "" => String::new(),
        folder => format!("{folder}: "),
    };
    let version = check.sqlx.as_ref().map_or_else(String::new, |version| format!(" of SQLx {version}"));
    let mut line = Text::new(format!("{folder}{}{version}, {good} with good data", count(all, "query")));
    for (number, what) in [(check.dead.len(), "dead"), (check.duplicated.len(), "duplicated")] {
        if number > 0 {
            line += format_args!(", {number} {what}");
        }
    }
    line.finish()
}

#[derive(Debug, Serialize)]
struct Document {
    /// Queries that are compiled.
    queries: usize,
    missing: Vec<Value>,
    broken: Vec<Value>,
    dead: Vec<Value>,
    duplicated: Vec<Value>,
    split: Vec<Value>,
    unresolved: Vec<Value>,
    not_read: Vec<Value>,
    workspaces: Vec<Value>,
}

fn document(world: &World, checks: &[Check]) -> Document {
    let queries = || checks.iter().flat_map(|check| &check.queries).filter(|query| query.scope != Scope::Off);
    let bad = |missing: bool| {
        let bad = queries().filter(|query| !query.state.is_good());
        bad.filter(|query| matches!(query.state, State::Missing { .. }) == missing).map(|query| value(world, query)).collect()
    };
    Document {
        queries: queries().count(),
        missing: bad(true),
        broken: bad(false),
        dead: checks.iter().flat_map(|check| &check.dead).map(|item| value(world, item)).collect(),
        duplicated: checks.iter().flat_map(|check| &check.duplicated).map(|item| value(world, item)).collect(),
        split: checks.iter().flat_map(|check| &check.split).map(|item| value(world, item)).collect(),
        unresolved: checks.iter().flat_map(|check| &check.unresolved).map(|item| value(world, item)).collect(),
        not_read: checks
            .iter()
            .flat_map(|check| check.unread.iter().map(|unread| json!(unread.path)).chain(check.other_layout.iter().map(|path| json!(path))))
            .map(|path| relative(world, path))
            .collect(),
        workspaces: checks
            .iter()
            .map(|check| json!({ "path": world.shown(&check.workspace), "sqlx": check.sqlx, "layout": check.layout, "databases": check.databases }))
            .collect(),
    }
}

fn value(world: &World, item: &impl Serialize) -> Value {
    relative(world, serde_json::to_value(item).unwrap_or(Value::Null))
}

/// Paths in a value become relative to the repository.
fn relative(world: &World, value: Value) -> Value {
    let prefix = format!("{}/", world.root);
    match value {
        Value::String(text) => Value::String(text.strip_prefix(&prefix).map_or(text.clone(), str::to_owned)),
        Value::Array(items) => items.into_iter().map(|item| relative(world, item)).collect(),
        Value::Object(fields) => {
            let plain = |key: &str| matches!(key, "sql" | "message");
            let short = |key: String| key.strip_prefix(&prefix).map_or(key.clone(), str::to_owned);
            let field =
                |(key, item): (String, Value)| if plain(&key) { (key, item) } else { (short(key), relative(world, item)) };
            Value::Object(fields.into_iter().map(field).collect())
        }
        other => other,
    }
}
