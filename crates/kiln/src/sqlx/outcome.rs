//! What a check says.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use serde::Serialize;

use super::data::Database;
use super::version::{Layout, Version};

/// When a query is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// With `cargo build`.
    Build,
    /// Only with tests, benches and examples.
    Test,
    /// Not with these features, or in a macro that nobody uses.
    Off,
}

/// A query of the sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Query {
    /// Package.
    pub package: String,
    /// Source file, absolute.
    pub path: Utf8PathBuf,
    /// Line of the macro, from 1.
    pub line: usize,
    /// Column of the macro, from 1.
    pub column: usize,
    /// `query_as`, …
    #[serde(rename = "macro")]
    pub macro_name: String,
    /// When it is compiled.
    pub scope: Scope,
    /// The `.sql` file, absolute, of a `query_file!`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Utf8PathBuf>,
    /// Its text; empty if its file cannot be read.
    pub sql: String,
    /// SHA-256 of the text.
    pub hash: String,
    /// What SQLx finds.
    #[serde(flatten)]
    pub state: State,
}

/// What SQLx finds for a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Good data.
    Found {
        /// Its file.
        data: Utf8PathBuf,
    },
    /// None.
    Missing {
        /// The files that SQLx would have taken, in its order.
        looked_at: Vec<Utf8PathBuf>,
    },
    /// Data that is not this query's, or not readable.
    Broken {
        /// Its file.
        data: Utf8PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Data of a database whose driver the manifests do not turn on.
    NoDriver {
        /// Its file.
        data: Utf8PathBuf,
        /// The database, as the data names it.
        database: String,
    },
    /// Data that wants another number of arguments than the macro has.
    Arguments {
        /// Its file.
        data: Utf8PathBuf,
        /// What the data wants.
        wants: usize,
        /// What the macro has.
        has: usize,
    },
    /// The file of a `query_file!` cannot be read.
    NoFile {
        /// Why.
        message: String,
    },
}

impl State {
    /// Whether an offline compile gets past it.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Found { .. })
    }
}

/// A query whose text the sources do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// Package.
    pub package: String,
    /// Source file, absolute.
    pub path: Utf8PathBuf,
    /// Line of the macro, from 1.
    pub line: usize,
    /// Column of the macro, from 1.
    pub column: usize,
    /// `query_as`, …
    #[serde(rename = "macro")]
    pub macro_name: String,
    /// When it is compiled.
    pub scope: Scope,
    /// Why.
    #[serde(flatten)]
    pub reason: UnresolvedReason,
}

/// Why a query cannot be read off the sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum UnresolvedReason {
    /// It comes through the argument of a `macro_rules!` macro.
    MacroArgument,
    /// Another macro stands in its place. SQLx does not expand it: this does not compile.
    Macro {
        /// `concat`, …
        name: String,
    },
    /// Something else than string literals. SQLx does not take it: this does not compile.
    NoLiteral,
    /// Nothing. This does not compile.
    Empty,
}

impl UnresolvedReason {
    /// Whether SQLx itself refuses it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        *self != Self::MacroArgument
    }
}

/// Data that no query asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadData {
    /// Its file.
    pub path: Utf8PathBuf,
    /// Hash of its query.
    pub hash: String,
    /// Whether it is certain: not where a macro makes queries that cannot be read.
    pub certain: bool,
}

/// Data of one query in several places that SQLx looks at: the first one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DuplicatedData {
    /// Hash of the query.
    pub hash: String,
    /// The package whose query it is.
    pub package: String,
    /// The file that counts.
    pub used: Utf8PathBuf,
    /// The others.
    pub shadowed: Vec<Utf8PathBuf>,
    /// Whether they all say the same.
    pub equal: bool,
}

/// A package whose queries have their data in several places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitData {
    /// The package.
    pub package: String,
    /// Places, and how many of its queries have their data there.
    pub places: BTreeMap<Utf8PathBuf, usize>,
}

/// A source file that is no Rust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The file.
    pub path: Utf8PathBuf,
    /// Where reading ended.
    pub line: usize,
}

/// The outcome for one workspace.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Folder of the workspace.
    pub workspace: Utf8PathBuf,
    /// Version of SQLx.
    pub sqlx: Option<Version>,
    /// How that version keeps data.
    pub layout: Layout,
    /// Databases whose drivers are on.
    pub databases: BTreeSet<Database>,
    /// Every query, by file and line.
    pub queries: Vec<Query>,
    /// Queries whose text is not in the sources.
    pub unresolved: Vec<Unresolved>,
    /// Data without a query.
    pub dead: Vec<DeadData>,
    /// Data in several places.
    pub duplicated: Vec<DuplicatedData>,
    /// Packages with data in several places.
    pub split: Vec<SplitData>,
    /// Data of SQLx 0.6 where a later one is used, or the reverse: nobody reads it.
    pub other_layout: Vec<Utf8PathBuf>,
    /// Sources that could not be read.
    pub unread: Vec<Unread>,
}

impl Check {
    /// Queries that keep an offline compile from passing; with `tests`, also those of tests.
    pub fn failing(&self, tests: bool) -> impl Iterator<Item = &Query> {
        let counts = move |scope| scope == Scope::Build || (tests && scope == Scope::Test);
        self.queries.iter().filter(move |query| !query.state.is_good() && counts(query.scope))
    }

    /// Queries that SQLx refuses for how they are written.
    pub fn refused(&self, tests: bool) -> impl Iterator<Item = &Unresolved> {
        let counts = move |scope| scope == Scope::Build || (tests && scope == Scope::Test);
        self.unresolved.iter().filter(move |unresolved| unresolved.reason.is_refused() && counts(unresolved.scope))
    }
}
