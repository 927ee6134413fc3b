//! A configuration in CommonJS that Node loads as an ES module.

use crate::advice::facts::configs::{FormatReason, Loaded};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "commonjs-config-as-esm",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "a configuration file in CommonJS is loaded as an ES module",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for config in context.configs().iter().filter(|config| !config.module.is_esm()) {
        let Some((name, span)) = config.module.common_js.first() else { continue };
        if config.node_where(Loaded::Module).is_none() {
            continue;
        }
        let why = match config.format().1 {
            FormatReason::Extension => "`.mjs` is an ES module",
            _ => "package.json has \"type\": \"module\"",
        };
        let (tool, name) = (config.tool.name, name.name());
        let message =
            format!("{tool} loads this CommonJS file as an ES module, because {why}: {name} is not defined in ES module scope");
        let finding = findings.at(&config.file, span.clone(), message);
        if !config.tool.builds {
            finding.severity(Severity::Warning);
        }
        let fix = config.renamed(context, "cjs");
        let help = if fix.is_some() { "rename it to `.cjs`" } else { "write it with `import` and `export default`" };
        finding.help(help).fix(fix);
    }
}
