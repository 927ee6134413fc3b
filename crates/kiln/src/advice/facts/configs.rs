//! Configuration files of bundlers and their tools, with everything that decides how they are loaded.

use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};

use super::node_image::{self, NodeImage};
use super::node_lock::{NodeLock, major_of};
use crate::advice::javascript::Module;
use crate::advice::{Context, Fix, SourceFile};
use crate::project::node::{NodePackage, NodeWorkspace};

/// A tool that reads a JavaScript configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// File names without extension.
    stems: &'static [&'static str],
    pub(crate) loading: Loading,
    /// Extensions that it looks for besides `.js`.
    extensions: &'static [&'static str],
    /// Whether image builds need it; the others run in checks.
    pub(crate) builds: bool,
}

/// How a tool loads its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loading {
    /// By Node's own `import` or `require`.
    Node,
    /// By Node from version 3; before, `.js` is compiled to CommonJS first, whatever it is.
    Rollup,
    /// Bundled first: both kinds of modules work, but packages are left to Node.
    Vite,
}

const fn tool(name: &'static str, stems: &'static [&'static str], loading: Loading, builds: bool) -> Tool {
    Tool { name, stems, loading, extensions: &["mjs", "cjs"], builds }
}

/// Tools that load their configuration through a compiler of their own are not here, other than vite: nothing can be said for sure.
static TOOLS: [Tool; 17] = [
    tool("rollup", &["rollup.config"], Loading::Rollup, true),
    tool("webpack", &["webpack.config"], Loading::Node, true),
    tool("vite", &["vite.config"], Loading::Vite, true),
    tool("postcss", &["postcss.config", ".postcssrc"], Loading::Node, true),
    tool("babel", &["babel.config", ".babelrc"], Loading::Node, true),
    tool("vue-cli", &["vue.config"], Loading::Node, true),
    tool("craco", &["craco.config"], Loading::Node, true),
    Tool { name: "next", stems: &["next.config"], loading: Loading::Node, extensions: &["mjs"], builds: true },
    tool("gulp", &["gulpfile"], Loading::Node, true),
    tool("grunt", &["Gruntfile"], Loading::Node, true),
    tool("eslint", &["eslint.config"], Loading::Node, false),
    Tool { name: "eslint", stems: &[".eslintrc"], loading: Loading::Node, extensions: &["cjs"], builds: false },
    tool("jest", &["jest.config"], Loading::Node, false),
    tool("prettier", &["prettier.config", ".prettierrc"], Loading::Node, false),
    tool("stylelint", &["stylelint.config", ".stylelintrc"], Loading::Node, false),
    tool("commitlint", &["commitlint.config", ".commitlintrc"], Loading::Node, false),
    tool("lint-staged", &["lint-staged.config", ".lintstagedrc"], Loading::Node, false),
];

/// What Node takes a file for by its name and the package's `"type"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Module,
    CommonJs,
    /// `.js` without `"type"`: CommonJS, unless Node looks at the syntax.
    Open,
}

/// Why a file has its format, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormatReason {
    Extension,
    Type,
    NoType,
}

/// How a file is loaded in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loaded {
    Module,
    CommonJs,
    /// Compiled by rollup 2 or vite, which take both.
    Compiled,
}

/// A configuration file.
#[derive(Debug)]
pub(crate) struct Config<'a> {
    pub(crate) file: Rc<SourceFile>,
    pub(crate) tool: &'static Tool,
    pub(crate) module: Module,
    /// The package's manifest, relative to the repository.
    pub(crate) manifest: Utf8PathBuf,
    /// The package's `"type"`.
    package_type: Option<&'a str>,
    /// The Nodes that load it.
    pub(crate) nodes: Vec<NodeImage>,
    /// Major version of rollup, where it is rollup's.
    pub(crate) rollup: Option<u64>,
}

impl Config<'_> {
    pub(crate) fn extension(&self) -> &str {
        self.file.path.extension().unwrap_or_default()
    }

    /// What Node takes it for, and why.
    pub(crate) fn format(&self) -> (Format, FormatReason) {
        match (self.extension(), self.package_type) {
            ("mjs", _) => (Format::Module, FormatReason::Extension),
            ("cjs", _) => (Format::CommonJs, FormatReason::Extension),
            (_, Some("module")) => (Format::Module, FormatReason::Type),
            (_, Some("commonjs")) => (Format::CommonJs, FormatReason::Type),
            _ => (Format::Open, FormatReason::NoType),
        }
    }

    /// How it is loaded with that Node.
    pub(crate) fn loaded(&self, node: &NodeImage) -> Loaded {
        let compiled = match self.tool.loading {
            Loading::Rollup => self.extension() == "js" && self.rollup.is_some_and(|major| major < 3),
            Loading::Vite => true,
            Loading::Node => false,
        };
        match self.format().0 {
            _ if compiled => Loaded::Compiled,
            Format::Module => Loaded::Module,
            Format::CommonJs => Loaded::CommonJs,
            Format::Open if self.module.is_esm() && node.detects_modules() => Loaded::Module,
            Format::Open => Loaded::CommonJs,
        }
    }

    /// The first Node that loads it in that way.
    pub(crate) fn node_where(&self, loaded: Loaded) -> Option<&NodeImage> {
        self.nodes.iter().find(|node| self.loaded(node) == loaded)
    }

    /// Whether a name is imported under its own name.
    pub(crate) fn imports(&self, name: &str) -> bool {
        self.module.imports.iter().any(|import| import.named.iter().any(|(_, local)| local == name))
    }

    /// Whether the text calls a function of that name.
    pub(crate) fn calls(&self, name: &str) -> bool {
        let call = format!("{name}(");
        self.file
            .text
            .match_indices(&call)
            .any(|(at, _)| !self.file.text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.')))
    }

    /// Where a declaration can be put in that is used at `offset`: behind the last import before it, else before everything but
    /// comments at the top.
    pub(crate) fn insertion_before(&self, offset: usize) -> usize {
        let text = &self.file.text;
        let import = self.module.imports.iter().filter(|import| import.span.end <= offset).map(|import| import.span.end).max();
        match import {
            Some(end) => text[end..].find('\n').map_or(text.len(), |line| end + line + 1),
            None => text.split_inclusive('\n').take_while(|line| is_comment(line)).map(str::len).sum(),
        }
    }

    /// A fix that gives the file another extension, wherever it is named; `None` if the tool would not find it there, or something
    /// stands there already.
    pub(crate) fn renamed(&self, context: &Context<'_>, extension: &str) -> Option<Fix> {
        let to = self.file.path.with_extension(extension);
        if !self.tool.extensions.contains(&extension) || context.exists(&to) {
            return None;
        }
        let (old, new) = (self.file.path.file_name()?, to.file_name()?);
        let mut fix = Fix::new(format!("rename to {new}")).rename(&self.file.path, &to);
        let package = self.manifest.parent()?;
        let dockerfiles = context.dockerfiles().iter().map(|dockerfile| &dockerfile.file.path);
        for path in dockerfiles.chain([&self.manifest]) {
            // A Dockerfile further up may name files of other packages, too.
            let Some(below) = path.parent().and_then(|folder| package.strip_prefix(folder).ok()) else { continue };
            let Some(file) = context.file(path) else { continue };
            for (at, _) in file.text.match_indices(old) {
                let here = below.as_str().is_empty() || file.text[..at].ends_with(&format!("{below}/"));
                if here && is_whole_name(&file.text, at, old.len()) {
                    fix = fix.replace(&file, at..at + old.len(), new);
                }
            }
        }
        Some(fix)
    }
}

/// Whether a line at the top of a file has a comment and nothing else.
fn is_comment(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    line.is_empty() || line.starts_with("//") || line.starts_with("#!") || (line.starts_with("/*") && line.ends_with("*/"))
}

/// Whether a name in a text is not a part of a longer one. A folder may stand before it.
fn is_whole_name(text: &str, at: usize, length: usize) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '*');
    // A full stop may end a sentence.
    let after = text[at + length..].trim_start_matches('.');
    !text[..at].ends_with(part) && !after.starts_with(part)
}

/// All configuration files of the repository.
pub(crate) fn all<'a>(context: &Context<'a>) -> Vec<Config<'a>> {
    let mut found = Vec::new();
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        let lock = context.node_lock(workspace);
        for package in &workspace.packages {
            of_package(context, workspace, package, lock.as_deref(), &mut found);
        }
    }
    found
}

fn of_package<'a>(
    context: &Context<'a>,
    workspace: &NodeWorkspace,
    package: &'a NodePackage,
    lock: Option<&NodeLock>,
    found: &mut Vec<Config<'a>>,
) {
    let Some(manifest) = context.relative(&package.manifest.path) else { return };
    let folder = manifest.parent().unwrap_or_else(|| Utf8Path::new("")).to_owned();
    let mut nodes = None;
    let names: Vec<&str> = package.manifest.scripts.values().flat_map(|script| config_flags(script)).collect();
    for tool in &TOOLS {
        let usual = tool.stems.iter().flat_map(|stem| ["js", "mjs", "cjs"].map(|extension| format!("{stem}.{extension}")));
        let named = names.iter().copied().filter(|name| {
            let file = name.rsplit('/').next().unwrap_or(name);
            tool.stems.iter().any(|stem| file.split('.').next() == stem.split('.').find(|part| !part.is_empty()))
        });
        let mut paths: Vec<Utf8PathBuf> = usual.chain(named.map(str::to_owned)).map(Utf8PathBuf::from).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let path = folder.join(path.as_str().trim_start_matches("./"));
            if !matches!(path.extension(), Some("js" | "mjs" | "cjs")) || !context.exists(&path) {
                continue;
            }
            let Some(file) = context.file(&path) else { continue };
            let nodes = nodes.get_or_insert_with(|| node_image::of(context, workspace, &folder)).clone();
            let rollup = if tool.loading == Loading::Rollup { major_of(lock, workspace, "rollup") } else { None };
            found.push(Config {
                module: Module::read(&file.text),
                file,
                tool,
                manifest: manifest.clone(),
                package_type: package.manifest.document.get("type").and_then(serde_json::Value::as_str),
                nodes,
                rollup,
            });
        }
    }
}

/// Files that a script names as configuration.
fn config_flags(script: &str) -> Vec<&str> {
    let words: Vec<&str> = script.split_whitespace().collect();
    let mut files = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let value = match word.split_once('=') {
            Some(("--config" | "-c", value)) => Some(value),
            _ if matches!(*word, "--config" | "-c") => words.get(index + 1).copied(),
            _ => None,
        };
        files.extend(value.map(|value| value.trim_matches(['"', '\''])).filter(|value| value.ends_with("js")));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_replaced_as_a_whole_only() {
        let text = "COPY rollup.config.js ./x/rollup.config.js my-rollup.config.js rollup.config.json rollup.config.js.";
        let whole: Vec<usize> = text
            .match_indices("rollup.config.js")
            .map(|(at, found)| (at, found.len()))
            .filter(|(at, length)| is_whole_name(text, *at, *length))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(whole, [5, 26, 82]);
    }

    #[test]
    fn scripts_name_their_configuration() {
        let table: [(&str, &[&str]); 4] = [
            ("rollup -c", &[]),
            ("rollup -c build/rollup.config.js --silent", &["build/rollup.config.js"]),
            ("webpack --config=webpack.prod.js", &["webpack.prod.js"]),
            ("vite build -c 'vite.config.mjs' && rollup --config rollup.config.cjs", &["vite.config.mjs", "rollup.config.cjs"]),
        ];
        for (script, expected) in table {
            assert_eq!(config_flags(script), expected, "{script}");
        }
    }
}
