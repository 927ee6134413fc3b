//! Reasons and places in words, the same in a terminal and on a page.

use super::visible::shortened;
use crate::predict::{MissReason, StepPlace};
use crate::text::count;

/// How many files are named before the rest is counted.
const NAMED: usize = 3;
/// How many characters of an instruction or a value are shown.
const WIDTH: usize = 70;
/// How many characters of a path are shown.
const PATH_WIDTH: usize = 120;

/// Why a step runs or ran, as the end of a sentence: after a colon.
#[must_use]
pub fn reason(reason: &MissReason) -> String {
    match reason {
        MissReason::FilesAdded { paths } => format!("{} {} new", files(paths), if paths.len() == 1 { "is" } else { "are" }),
        MissReason::FilesChanged { paths } => format!("{} changed", files(paths)),
        MissReason::FilesRemoved { paths } => format!("{} removed", files(paths)),
        MissReason::ModesChanged { paths } => format!("{}: the mode changed", files(paths)),
        MissReason::IgnoreFile { paths } => format!("the ignore file lets other files through: {}", files(paths)),
        MissReason::Argument { name, before, after } => {
            format!("argument {}: {}", quoted(name), change(before.as_deref(), after.as_deref()))
        }
        MissReason::Environment { name, before, after } => {
            format!("variable {}: {}", quoted(name), change(before.as_deref(), after.as_deref()))
        }
        MissReason::EnvironmentOrder => "variables are set in another order".to_owned(),
        MissReason::Instruction { before: None, .. } => "the instruction is new".to_owned(),
        MissReason::Instruction { before: Some(before), after: None } => format!("{} before it is gone", quoted(before)),
        MissReason::Instruction { .. } => "its text changed".to_owned(),
        MissReason::Setting { name, before, after } => format!("{}: {}", short(name), change(Some(before), Some(after))),
        MissReason::BaseImage { before, after } if before == after => format!("the image {} is another one now", quoted(after)),
        MissReason::BaseImage { before, after } => format!("image {} instead of {}", quoted(after), quoted(before)),
        MissReason::Upstream { place } => format!("after {}", step(place)),
        MissReason::UpstreamOutput { place } => format!("reads what {} writes", step(place)),
        MissReason::ContextContent { context } if context.is_empty() => {
            "files of the context that it reads changed (which ones, the engine does not keep)".to_owned()
        }
        MissReason::ContextContent { context } => {
            format!("files of the context {} that it reads changed (which ones, the engine does not keep)", quoted(context))
        }
        MissReason::ContextBase { context } => {
            format!("it stands on the folder {}, of which builders keep nothing", quoted(context))
        }
        MissReason::NothingThere { paths } => {
            let lead = if paths.len() == 1 { "leads" } else { "lead" };
            format!("{} {lead} to nothing in the context, so the build fails here", files(paths))
        }
        MissReason::FirstBuild => "no earlier build is known".to_owned(),
        MissReason::NotBuilt => "nothing changed, but no earlier build got this far".to_owned(),
        MissReason::CacheRemoved => "nothing changed, but it is gone from the builder's cache".to_owned(),
        MissReason::Unknown => "kiln knows of no reason".to_owned(),
    }
}

/// All reasons of a step, in one line.
#[must_use]
pub fn reasons(list: &[MissReason]) -> String {
    list.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// A step by stage and line.
#[must_use]
pub fn step(place: &StepPlace) -> String {
    format!("{} line {}", quoted(&place.stage), place.line)
}

/// An instruction or a value in one short line.
#[must_use]
pub fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(&words, WIDTH)
}

/// Some names, one after the other.
#[must_use]
pub fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{}`", shortened(name, PATH_WIDTH))).collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    format!("`{}`", short(text))
}

fn change(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("{} instead of {}", quoted(after), quoted(before)),
        (None, Some(after)) => format!("now {}", quoted(after)),
        (Some(before), None) => format!("no longer {}", quoted(before)),
        (None, None) => "changed".to_owned(),
    }
}

fn files(paths: &[String]) -> String {
    let named = listed(&paths[..paths.len().min(NAMED)]);
    match paths.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {}", count(more, "more file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_ends_of_sentences_without_control_characters() {
        let paths = |number: usize| (0..number).map(|number| format!("a{number}\u{1b}")).collect::<Vec<_>>();
        let text = |text: &str| Some(text.to_owned());
        let place = StepPlace { stage: "deps".to_owned(), index: 2, line: 7 };
        for (value, expected) in [
            (MissReason::FilesChanged { paths: paths(1) }, "`a0␛` changed"),
            (MissReason::FilesAdded { paths: paths(1) }, "`a0␛` is new"),
            (MissReason::FilesAdded { paths: paths(2) }, "`a0␛`, `a1␛` are new"),
            (MissReason::FilesRemoved { paths: paths(5) }, "`a0␛`, `a1␛`, `a2␛` and 2 more files removed"),
            (
                MissReason::Argument { name: "V".to_owned(), before: text("1"), after: text("2\n3") },
                "argument `V`: `2 3` instead of `1`",
            ),
            (MissReason::Environment { name: "V".to_owned(), before: None, after: text("2") }, "variable `V`: now `2`"),
            (MissReason::Environment { name: "V".to_owned(), before: text("2"), after: None }, "variable `V`: no longer `2`"),
            (MissReason::Upstream { place: place.clone() }, "after `deps` line 7"),
            (MissReason::UpstreamOutput { place }, "reads what `deps` line 7 writes"),
        ] {
            assert_eq!(reason(&value), expected);
        }
        assert_eq!(
            reasons(&[MissReason::FirstBuild, MissReason::EnvironmentOrder]),
            "no earlier build is known; variables are set in another order"
        );
    }
}
