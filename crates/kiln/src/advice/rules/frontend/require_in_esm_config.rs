//! `require` in a configuration that is an ES module.

use super::es_modules_with;
use crate::advice::javascript::CommonJsName;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "require-in-esm-config",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "an ES module calls require",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (config, span) in es_modules_with(context, &[CommonJsName::Require]) {
        let message = format!(
            "{} loads this file as an ES module, which has no `require`: require is not defined in ES module scope, you can use \
             import instead",
            config.tool.name
        );
        let at = config.insertion_before(span.start);
        let text = "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n";
        let text = if config.imports("createRequire") { &text[text.find('\n').map_or(0, |at| at + 1)..] } else { text };
        let fix = Fix::new("make `require` with `createRequire`").insert(&config.file, at, text);
        findings
            .at(&config.file, span, message)
            .help("use `import`, or make `require` with `createRequire(import.meta.url)`")
            .fix(fix);
    }
}
