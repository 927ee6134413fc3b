//! `kiln refresh`

use std::process::ExitCode;
use std::time::Instant;

use kiln::lifecycle::clean::Extent;
use serde::Serialize;

use super::Context;
use super::clean::{Cleaned, How, clean};
use super::warm::{self, What};
use crate::error::CommandError;

/// Cleans what is stale, follows base images that moved, and warms again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Removes what `kiln clean` would, pulls every base image, says which ones moved, and makes again what was built on them, as `kiln warm` does.
Exit codes are those of `kiln warm`; 75 also while a build of the project runs.

Examples:
  kiln refresh
  kiln refresh backend --variant prod,fast
  kiln refresh --json | jq '.targets[] | select(.moved)'     the base images that moved")]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
}

/// What both halves did.
#[derive(Debug, Serialize)]
struct Document<'a> {
    /// One for each builder.
    cleaned: &'a [Cleaned],
    targets: Vec<warm::TargetDocument<'a>>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let begun = Instant::now();
    let mut cleaned = Vec::new();
    for builder in args.what.builders() {
        cleaned.push(clean(context, builder.as_deref(), Extent::Stale { unused_since: None }, How::default())?);
    }
    let (warmed, errors) = warm::warm(context, &args.what, true)?;
    if context.ui.json {
        context.ui.document(&Document { cleaned: &cleaned, targets: warm::targets(&warmed) });
    } else {
        cleaned.iter().for_each(|cleaned| context.ui.data(&cleaned.text()));
        context.ui.data(&warm::table(&warmed, begun.elapsed().as_secs_f64()));
    }
    warm::finish(context, errors)
}
