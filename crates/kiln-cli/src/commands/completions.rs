//! `kiln completions`

use std::process::ExitCode;

use clap::CommandFactory as _;

use super::Context;
use crate::args::Arguments;
use crate::error::CommandError;

/// Prints a shell completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kiln completions bash > /etc/bash_completion.d/kiln")]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "kiln", &mut script);
    context.ui.data(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
