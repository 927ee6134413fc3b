//! `kiln refresh`

use std::process::ExitCode;
use std::time::Instant;

use super::Context;
use super::warm::{self, What};
use crate::error::CommandError;

/// Follows base images that moved, and warms again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Pulls every base image, says which ones moved, and makes again what was built on them, as `kiln warm` does. Exit codes are those of `kiln warm`.

Examples:
  kiln refresh
  kiln refresh backend --variant prod,fast
  kiln refresh --json | jq '.targets[] | select(.moved)'     the base images that moved")]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let begun = Instant::now();
    let (warmed, errors) = warm::warm(context, &args.what, true)?;
    warm::show_result(context, &warmed, begun);
    warm::finish(context, errors)
}
