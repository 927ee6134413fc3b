//! Goes through a plan: a few targets at once, each as soon as what it needs is there.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};

use super::quick::{all_warm, forget_before};
use super::{Done, Event, Mounts, Options, Stage, Status, Target, WarmPlan, Why, Work, passes, refill};
use crate::dockerfile::SEED_ARGUMENT;
use crate::engine::{BuildRequest, Engine, EngineError, Outcome, Output, StoredImage};
use crate::event::{BuildState, StepStatus};
use crate::process::Cancel;

/// How often a pause looks whether somebody interrupts.
const TICK: Duration = Duration::from_millis(20);

/// Has all targets of a plan there, or says of each why it is not; in the order of the plan.
///
/// `tell` hears what happens, by number of the target, from several threads. The engine has answered before: one that does not now went
/// away, and may come back, so [`EngineError::NotRunning`] is never the reason of anything.
///
/// # Errors
/// Nothing could be tried, because the engine does not say which images it has.
pub fn warm(
    engine: &dyn Engine,
    plan: &WarmPlan,
    options: &Options,
    cancel: &Cancel,
    tell: &(dyn Fn(usize, Event) + Sync),
) -> Result<Vec<Done>, EngineError> {
    let names: Vec<String> = plan.targets.iter().filter_map(Target::tag).map(str::to_owned).collect();
    let has_mounts = plan.targets.iter().any(|target| matches!(target.work, Work::Mounts(_)));
    let (found, mounts) = thread::scope(|scope| {
        // What the builder cannot tell now is asked again where it matters.
        let mounts = scope.spawn(|| if has_mounts { engine.cache_mounts().unwrap_or_default() } else { BTreeMap::new() });
        (engine.stored(&names), mounts.join().unwrap_or_default())
    });
    let mut found = found.map_err(EngineError::went_away)?.into_iter();
    let stored: Vec<Option<StoredImage>> =
        plan.targets.iter().map(|target| target.tag().and_then(|_| found.next().flatten())).collect();
    if let Some(done) = all_warm(engine, plan, options, &stored, &mounts, tell) {
        return Ok(done);
    }
    let images = plan.targets.iter().filter_map(|target| target.work.stage().map(|stage| stage.image + 1)).max().unwrap_or(0);
    let run = Run {
        engine,
        plan,
        options,
        cancel,
        tell,
        stored,
        mounts,
        lost_seeds: (0..images).map(|_| AtomicBool::new(false)).collect(),
        lost: AtomicBool::new(false),
        progress: Mutex::new(plan.targets.iter().map(|_| Progress::Waiting).collect()),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, plan.targets.len().max(1)) {
            scope.spawn(|| run.work());
        }
    });
    let progress = run.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(progress.into_iter().map(Progress::into_done).collect())
}

#[derive(Debug)]
enum Progress {
    Waiting,
    Running,
    Over(Box<Done>),
}

impl Progress {
    /// Whether others can count on it; nothing while that is open.
    fn is_there(&self) -> Option<bool> {
        match self {
            Self::Over(done) => Some(done.status.is_there()),
            Self::Waiting | Self::Running => None,
        }
    }

    fn into_done(self) -> Done {
        match self {
            Self::Over(done) => *done,
            // A thread that panicked has left it.
            Self::Waiting | Self::Running => skipped(Why::Interrupted),
        }
    }
}

fn skipped(why: Why) -> Done {
    Done { why: Some(why), ..Done::untried(Status::Skipped) }
}

/// What a thread does next.
enum Next {
    Work(usize),
    /// Nothing can begin before something else ends.
    Wait,
    Nothing,
}

struct Run<'a> {
    engine: &'a dyn Engine,
    plan: &'a WarmPlan,
    options: &'a Options,
    cancel: &'a Cancel,
    tell: &'a (dyn Fn(usize, Event) + Sync),
    /// What the engine had of each target at the beginning.
    stored: Vec<Option<StoredImage>>,
    /// The cache mounts that the builder had at the beginning.
    mounts: BTreeMap<String, u64>,
    /// Images whose seed could not be had: all their stages go on without, or the later ones would not find the earlier ones.
    lost_seeds: Vec<AtomicBool>,
    /// Whether the engine is gone: then nobody waits for it any more.
    lost: AtomicBool,
    progress: Mutex<Vec<Progress>>,
    changed: Condvar,
}

impl Run<'_> {
    fn progress(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut progress = self.progress();
        loop {
            match self.next(&mut progress) {
                Next::Nothing => return,
                Next::Wait => progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner),
                Next::Work(index) => {
                    progress[index] = Progress::Running;
                    drop(progress);
                    let done = self.target(index);
                    (self.tell)(index, Event::Ended { status: done.status, seconds: done.seconds });
                    progress = self.progress();
                    progress[index] = Progress::Over(Box::new(done));
                    self.changed.notify_all();
                }
            }
        }
    }

    /// The first target that can begin. Those that never can are over on the way.
    fn next(&self, progress: &mut [Progress]) -> Next {
        let (mut left, mut given_up) = (false, false);
        for index in 0..progress.len() {
            if !matches!(progress[index], Progress::Waiting) {
                continue;
            }
            let needs = &self.plan.targets[index].needs;
            let missing = needs.iter().find(|need| progress[**need].is_there() == Some(false));
            if self.cancel.is_set() {
                progress[index] = Progress::Over(Box::new(skipped(Why::Interrupted)));
                given_up = true;
            } else if let Some(missing) = missing {
                progress[index] = Progress::Over(Box::new(skipped(Why::Needs(*missing))));
                given_up = true;
            } else if needs.iter().all(|need| progress[*need].is_there() == Some(true)) {
                return Next::Work(index);
            } else {
                left = true;
            }
        }
        if given_up {
            // Others that wait see that less is left.
            self.changed.notify_all();
        }
        if left { Next::Wait } else { Next::Nothing }
    }

    /// Has one target there, with as many attempts as it may take.
    fn target(&self, index: usize) -> Done {
        let begun = Instant::now();
        (self.tell)(index, Event::Started);
        let mut done = Done::untried(Status::Warm);
        let mut pause = self.options.pause;
        loop {
            done.attempts += 1;
            let error = match self.attempt(index, &mut done) {
                Ok(status) => {
                    done.status = status;
                    break;
                }
                Err(error) => error,
            };
            let again = passes(&error) && done.attempts <= self.options.retries && !self.lost.load(Ordering::SeqCst);
            if again && !self.cancel.is_set() {
                (self.tell)(index, Event::Again { error, pause });
                self.sleep(pause);
                pause *= 2;
                continue;
            }
            if matches!(
                error,
                EngineError::NotRunning { .. } | EngineError::Disconnected { .. } | EngineError::BuilderUnreachable { .. }
            ) {
                self.lost.store(true, Ordering::SeqCst);
            }
            // A connection that broke may well be the registry's.
            let gone = matches!(error, EngineError::NotRunning { .. });
            done.status = if !gone && self.has_base(index) { Status::Kept } else { Status::Failed };
            done.why = Some(match error {
                EngineError::Interrupted => Why::Interrupted,
                error => Why::Engine(error.went_away()),
            });
            if matches!(done.why, Some(Why::Interrupted)) {
                done.status = Status::Skipped;
            }
            break;
        }
        done.seconds = begun.elapsed().as_secs_f64();
        done
    }

    /// Whether a target is a base image that the engine has already.
    fn has_base(&self, index: usize) -> bool {
        let Work::Base { platform, .. } = &self.plan.targets[index].work else { return false };
        self.stored[index].as_ref().is_some_and(|found| fits(found, platform.as_deref()))
    }

    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.cancel.is_set() {
            thread::sleep(TICK.min(pause));
        }
    }

    fn attempt(&self, index: usize, done: &mut Done) -> Result<Status, EngineError> {
        match &self.plan.targets[index].work {
            Work::Base { image, platform } => self.base(index, image, platform.as_deref(), done),
            Work::Stage(stage) => self.stage(index, stage, done),
            Work::Mounts(mounts) => self.mounts(index, mounts, done),
        }
    }

    fn base(&self, index: usize, image: &str, platform: Option<&str>, done: &mut Done) -> Result<Status, EngineError> {
        let before = self.stored[index].as_ref();
        if self.has_base(index) && !self.options.pull {
            return Ok(Status::Warm);
        }
        self.engine.pull(image, platform)?;
        // What became of it is for the table: not knowing is no failure.
        let after = self.engine.stored(&[image.to_owned()]).ok().and_then(|mut found| found.pop().flatten());
        match (before, after) {
            (Some(before), Some(after)) if before.id == after.id => Ok(Status::Warm),
            (Some(before), Some(after)) => {
                done.moved = Some((before.id.clone(), after.id));
                Ok(Status::Built)
            }
            _ => Ok(Status::Built),
        }
    }

    /// A mount that is there counts, also an empty one: some tools never write to theirs.
    fn mounts(&self, index: usize, mounts: &Mounts, done: &mut Done) -> Result<Status, EngineError> {
        let all_in = |found: &BTreeMap<String, u64>| mounts.ids.iter().all(|id| found.contains_key(id));
        if all_in(&self.mounts) {
            return Ok(Status::Warm);
        }
        // The stage was built a moment ago, or the steps of another one have filled them.
        if all_in(&self.engine.cache_mounts()?) {
            return Ok(Status::Built);
        }
        let stage = &mounts.stage;
        let nonce = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string();
        let text = refill::dockerfile(&mounts.dockerfile, stage.request.target.as_deref(), &nonce);
        // The file was read as having this stage.
        let Some(text) = text else { return Ok(Status::Warm) };
        let dockerfile = Copied::write(&self.options.folder, &stage.request, &text, &nonce)?;
        let mut request = stage.request.clone();
        request.dockerfile.clone_from(&dockerfile.0);
        request.target = Some(refill::STAGE.to_owned());
        request.tags = Vec::new();
        request.output = Output::Discard;
        if self.lost_seeds[stage.image].load(Ordering::SeqCst) {
            request.build_args.remove(SEED_ARGUMENT);
        }
        self.build(index, &request, done)?;
        Ok(Status::Built)
    }

    fn stage(&self, index: usize, stage: &Stage, done: &mut Done) -> Result<Status, EngineError> {
        let lost = &self.lost_seeds[stage.image];
        let mut request = stage.request.clone();
        if lost.load(Ordering::SeqCst) {
            request.build_args.remove(SEED_ARGUMENT);
            done.seed_lost = stage.seed.is_some();
        }
        let mut result = self.build(index, &request, done);
        if let Err(error) = &result
            && is_about_seed(stage, error)
            && request.build_args.remove(SEED_ARGUMENT).is_some()
        {
            lost.store(true, Ordering::SeqCst);
            done.seed_lost = true;
            if let Err(error) = result {
                (self.tell)(index, Event::SeedLost(error));
            }
            result = self.build(index, &request, done);
        }
        forget_before(self.engine, self.stored[index].as_ref(), &result?);
        let ran = done.state.dockerfile_steps().iter().any(|step| step.final_status(true) == StepStatus::Ran);
        Ok(if ran { Status::Built } else { Status::Warm })
    }

    /// One build, from its begin on.
    fn build(&self, index: usize, request: &BuildRequest, done: &mut Done) -> Result<Outcome, EngineError> {
        done.state = BuildState::new();
        self.engine.build(request, &mut |event| {
            done.state.apply(&event);
            (self.tell)(index, Event::Build(event));
        })
    }
}

/// A Dockerfile for one build, with the ignore file that goes by the name of the original.
#[derive(Debug)]
struct Copied(Utf8PathBuf);

impl Copied {
    fn write(folder: &Utf8Path, request: &BuildRequest, text: &str, nonce: &str) -> Result<Self, EngineError> {
        let copied = Self(folder.join(format!("{}-{nonce}.Dockerfile", request.name)));
        let failed = |source| EngineError::File { path: copied.0.clone(), source };
        fs::create_dir_all(folder).and_then(|()| fs::write(&copied.0, text)).map_err(failed)?;
        let ignore = Utf8PathBuf::from(format!("{}.dockerignore", request.dockerfile));
        if ignore.is_file() {
            fs::copy(&ignore, copied.ignore()).map_err(failed)?;
        }
        Ok(copied)
    }

    fn ignore(&self) -> Utf8PathBuf {
        format!("{}.dockerignore", self.0).into()
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(self.ignore());
    }
}

/// Whether an image is for a platform, as far as that is known: `linux/arm64` is for `linux/arm64/v8`.
pub(super) fn fits(image: &StoredImage, platform: Option<&str>) -> bool {
    let machine = |platform: &str| platform.split('/').take(2).map(str::to_owned).collect::<Vec<_>>();
    match (image.platform.as_deref(), platform) {
        (Some(found), Some(wanted)) => machine(found) == machine(wanted),
        _ => true,
    }
}

/// Whether the seed is the image that an error is about. BuildKit completes names: `shop/deps` is `docker.io/shop/deps`.
fn is_about_seed(stage: &Stage, error: &EngineError) -> bool {
    let image = error.image().and_then(|image| image.split(' ').next());
    stage.seed.as_deref().zip(image).is_some_and(|(seed, image)| image.ends_with(seed))
}
