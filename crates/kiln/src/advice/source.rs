//! A file's text with positions in it.

use std::ops::Range;

use camino::Utf8PathBuf;

/// A text file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the repository.
    pub path: Utf8PathBuf,
    /// As it is on disk.
    pub text: String,
}

impl SourceFile {
    /// Line and column (in characters) of a byte offset, both from 1.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
    }

    /// Where a line (from 1) stands, without indentation, trailing blanks and its end; empty at the end of the file for a line
    /// that is not there.
    #[must_use]
    pub fn line_span(&self, line: usize) -> Range<usize> {
        let mut start = 0;
        for (index, text) in self.text.split_inclusive('\n').enumerate() {
            if index + 1 == line {
                let indentation = text.len() - text.trim_start().len();
                return start + indentation..start + indentation.max(text.trim_end().len());
            }
            start += text.len();
        }
        self.text.len()..self.text.len()
    }

    /// The text of a line (from 1) without its end.
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default()
    }

    /// Where `needle` stands first within a line (from 1).
    #[must_use]
    pub fn find_on_line(&self, line: usize, needle: &str) -> Option<Range<usize>> {
        let span = self.line_span(line);
        let at = span.start + self.text[span].find(needle)?;
        Some(at..at + needle.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_lines_from_one() {
        let file = SourceFile { path: "a".into(), text: "é = 1\n  b = 2  \n".to_owned() };
        assert_eq!(file.position(0), (1, 1));
        assert_eq!(file.position(3), (1, 3));
        assert_eq!(file.position(9), (2, 3));
        assert_eq!(&file.text[file.line_span(2)], "b = 2");
        assert_eq!(file.line_span(9), file.text.len()..file.text.len());
        assert_eq!(file.find_on_line(2, "2").map(|span| file.position(span.start)), Some((2, 7)));
        assert_eq!(file.line(1), "é = 1");
    }
}
