//! `kiln.mk`: the targets that teams type, each one kiln command.

use crate::text::Text;

/// The line in the Makefile.
pub(super) const INCLUDE: &str = "include kiln.mk\n";

/// Target, command, what it does.
type Target = (&'static str, &'static str, &'static str);

/// Each runs a command that this kiln has.
const TARGETS: [Target; 10] = [
    ("docker-build", "build", "the production images"),
    ("docker-build-fast", "build --variant fast", "the quickest images after an edit"),
    ("docker-build-dev", "build --variant dev", "images with toolchain and tools, running from source"),
    ("warm-cache", "warm", "makes what builds need beforehand: base images, stages, cache mounts"),
    ("refresh-cache", "refresh", "cleans what is stale, follows base images that moved, and warms again"),
    ("clean-cache", "clean", "forgets what no build of this project can use any more"),
    ("cache-status", "status", "what is cached, how big it is, and when the engine will take it"),
    ("test-build-perf", "bench --quick", "what usual changes cost, in a copy with caches of its own; some minutes"),
    ("test-build-full", "bench --full", "all changes against all other ways to build; some hours"),
    ("prepare-sqlx", "sqlx prepare", "query data, so that builds need no database"),
];

/// The body. Targets that the Makefile defines itself (`own` is its text) are left to it.
pub(super) fn body(own: &str) -> String {
    let defined = defined_targets(own);
    let (left, taken): (Vec<Target>, Vec<Target>) = TARGETS.into_iter().partition(|(name, ..)| !defined.contains(name));
    let mut text = Text::new("# make TARGET ARGS=\"…\": more arguments for kiln.\n\nKILN ?= kiln\n");
    if !taken.is_empty() {
        let names: Vec<&str> = taken.iter().map(|(name, ..)| *name).collect();
        text += format_args!("\n# Left out, as the Makefile has its own: {}\n", names.join(", "));
    }
    let names: Vec<&str> = left.iter().map(|(name, ..)| *name).collect();
    text += format_args!("\n.PHONY: {}\n", names.join(" "));
    for (name, command, what) in left {
        text += format_args!("\n# {what}\n{name}:\n\t$(KILN) {command} $(ARGS)\n");
    }
    text.finish()
}

/// Names that stand before a `:` at the start of a line.
fn defined_targets(makefile: &str) -> Vec<&str> {
    let rules = makefile.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '.']));
    let rules =
        rules.filter_map(|line| line.split_once(':').filter(|(_, rest)| !rest.starts_with('=') && !rest.starts_with(":=")));
    rules.flat_map(|(targets, _)| targets.split_whitespace()).collect()
}

/// What people run: the target, where a `kiln.mk` of this text has it, kiln's own command, and what that does.
pub(crate) fn targets(kiln_mk: &str) -> Vec<(Option<&'static str>, &'static str, &'static str)> {
    let defined = defined_targets(kiln_mk);
    TARGETS.into_iter().map(|(name, command, what)| (Some(name).filter(|name| defined.contains(name)), command, what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_those_that_the_file_has() {
        let named = |own: &str| targets(&body(own)).into_iter().filter(|(name, ..)| name.is_some()).count();
        assert_eq!(named(""), TARGETS.len());
        assert_eq!(named("warm-cache:\n\t./mine.sh\n"), TARGETS.len() - 1);
        assert!(targets("").iter().all(|(name, ..)| name.is_none()));
    }
}
