//! Which line of a Dockerfile a step stands on, where the engine does not tell: counted as BuildKit counts.

use crate::event::{StepKind, StepName};

/// The stages of a Dockerfile and where their steps stand.
#[derive(Debug)]
pub(super) struct Lines(Vec<Stage>);

impl Lines {
    pub(super) fn of(dockerfile: &str) -> Self {
        Self(stages(dockerfile))
    }

    /// Line of a step, from 1; none if the keyword there is not the step's.
    pub(super) fn find(&self, name: &StepName) -> Option<u32> {
        let StepKind::Stage { stage, index, .. } = &name.kind else { return None };
        let stage = match stage {
            Some(name) => self.0.iter().find(|stage| stage.name.eq_ignore_ascii_case(name))?,
            None => self.0.first().filter(|_| self.0.len() == 1)?,
        };
        let instruction = stage.steps.get(usize::try_from(*index).ok()?.checked_sub(1)?)?;
        name.keyword().is_some_and(|keyword| keyword == instruction.keyword).then_some(instruction.line)
    }

    /// Name of the step that stands on a line, if the engine called it by another one: builds that run at the same time share
    /// equal steps, and with them the name that the first of them gave.
    pub(super) fn correct(&self, name: &StepName, line: u32) -> Option<String> {
        let StepKind::Stage { platform, stage, .. } = &name.kind else { return None };
        let (found, position) = self.0.iter().find_map(|stage| {
            let position = stage.steps.iter().position(|step| step.line == line)?;
            Some((stage, position))
        })?;
        let total = u32::try_from(found.steps.len()).ok()?;
        let index = u32::try_from(position).ok()? + 1;
        let one_stage = stage.is_none() && self.0.len() == 1;
        let same_stage = one_stage || stage.as_deref().is_some_and(|stage| stage.eq_ignore_ascii_case(&found.name));
        if same_stage && name.position() == Some((index, total)) {
            return None;
        }
        let platform = platform.as_ref().map(|platform| format!("{platform} ")).unwrap_or_default();
        Some(format!("[{platform}{} {index}/{total}] {}", found.name, name.text))
    }
}

/// An instruction that makes a step.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Instruction {
    line: u32,
    keyword: String,
}

#[derive(Debug)]
struct Stage {
    name: String,
    steps: Vec<Instruction>,
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
                let steps = if inherits { Vec::new() } else { vec![Instruction { line, keyword }] };
                stages.push(Stage { name, steps });
            }
            "RUN" | "COPY" | "ADD" | "WORKDIR" => {
                if let Some(stage) = stages.last_mut() {
                    stage.steps.push(Instruction { line, keyword });
                }
            }
            _ => {}
        }
    }
    stages
}

/// First line (from 1) and text of each instruction, continuation lines joined, here-documents skipped.
fn instructions(dockerfile: &str) -> Vec<(u32, String)> {
    let mut instructions = Vec::new();
    let mut lines = (1u32..).zip(dockerfile.lines());
    while let Some((number, first)) = lines.next() {
        let first = first.trim();
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let mut text = first.to_owned();
        while let Some(head) = text.strip_suffix('\\').map(str::to_owned) {
            // Comments and blank lines do not end a continuation.
            let Some((_, next)) = lines.find(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with('#')) else { break };
            text = format!("{head}{}", next.trim_end());
        }
        let heredocs: Vec<String> = heredocs(&text);
        for delimiter in heredocs {
            for (_, line) in lines.by_ref() {
                if line.trim_start_matches('\t') == delimiter {
                    break;
                }
            }
        }
        instructions.push((number, text));
    }
    instructions
}

/// Delimiters of the here-documents that an instruction opens.
fn heredocs(text: &str) -> Vec<String> {
    let keyword = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    if !matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let openings = text
        .split_whitespace()
        .filter_map(|word| word.split_once("<<"))
        .filter(|(before, _)| before.chars().all(|c| c.is_ascii_digit()));
    let names = openings.map(|(_, name)| name.trim_start_matches('-').trim_matches(['"', '\'']).to_owned());
    names.filter(|name| name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')).collect()
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
            assert_eq!(lines.find(&StepName::parse(name)), line, "{name}");
        }
    }

    #[test]
    fn names_that_another_build_gave_are_corrected() {
        let lines = Lines::of("FROM debian AS chef\nRUN a\nRUN b\nFROM chef AS builder\nRUN c\n");
        let correct = |name, line| lines.correct(&StepName::parse(name), line);
        assert_eq!(correct("[chef 3/3] RUN b", 3), None);
        assert_eq!(correct("[other 7/9] RUN b", 3).as_deref(), Some("[chef 3/3] RUN b"));
        assert_eq!(correct("[linux/arm64 other 7/9] RUN c", 5).as_deref(), Some("[linux/arm64 builder 1/1] RUN c"));
        assert_eq!(correct("[other 7/9] RUN b", 77), None);
    }
}
