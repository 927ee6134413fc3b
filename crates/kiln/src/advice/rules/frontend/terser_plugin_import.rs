//! `terser` taken out of `@rollup/plugin-terser` in a form that it does not have.

use crate::advice::facts::configs::Config;
use crate::advice::javascript::{Binding, Import, Require};
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "terser-plugin-import",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "`terser` is imported by name from @rollup/plugin-terser, whose export is the default",
    fixable: true,
    check,
};

const PACKAGE: &str = "@rollup/plugin-terser";
const HELP: &str = "its only export is the default: `import terser from '@rollup/plugin-terser'`, or `const terser = \
                    require('@rollup/plugin-terser')`";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for config in context.configs() {
        for import in config.module.imports.iter().filter(|import| import.source == PACKAGE) {
            esm(config, import, findings);
        }
        for require in config.module.requires.iter().filter(|require| require.source == PACKAGE) {
            common_js(config, require, findings);
        }
    }
}

fn esm(config: &Config<'_>, import: &Import, findings: &mut Findings<'_>) {
    if let Some((_, local)) = import.named.iter().find(|(name, _)| name == "terser") {
        let message = format!("SyntaxError: The requested module '{PACKAGE}' does not provide an export named 'terser'");
        let alone = import.default.is_none() && import.named.len() == 1;
        let fix = alone.then(|| Fix::new("import the default").replace(&config.file, import.clause.clone(), local.as_str()));
        findings.at(&config.file, import.clause.clone(), message).help(HELP).fix(fix);
    }
    let called = import.namespace.as_ref().filter(|name| config.calls(name));
    if let Some(name) = called.filter(|_| import.default.is_none()) {
        let fix = Fix::new("import the default").replace(&config.file, import.clause.clone(), name.as_str());
        findings
            .at(
                &config.file,
                import.clause.clone(),
                format!("TypeError: {name} is not a function: it is the namespace of the module"),
            )
            .help(HELP)
            .fix(fix);
    }
}

fn common_js(config: &Config<'_>, require: &Require, findings: &mut Findings<'_>) {
    let message = "TypeError: terser is not a function: the module is the function itself";
    match &require.binding {
        Binding::Destructured { pattern, names } => {
            let Some((_, local)) = names.iter().find(|(name, _)| name == "terser") else { return };
            let fix = (names.len() == 1)
                .then(|| Fix::new("take the module itself").replace(&config.file, pattern.clone(), local.as_str()));
            findings.at(&config.file, pattern.clone(), message).help(HELP).fix(fix);
        }
        Binding::Property { name, span } if name == "terser" => {
            let fix = Fix::new("take the module itself").replace(&config.file, span.clone(), "");
            findings.at(&config.file, span.clone(), message).help(HELP).fix(fix);
        }
        _ => {}
    }
}
