//! Filling cache mounts that are gone although the steps that fill them are cached.
//!
//! Layers come from elsewhere or outlive the mounts: an imported cache has no mounts, and an engine collects them sooner. Only running a
//! step again fills its mounts. `--no-cache` would empty them first, so the step is run in a copy of its stage that differs by an argument.

use crate::engine::lines::instructions;

/// Name of the copy.
pub(super) const STAGE: &str = "kiln-refill";
const ARGUMENT: &str = "KILN_REFILL";
/// The stage that a cook starts with.
const SEED: &str = "seed";

/// The Dockerfile with a copy of a stage at its end, named [`STAGE`], whose steps run again: `nonce` differs each time. The copy of a
/// stage that takes a seed takes the stage itself as one, so that what its layer has need not be compiled again. Without a name the last
/// stage is meant. `None` if there is no such stage.
pub(super) fn dockerfile(text: &str, stage: Option<&str>, nonce: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let all = instructions(text);
    let is_from = |(_, text): &&(u32, String)| text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("FROM "));
    let starts: Vec<&(u32, String)> = all.iter().filter(is_from).collect();
    let is_wanted = |text: &str| match stage {
        Some(stage) => name(text).is_some_and(|name| name.eq_ignore_ascii_case(stage)),
        None => false,
    };
    let position = match stage {
        Some(_) => starts.iter().position(|(_, text)| is_wanted(text))?,
        None => starts.len().checked_sub(1)?,
    };
    let (line, from) = starts[position];
    let first = usize::try_from(*line).ok()?;
    // A `FROM` may go over several lines: what follows it begins with the next instruction.
    let next = all.iter().map(|(line, _)| *line).find(|other| other > line).and_then(|line| usize::try_from(line).ok());
    let end = starts.get(position + 1).and_then(|(line, _)| usize::try_from(*line).ok()).unwrap_or(lines.len() + 1);
    let body = lines.get(next.unwrap_or(lines.len() + 1).max(first + 1) - 1..end - 1)?;
    let base: Vec<&str> = from.split_whitespace().take_while(|word| !word.eq_ignore_ascii_case("as")).collect();
    let mut copy = format!("{}\n{} AS {STAGE}\nARG {ARGUMENT}={nonce}\n", text.trim_end(), base.join(" "));
    for line in body {
        let line = match stage {
            Some(stage) => line.replace(&format!("from={SEED},"), &format!("from={stage},")),
            None => (*line).to_owned(),
        };
        copy.push_str(&line);
        copy.push('\n');
    }
    Some(copy)
}

/// The name that a `FROM` gives to its stage.
fn name(from: &str) -> Option<&str> {
    let mut words = from.split_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("as"));
    words.nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ARG KILN_SEED=scratch\nFROM ${KILN_SEED} AS seed\nFROM --platform=linux/amd64 rust:1 AS chef\n# deps: more.\nFROM chef AS deps\nCOPY a b\nRUN --mount=type=bind,from=seed,source=/,target=/s \\\n    cook <<EOF\nFROM not AS deps\nEOF\nFROM scratch\nRUN last\n";

    #[test]
    fn a_copy_of_the_stage_stands_at_the_end() {
        let with = |end: &str| Some(format!("{TEXT}{end}"));
        assert_eq!(
            dockerfile(TEXT, Some("deps"), "7"),
            with(
                "FROM chef AS kiln-refill\nARG KILN_REFILL=7\nCOPY a b\nRUN --mount=type=bind,from=deps,source=/,target=/s \\\n    cook <<EOF\nFROM not AS deps\nEOF\n"
            )
        );
        assert_eq!(dockerfile(TEXT, None, "8"), with("FROM scratch AS kiln-refill\nARG KILN_REFILL=8\nRUN last\n"));
        assert_eq!(
            dockerfile(TEXT, Some("CHEF"), "9"),
            with("FROM --platform=linux/amd64 rust:1 AS kiln-refill\nARG KILN_REFILL=9\n")
        );
        assert_eq!(dockerfile(TEXT, Some("nowhere"), "7"), None);
        assert_eq!(dockerfile("", None, "7"), None);
    }
}
