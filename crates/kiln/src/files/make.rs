//! `kiln.mk`: the targets that teams type, each one kiln command.

use crate::plan::{Plan, ServiceKind};
use crate::text::Text;

/// The line in the Makefile.
pub(super) const INCLUDE: &str = "include kiln.mk\n";

/// Target, command, what it does.
type Target = (&'static str, &'static str, &'static str);

const TARGETS: [Target; 10] = [
    ("docker-build", "build", "the production images"),
    ("docker-build-fast", "build --variant fast", "the quickest images after an edit"),
    ("docker-build-dev", "build --variant dev", "images with toolchain and tools, running from source"),
    ("warm-cache", "warm", "build, pull and mount what the next build needs"),
    ("refresh-cache", "refresh", "throw away what is stale, and warm again"),
    ("clean-cache", "clean", "remove this project's cache and nothing else"),
    ("cache-status", "status", "what is cached, how big and how old"),
    ("test-build-perf", "bench --quick", "measure what an edit costs"),
    ("test-build-full", "bench --full", "measure every scenario"),
    ("prepare-sqlx", "sqlx prepare", "bring SQLx' query data up to date"),
];

/// The body. Targets that the Makefile defines itself (`own` is its text) are left to it.
pub(super) fn body(plan: &Plan, own: &str) -> String {
    let uses_sqlx = plan.services.iter().any(|service| matches!(&service.kind, ServiceKind::Rust(rust) if rust.sqlx.is_some()));
    let defined = defined_targets(own);
    let (left, taken): (Vec<Target>, Vec<Target>) = TARGETS
        .into_iter()
        .filter(|(name, ..)| uses_sqlx || *name != "prepare-sqlx")
        .partition(|(name, ..)| !defined.contains(name));
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
