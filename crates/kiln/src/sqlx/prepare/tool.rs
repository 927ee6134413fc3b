//! `cargo sqlx`: the one that is there if it fits, else one that is installed into a folder of kiln's own.

use std::collections::BTreeSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::{PrepareError, PrepareEvent, PrepareOptions, locked};
use crate::process::{ProcessError, Run};
use crate::sqlx::data::Database;
use crate::sqlx::version::Version;

/// Begins the name of a folder that an installation goes on in.
const PARTIAL: &str = ".installing-";

/// A `cargo-sqlx` that fits.
#[derive(Debug)]
pub(super) struct Tool {
    program: Utf8PathBuf,
}

impl Tool {
    /// Looks in kiln's own folder, then in `PATH`; installs it otherwise.
    pub(super) fn find(
        sqlx: &Version,
        database: Database,
        encrypted: bool,
        options: &PrepareOptions,
        on_event: &mut dyn FnMut(PrepareEvent),
    ) -> Result<Self, PrepareError> {
        let mut features = BTreeSet::from([database.feature()]);
        // Needed only to reach a server elsewhere; it is a good part of the compile.
        if encrypted && database != Database::Sqlite {
            features.insert("rustls");
        }
        if let Some(program) = installed(sqlx, &features, &options.tools) {
            return Ok(Self { program });
        }
        for program in options.path.iter().map(|folder| folder.join("cargo-sqlx")).filter(|program| program.is_file()) {
            let tool = Self { program };
            if tool.version(options)?.is_some_and(|version| version.series() == sqlx.series())
                && tool.has_driver(database, options)?
            {
                return Ok(tool);
            }
        }
        let version = sqlx.to_string();
        let name = format!("sqlx-cli-{version}-{}", features.iter().copied().collect::<Vec<_>>().join("-"));
        let folder = options.tools.join(name);
        // Whoever installs the same at this moment will have it ready sooner than a second compile could.
        let (_held, waited) = locked(&options.tools.join(".installing.lock"), options, on_event)?;
        if waited && let Some(program) = installed(sqlx, &features, &options.tools) {
            return Ok(Self { program });
        }
        on_event(PrepareEvent::Installing { version: version.clone(), folder: folder.clone() });
        install(&version, &features, &folder, options, on_event)?;
        Ok(Self { program: folder.join("bin/cargo-sqlx") })
    }

    /// `cargo sqlx …`, as cargo would run it.
    pub(super) fn command(&self, arguments: &[&str], options: &PrepareOptions) -> Run {
        Run::new(&self.program)
            .arg("sqlx")
            .args(arguments)
            .env("CARGO", &options.cargo)
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0")
    }

    /// Makes an empty database.
    pub(super) fn create(&self, url: &str, options: &PrepareOptions) -> Result<(), PrepareError> {
        let finished = self.command(&["database", "create", "--database-url", url], options).output(&options.cancel)?;
        if finished.success() {
            return Ok(());
        }
        Err(PrepareError::Connect { message: said(&finished.stdout, &finished.stderr) })
    }

    /// The version of sqlx-cli; none if it does not say.
    fn version(&self, options: &PrepareOptions) -> Result<Option<Version>, PrepareError> {
        match self.command(&["--version"], options).output(&options.cancel) {
            Ok(finished) => Ok(finished.stdout.split_whitespace().find_map(Version::parse)),
            Err(error @ ProcessError::Cancelled { .. }) => Err(error.into()),
            // A broken one in `PATH` is not worth an error: kiln installs its own.
            Err(_) => Ok(None),
        }
    }

    /// Whether it was compiled for a database: one that was not refuses the URL before it connects.
    fn has_driver(&self, database: Database, options: &PrepareOptions) -> Result<bool, PrepareError> {
        let url = match database {
            Database::Sqlite => "sqlite:/nowhere/at/all.db?mode=ro",
            Database::Postgres => "postgres://nobody@127.0.0.1:1/nothing",
            Database::MySql => "mysql://nobody@127.0.0.1:1/nothing",
        };
        let arguments = ["migrate", "info", "--source", "/", "--connect-timeout", "0", "--database-url", url];
        let finished = self.command(&arguments, options).output(&options.cancel)?;
        let text = finished.stdout + &finished.stderr;
        Ok(!text.contains("no driver found"))
    }
}

/// What a failed sqlx-cli says, without the word that it begins with.
pub(super) fn said(stdout: &str, stderr: &str) -> String {
    let text = format!("{stdout}{stderr}");
    text.split_once("error:").map_or(text.as_str(), |(_, message)| message).trim().to_owned()
}

/// One that kiln has installed before, with these features or more.
fn installed(sqlx: &Version, features: &BTreeSet<&str>, tools: &Utf8Path) -> Option<Utf8PathBuf> {
    let prefix = format!("sqlx-cli-{sqlx}-");
    let mut found: Vec<Utf8PathBuf> = tools
        .read_dir_utf8()
        .ok()?
        .flatten()
        .filter(|entry| {
            let has: Option<BTreeSet<&str>> = entry.file_name().strip_prefix(&prefix).map(|rest| rest.split('-').collect());
            has.is_some_and(|has| has.is_superset(features))
        })
        .map(|entry| entry.path().join("bin/cargo-sqlx"))
        .filter(|program| program.is_file())
        .collect();
    found.sort();
    found.into_iter().next()
}

fn install(
    version: &str,
    features: &BTreeSet<&str>,
    folder: &Utf8Path,
    options: &PrepareOptions,
    on_event: &mut dyn FnMut(PrepareEvent),
) -> Result<(), PrepareError> {
    fs::create_dir_all(&options.tools).map_err(PrepareError::file("make the folder", &options.tools))?;
    // Only one installs at a time, so these are of processes that were killed.
    for left in options.tools.read_dir_utf8().into_iter().flatten().flatten() {
        if left.file_name().starts_with(PARTIAL) {
            let _ = fs::remove_dir_all(left.path());
        }
    }
    // An installation that was interrupted must not look like one.
    let partial = options.tools.join(format!("{PARTIAL}{}", std::process::id()));
    let features = features.iter().copied().collect::<Vec<_>>().join(",");
    let run = Run::new(&options.cargo)
        .args(["install", "sqlx-cli", "--locked", "--no-default-features", "--bin", "cargo-sqlx", "--no-track"])
        .args(["--version", &format!("={version}"), "--features", &features])
        .args(["--root", partial.as_str(), "--target-dir", partial.join("target").as_str()])
        .cwd(&options.tools);
    let finished = run.lines(&options.cancel, &mut |_, line| on_event(PrepareEvent::Line(line.to_owned())));
    let result = finished.map_err(PrepareError::from).and_then(|finished| {
        if !finished.success() {
            return Err(PrepareError::Install { version: version.to_owned(), output: finished.stderr });
        }
        let _ = fs::remove_dir_all(partial.join("target"));
        // One that cannot be run: a good one would have been taken.
        let _ = fs::remove_dir_all(folder);
        fs::rename(&partial, folder).map_err(PrepareError::file("move to", folder))
    });
    if result.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    result
}
