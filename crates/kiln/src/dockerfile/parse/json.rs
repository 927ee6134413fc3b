//! The JSON form of instructions: an array of strings.

use serde::de::IgnoredAny;

use super::ParseErrorKind;

/// The strings of a JSON array; `None` when the text is not a JSON array at all, so that it is read as plain text.
pub(super) fn strings(text: &str) -> Result<Option<Vec<String>>, ParseErrorKind> {
    let text = text.trim_start();
    if !text.starts_with('[') || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Ok(None);
    }
    // Valid JSON from here on.
    let mut rest = text[1..].trim_start();
    let mut strings = Vec::new();
    if rest.starts_with(']') {
        return Ok(Some(strings));
    }
    loop {
        let Some(body) = rest.strip_prefix('"') else { return Err(ParseErrorKind::NotStringArray) };
        let (string, after) = string(body);
        strings.push(string);
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None => return Ok(Some(strings)),
        }
    }
}

/// The string up to its closing quote, and what follows. Half a surrogate pair becomes U+FFFD, as in Go.
fn string(body: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = body.chars();
    let hex = |rest: &mut std::str::Chars<'_>| {
        let code = rest.as_str().get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        for _ in 0..4 {
            rest.next();
        }
        code.unwrap_or(0xfffd)
    };
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => match rest.next() {
                Some('b') => text.push('\u{8}'),
                Some('f') => text.push('\u{c}'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('u') => {
                    let high = hex(&mut rest);
                    let mut code = high;
                    if (0xd800..0xdc00).contains(&high) && rest.as_str().starts_with("\\u") {
                        let mut ahead = rest.clone();
                        ahead.next();
                        ahead.next();
                        let low = hex(&mut ahead);
                        if (0xdc00..0xe000).contains(&low) {
                            code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                            rest = ahead;
                        }
                    }
                    text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    (text, rest.as_str())
}
