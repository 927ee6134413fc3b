//! `kiln sqlx check` and `kiln sqlx prepare`

mod check;
mod prepare;

use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::project::Project;
use kiln::project::cargo::CargoWorkspace;
use kiln::sqlx::{CheckError, CheckOptions, FeatureChoice};

use super::Context;
use super::project::{decide_for, look_at};
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Checks and makes the data with which SQLx checks queries without a database
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: SqlxCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SqlxCommand {
    Check(check::Args),
    Prepare(Box<prepare::Args>),
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    match &args.command {
        SqlxCommand::Check(args) => check::run(context, args),
        SqlxCommand::Prepare(args) => prepare::run(context, args),
    }
}

/// Which queries are meant.
#[derive(Debug, clap::Args)]
struct Choice {
    /// Only queries of this package (may be given several times)
    #[arg(long, short, value_name = "NAME")]
    package: Vec<String>,
    /// Feature to compile with, as for cargo (may be given several times); those of kiln.toml when absent
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
    /// Leave out the default features of the members
    #[arg(long)]
    no_default_features: bool,
    /// With every feature
    #[arg(long)]
    all_features: bool,
}

/// The workspaces of a repository that use SQLx, and how to compile each.
struct World {
    root: Utf8PathBuf,
    workspaces: Vec<(CargoWorkspace, CheckOptions)>,
    /// Compose files, absolute.
    compose: Vec<Utf8PathBuf>,
}

impl World {
    fn look(context: &Context, choice: &Choice) -> Result<Self, CommandError> {
        let (settings, project) = look_at(&context.project)?;
        let plan = decide_for(&project, settings, None);
        let uses = |workspace: &&CargoWorkspace| {
            workspace.packages.iter().flat_map(|package| &package.dependencies).any(|dependency| dependency.package == "sqlx")
        };
        let mut chosen: Vec<&CargoWorkspace> = project.cargo.iter().filter(uses).filter(|found| !found.incidental).collect();
        if chosen.is_empty() {
            chosen = project.cargo.iter().filter(uses).collect();
        }
        if !choice.package.is_empty() {
            let has = |workspace: &&CargoWorkspace| {
                choice.package.iter().any(|name| workspace.packages.iter().any(|package| package.name == *name))
            };
            chosen.retain(has);
        }
        if chosen.is_empty() {
            return Err(nothing(&project, choice));
        }
        let environment = env_vars::all();
        let options = |workspace: &CargoWorkspace| CheckOptions {
            features: features(&plan, &project, workspace, choice),
            packages: choice.package.iter().cloned().collect(),
            environment: environment.clone(),
        };
        let workspaces = chosen.into_iter().map(|workspace| (workspace.clone(), options(workspace))).collect();
        let is_compose = |path: &&Utf8PathBuf| path.file_name().is_some_and(|name| name.contains("compose"));
        let compose = project.docker_files.iter().filter(is_compose).map(|path| project.root.join(path)).collect();
        Ok(Self { root: project.root, workspaces, compose })
    }

    /// A path as it is shown: relative to the repository where it lies in it.
    fn shown<'p>(&self, path: &'p Utf8Path) -> &'p Utf8Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

fn nothing(project: &Project, choice: &Choice) -> CommandError {
    let known: Vec<&str> = project
        .cargo
        .iter()
        .flat_map(|workspace| &workspace.packages)
        .filter(|package| package.dependencies.iter().any(|dependency| dependency.package == "sqlx"))
        .map(|package| package.name.as_str())
        .collect();
    match choice.package.first() {
        Some(package) if !known.is_empty() => {
            CommandError::new(Kind::User, format!("there is no package `{package}` that depends on sqlx"))
                .hint(format!("those that do: {}", known.join(", ")))
        }
        _ => CommandError::new(Kind::User, format!("nothing in `{}` depends on sqlx", project.root))
            .hint("name the repository with `--project DIR`"),
    }
}

/// The features of the command line, else those with which the services of the workspace are built.
fn features(plan: &kiln::plan::Plan, project: &Project, workspace: &CargoWorkspace, choice: &Choice) -> FeatureChoice {
    if choice.features.is_empty() && !choice.no_default_features && !choice.all_features {
        return FeatureChoice::of_plan(plan, &project.root, workspace);
    }
    let mut chosen = FeatureChoice { all_features: choice.all_features, ..FeatureChoice::default() };
    chosen.features.extend(choice.features.iter().cloned());
    if choice.no_default_features {
        chosen.no_default_features.extend(workspace.members().map(|package| package.name.clone()));
    }
    chosen
}

fn check_error(error: &CheckError) -> CommandError {
    let message = CommandError::from_error(Kind::User, error);
    match error {
        CheckError::NoPackage { known, .. } => message.hint(format!("those that depend on sqlx: {}", known.join(", "))),
        CheckError::NoSqlx { .. } => message,
    }
}
