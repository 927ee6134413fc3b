//! Builds before and after edits, and what was predicted for them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::{BuildRequest, BuildSecret, Buildx, Engine as _, Output, SecretSource};
use kiln::event::{BuildState, StepStatus};
use kiln::predict::{ImageFacts, MissReason, Model, Prediction, Subject, Told, Verdict, inspect, predict};
use kiln::process::Cancel;

use super::edits::{Edit, Folders, What, edit};
use super::random::Random;
use super::server::serve;
use super::state::{Around, State};
use crate::support::{command, this_run};

const IMAGE: &str = "debian:bookworm-slim";

/// How many builds of a chain follow the first.
const CHAIN: usize = 9;

/// How predictions and builds agree.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) pairs: usize,
    pub(super) agreeing: usize,
    pub(super) steps: usize,
    pub(super) unknown: usize,
    failed: usize,
    features: BTreeMap<&'static str, usize>,
    edits: BTreeMap<&'static str, usize>,
    /// Pairs with one edit whose reasons were looked at.
    single: usize,
    pub(super) disagreements: Vec<String>,
}

impl Score {
    pub(super) fn share_unknown(&self) -> f64 {
        let number = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        100.0 * number(self.unknown) / number(self.steps.max(1))
    }

    pub(super) fn summary(&self) -> String {
        let list = |map: &BTreeMap<&str, usize>| {
            map.iter().map(|(name, number)| format!("{name} {number}")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{} pairs, {} agree; {} steps, {} unknown ({:.1} %); {} pairs with one edit; {} builds failed\npairs by feature: {}\npairs by edit: {}",
            self.pairs,
            self.agreeing,
            self.steps,
            self.unknown,
            self.share_unknown(),
            self.single,
            self.failed,
            list(&self.features),
            list(&self.edits)
        )
    }
}

/// One build and all that is to be known of it.
pub(super) struct Build<'a> {
    pub(super) folders: &'a Folders,
    pub(super) dockerfile: String,
    pub(super) build_args: &'a BTreeMap<String, String>,
    pub(super) target: Option<&'a str>,
    /// Whether `--platform` names the builder's own.
    pub(super) platform: bool,
}

pub(super) struct Bench {
    engine: Buildx,
    root: Utf8PathBuf,
    pub(super) around: Around,
    images: BTreeMap<String, ImageFacts>,
    merges: bool,
}

impl Bench {
    /// Makes the images that Dockerfiles are based on, and finds out what the engine can do.
    pub(super) fn new(root: &Utf8Path) -> Self {
        let engine = Buildx::new(root.join("state"));
        let info = engine.check().expect("an engine");
        let run = this_run();
        let (other, onbuild) = (format!("kiln-test-other:{run}"), format!("kiln-test-onbuild:{run}"));
        let folders = Folders { context: root.join("images"), extra: root.join("images-extra") };
        fs::create_dir_all(&folders.context).expect("a folder");
        let around =
            Around { image: IMAGE.to_owned(), other: other.clone(), onbuild: onbuild.clone(), url: serve(), parents: false };
        let mut bench = Self { engine, root: root.to_owned(), around, images: BTreeMap::new(), merges: info.containerd_store };
        let triggers = "ONBUILD COPY one.txt /onbuild/\nONBUILD RUN echo trigger\nONBUILD WORKDIR /onbuild";
        for (tag, text) in [(&other, format!("FROM {IMAGE}\nCOPY x /other\n")), (&onbuild, format!("FROM {IMAGE}\n{triggers}\n"))]
        {
            fs::write(folders.context.join("x"), "x").expect("a file");
            let request = bench.request(&bench.of(&folders, text));
            let request = BuildRequest { tags: vec![tag.clone()], output: Output::Load, ..bare(request) };
            bench.engine.build(&request, &mut |_| {}).expect("an image");
        }
        bench.images = inspect("docker", &[IMAGE.to_owned(), other, onbuild], &Cancel::new());
        let parents = bench.request(&bench.of(&folders, "FROM scratch\nCOPY --parents x /\n".to_owned()));
        bench.around.parents = bench.engine.build(&bare(parents), &mut |_| {}).is_ok();
        bench
    }

    /// A build of nothing but a Dockerfile.
    pub(super) fn of<'a>(&self, folders: &'a Folders, dockerfile: String) -> Build<'a> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        Build { folders, dockerfile, build_args: &NONE, target: None, platform: false }
    }

    pub(super) fn folders(&self, id: &str) -> Folders {
        // BuildKit keeps its copy of a named context under the name of its folder.
        Folders { context: self.root.join(format!("context-{id}")), extra: self.root.join(format!("extra-{id}")) }
    }

    pub(super) fn model(&self, build: &Build<'_>) -> Option<Model> {
        let folders = build.folders;
        fs::write(folders.context.join("Dockerfile"), &build.dockerfile).expect("a Dockerfile");
        let subject = Subject {
            context: folders.context.clone(),
            dockerfile: folders.context.join("Dockerfile"),
            named_contexts: BTreeMap::from([("extra".to_owned(), folders.extra.clone())]),
            target: build.target.map(str::to_owned),
            build_args: build.build_args.clone(),
            images: self.images.clone(),
            merges: self.merges,
            ..Subject::default()
        };
        subject.model(None).ok()
    }

    fn request(&self, build: &Build<'_>) -> BuildRequest {
        let folders = build.folders;
        fs::write(folders.context.join("Dockerfile"), &build.dockerfile).expect("a Dockerfile");
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        BuildRequest {
            name: "pair".to_owned(),
            context: folders.context.clone(),
            dockerfile: folders.context.join("Dockerfile"),
            named_contexts: BTreeMap::from([("extra".to_owned(), folders.extra.clone())]),
            target: build.target.map(str::to_owned),
            build_args: build.build_args.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
            platforms: if build.platform { vec![format!("linux/{architecture}")] } else { Vec::new() },
            secrets: vec![BuildSecret { id: "s1".to_owned(), source: SecretSource::File(folders.secret()) }],
            output: Output::Discard,
            ..BuildRequest::default()
        }
    }

    /// Builds; the error in the engine's words.
    pub(super) fn build(&self, build: &Build<'_>) -> Result<BuildState, String> {
        let mut seen = BuildState::new();
        let built = self.engine.build(&self.request(build), &mut |event| seen.apply(&event));
        built.map(|_| seen).map_err(|error| error.to_string())
    }

    /// Chains of builds side by side until there are enough pairs.
    pub(super) fn chains(&self, seed: usize, wanted: usize, jobs: usize) -> Score {
        let score = Mutex::new(Score::default());
        let next = AtomicUsize::new(0);
        let run = this_run();
        let work = || {
            loop {
                let chain = next.fetch_add(1, Ordering::Relaxed);
                let done = score.lock().expect("no panic").pairs;
                if done >= wanted {
                    return;
                }
                assert!(chain < wanted * 3, "the engine builds nothing");
                let mut random = Random::new(seed * 1_000_003 + chain);
                self.chain(&mut random, &format!("{run}x{chain}"), CHAIN.min(wanted), &score);
            }
        };
        thread::scope(|scope| (0..jobs).map(|_| scope.spawn(work)).for_each(drop));
        score.into_inner().expect("no panic")
    }

    /// A chain of builds with edits before each; all that were built before are known.
    fn chain(&self, random: &mut Random, id: &str, length: usize, score: &Mutex<Score>) {
        let folders = self.folders(id);
        folders.fill();
        let mut state = State::new(random, &self.around, id);
        let mut known: Vec<Model> = Vec::new();
        let mut edits: Vec<Edit> = Vec::new();
        let mut history: Vec<State> = Vec::new();
        for round in 0..=length {
            let before = state.clone();
            let number = match random.below(6) {
                0 => 3,
                1 => 2,
                _ => 1,
            };
            for _ in 0..if round > 0 { number } else { 0 } {
                if random.one_in(12) && !history.is_empty() {
                    state = history[random.below(history.len())].clone();
                    edits.push(Edit {
                        kind: "an earlier Dockerfile",
                        what: What::Text,
                        told: "an earlier Dockerfile".to_owned(),
                    });
                } else {
                    edits.push(edit(random, &mut state, &folders, &self.around, round));
                }
            }
            let build = Build {
                folders: &folders,
                dockerfile: state.dockerfile(),
                build_args: &state.build_args,
                target: state.target.as_deref(),
                platform: state.platform,
            };
            let model = self.model(&build);
            let seen = self.build(&build);
            let (mut model, seen) = match (model, seen) {
                (Some(model), Ok(seen)) => (model, seen),
                (None, Ok(_)) => {
                    let told = format!("refused by kiln alone: {:?}\n{}", build.build_args, build.dockerfile);
                    score.lock().expect("no panic").disagreements.push(told);
                    state = before;
                    continue;
                }
                (_, Err(_)) => {
                    score.lock().expect("no panic").failed += 1;
                    state = before;
                    // Files stay as they are edited: the next pair has these edits, too.
                    edits.retain(|edit| matches!(edit.what, What::Files(_) | What::Ignore));
                    continue;
                }
            };
            if !known.is_empty() {
                let prediction = predict(&model, &known);
                let mut score = score.lock().expect("no panic");
                state.features().into_iter().for_each(|feature| *score.features.entry(feature).or_default() += 1);
                edits.iter().for_each(|edit| *score.edits.entry(edit.kind).or_default() += 1);
                score
                    .edits
                    .entry(if edits.len() > 1 { "several at once" } else { "one at a time" })
                    .and_modify(|n| *n += 1)
                    .or_insert(1);
                score.compare(&build, &model, &prediction, &seen, &edits);
            }
            edits.clear();
            model.settle(&seen, true);
            history.push(state.clone());
            known.insert(0, model);
        }
        let _ = fs::remove_dir_all(&folders.context);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = command("docker").args(["rmi", "--force", &self.around.other, &self.around.onbuild]).output();
    }
}

/// A request that needs nothing but its context.
fn bare(request: BuildRequest) -> BuildRequest {
    BuildRequest { named_contexts: BTreeMap::new(), secrets: Vec::new(), ..request }
}

impl Score {
    /// Counts one pair: what was predicted, and what the engine did.
    pub(super) fn compare(
        &mut self,
        build: &Build<'_>,
        model: &Model,
        prediction: &Prediction,
        seen: &BuildState,
        edits: &[Edit],
    ) {
        let told = seen.dockerfile_steps();
        let ran: Vec<&str> = model
            .steps
            .iter()
            .filter(|step| {
                told.iter().any(|told| {
                    told.final_status(true) == StepStatus::Ran
                        && Told::of_step(told).is_some_and(|told| step.place.is(&step.text, &told))
                })
            })
            // Of equal steps BuildKit shows one.
            .map(|step| step.key.as_str())
            .collect();
        let mut wrong = Vec::new();
        for (step, predicted) in model.steps.iter().zip(&prediction.steps) {
            let did_run = ran.contains(&step.key.as_str());
            self.steps += 1;
            match predicted.verdict {
                Verdict::Unknown => self.unknown += 1,
                Verdict::Runs if did_run => {}
                Verdict::Cached if !did_run => {}
                verdict => wrong.push(format!(
                    "{} {} line {} `{}`: {verdict:?}, reasons {:?}",
                    step.place.stage, step.place.index, step.place.line, step.text, predicted.reasons
                )),
            }
        }
        if let [edit] = edits {
            self.single += 1;
            wrong.extend(wrong_reasons(&edit.what, prediction));
        }
        self.pairs += 1;
        if wrong.is_empty() {
            self.agreeing += 1;
            return;
        }
        let names: Vec<String> =
            told.iter().map(|step| format!("line {:?} {} {:?}", step.line, step.name, step.final_status(true))).collect();
        let edits: Vec<&str> = edits.iter().map(|edit| edit.told.as_str()).collect();
        self.disagreements.push(format!(
            "{}\nafter {edits:#?}, args {:?}, target {:?}\n{}\n{}",
            wrong.join("\n"),
            build.build_args,
            build.target,
            build.dockerfile,
            names.join("\n")
        ));
    }
}

/// Reasons that do not fit the one edit that was made.
fn wrong_reasons(what: &What, prediction: &Prediction) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in prediction.with(Verdict::Runs) {
        for reason in &step.reasons {
            let fits = match (reason, what) {
                (MissReason::Upstream { .. } | MissReason::UpstreamOutput { .. } | MissReason::ContextBase { .. }, _) => true,
                (MissReason::Unknown | MissReason::FirstBuild | MissReason::CacheRemoved, _) | (_, What::Nothing) => false,
                (
                    MissReason::FilesAdded { paths }
                    | MissReason::FilesChanged { paths }
                    | MissReason::FilesRemoved { paths }
                    | MissReason::ModesChanged { paths },
                    What::Files(edited),
                ) => paths.iter().all(|path| edited.contains(path)),
                (_, What::Files(_)) => false,
                (MissReason::IgnoreFile { .. }, what) => *what == What::Ignore,
                (
                    MissReason::FilesAdded { paths } | MissReason::FilesChanged { paths } | MissReason::FilesRemoved { paths },
                    What::Ignore,
                ) => paths.iter().all(|path| path.ends_with(".dockerignore")),
                (_, What::Ignore) => false,
                (MissReason::Argument { name, .. }, What::Argument(given)) => name == given,
                // Text that names the argument, and what is made of it.
                (_, What::Argument(_)) => true,
                (MissReason::FilesChanged { paths }, What::Text) => paths.iter().all(|path| path == "Dockerfile"),
                (_, What::Text) => true,
            };
            if !fits {
                wrong.push(format!("`{}` does not run because of {reason:?}, but of {what:?}", step.instruction));
            }
        }
    }
    wrong
}
