//! `module.exports` in a configuration that is an ES module.

use super::es_modules_with;
use crate::advice::javascript::CommonJsName;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "module-exports-in-esm-config",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "a file with import statements assigns to module.exports",
    fixable: true,
    check,
};

const ASSIGNMENT: &str = "module.exports";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (config, span) in es_modules_with(context, &[CommonJsName::Module, CommonJsName::Exports]) {
        let text = &config.file.text;
        let message = format!(
            "{} loads this file as an ES module, because it has `import` or `export`: module is not defined in ES module scope",
            config.tool.name
        );
        let uses = config.module.common_js.iter();
        let alone = uses.filter(|(name, _)| matches!(name, CommonJsName::Module | CommonJsName::Exports)).count() == 1;
        let (_, column) = config.file.position(span.start);
        let assigned = text[span.start..]
            .strip_prefix(ASSIGNMENT)
            .map(str::trim_start)
            .filter(|rest| rest.starts_with('=') && !rest.starts_with("=="));
        let fix = assigned.filter(|_| alone && column == 1 && config.module.exports.is_empty()).map(|rest| {
            let end = text.len() - rest.len() + 1;
            Fix::new("write `export default`").replace(&config.file, span.start..end, "export default")
        });
        findings.at(&config.file, span, message).help("write `export default` in place of `module.exports =`").fix(fix);
    }
}
