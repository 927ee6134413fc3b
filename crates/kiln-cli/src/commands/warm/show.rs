//! Runs the plans of all builders side by side, shows and records what happens meanwhile.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use kiln::engine::EngineError;
use kiln::event::{BuildEvent, BuildState};
use kiln::lifecycle::known::KnownBuild;
use kiln::lifecycle::warm::{Done, Event, Options, Stage, Status, Work, warm};
use kiln::record::{End, Ending, GitHead, Header, History, Limits, RECORD_SCHEMA, RecordError, Recorder, prune};
use kiln::text::seconds;

use super::Fleet;
use crate::commands::Context;
use crate::ui::progress::{Progress, View, for_ui};

/// How often the display moves on when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// What the records say of all builds.
#[derive(Debug)]
pub(super) struct About {
    /// Folder of the records.
    pub(super) records: Utf8PathBuf,
    /// Hash of the plan.
    pub(super) plan: String,
    pub(super) git: Option<GitHead>,
}

/// Warms each builder; gives the results in their order.
pub(super) fn run(
    context: &Context,
    fleet: &[Fleet<'_>],
    options: &Options,
    about: &About,
) -> Vec<Result<Vec<Done>, EngineError>> {
    let mut display = for_ui(&context.ui);
    let mut shown = Shown::new(context, fleet, about);
    let (sender, receiver) = mpsc::channel();
    let results = thread::scope(|scope| {
        let threads: Vec<_> = fleet
            .iter()
            .enumerate()
            .map(|(number, one)| {
                let sender = sender.clone();
                scope.spawn(move || {
                    // The receiver is there until all senders are gone.
                    let tell = |index: usize, event: Event| drop(sender.send((number, index, event)));
                    warm(&one.warming.engine, &one.plan, options, &context.cancel, &tell)
                })
            })
            .collect();
        drop(sender);
        loop {
            match receiver.recv_timeout(TICK) {
                Ok((number, index, event)) => shown.take(display.as_mut(), number, index, event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            display.tick(&shown.views);
        }
        threads.into_iter().map(|thread| thread.join().unwrap_or(Err(EngineError::Interrupted))).collect()
    });
    display.close();
    if let Err(error) = prune(&about.records, Limits::default(), Timestamp::now()) {
        not_recorded(context, &error);
    }
    results
}

/// One view for each image on each builder: its stages follow one another in it.
struct Shown<'a> {
    context: &'a Context,
    fleet: &'a [Fleet<'a>],
    about: &'a About,
    views: Vec<View>,
    /// Number of a builder's first view.
    first: Vec<usize>,
    /// How many targets of each view are open.
    open: Vec<usize>,
    /// Whether all targets of each view are there so far.
    whole: Vec<bool>,
    /// The builds that go on, by builder and target.
    builds: BTreeMap<(usize, usize), Build>,
    /// What is recorded already, read when it first matters.
    known: OnceCell<Vec<KnownBuild>>,
}

/// A build that goes on, and its record.
#[derive(Debug)]
struct Build {
    view: usize,
    state: BuildState,
    recorder: Option<Recorder>,
    begun: Instant,
}

impl<'a> Shown<'a> {
    fn new(context: &'a Context, fleet: &'a [Fleet<'a>], about: &'a About) -> Self {
        let (mut views, mut first, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for one in fleet {
            first.push(views.len());
            for image in one.warming.images() {
                let service = match &one.builder {
                    Some(builder) if fleet.len() > 1 => format!("{}@{builder}", image.service),
                    _ => image.service.clone(),
                };
                let mut view = View::new(&service, image.variant);
                view.history = History::read(&about.records, &image.service, image.variant);
                open.push(
                    stages(one).filter(|stage| first.last().is_some_and(|first| first + stage.image == views.len())).count(),
                );
                views.push(view);
            }
        }
        let whole = vec![true; views.len()];
        Self { context, fleet, about, views, first, open, whole, builds: BTreeMap::new(), known: OnceCell::new() }
    }

    fn take(&mut self, display: &mut dyn Progress, number: usize, index: usize, event: Event) {
        let target = &self.fleet[number].plan.targets[index];
        match &target.work {
            Work::Base { image, .. } => self.base(display, number, index, image, event),
            Work::Stage(stage) => self.stage(display, (number, index), stage, event),
            Work::Mounts(mounts) => self.stage(display, (number, index), &mounts.stage, event),
        }
    }

    /// A base image is shown as a step of the first image that needs it.
    fn base(&mut self, display: &mut dyn Progress, number: usize, index: usize, image: &str, event: Event) {
        let one = &self.fleet[number];
        let user = one.plan.targets.iter().find_map(|target| match &target.work {
            Work::Stage(stage) if target.needs.contains(&index) => Some(stage.image),
            Work::Stage(_) | Work::Mounts(_) | Work::Base { .. } => None,
        });
        let Some(view) = user.map(|user| self.first[number] + user) else { return };
        let (digest, at) = (format!("kiln:base-{index}"), Timestamp::now());
        let events = match event {
            Event::Started => vec![
                BuildEvent::StepFound { digest: digest.clone(), name: format!("base image {image}"), inputs: Vec::new() },
                BuildEvent::StepStarted { digest, at },
            ],
            Event::Ended { .. } => vec![BuildEvent::StepFinished { digest, at, error: None }],
            Event::Again { error, pause } => return self.again(image, &error, pause),
            Event::Build(_) | Event::SeedLost(_) => return,
        };
        for event in events {
            self.views[view].state.apply(&event);
            display.event(&self.views, view, &event);
        }
    }

    fn stage(&mut self, display: &mut dyn Progress, key: (usize, usize), stage: &Stage, event: Event) {
        let view = self.first[key.0] + stage.image;
        match event {
            Event::Started => self.begin(key, view, stage),
            Event::Build(event) => {
                self.views[view].state.apply(&event);
                if let Some(build) = self.builds.get_mut(&key) {
                    build.state.apply(&event);
                    let written = build.recorder.as_mut().map(|recorder| recorder.observe(&build.state, &event));
                    if let Some(Err(error)) = written {
                        not_recorded(self.context, &error);
                        build.recorder = None;
                    }
                }
                display.event(&self.views, view, &event);
            }
            Event::Again { error, pause } => {
                self.again(&stage.tag.to_string(), &error, pause);
                self.end(key, Status::Failed);
                self.begin(key, view, stage);
            }
            Event::SeedLost(error) => {
                self.context.ui.warn(&format!("{}: going on without its seed: {error}", stage.tag));
                self.end(key, Status::Failed);
                self.begin(key, view, stage);
            }
            Event::Ended { status, .. } => {
                self.end(key, status);
                self.whole[view] &= status.is_there();
                self.open[view] -= 1;
                // Stages that are skipped never begin: what is left then ends with the last that did.
                let busy = self.builds.values().any(|build| build.view == view);
                if self.open[view] == 0 || (!self.whole[view] && !busy) {
                    let since = Timestamp::now().duration_since(self.views[view].started).as_secs_f64();
                    self.views[view].ended = Some((since, self.whole[view]));
                    display.ended(&self.views, view);
                }
            }
        }
    }

    fn begin(&mut self, key: (usize, usize), view: usize, stage: &Stage) {
        // Stages follow one another in a view; those at the same time share it.
        if !self.builds.values().any(|build| build.view == view) {
            self.views[view].state = BuildState::new();
        }
        let recorder = self.recorder(key.0, stage);
        self.builds.insert(key, Build { view, state: BuildState::new(), recorder, begun: Instant::now() });
    }

    fn again(&self, what: &str, error: &EngineError, pause: Duration) {
        let pause = seconds(pause.as_secs_f64());
        self.context.ui.warn(&format!("{what}: {error}; trying again in {pause}"));
    }

    fn recorder(&self, number: usize, stage: &Stage) -> Option<Recorder> {
        let one = &self.fleet[number];
        let header = Header {
            schema: RECORD_SCHEMA,
            kiln: env!("CARGO_PKG_VERSION").to_owned(),
            plan: self.about.plan.clone(),
            service: stage.tag.service.clone(),
            variant: stage.tag.variant,
            image: stage.request.tags.first().cloned().unwrap_or_default(),
            dockerfile: one.warming.dockerfile(stage.image).to_owned(),
            target: stage.request.target.clone().or_else(|| Some(stage.tag.stage.clone())),
            builder: one.builder.clone(),
            git: self.about.git.clone(),
            started: Timestamp::now(),
        };
        Recorder::create(&self.about.records, header).map_err(|error| not_recorded(self.context, &error)).ok()
    }

    /// Ends a build's record. One of a stage that was there, or of mounts that needed no build, says nothing, and goes. But the first of
    /// a stage stays: it tells a clean-up of another project that this one lives on what that one made.
    fn end(&mut self, key: (usize, usize), status: Status) {
        let Some(Build { state, recorder: Some(recorder), begun, .. }) = self.builds.remove(&key) else { return };
        let is_first = || {
            let stage = self.fleet[key.0].plan.targets[key.1].work.stage();
            let target = |stage: &Stage| stage.request.target.clone().unwrap_or_else(|| stage.tag.stage.clone());
            let known = self.known.get_or_init(|| KnownBuild::read(&self.about.records));
            let has = |stage: &Stage| KnownBuild::any(known, &stage.tag.service, stage.tag.variant, Some(&target(stage)));
            !stage.is_some_and(has)
        };
        let nothing = state.steps().is_empty() && status.is_there();
        if nothing || (status == Status::Warm && !is_first()) {
            let _ = fs::remove_file(recorder.path());
            return;
        }
        let ending = match status {
            Status::Built | Status::Warm | Status::Kept => Ending::Succeeded,
            Status::Failed if state.failed().is_some() => Ending::Failed,
            Status::Failed => Ending::Engine,
            Status::Skipped => Ending::Interrupted,
        };
        let end = End {
            ending,
            seconds: (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            id: None,
            size: None,
            context_bytes: state.context_bytes(),
            edited: None,
            error: None,
            warnings: state.warnings.clone(),
        };
        if let Err(error) = recorder.finish(&state, end) {
            not_recorded(self.context, &error);
        }
    }
}

fn stages<'a>(one: &'a Fleet<'_>) -> impl Iterator<Item = &'a Stage> {
    one.plan.targets.iter().filter_map(|target| target.work.stage())
}

/// Observing never breaks building.
fn not_recorded(context: &Context, error: &RecordError) {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    context.ui.warn(&format!("{error}{cause}"));
}
