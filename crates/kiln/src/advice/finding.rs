//! A finding, and the list that rules add to.

use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::{Fix, Rule, SourceFile};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing fails or gets slower today.
    Note,
    /// The build is slower, larger, or works only by luck.
    Warning,
    /// The build fails, or ships something that it must not.
    Error,
}

impl Severity {
    /// All, the mildest first.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warning, Self::Error];

    /// As written in JSON and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Id of the rule.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file, relative to the repository. It need not exist: a lockfile that is missing is named, too.
    pub path: Utf8PathBuf,
    /// Further files of its folder about which the same is to be said: each of them could be a finding of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Utf8PathBuf>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The text pointed at, at most one line; empty where the finding is about the file.
    pub text: String,
    /// What is wrong and what will happen, in the words of the error where there is one.
    pub message: String,
    /// What to do.
    pub help: String,
    /// A change that mends it, where one is safe.
    pub fix: Option<Fix>,
}

impl Finding {
    /// What to do.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = help.into();
        self
    }

    /// A change that mends it.
    pub fn fix(&mut self, fix: impl Into<Option<Fix>>) -> &mut Self {
        self.fix = fix.into();
        self
    }

    /// Another severity than the rule's own.
    pub fn severity(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }

    /// Whether the same is said of another file of the same folder as a whole.
    fn is_as(&self, other: &Self) -> bool {
        let is_of_a_file = |finding: &Self| finding.text.is_empty() && (finding.line, finding.column) == (1, 1);
        is_of_a_file(self)
            && is_of_a_file(other)
            && (self.fix.is_none() && other.fix.is_none())
            && (self.rule, self.severity, &self.message, &self.help) == (other.rule, other.severity, &other.message, &other.help)
            && self.path.parent() == other.path.parent()
    }
}

/// One finding where the same is said of several files of a folder: a folder full of them would hide everything else.
pub(super) fn gather(findings: Vec<Finding>) -> Vec<Finding> {
    let mut gathered: Vec<Finding> = Vec::new();
    for finding in findings {
        match gathered.iter_mut().find(|before| before.is_as(&finding)) {
            Some(before) => before.others.push(finding.path),
            None => gathered.push(finding),
        }
    }
    gathered
}

/// What one rule has found so far.
#[derive(Debug)]
pub struct Findings<'r> {
    rule: &'r Rule,
    list: Vec<Finding>,
}

impl<'r> Findings<'r> {
    pub(super) const fn new(rule: &'r Rule) -> Self {
        Self { rule, list: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Finding> {
        self.list
    }

    /// Adds a finding about a piece of a file.
    pub fn at(&mut self, file: &SourceFile, span: Range<usize>, message: impl Into<String>) -> &mut Finding {
        let (line, column) = file.position(span.start);
        let text = file.text.get(span).unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        self.add(&file.path, line, column, text, message.into())
    }

    /// Adds a finding about a line of a file, from 1; it points at the line without its indentation.
    pub fn line(&mut self, file: &SourceFile, line: usize, message: impl Into<String>) -> &mut Finding {
        self.at(file, file.line_span(line), message)
    }

    /// Adds a finding about a file as a whole, which need not exist.
    pub fn on(&mut self, path: &Utf8Path, message: impl Into<String>) -> &mut Finding {
        self.add(path, 1, 1, String::new(), message.into())
    }

    fn add(&mut self, path: &Utf8Path, line: usize, column: usize, text: String, message: String) -> &mut Finding {
        self.list.push(Finding {
            rule: self.rule.id,
            severity: self.rule.severity,
            path: path.to_owned(),
            others: Vec::new(),
            line,
            column,
            text,
            message,
            help: String::new(),
            fix: None,
        });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }
}
