//! The first lines of a generated file: who wrote it, and a hash of what follows.
//!
//! Files take `#` comments, or `<!-- -->` where their name ends with `.md` or `.html`. The hash is over the body with `\n` line ends, so that a checkout that
//! converts them is no edit. The version is for people: it takes no part in any comparison.

use camino::Utf8Path;

use super::VERSION;

const HASH: &str = "; body blake3 ";

/// How a kind of file begins.
struct Syntax {
    /// Before the version.
    start: &'static str,
    /// After the hash.
    end: &'static str,
    /// The second line, for people.
    second: &'static str,
}

const HASHES: Syntax = Syntax {
    start: "# Written by kiln ",
    end: "",
    second: "# Set values in kiln.toml and run `kiln init`; or edit this file, and kiln leaves it to you.\n",
};
const MARKUP: Syntax = Syntax {
    start: "<!-- Written by kiln ",
    end: " -->",
    second: "<!-- `kiln report` writes it anew; or edit this file, and kiln leaves it to you. -->\n",
};

fn syntax(path: &Utf8Path) -> &'static Syntax {
    if matches!(path.extension(), Some("md" | "html" | "htm")) { &MARKUP } else { &HASHES }
}

/// Hexadecimal digits of the hash that are kept: 128 bits.
const DIGITS: usize = 32;

/// The file for a body.
pub(super) fn with_header(path: &Utf8Path, body: &str) -> String {
    let Syntax { start, end, second } = syntax(path);
    format!("{start}{VERSION}{HASH}{}{end}\n{second}{body}", hash(body))
}

/// A file taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    /// What follows the header.
    pub(super) body: &'a str,
    /// Whether the body is as kiln wrote it.
    pub(super) intact: bool,
}

/// Takes a file apart; `None` if it has no header.
pub(super) fn parse<'a>(path: &Utf8Path, text: &'a str) -> Option<Parsed<'a>> {
    let Syntax { start, end, second: expected } = syntax(path);
    let (first, rest) = text.split_once('\n')?;
    let (_, recorded) = first.trim_end().strip_suffix(end)?.strip_prefix(start)?.split_once(HASH)?;
    let body = match rest.split_once('\n') {
        Some((second, body)) if second.trim_end() == expected.trim_end() => body,
        _ => rest,
    };
    Some(Parsed { body, intact: recorded == hash(body) })
}

fn hash(body: &str) -> String {
    blake3::hash(body.replace("\r\n", "\n").as_bytes()).to_hex()[..DIGITS].to_owned()
}
