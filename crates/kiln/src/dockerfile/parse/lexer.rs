//! Words of a Dockerfile: quotes, escapes and variables, as BuildKit's shell lexer reads them.

use std::collections::BTreeSet;

use super::pattern;

/// How deep `${A:-${B:-…}}` may nest. BuildKit has no limit; no real file comes near.
pub const MAX_DEPTH: usize = 100;

/// Largest expanded word in bytes. Beyond it no step could run: Linux takes 128 KiB for one variable.
pub const MAX_WORD: usize = 1 << 20;

/// Expands words with the variables of a scope.
///
/// ```
/// # use kiln::dockerfile::parse::Lexer;
/// let variables = |name: &str| (name == "VERSION").then(|| "v1.2.3".to_owned());
/// let expanded = Lexer::new('\\').word("app-${VERSION#v}${DEBUG:+-debug}", &variables)?;
/// assert_eq!(expanded.text, "app-1.2.3");
/// assert!(expanded.unset.contains("DEBUG"));
/// # Ok::<(), kiln::dockerfile::parse::WordError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Lexer {
    pub(super) escape: char,
    /// Keep quotes in the result.
    pub(super) raw_quotes: bool,
    /// Keep escapes in the result.
    pub(super) raw_escapes: bool,
    /// Take quotes as ordinary characters: the body of a heredoc.
    pub(super) quotes_are_plain: bool,
    pub(super) unset: Unset,
}

/// What becomes of variables that are not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unset {
    /// Nothing.
    Empty,
    /// They stay as written.
    Keep,
}

/// The value of a variable, by name.
pub(super) type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// An expanded word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: String,
    /// Names that had a value.
    pub used: BTreeSet<String>,
    /// Names that had none.
    pub unset: BTreeSet<String>,
}

/// A word that cannot be expanded, in BuildKit's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordError {
    /// A single quote that is not closed.
    #[error("unexpected end of statement while looking for matching single-quote")]
    SingleQuote,
    /// A double quote that is not closed.
    #[error("unexpected end of statement while looking for matching double-quote")]
    DoubleQuote,
    /// `${NAME` without its end.
    #[error("syntax error: missing '}}'")]
    MissingBrace,
    /// `${NAME/x` without its second slash.
    #[error("syntax error: missing '/' in ${{}}")]
    MissingSlash,
    /// `${}`, `${{`, `${:`.
    #[error("syntax error: bad substitution")]
    BadSubstitution,
    /// `${NAME:=x}` and other modifiers that BuildKit does not know.
    #[error("unsupported modifier ({0}) in substitution")]
    UnsupportedModifier(String),
    /// `${NAME?}` and `${NAME:?message}` where the variable is not set, or empty.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The message of the Dockerfile, or what is wrong.
        message: String,
    },
    /// A pattern with an escape that is none.
    #[error("invalid pattern ({pattern}) in substitution: invalid escape '\\{escaped}'")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What follows the backslash.
        escaped: String,
    },
    /// More than [`MAX_DEPTH`] substitutions in each other.
    #[error("substitutions are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// More than [`MAX_WORD`] bytes.
    #[error("the expanded word has more than {MAX_WORD} bytes")]
    TooLong,
}

impl Lexer {
    /// A lexer for a file with this escape character.
    #[must_use]
    pub fn new(escape: char) -> Self {
        Self { escape, raw_quotes: false, raw_escapes: false, quotes_are_plain: false, unset: Unset::Empty }
    }

    /// A lexer for the body of a heredoc of `COPY` or `ADD`: quotes are text, and the escape is always a backslash.
    #[must_use]
    pub fn for_heredoc() -> Self {
        Self { quotes_are_plain: true, ..Self::new('\\') }
    }

    /// Expands one word.
    ///
    /// # Errors
    /// Unclosed quotes and braces, unknown modifiers, required variables that are not set, and words beyond the limits.
    pub fn word(&self, word: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, WordError> {
        // The common case, and the one that hostile input would multiply.
        if !word.contains([self.escape, '$', '\'', '"', '\u{feff}']) {
            return Ok(Expanded { text: word.to_owned(), ..Expanded::default() });
        }
        let mut run = Scan::new(self, word, variables);
        let text = run.until(None, self.raw_escapes)?.text;
        Ok(Expanded { text, used: run.used, unset: run.missing })
    }

    /// Expands text and splits it into words: at white space that is neither quoted nor escaped, also within variables.
    ///
    /// # Errors
    /// As [`Lexer::word`].
    pub fn words(&self, text: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, WordError> {
        let found = Scan::new(self, text, variables).until(None, self.raw_escapes)?;
        Ok(found.words.finish())
    }
}

/// The result of one level: the text as a whole, and as words.
#[derive(Default)]
struct Found {
    text: String,
    words: Words,
}

#[derive(Default)]
struct Words {
    done: Vec<String>,
    current: String,
}

impl Words {
    fn push(&mut self, c: char) {
        if !c.is_whitespace() {
            self.current.push(c);
        } else if !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

/// One pass over a text.
struct Scan<'a> {
    lexer: &'a Lexer,
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    variables: &'a Variables<'a>,
    raw_escapes: bool,
    depth: usize,
    used: BTreeSet<String>,
    missing: BTreeSet<String>,
}

impl<'a> Scan<'a> {
    fn new(lexer: &'a Lexer, text: &'a str, variables: &'a Variables<'a>) -> Self {
        // Go's scanner drops a byte order mark at the start of what it reads.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            lexer,
            rest: text.chars().peekable(),
            variables,
            raw_escapes: lexer.raw_escapes,
            depth: 0,
            used: BTreeSet::new(),
            missing: BTreeSet::new(),
        }
    }

    /// Reads up to the stop character, which is taken but not part of the result, or to the end.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<Found, WordError> {
        let outer = std::mem::replace(&mut self.raw_escapes, raw_escapes);
        let found = self.until_within(stop);
        self.raw_escapes = outer;
        found
    }

    /// A part of a substitution. Whatever is wrong in it, at the end of the text BuildKit complains about the part itself.
    fn part(&mut self, stop: char, raw_escapes: bool) -> Result<String, WordError> {
        match self.until(Some(stop), raw_escapes) {
            Ok(found) => Ok(found.text),
            Err(limit @ (WordError::TooDeep | WordError::TooLong)) => Err(limit),
            Err(_) if self.rest.peek().is_none() => {
                Err(if stop == '/' { WordError::MissingSlash } else { WordError::MissingBrace })
            }
            Err(error) => Err(error),
        }
    }

    fn until_within(&mut self, stop: Option<char>) -> Result<Found, WordError> {
        let mut found = Found::default();
        while let Some(&c) = self.rest.peek() {
            if found.text.len() > MAX_WORD {
                return Err(WordError::TooLong);
            }
            if Some(c) == stop {
                self.rest.next();
                return Ok(found);
            }
            match c {
                '\'' | '"' if !self.lexer.quotes_are_plain => {
                    let text = if c == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    found.text.push_str(&text);
                    found.words.current.push_str(&text);
                }
                '$' => {
                    let text = self.dollar()?;
                    found.text.push_str(&text);
                    text.chars().for_each(|c| found.words.push(c));
                }
                c if c == self.lexer.escape => {
                    self.rest.next();
                    if self.raw_escapes {
                        found.text.push(c);
                        found.words.current.push(c);
                    }
                    let Some(escaped) = self.rest.next() else { break };
                    found.text.push(escaped);
                    found.words.current.push(escaped);
                }
                c => {
                    self.rest.next();
                    found.text.push(c);
                    found.words.push(c);
                }
            }
        }
        match stop {
            Some('/') => Err(WordError::MissingSlash),
            Some(_) => Err(WordError::MissingBrace),
            None if found.text.len() > MAX_WORD => Err(WordError::TooLong),
            None => Ok(found),
        }
    }

    fn single_quoted(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        let quote = self.rest.next();
        text.extend(quote.filter(|_| self.lexer.raw_quotes));
        loop {
            let c = self.rest.next().ok_or(WordError::SingleQuote)?;
            if c != '\'' {
                text.push(c);
                continue;
            }
            text.extend(quote.filter(|_| self.lexer.raw_quotes));
            return Ok(text);
        }
    }

    fn double_quoted(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        let quote = self.rest.next();
        text.extend(quote.filter(|_| self.lexer.raw_quotes));
        loop {
            if text.len() > MAX_WORD {
                return Err(WordError::TooLong);
            }
            match *self.rest.peek().ok_or(WordError::DoubleQuote)? {
                '"' => {
                    self.rest.next();
                    text.extend(quote.filter(|_| self.lexer.raw_quotes));
                    return Ok(text);
                }
                '$' => text.push_str(&self.dollar()?),
                mut c => {
                    self.rest.next();
                    if c == self.lexer.escape {
                        if self.raw_escapes {
                            text.push(c);
                        }
                        // Any other escape stands for itself.
                        match self.rest.peek().copied() {
                            None => continue,
                            Some(next) if next == '"' || next == '$' || next == self.lexer.escape => {
                                self.rest.next();
                                c = next;
                            }
                            Some(_) => {}
                        }
                    }
                    text.push(c);
                }
            }
        }
    }

    fn dollar(&mut self) -> Result<String, WordError> {
        self.rest.next();
        if self.rest.peek() != Some(&'{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            let value = self.value(&name);
            return Ok(if value.is_none() && self.keeps_unset() { format!("${name}") } else { value.unwrap_or_default() });
        }
        self.rest.next();
        match self.rest.peek() {
            None => return Err(WordError::MissingBrace),
            Some('{' | '}' | ':') => return Err(WordError::BadSubstitution),
            Some(_) => {}
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(WordError::TooDeep);
        }
        let text = self.braced();
        self.depth -= 1;
        text
    }

    fn braced(&mut self) -> Result<String, WordError> {
        let name = self.name();
        let first = self.rest.next();
        // Go shows the end of the text as this.
        let mut modifier = first.unwrap_or('\u{fffd}').to_string();
        match first {
            Some('}') => {
                let value = self.value(&name);
                Ok(if value.is_none() && self.keeps_unset() { format!("${{{name}}}") } else { value.unwrap_or_default() })
            }
            Some(':') => {
                let operator = self.rest.next();
                modifier.extend(operator);
                self.modified(&name, &modifier, operator, true)
            }
            Some('+' | '-' | '?' | '#' | '%') => self.modified(&name, &modifier, first, false),
            Some('/') => self.replaced(&name),
            _ => Err(WordError::UnsupportedModifier(modifier)),
        }
    }

    /// `${name-word}` and its kin; `empty_is_unset` for those with a colon.
    fn modified(
        &mut self,
        name: &str,
        modifier: &str,
        operator: Option<char>,
        empty_is_unset: bool,
    ) -> Result<String, WordError> {
        let cuts = matches!(operator, Some('#' | '%'));
        let word = self.part('}', cuts)?;
        let value = self.value(name);
        if value.is_none() && self.keeps_unset() {
            return Ok(format!("${{{name}{modifier}{word}}}"));
        }
        let counts = value.as_ref().is_some_and(|value| !(empty_is_unset && value.is_empty()));
        match operator {
            Some('-') => Ok(if counts { value.unwrap_or_default() } else { word }),
            Some('+') => Ok(if counts { word } else { String::new() }),
            Some('?') if counts => Ok(value.unwrap_or_default()),
            Some('?') => {
                let what = if value.is_none() { "is not allowed to be unset" } else { "is not allowed to be empty" };
                let message = if word.is_empty() { what.to_owned() } else { word };
                Err(WordError::Required { name: name.to_owned(), message })
            }
            Some(operator @ ('#' | '%')) => {
                let value = value.unwrap_or_default();
                let (longest, pattern) = word.strip_prefix(operator).map_or((false, word.as_str()), |rest| (true, rest));
                let cut = if operator == '#' { pattern::cut_start } else { pattern::cut_end };
                cut(pattern, longest, &value)
            }
            _ => Err(WordError::UnsupportedModifier(modifier.to_owned())),
        }
    }

    /// `${name/pattern/replacement}`
    fn replaced(&mut self, name: &str) -> Result<String, WordError> {
        let all = self.rest.next_if_eq(&'/').is_some();
        let pattern = self.part('/', true)?;
        let replacement = self.part('}', true)?;
        let value = self.value(name);
        if value.is_none() && self.keeps_unset() {
            return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
        }
        Ok(pattern::replace(&pattern::anywhere(&pattern)?, &value.unwrap_or_default(), &replacement, all))
    }

    /// A variable's name: letters, digits, `_`; only digits where it starts with one; or one special character.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.rest.peek() {
            Some(c) if is_digit(*c) => {
                while let Some(c) = self.rest.next_if(|c| is_digit(*c)) {
                    name.push(c);
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => name.extend(self.rest.next()),
            _ => {
                while let Some(c) = self.rest.next_if(|c| c.is_alphabetic() || is_digit(*c) || *c == '_') {
                    name.push(c);
                }
            }
        }
        name
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = (self.variables)(name);
        let names = if value.is_some() { &mut self.used } else { &mut self.missing };
        names.insert(name.to_owned());
        value
    }

    fn keeps_unset(&self) -> bool {
        self.lexer.unset == Unset::Keep
    }
}

/// Whether a character is a decimal digit. Those beyond ASCII begin names nowhere, and count as letters do.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}
