//! The layers of an image.

use crate::process::{Cancel, Finished, Run};

/// Sizes of an image's layers, from its base on; without those that are empty. Nothing where the engine does not tell.
pub(super) fn sizes(docker: &str, image: &str, cancel: &Cancel) -> Vec<u64> {
    let run = Run::new(docker).args(["history", "--no-trunc", "--human=false", "--format", "{{.Size}}", image]);
    let finished = run.capture(1 << 20).output(cancel).ok().filter(Finished::success);
    finished.map(|finished| parse(&finished.stdout)).unwrap_or_default()
}

/// The newest comes first.
fn parse(text: &str) -> Vec<u64> {
    text.lines().rev().filter_map(|line| line.trim().parse().ok()).filter(|bytes| *bytes > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_listed_from_the_base_on() {
        assert_eq!(parse("0\n12\n0\n 3000 \nmissing\n70000000\n"), [70_000_000, 3000, 12]);
        assert_eq!(parse(""), [0_u64; 0]);
    }
}
