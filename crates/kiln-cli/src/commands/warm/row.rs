//! What became of one target, for the table and the document.

use kiln::lifecycle::warm::{Done, Stage, Status, Target, TargetKind, WarmPlan, Why, Work};

/// What became of one target.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) kind: TargetKind,
    /// `backend prod` and `deps`, for a stage.
    pub(super) place: Option<(String, String)>,
    /// Name of the image that keeps it.
    pub(super) tag: Option<String>,
    pub(super) status: Status,
    pub(super) seconds: f64,
    pub(super) attempts: u32,
    /// Why it is not there, or not there anew, in few words; all of them are in the error.
    pub(super) error: Option<String>,
    /// Ids before and now of a base image whose tag moved.
    pub(super) moved: Option<(String, String)>,
    /// Ids of cache mounts.
    pub(super) mounts: Vec<String>,
}

/// One row for each target.
pub(super) fn rows(plan: &WarmPlan, done: &[Done]) -> Vec<Row> {
    plan.targets.iter().zip(done).map(|(target, done)| row(plan, target, done)).collect()
}

fn row(plan: &WarmPlan, target: &Target, done: &Done) -> Row {
    let place = match &target.work {
        Work::Base { .. } => None,
        Work::Stage(stage) => Some((image(stage), stage.tag.stage.clone())),
        Work::Mounts(mounts) => Some((image(&mounts.stage), format!("{} mounts", mounts.stage.tag.stage))),
    };
    let error = done.why.as_ref().map(|why| match why {
        Why::Engine(error) => error.to_string(),
        Why::Needs(other) => format!("needs {}", plan.targets[*other].name),
        Why::Interrupted => "interrupted".to_owned(),
    });
    Row {
        name: target.name.clone(),
        kind: target.kind(),
        place,
        tag: target.tag().map(str::to_owned),
        status: done.status,
        seconds: done.seconds,
        attempts: done.attempts,
        error,
        moved: done.moved.clone(),
        mounts: match &target.work {
            Work::Mounts(mounts) => mounts.ids.clone(),
            Work::Base { .. } | Work::Stage(_) => Vec::new(),
        },
    }
}

fn image(stage: &Stage) -> String {
    format!("{} {}", stage.tag.service, stage.tag.variant.name())
}
