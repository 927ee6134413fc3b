//! `exports.default` in a configuration of rollup 2.

use crate::advice::facts::configs::{Loaded, Loading};
use crate::advice::javascript::CommonJsName;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "exports-default-config",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "rollup 2 does not take `exports.default` of a CommonJS configuration",
    fixable: true,
    check,
};

const ASSIGNED: &str = "exports.default";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let configs = context.configs().iter().filter(|config| config.tool.loading == Loading::Rollup);
    for config in configs.filter(|config| config.rollup.is_some_and(|major| major < 3) && !config.module.is_esm()) {
        let text = &config.file.text;
        // With this mark rollup takes the default, as compilers that write both know.
        if text.contains("__esModule") || config.node_where(Loaded::Module).is_some() {
            continue;
        }
        let mut uses = config.module.common_js.iter().filter(|(name, _)| *name == CommonJsName::Exports);
        let Some((_, span)) = uses.find(|(_, span)| text[span.start..].starts_with(ASSIGNED)) else { continue };
        let span = span.start..span.start + ASSIGNED.len();
        let fix = Fix::new("write `module.exports`").replace(&config.file, span.clone(), "module.exports");
        findings
            .at(
                &config.file,
                span,
                "rollup 2 takes the module for the options, not its `default`: You must supply options.input to rollup",
            )
            .help("write `module.exports =`")
            .fix(fix);
    }
}
