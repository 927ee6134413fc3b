//! Why a step does not come from the cache, in the terms of the repository.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::StepPlace;
use super::compare::Verdict;
use super::counterpart::Counterparts;
use super::model::{Model, ModelStep, Origin, Read};
use crate::context::{Difference, Entry, IgnoreFile, Selection, Selector, Tree};

/// Why a step runs, or may. Records keep it in this form (`kind` and the fields of the variant), and `--json` documents show it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MissReason {
    /// Files that it reads are new.
    FilesAdded {
        /// The files, relative to the context.
        paths: Vec<String>,
    },
    /// Files that it reads have other content.
    FilesChanged {
        /// The files, relative to the context.
        paths: Vec<String>,
    },
    /// Files that it reads are gone.
    FilesRemoved {
        /// The files, relative to the context.
        paths: Vec<String>,
    },
    /// Files that it reads have other permissions.
    ModesChanged {
        /// The files, relative to the context.
        paths: Vec<String>,
    },
    /// The ignore file lets other files through than before.
    IgnoreFile {
        /// The files that came or went by it.
        paths: Vec<String>,
    },
    /// A build argument has another value.
    Argument {
        /// Its name.
        name: String,
        /// The value before; absent if it had none.
        before: Option<String>,
        /// The value now; absent if it has none.
        after: Option<String>,
    },
    /// A variable of the environment has another value.
    Environment {
        /// Its name.
        name: String,
        /// The value before; absent if it had none.
        before: Option<String>,
        /// The value now; absent if it has none.
        after: Option<String>,
    },
    /// The same variables are set in another order, which counts.
    EnvironmentOrder,
    /// The instruction says something else, or is new.
    Instruction {
        /// Its text before; absent for a new one.
        before: Option<String>,
        /// Its text now; absent where one before it is gone.
        after: Option<String>,
    },
    /// What an earlier instruction sets (`WORKDIR`, `USER`, `SHELL`, platform) is another.
    Setting {
        /// Which.
        name: String,
        /// The value before.
        before: String,
        /// The value now.
        after: String,
    },
    /// It stands on or reads from another image.
    BaseImage {
        /// The image before.
        before: String,
        /// The image now.
        after: String,
    },
    /// A step that it stands on or reads from runs.
    Upstream {
        /// That step.
        #[serde(flatten)]
        place: StepPlace,
    },
    /// A step that it reads from runs, and may leave other files than before.
    UpstreamOutput {
        /// That step.
        #[serde(flatten)]
        place: StepPlace,
    },
    /// It reads a context whose files nobody has noted: some of them are new, changed or gone, or an argument of the copy is another.
    ContextContent {
        /// Name of the context; empty for the main one.
        context: String,
    },
    /// It stands on a folder of the client (`FROM` a named context), of which BuildKit keeps no result from one build to the next.
    ContextBase {
        /// Name of the context.
        context: String,
    },
    /// What it copies or mounts is not there, or is a link in a circle: a build fails at it.
    NothingThere {
        /// The paths, relative to the context.
        paths: Vec<String>,
    },
    /// No earlier build is known.
    FirstBuild,
    /// Everything is as it was, but no earlier build got as far as this step.
    NotBuilt,
    /// Everything is as it was, but the builder's cache no longer has it.
    CacheRemoved,
    /// Nothing that kiln knows of.
    Unknown,
}

/// Why a step that is not cached runs, compared with its counterpart in the latest build.
pub(super) fn reasons(
    next: &Model,
    latest: &Model,
    number: usize,
    counterparts: &Counterparts<'_>,
    verdicts: &[Verdict],
) -> Vec<MissReason> {
    let step = &next.steps[number];
    let counterpart = counterparts.of(number);
    let mut reasons = Vec::new();
    if let Some(before) = counterpart {
        own(next, latest, step, before, &mut reasons);
    } else {
        reasons.push(MissReason::Instruction { before: None, after: Some(step.text.clone()) });
    }
    let missing: Vec<String> = step.reads.iter().flat_map(|read| &read.missing).cloned().collect();
    if reasons.is_empty() && !missing.is_empty() {
        reasons.push(MissReason::NothingThere { paths: missing });
    }
    if !step.linked {
        base(latest, step, counterparts, number, verdicts, next, &mut reasons);
    }
    for (index, read) in step.reads.iter().enumerate() {
        let other = counterpart.and_then(|before| before.reads.get(index));
        match &read.origin {
            // What is known to be as before is no reason.
            Origin::Step(origin)
                if verdicts[*origin] != Verdict::Cached && !other.is_some_and(|other| is_known_to_be(read, other)) =>
            {
                push(&mut reasons, MissReason::UpstreamOutput { place: next.steps[*origin].place.clone() });
            }
            Origin::Image(image) => {
                if let Some(Origin::Image(before)) = other.map(|other| &other.origin)
                    && other.is_some_and(|other| other.origin_key != read.origin_key)
                {
                    push(&mut reasons, MissReason::BaseImage { before: before.clone(), after: image.clone() });
                }
            }
            _ => {}
        }
    }
    if reasons.is_empty() && !step.linked {
        below(next, latest, step, counterparts, verdicts, &mut reasons);
    }
    if reasons.is_empty() {
        reasons.push(without_difference(step, counterpart));
    }
    reasons
}

/// What is different about a step itself: what it does, and the files of contexts that it reads.
fn own(next: &Model, latest: &Model, step: &ModelStep, before: &ModelStep, reasons: &mut Vec<MissReason>) {
    operation(next, latest, step, before, reasons);
    for (read, other) in step.reads.iter().zip(&before.reads) {
        files(next, latest, read, other, reasons);
    }
}

/// What is different about the nearest step below that differs from the latest build, or stands on another one there. It is cached, for a
/// build before that one did the same; but nothing of what now stands on it was built there.
fn below(
    next: &Model,
    latest: &Model,
    step: &ModelStep,
    counterparts: &Counterparts<'_>,
    verdicts: &[Verdict],
    reasons: &mut Vec<MissReason>,
) {
    let mut ground = &step.base;
    while let Origin::Step(number) = ground
        && reasons.is_empty()
    {
        let step = &next.steps[*number];
        match counterparts.of(*number) {
            Some(before) => own(next, latest, step, before, reasons),
            None => reasons.push(MissReason::Instruction { before: None, after: Some(step.text.clone()) }),
        }
        if reasons.is_empty() && !step.linked {
            base(latest, step, counterparts, *number, verdicts, next, reasons);
        }
        ground = &step.base;
    }
}

/// Whether what is read from a step is certainly what was read before.
fn is_known_to_be(read: &Read, before: &Read) -> bool {
    read.content.is_some() && read.content == before.content || read.has_files_of(before)
}

/// What is to be said where nothing is seen to be different.
fn without_difference(step: &ModelStep, counterpart: Option<&ModelStep>) -> MissReason {
    if counterpart.is_some_and(|before| before.key == step.key && !before.done) {
        return MissReason::NotBuilt;
    }
    unseen(step).unwrap_or(MissReason::Unknown)
}

/// That files of a context made the difference, which nobody has noted.
pub(super) fn unseen(step: &ModelStep) -> Option<MissReason> {
    let context = step.reads.iter().find_map(|read| match &read.origin {
        Origin::Context(name) if read.content.is_none() => Some(name.clone()),
        _ => None,
    })?;
    Some(MissReason::ContextContent { context })
}

fn push(reasons: &mut Vec<MissReason>, reason: MissReason) {
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

fn base(
    latest: &Model,
    step: &ModelStep,
    counterparts: &Counterparts<'_>,
    number: usize,
    verdicts: &[Verdict],
    next: &Model,
    reasons: &mut Vec<MissReason>,
) {
    let counterpart = counterparts.of(number);
    // A step that is cached can have another key than before: what it reads was known to be the same.
    let is_before =
        |origin: usize, before: usize| counterparts.of(origin).is_some_and(|step| std::ptr::eq(step, &latest.steps[before]));
    let mut ground = &step.base;
    while let Origin::Step(number) = ground
        && verdicts[*number] == Verdict::Cached
        && next.steps[*number].linked
    {
        ground = &next.steps[*number].base;
    }
    match (ground, counterpart) {
        (Origin::Step(origin), _) if verdicts[*origin] != Verdict::Cached => {
            push(reasons, MissReason::Upstream { place: next.steps[*origin].place.clone() });
        }
        (Origin::Context(context), _) => push(reasons, MissReason::ContextBase { context: context.clone() }),
        (Origin::Image(after), Some(ModelStep { base: Origin::Image(before), base_key, .. })) if *base_key != step.base_key => {
            push(reasons, MissReason::BaseImage { before: before.clone(), after: after.clone() });
        }
        (Origin::Image(_), Some(ModelStep { base: Origin::Image(_), .. })) => {}
        (Origin::Step(origin), Some(ModelStep { base: Origin::Step(before), .. })) if is_before(*origin, *before) => {}
        // A step between is new.
        (Origin::Step(origin), Some(_)) if counterparts.of(*origin).is_none() => {
            push(reasons, MissReason::Instruction { before: None, after: Some(next.steps[*origin].text.clone()) });
        }
        (_, Some(before)) if before.base_key != step.base_key => match &before.base {
            // A step between is gone.
            Origin::Step(origin) if latest.steps[*origin].output != step.base_key => {
                let text = latest.steps[*origin].text.clone();
                push(reasons, MissReason::Instruction { before: Some(text), after: None });
            }
            origin => {
                let (before, after) = (described(origin), described(&step.base));
                push(reasons, MissReason::BaseImage { before, after });
            }
        },
        _ => {}
    }
}

fn described(origin: &Origin) -> String {
    match origin {
        Origin::Scratch => "scratch".to_owned(),
        Origin::Image(name) | Origin::Context(name) | Origin::Remote(name) => name.clone(),
        Origin::Step(_) => "another stage".to_owned(),
    }
}

/// What is different about what the step does.
fn operation(next: &Model, latest: &Model, step: &ModelStep, before: &ModelStep, reasons: &mut Vec<MissReason>) {
    let (now, then) = (&step.operation, &before.operation);
    if now == then {
        return;
    }
    let already = reasons.len();
    let environment = |model: &[(String, String)]| model.iter().cloned().collect::<BTreeMap<_, _>>();
    variables(next, latest, &environment(&then.environment), &environment(&now.environment), reasons);
    if reasons.len() == already && now.environment != then.environment {
        reasons.push(MissReason::EnvironmentOrder);
    }
    for (name, then, now) in [("WORKDIR", &then.workdir, &now.workdir), ("USER", &then.user, &now.user)] {
        if then != now {
            reasons.push(MissReason::Setting { name: name.to_owned(), before: then.clone(), after: now.clone() });
        }
    }
    if now.words == then.words && now.flags == then.flags {
        return;
    }
    if step.text != before.text {
        let instruction = MissReason::Instruction { before: Some(before.text.clone()), after: Some(step.text.clone()) };
        reasons.push(instruction);
        return;
    }
    // The same text means something else: by its variables, by the folder or shell it is in, or by its heredoc.
    let already = reasons.len();
    variables(next, latest, &before.variables, &step.variables, reasons);
    if reasons.len() > already {
        return;
    }
    let (then_text, now_text) = (then.words.join(" "), now.words.join(" "));
    let reason = match (now.kind.as_str(), step.text.contains("<<")) {
        (_, true) => MissReason::Instruction { before: Some(then_text), after: Some(now_text) },
        ("run", false) if now.words.len() > 1 && now.words.last() == then.words.last() => {
            MissReason::Setting { name: "SHELL".to_owned(), before: then_text, after: now_text }
        }
        ("workdir", false) if now.words == then.words => {
            let (before, after) = (then.flags.last().cloned(), now.flags.last().cloned());
            MissReason::Argument { name: "SOURCE_DATE_EPOCH".to_owned(), before, after }
        }
        ("run", false) => {
            let differing =
                |a: &[String], b: &[String]| a.iter().filter(|flag| !b.contains(flag)).cloned().collect::<Vec<_>>().join(" ");
            MissReason::Setting {
                name: "flags".to_owned(),
                before: differing(&then.flags, &now.flags),
                after: differing(&now.flags, &then.flags),
            }
        }
        _ => {
            let last = |words: &[String]| words.last().cloned().unwrap_or_default();
            MissReason::Setting { name: "WORKDIR".to_owned(), before: last(&then.words), after: last(&now.words) }
        }
    };
    push(reasons, reason);
}

fn variables(
    next: &Model,
    latest: &Model,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    reasons: &mut Vec<MissReason>,
) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        if before == after {
            continue;
        }
        let name = name.clone();
        let declared = next.declared.contains(&name) || latest.declared.contains(&name);
        let reason =
            if declared { MissReason::Argument { name, before, after } } else { MissReason::Environment { name, before, after } };
        push(reasons, reason);
    }
}

/// All files that decide about what selectors choose from a tree.
fn counted(tree: &Tree, selectors: &[Selector]) -> BTreeMap<String, Entry> {
    let selection = Selection::of(tree, selectors);
    let mut counted = selection.followed;
    counted.extend(selection.files);
    counted
}

/// Which files of a context make the difference.
fn files(next: &Model, latest: &Model, read: &Read, other: &Read, reasons: &mut Vec<MissReason>) {
    let (Origin::Context(name), Origin::Context(before)) = (&read.origin, &other.origin) else { return };
    if read.content == other.content {
        return;
    }
    let (Some(after), Some(before)) = (next.trees.get(name), latest.trees.get(before)) else { return };
    let (after, before) = (counted(after, &read.selectors), counted(before, &other.selectors));
    let ignore = |text: &str| IgnoreFile::parse(text).unwrap_or_default();
    let other_rules = name.is_empty() && next.ignore != latest.ignore;
    let (rules, rules_before) = if other_rules { (ignore(&next.ignore), ignore(&latest.ignore)) } else { Default::default() };
    let (mut added, mut changed, mut removed, mut mode, mut ignored) = (vec![], vec![], vec![], vec![], vec![]);
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let list = match Difference::of(before.get(path), after.get(path)) {
            None => continue,
            Some(Difference::Added) if other_rules && rules_before.excludes(path) => &mut ignored,
            Some(Difference::Removed) if other_rules && rules.excludes(path) => &mut ignored,
            Some(Difference::Added) => &mut added,
            Some(Difference::Changed) => &mut changed,
            Some(Difference::Removed) => &mut removed,
            Some(Difference::Mode) => &mut mode,
        };
        list.push(path.clone());
    }
    for (paths, reason) in [
        (changed, (|paths| MissReason::FilesChanged { paths }) as fn(Vec<String>) -> MissReason),
        (added, |paths| MissReason::FilesAdded { paths }),
        (removed, |paths| MissReason::FilesRemoved { paths }),
        (mode, |paths| MissReason::ModesChanged { paths }),
        (ignored, |paths| MissReason::IgnoreFile { paths }),
    ] {
        if !paths.is_empty() {
            push(reasons, reason(paths));
        }
    }
}
