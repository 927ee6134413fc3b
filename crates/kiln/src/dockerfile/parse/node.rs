//! From bytes to raw instructions: lines joined, keyword, flags and words apart.

use super::directive::{DirectiveReader, Directives, syntax_elsewhere};
use super::heredoc::{Heredoc, announced};
use super::line::{MAX_FILE, PhysicalLines, continued, is_comment, without_break, without_indent};
use super::{Lines, ParseError, ParseErrorKind, Warning, json, word};

/// A file as raw instructions.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) directives: Directives,
    pub(super) nodes: Vec<Node>,
    pub(super) warnings: Vec<Warning>,
}

/// A raw instruction.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) keyword: String,
    pub(super) original: String,
    pub(super) flags: Vec<String>,
    pub(super) arguments: Arguments,
    pub(super) heredocs: Vec<Heredoc>,
    pub(super) comments: Vec<String>,
    pub(super) lines: Lines,
}

/// What follows an instruction's flags.
#[derive(Debug)]
pub(super) enum Arguments {
    /// Words; one for text that is not split; from JSON or not.
    Words { words: Vec<String>, json: bool },
    /// Pairs of `ENV` and `LABEL`.
    Pairs(Vec<(String, String)>),
    /// The instruction within an `ONBUILD`.
    Trigger(Option<Box<Node>>),
}

/// Reads a file.
pub(super) fn read(source: &[u8]) -> Result<Document, ParseError> {
    let everywhere = |kind| ParseError { lines: None, kind };
    if source.len() > MAX_FILE {
        return Err(everywhere(ParseErrorKind::TooLarge));
    }
    let mut lines = PhysicalLines::new(source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source));
    let mut directives = DirectiveReader::default();
    let mut nodes = Vec::new();
    let mut warnings = Vec::new();
    let mut comments: Vec<String> = Vec::new();
    loop {
        let next = lines.next();
        let number = lines.number;
        let at = |kind| ParseError { lines: Some(Lines { first: number, last: number }), kind };
        let Some(raw) = next.map_err(|kind| ParseError { lines: Some(Lines { first: number + 1, last: number + 1 }), kind })?
        else {
            break;
        };
        let line = without_indent(without_break(raw));
        directives.line(line).map_err(at)?;
        if is_comment(line) {
            comments.push(String::from_utf8_lossy(&line[1..]).trim().to_owned());
            continue;
        }
        let comments = std::mem::take(&mut comments);
        if line.is_empty() {
            continue;
        }
        let escape = directives.directives.escape_character();
        let (text, empty_line) = joined(line, escape, &mut lines)?;
        let end = |lines: &PhysicalLines<'_>| Lines { first: number, last: lines.number.max(number) };
        let within = |kind, lines: &PhysicalLines<'_>| ParseError { lines: Some(end(lines)), kind };
        let text = String::from_utf8(text).map_err(|_| within(ParseErrorKind::NotUtf8, &lines))?;
        let mut node = node(text, escape).map_err(|kind| within(kind, &lines))?;
        if node.may_have_heredocs() && node.original.contains("<<") {
            for heredoc in announced(&node.original) {
                let heredoc = body(heredoc, &mut lines).map_err(|kind| within(kind, &lines))?;
                node.heredocs.push(heredoc);
            }
        }
        node.lines = end(&lines);
        node.comments = comments;
        warnings.extend(empty_line.map(|empty_line| Warning { lines: node.lines, empty_line }));
        nodes.push(node);
    }
    if nodes.is_empty() {
        return Err(everywhere(ParseErrorKind::Empty));
    }
    let mut directives = directives.directives;
    directives.syntax = directives.syntax.or_else(|| syntax_elsewhere(source));
    Ok(Document { directives, nodes, warnings })
}

/// An instruction's first line and those that continue it, and the first empty line among them.
fn joined(first: &[u8], escape: char, lines: &mut PhysicalLines<'_>) -> Result<(Vec<u8>, Option<usize>), ParseError> {
    let (part, mut continues) = continued(first, escape);
    let mut text = part.to_vec();
    let mut empty_line = None;
    while continues {
        let number = lines.number + 1;
        let next = lines.next().map_err(|kind| ParseError { lines: Some(Lines { first: number, last: number }), kind })?;
        let Some(raw) = next else { break };
        let line = without_break(raw);
        if is_comment(line) {
            continue;
        }
        if without_indent(line).is_empty() {
            empty_line = empty_line.or(Some(number));
            continue;
        }
        let (part, more) = continued(line, escape);
        text.extend_from_slice(part);
        continues = more;
    }
    Ok((text, empty_line))
}

/// The lines of a heredoc up to its delimiter.
fn body(mut heredoc: Heredoc, lines: &mut PhysicalLines<'_>) -> Result<Heredoc, ParseErrorKind> {
    let mut content = Vec::new();
    while let Some(raw) = lines.next()? {
        let mut line = without_break(raw);
        while let (true, [b'\t', rest @ ..]) = (heredoc.chomps, line) {
            line = rest;
        }
        if line == heredoc.name.as_bytes() {
            heredoc.content = String::from_utf8(content).map_err(|_| ParseErrorKind::NotUtf8)?;
            return Ok(heredoc);
        }
        content.extend_from_slice(raw);
    }
    Err(ParseErrorKind::UnterminatedHeredoc { name: heredoc.name })
}

impl Node {
    /// Whether `<<` announces a heredoc here.
    fn may_have_heredocs(&self) -> bool {
        match &self.arguments {
            Arguments::Trigger(Some(trigger)) if self.keyword.eq_ignore_ascii_case("ONBUILD") => trigger.takes_heredocs(),
            _ => self.takes_heredocs(),
        }
    }

    fn takes_heredocs(&self) -> bool {
        let may = ["ADD", "COPY", "RUN"].iter().any(|keyword| self.keyword.eq_ignore_ascii_case(keyword));
        may && !matches!(self.arguments, Arguments::Words { json: true, .. })
    }
}

/// Reads the joined text of an instruction.
fn node(original: String, escape: char) -> Result<Node, ParseErrorKind> {
    // `ONBUILD ONBUILD ONBUILD …` is refused later; here it must not become a recursion without end.
    trigger(original, escape, 0)
}

fn trigger(original: String, escape: char, depth: usize) -> Result<Node, ParseErrorKind> {
    let (keyword, rest) = word::split_once(original.trim());
    let (flags, text) = word::flags(rest.unwrap_or_default())?;
    let text = text.trim();
    let words = |words| Arguments::Words { words, json: false };
    let arguments = match keyword.to_ascii_lowercase().as_str() {
        "onbuild" if text.is_empty() => Arguments::Trigger(None),
        "onbuild" if depth > 0 => return Err(ParseErrorKind::ChainedOnbuild),
        "onbuild" => Arguments::Trigger(Some(Box::new(trigger(text.to_owned(), escape, depth + 1)?))),
        "env" => Arguments::Pairs(word::pairs(text, escape, "ENV")?),
        "label" => Arguments::Pairs(word::pairs(text, escape, "LABEL")?),
        "arg" => words(word::quoted_words(text, escape)),
        _ if text.is_empty() => words(Vec::new()),
        "from" | "expose" => words(word::blank_separated(text)),
        "run" | "cmd" | "entrypoint" | "shell" => json_or(text, |text| vec![text.to_owned()])?,
        "add" | "copy" | "volume" => json_or(text, word::blank_separated)?,
        "healthcheck" => healthcheck(text)?,
        _ => words(vec![text.to_owned()]),
    };
    Ok(Node {
        keyword: keyword.to_owned(),
        flags,
        arguments,
        heredocs: Vec::new(),
        comments: Vec::new(),
        lines: Lines { first: 1, last: 1 },
        original,
    })
}

fn json_or(text: &str, otherwise: impl Fn(&str) -> Vec<String>) -> Result<Arguments, ParseErrorKind> {
    Ok(match json::strings(text)? {
        Some(words) => Arguments::Words { words, json: true },
        None => Arguments::Words { words: otherwise(text), json: false },
    })
}

/// `NONE`, or `CMD` and a command in either form.
fn healthcheck(text: &str) -> Result<Arguments, ParseErrorKind> {
    let (kind, command) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    let command = command.trim_start();
    let (mut words, json) = match command.is_empty() {
        true => (Vec::new(), false),
        false => match json::strings(command)? {
            Some(words) => (words, true),
            None => (vec![command.to_owned()], false),
        },
    };
    words.insert(0, kind.to_owned());
    Ok(Arguments::Words { words, json })
}
