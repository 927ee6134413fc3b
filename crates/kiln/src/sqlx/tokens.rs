//! Rust source as tokens: exact where text is not, and small helpers to read them.
//!
//! The tokens are `proc-macro2`'s and the values of string literals `syn`'s: the same that SQLx' macros work with.

use proc_macro2::{Ident, Literal, TokenStream, TokenTree};

/// A place in a file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    pub(crate) fn of(token: &TokenTree) -> Self {
        Self::at(token.span())
    }

    pub(super) fn at(span: proc_macro2::Span) -> Self {
        let start = span.start();
        Self { line: start.line, column: start.column + 1 }
    }
}

/// The tokens of a file as the compiler reads it: without a byte order mark and a `#!` line, with single line feeds.
pub(super) fn read(text: &str) -> Result<TokenStream, Place> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // rustc does the same before it looks at any token, so string literals never hold `\r\n`.
    let text = text.replace("\r\n", "\n");
    let shebang = text.starts_with("#!") && !text[2..].trim_start().starts_with('[');
    let text = if shebang { format!("// {}", text.get(2..).unwrap_or_default()) } else { text };
    text.parse().map_err(|error: proc_macro2::LexError| Place::at(error.span()))
}

/// An identifier without `r#`.
pub(crate) fn name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

/// The value of a string literal: plain or raw, no byte or C string.
pub(crate) fn string(literal: &Literal) -> Option<String> {
    match syn::Lit::new(literal.clone()) {
        syn::Lit::Str(string) => Some(string.value()),
        _ => None,
    }
}

/// Whether a token is this punctuation.
pub(crate) fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// The parts between separators that stand in no group; a part behind the last separator only if it has something.
pub(super) fn split(stream: TokenStream, separator: char) -> Vec<TokenStream> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    for token in stream {
        if is_punct(Some(&token), separator) {
            parts.push(part.drain(..).collect());
        } else {
            part.push(token);
        }
    }
    if !part.is_empty() {
        parts.push(part.into_iter().collect());
    }
    parts
}

/// `"a" + "b"`: the value, if the tokens are string literals joined by `+` and nothing else.
pub(super) fn joined_strings(tokens: &[TokenTree]) -> Option<String> {
    // A query that comes through `macro_rules` is wrapped in groups that nobody wrote; here one only sees what is written.
    let mut value = String::new();
    let mut rest = tokens.iter();
    loop {
        let Some(TokenTree::Literal(literal)) = rest.next() else { return None };
        value += &string(literal)?;
        match rest.next() {
            None => return Some(value),
            Some(plus) if is_punct(Some(plus), '+') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<String> {
        joined_strings(&read(text).unwrap().into_iter().collect::<Vec<_>>())
    }

    #[test]
    fn strings_have_the_value_that_the_compiler_sees() {
        let table = [
            ("\"a\"", Some("a")),
            (r#""a\n\t\\\"\u{e9}\x41""#, Some("a\n\t\\\"éA")),
            ("\"a \\\n    b\"", Some("a b")),
            ("\"a\n  b\"", Some("a\n  b")),
            ("\"a\r\nb\"", Some("a\nb")),
            ("r\"a\\n\"", Some("a\\n")),
            ("r#\"a \"quoted\" b\"#", Some("a \"quoted\" b")),
            ("r##\"a\r\n\"# b\"##", Some("a\n\"# b")),
            ("\"a\" + \"b\" + r\"c\"", Some("abc")),
            ("/* \"no\" */ \"a\" // \"b\"", Some("a")),
            ("b\"a\"", None),
            ("c\"a\"", None),
            ("'a'", None),
            ("\"a\" +", None),
            ("\"a\" \"b\"", None),
            ("(\"a\")", None),
            ("concat!(\"a\")", None),
            ("SQL", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(value(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_file_may_begin_with_a_mark_or_a_line_for_the_shell_and_errors_have_a_place() {
        assert_eq!(value("\u{feff}\"a\"").as_deref(), Some("a"));
        assert_eq!(value("#!/usr/bin/env cargo\n\"a\"").as_deref(), Some("a"));
        assert_eq!(read("#![allow(unused)]\n").unwrap().into_iter().count(), 3);
        assert_eq!(read("fn f() {\n  (]\n}").unwrap_err().line, 2);
    }
}
