//! One error type for the command line: what could not be done, why, and a way out.
//!
//! Library errors become a [`CommandError`] here and nowhere else, because hints speak of flags and commands.

use std::error::Error;
use std::process::ExitCode;

use kiln::process::ProcessError;
use kiln::recipe::StepError;

/// What kind of failure it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The user's world is wrong: configuration, project, missing engine. Exit code 1.
    User,
    /// A build failed. Exit code 3.
    Build,
    /// A check failed: files out of date, thresholds, findings. Exit code 4.
    Check,
    /// A defect of kiln. Exit code 70.
    Internal,
    /// Worth trying again: network, lock. Exit code 75.
    Transient,
    /// Interrupted by the user. Exit code 130.
    Interrupted,
}

impl Kind {
    /// The exit code, as documented in `docs/cli.md`. Usage errors (2) are clap's.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Build => 3,
            Self::Check => 4,
            Self::Internal => 70,
            Self::Transient => 75,
            Self::Interrupted => 130,
        }
    }
}

/// A failure of a command.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// Decides heading and exit code.
    pub(crate) kind: Kind,
    /// What could not be done; printed after `error: `. Further lines (a source excerpt) are printed as they are.
    pub(crate) message: String,
    /// The chain of causes, outermost first.
    pub(crate) causes: Vec<String>,
    /// Ways out, each a sentence or a command to run.
    pub(crate) hints: Vec<String>,
}

impl CommandError {
    /// An error with a message of its own.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// An error of the library, with its causes.
    pub(crate) fn from_error(kind: Kind, error: &(dyn Error + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self { kind, message: error.to_string(), causes, hints: Vec::new() }
    }

    /// Adds a way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }
}

impl From<StepError> for CommandError {
    fn from(error: StepError) -> Self {
        let (kind, hint) = match &error {
            StepError::Cancelled | StepError::Process(ProcessError::Cancelled { .. }) => (Kind::Interrupted, None),
            StepError::Cargo { .. } | StepError::MissingBinary { .. } => (Kind::Build, None),
            StepError::DiskFull { .. } => {
                (Kind::Transient, Some("free some room with `kiln clean --stale`, or lower `--max-bytes`"))
            }
            StepError::LockDiffers { .. } | StepError::UnknownUnit { .. } => {
                (Kind::Internal, Some("please report this with the recipe that `kiln recipe prepare` writes"))
            }
            _ => (Kind::User, None),
        };
        let command = Self::from_error(kind, &error);
        match hint {
            Some(hint) => command.hint(hint),
            None => command,
        }
    }
}
