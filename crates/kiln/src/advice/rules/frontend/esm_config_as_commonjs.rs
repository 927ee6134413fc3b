//! A configuration with `import` or `export` that Node loads as CommonJS.

use crate::advice::facts::configs::{Config, Format, FormatReason, Loaded};
use crate::advice::facts::node_image::NodeImage;
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "esm-config-as-commonjs",
    group: Group::Frontend,
    severity: Severity::Error,
    summary: "a configuration file with import or export is loaded as CommonJS",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for config in context.configs() {
        let (Some(mark), Some(node)) = (config.module.esm_mark(), config.node_where(Loaded::CommonJs)) else { continue };
        let finding = findings.at(&config.file, mark, message(config, node));
        if !config.tool.builds {
            finding.severity(Severity::Warning);
        }
        finding.help(help(config)).fix(config.renamed(context, "mjs"));
    }
}

fn message(config: &Config<'_>, node: &NodeImage) -> String {
    let tool = config.tool.name;
    let why = match config.format() {
        (_, FormatReason::Extension) => "`.cjs` is CommonJS".to_owned(),
        (Format::CommonJs, _) => "package.json has \"type\": \"commonjs\"".to_owned(),
        _ => format!("package.json has no \"type\", and {} (`{}`) does not look at the syntax", node.name(), node.image),
    };
    let error = match config.tool.loading {
        crate::advice::facts::configs::Loading::Rollup => {
            "Node tried to load your configuration file as CommonJS even though it is likely an ES module"
        }
        _ => "SyntaxError: Cannot use import statement outside a module",
    };
    format!("{tool} loads this ES module as CommonJS, because {why}: {error}")
}

fn help(config: &Config<'_>) -> String {
    let newer = match config.format() {
        (Format::Open, _) => ", or build with Node 20.19 or newer",
        _ => "",
    };
    format!("rename it to `.mjs`{newer}; `\"type\": \"module\"` would change every other `.js` file of the package")
}
