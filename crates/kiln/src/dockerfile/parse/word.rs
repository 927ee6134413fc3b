//! Splitting an instruction's text: keyword, flags, words.

use super::ParseErrorKind;

/// The blanks that separate words; Go's `[\t\v\f\r ]`.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// The text up to the first blanks, and what follows them; `None` without blanks.
pub(super) fn split_once(text: &str) -> (&str, Option<&str>) {
    match text.find(is_blank) {
        Some(end) => (&text[..end], Some(text[end..].trim_start_matches(is_blank))),
        None => (text, None),
    }
}

/// Words between blanks, without any quoting.
pub(super) fn blank_separated(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (word, next) = split_once(text);
        words.push(word.to_owned());
        rest = next;
    }
    words
}

/// Words as `ENV`, `LABEL` and `ARG` separate them: quotes hold blanks together and are kept, so are escapes.
pub(super) fn quoted_words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match quote {
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        if c == escape && quote != Some('\'') {
            // An escape at the very end is dropped.
            let Some(next) = rest.next() else { break };
            word.push(c);
            word.push(next);
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The `--flags` at the start of an instruction's text, quotes and escapes taken off, and the text behind them.
///
/// BuildKit reads bytes here and takes each for a character, so that text beyond ASCII comes out garbled; it becomes part of the cache key so.
pub(super) fn flags(text: &str) -> Result<(Vec<String>, &str), ParseErrorKind> {
    let bytes = text.as_bytes();
    let is_space = |byte: u8| char::from(byte).is_whitespace();
    // A byte of a longer character that looks like a space can leave half a character behind.
    let behind = |at: usize| text.get(at..).ok_or(ParseErrorKind::NotUtf8);
    let mut flags = Vec::new();
    let mut at = 0;
    loop {
        while at < bytes.len() && is_space(bytes[at]) {
            at += 1;
        }
        if !bytes[at..].starts_with(b"--") {
            return Ok((flags, behind(at)?));
        }
        let mut flag = String::new();
        let mut quote = None;
        let mut quoted = false;
        while at < bytes.len() {
            let byte = bytes[at];
            match quote {
                None if is_space(byte) => break,
                None if byte == b'\'' || byte == b'"' => {
                    quote = Some(byte);
                    quoted = true;
                }
                Some(open) if byte == open => quote = None,
                _ if byte == b'\\' => {
                    at += 1;
                    if let Some(&next) = bytes.get(at) {
                        flag.push(char::from(next));
                    }
                }
                _ => flag.push(char::from(byte)),
            }
            at += 1;
        }
        at = at.min(bytes.len());
        if flag == "--" {
            return Ok((flags, behind(at)?));
        }
        if quoted || !flag.is_empty() {
            flags.push(flag);
        }
    }
}

/// `name value` or `name=value name=value …`.
pub(super) fn pairs(text: &str, escape: char, keyword: &'static str) -> Result<Vec<(String, String)>, ParseErrorKind> {
    let words = quoted_words(text, escape);
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    if !first.contains('=') {
        let (name, value) = split_once(text);
        let value = value.ok_or(ParseErrorKind::TwoArguments(keyword))?;
        return Ok(vec![(name.to_owned(), value.to_owned())]);
    }
    words
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(ParseErrorKind::NoEquals(word)),
        })
        .collect()
}
