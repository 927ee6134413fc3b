//! What can be wrong with a Dockerfile that parses.

use super::super::parse::{Located, MountError, ParseErrorKind, WordError};

/// A Dockerfile that cannot be built as asked.
pub type EvaluationError = Located<EvaluationErrorKind>;

/// What is wrong, in BuildKit's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationErrorKind {
    /// `FROM $X` with nothing in `X`.
    #[error("base name ({0}) should not be blank")]
    BlankBase(String),
    /// `--platform=$X` with nothing in `X`.
    #[error("empty platform value from expression {0}")]
    BlankPlatform(String),
    /// A platform that is none.
    #[error("failed to parse platform {0}")]
    BadPlatform(String),
    /// An image name that is none.
    #[error("failed to parse stage name {name:?}: invalid reference format{}", upper_case(name, *upper))]
    BadReference {
        /// The name.
        name: String,
        /// Whether it would be one in lower case.
        upper: bool,
    },
    /// `--target` names no stage.
    #[error("target stage {0:?} could not be found")]
    NoTarget(String),
    /// `--from=7`.
    #[error("invalid stage index {0}")]
    NoStage(i64),
    /// Stages that need each other.
    #[error("circular dependency detected on stage: {0}")]
    Circular(String),
    /// `--from` a stage further down.
    #[error("cannot copy from stage {from:?}, it needs to be defined before current stage {stage:?}")]
    LaterStage {
        /// The stage further down.
        from: String,
        /// The stage that copies.
        stage: String,
    },
    /// A mount from a stage further down.
    #[error("cannot mount from stage {from:?} to {target:?}, stage needs to be defined before current command")]
    LaterMount {
        /// The stage further down.
        from: String,
        /// Where the mount would be.
        target: String,
    },
    /// A word that cannot be expanded.
    #[error("failed to process {word:?}: {error}")]
    Word {
        /// The word.
        word: String,
        /// Why.
        error: WordError,
    },
    /// A mount that is none.
    #[error(transparent)]
    Mount(MountError),
    /// `COPY --from=$X`.
    #[error(
        "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround"
    )]
    VariableInFrom,
    /// An `ONBUILD` trigger that does not parse.
    #[error("{0}")]
    Trigger(ParseErrorKind),
}

fn upper_case(name: &str, upper: bool) -> String {
    let library = if name.contains('/') { "" } else { "library/" };
    if upper { format!(": repository name ({library}{name}) must be lowercase") } else { String::new() }
}
