//! The first lines of a generated file: who wrote it, and a hash of what follows.
//!
//! All files that kiln generates take `#` comments. The hash is over the body with `\n` line ends, so that a checkout that
//! converts them is no edit. The version is for people: it takes no part in any comparison.

use super::VERSION;

const START: &str = "# Written by kiln ";
const HASH: &str = "; body blake3 ";
const SECOND: &str = "# Set values in kiln.toml and run `kiln init`; or edit this file, and kiln leaves it to you.\n";

/// Hexadecimal digits of the hash that are kept: 128 bits.
const DIGITS: usize = 32;

/// The file for a body.
pub(super) fn with_header(body: &str) -> String {
    format!("{START}{VERSION}{HASH}{}\n{SECOND}{body}", hash(body))
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
pub(super) fn parse(text: &str) -> Option<Parsed<'_>> {
    let (first, rest) = text.split_once('\n')?;
    let (_, recorded) = first.trim_end().strip_prefix(START)?.split_once(HASH)?;
    let body = match rest.split_once('\n') {
        Some((second, body)) if second.trim_end() == SECOND.trim_end() => body,
        _ => rest,
    };
    Some(Parsed { body, intact: recorded == hash(body) })
}

fn hash(body: &str) -> String {
    blake3::hash(body.replace("\r\n", "\n").as_bytes()).to_hex()[..DIGITS].to_owned()
}
