//! The regular expressions that moby makes of patterns, read and matched as Go does.
//!
//! Patterns become expressions character by character, also within `[…]`, so that odd patterns get odd meanings: `[a*]` is one of `a[^/`, any
//! number of times, then `]`. Reading the expression instead of the pattern keeps them.

use super::pattern::PatternError;

/// A compiled expression. It matches whole texts only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    items: Vec<Item>,
    /// The longest text that whatever matches has in it.
    literal: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// One character.
    One(Set),
    /// Any number of characters.
    Many(Set),
    /// One character or none.
    Maybe(Set),
    /// `(.*/)?`: nothing, or anything within one line that ends with `/`.
    Segments,
    /// The start of the text.
    Start,
    /// The end of the text.
    End,
    /// Whether exactly one of the characters on both sides is a letter, digit or `_`.
    Boundary(bool),
}

/// A set of characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Set {
    fn contains(&self, character: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != self.negated
    }

    fn one(character: char) -> Self {
        Self { negated: false, ranges: vec![(character, character)] }
    }

    /// The character of a set that has no other.
    fn certain(&self) -> Option<char> {
        match self.ranges.as_slice() {
            [(low, high)] if low == high && !self.negated => Some(*low),
            _ => None,
        }
    }

    /// Adds what a set holds, also where that is "all but".
    fn add(&mut self, other: &Self) {
        if !other.negated {
            self.ranges.extend(&other.ranges);
            return;
        }
        let mut low = Some('\0');
        let mut ranges = other.ranges.clone();
        ranges.sort_unstable();
        for (from, to) in ranges {
            if let Some(start) = low.filter(|start| *start < from) {
                self.ranges.extend(('\0'..from).next_back().map(|end| (start, end)));
            }
            low = (to..=char::MAX).nth(1).max(low);
        }
        self.ranges.extend(low.map(|start| (start, char::MAX)));
    }
}

/// What a backslash and the characters behind it mean.
enum Escape {
    Character(char),
    Set(Set),
    Start,
    End,
    Boundary(bool),
    /// `\Q`: everything up to `\E` stands for itself.
    Quote,
}

impl Expression {
    /// Reads an expression without its `^` and `$`.
    pub(super) fn new(expression: &str) -> Result<Self, PatternError> {
        let mut reader = Reader { rest: expression };
        let mut items = Vec::new();
        while let Some(character) = reader.next() {
            let set = match character {
                '(' if reader.takes(".*/)?") => {
                    items.push(Item::Segments);
                    continue;
                }
                '[' => reader.class()?,
                '.' => Set { negated: true, ranges: vec![('\n', '\n')] },
                '^' => {
                    items.push(Item::Start);
                    continue;
                }
                '*' | '?' => return Err(PatternError::BadClass),
                '\\' => match reader.escape()? {
                    Escape::Character(character) => Set::one(character),
                    Escape::Set(set) => set,
                    Escape::Quote => {
                        let (text, after) = reader.rest.split_once("\\E").unwrap_or((reader.rest, ""));
                        items.extend(text.chars().map(|character| Item::One(Set::one(character))));
                        reader.rest = after;
                        continue;
                    }
                    Escape::Start => {
                        items.push(Item::Start);
                        continue;
                    }
                    Escape::End => {
                        items.push(Item::End);
                        continue;
                    }
                    Escape::Boundary(is_one) => {
                        items.push(Item::Boundary(is_one));
                        continue;
                    }
                },
                literal => Set::one(literal),
            };
            items.push(if reader.takes("*") {
                Item::Many(set)
            } else if reader.takes("?") {
                Item::Maybe(set)
            } else {
                Item::One(set)
            });
        }
        let literal = longest_literal(&items);
        Ok(Self { items, literal })
    }

    /// Whether the expression matches the whole text. Follows all ways at once: time is the product of the lengths, whatever the pattern.
    pub(super) fn matches(&self, text: &str) -> bool {
        if !self.may_match(text) {
            return false;
        }
        let count = self.items.len();
        // `reached[i]`: the items before `i` match what was read so far. `inside[i]`: item `i` is `Segments` and has begun.
        let mut reached = vec![false; count + 1];
        let mut inside = vec![false; count];
        let (mut next, mut next_inside) = (vec![false; count + 1], vec![false; count]);
        reached[0] = true;
        let mut rest = text.chars();
        let mut before = None;
        loop {
            let at_end = rest.as_str().is_empty();
            for (index, item) in self.items.iter().enumerate() {
                if !reached[index] {
                    continue;
                }
                let free = match item {
                    Item::One(_) => false,
                    Item::Many(_) | Item::Maybe(_) => true,
                    Item::Segments => {
                        inside[index] = true;
                        true
                    }
                    Item::Start => before.is_none(),
                    Item::End => at_end,
                    Item::Boundary(is_one) => {
                        (before.is_some_and(is_word) != rest.clone().next().is_some_and(is_word)) == *is_one
                    }
                };
                reached[index + 1] |= free;
            }
            let Some(character) = rest.next() else { return reached[count] };
            before = Some(character);
            next.fill(false);
            next_inside.fill(false);
            for (index, item) in self.items.iter().enumerate() {
                match item {
                    Item::One(set) | Item::Maybe(set) => next[index + 1] |= reached[index] && set.contains(character),
                    Item::Many(set) => next[index] |= reached[index] && set.contains(character),
                    Item::Segments if inside[index] && character != '\n' => {
                        next_inside[index] = true;
                        next[index + 1] |= character == '/';
                    }
                    Item::Segments | Item::Start | Item::End | Item::Boundary(_) => {}
                }
            }
            if !next.contains(&true) && !next_inside.contains(&true) {
                return false;
            }
            std::mem::swap(&mut reached, &mut next);
            std::mem::swap(&mut inside, &mut next_inside);
        }
    }

    /// Whether the text holds what the expression cannot do without, and has such characters at its ends as the expression begins and
    /// ends with. That settles nearly all paths of a context.
    fn may_match(&self, text: &str) -> bool {
        if !text.contains(&self.literal) {
            return false;
        }
        let fits = |(item, character): (&Item, char)| match item {
            Item::One(set) => Some(set.contains(character)),
            _ => None,
        };
        let begins = self.items.iter().zip(text.chars()).map_while(fits).all(|fits| fits);
        begins && self.items.iter().rev().zip(text.chars().rev()).map_while(fits).all(|fits| fits)
    }
}

/// The longest run of items that are one certain character each.
fn longest_literal(items: &[Item]) -> String {
    let runs = items.split(|item| !matches!(item, Item::One(set) if set.certain().is_some()));
    let text =
        |run: &[Item]| run.iter().filter_map(|item| if let Item::One(set) = item { set.certain() } else { None }).collect();
    runs.map(text).max_by_key(String::len).unwrap_or_default()
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let character = rest.next();
        self.rest = rest.as_str();
        character
    }

    fn takes(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// A class behind its `[`.
    fn class(&mut self) -> Result<Set, PatternError> {
        let negated = self.takes("^");
        let mut set = Set::default();
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if let Some(named) = self.rest.strip_prefix("[:")
                && let Some((name, after)) = named.split_once(":]")
            {
                set.add(&posix(name)?);
                self.rest = after;
                continue;
            }
            let low = match self.class_character()? {
                Escape::Character(character) => character,
                Escape::Set(other) => {
                    set.add(&other);
                    continue;
                }
                _ => return Err(PatternError::BadClass),
            };
            let mut high = low;
            if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                self.next();
                high = match self.class_character()? {
                    Escape::Character(character) => character,
                    _ => return Err(PatternError::BadClass),
                };
            }
            if high < low {
                return Err(PatternError::BadClass);
            }
            set.ranges.push((low, high));
        }
        self.next();
        set.negated = negated;
        Ok(set)
    }

    fn class_character(&mut self) -> Result<Escape, PatternError> {
        match self.next() {
            None => Err(PatternError::BadClass),
            Some('\\') => self.escape(),
            Some(character) => Ok(Escape::Character(character)),
        }
    }

    /// An escape behind its backslash.
    fn escape(&mut self) -> Result<Escape, PatternError> {
        let character = self.next().ok_or(PatternError::TrailingBackslash)?;
        let set = |negated, ranges: &[(char, char)]| Ok(Escape::Set(Set { negated, ranges: ranges.to_vec() }));
        const SPACE: [(char, char); 3] = [('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
        const WORD: [(char, char); 4] = [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
        match character {
            'd' => set(false, &[('0', '9')]),
            'D' => set(true, &[('0', '9')]),
            's' => set(false, &SPACE),
            'S' => set(true, &SPACE),
            'w' => set(false, &WORD),
            'W' => set(true, &WORD),
            'a' => Ok(Escape::Character('\u{7}')),
            'f' => Ok(Escape::Character('\u{c}')),
            'n' => Ok(Escape::Character('\n')),
            'r' => Ok(Escape::Character('\r')),
            't' => Ok(Escape::Character('\t')),
            'v' => Ok(Escape::Character('\u{b}')),
            'A' => Ok(Escape::Start),
            'z' => Ok(Escape::End),
            'b' => Ok(Escape::Boundary(true)),
            'B' => Ok(Escape::Boundary(false)),
            'Q' => Ok(Escape::Quote),
            'x' => self.hexadecimal().map(Escape::Character),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() && other != '_' => Ok(Escape::Character(other)),
            other => Err(PatternError::BadEscape(other)),
        }
    }

    fn hexadecimal(&mut self) -> Result<char, PatternError> {
        let digits = if self.takes("{") {
            let (digits, after) = self.rest.split_once('}').ok_or(PatternError::BadEscape('x'))?;
            self.rest = after;
            digits
        } else {
            let digits = self.rest.get(..2).ok_or(PatternError::BadEscape('x'))?;
            self.rest = &self.rest[2..];
            digits
        };
        u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or(PatternError::BadEscape('x'))
    }
}

/// `[:name:]` and `[:^name:]`.
fn posix(name: &str) -> Result<Set, PatternError> {
    let (negated, name) = name.strip_prefix('^').map_or((false, name), |name| (true, name));
    let ranges: &[(char, char)] = match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\u{7f}')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return Err(PatternError::BadClass),
    };
    Ok(Set { negated, ranges: ranges.to_vec() })
}
