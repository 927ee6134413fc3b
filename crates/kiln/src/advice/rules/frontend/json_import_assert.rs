//! `assert { type: 'json' }`, which Node 22 no longer knows.

use crate::advice::facts::configs::Loaded;
use crate::advice::javascript::Attributes;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "json-import-assert",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "an import has `assert`, which Node 22 and newer do not parse",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for config in context.configs() {
        for import in &config.module.imports {
            let Some((Attributes::Assert, keyword)) = &import.attributes else { continue };
            let mut nodes = config.nodes.iter().filter(|node| config.loaded(node) == Loaded::Module);
            let Some(node) = nodes.find(|node| !node.knows_assert()) else { continue };
            let message = format!(
                "{} (`{}`) knows `with`, and no longer `assert`: SyntaxError: Unexpected identifier 'assert'",
                node.name(),
                node.image
            );
            let known = config.nodes.iter().all(|node| node.knows_with());
            let fix = known.then(|| Fix::new("write `with`").replace(&config.file, keyword.clone(), "with"));
            findings.at(&config.file, keyword.clone(), message).help("write `with` in place of `assert`").fix(fix);
        }
    }
}
