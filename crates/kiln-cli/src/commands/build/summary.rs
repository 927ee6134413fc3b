//! The end of a build: lines for people, a document for programs.

use jiff::Timestamp;
use kiln::engine::EngineError;
use kiln::event::{Step, StepStatus};
use kiln::plan::Variant;
use kiln::predict::{MissReason, Told};
use kiln::record::crates_compiled;
use kiln::text::{bytes, count, seconds};
use serde::Serialize;

use super::session::{Build, Builds};

#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    builds: Vec<BuildDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct BuildDocument<'a> {
    service: &'a str,
    variant: Variant,
    image: &'a str,
    id: Option<&'a str>,
    size: Option<u64>,
    status: &'static str,
    seconds: f64,
    local_crates_compiled: Vec<&'a str>,
    external_crates_compiled: Vec<&'a str>,
    /// Image by digest whose dependencies the cook starts with.
    seed: Option<&'a str>,
    error: Option<String>,
    /// Caches outside of the engine that were not there, or not of use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caches_not_used: Vec<CacheDocument<'a>>,
    /// Caches outside of the engine that could not be written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caches_not_written: Vec<CacheDocument<'a>>,
    steps: Vec<StepDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct CacheDocument<'a> {
    cache: &'a str,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct StepDocument<'a> {
    stage: &'a str,
    index: u32,
    instruction: &'a str,
    line: Option<u32>,
    status: StepStatus,
    seconds: f64,
    /// Why it ran; nothing where it did not, or where no model could be kept.
    reason: Option<&'a [MissReason]>,
}

/// The `--json` document.
pub(super) fn document(builds: &Builds) -> Document<'_> {
    Document { builds: builds.builds.iter().map(build_document).collect() }
}

fn build_document(build: &Build) -> BuildDocument<'_> {
    let outcome = build.result.as_ref().ok();
    let reports = || ran(build).filter_map(|step| step.cargo.as_ref());
    BuildDocument {
        service: &build.job.service,
        variant: build.job.variant,
        image: &build.job.image,
        id: outcome.and_then(|outcome| outcome.id.as_deref()),
        size: outcome.and_then(|outcome| outcome.size),
        status: match &build.result {
            Ok(_) => "built",
            Err(EngineError::Interrupted) => "interrupted",
            Err(_) => "failed",
        },
        seconds: rounded(build.seconds),
        local_crates_compiled: reports().flat_map(|report| &report.local_compiled).map(String::as_str).collect(),
        external_crates_compiled: reports().flat_map(|report| &report.external_compiled).map(String::as_str).collect(),
        seed: build.job.seed.as_ref().filter(|seed| !seed.pin.is_scratch()).map(|seed| seed.pin.as_str()),
        error: build.result.as_ref().err().map(ToString::to_string),
        caches_not_used: build.state.caches_not_used().map(|(cache, reason)| CacheDocument { cache, reason }).collect(),
        caches_not_written: build.state.caches_not_written().map(|(cache, reason)| CacheDocument { cache, reason }).collect(),
        steps: steps(build)
            .map(|(step, status)| StepDocument {
                stage: step.name.stage().unwrap_or_default(),
                index: step.name.position().unwrap_or_default().0,
                instruction: &step.name.text,
                line: step.line,
                status,
                seconds: rounded(step.seconds(Timestamp::now())),
                reason: reasons(build, step),
            })
            .collect(),
    }
}

/// Why a step ran, as far as it was explained.
fn reasons<'a>(build: &'a Build, step: &Step) -> Option<&'a [MissReason]> {
    let told = Told::of_step(step)?;
    build.misses.iter().find(|miss| miss.is(&told)).map(|miss| miss.reasons.as_slice())
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The Dockerfile's steps with what became of them.
fn steps(build: &Build) -> impl Iterator<Item = (&Step, StepStatus)> {
    let succeeded = build.result.is_ok();
    build.state.dockerfile_steps().into_iter().map(move |step| (step, step.final_status(succeeded)))
}

pub(super) fn ran(build: &Build) -> impl Iterator<Item = &Step> {
    steps(build).filter(|(_, status)| *status == StepStatus::Ran).map(|(step, _)| step)
}

/// Whether any build did any work.
pub(super) fn any_step_ran(builds: &Builds) -> bool {
    builds.builds.iter().any(|build| ran(build).next().is_some())
}

/// One line for each image, and one for all if there are several.
pub(super) fn lines(builds: &Builds) -> Vec<String> {
    let mut lines: Vec<String> = builds.builds.iter().map(line).collect();
    if builds.builds.len() > 1 {
        let built = builds.builds.iter().filter(|build| build.result.is_ok()).count();
        let of = if built == builds.builds.len() { String::new() } else { format!(" of {}", builds.builds.len()) };
        let noun = if built == 1 && of.is_empty() { "image" } else { "images" };
        lines.push(format!("{built}{of} {noun} in {}", seconds(builds.seconds)));
    }
    lines
}

fn line(build: &Build) -> String {
    let name = format!("{} {}", build.job.service, build.job.variant.name());
    let parts = match &build.result {
        Ok(outcome) => {
            let id = outcome.id.as_deref().map(|id| id.trim_start_matches("sha256:").chars().take(12).collect::<String>());
            let cached = steps(build).filter(|(_, status)| *status == StepStatus::Cached).count();
            let ran_steps = ran(build).count();
            let crates = crates_compiled(ran(build).filter_map(|step| step.cargo.as_ref()));
            let steps = format!("{} cached, {ran_steps} ran", count(cached, "step"));
            let crates = (crates > 0).then(|| format!("{} compiled", count(crates, "crate")));
            let seeded: usize = ran(build).filter_map(|step| Some(step.cargo.as_ref()?.seed.as_ref()?.used)).sum();
            let seeded = (seeded > 0).then(|| format!("{} from the seed", count(seeded, "unit")));
            vec![
                Some(build.job.image.clone()),
                id,
                outcome.size.map(bytes),
                Some(seconds(build.seconds)),
                Some(steps),
                crates,
                seeded,
            ]
        }
        Err(EngineError::Interrupted) => vec![Some(format!("stopped after {}", seconds(build.seconds)))],
        Err(_) => vec![Some(format!("failed after {}", seconds(build.seconds)))],
    };
    format!("{name}  {}", parts.into_iter().flatten().collect::<Vec<_>>().join("  "))
}
