//! `kiln recipe install`

use std::path::PathBuf;
use std::process::ExitCode;

use kiln::recipe::npm::{InstallError, InstallReport, InstallRequest, install};
use kiln::text;

use super::Context;
use crate::error::{CommandError, Kind};

/// Runs `npm ci` such that only what has changed is unpacked: packages are kept in a mount, as npm unpacked them
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kiln recipe install --mount /kiln/node_modules -- npm ci --no-audit")]
pub(crate) struct Args {
    /// Mount that keeps unpacked packages
    #[arg(long, value_name = "DIR", default_value = "/kiln/node_modules")]
    mount: PathBuf,
    /// Folder of package.json and package-lock.json
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// The installation: npm, `ci` and its flags
    #[arg(last = true, required = true, num_args = 2.., value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let [npm, command, arguments @ ..] = args.command.as_slice() else {
        return Err(CommandError::new(Kind::User, "no command is given").hint("put `npm ci` after `--`"));
    };
    if command != "ci" {
        let message = format!("`{npm} {command}` is not `npm ci`: packages are kept for that alone");
        return Err(CommandError::new(Kind::User, message).hint("run other installations without `kiln recipe install`"));
    }
    let request = InstallRequest { project: &args.directory, mount: &args.mount, npm: npm.as_ref(), arguments };
    let report = install(&request, &context.cancel, &mut |line| context.ui.note(line)).map_err(explain)?;
    context.ui.note(&sentence(&report));
    Ok(ExitCode::SUCCESS)
}

fn explain(error: InstallError) -> CommandError {
    match error {
        InstallError::Step(error) => error.into(),
        InstallError::Npm { .. } => CommandError::from_error(Kind::Build, &error),
    }
}

fn sentence(report: &InstallReport) -> String {
    let InstallReport { packages, kept, plain, update, copy, scripts } = report;
    let all = text::count(*packages, "package");
    match plain {
        Some(_) => format!("kiln install: {all} in {}", text::seconds(*scripts)),
        None => format!(
            "kiln install: {all}, {kept} of them kept; update {}, copy {}, scripts {}",
            text::seconds(*update),
            text::seconds(*copy),
            text::seconds(*scripts)
        ),
    }
}
