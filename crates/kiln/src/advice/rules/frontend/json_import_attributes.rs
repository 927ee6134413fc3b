//! A JSON file imported without `with { type: 'json' }`.

use crate::advice::facts::configs::{Config, Loaded};
use crate::advice::javascript::Import;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "json-import-attributes",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "an ES module imports JSON without an import attribute",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for config in context.configs().iter().filter(|config| config.node_where(Loaded::Module).is_some()) {
        let bare = |import: &&Import| import.attributes.is_none() && import.source.ends_with(".json");
        for import in config.module.imports.iter().filter(bare) {
            let message = format!(
                "{} loads this file with Node's own `import`: Module \"{}\" needs an import attribute of \"type: json\"",
                config.tool.name, import.source
            );
            findings
                .at(&config.file, import.source_span.clone(), message)
                .help("add `with { type: 'json' }` (Node 18.20, 20.10 or newer), or read it with `createRequire`")
                .fix(fix(config, import));
        }
    }
}

/// The attribute where every Node knows it, else `createRequire`.
fn fix(config: &Config<'_>, import: &Import) -> Option<Fix> {
    // JSON modules have a default export only.
    let name = import.default.as_ref().filter(|_| import.named.is_empty())?;
    if config.nodes.iter().all(|node| node.knows_with()) {
        let fix = Fix::new("add `with { type: 'json' }`");
        return Some(fix.insert(&config.file, import.source_span.end, " with { type: 'json' }"));
    }
    let source = &config.file.text[import.source_span.clone()];
    let make = if config.imports("createRequire") { "" } else { "import { createRequire } from 'node:module';\n" };
    let text = format!("{make}const {name} = createRequire(import.meta.url)({source})");
    Some(Fix::new("read it with `createRequire`").replace(&config.file, import.span.clone(), text))
}
