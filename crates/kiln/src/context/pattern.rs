//! One pattern of an ignore file, matched as moby's `patternmatcher` does.
//!
//! That matcher turns most patterns into a Go regular expression, but keeps three fast paths whose meaning differs from the expression
//! (`foo/**`, `**/foo`, `**foo`), so they are kept apart here too.

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
    Tokens(Vec<Token>),
}

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A character.
    Literal(char),
    /// `?`: any character but `/`.
    AnyOne,
    /// `*`: any number of characters but `/`.
    AnyInSegment,
    /// `**` or `**/` before something else: any number of whole segments.
    AnySegments,
    /// `**` at the end: anything.
    Anything,
    /// `[…]`
    Class(Class),
}

/// A character class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn contains(&self, character: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != self.negated
    }
}

/// Why a pattern is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `[` without `]`, or an empty or reversed range.
    #[error("the character class is not closed or has a range that runs backwards")]
    BadClass,
    /// A backslash with nothing after it.
    #[error("nothing follows the backslash at the end")]
    TrailingBackslash,
    /// A backslash before a letter or digit: Go's regular expressions give most of them a meaning of their own.
    #[error("`\\{0}` is not an escape of an ignore pattern; a backslash only goes before punctuation")]
    BadEscape(char),
}

impl Pattern {
    /// Compiles a cleaned pattern.
    pub(super) fn new(pattern: &str) -> Result<Self, PatternError> {
        #[derive(PartialEq)]
        enum Kind {
            Exact,
            Prefix,
            Suffix,
            Tokens,
        }
        let mut kind = Kind::Exact;
        let mut tokens = Vec::new();
        let mut rest = pattern.chars().peekable();
        let mut first = true;
        while let Some(character) = rest.next() {
            match character {
                '*' if rest.peek() == Some(&'*') => {
                    rest.next();
                    if rest.peek() == Some(&'/') {
                        rest.next();
                    }
                    if rest.peek().is_some() {
                        tokens.push(Token::AnySegments);
                        kind = Kind::Tokens;
                    } else if kind == Kind::Exact {
                        kind = Kind::Prefix;
                    } else {
                        tokens.push(Token::Anything);
                        kind = Kind::Tokens;
                    }
                    if first {
                        kind = Kind::Suffix;
                    }
                }
                '*' => {
                    tokens.push(Token::AnyInSegment);
                    kind = Kind::Tokens;
                }
                '?' => {
                    tokens.push(Token::AnyOne);
                    kind = Kind::Tokens;
                }
                '\\' => {
                    tokens.push(Token::Literal(escaped(rest.next())?));
                    kind = Kind::Tokens;
                }
                '[' => {
                    tokens.push(Token::Class(class(&mut rest)?));
                    kind = Kind::Tokens;
                }
                other => tokens.push(Token::Literal(other)),
            }
            first = false;
        }
        Ok(match kind {
            Kind::Exact => Self::Exact(pattern.to_owned()),
            Kind::Prefix => Self::Prefix(pattern.trim_end_matches('/').strip_suffix("**").unwrap_or(pattern).to_owned()),
            Kind::Suffix => Self::Suffix(pattern[2..].to_owned()),
            Kind::Tokens => Self::Tokens(tokens),
        })
    }

    /// Whether the pattern matches the whole path.
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(pattern) => path == pattern,
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path),
            Self::Tokens(tokens) => matches_tokens(tokens, path),
        }
    }
}

fn escaped(next: Option<char>) -> Result<char, PatternError> {
    match next {
        None => Err(PatternError::TrailingBackslash),
        Some(letter) if letter.is_ascii_alphanumeric() => Err(PatternError::BadEscape(letter)),
        Some(other) => Ok(other),
    }
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Class, PatternError> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match rest.next().ok_or(PatternError::BadClass)? {
            ']' if ranges.is_empty() => return Err(PatternError::BadClass),
            ']' => return Ok(Class { negated, ranges }),
            '\\' => escaped(rest.next())?,
            other => other,
        };
        let mut high = low;
        if rest.next_if_eq(&'-').is_some() {
            high = match rest.next().ok_or(PatternError::BadClass)? {
                ']' => return Err(PatternError::BadClass),
                '\\' => escaped(rest.next())?,
                other => other,
            };
        }
        if low > high {
            return Err(PatternError::BadClass);
        }
        ranges.push((low, high));
    }
}

/// Simulates the pattern over all positions at once: time is the product of the lengths, whatever the pattern.
fn matches_tokens(tokens: &[Token], path: &str) -> bool {
    // `state[i]`: the tokens before `i` match the characters read so far.
    let mut state = vec![false; tokens.len() + 1];
    // `AnySegments` is `(.*/)?`: once entered, it ends behind a `/` only.
    let mut inside = vec![false; tokens.len()];
    state[0] = true;
    skip_empty(tokens, &mut state, &mut inside);
    for character in path.chars() {
        let mut next = vec![false; tokens.len() + 1];
        let mut next_inside = vec![false; tokens.len()];
        for (index, token) in tokens.iter().enumerate() {
            if inside[index] && character != '\n' {
                next_inside[index] = true;
                if character == '/' {
                    next[index + 1] = true;
                }
            }
            if !state[index] {
                continue;
            }
            match token {
                Token::Literal(literal) => next[index + 1] |= *literal == character,
                Token::AnyOne => next[index + 1] |= character != '/',
                Token::Class(class) => next[index + 1] |= class.contains(character),
                Token::AnyInSegment => next[index] |= character != '/',
                Token::Anything => next[index] |= character != '\n',
                Token::AnySegments => {}
            }
        }
        state = next;
        inside = next_inside;
        skip_empty(tokens, &mut state, &mut inside);
    }
    state[tokens.len()]
}

/// Steps over tokens that may match nothing.
fn skip_empty(tokens: &[Token], state: &mut [bool], inside: &mut [bool]) {
    for (index, token) in tokens.iter().enumerate() {
        if state[index] && matches!(token, Token::AnyInSegment | Token::Anything | Token::AnySegments) {
            state[index + 1] = true;
            if *token == Token::AnySegments {
                inside[index] = true;
            }
        }
    }
}
