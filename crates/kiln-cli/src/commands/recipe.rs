//! `kiln recipe …`: the commands that run inside image builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args as ClapArgs, Subcommand};
use kiln::project::cargo::CargoWorkspace;
use kiln::recipe::{
    CargoReport, CompileRequest, CookRequest, Defect, Limits, Recipe, Selection, compile, cook, prepare, resolve_selection,
};
use kiln::text;

use super::Context;
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Runs inside image builds: makes a recipe of what decides dependencies, builds it, builds the workspace on top
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: RecipeCommand,
}

#[derive(Debug, Subcommand)]
enum RecipeCommand {
    Prepare(PrepareArgs),
    Cook(CookArgs),
    Compile(CompileArgs),
    Npm(super::recipe_npm::Args),
    Install(super::recipe_install::Args),
}

/// Which binaries are built, and how.
#[derive(Debug, ClapArgs)]
struct SelectionArgs {
    /// Binary to build (may be given several times); the package's own ones when absent
    #[arg(long, value_name = "NAME")]
    bin: Vec<String>,
    /// Package that has the binaries; found from their names when absent
    #[arg(long, short, value_name = "NAME")]
    package: Option<String>,
    /// cargo profile
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Features, separated by commas
    #[arg(long, value_name = "FEATURES", value_delimiter = ',')]
    features: Vec<String>,
    /// Without the default features
    #[arg(long)]
    no_default_features: bool,
    /// Target triple, where it is not the host's
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Folder above which nothing is read
    #[arg(long, value_name = "DIR")]
    context: Option<PathBuf>,
}

impl SelectionArgs {
    fn selection(&self) -> Selection {
        Selection {
            package: self.package.clone(),
            binaries: self.bin.clone(),
            features: self.features.clone(),
            no_default_features: self.no_default_features,
            profile: self.profile.clone(),
            target: self.target.clone(),
        }
    }

    fn boundary<'a>(&'a self, workspace: &'a Path) -> &'a Path {
        let bound = Path::new("/src");
        let default = if workspace.starts_with(bound) { bound } else { workspace };
        self.context.as_deref().unwrap_or(default)
    }
}

/// Makes the recipe of a workspace: everything that decides its dependencies, and nothing else
#[derive(Debug, ClapArgs)]
struct PrepareArgs {
    /// Folder of the workspace
    #[arg(value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Triple of the machine that compiles; that of this kiln when absent
    #[arg(long, value_name = "TRIPLE")]
    host: Option<String>,
    /// Where the recipe is written; `-` is stdout
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Builds the dependencies of a recipe and exports them as a layer
#[derive(Debug, ClapArgs)]
struct CookArgs {
    /// The recipe
    #[arg(value_name = "FILE", default_value = "/recipe.json")]
    recipe: PathBuf,
    /// Where the layer is written
    #[arg(long, short, value_name = "DIR", default_value = "/deps")]
    output: PathBuf,
    /// Mount that remembers units across recipes
    #[arg(long, value_name = "DIR", default_value = "/kiln/units")]
    mount: PathBuf,
    /// Where the stub workspace is written, and removed again; with vendored packages it must be the place of the mirror's
    /// workspace in `compile`, `/kiln/build/src/…`
    #[arg(long, value_name = "DIR", default_value = "/kiln/stub")]
    stub: PathBuf,
    /// Another recipe's layer, or a folder with one in `deps`, whose units are taken over if they fit; nothing where it is empty
    #[arg(long, value_name = "DIR")]
    seed: Option<PathBuf>,
    /// Environment variable that holds a secret, of which nothing goes into the layer (may be given several times)
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,
    /// Folder of the workspace, where it has vendored packages
    #[arg(long, value_name = "DIR")]
    vendored: Option<PathBuf>,
    #[command(flatten)]
    mounts: MountArgs,
}

/// Builds the workspace on top of a layer of dependencies
#[derive(Debug, ClapArgs)]
struct CompileArgs {
    /// Folder of the workspace
    #[arg(value_name = "DIR", default_value = "/src")]
    workspace: PathBuf,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Where the binaries are written
    #[arg(long, short, value_name = "DIR", default_value = "/out")]
    output: PathBuf,
    /// The layer of dependencies; none is used if it does not exist
    #[arg(long, value_name = "DIR", default_value = "/deps")]
    deps: PathBuf,
    /// Mount that holds the mirror of the source and the target directory
    #[arg(long, value_name = "DIR", default_value = "/kiln/build")]
    mount: PathBuf,
    /// Compile incrementally, in any profile
    #[arg(long)]
    incremental: bool,
    /// Environment variable whose value no build reads (may be given several times)
    #[arg(long, value_name = "NAME")]
    ignore_env: Vec<String>,
    #[command(flatten)]
    mounts: MountArgs,
}

/// Flags that `cook` and `compile` share.
#[derive(Debug, ClapArgs)]
struct MountArgs {
    /// cargo's home; the same path for `cook` and `compile`
    #[arg(long, value_name = "DIR", env = env_vars::CARGO_HOME, default_value = "/kiln/cargo")]
    cargo_home: PathBuf,
    /// The cargo program
    #[arg(long, value_name = "PROGRAM", env = env_vars::CARGO, default_value = "cargo")]
    cargo: PathBuf,
    /// How many bytes of units the mount may hold
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().bytes)]
    max_bytes: u64,
    /// How many days an unused unit is kept
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    max_age: u32,
    /// File that tells which system packages are installed (may be given several times)
    #[arg(long, value_name = "FILE", default_values = ["/var/lib/dpkg/status", "/lib/apk/db/installed", "/usr/lib/sysimage/rpm/rpmdb.sqlite"])]
    system_file: Vec<PathBuf>,
}

impl MountArgs {
    fn limits(&self) -> Limits {
        Limits { bytes: self.max_bytes, age: Duration::from_secs(u64::from(self.max_age) * 24 * 60 * 60) }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    match &args.command {
        RecipeCommand::Prepare(args) => run_prepare(context, args),
        RecipeCommand::Cook(args) => run_cook(context, args),
        RecipeCommand::Compile(args) => run_compile(context, args),
        RecipeCommand::Npm(args) => super::recipe_npm::run(context, args),
        RecipeCommand::Install(args) => super::recipe_install::run(context, args),
    }
}

fn run_prepare(context: &Context, args: &PrepareArgs) -> Result<ExitCode, CommandError> {
    let workspace = absolute(&args.workspace)?;
    let loaded = load(&workspace, args.selection.boundary(&workspace))?;
    let host = args.host.clone().unwrap_or_else(host_triple);
    let recipe =
        prepare(&loaded, &args.selection.selection(), &host).map_err(|error| CommandError::from_error(Kind::User, &error))?;
    let text = recipe.to_json();
    if args.output == Path::new("-") {
        context.ui.data(&text);
    } else {
        fs::write(&args.output, text).map_err(|error| cannot("write", &args.output, &error))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_cook(context: &Context, args: &CookArgs) -> Result<ExitCode, CommandError> {
    let text = fs::read_to_string(&args.recipe).map_err(|error| cannot("read", &args.recipe, &error))?;
    let recipe = Recipe::from_json(&text)
        .map_err(|error| CommandError::new(Kind::User, format!("cannot cook {}: {error}", args.recipe.display())))?;
    let (output, mount, stub, home) =
        (absolute(&args.output)?, absolute(&args.mount)?, absolute(&args.stub)?, absolute(&args.mounts.cargo_home)?);
    let request = CookRequest {
        recipe: &recipe,
        stub_folder: &stub,
        mount: &mount,
        cargo_home: &home,
        output: &output,
        seed: args.seed.as_deref(),
        secret_variables: &args.secret_env,
        vendored: args.vendored.as_deref(),
        cargo: &args.mounts.cargo,
        environment: &env_vars::all(),
        system_files: &args.mounts.system_file,
        limits: args.mounts.limits(),
        now: SystemTime::now(),
    };
    let (report, layer) = cook(&request, &context.cancel, &mut |line| context.ui.note(line))?;
    print(context, &report);
    let seed = report.seed.as_ref().map(|seed| format!(", {} of them from the seed", seed.used)).unwrap_or_default();
    context.ui.note(&format!(
        "kiln cook: {}, {} fresh; {}{seed} in {}; cargo {}, export {}",
        compiled("compiled", &report.external_compiled),
        report.fresh,
        text::count(layer.units.len(), "unit"),
        text::bytes(layer.bytes()),
        part(&report, "cargo"),
        part(&report, "export"),
    ));
    Ok(ExitCode::SUCCESS)
}

fn run_compile(context: &Context, args: &CompileArgs) -> Result<ExitCode, CommandError> {
    let workspace = absolute(&args.workspace)?;
    let boundary = absolute(args.selection.boundary(&workspace))?;
    let mut selection = args.selection.selection();
    if selection.package.is_none() || selection.binaries.is_empty() {
        let loaded = load(&workspace, &boundary)?;
        selection = resolve_selection(&loaded, &selection).map_err(|error| CommandError::from_error(Kind::User, &error))?;
    }
    let (output, mount, home) = (absolute(&args.output)?, absolute(&args.mount)?, absolute(&args.mounts.cargo_home)?);
    let request = CompileRequest {
        source: &boundary,
        workspace: &workspace,
        selection: &selection,
        mount: &mount,
        cargo_home: &home,
        deps: Some(args.deps.as_path()),
        output: &output,
        cargo: &args.mounts.cargo,
        environment: &env_vars::all(),
        ignored_variables: &args.ignore_env,
        system_files: &args.mounts.system_file,
        incremental: args.incremental,
        limits: args.mounts.limits(),
    };
    let report = compile(&request, &context.cancel, &mut |line| context.ui.note(line))?;
    print(context, &report);
    for (package, input) in &report.undeclared {
        context.ui.note(&format!("kiln compile: {package} was compiled again because of {input}, which it does not declare"));
    }
    // One cause has often many crates in its wake.
    let shown = report.defects.len().min(10);
    for Defect { package, reason } in &report.defects[..shown] {
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        context
            .ui
            .warn(&format!("{package} was compiled although the dependency layer should have it{why} (a defect of the plan)"));
    }
    if report.defects.len() > shown {
        let rest: Vec<String> = report.defects[shown..].iter().map(|defect| defect.package.clone()).collect();
        context.ui.warn(&format!("so were {}", rest.join(", ")));
    }
    let crates: Vec<String> = report.local_compiled.iter().chain(&report.external_compiled).cloned().collect();
    let names = if crates.is_empty() || crates.len() > 6 { String::new() } else { format!(" ({})", crates.join(", ")) };
    context.ui.note(&format!(
        "kiln compile: {}{names}, {} fresh; guard {}, seed {}, cargo {}",
        compiled("compiled", &crates),
        report.fresh,
        part(&report, "guard"),
        part(&report, "seed"),
        part(&report, "cargo"),
    ));
    Ok(ExitCode::SUCCESS)
}

/// The report, as one line that kiln finds again in the step's log.
fn print(context: &Context, report: &CargoReport) {
    match serde_json::to_string(report) {
        Ok(text) => context.ui.note(&format!("kiln: {text}")),
        Err(error) => context.ui.warn(&format!("cannot write the report: {error}")),
    }
}

fn compiled(verb: &str, crates: &[String]) -> String {
    if crates.is_empty() { format!("{verb} nothing") } else { format!("{verb} {}", text::count(crates.len(), "crate")) }
}

fn part(report: &CargoReport, name: &str) -> String {
    let seconds = report.seconds.get(name).copied().unwrap_or_default();
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { text::seconds(seconds) }
}

fn load(workspace: &Path, boundary: &Path) -> Result<CargoWorkspace, CommandError> {
    CargoWorkspace::load(utf8(workspace)?, utf8(boundary)?).map_err(|error| CommandError::from_error(Kind::User, &error))
}

fn utf8(path: &Path) -> Result<&Utf8Path, CommandError> {
    Utf8Path::from_path(path)
        .ok_or_else(|| CommandError::new(Kind::User, format!("the path {} is not valid UTF-8", path.display())))
}

fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    let path = std::path::absolute(path).map_err(|error| cannot("find", path, &error))?;
    // `a/../b` and `./` would make one folder look like two.
    Ok(Utf8PathBuf::from_path_buf(path).map_or_else(|path| path, |path| path.components().collect::<Utf8PathBuf>().into()))
}

fn cannot(action: &str, path: &Path, error: &std::io::Error) -> CommandError {
    let mut error = CommandError::from_error(Kind::User, &std::io::Error::other(error.to_string()));
    error.causes = vec![error.message];
    error.message = format!("cannot {action} {}", path.display());
    error
}

/// The triple of the machine that this kiln runs on, with the GNU libc: that of the official Rust images except Alpine's.
fn host_triple() -> String {
    let libc = if Path::new("/etc/alpine-release").exists() { "musl" } else { "gnu" };
    format!("{}-unknown-linux-{libc}", std::env::consts::ARCH)
}
