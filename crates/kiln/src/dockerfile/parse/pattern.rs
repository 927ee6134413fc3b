//! Patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/text}`: `*`, `?` and literal characters.

use regex::{Captures, Regex};

use super::lexer::WordError;

/// A pattern that is looked for anywhere in a text.
pub(super) fn anywhere(pattern: &str) -> Result<Regex, WordError> {
    compile("", pattern, true)
}

/// The text without the shortest or longest match at its start.
pub(super) fn cut_start(pattern: &str, longest: bool, text: &str) -> Result<String, WordError> {
    let end = compile("^", pattern, longest)?.find(text).map_or(0, |found| found.end());
    Ok(text[end..].to_owned())
}

/// The text without the shortest or longest match at its end: as at the start, with text and pattern read backwards.
pub(super) fn cut_end(pattern: &str, longest: bool, text: &str) -> Result<String, WordError> {
    let backwards: String = text.chars().rev().collect();
    let rest = cut_start(&reversed(pattern), longest, &backwards)?;
    Ok(rest.chars().rev().collect())
}

/// The text with the first match, or all, replaced.
pub(super) fn replace(pattern: &Regex, text: &str, replacement: &str, all: bool) -> String {
    if all {
        return pattern.replace_all(text, |found: &Captures<'_>| template(replacement, &found[0])).into_owned();
    }
    match pattern.find(text) {
        Some(found) => [&text[..found.start()], replacement, &text[found.end()..]].concat(),
        None => text.to_owned(),
    }
}

fn compile(start: &str, pattern: &str, longest: bool) -> Result<Regex, WordError> {
    let mut expression = start.to_owned();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' => expression.push_str(if longest { ".*" } else { ".*?" }),
            '?' => expression.push('.'),
            // The end of the substitution had to be escaped; the escape is no part of the pattern.
            '\\' if matches!(rest.peek(), Some('}' | '/')) => {}
            '\\' => match rest.next() {
                Some(escaped @ ('*' | '?' | '\\')) => expression.extend(['\\', escaped]),
                other => {
                    let escaped = other.map_or_else(|| "\u{fffd}".to_owned(), String::from);
                    return Err(WordError::BadPattern { pattern: pattern.to_owned(), escaped });
                }
            },
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    Regex::new(&expression).map_err(|_| WordError::TooLong)
}

/// The pattern from its end; an escape stays before what it escapes.
fn reversed(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let escaped = if c == '\\' { rest[1..].chars().next().map_or(0, char::len_utf8) } else { 0 };
        let (part, after) = rest.split_at(c.len_utf8() + escaped);
        parts.push(part);
        rest = after;
    }
    parts.into_iter().rev().collect()
}

/// Go's template of a replacement: `$$` is a dollar, `$0` and `${0}` are the match, every other name is nothing.
fn template(replacement: &str, matched: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut result = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, after) = match braced.filter(|(name, _)| name.chars().all(is_name)) {
            Some(parts) => parts,
            None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        match name {
            // Not a reference: the dollar stays.
            "" => result.push('$'),
            "0" => result.push_str(matched),
            _ => {}
        }
        rest = after;
    }
    result.push_str(rest);
    result
}
