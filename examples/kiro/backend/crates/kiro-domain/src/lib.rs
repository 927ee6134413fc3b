//! What a board is made of, and the rules it keeps. Knows nothing of databases or HTTP.

mod note;
mod task;

pub use note::{Note, NoteBody};
pub use task::{Task, TaskState, Title};

/// Why a value is not allowed on the board. The messages are shown to people as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("a task needs a title")]
    EmptyTitle,
    #[error("a title has at most {max} characters, this one has {len}")]
    LongTitle { len: usize, max: usize },
    #[error("a note needs some text")]
    EmptyNote,
    #[error("a note has at most {max} characters, this one has {len}")]
    LongNote { len: usize, max: usize },
    #[error("there is no state `{0}`: use todo, doing or done")]
    State(String),
}
