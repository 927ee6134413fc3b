//! The Rust sources of local packages as text, and quick searches in it.
//!
//! Nothing here fails: what cannot be read is not there. Searches are by letters, not by syntax; lines that are comments do not count.

use std::fs;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::parallel;

/// Larger files are generated, and read nothing.
const LARGEST: u64 = 2 << 20;
/// So many files are worth a thread.
const FILES_PER_THREAD: usize = 16;

/// Folders beside `src` that `cargo build` does not compile.
const NOT_BUILT: [&str; 4] = ["tests", "examples", "benches", "fuzz"];

/// One source file of a package.
pub(super) struct Source<'a> {
    /// Absolute folder of the package.
    pub(super) folder: &'a Utf8Path,
    /// Absolute path of the file.
    pub(super) path: &'a Utf8Path,
    /// Its text.
    pub(super) text: &'a str,
}

/// What `look` finds in each source file that building the package in a folder can compile, in no particular order. Files are read on all
/// processors.
pub(super) fn each<T: Send>(folder: &Utf8Path, look: impl Fn(&Source<'_>) -> T + Sync) -> Vec<T> {
    let looked = parallel::map(&paths(folder), FILES_PER_THREAD, |path| Some(look(&Source { folder, path, text: &read(path)? })));
    looked.into_iter().flatten().collect()
}

/// The source files of the package in a folder, without those of packages below.
fn paths(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![folder.to_owned()];
    while let Some(current) = next.pop() {
        let Ok(entries) = current.read_dir_utf8() else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let (name, path) = (entry.file_name(), entry.path());
            if kind.is_dir() {
                let skipped = name.starts_with('.')
                    || matches!(name, "target" | "node_modules")
                    || (current == folder && NOT_BUILT.contains(&name))
                    || path.join("Cargo.toml").is_file();
                if !skipped {
                    next.push(path.to_owned());
                }
            } else if name.ends_with(".rs") && (kind.is_file() || path.is_file()) {
                found.push(path.to_owned());
            }
        }
    }
    found
}

fn read(path: &Utf8Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    if size > LARGEST {
        return None;
    }
    // There are thousands of small files: none is asked once more whether there is more in it.
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    file.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// The uses of macros: the name, and the text after its `!`. Only macros of these names, and none in comment lines.
pub(super) fn macros<'t>(text: &'t str, names: &[&str]) -> impl Iterator<Item = (&'t str, &'t str)> {
    text.match_indices('!').filter_map(move |(at, _)| {
        let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
        let name = before.get(before.trim_end_matches(|last: char| last.is_alphanumeric() || last == '_').len()..)?;
        (names.contains(&name) && !in_comment(before)).then_some((name, after))
    })
}

/// The insides of attributes, `…` of `#[…]` and `#![…]`, where they are not in comment lines.
pub(super) fn attributes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('#').filter_map(move |(at, _)| {
        let after = text.get(at + 1..)?;
        let inside = after.strip_prefix('!').unwrap_or(after);
        (inside.starts_with('[') && !in_comment(text.get(..at)?)).then(|| arguments(inside)).flatten()
    })
}

/// Whether the line that a text ends with is a comment.
fn in_comment(before: &str) -> bool {
    before.rsplit('\n').next().unwrap_or_default().trim_start().starts_with("//")
}

/// The text within the parentheses, brackets or braces that follow, if they do.
pub(super) fn arguments(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let open = text.chars().next()?;
    let close = match open {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        _ => return None,
    };
    let mut depth = 0usize;
    let mut rest = text;
    let mut consumed = 0;
    while let Some(letter) = rest.chars().next() {
        let skip = match literal(rest) {
            Some((_, length)) => length,
            None => letter.len_utf8(),
        };
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth -= 1;
            if depth == 0 {
                return text.get(1..consumed);
            }
        }
        consumed += skip;
        rest = rest.get(skip..)?;
    }
    None
}

/// Every string literal of a text, in order.
pub(super) fn literals(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let skip = if let Some((content, length)) = literal(rest) {
            found.push(content);
            length
        } else if rest.starts_with("'\"'") {
            3
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            letter.len_utf8()
        };
        rest = rest.get(skip..).unwrap_or_default();
    }
    found
}

/// The string literal with which a text begins, as written, and its length with the quotes.
fn literal(text: &str) -> Option<(&str, usize)> {
    if let Some(inner) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = inner.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        })?;
        return Some((&inner[..end], end + 2));
    }
    let hashes = text.strip_prefix('r')?.bytes().take_while(|byte| *byte == b'#').count();
    let inner = text.get(1 + hashes..)?.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inner.find(&close)?;
    Some((&inner[..end], 2 + hashes + end + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_have_whole_names_and_are_not_in_comments() {
        let text = "// migrate!(\"no\")\nlet x = sqlx::migrate!(\"yes\");\nre_migrate!(\"no\");\n  /// migrate!()\nmigrate!{}";
        let found: Vec<_> = macros(text, &["migrate"]).filter_map(|(_, rest)| arguments(rest)).collect();
        assert_eq!(found, ["\"yes\"", ""]);
    }

    #[test]
    fn attributes_end_where_their_bracket_closes() {
        let found: Vec<_> = attributes("#![a]\n#[b([c], \"]\")] // #d\n// #[e]\nr#\"[f]\"#").collect();
        assert_eq!(found, ["a", "b([c], \"]\")"]);
    }

    #[test]
    fn arguments_end_where_their_bracket_closes() {
        for (text, expected) in [
            ("(\"a)\", b(c)) rest", Some("\"a)\", b(c)")),
            (" [r#\"]\"#]", Some("r#\"]\"#")),
            ("(never", None),
            ("= \"x\"", None),
            ("(\"é\\\"\")", Some("\"é\\\"\"")),
        ] {
            assert_eq!(arguments(text), expected, "{text}");
        }
    }

    #[test]
    fn literals_are_plain_or_raw() {
        assert_eq!(literals("a \"b\" 'c' r\"d\\\" r##\"e\"#f\"## '\"' \"g\" // \"h\"\n\"i\""), ["b", "d\\", "e\"#f", "g", "i"]);
    }
}
