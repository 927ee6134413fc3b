//! Which line of a Dockerfile a step stands on, where the engine does not tell: counted as BuildKit counts.

use crate::dockerfile::parse;
use crate::event::{StepKind, StepName};

/// The stages of a Dockerfile and where their steps stand.
#[derive(Debug)]
pub(super) struct Lines(Vec<Stage>);

#[derive(Debug)]
struct Stage {
    name: String,
    steps: Vec<Instruction>,
}

/// An instruction that makes a step.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Instruction {
    line: u32,
    keyword: String,
    /// On one line, with single spaces.
    text: String,
}

impl Instruction {
    /// Whether it is what a step's name says, as far as that can be told without expanding variables.
    fn is(&self, name: &StepName) -> bool {
        let text = collapse(&name.text);
        if self.keyword != "FROM" {
            return self.text == text;
        }
        // The engine adds registry and digest to the image.
        let image = text.split(' ').nth(1).unwrap_or_default();
        let image = image.split_once('@').map_or(image, |(image, _)| image);
        let written = self.text.split(' ').skip(1).find(|word| !word.starts_with("--")).unwrap_or_default();
        let written = written.split_once('@').map_or(written, |(image, _)| image);
        image == written || image.strip_suffix(written).is_some_and(|registry| registry.ends_with('/'))
    }
}

/// A step's place: its stage and its index there, both from 0.
type Place = (usize, usize);

impl Lines {
    pub(super) fn of(dockerfile: &str) -> Self {
        Self(stages(dockerfile))
    }

    /// The step's line, from 1, and its name in this build, if the engine calls it by another one: builds that run at the same
    /// time share equal steps, and with them the name that the first of them gave.
    pub(super) fn find(&self, name: &StepName) -> (Option<u32>, Option<String>) {
        let Some(place) = self.place(name) else { return (None, None) };
        (Some(self.0[place.0].steps[place.1].line), self.rename(name, place))
    }

    fn place(&self, name: &StepName) -> Option<Place> {
        let StepKind::Stage { stage, index, .. } = &name.kind else { return None };
        if is_trigger(name) {
            return None;
        }
        let number = match stage {
            Some(name) => self.0.iter().position(|stage| stage.name.eq_ignore_ascii_case(name)),
            None => (self.0.len() == 1).then_some(0),
        };
        let index = usize::try_from(*index).ok()?.checked_sub(1)?;
        let keyword = name.keyword()?;
        let counted = number.map(|number| (number, index));
        let counted =
            counted.filter(|(stage, index)| self.0[*stage].steps.get(*index).is_some_and(|step| step.keyword == keyword));
        let same = |(stage, index): &Place| self.0[*stage].steps[*index].is(name);
        counted.filter(same).or_else(|| self.places().find(same)).or(counted)
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        self.0.iter().enumerate().flat_map(|(number, stage)| (0..stage.steps.len()).map(move |index| (number, index)))
    }

    /// The same for a step whose line the engine told.
    pub(super) fn correct(&self, name: &StepName, line: u32) -> Option<String> {
        // It is said to stand on the line of `FROM`, which has a step of its own.
        if is_trigger(name) {
            return None;
        }
        let place = self.places().find(|(stage, index)| self.0[*stage].steps[*index].line == line)?;
        self.rename(name, place)
    }

    /// The name for a place, if it is not the one that the step has.
    fn rename(&self, name: &StepName, (number, index): Place) -> Option<String> {
        let StepKind::Stage { platform, stage, .. } = &name.kind else { return None };
        let found = &self.0[number];
        let (index, total) = (u32::try_from(index).ok()? + 1, u32::try_from(found.steps.len()).ok()?);
        let one_stage = stage.is_none() && self.0.len() == 1;
        let same_stage = one_stage || stage.as_deref().is_some_and(|stage| stage.eq_ignore_ascii_case(&found.name));
        if same_stage && name.position() == Some((index, total)) {
            return None;
        }
        let platform = platform.as_ref().map(|platform| format!("{platform} ")).unwrap_or_default();
        Some(format!("[{platform}{} {index}/{total}] {}", found.name, name.text))
    }
}

/// Whether a step is a trigger of the base image: `ONBUILD COPY …`. No line of the Dockerfile is its own.
fn is_trigger(name: &StepName) -> bool {
    name.text.starts_with("ONBUILD ")
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn stages(dockerfile: &str) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for (line, text) in instructions(dockerfile) {
        let mut words = text.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "FROM" => {
                let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                let base = words.first().copied().unwrap_or_default();
                let inherits = base == "scratch" || stages.iter().any(|stage| stage.name.eq_ignore_ascii_case(base));
                let name = match words.get(1..3) {
                    Some([keyword, name]) if keyword.eq_ignore_ascii_case("as") => (*name).to_owned(),
                    _ => format!("stage-{}", stages.len()),
                };
                let steps = if inherits { Vec::new() } else { vec![Instruction { line, keyword, text: collapse(&text) }] };
                stages.push(Stage { name, steps });
            }
            "RUN" | "COPY" | "ADD" | "WORKDIR" => {
                if let Some(stage) = stages.last_mut() {
                    stage.steps.push(Instruction { line, keyword, text: collapse(&text) });
                }
            }
            _ => {}
        }
    }
    stages
}

/// First line (from 1) and text of each instruction, as BuildKit reads them: continuation lines joined, here-documents left out. None of a file
/// that it refuses.
pub(crate) fn instructions(dockerfile: &str) -> Vec<(u32, String)> {
    let Ok(file) = parse::parse(dockerfile.as_bytes()) else { return Vec::new() };
    let told = |lines: parse::Lines, text: &str| (u32::try_from(lines.first).unwrap_or(u32::MAX), text.to_owned());
    let step = |step: &parse::Step| told(step.lines, &step.original);
    let mut instructions: Vec<_> = file.global_arguments.iter().map(step).collect();
    for stage in &file.stages {
        instructions.push(told(stage.lines, &stage.original));
        instructions.extend(stage.steps.iter().map(step));
    }
    instructions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_as_buildkit_counts_them() {
        let dockerfile = "# syntax=docker/dockerfile:1\nARG X=1\nFROM debian AS base\nWORKDIR /app\n\nFROM base AS deps\nENV A=b\nRUN one \\\n  # why\n  two\nRUN <<EOF\nCOPY not a step\nEOF\nCOPY a b\nFROM scratch\nCOPY --from=deps x y\n";
        let lines = Lines::of(dockerfile);
        let names = [
            ("[base 1/2] FROM docker.io/library/debian", Some(3)),
            ("[base 2/2] WORKDIR /app", Some(4)),
            ("[deps 1/3] RUN one   two", Some(8)),
            ("[deps 2/3] RUN <<EOF (COPY not a step)", Some(11)),
            ("[deps 3/3] COPY a b", Some(14)),
            ("[stage-2 1/1] COPY --from=deps x y", Some(16)),
            ("[stage-2 1/1] RUN other", None),
            ("[nowhere 1/1] RUN other", None),
            ("[internal] load build context", None),
        ];
        for (name, line) in names {
            assert_eq!(lines.find(&StepName::parse(name)), (line, None), "{name}");
        }
    }

    #[test]
    fn instructions_begin_where_buildkit_lets_them_begin() {
        let text = "# escape=`\nARG A=1\nFROM a\nRUN one `\n\n  two \\\nCOPY <<-EOF <<'B' /x\n\tRUN no step\n\tEOF\nRUN no step\nB\nONBUILD RUN x\nUSER b\n";
        let lines: Vec<_> = instructions(text).into_iter().map(|(line, text)| (line, collapse(&text))).collect();
        let expected = [
            (2, "ARG A=1"),
            (3, "FROM a"),
            (4, "RUN one two \\"),
            (7, "COPY <<-EOF <<'B' /x"),
            (12, "ONBUILD RUN x"),
            (13, "USER b"),
        ];
        assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
        assert_eq!(instructions("FROM a\nRUN <<EOF\n"), []);
    }

    #[test]
    fn names_that_another_build_gave_are_corrected() {
        let lines = Lines::of("FROM debian AS chef\nRUN a\nRUN b\nFROM chef AS builder\nRUN c\n");
        let correct = |name, line| lines.correct(&StepName::parse(name), line);
        assert_eq!(correct("[chef 3/3] RUN b", 3), None);
        assert_eq!(correct("[other 7/9] RUN b", 3).as_deref(), Some("[chef 3/3] RUN b"));
        assert_eq!(correct("[linux/arm64 other 7/9] RUN c", 5).as_deref(), Some("[linux/arm64 builder 1/1] RUN c"));
        assert_eq!(correct("[other 7/9] RUN b", 77), None);
        let find = |name| lines.find(&StepName::parse(name));
        assert_eq!(find("[other 7/9] RUN   b"), (Some(3), Some("[chef 3/3] RUN   b".to_owned())));
        assert_eq!(
            find("[base 1/9] FROM docker.io/library/debian@sha256:00").1.as_deref(),
            Some("[chef 1/3] FROM docker.io/library/debian@sha256:00")
        );
        assert_eq!(find("[base 1/9] FROM docker.io/library/notdebian"), (None, None));
        assert_eq!(find("[chef 2/3] RUN a").0, Some(2));
    }
}
