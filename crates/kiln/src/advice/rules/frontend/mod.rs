//! Rules about configuration files of bundlers and their tools.

mod commonjs_config_as_esm;
mod dirname_in_esm_config;
mod esm_config_as_commonjs;
mod exports_default_config;
mod json_import_assert;
mod json_import_attributes;
mod module_exports_in_esm_config;
mod require_in_esm_config;
mod rollup_2_syntax;
mod rollup_plugin_terser_import;
mod rollup_plugin_terser_peer;
mod terser_plugin_import;
mod typeless_esm_config;

use std::ops::Range;

use crate::advice::facts::configs::{Config, Loaded};
use crate::advice::javascript::CommonJsName;
use crate::advice::{Context, Rule};

/// The group's rules, as they are listed.
pub(super) const RULES: &[&Rule] = &[
    &esm_config_as_commonjs::RULE,
    &commonjs_config_as_esm::RULE,
    &require_in_esm_config::RULE,
    &dirname_in_esm_config::RULE,
    &module_exports_in_esm_config::RULE,
    &exports_default_config::RULE,
    &rollup_2_syntax::RULE,
    &json_import_attributes::RULE,
    &json_import_assert::RULE,
    &terser_plugin_import::RULE,
    &rollup_plugin_terser_import::RULE,
    &rollup_plugin_terser_peer::RULE,
    &typeless_esm_config::RULE,
];

/// Configurations with `import` or `export` that Node loads as ES modules, and where they first use one of the names.
fn es_modules_with<'c, 'a>(
    context: &'c Context<'a>,
    names: &'c [CommonJsName],
) -> impl Iterator<Item = (&'c Config<'a>, Range<usize>)> {
    context.configs().iter().filter_map(move |config| {
        let (_, span) = config.module.common_js.iter().find(|(name, _)| names.contains(name))?;
        (config.module.is_esm() && config.node_where(Loaded::Module).is_some()).then(|| (config, span.clone()))
    })
}
