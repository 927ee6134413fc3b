use serde::{Deserialize, Serialize};

use crate::Invalid;

/// A remark on a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub id: i64,
    pub body: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// The text of a note: any lines, but not none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteBody(String);

impl NoteBody {
    pub const MAX: usize = 2_000;

    pub fn new(text: &str) -> Result<Self, Invalid> {
        let body = text.trim();
        let len = body.chars().count();
        match len {
            0 => Err(Invalid::EmptyNote),
            _ if len > Self::MAX => Err(Invalid::LongNote { len, max: Self::MAX }),
            _ => Ok(Self(body.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_keeps_its_lines() {
        let body = NoteBody::new("first\nsecond\n").unwrap();
        assert_eq!(body.as_str(), "first\nsecond");
        assert_eq!(NoteBody::new("\n"), Err(Invalid::EmptyNote));
    }
}
