//! The end of a step's output.

use std::collections::VecDeque;

/// How many lines are kept.
const LINES: usize = 200;
/// How many bytes of one line are kept.
const LINE_BYTES: usize = 4 << 10;
/// How many bytes of an unfinished line are kept: reports of cargo are single long lines.
const PENDING_BYTES: usize = 4 << 20;

/// The last lines of an output, put together from pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    lines: VecDeque<String>,
    pending: String,
    dropped: usize,
}

impl LogTail {
    /// Takes in a piece and gives the lines that it completes, whole. Colour codes are removed; of what a carriage return
    /// overwrites, the last state is kept.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let mut completed = Vec::new();
        let mut rest = piece;
        while let Some((line, tail)) = rest.split_once('\n') {
            self.pending.push_str(line);
            let line = clean(&self.pending);
            self.pending.clear();
            if self.lines.len() == LINES {
                self.lines.pop_front();
                self.dropped += 1;
            }
            self.lines.push_back(cut(&line, LINE_BYTES).to_owned());
            completed.push(line);
            rest = tail;
        }
        if self.pending.len() + rest.len() <= PENDING_BYTES {
            self.pending.push_str(rest);
        }
        completed
    }

    /// The lines that are kept, oldest first, with an unfinished last line.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let pending = Some(clean(&self.pending)).filter(|line| !line.is_empty());
        self.lines.iter().cloned().chain(pending)
    }

    /// The last line that is not blank.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        let pending = clean(&self.pending);
        if !pending.trim().is_empty() {
            return Some(cut(&pending, LINE_BYTES).to_owned());
        }
        self.lines.iter().rev().find(|line| !line.trim().is_empty()).cloned()
    }

    /// How many lines are no longer kept.
    #[must_use]
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Whether nothing was printed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.pending.is_empty()
    }
}

/// At most `limit` bytes of `text`, whole characters.
fn cut(text: &str, limit: usize) -> &str {
    text.char_indices().find(|(start, character)| start + character.len_utf8() > limit).map_or(text, |(start, _)| &text[..start])
}

/// One line without escape sequences and control characters, and as a terminal would leave it after carriage returns.
fn clean(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let line = line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or("");
    let mut clean = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                // CSI: parameters, then one final character.
                Some('[') => while characters.next().is_some_and(|part| !('@'..='~').contains(&part)) {},
                // OSC: text up to BEL or ST.
                Some(']') => while characters.next().is_some_and(|part| part != '\u{7}' && part != '\\') {},
                _ => {}
            },
            '\t' => clean.push_str("    "),
            character if character.is_control() => {}
            character => clean.push(character),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines() {
        let mut log = LogTail::default();
        assert_eq!(log.push("one\ntw"), ["one"]);
        assert_eq!(log.last().as_deref(), Some("tw"));
        assert_eq!(log.push("o\n\n"), ["two", ""]);
        assert_eq!(log.last().as_deref(), Some("two"));
        assert_eq!(log.lines().collect::<Vec<_>>(), ["one", "two", ""]);
    }

    #[test]
    fn escapes_go_and_overwritten_text_too() {
        assert_eq!(clean("\u{1b}[1m\u{1b}[32m   Compiling\u{1b}[0m serde"), "   Compiling serde");
        assert_eq!(clean("10%\r50%\r100%\r"), "100%");
        assert_eq!(clean("\u{1b}]0;title\u{7}a\tb\u{0}"), "a    b");
    }

    #[test]
    fn it_is_bounded() {
        let mut log = LogTail::default();
        for number in 0..1000 {
            log.push(&format!("{number}\n"));
        }
        assert_eq!(log.lines().count(), LINES);
        assert_eq!(log.dropped(), 1000 - LINES);
        log.push(&"é".repeat(LINE_BYTES));
        log.push("\n");
        assert!(log.last().unwrap().len() <= LINE_BYTES);
    }
}
