//! Misses in words.

use kiln::predict::{Miss, MissReason, Remedy, Saving, StepPlace};
use kiln::text::{count, seconds};

/// How many files are named before the rest is counted.
const NAMED: usize = 3;
/// How much of an instruction is shown.
const WIDTH: usize = 70;

/// Why a step runs, as the end of a sentence.
pub(crate) fn reason(reason: &MissReason) -> String {
    match reason {
        MissReason::FilesAdded { paths } => format!("{} new", are(paths)),
        MissReason::FilesChanged { paths } => format!("{} changed", files(paths)),
        MissReason::FilesRemoved { paths } => format!("{} removed", files(paths)),
        MissReason::ModesChanged { paths } => format!("{}: the mode changed", files(paths)),
        MissReason::IgnoreFile { paths } => format!("the ignore file lets other files through: {}", files(paths)),
        MissReason::Argument { name, before, after } => {
            format!("argument `{name}`: {}", change(before.as_deref(), after.as_deref()))
        }
        MissReason::Environment { name, before, after } => {
            format!("variable `{name}`: {}", change(before.as_deref(), after.as_deref()))
        }
        MissReason::EnvironmentOrder => "variables are set in another order".to_owned(),
        MissReason::Instruction { before: None, .. } => "the instruction is new".to_owned(),
        MissReason::Instruction { before: Some(before), after: None } => format!("`{}` before it is gone", short(before)),
        MissReason::Instruction { .. } => "its text changed".to_owned(),
        MissReason::Setting { name, before, after } => format!("{name}: {}", change(Some(before), Some(after))),
        MissReason::BaseImage { before, after } if before == after => format!("the image `{after}` is another one now"),
        MissReason::BaseImage { before, after } => format!("image `{after}` instead of `{before}`"),
        MissReason::Upstream { place } => format!("after {}", step(place)),
        MissReason::UpstreamOutput { place } => format!("reads what {} writes", step(place)),
        MissReason::ContextContent { context } if context.is_empty() => {
            "files of the context that it reads changed (which ones, the engine does not keep)".to_owned()
        }
        MissReason::ContextContent { context } => {
            format!("files of the context `{context}` that it reads changed (which ones, the engine does not keep)")
        }
        MissReason::ContextBase { context } => format!("it stands on the folder `{context}`, of which builders keep nothing"),
        MissReason::FirstBuild => "no earlier build is known".to_owned(),
        MissReason::NotBuilt => "nothing changed, but no earlier build got this far".to_owned(),
        MissReason::CacheRemoved => "nothing changed, but it is gone from the builder's cache".to_owned(),
        _ => "kiln knows of no reason".to_owned(),
    }
}

/// All reasons, in one line.
pub(crate) fn reasons(list: &[MissReason]) -> String {
    list.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// Whether a reason is only that another step runs.
pub(crate) fn is_upstream(reason: &MissReason) -> bool {
    matches!(reason, MissReason::Upstream { .. } | MissReason::UpstreamOutput { .. })
}

/// A step by stage and line.
pub(crate) fn step(place: &StepPlace) -> String {
    format!("`{}` line {}", place.stage, place.line)
}

/// An instruction in one short line.
pub(crate) fn short(instruction: &str) -> String {
    let words = instruction.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= WIDTH { words } else { words.chars().take(WIDTH - 1).chain(['…']).collect() }
}

/// One line about a step that ran on its own account.
pub(crate) fn miss(miss: &Miss) -> String {
    let causes: Vec<MissReason> = miss.reasons.iter().filter(|reason| !is_upstream(reason)).cloned().collect();
    let causes = if causes.is_empty() { &miss.reasons } else { &causes };
    let dragged = match miss.dragged_along.len() {
        0 => String::new(),
        number => format!(", with {} after it {}", count(number, "step"), seconds(miss.cost_seconds)),
    };
    format!("{} ran ({}{dragged}): {}", step(&miss.place), seconds(miss.seconds), reasons(causes))
}

/// What would help.
pub(crate) fn remedy(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Ignore { patterns } => {
            format!("ignore {} in the ignore file: no program reads it", listed(patterns))
        }
        Remedy::ManifestsFirst { install } => {
            format!("copy the manifests and the lock before the sources: {} then stays cached", step(install))
        }
        Remedy::Firewall { install } => format!(
            "the lock did not change: a stage that keeps only what decides about dependencies, as `kiln init` writes it, keeps {} cached",
            step(install)
        ),
        Remedy::NarrowerCopy { folder, reader } => {
            format!("leave `{folder}` out of this copy (`--exclude={folder}`): only {} asks for it", step(reader))
        }
        Remedy::LaterArgument { name } => format!("declare `ARG {name}` later: this step does not use it"),
        Remedy::PinImage { image } => format!("name `{image}` by its digest, so that it changes only when you say so"),
        _ => String::new(),
    }
}

/// What a remedy would have saved.
pub(crate) fn saving(saving: &Saving) -> String {
    let builds =
        if saving.of == 1 { "this build".to_owned() } else { format!("{} of the last {} builds", saving.builds, saving.of) };
    format!("that would have saved {} in {builds}", seconds(saving.seconds))
}

fn change(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("`{}` instead of `{}`", short(after), short(before)),
        (None, Some(after)) => format!("now `{}`", short(after)),
        (Some(before), None) => format!("no longer `{}`", short(before)),
        (None, None) => "changed".to_owned(),
    }
}

fn are(paths: &[String]) -> String {
    let verb = if paths.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", files(paths))
}

fn files(paths: &[String]) -> String {
    let named = listed(&paths[..paths.len().min(NAMED)]);
    match paths.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {}", count(more, "more file")),
    }
}

fn listed(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
