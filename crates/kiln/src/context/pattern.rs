//! One pattern of an ignore file, matched as moby's `patternmatcher` does.
//!
//! That matcher turns most patterns into a Go regular expression, but keeps three fast paths whose meaning differs from the expression
//! (`foo/**`, `**/foo`, `**foo`), so they are kept apart here too.

use super::expression::Expression;

/// A compiled pattern, without its `!`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// No special character: the path itself.
    Exact(String),
    /// `prefix**`: every path that begins so.
    Prefix(String),
    /// `**suffix`: every path that ends so; for `**/name`, `name` itself too.
    Suffix(String),
    /// Anything else.
    Expression(Expression),
}

/// Why a pattern is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// `[` without `]`, or an empty or reversed range.
    #[error("the character class is not closed or has a range that runs backwards")]
    BadClass,
    /// A backslash with nothing after it.
    #[error("nothing follows the backslash at the end")]
    TrailingBackslash,
    /// A backslash before a letter or digit that has no meaning in Go's regular expressions, or one that kiln does not follow (`\p`).
    #[error("`\\{0}` is not an escape of an ignore pattern; a backslash only goes before punctuation")]
    BadEscape(char),
    /// More than 64 KiB, which BuildKit does not read.
    #[error("the line is longer than 64 KiB")]
    TooLong,
}

impl Pattern {
    /// Compiles a cleaned pattern.
    pub(super) fn new(pattern: &str) -> Result<Self, PatternError> {
        #[derive(PartialEq)]
        enum Kind {
            Exact,
            Prefix,
            Suffix,
            Expression,
        }
        check(pattern)?;
        let mut kind = Kind::Exact;
        let mut expression = String::new();
        // Go's scanner drops a byte order mark at the start.
        let mut rest = pattern.strip_prefix('\u{feff}').unwrap_or(pattern).chars().peekable();
        let mut first = true;
        while let Some(character) = rest.next() {
            match character {
                '*' if rest.peek() == Some(&'*') => {
                    rest.next();
                    rest.next_if_eq(&'/');
                    if rest.peek().is_some() {
                        expression.push_str("(.*/)?");
                        kind = Kind::Expression;
                    } else if kind == Kind::Exact {
                        kind = Kind::Prefix;
                    } else {
                        expression.push_str(".*");
                        kind = Kind::Expression;
                    }
                    if first {
                        kind = Kind::Suffix;
                    }
                }
                '*' => {
                    expression.push_str("[^/]*");
                    kind = Kind::Expression;
                }
                '?' => {
                    expression.push_str("[^/]");
                    kind = Kind::Expression;
                }
                '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => expression.extend(['\\', character]),
                '\\' => {
                    expression.push('\\');
                    if let Some(escaped) = rest.next() {
                        expression.push(escaped);
                        kind = Kind::Expression;
                    }
                }
                '[' | ']' => {
                    expression.push(character);
                    kind = Kind::Expression;
                }
                other => expression.push(other),
            }
            first = false;
        }
        Ok(match kind {
            Kind::Exact => Self::Exact(pattern.to_owned()),
            Kind::Prefix => Self::Prefix(pattern.strip_suffix("**").unwrap_or(pattern).to_owned()),
            Kind::Suffix => Self::Suffix(pattern.strip_prefix("**").unwrap_or(pattern).to_owned()),
            Kind::Expression => Self::Expression(Expression::new(&expression)?),
        })
    }

    /// Whether the pattern matches the whole path.
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(pattern) => path == pattern,
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path),
            Self::Expression(expression) => expression.matches(path),
        }
    }
}

/// The syntax check that moby makes before it compiles, which is Go's `filepath.Match`: classes closed and not empty, ranges whole, no
/// backslash at the end.
fn check(pattern: &str) -> Result<(), PatternError> {
    let mut rest = pattern.chars().peekable();
    let end_of_range = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let mut next = rest.next();
        if matches!(next, None | Some('-' | ']')) {
            return Err(PatternError::BadClass);
        }
        if next == Some('\\') {
            next = rest.next();
        }
        // A class needs something behind each of its characters: the next, or its end.
        if next.is_none() || rest.peek().is_none() { Err(PatternError::BadClass) } else { Ok(()) }
    };
    while let Some(character) = rest.next() {
        match character {
            '\\' if rest.next().is_none() => return Err(PatternError::TrailingBackslash),
            '[' => {
                rest.next_if_eq(&'^');
                let mut count = 0;
                while count == 0 || rest.next_if_eq(&']').is_none() {
                    end_of_range(&mut rest)?;
                    if rest.next_if_eq(&'-').is_some() {
                        end_of_range(&mut rest)?;
                    }
                    count += 1;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
