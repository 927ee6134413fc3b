//! Models of the builds: what they were made of, so that the next ones can be foreseen and these explained.
//!
//! Nothing here can fail a build: what cannot be looked at or saved is a warning.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use camino::Utf8Path;
use kiln::engine::Buildx;
use kiln::predict::outputs::FolderOutputs;
use kiln::predict::{Inputs, Miss, Model, Subject, SubjectError, Verdict, inspect, known, misses, predict, save, uses_link};
use kiln::process::Cancel;
use kiln::record::{Record, append_misses};

use super::jobs::Job;
use super::session::Builds;
use crate::commands::Context;
use crate::commands::foresee::subjects;

/// What is being looked at, one for each job, while the builds run.
pub(super) struct Looking {
    jobs: Vec<(Subject, JoinHandle<Result<Inputs, SubjectError>>)>,
}

/// Begins to look at what the jobs are made of.
pub(super) fn look(jobs: &[Job], state: &Utf8Path) -> Looking {
    // Images that have a context in common have it read once.
    let memory = Arc::new(subjects::memory(state));
    let look = |job: &Job| {
        let subject = subjects::of_request(&job.request);
        let (own, memory) = (subject.clone(), Arc::clone(&memory));
        (subject, thread::spawn(move || own.inputs(Some(&memory))))
    };
    Looking { jobs: jobs.iter().map(look).collect() }
}

impl Looking {
    /// Explains the builds that are over, and keeps their models beside their records.
    pub(super) fn finish(self, context: &Context, builds: &mut Builds, engine: &Buildx, docker: &str, state: &Utf8Path) {
        let folder = subjects::models(state);
        let store_merges = builds.engine.as_ref().map(|engine| engine.containerd_store);
        let builder_merges = OnceCell::new();
        for ((subject, looking), build) in self.jobs.into_iter().zip(&mut builds.builds) {
            let Ok(inputs) = looking.join() else { continue };
            let Some(path) = build.record.clone() else { continue };
            let image = format!("{}-{}", build.job.service, build.job.variant.name());
            let earlier = known(&folder, &image).models;
            let latest = earlier.first();
            let model = inputs.and_then(|mut inputs| {
                // Only where it makes a difference is it worth a question which builder it was.
                let merges = if uses_link(&inputs.dockerfile) {
                    *builder_merges.get_or_init(|| engine.merges().ok())
                } else {
                    store_merges
                };
                inputs.merges = merges.or(latest.map(|model| model.merges)).unwrap_or_default();
                inputs.images = latest.map(|model| model.images.clone()).unwrap_or_default();
                let outputs = FolderOutputs { context: subject.context.clone() };
                let refused = |problem| SubjectError::Predict { path: subject.dockerfile.clone(), problem: Box::new(problem) };
                let mut model = Model::new(inputs.clone(), &outputs).map_err(refused)?;
                model.settle(&build.state, build.result.is_ok());
                if super::summary::ran(build).next().is_some() {
                    let images = inspect(docker, &Vec::from_iter(model.image_references()), &Cancel::new());
                    if images != inputs.images {
                        model = Model::new(Inputs { images, ..inputs }, &outputs).map_err(refused)?;
                        model.settle(&build.state, build.result.is_ok());
                    }
                }
                Ok(model)
            });
            let model = match model {
                Ok(model) => model,
                // The build has failed for the same reason, and said so.
                Err(_) if build.result.is_err() => continue,
                Err(error) => {
                    context.ui.warn(&format!("this build will not be explained: {error}"));
                    continue;
                }
            };
            if let Ok(record) = Record::load(&path) {
                build.misses = misses(&model, &earlier, &record.steps);
                if let Err(error) = append_misses(&path, &build.misses) {
                    context.ui.warn(&format!("why the steps ran is not recorded: {error}"));
                }
            }
            let name = path.file_stem().unwrap_or_default();
            if let Err(error) = save(&folder, name, &model) {
                context.ui.warn(&format!("the next build will be compared with an earlier one: {error}"));
            }
        }
    }
}

/// Keeps the model of an image of which some stages were made beforehand, so that they are foreseen to be cached.
pub(super) fn keep_stages(
    context: &Context,
    job: &Job,
    stages: &BTreeSet<String>,
    (engine, docker): (&Buildx, &str),
    state: &Utf8Path,
) {
    let folder = subjects::models(state);
    let image = format!("{}-{}", job.service, job.variant.name());
    let subject = subjects::of_request(&job.request);
    let earlier = known(&folder, &image).models;
    let made = subject.inputs(Some(&subjects::memory(state))).and_then(|mut inputs| {
        let outputs = FolderOutputs { context: subject.context.clone() };
        let refused = |problem| SubjectError::Predict { path: subject.dockerfile.clone(), problem: Box::new(problem) };
        let asked = uses_link(&inputs.dockerfile).then(|| engine.merges().ok()).flatten();
        inputs.merges = asked.unwrap_or_else(|| earlier.first().is_some_and(|latest| latest.merges));
        let model = Model::new(inputs.clone(), &outputs).map_err(refused)?;
        inputs.images = inspect(docker, &Vec::from_iter(model.image_references()), &context.cancel);
        let mut model = Model::new(inputs, &outputs).map_err(refused)?;
        model.settle_stages(stages);
        Ok(model)
    });
    let model = match made {
        Ok(model) => model,
        Err(error) => return context.ui.warn(&format!("the next build of {image} cannot be foreseen: {error}")),
    };
    // Warming again what is warm is nothing new.
    let prediction = predict(&model, &earlier);
    let mut news =
        model.steps.iter().zip(&prediction.steps).filter(|(step, known)| step.done && known.verdict != Verdict::Cached);
    if news.next().is_none() {
        return;
    }
    let name = format!("{}-{image}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ"));
    if let Err(error) = save(&folder, &name, &model) {
        context.ui.warn(&format!("the next build of {image} cannot be foreseen: {error}"));
    }
}

/// Misses that are worth a line: those with a reason of their own that took a second or more, or all of them.
pub(super) fn worth_naming(misses: &[Miss], all: bool) -> impl Iterator<Item = &Miss> {
    let first = |miss: &Miss| miss.reasons.contains(&kiln::predict::MissReason::FirstBuild);
    misses.iter().filter(move |miss| all || (miss.is_cause && miss.cost_seconds >= 1.0 && !first(miss)))
}
