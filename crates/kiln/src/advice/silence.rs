//! Silences: `kiln: ignore[rule]` in a comment, or `[doctor] ignore` in `kiln.toml`.
//!
//! A comment speaks for its own line; one that has a line to itself speaks for the next line with code, and for the lines that
//! continue it (`\` at the end). Silences that silence nothing are findings, so that they do not outlive their reason.

use std::collections::BTreeSet;
use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use glob::Pattern;

use super::{Context, Finding, Findings, SourceFile, rules};
use crate::settings::FILE_NAME;
use crate::text::did_you_mean;

const MARK: &str = "kiln: ignore[";

/// An entry of `[doctor] ignore`: `rule`, or `rule:path` with a file, a folder or a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Id of the rule.
    pub rule: String,
    /// For which files; all where there is none.
    pub path: Option<Utf8PathBuf>,
}

impl Silence {
    /// Reads an entry.
    #[must_use]
    pub fn parse(entry: &str) -> Self {
        match entry.split_once(':') {
            Some((rule, path)) => Self { rule: rule.trim().to_owned(), path: Some(path.trim().into()) },
            None => Self { rule: entry.trim().to_owned(), path: None },
        }
    }

    fn covers(&self, finding: &Finding) -> bool {
        let Some(path) = &self.path else { return self.rule == finding.rule };
        let matches = finding.path.starts_with(path)
            || Pattern::new(path.as_str()).is_ok_and(|pattern| pattern.matches(finding.path.as_str()));
        self.rule == finding.rule && matches
    }
}

/// A silence in a comment.
struct Comment {
    /// Index of its file among those that were read.
    file: usize,
    rule: String,
    /// Where the rule's name stands.
    span: Range<usize>,
    /// Lines for which it speaks.
    lines: Range<usize>,
}

/// Leaves out what is silenced and adds what [`rules::UNUSED_SILENCE`] says. Silences of rules that were not asked are no matter.
pub(super) fn apply(context: &Context<'_>, found: Vec<Finding>, asked: &BTreeSet<&str>) -> Vec<Finding> {
    let files = context.read_files();
    let comments: Vec<Comment> = files.iter().enumerate().flat_map(|(index, file)| comments(index, file)).collect();
    let settings = context.settings.doctor.ignore.as_ref();
    let entries: Vec<Silence> = settings.map_or_else(Vec::new, |list| list.value.iter().map(|e| Silence::parse(e)).collect());

    let mut used_comments = BTreeSet::new();
    let mut used_entries = BTreeSet::new();
    let mut kept = Vec::new();
    for finding in found {
        let comment = comments.iter().position(|comment| {
            comment.rule == finding.rule && comment.lines.contains(&finding.line) && files[comment.file].path == finding.path
        });
        let entry = entries.iter().position(|entry| entry.covers(&finding));
        used_comments.extend(comment);
        used_entries.extend(entry);
        if comment.is_none() && entry.is_none() {
            kept.push(finding);
        }
    }
    if !asked.contains(rules::UNUSED_SILENCE.id) {
        return kept;
    }
    let mut unused = Findings::new(&rules::UNUSED_SILENCE);
    for (index, comment) in comments.iter().enumerate().filter(|(index, _)| !used_comments.contains(index)) {
        if let Some((message, help)) = complaint(&comment.rule, asked) {
            let _ = index;
            unused.at(&files[comment.file], comment.span.clone(), message).help(help);
        }
    }
    for (index, entry) in entries.iter().enumerate().filter(|(index, _)| !used_entries.contains(index)) {
        let Some((message, help)) = complaint(&entry.rule, asked) else { continue };
        let Some(file) = context.file(Utf8Path::new(FILE_NAME)) else { continue };
        let line = settings.map_or(1, |list| list.line);
        let written = settings.and_then(|list| list.value.get(index)).map(String::as_str).unwrap_or_default();
        let start = file.line_span(line).start;
        let span = file.text[start..].find(written).map_or(start..start, |at| start + at..start + at + written.len());
        unused.at(&file, span, message).help(help);
    }
    kept.extend(unused.finish());
    kept
}

/// What is wrong with a silence that silenced nothing; `None` if its rule was not asked.
fn complaint(rule: &str, asked: &BTreeSet<&str>) -> Option<(String, String)> {
    if asked.contains(rule) {
        return Some((format!("nothing here is silenced: `{rule}` finds nothing"), "remove the silence".to_owned()));
    }
    if rules::all().any(|known| known.id == rule) {
        return None;
    }
    let help = match did_you_mean(rule, rules::all().map(|known| known.id)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "`kiln doctor --list` names all rules".to_owned(),
    };
    Some((format!("there is no rule `{rule}`"), help))
}

/// What opens a comment in a file of that name.
fn openers(path: &Utf8Path) -> &'static [&'static str] {
    match path.extension() {
        Some("js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "jsx" | "tsx" | "rs" | "jsonc" | "json5" | "go") => &["//", "/*"],
        Some("json" | "lock" | "lockb") => &[],
        Some("sql") => &["--"],
        Some("md" | "html") => &["<!--"],
        _ => &["#"],
    }
}

fn comments(index: usize, file: &SourceFile) -> Vec<Comment> {
    let openers = openers(&file.path);
    let marks = file.text.match_indices(MARK).filter(|_| !openers.is_empty());
    let mut found = Vec::new();
    for (at, _) in marks {
        let line_start = file.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let before = &file.text[line_start..at];
        let Some(opener) = openers.iter().filter_map(|opener| before.find(opener)).min() else { continue };
        let own_line = before[..opener].trim_start_matches('\u{feff}').trim().is_empty();
        let (line, _) = file.position(at);
        let lines = if own_line { following(file, line, openers) } else { line..line + 1 };
        let names = at + MARK.len();
        let Some(end) = file.text[names..].find(']').map(|end| names + end) else { continue };
        let mut start = names;
        for name in file.text[names..end].split(',') {
            let from = start + (name.len() - name.trim_start().len());
            let rule = name.trim().to_owned();
            let span = from..from + rule.len();
            found.push(Comment { file: index, rule, span, lines: lines.clone() });
            start += name.len() + 1;
        }
    }
    found
}

/// The next line with code, and those that continue it.
fn following(file: &SourceFile, line: usize, openers: &[&str]) -> Range<usize> {
    let is_comment = |text: &str| text.trim().is_empty() || openers.iter().any(|opener| text.trim_start().starts_with(opener));
    let mut rest = file.text.lines().enumerate().skip(line).map(|(index, text)| (index + 1, text));
    let Some((first, text)) = rest.by_ref().find(|(_, text)| !is_comment(text)) else { return line..line + 1 };
    let mut last = first;
    let mut continues = text.trim_end().ends_with('\\');
    for (number, text) in rest {
        if !continues {
            break;
        }
        last = number;
        continues = is_comment(text) || text.trim_end().ends_with('\\');
    }
    // A finding may be about the comment's own file position, too: the first line of a file that lacks something.
    line..last + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<(String, Range<usize>)> {
        let file = SourceFile { path: path.into(), text: text.to_owned() };
        comments(0, &file).into_iter().map(|comment| (comment.rule, comment.lines)).collect()
    }

    #[test]
    fn a_comment_speaks_for_its_line_or_for_the_next_with_code() {
        let table = [
            ("a.js", "x(); // kiln: ignore[a]\n", vec![("a", 1..2)]),
            ("a.js", "// kiln: ignore[a, b]\n\n// more\nx();\n", vec![("a", 1..5), ("b", 1..5)]),
            ("Dockerfile", "# kiln: ignore[a]\nRUN x && \\\n  # why\n  y\nRUN z\n", vec![("a", 1..5)]),
            ("Dockerfile", "\u{feff}# kiln: ignore[a]\r\nFROM x\r\n", vec![("a", 1..3)]),
            ("a.js", "const x = 'kiln: ignore[a]';\n", vec![]),
            ("package.json", "{ \"//\": \"kiln: ignore[a]\" }\n", vec![]),
            ("a.toml", "x = 1 # kiln: ignore[a\n", vec![]),
        ];
        for (path, text, expected) in table {
            let expected: Vec<_> = expected.into_iter().map(|(rule, lines)| (rule.to_owned(), lines)).collect();
            assert_eq!(lines(path, text), expected, "{path}: {text}");
        }
    }
}
