//! The form of buildx: a line of CSV, its fields `key=value`, or names of images only.

use std::fmt::{self, Write as _};

use super::{CacheKind, CacheRef, CacheRefError};
use crate::text::did_you_mean;

pub(super) fn references(value: &str) -> Result<Vec<CacheRef>, CacheRefError> {
    let fields = fields(value)?;
    if fields.iter().any(String::is_empty) {
        return Err(CacheRefError::Empty);
    }
    if fields.iter().all(|field| !field.contains('=')) {
        let image = |name: String| CacheRef { kind: CacheKind::Registry, attributes: vec![("ref".to_owned(), name)] };
        return Ok(fields.into_iter().map(image).collect());
    }
    let mut kind = None;
    let mut attributes = Vec::new();
    for field in fields {
        let Some((key, value)) = field.split_once('=') else { return Err(CacheRefError::NoPair { part: field }) };
        let key = key.trim().to_lowercase();
        if key == "type" {
            kind = Some(kind_of(value)?);
        } else {
            attributes.push((key, value.to_owned()));
        }
    }
    Ok(vec![CacheRef { kind: kind.ok_or(CacheRefError::NoType)?, attributes }])
}

fn kind_of(name: &str) -> Result<CacheKind, CacheRefError> {
    let known = CacheKind::ALL.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| {
        let near = did_you_mean(name, CacheKind::ALL.map(CacheKind::name));
        let suggestion = CacheKind::ALL.map(CacheKind::name).into_iter().find(|kind| Some(*kind) == near);
        CacheRefError::UnknownType { found: name.to_owned(), suggestion }
    })
}

/// The fields of one line of CSV, as Go's `encoding/csv` reads them.
fn fields(line: &str) -> Result<Vec<String>, CacheRefError> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let field;
        (field, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let (field, rest) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if field.contains('"') {
                    return Err(CacheRefError::Quote);
                }
                (field.to_owned(), rest)
            }
        };
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(fields),
        }
    }
}

/// A field behind its opening quote, and what follows the closing one.
fn quoted_field(text: &str) -> Result<(String, &str), CacheRefError> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').ok_or(CacheRefError::Quote)?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None if after.is_empty() || after.starts_with(',') => return Ok((field, after)),
            None => return Err(CacheRefError::Quote),
        }
    }
}

/// Writes a field so that it is read back as it is.
pub(super) fn quoted(f: &mut fmt::Formatter<'_>, field: &str) -> fmt::Result {
    if !field.contains([',', '"', '\n', '\r']) && !field.starts_with(' ') {
        return f.write_str(field);
    }
    f.write_char('"')?;
    f.write_str(&field.replace('"', "\"\""))?;
    f.write_char('"')
}
