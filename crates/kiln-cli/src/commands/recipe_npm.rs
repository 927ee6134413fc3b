//! `kiln recipe npm`

use std::process::ExitCode;

use camino::Utf8PathBuf;
use kiln::recipe::npm::{NpmRecipeError, NpmRemark, prepare_npm};
use serde::Serialize;

use super::Context;
use crate::error::{CommandError, Kind};

/// Writes what `npm ci` (or pnpm, yarn, bun) needs, and nothing else
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kiln recipe npm frontend --output /recipe")]
pub(crate) struct Args {
    /// Folder of the lockfile
    #[arg(value_name = "DIR", default_value = ".")]
    directory: Utf8PathBuf,
    /// Folder to write; must be empty or absent
    #[arg(long, value_name = "DIR")]
    output: Utf8PathBuf,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    manager: kiln::plan::PackageManager,
    files: Vec<&'a Utf8PathBuf>,
    remarks: &'a [NpmRemark],
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let recipe = prepare_npm(&args.directory).map_err(|error| explain(&error))?;
    recipe.write(&args.output).map_err(|error| explain(&error))?;
    for remark in &recipe.remarks {
        context.ui.warn(&sentence(remark));
    }
    if context.ui.json {
        let files = recipe.files.keys().collect();
        context.ui.document(&Document { manager: recipe.manager, files, remarks: &recipe.remarks });
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(error: &NpmRecipeError) -> CommandError {
    let message = CommandError::from_error(Kind::User, error);
    match error {
        NpmRecipeError::MissingLock { .. } => {
            message.hint("run `npm install` (or your package manager's install) and commit the lockfile")
        }
        NpmRecipeError::SeveralLocks { .. } => {
            message.hint("remove the lockfiles that are not used, or name the manager in `packageManager` of `package.json`")
        }
        NpmRecipeError::StaleLock { lockfile, .. } => {
            message.hint(format!("run the package manager's install and commit `{lockfile}`"))
        }
        NpmRecipeError::OutputNotEmpty { .. } => message.hint("give a folder that is empty or does not exist"),
        _ => message,
    }
}

fn sentence(remark: &NpmRemark) -> String {
    match remark {
        NpmRemark::SecretLeftOut { path, line, key } => {
            format!(
                "`{path}` line {line}: the value of `{key}` is a secret and is left out; refer to a variable (`${{NPM_TOKEN}}`) instead"
            )
        }
        NpmRemark::LateScript { directory, script, why } => {
            format!("the script `{script}` of `{directory}` runs after the sources are there: {why}")
        }
        NpmRemark::OutsideDependency { name, path } => format!("`{name}` is at `{path}`, outside of the workspace"),
    }
}
