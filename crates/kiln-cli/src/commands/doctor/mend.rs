//! `kiln doctor --fix`: rounds of looking and mending, until nothing is left to mend.

use kiln::advice::{self, Context as Facts, Finding, FixError, Original, Selection};

use super::engine::Question;
use super::verify::{Loads, rollup_configs};
use super::{Mended, changes};
use crate::commands::Context;
use crate::commands::project::look_past_errors_at;
use crate::error::{CommandError, Kind};

/// Fixes can be in each other's way, and one can bring another finding to light. More rounds than this are a defect of a rule.
const ROUNDS: usize = 8;

/// Applies fixes, after showing each difference; gives what was changed and what is found afterwards.
pub(super) fn mend(
    context: &Context,
    selection: &Selection,
    question: Option<Question>,
) -> Result<(Vec<Mended>, Vec<Finding>), CommandError> {
    let mut mended = Vec::new();
    let policy = question.and_then(|question| question.answer(context));
    for _ in 0..ROUNDS {
        let (settings, project, broken) = look_past_errors_at(&context.project)?;
        let facts = Facts::new(&project, &settings).with_broken(&broken).collected_by(policy.clone());
        let findings = advice::examine(&facts, selection);
        let changes = changes(&facts, &findings);
        if changes.is_empty() || context.cancel.is_set() {
            return Ok((mended, findings));
        }
        if context.ui.json {
            context.ui.note(&changes.diff());
        } else {
            context.ui.data(&changes.diff());
        }
        let before = rollup_configs(&project.root, changes.paths().map(|(from, _)| from), &context.cancel);
        let originals = changes.apply(&project.root).map_err(|error| fix_error(&error))?;
        let after = rollup_configs(&project.root, changes.paths().map(|(_, to)| to), &context.cancel);
        for ((_, before), (path, after)) in before.iter().zip(&after) {
            match (before, after) {
                (Loads::Yes, Loads::No(reason)) => {
                    Original::restore(&project.root, &originals).map_err(|error| fix_error(&error))?;
                    let message =
                        format!("rollup no longer loads `{path}` after the fix, so everything of this round was taken back");
                    let mut error = CommandError::new(Kind::Internal, message);
                    error.causes.push(reason.clone());
                    return Err(error.hint("please report this with the file"));
                }
                (_, Loads::Yes) => context.ui.note(&format!("rollup loads {path}")),
                (_, Loads::No(reason)) => context.ui.warn(&format!("rollup does not load `{path}` yet: {reason}")),
                (_, Loads::Unknown) => {}
            }
        }
        mended.extend(
            changes.paths().map(|(from, to)| Mended { path: from.to_owned(), renamed_to: (from != to).then(|| to.to_owned()) }),
        );
    }
    let rounds = format!("fixes still bring new findings after {ROUNDS} rounds");
    Err(CommandError::new(Kind::Internal, rounds).hint("what was written so far is shown above; please report it"))
}

fn fix_error(error: &FixError) -> CommandError {
    let kind = if matches!(error, FixError::Invalid { .. }) { Kind::Internal } else { Kind::User };
    let message = CommandError::from_error(kind, error);
    match error {
        FixError::Changed { .. } => message.hint("run `kiln doctor --fix` again"),
        FixError::Write(_) | FixError::Remove { .. } => {
            message.hint("make the folder writable and run `kiln doctor --fix` again")
        }
        FixError::Invalid { .. } => message.hint("please report this with the file"),
    }
}
