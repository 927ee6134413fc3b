//! `__dirname` or `__filename` in a configuration that is an ES module.

use super::es_modules_with;
use crate::advice::javascript::CommonJsName;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "dirname-in-esm-config",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "an ES module uses __dirname or __filename",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for name in &[CommonJsName::Dirname, CommonJsName::Filename] {
        for (config, span) in es_modules_with(context, std::slice::from_ref(name)) {
            let message = format!(
                "{} loads this file as an ES module, which has no `{}`: {} is not defined in ES module scope",
                config.tool.name,
                name.name(),
                name.name()
            );
            let known = config.nodes.iter().all(|node| node.knows_dirname());
            let (property, path) = match name {
                CommonJsName::Dirname => ("dirname", "fileURLToPath(new URL('.', import.meta.url)).slice(0, -1)"),
                _ => ("filename", "fileURLToPath(import.meta.url)"),
            };
            let import =
                if known || config.imports("fileURLToPath") { "" } else { "import { fileURLToPath } from 'node:url';\n" };
            let value = if known { format!("import.meta.{property}") } else { path.to_owned() };
            let text = format!("{import}const {} = {value};\n", name.name());
            let fix = Fix::new(format!("make `{}` of `import.meta`", name.name()));
            let fix = fix.insert(&config.file, config.insertion_before(span.start), text);
            findings
                .at(&config.file, span, message)
                .help(format!("`import.meta.{property}` (Node 20.11 or newer), or `fileURLToPath(import.meta.url)`"))
                .fix(fix);
        }
    }
}
