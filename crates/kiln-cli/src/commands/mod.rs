//! One file per command: its `Args` (doc comments are the help) and its `run`.

mod bench;
mod build;
mod cached;
mod clean;
mod completions;
mod doctor;
mod foresee;
mod init;
mod plan;
mod predict;
mod project;
mod recipe;
mod recipe_install;
mod recipe_npm;
mod refresh;
mod replay;
mod report;
mod sqlx;
mod status;
mod warm;
mod why;

use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::Subcommand;
use kiln::process::Cancel;

use crate::args::Global;
use crate::env_vars;
use crate::error::CommandError;
use crate::ui::Ui;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where to print.
    pub(crate) ui: Ui,
    /// The repository, as given.
    pub(crate) project: Utf8PathBuf,
    /// Set by Ctrl-C.
    pub(crate) cancel: Cancel,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let cancel = Cancel::new();
        let flag = cancel.clone();
        // Without a handler Ctrl-C still ends kiln, only less tidily: not worth an error.
        let _ = ctrlc::set_handler(move || flag.set());
        if let Some(parent) = env_vars::read(env_vars::ENDS_WITH) {
            end_with(&parent, &cancel);
        }
        Self { ui: Ui::new(global), project: global.project.clone(), cancel }
    }
}

/// Ends kiln as Ctrl-C would once the process that started it, of this number, is gone: also where that was killed and could not end it.
fn end_with(parent: &str, cancel: &Cancel) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        // Without it kiln goes on to its end.
        let _ = set_parent_process_death_signal(Some(Signal::TERM));
        // It may have gone before.
        if getppid().is_none_or(|now| now.as_raw_nonzero().to_string() != parent) {
            cancel.set();
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (parent, cancel);
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Plan(plan::Args),
    Init(init::Args),
    Build(Box<build::Args>),
    Warm(Box<warm::Args>),
    Refresh(Box<refresh::Args>),
    Status(status::Args),
    Clean(clean::Args),
    Bench(Box<bench::Args>),
    Sqlx(sqlx::Args),
    Report(report::Args),
    Recipe(Box<recipe::Args>),
    Doctor(Box<doctor::Args>),
    Predict(Box<predict::Args>),
    Why(why::Args),
    Replay(Box<replay::Args>),
    Completions(completions::Args),
}

/// Runs a command.
pub(crate) fn run(context: &Context, command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Plan(args) => plan::run(context, &args),
        Command::Init(args) => init::run(context, &args),
        Command::Build(args) => build::run(context, &args),
        Command::Warm(args) => warm::run(context, &args),
        Command::Refresh(args) => refresh::run(context, &args),
        Command::Status(args) => status::run(context, &args),
        Command::Clean(args) => clean::run(context, &args),
        Command::Bench(args) => bench::run(context, &args),
        Command::Sqlx(args) => sqlx::run(context, &args),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Report(args) => report::run(context, &args),
        Command::Predict(args) => predict::run(context, &args),
        Command::Why(args) => why::run(context, &args),
        Command::Replay(args) => replay::run(context, &args),
        Command::Completions(args) => completions::run(context, &args),
        Command::Recipe(args) => recipe::run(context, &args),
    }
}
