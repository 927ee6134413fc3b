use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::*;
use crate::dockerfile::SEED_ARGUMENT;
use crate::engine::{BuildFailure, BuilderInfo, Engine, EngineInfo, ImageInfo, Outcome, Output, StoredImage};
use crate::plan::Variant;
use crate::process::Cancel;

const DOCKERFILE: &str = "ARG KILN_SEED=scratch\nFROM ${KILN_SEED} AS seed\nFROM rust:1 AS chef\nWORKDIR /kiln\nFROM chef AS deps\nRUN --mount=type=bind,from=seed,source=/,target=/s cook\nFROM chef AS builder\nRUN --mount=type=bind,from=deps,target=/deps compile\nFROM debian:slim AS runtime\nCOPY --from=builder /out /\n";

fn image(service: &str) -> Image {
    let request = BuildRequest { name: format!("{service}-prod"), ..BuildRequest::default() };
    Image { service: service.to_owned(), variant: Variant::Prod, dockerfile: DOCKERFILE.to_owned(), request }
}

fn broken() -> EngineError {
    EngineError::Disconnected { detail: "EOF".to_owned() }
}

fn failed(image: Option<&str>) -> EngineError {
    let image = image.map(str::to_owned);
    let failure = BuildFailure { message: "no".to_owned(), step: None, exit_code: Some(1), line: None, image };
    EngineError::Build(Box::new(failure))
}

/// What an engine answers to a build or pull of this name, each time.
type Script = fn(name: &str, times: usize, request: Option<&BuildRequest>) -> Result<(), EngineError>;

/// An engine that does as it is told, with steps that run unless it has them.
struct Scripted {
    script: Script,
    /// Names of what was built and pulled, in order.
    calls: Mutex<Vec<String>>,
    /// Targets of which it has all steps, and images that it has.
    has: Vec<&'static str>,
    /// How often it was asked whether it has all steps of several targets.
    asked: AtomicUsize,
    busy: AtomicUsize,
    busiest: AtomicUsize,
}

impl Scripted {
    fn new(script: Script) -> Self {
        let zero = || AtomicUsize::new(0);
        let has = vec!["rust:1", "debian:slim"];
        Self { script, calls: Mutex::default(), has, asked: zero(), busy: zero(), busiest: zero() }
    }

    fn calls(&self) -> Vec<String> {
        let mut calls = self.calls.lock().unwrap().clone();
        calls.sort();
        calls
    }

    fn call(&self, name: &str, request: Option<&BuildRequest>) -> Result<(), EngineError> {
        let times = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(name.to_owned());
            calls.iter().filter(|call| *call == name).count()
        };
        self.busiest.fetch_max(self.busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        self.busy.fetch_sub(1, Ordering::SeqCst);
        (self.script)(name, times, request)
    }
}

impl Engine for Scripted {
    fn check(&self) -> Result<EngineInfo, EngineError> {
        Err(EngineError::Unresponsive)
    }

    fn build(&self, request: &BuildRequest, events: &mut dyn FnMut(BuildEvent)) -> Result<Outcome, EngineError> {
        let name = format!("{}-{}", request.name, request.target.as_deref().unwrap_or("image"));
        self.call(&name, Some(request))?;
        let digest = "d".to_owned();
        events(BuildEvent::StepFound { digest: digest.clone(), name: "[x 1/1] RUN x".to_owned(), inputs: Vec::new() });
        if self.has.contains(&name.as_str()) {
            events(BuildEvent::StepCached { digest });
        } else {
            events(BuildEvent::StepStarted { digest: digest.clone(), at: Timestamp::UNIX_EPOCH });
            events(BuildEvent::StepFinished { digest, at: Timestamp::UNIX_EPOCH, error: None });
        }
        Ok(Outcome { id: Some(format!("id of {name}")), size: None })
    }

    fn cached(&self, requests: &[&BuildRequest]) -> Option<Vec<Outcome>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let outcome = |request: &&BuildRequest| {
            let name = format!("{}-{}", request.name, request.target.as_deref().unwrap_or("image"));
            self.has.contains(&name.as_str()).then(|| Outcome { id: Some(format!("id of {name}")), size: None })
        };
        requests.iter().map(outcome).collect()
    }

    fn image(&self, _: &str) -> Result<Option<ImageInfo>, EngineError> {
        Ok(None)
    }

    fn cache_mount(&self, _: &str) -> Result<u64, EngineError> {
        Ok(0)
    }

    fn cache_mounts(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        let calls = self.calls.lock().unwrap();
        // Steps fill their mounts.
        let filled = calls.iter().any(|call| call.ends_with("deps") || call.ends_with("refill"));
        let there = self.has.iter().filter(|name| name.starts_with("mount-")).copied();
        let mounts = there.chain(filled.then_some("mount-cargo").filter(|_| !self.has.contains(&"api-prod-deps")));
        Ok(mounts.map(|name| (name.to_owned(), 1)).collect())
    }

    fn builder_info(&self) -> Result<BuilderInfo, EngineError> {
        Err(EngineError::Unresponsive)
    }

    fn stored(&self, references: &[String]) -> Result<Vec<Option<StoredImage>>, EngineError> {
        let pulled = self.calls.lock().unwrap().clone();
        let image = |name: &String| {
            let id = format!("{name} {}", pulled.iter().filter(|call| *call == name).count());
            let there = self.has.contains(&name.as_str()) || pulled.contains(name);
            there.then(|| StoredImage { id, platform: Some("linux/amd64".to_owned()), size: None })
        };
        Ok(references.iter().map(image).collect())
    }

    fn forget(&self, id: &str) -> Result<(), EngineError> {
        self.call(&format!("forget {id}"), None)
    }

    fn pull(&self, reference: &str, _: Option<&str>) -> Result<(), EngineError> {
        self.call(reference, None)
    }
}

fn quick() -> Options {
    Options { pause: Duration::from_millis(1), ..Options::new(std::env::temp_dir().to_str().unwrap()) }
}

/// `name status attempts why`, one line for each target.
fn run(engine: &Scripted, plan: &WarmPlan, options: &Options) -> Vec<String> {
    let done = warm(engine, plan, options, &Cancel::new(), &|_, _| {}).unwrap();
    plan.targets.iter().zip(&done).map(|(target, done)| line(plan, target, done)).collect()
}

fn line(plan: &WarmPlan, target: &Target, done: &Done) -> String {
    let why = match &done.why {
        None => String::new(),
        Some(Why::Needs(other)) => format!(" needs {}", plan.targets[*other].name),
        Some(Why::Interrupted) => " interrupted".to_owned(),
        Some(Why::Engine(error)) => format!(" {error}"),
    };
    format!("{} {:?} {}{why}", target.name, done.status, done.attempts)
}

#[test]
fn each_stage_has_a_tag_and_comes_after_what_it_needs() {
    let plan = WarmPlan::new("shop", &[image("api"), image("web")], true);
    let shown: Vec<String> =
        plan.targets.iter().map(|target| format!("{} {:?} {}", target.name, target.needs, target.tag().unwrap_or("-"))).collect();
    assert_eq!(
        shown,
        [
            "rust:1 [] rust:1",
            "api-prod-chef [0] shop-cache:api-prod-chef",
            "api-prod-deps [1] shop-cache:api-prod-deps",
            "api-prod-builder [1, 2] shop-cache:api-prod-builder",
            "debian:slim [] debian:slim",
            "api-prod-runtime [3, 4] shop-cache:api-prod-runtime",
            "web-prod-chef [0] shop-cache:web-prod-chef",
            "web-prod-deps [6] shop-cache:web-prod-deps",
            "web-prod-builder [6, 7] shop-cache:web-prod-builder",
            "web-prod-runtime [8, 4] shop-cache:web-prod-runtime",
        ]
    );
}

#[test]
fn without_a_store_stages_are_cached_and_nothing_is_pulled_or_tagged() {
    let plan = WarmPlan::new("shop", &[image("api")], false);
    assert_eq!(plan.targets.len(), 4);
    for target in &plan.targets {
        let Work::Stage(stage) = &target.work else { panic!("{target:?}") };
        assert_eq!((stage.request.output, target.tag()), (Output::Discard, None));
    }
}

#[test]
fn images_for_other_platforms_are_bases_of_their_own_and_several_at_once_go_into_no_store() {
    let with = |platforms: &[&str]| {
        let mut image = image("api");
        image.request.platforms = platforms.iter().map(|name| (*name).to_owned()).collect();
        WarmPlan::new("shop", &[image], true)
    };
    let arm = with(&["linux/arm64/v8"]);
    assert_eq!(arm.targets[0].name, "rust:1 (linux/arm64/v8)");
    let engine = Scripted::new(|_, _, _| Ok(()));
    // The engine has both images, but for another machine.
    assert!(run(&engine, &arm, &quick())[0].contains("Built"));
    let both = with(&["linux/amd64", "linux/arm64"]);
    assert!(both.targets.iter().all(|target| target.kind() == TargetKind::Stage && target.tag().is_none()));
}

#[test]
fn what_is_there_is_warm_and_nothing_is_pulled() {
    let mut engine = Scripted::new(|_, _, _| Ok(()));
    engine.has.extend(["api-prod-chef", "api-prod-deps"]);
    let lines = run(&engine, &WarmPlan::new("shop", &[image("api")], true), &quick());
    assert_eq!(
        lines,
        [
            "rust:1 Warm 1",
            "api-prod-chef Warm 1",
            "api-prod-deps Warm 1",
            "api-prod-builder Built 1",
            "debian:slim Warm 1",
            "api-prod-runtime Built 1",
        ]
    );
    assert!(!engine.calls().iter().any(|call| call == "rust:1"));
}

/// Steps and tags of everything that `image("api")` needs.
const ALL: [&str; 8] = [
    "api-prod-chef",
    "api-prod-deps",
    "api-prod-builder",
    "api-prod-image",
    "shop-cache:api-prod-chef",
    "shop-cache:api-prod-deps",
    "shop-cache:api-prod-builder",
    "shop-cache:api-prod-runtime",
];

#[test]
fn when_all_is_warm_one_question_is_enough() {
    let mut engine = Scripted::new(|_, _, _| Ok(()));
    engine.has.extend(ALL);
    let plan = WarmPlan::new("shop", &[image("api")], true);
    let lines = run(&engine, &plan, &quick());
    assert!(lines.iter().all(|line| line.ends_with(" Warm 1")), "{lines:?}");
    assert_eq!(engine.asked.load(Ordering::SeqCst), 1);
    assert!(engine.calls().iter().all(|call| call.starts_with("forget ")), "{:?}", engine.calls());
    // A tag that stood for another image has moved: that image goes.
    assert!(engine.calls().contains(&"forget shop-cache:api-prod-deps 0".to_owned()), "{:?}", engine.calls());
}

#[test]
fn what_only_seems_warm_is_gone_through() {
    let with = |without: &str| {
        let mut engine = Scripted::new(|_, _, _| Ok(()));
        engine.has.extend(ALL.into_iter().filter(|name| *name != without));
        engine.has.retain(|name| *name != without);
        let lines = run(&engine, &WarmPlan::new("shop", &[image("api")], true), &quick());
        let built = lines.iter().find(|line| line.contains("Built")).cloned().unwrap_or_default();
        (engine.asked.load(Ordering::SeqCst), built)
    };
    // The tag is there, but the step's record was pruned: only the builder knows.
    assert_eq!(with("api-prod-builder"), (1, "api-prod-builder Built 1".to_owned()));
    // A missing tag or base image is seen without asking.
    assert_eq!(with("shop-cache:api-prod-deps").0, 0);
    assert_eq!(with("rust:1"), (0, "rust:1 Built 1".to_owned()));
}

#[test]
fn a_pull_asks_registries_also_when_all_is_warm() {
    let mut engine = Scripted::new(|_, _, _| Ok(()));
    engine.has.extend(ALL);
    run(&engine, &WarmPlan::new("shop", &[image("api")], true), &Options { pull: true, ..quick() });
    assert_eq!(engine.asked.load(Ordering::SeqCst), 0);
    assert!(engine.calls().contains(&"rust:1".to_owned()));
}

#[test]
fn an_engine_that_went_away_is_worth_another_try() {
    let engine = Scripted::new(|name, _, _| match name {
        "api-prod-chef" => Err(EngineError::NotRunning { detail: "no socket".to_owned() }),
        _ => Ok(()),
    });
    let plan = WarmPlan::new("shop", &[image("api")], true);
    let done = warm(&engine, &plan, &Options { retries: 0, ..quick() }, &Cancel::new(), &|_, _| {}).unwrap();
    assert!(done[1].is_transient(), "{:?}", done[1]);
    assert!(matches!(&done[1].why, Some(Why::Engine(EngineError::Disconnected { detail })) if detail == "no socket"));
}

#[test]
fn a_failure_takes_only_those_with_it_that_need_it() {
    let engine = Scripted::new(|name, _, _| if name == "api-prod-deps" { Err(failed(None)) } else { Ok(()) });
    let lines = run(&engine, &WarmPlan::new("shop", &[image("api"), image("web")], true), &quick());
    assert_eq!(
        lines,
        [
            "rust:1 Warm 1",
            "api-prod-chef Built 1",
            "api-prod-deps Failed 1 no",
            "api-prod-builder Skipped 0 needs api-prod-deps",
            "debian:slim Warm 1",
            "api-prod-runtime Skipped 0 needs api-prod-builder",
            "web-prod-chef Built 1",
            "web-prod-deps Built 1",
            "web-prod-builder Built 1",
            "web-prod-runtime Built 1",
        ]
    );
}

#[test]
fn a_base_image_that_cannot_be_had_takes_its_stages_with_it() {
    let mut engine = Scripted::new(|name, _, _| if name == "debian:slim" { Err(failed(Some("debian:slim"))) } else { Ok(()) });
    engine.has = vec!["rust:1"];
    let lines = run(&engine, &WarmPlan::new("shop", &[image("api")], true), &quick());
    assert_eq!(
        (lines[4].as_str(), lines[5].as_str()),
        ("debian:slim Failed 1 no", "api-prod-runtime Skipped 0 needs debian:slim")
    );
    assert_eq!(lines[3], "api-prod-builder Built 1");
}

#[test]
fn a_base_image_that_is_there_and_cannot_be_pulled_again_is_kept() {
    let pull = Options { pull: true, ..quick() };
    let plan = WarmPlan::new("shop", &[image("api")], true);
    let with = |script: Script, has: &[&'static str]| {
        let mut engine = Scripted::new(script);
        engine.has = has.to_vec();
        let done = warm(&engine, &plan, &pull, &Cancel::new(), &|_, _| {}).unwrap();
        let of = |name: &str| done[plan.targets.iter().position(|target| target.name == name).unwrap()].status;
        (of("debian:slim"), of("api-prod-runtime") == Status::Skipped)
    };
    let absent: Script = |name, _, _| if name == "debian:slim" { Err(failed(Some(name))) } else { Ok(()) };
    let cut: Script = |name, _, _| if name == "debian:slim" { Err(broken()) } else { Ok(()) };
    let gone: Script = |name, _, _| match name {
        "debian:slim" => Err(EngineError::NotRunning { detail: "no socket".to_owned() }),
        _ => Ok(()),
    };
    assert_eq!(with(absent, &["rust:1", "debian:slim"]), (Status::Kept, false));
    assert_eq!(with(cut, &["rust:1", "debian:slim"]), (Status::Kept, false));
    assert_eq!(with(absent, &["rust:1"]), (Status::Failed, true));
    assert_eq!(with(gone, &["rust:1", "debian:slim"]), (Status::Failed, true));
}

#[test]
fn what_may_pass_is_tried_again_and_each_pause_is_longer() {
    let engine = Scripted::new(|name, times, _| match (name, times) {
        ("api-prod-deps", 1 | 2) => Err(broken()),
        ("api-prod-builder", 1) => Err(EngineError::NotRunning { detail: "no socket".to_owned() }),
        _ => Ok(()),
    });
    let plan = WarmPlan::new("shop", &[image("api")], true);
    let pauses = Mutex::new(Vec::new());
    let done = warm(&engine, &plan, &quick(), &Cancel::new(), &|index, event| {
        if let Event::Again { pause, .. } = event {
            pauses.lock().unwrap().push((index, pause.as_millis()));
        }
    });
    let done = done.unwrap();
    assert_eq!((done[2].status, done[2].attempts), (Status::Built, 3));
    assert_eq!((done[3].status, done[3].attempts), (Status::Built, 2));
    assert_eq!(*pauses.lock().unwrap(), [(2, 1), (2, 2), (3, 1)]);
}

#[test]
fn nobody_waits_long_for_an_engine_that_is_gone() {
    let engine = Scripted::new(|name, _, _| if name.contains("prod") { Err(broken()) } else { Ok(()) });
    let plan = WarmPlan::new("shop", &[image("a"), image("b"), image("c"), image("d")], true);
    let done = warm(&engine, &plan, &Options { jobs: 1, ..quick() }, &Cancel::new(), &|_, _| {}).unwrap();
    let attempts: Vec<u32> = done.iter().filter(|done| done.status == Status::Failed).map(|done| done.attempts).collect();
    assert_eq!(attempts, [4, 1, 1, 1]);
    assert!(done.iter().all(|done| done.status != Status::Failed || done.is_transient()));
}

#[test]
fn no_more_is_done_at_once_than_was_asked_for() {
    for jobs in [1, 3] {
        let engine = Scripted::new(|_, _, _| Ok(()));
        let images: Vec<Image> = ["a", "b", "c", "d", "e", "f"].into_iter().map(image).collect();
        let lines = run(&engine, &WarmPlan::new("shop", &images, true), &Options { jobs, ..quick() });
        assert!(lines.iter().all(|line| line.contains("Built") || line.contains("Warm")), "{lines:?}");
        assert!(engine.busiest.load(Ordering::SeqCst) <= jobs);
    }
    assert_eq!(run(&Scripted::new(|_, _, _| Ok(())), &WarmPlan::default(), &quick()), Vec::<String>::new());
}

#[test]
fn a_pull_follows_tags_that_moved() {
    let engine = Scripted::new(|_, _, _| Ok(()));
    let plan = WarmPlan::new("shop", &[image("api")], true);
    let done = warm(&engine, &plan, &Options { pull: true, ..quick() }, &Cancel::new(), &|_, _| {}).unwrap();
    assert_eq!(done[0].status, Status::Built);
    assert_eq!(done[0].moved, Some(("rust:1 0".to_owned(), "rust:1 1".to_owned())));
}

#[test]
fn the_image_that_lost_its_tag_goes() {
    let mut engine = Scripted::new(|_, _, _| Ok(()));
    engine.has.push("shop-cache:api-prod-deps");
    run(&engine, &WarmPlan::new("shop", &[image("api")], true), &quick());
    let calls = engine.calls();
    let forgotten: Vec<&String> = calls.iter().filter(|call| call.starts_with("forget")).collect();
    assert_eq!(forgotten, ["forget shop-cache:api-prod-deps 0"]);
}

#[test]
fn a_seed_that_is_gone_costs_time_and_no_stage() {
    const SEED: &str = "r.example/deps@sha256:00";
    let engine = Scripted::new(|name, _, request| {
        let seeded = request.is_some_and(|request| request.build_args.contains_key(SEED_ARGUMENT));
        if seeded && name.ends_with("deps") { Err(failed(Some(SEED))) } else { Ok(()) }
    });
    let mut api = image("api");
    api.request.build_args = BTreeMap::from([(SEED_ARGUMENT.to_owned(), Some(SEED.to_owned()))]);
    let plan = WarmPlan::new("shop", &[api], true);
    assert!(!plan.targets.iter().any(|target| target.name == SEED), "a seed is no base image");
    let done = warm(&engine, &plan, &quick(), &Cancel::new(), &|_, _| {}).unwrap();
    let lost: Vec<bool> = done.iter().map(|done| done.seed_lost).collect();
    assert!(done.iter().all(|done| matches!(done.status, Status::Built | Status::Warm)), "{done:?}");
    // The stages after it must not ask for it again: their steps would be others.
    assert_eq!(lost, [false, false, true, true, false, true]);
}

#[test]
fn mounts_are_filled_only_where_no_step_has() {
    let with_mount = || {
        let mut api = image("api");
        api.dockerfile = DOCKERFILE.replace("RUN --mount", "RUN --mount=type=cache,id=mount-cargo,target=/c --mount");
        WarmPlan::new("shop", &[api], true)
    };
    let has = |names: &[&'static str]| {
        let mut engine = Scripted::new(|_, _, _| Ok(()));
        engine.has.extend(names);
        let lines = run(&engine, &with_mount(), &quick());
        let refilled = engine.calls().iter().any(|call| call.ends_with("kiln-refill"));
        (lines[3].clone(), refilled)
    };
    // The stage was built, and with it they were filled.
    assert_eq!(has(&[]), ("api-prod-deps-mounts Built 1".to_owned(), false));
    assert_eq!(has(&["api-prod-deps", "mount-cargo"]), ("api-prod-deps-mounts Warm 1".to_owned(), false));
    // The layer is there, the mount is not.
    assert_eq!(has(&["api-prod-deps"]), ("api-prod-deps-mounts Built 1".to_owned(), true));
}

#[test]
fn an_interrupt_ends_pauses_at_once() {
    let engine = Scripted::new(|name, _, _| if name == "api-prod-chef" { Err(broken()) } else { Ok(()) });
    let plan = WarmPlan::new("shop", &[image("api")], true);
    let cancel = Cancel::new();
    let begun = Instant::now();
    let options = Options { pause: Duration::from_secs(60), ..quick() };
    let done = warm(&engine, &plan, &options, &cancel, &|_, event| {
        if matches!(event, Event::Again { .. }) {
            cancel.set();
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(done.unwrap().iter().skip(1).all(|done| matches!(done.status, Status::Skipped | Status::Failed | Status::Warm)));
}
