//! Control characters made visible: none of them has a place in a page, a document or a line of a terminal.

/// Text without characters that do something instead of being seen.
///
/// Control characters of ASCII become their pictures (`␛`); the others, and marks that change the direction of text or hide it, become `�`.
/// Tabs and, if asked, line ends stay.
pub(super) fn visible(text: &str, keep_lines: bool) -> String {
    text.chars().map(|character| shown(character, keep_lines)).collect()
}

fn shown(character: char, keep_lines: bool) -> char {
    match character {
        '\t' => ' ',
        '\n' if keep_lines => '\n',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        other => other,
    }
}

/// The parts of a sentence of kiln's own in which `…` stands for code, each with whether it is code. A backtick that is not closed stays text.
pub(super) fn coded(text: &str) -> Vec<(&str, bool)> {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return vec![(text, false)];
    }
    parts.into_iter().enumerate().map(|(at, part)| (part, !at.is_multiple_of(2))).collect()
}

/// At most so many characters on one line; what is left out is marked.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    let mut line: String = text.chars().take(characters + 1).collect();
    if line.chars().count() > characters {
        line = line.chars().take(characters.saturating_sub(1)).collect();
        line.truncate(line.trim_end().len());
        line.push('…');
    }
    visible(&line, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_something_is_seen() {
        for (text, expected) in [
            ("plain ✓ text", "plain ✓ text"),
            ("\u{1b}[31mred\u{0}\u{7f}", "␛[31mred␀␡"),
            ("a\tb\nc", "a b␊c"),
            ("evil\u{202e}txt.exe\u{2066}\u{feff}", "evil\u{fffd}txt.exe\u{fffd}\u{fffd}"),
            ("\u{9b}31m", "\u{fffd}31m"),
        ] {
            assert_eq!(visible(text, false), expected);
        }
        assert_eq!(visible("a\nb", true), "a\nb");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abcde…");
        assert_eq!(shortened("äöü äöü", 5), "äöü…");
        assert_eq!(shortened(&"x".repeat(50_000_000), 3), "xx…");
    }
}
