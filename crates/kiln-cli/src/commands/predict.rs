//! `kiln predict`

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::Buildx;
use kiln::event::{StepKind, StepName};
use kiln::files::Scratch;
use kiln::parallel;
use kiln::plan::Variant;
use kiln::predict::outputs::{FolderOutputs, KnownOutputs, RecipeCall, decides_recipe};
use kiln::predict::{Inputs, Memory, Model, Predicted, Prediction, Verdict, installs_dependencies, lost, predict_without};
use kiln::process::Cancel;
use kiln::record::History;
use kiln::replay::{Since, SinceError};
use kiln::text::{Text, count, seconds};
use serde::Serialize;

use super::Context;
use super::foresee::subjects::Meant;
use super::foresee::{repository, sentence, subjects};
use super::project::unwritable;
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Tells which steps the next build would run, and why; needs no engine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Compares the working tree with the builds that kiln has recorded, or with a commit. What a program writes that runs again cannot be known:
steps that read it are `unknown`. Base images are taken to be what they were. An engine that answers is asked which results it still has.

Examples:
  kiln predict                                   the next `kiln build`
  kiln predict --changed backend/src/main.rs     what an edit of this file would cost
  kiln predict --since origin/main               what has changed since then; needs no recorded build
  kiln predict --since origin/main --fail-if dependencies
                                                 exit code 4 if dependencies would be installed again: for pull requests
  kiln predict --dockerfile Dockerfile --changed README.md
  kiln predict --watch                           stays on screen while you edit")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: subjects::Selection,
    /// As if this file had just been edited after a build of everything else, relative to the project (may be given several times)
    #[arg(long, value_name = "PATH")]
    changed: Vec<Utf8PathBuf>,
    /// Compare with the files and Docker files of this commit, as if it had just been built, instead of recorded builds
    #[arg(long, value_name = "REV", conflicts_with_all = ["changed", "watch"])]
    since: Option<String>,
    /// Do not ask the engine which results it still has
    #[arg(long)]
    no_engine: bool,
    /// Exit with 4 if such steps would run
    #[arg(long, value_name = "WHAT")]
    fail_if: Option<FailIf>,
    /// Stay and show the prediction again whenever it changes
    #[arg(long, conflicts_with = "fail_if")]
    watch: bool,
    /// Show steps that are cached, too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailIf {
    /// Steps that install or compile dependencies
    Dependencies,
    /// Any step
    Any,
}

/// How long the engine may take to list its cache before it is left out of it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often `--watch` asks the engine.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How often `--watch` looks.
const PAUSE: Duration = Duration::from_millis(400);

#[derive(Debug, Serialize)]
struct Document<'a> {
    steps: Vec<StepDocument<'a>>,
    seconds_estimate: f64,
}

#[derive(Debug, Serialize)]
struct StepDocument<'a> {
    service: &'a str,
    variant: Option<Variant>,
    dockerfile: &'a str,
    #[serde(flatten)]
    step: &'a Predicted,
}

/// What is foreseen for one image.
#[derive(Debug, PartialEq)]
struct Foreseen {
    service: String,
    variant: Option<Variant>,
    name: String,
    dockerfile: Utf8PathBuf,
    prediction: Prediction,
    /// How many models of earlier builds could not be read.
    damaged: usize,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    if args.watch {
        return watch(context, args);
    }
    let foreseen = foresee(context, args)?;
    show(context, args, &foreseen);
    check(context, args.fail_if, &foreseen)
}

/// How the engine describes its cache; nothing where there is none, or where what is foreseen has nothing to do with it.
fn cache(args: &Args, cancel: Cancel) -> Option<Vec<String>> {
    if args.no_engine || args.since.is_some() || !args.changed.is_empty() {
        return None;
    }
    let docker = env_vars::docker();
    let engine = Buildx::new("").docker(docker).builder(env_vars::read(env_vars::BUILDER)).cancel(cancel);
    engine.cache_descriptions(PATIENCE)
}

/// Reads files and asks the engine, side by side, and compares.
fn foresee(context: &Context, args: &Args) -> Result<Vec<Foreseen>, CommandError> {
    let cancel = context.cancel.child();
    let (looked, cache) = thread::scope(|scope| {
        let own = cancel.clone();
        let cache = scope.spawn(move || cache(args, own));
        let looked = look(context, args);
        // Without an earlier build there is nothing that could be gone.
        if !looked.as_ref().is_ok_and(|looked| looked.iter().any(|looked| !looked.earlier.is_empty())) {
            cancel.set();
        }
        (looked, cache.join().unwrap_or_default())
    });
    Ok(looked?.into_iter().map(|looked| looked.compare(cache.as_deref())).collect())
}

/// Whether steps would run that must not.
fn check(context: &Context, fail_if: Option<FailIf>, foreseen: &[Foreseen]) -> Result<ExitCode, CommandError> {
    let Some(fail_if) = fail_if else { return Ok(ExitCode::SUCCESS) };
    let meant = |step: &&Predicted| match fail_if {
        FailIf::Any => true,
        FailIf::Dependencies => installs_dependencies(&step.instruction),
    };
    let with = |verdict: Verdict| -> Vec<String> {
        let of = |image: &'_ Foreseen| -> Vec<String> {
            let steps = image.prediction.with(verdict).filter(meant);
            steps.map(|step| format!("{}: {}", image.dockerfile, sentence::step(&step.place))).collect()
        };
        foreseen.iter().flat_map(of).collect()
    };
    for step in with(Verdict::Unknown) {
        context.ui.warn(&format!("{step}: whether it would run cannot be told before the build"));
    }
    match with(Verdict::Runs).as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {}", count(rest.len(), "other step")) };
            let what = match fail_if {
                FailIf::Any => "steps would run",
                FailIf::Dependencies => "dependencies would be installed again",
            };
            Err(CommandError::new(Kind::Check, format!("{what}: {first}{more}")))
        }
    }
}

/// One image and all that its prediction needs, but for the engine's part.
struct Looked {
    meant: Meant,
    next: Model,
    earlier: Vec<Model>,
    history: History,
}

impl Looked {
    fn compare(self, cache: Option<&[String]>) -> Foreseen {
        let lost = cache.map(|cache| lost(&self.next, &self.earlier, cache.iter().map(String::as_str)));
        let mut prediction = predict_without(&self.next, &self.earlier, &lost.unwrap_or_default());
        for step in &mut prediction.steps {
            let kind = StepKind::Stage { platform: None, stage: Some(step.place.stage.clone()), index: 0, total: 0 };
            let name = step.name.clone().map(|text| StepName { kind, text });
            step.seconds_estimate = name.and_then(|name| self.history.expected_seconds(&name));
        }
        let name = self.meant.name();
        Foreseen {
            service: self.meant.service,
            variant: self.meant.variant,
            name,
            dockerfile: self.meant.shown,
            prediction,
            damaged: self.meant.known.damaged,
        }
    }
}

fn look(context: &Context, args: &Args) -> Result<Vec<Looked>, CommandError> {
    let all = subjects::find(context, &args.selection)?;
    let memory = subjects::memory(&all.state);
    let root = context.project.canonicalize_utf8().unwrap_or_else(|_| context.project.clone());
    let since = args.since.as_deref().map(|revision| Since::new(&root, revision, &context.cancel));
    let found = match since.transpose().map_err(|error| repository::error(&error))? {
        Some(since) => {
            let compared = all.meant.iter().map(|meant| compared(&since, meant, &all.state, &memory));
            compared.map(|found| found.map(|(next, earlier)| (next, Some(earlier)))).collect::<Result<Vec<_>, _>>()?
        }
        None => parallel::try_map(&all.meant, 1, |meant| {
            if args.changed.is_empty() {
                Ok((model(meant, meant.inputs(&memory)?, false)?, None))
            } else {
                supposed(meant, &root, &args.changed, &memory).map(|(next, earlier)| (next, Some(vec![earlier])))
            }
        })?,
    };
    let records = all.state.join("builds");
    let looked = all.meant.into_iter().zip(found).map(|(mut meant, (next, earlier))| {
        let earlier = earlier.unwrap_or_else(|| std::mem::take(&mut meant.known.models));
        let history = meant.variant.map(|variant| History::read(&records, &meant.service, variant));
        Looked { meant, next, earlier, history: history.unwrap_or_default() }
    });
    Ok(looked.collect())
}

impl Meant {
    fn inputs(&self, memory: &Memory) -> Result<Inputs, CommandError> {
        self.subject.inputs(Some(memory)).map_err(|error| subjects::error(&error))
    }
}

/// The model of a build; what its recipes leave is unknown where files decide about it whose content is only supposed.
fn model(meant: &Meant, inputs: Inputs, edits_recipe: bool) -> Result<Model, CommandError> {
    let outputs = WhatIf { outputs: FolderOutputs { context: meant.subject.context.clone() }, unknown: edits_recipe };
    Model::new(inputs, &outputs).map_err(|problem| {
        subjects::error(&kiln::predict::SubjectError::Predict { path: meant.shown.clone(), problem: Box::new(problem) })
    })
}

/// The models of a build after some files were edited, and of one of what is there now.
fn supposed(meant: &Meant, root: &Utf8Path, changed: &[Utf8PathBuf], memory: &Memory) -> Result<(Model, Model), CommandError> {
    let mut inputs = meant.inputs(memory)?;
    let mut now = model(meant, inputs.clone(), false)?;
    now.steps.iter_mut().for_each(|step| step.done = true);
    now.steps.iter_mut().zip(names(&meant.known.models)).for_each(|(step, name)| step.name = name);
    let mut edits_recipe = false;
    for path in changed {
        let path = root.join(path);
        if let Ok(inside) = path.strip_prefix(&meant.subject.context) {
            inputs.touch(inside.as_str());
            edits_recipe |= decides_recipe(inside.file_name().unwrap_or_default());
        }
    }
    Ok((model(meant, inputs, edits_recipe)?, now))
}

/// The models of a build now and, if it had a Dockerfile then, at a commit.
fn compared(since: &Since, meant: &Meant, state: &Utf8Path, memory: &Memory) -> Result<(Model, Vec<Model>), CommandError> {
    let scratch = Scratch::new(state, "since").map_err(|error| unwritable(state, &error))?;
    let models = since.models(&meant.subject, Some(memory), scratch.path());
    drop(scratch);
    let (now, mut then) = models.map_err(|error| match &error {
        SinceError::Git(error) => repository::error(error),
        SinceError::Subject(error) => subjects::error(error),
        _ => CommandError::from_error(Kind::User, &error),
    })?;
    // Records tell what BuildKit calls the steps, and so what they took.
    let steps = || meant.known.models.iter().flat_map(|model| &model.steps);
    for step in then.iter_mut().flat_map(|model| &mut model.steps) {
        let known = steps().find(|known| known.place.stage == step.place.stage && known.text == step.text);
        step.name = known.and_then(|known| known.name.clone());
    }
    Ok((now, then.into_iter().collect()))
}

/// What BuildKit calls the steps of the latest build, in their order.
fn names(models: &[Model]) -> impl Iterator<Item = Option<String>> {
    models.first().map(|model| model.steps.iter().map(|step| step.name.clone())).into_iter().flatten()
}

/// Recipes of files whose content is only supposed: unknown where one of them decides about it.
struct WhatIf {
    outputs: FolderOutputs,
    unknown: bool,
}

impl KnownOutputs for WhatIf {
    fn of(&self, call: &RecipeCall) -> Option<std::collections::BTreeMap<String, String>> {
        if self.unknown { None } else { self.outputs.of(call) }
    }
}

fn show(context: &Context, args: &Args, foreseen: &[Foreseen]) {
    for image in foreseen.iter().filter(|image| image.damaged > 0) {
        let are = if image.damaged == 1 { "is" } else { "are" };
        let models = count(image.damaged, "model");
        context.ui.warn(&format!("{models} of {} cannot be read and {are} left out", image.name));
    }
    if !context.ui.json {
        return context.ui.data(&text(args, foreseen));
    }
    let steps = foreseen.iter().flat_map(|image| {
        image.prediction.steps.iter().map(|step| StepDocument {
            service: &image.service,
            variant: image.variant,
            dockerfile: image.dockerfile.as_str(),
            step,
        })
    });
    let seconds_estimate = foreseen.iter().map(|image| image.prediction.seconds().0).sum();
    context.ui.document(&Document { steps: steps.collect(), seconds_estimate });
}

fn text(args: &Args, foreseen: &[Foreseen]) -> String {
    let mut text = Text::default();
    for image in foreseen {
        let steps = &image.prediction.steps;
        let number = |verdict| image.prediction.with(verdict).count();
        let (runs, unknown) = (number(Verdict::Runs), number(Verdict::Unknown));
        let mut parts = vec![format!("{} cached", count(number(Verdict::Cached), "step"))];
        if runs > 0 {
            let (known, unmeasured) = image.prediction.seconds();
            let about = if unmeasured < runs { format!(" (about {})", seconds(known)) } else { String::new() };
            parts.push(format!("{runs} to run{about}"));
        }
        if unknown > 0 {
            parts.push(format!("{unknown} unknown"));
        }
        text += format_args!("{}  {}\n", image.name, parts.join(", "));
        if !steps.is_empty() && steps.iter().all(|step| step.reasons == [kiln::predict::MissReason::FirstBuild]) && !args.all {
            match &args.since {
                Some(revision) => text += format_args!("  there was no `{}` at {revision}: every step runs\n", image.dockerfile),
                None => text += format_args!("  no earlier build is known: every step runs\n"),
            }
            continue;
        }
        for step in steps.iter().filter(|step| args.all || step.verdict != Verdict::Cached) {
            let verdict = match step.verdict {
                Verdict::Cached => "cached",
                Verdict::Runs => "runs",
                Verdict::Unknown => "unknown",
            };
            let time = step.seconds_estimate.map(|time| format!("  {}", seconds(time))).unwrap_or_default();
            text += format_args!(
                "  {verdict:<8}{}:{}  {}{time}\n",
                image.dockerfile,
                step.place.line,
                sentence::short(&step.instruction)
            );
            if !step.reasons.is_empty() {
                text += format_args!("          {}\n", sentence::reasons(&step.reasons));
            }
        }
    }
    text.finish()
}

/// Shows the prediction again whenever it is another, until interrupted.
fn watch(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let mut shown: Option<Result<Vec<Foreseen>, String>> = None;
    // What the engine has changes with builds and prunings, not with edits: it is asked now and then.
    let mut cache: Option<(Instant, SystemTime, Option<Vec<String>>)> = None;
    while !context.cancel.is_set() {
        let models = std::fs::metadata(context.project.join(".kiln/models")).and_then(|folder| folder.modified());
        let models = models.unwrap_or(SystemTime::UNIX_EPOCH);
        let known = cache.take().filter(|(asked, then, _)| *then == models && asked.elapsed() < ASK_AGAIN);
        let (asked, _, descriptions) =
            known.unwrap_or_else(|| (Instant::now(), models, self::cache(args, context.cancel.clone())));
        let now = look(context, args).map_err(|error| error.message);
        let now = now.map(|all| all.into_iter().map(|looked| looked.compare(descriptions.as_deref())).collect::<Vec<_>>());
        cache = Some((asked, models, descriptions));
        if shown.as_ref() != Some(&now) {
            match &now {
                Ok(foreseen) => {
                    if !context.ui.clear() && shown.is_some() && !context.ui.json {
                        context.ui.data("\n");
                    }
                    show(context, args, foreseen);
                }
                // Files are half written while one edits: the next look may be better.
                Err(message) => context.ui.warn(message),
            }
            shown = Some(now);
        }
        thread::sleep(PAUSE);
    }
    Err(CommandError::new(Kind::Interrupted, "interrupted"))
}
