//! Reading text and JSON with line numbers.

use std::fs;
use std::io;
use std::ops::Range;

use camino::Utf8Path;
use serde_json::Value;

use super::NodeError;
use crate::text::line_of_bad_byte;

/// Text of a file without its byte order mark.
pub(super) fn read_text(path: &Utf8Path) -> Result<String, NodeError> {
    let bytes = fs::read(path).map_err(|source| NodeError::Read { path: path.to_owned(), source })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => Err(NodeError::NotText { path: path.to_owned(), line: line_of_bad_byte(&error) }),
    }
}

/// The text, or `None` where there is no such file.
pub(super) fn read_text_if_there(path: &Utf8Path) -> Result<Option<String>, NodeError> {
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(NodeError::Read { source, .. })
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Parses JSON; the error names the line.
pub(super) fn parse(path: &Utf8Path, text: &str) -> Result<Value, NodeError> {
    serde_json::from_str(text).map_err(|source| NodeError::Json { path: path.to_owned(), line: source.line().max(1), source })
}

/// Line (from 1) of the value under `keys`, or of the deepest of them that is there. Works on text that parses.
pub(super) fn line_of(text: &str, keys: &[&str]) -> usize {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    let mut found = 0;
    for key in keys {
        match scanner.enter(key) {
            Some(at) => found = at,
            None => break,
        }
    }
    1 + text.as_bytes()[..found].iter().filter(|byte| **byte == b'\n').count()
}

/// Where the value under `keys` begins and ends. Works on text that parses.
pub(crate) fn span_of(text: &str, keys: &[&str]) -> Option<Range<usize>> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    for key in keys {
        scanner.enter(key)?;
    }
    let start = scanner.at;
    scanner.value();
    Some(start..start + text.get(start..scanner.at)?.trim_end().len())
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    /// From the start of an object, moves to the value of `key` and tells where the key stands.
    fn enter(&mut self, key: &str) -> Option<usize> {
        self.space();
        if self.bytes.get(self.at) != Some(&b'{') {
            return None;
        }
        self.at += 1;
        loop {
            self.space();
            if self.bytes.get(self.at) != Some(&b'"') {
                return None;
            }
            let start = self.at;
            self.string();
            let name = serde_json::from_slice::<String>(self.bytes.get(start..self.at)?).ok()?;
            self.space();
            self.at += 1;
            self.space();
            if name == key {
                return Some(start);
            }
            self.value();
            self.space();
            if self.bytes.get(self.at) != Some(&b',') {
                return None;
            }
            self.at += 1;
        }
    }

    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
    }

    fn value(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_keys_and_not_by_equal_text_elsewhere() {
        let text = "{\n \"a\": {\"x\": [1, {\"b\": 2}], \"s\": \"}\\\"{\"},\n \"b\": {\n  \"x\": 1,\n  \"y/z\": 2\n }\n}";
        assert_eq!(line_of(text, &["a", "x"]), 2);
        assert_eq!(line_of(text, &["b"]), 3);
        assert_eq!(line_of(text, &["b", "x"]), 4);
        assert_eq!(line_of(text, &["b", "y/z"]), 5);
        assert_eq!(line_of(text, &["b", "missing"]), 3);
        assert_eq!(line_of(text, &["missing"]), 1);
        let value = |keys: &[&str]| span_of(text, keys).map(|span| &text[span]);
        assert_eq!(value(&["a", "s"]), Some("\"}\\\"{\""));
        assert_eq!(value(&["b", "y/z"]), Some("2"));
        assert_eq!(value(&["b", "missing"]), None);
    }
}
