//! JavaScript and TypeScript as tokens: enough to find imports, exports and free names, with comments, strings, templates and regular
//! expressions out of the way.
//!
//! It never fails: what is not understood becomes punctuation, and an unclosed string ends with its line.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier, a keyword or a number.
    Word,
    /// A string in quotes, with them.
    Text,
    /// A piece of a template literal; what is substituted into it are tokens of their own.
    Template,
    /// A regular expression.
    Pattern,
    /// One other character.
    Mark,
}

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// First byte.
    pub(crate) start: usize,
    /// Byte behind the last.
    pub(crate) end: usize,
}

/// Keywords after which a `/` begins a regular expression.
const BEFORE_PATTERN: [&str; 13] =
    ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "yield", "await"];

/// Splits a text.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    Lexer { text, bytes: text.as_bytes(), at: 0, tokens: Vec::new(), templates: Vec::new() }.run()
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
    /// For each template literal that is open: how many braces are open within its substitution.
    templates: Vec<usize>,
}

impl Lexer<'_> {
    fn run(mut self) -> Vec<Token> {
        if self.text.starts_with("#!") {
            self.at = self.line_end();
        }
        while let Some(byte) = self.bytes.get(self.at).copied() {
            match byte {
                _ if byte.is_ascii_whitespace() => self.at += 1,
                // A byte order mark is white space, as the language has it.
                0xef if self.bytes[self.at..].starts_with(b"\xef\xbb\xbf") => self.at += 3,
                b'/' if self.starts("//") => self.at = self.line_end(),
                b'/' if self.starts("/*") => {
                    self.at = self.text[self.at + 2..].find("*/").map_or(self.text.len(), |end| self.at + end + 4);
                }
                b'"' | b'\'' => self.quoted(byte),
                b'`' => self.template(self.at, self.at + 1),
                b'/' if self.pattern_may_start() => self.pattern(),
                b'{' if !self.templates.is_empty() => {
                    if let Some(depth) = self.templates.last_mut() {
                        *depth += 1;
                    }
                    self.push(Kind::Mark, self.at + 1);
                }
                b'}' if self.templates.last() == Some(&0) => {
                    self.templates.pop();
                    self.template(self.at, self.at + 1);
                }
                b'}' => {
                    if let Some(depth) = self.templates.last_mut() {
                        *depth -= 1;
                    }
                    self.push(Kind::Mark, self.at + 1);
                }
                _ if is_word(byte) => {
                    let length = self.bytes[self.at..].iter().take_while(|byte| is_word(**byte)).count();
                    self.push(Kind::Word, self.at + length);
                }
                _ => self.push(Kind::Mark, self.at + 1),
            }
        }
        self.tokens
    }

    fn push(&mut self, kind: Kind, end: usize) {
        self.tokens.push(Token { kind, start: self.at, end });
        self.at = end;
    }

    fn starts(&self, prefix: &str) -> bool {
        self.bytes[self.at..].starts_with(prefix.as_bytes())
    }

    fn line_end(&self) -> usize {
        self.bytes[self.at..].iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |length| self.at + length)
    }

    fn quoted(&mut self, quote: u8) {
        let mut end = self.at + 1;
        while let Some(byte) = self.bytes.get(end) {
            match byte {
                b'\\' => end += 1,
                b'\n' => break,
                byte if *byte == quote => {
                    end += 1;
                    break;
                }
                _ => {}
            }
            end += 1;
        }
        self.push(Kind::Text, end.min(self.bytes.len()));
    }

    /// From the backtick, or from the brace that ends a substitution, to the next substitution or the end.
    fn template(&mut self, start: usize, from: usize) {
        self.at = start;
        let mut end = from;
        while let Some(byte) = self.bytes.get(end) {
            match byte {
                b'\\' => end += 1,
                b'`' => return self.push(Kind::Template, end + 1),
                b'$' if self.bytes.get(end + 1) == Some(&b'{') => {
                    self.templates.push(0);
                    return self.push(Kind::Template, end + 2);
                }
                _ => {}
            }
            end += 1;
        }
        self.push(Kind::Template, self.bytes.len());
    }

    fn pattern_may_start(&self) -> bool {
        let Some(last) = self.tokens.last() else { return true };
        let text = &self.text[last.start..last.end];
        match last.kind {
            Kind::Word => BEFORE_PATTERN.contains(&text),
            Kind::Text | Kind::Pattern => false,
            Kind::Template => text.ends_with("${"),
            // After a brace it may be either; a pattern ends on its line.
            Kind::Mark => !matches!(text, ")" | "]") && (text != "}" || self.text[self.at + 1..self.line_end()].contains('/')),
        }
    }

    fn pattern(&mut self) {
        let (mut end, line_end) = (self.at + 1, self.line_end());
        let mut in_class = false;
        while end < line_end {
            match self.bytes[end] {
                b'\\' => end += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => {
                    end += 1;
                    end += self.bytes[end..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                    return self.push(Kind::Pattern, end);
                }
                _ => {}
            }
            end += 1;
        }
        self.push(Kind::Mark, self.at + 1);
    }
}

/// Bytes of names; those of other scripts count, too.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().filter(|token| token.kind == Kind::Word).map(|token| &text[token.start..token.end]).collect()
    }

    #[test]
    fn only_code_gives_words() {
        let table: [(&str, &[&str]); 12] = [
            ("#!/usr/bin/env node\na", &["a"]),
            ("a // b\nc /* d\n e */ f", &["a", "c", "f"]),
            ("'a' \"b\\\"c\" d", &["d"]),
            ("`a ${b} c ${ {d: `${e}`} } f` g", &["b", "d", "e", "g"]),
            ("x = /require('y')/g; z", &["x", "z"]),
            ("a / b / c", &["a", "b", "c"]),
            ("return /b'/.test(c)", &["return", "test", "c"]),
            ("test: /[/']\\.js$/, use", &["test", "use"]),
            ("f(a) / b / c", &["f", "a", "b", "c"]),
            ("'unclosed\na", &["a"]),
            ("`unclosed ${a", &["a"]),
            ("} /x/", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn tokens_are_in_order_and_on_character_boundaries_whatever_the_text() {
        // A small generator: pieces that are hard together.
        let pieces = ["`", "${", "}", "{", "'", "\"", "/", "*", "\\", "\n", "é", "a", "//", "/*", "#!", "(", ")", "[", "]", " "];
        let mut state = 7u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text += pieces[(state >> 33) as usize % pieces.len()];
            }
            let mut last = 0;
            for token in tokens(&text) {
                assert!(token.start >= last && token.end > token.start, "{text:?}");
                assert!(text.get(token.start..token.end).is_some(), "{text:?} {token:?}");
                last = token.end;
            }
        }
    }
}
