//! The quick way through a plan of which everything is there: a look-up of images and mounts, and one question to the builder.

use std::collections::BTreeMap;
use std::time::Instant;

use super::run::fits;
use super::{Done, Event, Options, Status, Target, TargetKind, WarmPlan, Work};
use crate::engine::{BuildRequest, Engine, Outcome, StoredImage};

/// The quick way: when all that can be looked up is there, one question tells whether the builder has every step, too. `None` if
/// something is missing or may be: then each target is gone through.
pub(super) fn all_warm(
    engine: &dyn Engine,
    plan: &WarmPlan,
    options: &Options,
    stored: &[Option<StoredImage>],
    mounts: &BTreeMap<String, u64>,
    tell: &(dyn Fn(usize, Event) + Sync),
) -> Option<Vec<Done>> {
    let has = |(target, stored): (&Target, &Option<StoredImage>)| match &target.work {
        Work::Base { platform, .. } => stored.as_ref().is_some_and(|found| fits(found, platform.as_deref())) && !options.pull,
        Work::Stage(_) => stored.is_some() || target.tag().is_none(),
        Work::Mounts(own) => own.ids.iter().all(|id| mounts.contains_key(id)),
    };
    // Without images and without mounts nothing says that it may be worth asking.
    let hints = plan.targets.iter().any(|target| target.tag().is_some() || target.kind() == TargetKind::Mounts);
    if !hints || !plan.targets.iter().zip(stored).all(has) {
        return None;
    }
    let stages = || {
        plan.targets.iter().enumerate().filter_map(|(index, target)| match &target.work {
            Work::Stage(stage) => Some((index, stage)),
            Work::Base { .. } | Work::Mounts(_) => None,
        })
    };
    let begun = Instant::now();
    let requests: Vec<&BuildRequest> = stages().map(|(_, stage)| &stage.request).collect();
    let outcomes = engine.cached(&requests)?;
    for ((index, _), outcome) in stages().zip(&outcomes) {
        forget_before(engine, stored[index].as_ref(), outcome);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let done = plan.targets.iter().enumerate().map(|(index, target)| {
        let seconds = if target.kind() == TargetKind::Stage { seconds } else { 0.0 };
        tell(index, Event::Started);
        tell(index, Event::Ended { status: Status::Warm, seconds });
        Done { seconds, attempts: 1, ..Done::untried(Status::Warm) }
    });
    Some(done.collect())
}

/// Removes the image that had a stage's tag before: without a name it would only hold layers that nobody asks for.
pub(super) fn forget_before(engine: &dyn Engine, before: Option<&StoredImage>, outcome: &Outcome) {
    if let (Some(before), Some(id)) = (before, &outcome.id)
        && before.id != *id
    {
        // What stays is a matter of disk space only.
        let _ = engine.forget(&before.id);
    }
}
