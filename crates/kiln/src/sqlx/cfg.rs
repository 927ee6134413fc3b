//! Whether code under `#[cfg(…)]` is compiled, as far as it can be known without a compiler.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::tokens::{self, string};

/// Yes, no, or it depends on what only the compiler knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Unknown,
}

impl Truth {
    const fn of(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }

    const fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// What `#[cfg(…)]` is asked about. Images are built for Linux.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// Features of the package that are on.
    pub(super) features: &'a BTreeSet<String>,
    /// Whether tests are compiled.
    pub(super) test: bool,
}

/// One `cfg` predicate, kept with the code below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Predicate {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Name(String),
    Pair(String, String),
    /// Something that this reader does not know.
    Strange,
}

impl Predicate {
    /// `test`, as for `#[test]` functions, which are compiled with tests only.
    pub(super) fn test() -> Self {
        Self::Name("test".to_owned())
    }

    /// The inside of `cfg(…)`.
    pub(super) fn parse(stream: TokenStream) -> Self {
        let parts: Vec<TokenTree> = stream.into_iter().collect();
        match parts.as_slice() {
            [TokenTree::Ident(name)] => Self::Name(tokens::name(name)),
            [TokenTree::Ident(name), TokenTree::Punct(equals), TokenTree::Literal(value)] if equals.as_char() == '=' => {
                string(value).map_or(Self::Strange, |value| Self::Pair(tokens::name(name), value))
            }
            [TokenTree::Ident(name), TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
                let mut inner: Vec<Self> = tokens::split(group.stream(), ',').into_iter().map(Self::parse).collect();
                match (tokens::name(name).as_str(), inner.len()) {
                    ("all", _) => Self::All(inner),
                    ("any", _) => Self::Any(inner),
                    ("not", 1) => inner.pop().map_or(Self::Strange, |inner| Self::Not(Box::new(inner))),
                    _ => Self::Strange,
                }
            }
            _ => Self::Strange,
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, facts: Facts<'_>) -> Truth {
        match self {
            Self::All(inner) => fold(inner.iter(), facts, Truth::No, Truth::Yes),
            Self::Any(inner) => fold(inner.iter(), facts, Truth::Yes, Truth::No),
            Self::Not(inner) => inner.holds(facts).not(),
            Self::Name(name) => match name.as_str() {
                "test" => Truth::of(facts.test),
                "unix" | "true" => Truth::Yes,
                "windows" | "doc" | "doctest" | "miri" | "false" => Truth::No,
                _ => Truth::Unknown,
            },
            Self::Pair(key, value) => match key.as_str() {
                "feature" => Truth::of(facts.features.contains(value)),
                "target_os" => Truth::of(value == "linux"),
                "target_family" => Truth::of(value == "unix"),
                "target_vendor" if value == "apple" => Truth::No,
                "target_arch" if value.starts_with("wasm") => Truth::No,
                _ => Truth::Unknown,
            },
            Self::Strange => Truth::Unknown,
        }
    }
}

/// Whether all of them hold.
pub(super) fn all<'p>(predicates: impl IntoIterator<Item = &'p Predicate>, facts: Facts<'_>) -> Truth {
    fold(predicates.into_iter(), facts, Truth::No, Truth::Yes)
}

fn fold<'p>(inner: impl Iterator<Item = &'p Predicate>, facts: Facts<'_>, decisive: Truth, otherwise: Truth) -> Truth {
    let mut result = otherwise;
    for predicate in inner {
        match predicate.holds(facts) {
            truth if truth == decisive => return decisive,
            Truth::Unknown => result = Truth::Unknown,
            _ => {}
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_are_decided_as_far_as_they_can_be() {
        let features = BTreeSet::from(["pg".to_owned()]);
        let table = [
            ("test", Truth::No),
            ("not(test)", Truth::Yes),
            ("feature = \"pg\"", Truth::Yes),
            ("all(unix, feature = \"lite\")", Truth::No),
            ("any(feature = \"lite\", target_os = \"linux\")", Truth::Yes),
            ("all(unix, tokio_unstable)", Truth::Unknown),
            ("all(windows, tokio_unstable)", Truth::No),
            ("any(test, target_arch = \"x86_64\")", Truth::Unknown),
            ("all()", Truth::Yes),
            ("any()", Truth::No),
            ("not(test, unix)", Truth::Unknown),
        ];
        for (text, expected) in table {
            let predicate = Predicate::parse(text.parse().unwrap());
            assert_eq!(predicate.holds(Facts { features: &features, test: false }), expected, "{text}");
        }
        let test = Predicate::parse("all(test, feature = \"pg\")".parse().unwrap());
        assert_eq!(test.holds(Facts { features: &features, test: true }), Truth::Yes);
    }
}
