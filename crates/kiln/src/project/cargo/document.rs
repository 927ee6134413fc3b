//! One TOML file with its path: values come out typed, and what is wrong names the file and the line.

use std::fs;
use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{Item, Table, TableLike, TomlError};

use super::CargoError;
use crate::text::line_of_bad_byte;

/// A parsed TOML file.
pub(super) struct Document {
    pub(super) path: Utf8PathBuf,
    toml: toml_edit::Document<String>,
}

/// Reads a file that must be UTF-8 text.
pub(super) fn read_text(path: &Utf8Path) -> Result<String, CargoError> {
    let bytes = fs::read(path).map_err(|source| CargoError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|error| CargoError::NotText { path: path.to_owned(), line: line_of_bad_byte(&error) })
}

impl Document {
    /// Reads and parses a file.
    pub(super) fn read(path: &Utf8Path) -> Result<Self, CargoError> {
        Self::parse(path, read_text(path)?)
    }

    /// Parses the text of a file.
    pub(super) fn parse(path: &Utf8Path, text: String) -> Result<Self, CargoError> {
        match text.parse() {
            Ok(toml) => Ok(Self { path: path.to_owned(), toml }),
            Err(error) => Err(syntax_error(path, &text, &error)),
        }
    }

    /// The top-level table.
    pub(super) fn root(&self) -> &Table {
        self.toml.as_table()
    }

    /// The text of the file.
    pub(super) fn text(&self) -> &str {
        self.toml.raw()
    }

    /// The line on which a byte range begins, from 1.
    pub(super) fn line(&self, span: Option<Range<usize>>) -> usize {
        let start = span.map_or(0, |span| span.start);
        1 + self.toml.raw().as_bytes().iter().take(start).filter(|byte| **byte == b'\n').count()
    }

    /// The line of a key in a table, from 1.
    pub(super) fn line_of(&self, table: &dyn TableLike, key: &str) -> usize {
        let span = table
            .get_key_value(key)
            .and_then(|(key, item)| [key.span(), item.span()].into_iter().flatten().min_by_key(|span| span.start));
        self.line(span)
    }

    /// The error for a value of the wrong type.
    pub(super) fn wrong_type(&self, table: &dyn TableLike, at: &str, key: &str, expected: &'static str) -> CargoError {
        let line = self.line_of(table, key);
        CargoError::Type { path: self.path.clone(), line, key: join(at, key), expected }
    }

    /// A sub-table; `at` names `table` in messages.
    pub(super) fn table<'a>(
        &self,
        table: &'a dyn TableLike,
        at: &str,
        key: &str,
    ) -> Result<Option<&'a dyn TableLike>, CargoError> {
        let Some(item) = table.get(key) else { return Ok(None) };
        item.as_table_like().map(Some).ok_or_else(|| self.wrong_type(table, at, key, "a table"))
    }

    /// A string.
    pub(super) fn string(&self, table: &dyn TableLike, at: &str, key: &str) -> Result<Option<String>, CargoError> {
        let Some(item) = table.get(key) else { return Ok(None) };
        item.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| self.wrong_type(table, at, key, "a string"))
    }

    /// A boolean, under the first of several spellings that is there.
    pub(super) fn boolean(&self, table: &dyn TableLike, at: &str, keys: &[&str]) -> Result<Option<bool>, CargoError> {
        let Some((key, item)) = first_of(table, keys) else { return Ok(None) };
        item.as_bool().map(Some).ok_or_else(|| self.wrong_type(table, at, key, "`true` or `false`"))
    }

    /// An array of strings, under the first of several spellings that is there.
    pub(super) fn strings(&self, table: &dyn TableLike, at: &str, keys: &[&str]) -> Result<Option<Vec<String>>, CargoError> {
        Ok(self.lined_strings(table, at, keys)?.map(|lined| lined.into_iter().map(|(text, _)| text).collect()))
    }

    /// An array of strings, each with its line.
    pub(super) fn lined_strings(
        &self,
        table: &dyn TableLike,
        at: &str,
        keys: &[&str],
    ) -> Result<Option<Vec<(String, usize)>>, CargoError> {
        let Some((key, item)) = first_of(table, keys) else { return Ok(None) };
        let wrong = || self.wrong_type(table, at, key, "an array of strings");
        let array = item.as_array().ok_or_else(wrong)?;
        let lined = array.iter().map(|value| {
            let text = value.as_str().ok_or_else(wrong)?;
            Ok((text.to_owned(), self.line(value.span())))
        });
        lined.collect::<Result<_, _>>().map(Some)
    }
}

/// A key with the tables before it, as it would be written.
pub(super) fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn first_of<'a, 'k>(table: &'a dyn TableLike, keys: &[&'k str]) -> Option<(&'k str, &'a Item)> {
    keys.iter().find_map(|key| table.get(key).map(|item| (*key, item)))
}

fn syntax_error(path: &Utf8Path, text: &str, error: &TomlError) -> CargoError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    CargoError::Toml { path: path.to_owned(), line, column, message: error.message().to_owned() }
}
