//! `kiln bench`

mod document;
mod progress;
mod rules;

use std::fs;
use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::bench::result::{Options, ResultError, Results, is_source_edit, judge, list};
use kiln::bench::run::{Bench, BenchError, Machine, run as measure};
use kiln::bench::{HostTools, Scenario, Strategy, StrategyError};
use kiln::engine::{Buildx, Engine as _};
use kiln::files::replace_file;
use kiln::plan::{ImageEngine, Plan, ServiceKind};
use kiln::report::{Measured, slow};
use kiln::text::did_you_mean;

use super::Context;
use super::project::{decide_for, look_at, own_path, refuse, state_directory};
use crate::env_vars;
use crate::error::{CommandError, Kind};
use crate::hints;
use progress::Shown;
use rules::Demands;

/// What is measured when nothing else is asked for.
const USUAL: [Scenario; 8] = [
    Scenario::Cold,
    Scenario::NoOp,
    Scenario::Docs,
    Scenario::SourceBin,
    Scenario::SourceLib,
    Scenario::VersionBump,
    Scenario::BumpLeaf,
    Scenario::FrontendSource,
];

/// Measures what changes cost, in a copy of the repository with caches of its own
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Works in a copy with namespaced caches: neither the repository nor its caches are used or changed, and everything is removed at the end.
Results are kept in .kiln/bench, sample by sample; an interrupted run goes on with `--continue`.

Strategies: naive (COPY all, build all), mounts (Docker's guides: cache mounts), chef (cargo-chef's README), native (cargo or the bundler
in a warm container, without an image), own (the repository's own Dockerfile as it is).

`[bench]` in kiln.toml can hold `fail-under` and `max-seconds`, for CI; a flag replaces its setting.

Examples:
  kiln bench --quick                                   a few minutes: no-op, a source edit of each service, one dependency
  kiln bench --scenario source-bin --against naive     one change, against COPY and build
  kiln bench --full                                    all scenarios, all strategies; takes hours
  kiln bench --quick --fail-under 80 --max-seconds 30  exit code 4 if source edits are too slow")]
pub(crate) struct Args {
    /// A no-op, a source edit of each service and one dependency
    #[arg(long, conflicts_with_all = ["full", "scenarios"])]
    quick: bool,
    /// All scenarios, against all strategies
    #[arg(long, conflicts_with = "scenarios")]
    full: bool,
    /// Scenarios to measure
    #[arg(long = "scenario", value_name = "SCENARIO", value_delimiter = ',', num_args = 1.., value_parser = scenario)]
    scenarios: Vec<Scenario>,
    /// Strategies to compare with: naive, mounts, chef, native, own
    #[arg(long, value_name = "STRATEGY", value_delimiter = ',', num_args = 1.., value_parser = strategy)]
    against: Vec<Strategy>,
    /// Samples of each measurement
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Samples of first builds, and of what takes more than eight times as long as the fastest strategy
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=1000))]
    slow_runs: u32,
    /// Go on with the latest run that was interrupted
    #[arg(long = "continue", conflicts_with_all = ["quick", "full", "scenarios", "against", "runs", "slow_runs"])]
    go_on: bool,
    /// Fail if source edits take less than PCT percent off the time of `naive`, which is then measured too
    #[arg(long, value_name = "PCT", value_parser = positive)]
    fail_under: Option<f64>,
    /// Fail if source edits take longer
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    max_seconds: Option<f64>,
    /// Also write the results as a Markdown table
    #[arg(long, value_name = "FILE")]
    markdown: Option<Utf8PathBuf>,
    /// Remove the run's layers and mounts even where the engine then forgets other layers (docs/cache.md), also those of earlier runs
    #[arg(long)]
    prune: bool,
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let names = Scenario::ALL.map(Scenario::name);
    Scenario::parse(name).ok_or_else(|| unknown(name, &names))
}

fn strategy(name: &str) -> Result<Strategy, String> {
    let names: Vec<&str> = Strategy::ALL.iter().skip(1).map(|strategy| strategy.name()).collect();
    // kiln itself is always measured.
    Strategy::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| unknown(name, &names))
}

/// What `--quick` measures: nothing to do, an edit on each side, and a dependency, which is a crate where cargo builds anything.
fn quick(plan: &Plan) -> Vec<Scenario> {
    let has_rust = plan.services.iter().any(|service| matches!(service.kind, ServiceKind::Rust(_)));
    let has_node = plan.services.iter().any(|service| matches!(service.kind, ServiceKind::Node(_)));
    let parts = [
        (true, Scenario::NoOp),
        (has_rust, Scenario::SourceBin),
        (has_node, Scenario::FrontendSource),
        (has_rust, Scenario::BumpLeaf),
        (!has_rust, Scenario::FrontendDependency),
    ];
    parts.into_iter().filter(|(applies, _)| *applies).map(|(_, scenario)| scenario).collect()
}

fn unknown(name: &str, names: &[&str]) -> String {
    match did_you_mean(name, names.iter().copied()) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => format!("possible values: {}", names.join(", ")),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0).ok_or_else(|| "not a positive number".to_owned())
}

impl Args {
    fn options(&self, demands: &Demands, plan: &Plan) -> Options {
        let mut scenarios = match self {
            Self { quick: true, .. } => quick(plan),
            Self { full: true, .. } => Scenario::ALL.to_vec(),
            Self { scenarios, .. } if scenarios.is_empty() => USUAL.to_vec(),
            Self { scenarios, .. } => scenarios.clone(),
        };
        scenarios.sort_unstable();
        scenarios.dedup();
        let mut strategies = vec![Strategy::Kiln];
        strategies.extend(&self.against);
        if self.full && self.against.is_empty() {
            strategies.extend(Strategy::ALL);
        }
        // A demand of the settings asks for no build that it could not judge.
        if demands.compares() && (self.fail_under.is_some() || scenarios.iter().any(|scenario| is_source_edit(*scenario))) {
            strategies.push(Strategy::Naive);
        }
        strategies.sort_unstable();
        strategies.dedup();
        let every_service = self.quick || self.full;
        Options { scenarios, strategies, runs: self.runs, slow_runs: self.slow_runs, every_service }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let (settings, project) = look_at(&context.project)?;
    let demands = Demands::new(args, &settings.bench);
    let plan = decide_for(&project, settings.clone(), Some(ImageEngine::Kiln));
    if let Some(error) = refuse(&plan) {
        return Err(error);
    }
    let chef = decide_for(&project, settings, Some(ImageEngine::Chef));
    let root = project.root.clone();
    let folder = state_directory(&root)?.join("bench");
    let earlier = if args.go_on { Some(unfinished(&folder)?) } else { None };
    if let Some(path) = &args.markdown {
        can_write(path)?;
    }
    let docker = env_vars::docker();
    let engine = Buildx::new(root.join(".kiln")).docker(&docker).cancel(context.cancel.clone());
    let info = engine.check().map_err(|error| hints::engine_error(&error))?;
    let kiln = own_path()?;
    let tools = HostTools::new(cargo_home(), context.cancel.clone());
    let bench = Bench {
        root: &root,
        project: &project,
        plan: &plan,
        chef: &chef,
        folder: &folder,
        kiln: &kiln,
        docker: &docker,
        prune: args.prune,
        tools: &tools,
        machine: Machine::look(&info, &folder),
        git: kiln::record::git_head(&root),
        cancel: &context.cancel,
    };
    slow(&bench.machine).iter().for_each(|line| context.ui.note(line));
    let mut shown = Shown::new(&context.ui, bench.machine.cores);
    let results = measure(&bench, args.options(&demands, &plan), earlier, &mut |event| shown.event(event));
    shown.close();
    finish(context, args, &demands, &results.map_err(|error| bench_error(&error))?)
}

/// Shows results and judges them.
fn finish(context: &Context, args: &Args, demands: &Demands, results: &Results) -> Result<ExitCode, CommandError> {
    let verdicts = judge(results, &demands.rules());
    if context.ui.json {
        context.ui.document(&document::document(results, &verdicts, demands));
    } else {
        context.ui.data(&Measured::of(results).text());
    }
    if let Some(path) = &args.markdown {
        write_markdown(path, &Measured::of(results).markdown())?;
    }
    let (passed, failed): (Vec<_>, Vec<_>) = verdicts.iter().partition(|verdict| verdict.passed);
    passed.iter().for_each(|verdict| context.ui.note(&demands.sentence(verdict)));
    if !failed.is_empty() {
        let sentences: Vec<String> = failed.iter().map(|verdict| demands.sentence(verdict)).collect();
        let error = CommandError::new(Kind::Check, sentences.join("\nerror: "));
        let doubtful = results.rows().iter().any(|row| row.noisy && is_source_edit(row.scenario));
        return Err(if doubtful { error.hint("the measurement is noisy: repeat it on a quiet machine") } else { error });
    }
    if verdicts.is_empty() && demands.by_flag() {
        let error = CommandError::new(Kind::Check, "no source edit was measured, so nothing can be judged");
        return Err(error.hint("add `--scenario source-bin` or `--scenario frontend-source`"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The latest run that did not end.
fn unfinished(folder: &Utf8Path) -> Result<(Utf8PathBuf, Results), CommandError> {
    let files = list(folder).map_err(|error| CommandError::from_error(Kind::User, &error))?;
    let mut runs = files.into_iter().filter_map(|path| Results::load(&path).ok().map(|results| (path, results)));
    runs.find(|(_, results)| results.end.is_none()).ok_or_else(|| {
        CommandError::new(Kind::User, "there is no interrupted run to go on with").hint("start one: `kiln bench --quick`")
    })
}

/// Writes a file beside the one that is wanted, and that in its place when it is whole.
fn write_markdown(path: &Utf8Path, text: &str) -> Result<(), CommandError> {
    replace_file(path, text).map_err(|error| no_markdown(path, &error))
}

/// Says that a file cannot be written, before hours are spent on what would be in it. One that is there stays as it is.
fn can_write(path: &Utf8Path) -> Result<(), CommandError> {
    if path.is_dir() {
        return Err(no_markdown(path, &std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    let temporary = Utf8PathBuf::from(format!("{path}.{}.new", std::process::id()));
    fs::write(&temporary, "").and_then(|()| fs::remove_file(&temporary)).map_err(|error| no_markdown(path, &error))
}

fn no_markdown(path: &Utf8Path, error: &std::io::Error) -> CommandError {
    let mut command_error = CommandError::new(Kind::User, format!("cannot write `{path}`"));
    command_error.causes.push(error.to_string());
    command_error
}

/// Where cargo's copy of the registry's index is.
fn cargo_home() -> Utf8PathBuf {
    let home = || Utf8PathBuf::try_from(std::env::home_dir()?).ok();
    let own = env_vars::read(env_vars::CARGO_HOME).map(Utf8PathBuf::from);
    own.or_else(|| Some(home()?.join(".cargo"))).unwrap_or_else(|| ".cargo".into())
}

fn bench_error(error: &BenchError) -> CommandError {
    match error {
        BenchError::Interrupted => CommandError::new(Kind::Interrupted, error.to_string())
            .hint("what was measured is kept; `kiln bench --continue` goes on from there"),
        BenchError::Build { source: StrategyError::Engine(engine), .. } => hints::engine_error(engine),
        BenchError::Build { .. } => CommandError::from_error(Kind::Build, error),
        BenchError::Nothing { skipped } => {
            let mut command_error = CommandError::new(Kind::User, error.to_string());
            command_error.causes = skipped.iter().map(kiln::report::skipped).collect();
            command_error
        }
        BenchError::OtherSource { .. } => {
            CommandError::new(Kind::User, error.to_string()).hint("start a new run, or check out what it measured")
        }
        BenchError::OtherWorld { .. } => CommandError::new(Kind::User, error.to_string())
            .hint("measurements of the two do not belong into one table: start a new run"),
        BenchError::Result(ResultError::InUse { .. }) => CommandError::new(Kind::Transient, error.to_string())
            .hint("wait until it has ended, or start a run of its own: `kiln bench --quick`"),
        BenchError::Copy { .. } | BenchError::Result(_) => CommandError::from_error(Kind::User, error),
    }
}
