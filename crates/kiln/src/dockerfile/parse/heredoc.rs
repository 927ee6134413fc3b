//! Heredocs: finding them in an instruction, and what their delimiters mean.

use super::lexer::{Lexer, Unset};

/// A heredoc of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The delimiter without quotes.
    pub name: String,
    /// The lines between, as they stand, line breaks included.
    pub content: String,
    /// Whether `COPY` and `ADD` expand variables in it: no part of the delimiter is quoted.
    pub expands: bool,
    /// `<<-`: tabs at the start of lines do not count.
    pub chomps: bool,
}

impl Heredoc {
    /// Its text, tabs cut if it says so.
    #[must_use]
    pub fn text(&self) -> String {
        if !self.chomps {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// The heredocs that an instruction's text announces.
pub(super) fn announced(line: &str) -> Vec<Heredoc> {
    let lexer = Lexer { raw_quotes: true, raw_escapes: true, unset: Unset::Keep, ..Lexer::new('\\') };
    // Text that is no shell words has no heredocs, as in BuildKit.
    let words = lexer.words(line, &|_| None).unwrap_or_default();
    let mut found = Vec::new();
    let mut words = words.into_iter();
    while let Some(mut word) = words.next() {
        // `<< EOF` is `<<EOF` here.
        if word.trim_start_matches(|c: char| c.is_ascii_digit()) == "<<" {
            word.extend(words.next());
        }
        found.extend(delimiter(&word));
    }
    found
}

/// Reads a word as `<<NAME`, `<<-NAME` or with a file descriptor before it.
pub(super) fn delimiter(word: &str) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let (chomps, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let lexer = Lexer { unset: Unset::Keep, ..Lexer::new('\\') };
    let plain = lexer.words(rest, &|_| None).ok()?;
    let [name] = plain.as_slice() else { return None };
    let raw = Lexer { raw_quotes: true, raw_escapes: true, ..lexer }.words(rest, &|_| None).ok()?;
    let expands = raw.first() == Some(name);
    Some(Heredoc { name: name.clone(), content: String::new(), expands, chomps })
}
