use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// One card on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: i64,
    pub title: String,
    pub state: TaskState,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// Set while the task is done.
    pub done_at: Option<String>,
}

/// The column a task is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    Todo,
    Doing,
    Done,
}

impl TaskState {
    /// All states in board order.
    pub const ALL: [Self; 3] = [Self::Todo, Self::Doing, Self::Done];

    /// The heading of the column.
    pub fn label(self) -> &'static str {
        match self {
            Self::Todo => "To do",
            Self::Doing => "In progress",
            Self::Done => "Done",
        }
    }

    /// The name in the database and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Done => "done",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskState {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| Invalid::State(name.to_owned()))
    }
}

/// A task's title: one line, not empty, not too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    pub const MAX: usize = 120;

    /// Takes what a person typed: runs of whitespace become one space.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let title = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let len = title.chars().count();
        match len {
            0 => Err(Invalid::EmptyTitle),
            _ if len > Self::MAX => Err(Invalid::LongTitle { len, max: Self::MAX }),
            _ => Ok(Self(title)),
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
    fn titles_are_tidied() {
        let title = Title::new("  water \n the   plants ").unwrap();
        assert_eq!(title.as_str(), "water the plants");
    }

    #[test]
    fn titles_have_limits() {
        assert_eq!(Title::new(" \t"), Err(Invalid::EmptyTitle));
        assert!(Title::new(&"ü".repeat(Title::MAX)).is_ok());
        assert_eq!(Title::new(&"ü".repeat(Title::MAX + 1)), Err(Invalid::LongTitle { len: Title::MAX + 1, max: Title::MAX }));
    }

    #[test]
    fn states_have_one_name_everywhere() {
        for state in TaskState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            let json = serde_json::to_value(state).unwrap();
            assert_eq!(json, state.as_str());
        }
        assert!("later".parse::<TaskState>().is_err());
    }
}
