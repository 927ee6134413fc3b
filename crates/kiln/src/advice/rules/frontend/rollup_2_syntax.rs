//! Syntax that rollup 2 does not parse in a `.js` configuration, which it compiles first.

use crate::advice::facts::configs::{Loaded, Loading};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "rollup-2-syntax",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "rollup 2 cannot compile import attributes or top-level await in a .js configuration",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let configs = context.configs().iter().filter(|config| config.tool.loading == Loading::Rollup);
    for config in configs.filter(|config| config.node_where(Loaded::Compiled).is_some()) {
        let attributes = config.module.imports.iter().filter_map(|import| import.attributes.as_ref());
        let attributes =
            attributes.map(|(_, span)| (span.clone(), "its parser does not know import attributes: Unexpected token"));
        let awaits = config.module.top_level_await.iter();
        let awaits = awaits.map(|span| (span.clone(), "CommonJS has no top-level await: Module format cjs does not support it"));
        let Some((span, reason)) = attributes.chain(awaits).min_by_key(|(span, _)| span.start) else { continue };
        findings
            .at(&config.file, span, format!("rollup 2 compiles a `.js` configuration to CommonJS, and {reason}"))
            .help("rename it to `.mjs`, which Node loads itself, or use rollup 3 or newer")
            .fix(config.renamed(context, "mjs"));
    }
}
