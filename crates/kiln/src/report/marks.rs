//! Markdown: text that stays text, and tables.

use super::visible::{coded, visible};

/// Text that stays text in Markdown and in a cell of a table.
pub(super) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in visible(text, false).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~' | '!' | '$') {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// Text in code, which nothing in it can end.
pub(super) fn code(text: &str) -> String {
    let text = visible(text, false).replace('`', "'").replace('|', "\\|");
    format!("`{}`", text.trim())
}

/// A sentence of kiln's own in which `…` stands for code.
pub(super) fn sentence(text: &str) -> String {
    let mark = |(part, is_code): (&str, bool)| if is_code && !part.trim().is_empty() { code(part) } else { plain(part) };
    coded(text).into_iter().map(mark).collect()
}

/// A table; cells are Markdown already. Columns from a number on are aligned as numbers.
pub(super) fn table(heads: &[String], numbers_from: usize, rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rules: String = (0..heads.len()).map(|column| if column < numbers_from { "---|" } else { "---:|" }).collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}|{rules}\n{rows}", line(heads))
}

pub(super) fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(plain("a|b <script> [x](y) *z* \u{1b}[0m"), "a\\|b \\<script\\> \\[x\\](y) \\*z\\* ␛\\[0m");
        assert_eq!(code("a`b|c\n"), "`a'b\\|c␊`");
    }

    #[test]
    fn sentences_have_code_where_it_is_closed() {
        for (text, expected) in [
            ("`serde` 1.0.1 to 1.0.2", "`serde` 1.0.1 to 1.0.2"),
            ("a_b: one line in `fn main`; `c_d`", "a\\_b: one line in `fn main`; `c_d`"),
            ("not ` closed", "not \\` closed"),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let rows = [heads(&["a", "1"])];
        assert_eq!(table(&heads(&["name", "bytes"]), 1, &rows), "| name | bytes |\n|---|---:|\n| a | 1 |\n");
    }
}
