//! `terser` taken out of `rollup-plugin-terser` in a form that it does not have.

use crate::advice::javascript::Binding;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "rollup-plugin-terser-import",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "the default of rollup-plugin-terser is imported, which exports `terser` by name",
    fixable: true,
    check,
};

const PACKAGE: &str = "rollup-plugin-terser";
const HELP: &str =
    "`import { terser } from 'rollup-plugin-terser'`; better, its successor: `import terser from '@rollup/plugin-terser'`";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for config in context.configs() {
        let file = &config.file;
        for import in config.module.imports.iter().filter(|import| import.source == PACKAGE) {
            let Some(local) = &import.default else { continue };
            let named = if local == "terser" { "{ terser }".to_owned() } else { format!("{{ terser as {local} }}") };
            let fix = import.named.is_empty().then(|| Fix::new("import it by name").replace(file, import.clause.clone(), named));
            let message = format!("SyntaxError: The requested module '{PACKAGE}' does not provide an export named 'default'");
            findings.at(file, import.clause.clone(), message).help(HELP).fix(fix);
        }
        for require in config.module.requires.iter().filter(|require| require.source == PACKAGE) {
            let Binding::Name(span) = &require.binding else { continue };
            let name = &file.text[span.clone()];
            if !config.calls(name) {
                continue;
            }
            let pattern = if name == "terser" { "{ terser }".to_owned() } else { format!("{{ terser: {name} }}") };
            let fix = Fix::new("take it by name").replace(file, span.clone(), pattern);
            let message = format!("TypeError: {name} is not a function: the module is an object with `terser` in it");
            findings.at(file, span.clone(), message).help(HELP).fix(fix);
        }
    }
}
