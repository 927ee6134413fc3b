//! An ES module in `.js` without `"type"`, which works only because Node looks at the syntax.

use crate::advice::facts::configs::{Format, Loaded};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "typeless-esm-config",
    group: Group::Frontend,
    severity: Severity::Note,
    summary: "an ES module in .js without \"type\" works with newer Node versions only",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for config in context.configs().iter().filter(|config| config.format().0 == Format::Open && config.tool.builds) {
        let all_detect = config.nodes.iter().all(|node| config.loaded(node) == Loaded::Module);
        let (Some(mark), true) = (config.module.esm_mark(), all_detect && !config.nodes.is_empty()) else { continue };
        let message = format!(
            "loaded as an ES module only because this Node looks at the syntax (MODULE_TYPELESS_PACKAGE_JSON): Node before 20.19 takes \
             it for CommonJS, and {} fails there",
            config.tool.name
        );
        findings.at(&config.file, mark, message).help("rename it to `.mjs`").fix(config.renamed(context, "mjs"));
    }
}
