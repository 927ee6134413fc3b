//! `kiln replay`

mod images;
mod show;

use std::process::ExitCode;

use camino::Utf8PathBuf;
use kiln::files::Scratch;
use kiln::git::Repository;
use kiln::plan::Variant;
use kiln::replay::{ReplayError, Request, replay, save};

use super::Context;
use super::foresee::{repository, subjects};
use super::project::unwritable;
use crate::error::{CommandError, Kind};

/// Tells what past commits would have cost under Dockerfiles of today, the repository's and kiln's; builds nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each commit is built after the one before it, along first parents, on a builder that forgets nothing. Times are those that
`kiln build` has recorded; a step that was never measured has none. `kiln report` shows the last replay as a picture.

Examples:
  kiln replay                              the last 200 commits
  kiln replay -n 1000 main
  kiln replay v1.2..HEAD --service backend
  kiln replay --dockerfile Dockerfile      any Dockerfile; kiln's own are left out
  kiln replay --json")]
pub(crate) struct Args {
    /// A revision, or a range of them as git writes it
    #[arg(value_name = "RANGE", default_value = "HEAD")]
    range: String,
    /// At most this many commits, the latest
    #[arg(long, short = 'n', value_name = "N", default_value = "200", value_parser = clap::value_parser!(u32).range(1..))]
    commits: u32,
    /// Only this service (may be given several times)
    #[arg(long = "service", value_name = "SERVICE", conflicts_with = "dockerfile")]
    services: Vec<String>,
    /// Which images of the services
    #[arg(long = "variant", value_name = "VARIANT", value_delimiter = ',', default_value = "prod", value_parser = subjects::variant)]
    variants: Vec<Variant>,
    /// Any Dockerfile instead of the services'
    #[arg(long, short = 'f', value_name = "FILE")]
    dockerfile: Option<Utf8PathBuf>,
    /// Build context of `--dockerfile`; the project when absent
    #[arg(long, value_name = "DIR", requires = "dockerfile")]
    context: Option<Utf8PathBuf>,
    /// Stage to build instead of the last one
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<String>,
}

impl Args {
    fn selection(&self) -> subjects::Selection {
        subjects::Selection {
            services: self.services.clone(),
            variants: self.variants.clone(),
            dockerfile: self.dockerfile.clone(),
            context: self.context.clone(),
            target: self.target.clone(),
            build_args: self.build_args.clone(),
        }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let all = images::find(context, &args.selection())?;
    let repository = Repository::open(&all.root, &context.cancel).map_err(|error| repository::error(&error))?;
    let scratch = Scratch::new(&all.state, "replay").map_err(|error| unwritable(&all.state, &error))?;
    let made = replay(&Request {
        repository: &repository,
        range: &args.range,
        commits: usize::try_from(args.commits).unwrap_or(usize::MAX),
        images: &all.images,
        price: &|image, step| all.prices.of(image, step),
        scratch: scratch.path(),
        cancel: &context.cancel,
    });
    drop(scratch);
    let made = made.map_err(|error| refused(&error))?;
    if let Err(error) = save(&all.state, &made) {
        context.ui.warn(&format!("`kiln report` will not show this: {error}"));
    }
    if context.ui.json {
        context.ui.document(&made);
    } else {
        context.ui.data(&show::text(&made, show::columns()));
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(error: &ReplayError) -> CommandError {
    match error {
        ReplayError::Git(error) => repository::error(error),
        ReplayError::NothingToCompare => CommandError::from_error(Kind::User, error)
            .hint("name a longer range, or more commits with `-n N`; a shallow clone has no more: `git fetch --unshallow`"),
        _ => CommandError::from_error(Kind::User, error),
    }
}
