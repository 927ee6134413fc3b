//! Advice: what breaks or slows container builds, read off the files of a repository.
//!
//! A [`Rule`] looks at a [`Context`] (facts and file texts, each read once) and adds [`Finding`]s. A finding says what will happen in
//! the build, in the words of the error that people search for, and may carry a [`Fix`], which is a value: it is shown as a
//! difference, merged with others, and applied as whole files. Nothing here needs an engine, a network or a database, and nothing
//! runs a program.
//!
//! One file per rule in `rules/`; its id is the anchor of its section in `docs/rules/`. How to add one: `CONTRIBUTING.md`.

mod context;
mod dockerfile;
mod facts;
mod finding;
mod fix;
mod javascript;
pub mod rules;
mod sarif;
mod shell;
mod silence;
mod source;

use std::collections::BTreeSet;

pub use context::Context;
pub use dockerfile::{Dockerfile, Unread, UnreadDockerfile, command_text};
pub use finding::{Finding, Findings, Severity};
pub use fix::{Changes, Edit, Fix, FixError, Original, Rename};
pub use sarif::sarif;
pub use silence::Silence;
pub use source::SourceFile;

/// Something that can be wrong, with the function that finds it.
#[derive(Debug)]
pub struct Rule {
    /// Unique; small letters and hyphens. The heading of its section in the group's page below `docs/rules/`.
    pub id: &'static str,
    /// Which page of the docs it stands on.
    pub group: Group,
    /// How bad it is, unless a finding says otherwise.
    pub severity: Severity,
    /// What is wrong, in one line without a full stop.
    pub summary: &'static str,
    /// Whether some of its findings carry a fix.
    pub fixable: bool,
    /// Looks, and adds what it finds.
    pub check: fn(&Context<'_>, &mut Findings<'_>),
}

/// What a rule is about; each group has a page in `docs/rules/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// kiln's own files and silences.
    General,
    /// Configuration files of bundlers and their tools.
    Frontend,
    /// Lockfiles of cargo and the Node package managers.
    Locks,
    /// System packages, toolchains and platforms.
    Native,
    /// Dockerfiles and ignore files.
    Dockerfile,
    /// SQLx query data.
    Sqlx,
    /// The engine and its caches.
    Engine,
}

impl Group {
    /// Name of its page in `docs/rules/`, without extension.
    #[must_use]
    pub const fn page(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Frontend => "frontend",
            Self::Locks => "locks",
            Self::Native => "native",
            Self::Dockerfile => "dockerfile",
            Self::Sqlx => "sqlx",
            Self::Engine => "engine",
        }
    }
}

impl Rule {
    /// Where its documentation is, relative to the root of kiln's repository.
    #[must_use]
    pub fn docs(&self) -> String {
        format!("docs/rules/{}.md#{}", self.group.page(), self.id)
    }
}

/// Which rules are asked.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Ids; empty for all.
    pub rules: BTreeSet<String>,
}

impl Selection {
    fn has(&self, rule: &Rule) -> bool {
        self.rules.is_empty() || self.rules.contains(rule.id)
    }

    /// Whether a finding is about what is looked at: the repository, and an engine only where its rule is asked for by name. What an
    /// engine does by itself is no property of the repository, and whether it answers at all is a matter of the machine.
    #[must_use]
    pub fn is_about(&self, finding: &Finding) -> bool {
        let is_of_engine = rules::find(finding.rule).is_some_and(|rule| rule.group == Group::Engine);
        !is_of_engine || self.rules.contains(finding.rule)
    }
}

/// Asks the rules. Findings are ordered by file, line, column and rule; silenced ones are left out, silences that silence nothing are
/// findings of [`rules::UNUSED_SILENCE`], but for those of rules about the engine, and what is the same for several files of a folder is
/// one finding.
#[must_use]
pub fn examine(context: &Context<'_>, selection: &Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut asked = BTreeSet::new();
    for rule in rules::all().filter(|rule| selection.has(rule)) {
        let mut findings = Findings::new(rule);
        (rule.check)(context, &mut findings);
        let mut findings = findings.finish();
        for finding in &mut findings {
            finding.fix = finding.fix.take().filter(|fix| fix.paths().all(|path| context.is_mendable(path)));
        }
        found.extend(findings);
        // What an engine does differs from machine to machine: a silence that has nothing to silence on this one has its reason on another.
        if rule.group != Group::Engine {
            asked.insert(rule.id);
        }
    }
    let mut found = silence::apply(context, found, &asked);
    found.sort_by(|a, b| (&a.path, a.line, a.column, a.rule, &a.message).cmp(&(&b.path, b.line, b.column, b.rule, &b.message)));
    found.dedup();
    finding::gather(found)
}
