//! Builds before and after edits, and what was predicted for them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::{BuildRequest, BuildSecret, Buildx, Engine as _, Output, SecretSource};
use kiln::event::BuildState;
use kiln::predict::{ImageFacts, Model, Subject, inspect, predict};
use kiln::process::Cancel;

use super::edits::{Edit, Folders, What, edit};
use super::random::Random;
use super::score::Score;
use super::server::serve;
use super::state::{Around, State};
use crate::support::{command, environment, this_run};

const IMAGE: &str = "debian:bookworm-slim";

/// How many builds of a chain follow the first.
const CHAIN: usize = 9;

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
        // A builder apart from the engine has them from a registry.
        let registry = environment("KILN_TEST_BASES");
        let outputs: &[Output] = if registry.is_some() { &[Output::Load, Output::Push] } else { &[Output::Load] };
        let registry = registry.unwrap_or_default();
        let (other, onbuild) = (format!("{registry}kiln-test-other:{run}"), format!("{registry}kiln-test-onbuild:{run}"));
        let folders = Folders { context: root.join("images"), extra: root.join("images-extra") };
        fs::create_dir_all(&folders.context).expect("a folder");
        let around =
            Around { image: IMAGE.to_owned(), other: other.clone(), onbuild: onbuild.clone(), url: serve(), parents: false };
        let merges = info.containerd_store || !engine.builder_info().expect("a builder").has_store();
        let mut bench = Self { engine, root: root.to_owned(), around, images: BTreeMap::new(), merges };
        let triggers = "ONBUILD COPY one.txt /onbuild/\nONBUILD RUN echo trigger\nONBUILD WORKDIR /onbuild";
        for (tag, text) in [(&other, format!("FROM {IMAGE}\nCOPY x /other\n")), (&onbuild, format!("FROM {IMAGE}\n{triggers}\n"))]
        {
            fs::write(folders.context.join("x"), "x").expect("a file");
            let request = bench.request(&bench.of(&folders, text));
            for &output in outputs {
                let request = BuildRequest { tags: vec![tag.clone()], output, ..bare(request.clone()) };
                bench.engine.build(&request, &mut |_| {}).expect("an image");
            }
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
        let (seen, error) = self.try_build(build);
        error.map_or(Ok(seen), Err)
    }

    /// Builds, as far as it goes.
    fn try_build(&self, build: &Build<'_>) -> (BuildState, Option<String>) {
        let mut seen = BuildState::new();
        let built = self.engine.build(&self.request(build), &mut |event| seen.apply(&event));
        (seen, built.err().map(|error| error.to_string()))
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
            let (seen, error) = self.try_build(&build);
            let mut model = match (model, error) {
                (Some(model), None) => model,
                (None, None) => {
                    let told = format!("refused by kiln alone: {:?}\n{}", build.build_args, build.dockerfile);
                    score.lock().expect("no panic").disagreements.push(told);
                    state = before;
                    continue;
                }
                (model, Some(_)) => {
                    score.lock().expect("no panic").failed += 1;
                    // What it did is done; but the next build is compared with one that came to its end.
                    known.extend(model.map(|mut model| {
                        model.settle(&seen, false);
                        model
                    }));
                    state = before;
                    // Files stay as they are edited: the next pair has these edits, too.
                    edits.retain(|edit| matches!(edit.what, What::Files(_) | What::Ignore));
                    continue;
                }
            };
            if !history.is_empty() {
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
