//! The `kiln` command line: arguments in, library calls, messages and an exit code out.

mod args;
mod commands;
mod env_vars;
mod error;
mod hints;
mod ui;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let context = commands::Context::new(&arguments.global);
    match commands::run(&context, arguments.command) {
        Ok(code) => code,
        Err(error) => context.ui.report(&error),
    }
}
