//! What a build context leaves out.
//!
//! Every file that a build cannot read but that is sent anyway makes an edit of it run steps for nothing. So the rule is: leave
//! out what no step reads, and let through by name what the sources include from such places. Patterns are Docker's, in which a
//! later `!` line brings back what an earlier line left out.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::IgnoreSection;
use super::paths::{is_within, join, relative};
use crate::project::cargo::{CargoPackage, CargoWorkspace};

/// Facts that decide what is left out. All paths are relative to the context.
#[derive(Debug, Default)]
pub(super) struct IgnoreFacts {
    /// Folder of the cargo workspace, if any.
    pub(super) cargo: Option<Utf8PathBuf>,
    /// Folders of tests, benches and examples that cargo finds by itself, as patterns.
    pub(super) test_folders: Vec<String>,
    /// Folders that a Node build writes.
    pub(super) outputs: Vec<Utf8PathBuf>,
    /// Whether it is a Node service: then Markdown and committed `.env` files may be sources.
    pub(super) node: bool,
    /// Whether something in the build may read files that no scan of the sources shows: build scripts, crates that embed folders.
    pub(super) reads_unseen_files: bool,
    /// Configuration files with secrets written out; steps get a text without them from the Dockerfile.
    pub(super) written_secrets: Vec<Utf8PathBuf>,
    /// Folders of other services within the context.
    pub(super) other_services: Vec<Utf8PathBuf>,
    /// Files and folders that must come through.
    pub(super) keep: BTreeSet<Utf8PathBuf>,
}

/// The sections of the ignore file.
pub(super) fn sections(facts: &IgnoreFacts) -> Vec<IgnoreSection> {
    let mut sections = Vec::new();
    let mut add = |reason: &str, patterns: Vec<String>| {
        if !patterns.is_empty() {
            sections.push(IgnoreSection { reason: reason.to_owned(), patterns });
        }
    };
    add("What builds leave behind.", results(facts));
    add(
        "History, editors and systems.",
        owned(&["**/.git", "**/.gitignore", "**/.gitattributes", "**/.idea", "**/.vscode", "**/*.swp", "**/*~", "**/.DS_Store"]),
    );
    add(
        "CI and the files that describe the build: editing them changes no source.",
        owned(&[
            ".github",
            ".gitlab",
            ".gitlab-ci.yml",
            ".circleci",
            ".ci",
            "Jenkinsfile",
            "**/Dockerfile*",
            "**/.dockerignore",
            "**/compose*.y*ml",
            "**/docker-compose*.y*ml",
            "docker-bake.*",
            "kiln.toml",
            ".kiln",
            "kiln.mk",
            "Makefile",
            "justfile",
            "**/*.kept",
        ]),
    );
    add("Secrets and settings of one machine.", secrets(facts));
    add(
        "A secret stands in them: the Dockerfile has their text without it.",
        facts.written_secrets.iter().map(|path| pattern(path)).collect(),
    );
    add("Words.", documents(facts));
    add(
        "cargo reads these only for `cargo test`, `bench` and `run --example`: editing one rebuilds nothing.",
        facts.test_folders.clone(),
    );
    add("Other services have a context of their own.", facts.other_services.iter().map(|folder| pattern(folder)).collect());
    add(
        "Read by the build all the same.",
        facts.keep.iter().filter(|path| *path != ".").map(|path| format!("!{}", pattern(path))).collect(),
    );
    sections
}

/// kiln's own files.
const OWN: [&str; 3] = ["kiln.toml", ".kiln", "kiln.mk"];

/// What lies in `.kiln`, without its name: a record of each build must not be a reason for the next one to run steps.
const STATE: [&str; 4] = [".*/builds", ".*/contexts", ".*/run", ".*/tool"];

/// Removes the patterns that say that kiln is in use.
pub(super) fn leave(sections: &mut [IgnoreSection]) {
    for section in sections {
        if section.patterns.iter().any(|pattern| pattern == ".kiln") {
            section.patterns.extend(owned(&STATE));
        }
        section.patterns.retain(|pattern| !OWN.contains(&pattern.as_str()));
    }
}

fn owned(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
}

fn results(facts: &IgnoreFacts) -> Vec<String> {
    let mut patterns = Vec::new();
    if let Some(workspace) = &facts.cargo {
        // Not `**/target`: a module may be called so.
        patterns.push(pattern(&join(workspace, Utf8Path::new("target"))));
        patterns.extend(owned(&["**/target/debug", "**/target/release"]));
    }
    patterns.push("**/node_modules".to_owned());
    patterns.extend(facts.outputs.iter().map(|output| pattern(output)));
    if facts.node {
        patterns.extend(owned(&["**/coverage", "**/*.tsbuildinfo", "**/*.log"]));
    }
    patterns
}

fn secrets(facts: &IgnoreFacts) -> Vec<String> {
    // Bundlers read committed files such as `.env.production`; those that hold secrets are called `.local` by convention.
    if facts.node { owned(&["**/.env", "**/.env.local", "**/.env.*.local"]) } else { owned(&["**/.env", "**/.env.*"]) }
}

fn documents(facts: &IgnoreFacts) -> Vec<String> {
    let mut patterns = Vec::new();
    if facts.node || facts.reads_unseen_files {
        for name in ["README*", "CHANGELOG*", "CONTRIBUTING*", "CODE_OF_CONDUCT*", "SECURITY*", "LICENSE*"] {
            patterns.push(format!("**/{name}"));
        }
    } else {
        patterns.extend(owned(&["**/*.md", "**/LICENSE*", "docs"]));
    }
    patterns
}

/// A path as a pattern that matches only itself.
fn pattern(path: &Utf8Path) -> String {
    let mut pattern = String::new();
    for c in path.as_str().chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Crates whose macros read whole folders at compile time.
const EMBEDDING: &[&str] = &[
    "include_dir",
    "rust-embed",
    "include-packed",
    "static-files",
    "minijinja-embed",
    "iftree",
    "askama",
    "rinja",
    "tera-embed",
];

/// Whether local packages may read files that no scan of the sources shows.
pub(super) fn reads_unseen_files(packages: &[&CargoPackage]) -> bool {
    packages.iter().any(|package| {
        package.build_script || package.dependencies.iter().any(|dependency| EMBEDDING.contains(&dependency.package.as_str()))
    })
}

/// Patterns for the test, bench and example folders of local packages, relative to the context.
///
/// cargo refuses a manifest whose named target is missing, and a package without any target; what it discovers by itself may be absent.
/// So packages that name such targets, or have no others, keep their folders. Siblings that all qualify share a pattern
/// (`crates/*/tests`).
pub(super) fn test_folders(workspace: &CargoWorkspace, folder: &Utf8Path) -> Vec<String> {
    let mut by_parent: BTreeMap<Option<Utf8PathBuf>, Vec<(Utf8PathBuf, bool)>> = BTreeMap::new();
    for package in &workspace.packages {
        let directory = join(folder, &package.directory);
        let qualifies = !package.names_test_targets && (package.library.is_some() || !package.binaries.is_empty());
        let parent = directory.parent().filter(|parent| !parent.as_str().is_empty()).map(Utf8Path::to_owned);
        by_parent.entry(parent).or_default().push((directory, qualifies));
    }
    let mut patterns = Vec::new();
    for (parent, packages) in &by_parent {
        match parent {
            Some(parent) if packages.len() > 1 && packages.iter().all(|(_, qualifies)| *qualifies) => {
                patterns.extend(TEST_FOLDERS.iter().map(|name| format!("{}/*/{name}", pattern(parent))));
            }
            _ => {
                let qualified = packages.iter().filter(|(_, qualifies)| *qualifies);
                patterns.extend(
                    qualified.flat_map(|(directory, _)| TEST_FOLDERS.map(|name| pattern(&join(directory, Utf8Path::new(name))))),
                );
            }
        }
    }
    // A package that lies in such a folder must stay.
    let directories: Vec<Utf8PathBuf> = workspace.packages.iter().map(|package| join(folder, &package.directory)).collect();
    patterns.retain(|pattern| {
        !directories.iter().any(|directory| directory.ancestors().any(|ancestor| matches_star(pattern, ancestor.as_str())))
    });
    patterns
}

const TEST_FOLDERS: [&str; 3] = ["tests", "benches", "examples"];

/// Whether a pattern with at most one `*` for a whole folder name matches a path.
fn matches_star(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(path).all(|(part, name)| *part == "*" || *part == name)
}

/// Folders of other services that lie in a context and hold nothing that the build needs. `services` and `context` are relative
/// to the project root, `needed` and the result to the context.
pub(super) fn other_services(
    context: &Utf8Path,
    own: &[Utf8PathBuf],
    services: &[Utf8PathBuf],
    needed: &BTreeSet<Utf8PathBuf>,
) -> Vec<Utf8PathBuf> {
    let mut folders: Vec<Utf8PathBuf> = services
        .iter()
        .filter(|service| !own.iter().any(|own| is_within(own, service)))
        .filter_map(|service| relative(service, context))
        .filter(|folder| folder != "." && !needed.iter().any(|path| is_within(path, folder)))
        .collect();
    folders.sort();
    folders.dedup();
    folders
}
