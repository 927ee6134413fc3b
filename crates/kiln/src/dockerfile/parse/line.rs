//! Physical lines, and how an instruction continues over several of them.

use super::ParseErrorKind;

/// Largest file that is read, in bytes: what BuildKit takes from a client in one message.
pub const MAX_FILE: usize = 16 << 20;

/// Longest physical line without its line break, in bytes, as in BuildKit.
pub const MAX_LINE: usize = 65_535;

/// Lines of the source, from 1, line breaks included.
#[derive(Debug)]
pub(super) struct PhysicalLines<'a> {
    rest: &'a [u8],
    /// Number of the line that was returned last.
    pub(super) number: usize,
}

impl<'a> PhysicalLines<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self { rest: source, number: 0 }
    }

    /// The next line, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<&'a [u8]>, ParseErrorKind> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let end = self.rest.iter().take(MAX_LINE + 1).position(|&byte| byte == b'\n');
        let length = match end {
            Some(end) => end + 1,
            None if self.rest.len() > MAX_LINE => return Err(ParseErrorKind::LineTooLong),
            None => self.rest.len(),
        };
        let (line, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.number += 1;
        Ok(Some(line))
    }
}

/// Without the line break, also one of Windows.
pub(super) fn without_break(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = line {
        line = rest;
    }
    line
}

/// Without the white space at its start.
pub(super) fn without_indent(line: &[u8]) -> &[u8] {
    // Only the longest valid start can be white space.
    let valid = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default(),
    };
    &line[valid.len() - valid.trim_start().len()..]
}

/// Whether the line is a comment.
pub(super) fn is_comment(line: &[u8]) -> bool {
    without_indent(line).first() == Some(&b'#')
}

/// The line without a continuation at its end, and whether there was one: an escape character, not itself escaped, then blanks.
pub(super) fn continued(line: &[u8], escape: char) -> (&[u8], bool) {
    let mut end = line;
    while let [rest @ .., b' ' | b'\t'] = end {
        end = rest;
    }
    match end {
        [.., before, last] if char::from(*last) == escape && char::from(*before) != escape => (&end[..end.len() - 1], true),
        [last] if char::from(*last) == escape => (&[], true),
        _ => (line, false),
    }
}
