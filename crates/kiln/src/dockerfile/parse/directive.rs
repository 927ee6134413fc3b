//! Parser directives: `# syntax=`, `# escape=`, `# check=` at the very top.

use super::ParseErrorKind;

/// What the directives at the top say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: the frontend image. Found behind a `#!` line too, and in `//` comments, as BuildKit does.
    pub syntax: Option<String>,
    /// `# escape=`: a backslash or a backtick.
    pub escape: Option<char>,
    /// `# check=`: options of the build checks.
    pub check: Option<String>,
}

impl Directives {
    /// The escape character of the file.
    #[must_use]
    pub fn escape_character(&self) -> char {
        self.escape.unwrap_or('\\')
    }
}

/// Reads directives line by line until the first line that is none.
#[derive(Debug, Default)]
pub(super) struct DirectiveReader {
    done: bool,
    pub(super) directives: Directives,
}

impl DirectiveReader {
    /// Looks at the next line, without its line break and leading space.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), ParseErrorKind> {
        if self.done {
            return Ok(());
        }
        let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| directive(line, "#")) else {
            self.done = true;
            return Ok(());
        };
        let name = name.to_ascii_lowercase();
        let known = &mut self.directives;
        let seen = match name.as_str() {
            "syntax" => known.syntax.replace(value.to_owned()).is_some(),
            "check" => known.check.replace(value.to_owned()).is_some(),
            "escape" => {
                let token = match value {
                    "\\" => '\\',
                    "`" => '`',
                    other => return Err(ParseErrorKind::BadEscapeToken(other.to_owned())),
                };
                known.escape.replace(token).is_some()
            }
            _ => {
                self.done = true;
                false
            }
        };
        if seen { Err(ParseErrorKind::RepeatedDirective(name)) } else { Ok(()) }
    }
}

/// The syntax image of a file that does not name it in the ordinary place: behind `#!`, or in `//` comments.
pub(super) fn syntax_elsewhere(source: &[u8]) -> Option<String> {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let rest = if source.starts_with(b"#!") { &source[source.iter().position(|&byte| byte == b'\n')? + 1..] } else { source };
    for comment in ["#", "//"] {
        for line in rest.split(|&byte| byte == b'\n') {
            let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| directive(line.trim(), comment)) else {
                break;
            };
            if name.eq_ignore_ascii_case("syntax") {
                return Some(value.to_owned());
            }
        }
    }
    None
}

/// `# name = value`, spaces around each part cut.
fn directive<'a>(line: &'a str, comment: &str) -> Option<(&'a str, &'a str)> {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{c}' | '\r');
    let rest = line.strip_prefix(comment)?.trim_start_matches(is_space);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let value = rest.trim_start_matches(is_space).strip_prefix('=')?.trim_matches(is_space);
    (!value.is_empty()).then_some((name, value))
}
