//! Runs builds side by side: one thread each; events come together here, where they are shown and recorded.

use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use kiln::engine::{Engine, EngineError, EngineInfo, Outcome};
use kiln::event::{BuildEvent, BuildState, StepStatus};
use kiln::predict::Miss;
use kiln::process::Cancel;
use kiln::record::{Edited, End, Ending, GitHead, Header, History, Limits, RECORD_SCHEMA, RecordError, Recorder, prune};
use kiln::seed::Pin;

use super::jobs::Job;
use super::seeds::without_lost_seed;
use crate::commands::Context;
use crate::ui::progress::{Progress, View};

/// How often the display moves on when nothing happens.
const TICK: Duration = Duration::from_millis(100);
/// After this time the engine is checked even if nothing is known.
const PATIENCE: Duration = Duration::from_secs(2);

/// What all builds of one command share.
#[derive(Debug)]
pub(super) struct Session<'a, E> {
    pub(super) engine: &'a E,
    /// The same engine; its check is not cancelled with the builds.
    pub(super) checker: &'a E,
    pub(super) context: &'a Context,
    /// Ends the check.
    pub(super) check_cancel: &'a Cancel,
    /// Ends all builds.
    pub(super) group: &'a Cancel,
    pub(super) keep_going: bool,
    /// The project.
    pub(super) root: Utf8PathBuf,
    /// Folder of the records.
    pub(super) records: Utf8PathBuf,
    /// Hash of the plan.
    pub(super) plan: String,
    pub(super) builder: Option<String>,
    pub(super) git: Option<GitHead>,
}

/// How all builds went.
#[derive(Debug)]
pub(super) struct Builds {
    pub(super) builds: Vec<Build>,
    /// What the engine lacks.
    pub(super) lack: Option<EngineError>,
    /// What it is, if it was asked: always when a build failed and nothing is lacking.
    pub(super) engine: Option<EngineInfo>,
    pub(super) seconds: f64,
}

impl Builds {
    pub(super) fn failed(&self) -> usize {
        self.builds.iter().filter(|build| build.result.is_err()).count()
    }
}

/// How one build went.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) job: Job,
    pub(super) state: BuildState,
    pub(super) seconds: f64,
    pub(super) result: Result<Outcome, EngineError>,
    /// Its record, if it has one.
    pub(super) record: Option<Utf8PathBuf>,
    /// The steps that ran, with the reasons.
    pub(super) misses: Vec<Miss>,
}

/// A build that goes on.
#[derive(Debug)]
struct Running {
    begun: Instant,
    recorder: Option<Recorder>,
    end: Option<(f64, Result<Outcome, EngineError>)>,
}

/// Whether the engine was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    NotYet,
    Running,
    Done,
}

/// Whether the engine is worth a check: a step works, a build failed, or it takes long.
fn is_due(begun: Instant, views: &[View]) -> bool {
    let works = |view: &View| {
        view.state
            .steps()
            .iter()
            .any(|step| step.name.position().is_some() && !step.name.is_from() && step.status() == StepStatus::Running)
    };
    let failed = |view: &View| matches!(view.ended, Some((_, false)));
    begun.elapsed() > PATIENCE || views.iter().any(|view| failed(view) || works(view))
}

enum Message {
    Event(usize, BuildEvent),
    Ended(usize, Result<Outcome, EngineError>),
    /// The seed of a build could not be had: it goes on without.
    SeedLost(usize, EngineError),
    Checked(Result<EngineInfo, EngineError>),
}

impl<E: Engine> Session<'_, E> {
    /// Runs all builds to their end.
    ///
    /// The engine is checked while they run, once they are seen to have work to do or trouble: an unchanged build pays nothing for
    /// it, and when something is wrong, the builds are stopped.
    pub(super) fn run(&self, mut jobs: Vec<Job>, display: &mut dyn Progress) -> Builds {
        let begun = Instant::now();
        let mut views: Vec<View> = jobs.iter().map(|job| View::new(&job.service, job.variant)).collect();
        for (view, job) in views.iter_mut().zip(&jobs) {
            view.history = History::read(&self.records, &job.service, job.variant);
        }
        let mut running: Vec<Running> =
            jobs.iter().map(|job| Running { begun, recorder: self.recorder(job), end: None }).collect();
        let (mut lack, mut engine) = (None, None);
        let mut lost: Vec<usize> = Vec::new();
        let (sender, receiver) = mpsc::channel();
        // Beside the builds: it costs them nothing, and what is not known when they end is left out.
        let edited = OnceLock::new();
        thread::scope(|scope| {
            if self.git.is_some() {
                scope.spawn(|| Edited::look(&self.root, self.check_cancel).map(|found| edited.set(found)));
            }
            for (index, job) in jobs.iter().enumerate() {
                let sender = sender.clone();
                scope.spawn(move || self.build(index, job, &sender));
            }
            let mut check = Check::NotYet;
            loop {
                if check == Check::NotYet && is_due(begun, &views) && !self.context.cancel.is_set() {
                    let sender = sender.clone();
                    scope.spawn(move || sender.send(Message::Checked(self.checker.check())));
                    check = Check::Running;
                }
                // A successful build does not wait for the check, a failed one does.
                let failed = views.iter().any(|view| matches!(view.ended, Some((_, false))));
                if views.iter().all(|view| view.ended.is_some()) && !(failed && check == Check::Running) {
                    break;
                }
                match receiver.recv_timeout(TICK) {
                    Ok(Message::Event(index, event)) => {
                        views[index].state.apply(&event);
                        self.record(&mut running[index], &views[index].state, &event);
                        display.event(&views, index, &event);
                    }
                    Ok(Message::Ended(index, result)) => {
                        let seconds = running[index].begun.elapsed().as_secs_f64();
                        views[index].ended = Some((seconds, result.is_ok()));
                        display.ended(&views, index);
                        if result.is_err() && !self.keep_going {
                            self.group.set();
                        }
                        running[index].end = Some((seconds, result));
                    }
                    Ok(Message::SeedLost(index, error)) => {
                        self.context.ui.warn(&format!("{}: going on without its seed: {error}", jobs[index].service));
                        lost.push(index);
                    }
                    Ok(Message::Checked(found)) => {
                        check = Check::Done;
                        match found {
                            Ok(info) => engine = Some(info),
                            Err(EngineError::Interrupted) => {}
                            Err(error) => {
                                lack = Some(error);
                                self.group.set();
                            }
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                display.tick(&views);
            }
            self.check_cancel.set();
        });
        for index in lost {
            if let Some(seed) = &mut jobs[index].seed {
                seed.pin = Pin::scratch();
            }
        }
        let ended = jobs
            .into_iter()
            .zip(views)
            .zip(running)
            .map(|((job, view), build)| self.end(job, view, build, edited.get()))
            .collect();
        self.prune();
        Builds { builds: ended, lack, engine, seconds: begun.elapsed().as_secs_f64() }
    }

    fn build(&self, index: usize, job: &Job, sender: &Sender<Message>) {
        // The receiver outlives all senders, except when kiln is about to end anyway.
        let mut tell = |event| drop(sender.send(Message::Event(index, event)));
        let mut result = self.engine.build(&job.request, &mut tell);
        if let Err(error) = result {
            let request = without_lost_seed(job, &error);
            result = match request {
                Some(request) => {
                    let _ = sender.send(Message::SeedLost(index, error));
                    self.engine.build(&request, &mut tell)
                }
                None => Err(error),
            };
        }
        let _ = sender.send(Message::Ended(index, result));
    }

    fn recorder(&self, job: &Job) -> Option<Recorder> {
        let header = Header {
            schema: RECORD_SCHEMA,
            kiln: env!("CARGO_PKG_VERSION").to_owned(),
            plan: self.plan.clone(),
            service: job.service.clone(),
            variant: job.variant,
            image: job.image.clone(),
            dockerfile: job.dockerfile.clone(),
            target: job.request.target.clone(),
            builder: self.builder.clone(),
            git: self.git.clone(),
            started: Timestamp::now(),
        };
        Recorder::create(&self.records, header).map_err(|error| self.not_recorded(&error)).ok()
    }

    fn record(&self, build: &mut Running, state: &BuildState, event: &BuildEvent) {
        let written = build.recorder.as_mut().map_or(Ok(()), |recorder| recorder.observe(state, event));
        if let Err(error) = written {
            self.not_recorded(&error);
            build.recorder = None;
        }
    }

    fn end(&self, job: Job, view: View, build: Running, edited: Option<&Edited>) -> Build {
        let (seconds, mut result) = build.end.unwrap_or((build.begun.elapsed().as_secs_f64(), Err(EngineError::Interrupted)));
        if let Ok(Outcome { id: Some(id), size }) = &mut result {
            *size = size.or_else(|| view.history.size(id));
        }
        let (ending, outcome) = match &result {
            Ok(outcome) => (Ending::Succeeded, outcome.clone()),
            Err(EngineError::Build(_)) => (Ending::Failed, Outcome::default()),
            Err(EngineError::Interrupted) => (Ending::Interrupted, Outcome::default()),
            Err(_) => (Ending::Engine, Outcome::default()),
        };
        let end = End {
            ending,
            seconds: (seconds * 1000.0).round() / 1000.0,
            id: outcome.id,
            size: outcome.size,
            context_bytes: view.state.context_bytes(),
            edited: edited.cloned(),
            error: result.as_ref().err().map(ToString::to_string),
            warnings: view.state.warnings.clone(),
        };
        let record = build.recorder.as_ref().map(|recorder| recorder.path().to_owned());
        if let Some(Err(error)) = build.recorder.map(|recorder| recorder.finish(&view.state, end)) {
            self.not_recorded(&error);
        }
        Build { job, state: view.state, seconds, result, record, misses: Vec::new() }
    }

    fn prune(&self) {
        if let Err(error) = prune(&self.records, Limits::default(), Timestamp::now()) {
            self.not_recorded(&error);
        }
    }

    /// Observing never breaks building.
    fn not_recorded(&self, error: &RecordError) {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        self.context.ui.warn(&format!("{error}{cause}"));
    }
}
