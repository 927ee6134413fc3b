//! TOML in one spelling: sorted keys, no comments, so that equal meaning is equal text.

use std::collections::BTreeMap;

use toml_edit::{Item, Key};

/// A TOML table by key.
pub(super) type Table = BTreeMap<String, Value>;

/// A TOML value without its spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Table(Table),
    Array(Vec<Self>),
    Text(String),
    /// A number, boolean or date, as TOML writes it.
    Literal(String),
}

impl Value {
    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_table(&self) -> Option<&Table> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }

    pub(super) fn as_table_mut(&mut self) -> Option<&mut Table> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }

    /// The words of a list of strings, or of one string with blanks between them: cargo's "string list".
    pub(super) fn words(&self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Self::Array(values) => values.iter().filter_map(Self::as_str).map(str::to_owned).collect(),
            Self::Table(_) | Self::Literal(_) => Vec::new(),
        }
    }
}

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Table, toml_edit::TomlError> {
    let document: toml_edit::DocumentMut = text.parse()?;
    Ok(table(document.as_table()))
}

fn table(table: &toml_edit::Table) -> Table {
    table.iter().filter_map(|(key, item)| Some((key.to_owned(), item_value(item)?))).collect()
}

fn item_value(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(from_edit(value)),
        Item::Table(inner) => Some(Value::Table(table(inner))),
        Item::ArrayOfTables(tables) => Some(Value::Array(tables.iter().map(|inner| Value::Table(table(inner))).collect())),
    }
}

fn from_edit(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::Text(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::Literal(number.value().to_string()),
        toml_edit::Value::Float(number) => Value::Literal(toml_edit::Value::from(*number.value()).to_string()),
        toml_edit::Value::Boolean(truth) => Value::Literal(truth.value().to_string()),
        toml_edit::Value::Datetime(date) => Value::Literal(date.value().to_string()),
        toml_edit::Value::Array(values) => Value::Array(values.iter().map(from_edit).collect()),
        toml_edit::Value::InlineTable(inner) => {
            Value::Table(inner.iter().map(|(key, value)| (key.to_owned(), from_edit(value))).collect())
        }
    }
}

/// Puts `over` on top of `base`: tables are merged, `over`'s other values win, and its array items come last.
pub(super) fn merge(base: &mut Table, over: Table, join_arrays: bool) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above, join_arrays),
            (Some(Value::Array(below)), Value::Array(above)) if join_arrays => below.extend(above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Writes a document: values first, then a `[header]` for each table, everything sorted; empty text for an empty table.
pub(super) fn render(table: &Table) -> String {
    let mut text = String::new();
    render_into(&mut text, &mut Vec::new(), table);
    text
}

fn render_into<'t>(text: &mut String, path: &mut Vec<&'t str>, table: &'t Table) {
    let values: Vec<_> = table.iter().filter(|(_, value)| value.as_table().is_none()).collect();
    if !path.is_empty() && (!values.is_empty() || table.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push('[');
        text.push_str(&path.iter().map(|part| key(part)).collect::<Vec<_>>().join("."));
        text.push_str("]\n");
    }
    for (name, value) in values {
        text.push_str(&key(name));
        text.push_str(" = ");
        inline_into(text, value);
        text.push('\n');
    }
    for (name, value) in table {
        if let Value::Table(inner) = value {
            path.push(name);
            render_into(text, path, inner);
            path.pop();
        }
    }
}

/// One value on one line.
pub(super) fn inline(value: &Value) -> String {
    let mut text = String::new();
    inline_into(&mut text, value);
    text
}

fn inline_into(text: &mut String, value: &Value) {
    match value {
        Value::Text(string) => text.push_str(&toml_edit::Value::from(string.as_str()).to_string()),
        Value::Literal(literal) => text.push_str(literal),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                inline_into(text, value);
            }
            text.push(']');
        }
        Value::Table(table) => {
            text.push('{');
            for (index, (name, value)) in table.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { " " });
                text.push_str(&key(name));
                text.push_str(" = ");
                inline_into(text, value);
            }
            text.push_str(" }");
        }
    }
}

/// A key, quoted where TOML wants it.
pub(super) fn key(name: &str) -> String {
    Key::new(name).to_string()
}
