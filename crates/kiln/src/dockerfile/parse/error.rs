//! What can be wrong with a Dockerfile, in BuildKit's words.

use serde::Serialize;

use super::mount::MountError;

/// The lines of one instruction, from 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Lines {
    /// First line.
    pub first: usize,
    /// Last line; that of the delimiter where a heredoc ends the instruction.
    pub last: usize,
}

/// What is wrong with a Dockerfile, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<K> {
    /// Where; absent where the file as a whole, or what the build is asked for, is meant.
    pub lines: Option<Lines>,
    /// What is wrong.
    pub kind: K,
}

/// A Dockerfile that BuildKit refuses.
pub type ParseError = Located<ParseErrorKind>;

impl<K: std::fmt::Display> std::fmt::Display for Located<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.lines {
            Some(lines) => write!(f, "line {}: {}", lines.first, self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl<K: std::error::Error + 'static> std::error::Error for Located<K> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // What is wrong is in the message already.
        self.kind.source()
    }
}

/// What is wrong with a Dockerfile. The texts are those that BuildKit prints, so that people find them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing but comments and empty lines.
    #[error("file with no instructions")]
    Empty,
    /// Only arguments, no `FROM`.
    #[error("dockerfile contains no stages to build")]
    NoStages,
    /// The file is larger than BuildKit transfers.
    #[error("the file is larger than the {} bytes that BuildKit takes", super::MAX_FILE)]
    TooLarge,
    /// A physical line is too long.
    #[error("dockerfile line greater than maximum allowed size of {}", super::MAX_LINE)]
    LineTooLong,
    /// Bytes outside of comments that are not UTF-8.
    #[error("the line is not valid UTF-8")]
    NotUtf8,
    /// `# escape=` with something else.
    #[error("invalid escape token '{0}' does not match ` or \\")]
    BadEscapeToken(String),
    /// A directive given twice.
    #[error("only one {0} parser directive can be used")]
    RepeatedDirective(String),
    /// A heredoc without its end.
    #[error("unterminated heredoc")]
    UnterminatedHeredoc {
        /// The delimiter that is missing.
        name: String,
    },
    /// A heredoc where none may be.
    #[error("{instruction} cannot accept a heredoc as a destination")]
    HeredocDestination {
        /// `COPY` or `ADD`.
        instruction: &'static str,
    },
    /// Not an instruction.
    #[error("unknown instruction: {name}{}", nearest(suggestion))]
    UnknownInstruction {
        /// As written.
        name: String,
        /// The nearest instruction.
        suggestion: Option<String>,
    },
    /// An instruction before the first `FROM` that is not `ARG`.
    #[error("no build stage in current context")]
    OutsideStage,
    /// A flag that the instruction does not know.
    #[error("unknown flag: --{name}{}", nearest(suggestion))]
    UnknownFlag {
        /// Without its dashes.
        name: String,
        /// The nearest flag.
        suggestion: Option<String>,
    },
    /// A flag given twice.
    #[error("duplicate flag specified: --{0}")]
    RepeatedFlag(String),
    /// A flag without its value.
    #[error("missing a value on flag: --{0}")]
    FlagWithoutValue(String),
    /// A flag that is neither true nor false.
    #[error("expecting boolean value for flag --{flag}, not: {value}")]
    NotBoolean {
        /// The flag.
        flag: String,
        /// Its value.
        value: String,
    },
    /// A flag whose value is not one of a list.
    #[error("invalid {what} {value:?}")]
    BadFlagValue {
        /// `network mode`, `security mode`.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// No argument where one is needed.
    #[error("{0} requires at least one argument")]
    AtLeastOne(&'static str),
    /// Not exactly one argument.
    #[error("{0} requires exactly one argument")]
    ExactlyOne(&'static str),
    /// A `COPY` or `ADD` with fewer than two words.
    #[error("{0} requires at least two arguments, but only one was provided. Destination could not be determined")]
    NoDestination(&'static str),
    /// `ENV name` and `LABEL name`.
    #[error("{0} must have two arguments")]
    TwoArguments(&'static str),
    /// `ENV =value`.
    #[error("{0} names can not be blank")]
    BlankName(&'static str),
    /// `ENV a=b c`.
    #[error("Syntax error - can't find = in {0:?}. Must be of the form: name=value")]
    NoEquals(String),
    /// `FROM a b`.
    #[error("FROM requires either one or three arguments")]
    FromArguments,
    /// A stage name that is not one.
    #[error("invalid name for build stage: {0:?}, name can't start with a number or contain symbols")]
    BadStageName(String),
    /// A JSON array with numbers or objects.
    #[error("when using JSON array syntax, arrays must be comprised of strings only")]
    NotStringArray,
    /// `SHELL` without JSON.
    #[error("{0} requires the arguments to be in JSON form")]
    NotJson(&'static str),
    /// `VOLUME [""]`.
    #[error("VOLUME specified can not be an empty string")]
    EmptyVolume,
    /// `ONBUILD ONBUILD`.
    #[error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")]
    ChainedOnbuild,
    /// `ONBUILD FROM` and `ONBUILD MAINTAINER`.
    #[error("{0} isn't allowed as an ONBUILD trigger")]
    ForbiddenTrigger(String),
    /// A trigger that is empty or several instructions.
    #[error("onbuild trigger should be a single expression")]
    NotOneTrigger,
    /// `HEALTHCHECK NONE x`.
    #[error("HEALTHCHECK NONE takes no arguments")]
    HealthcheckNone,
    /// `HEALTHCHECK CMD` alone.
    #[error("Missing command after HEALTHCHECK CMD")]
    HealthcheckCommand,
    /// `HEALTHCHECK x`.
    #[error("Unknown type {0:?} in HEALTHCHECK (try CMD)")]
    HealthcheckType(String),
    /// An interval of `HEALTHCHECK` that is no duration, in Go's words.
    #[error("time: {0}")]
    Duration(String),
    /// An interval of `HEALTHCHECK` below a millisecond.
    #[error("Interval {0:?} cannot be less than 1ms")]
    ShortInterval(&'static str),
    /// A number of `HEALTHCHECK` that is none.
    #[error("invalid value {value:?} for --{flag} of HEALTHCHECK")]
    HealthcheckValue {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
    },
    /// A mount that is not one.
    #[error(transparent)]
    Mount(MountError),
}

impl ParseErrorKind {
    /// The way out, where the message alone does not show it.
    #[must_use]
    pub fn way_out(&self) -> Option<String> {
        let text = match self {
            Self::Empty | Self::NoStages => "start the file with `FROM <image>`".to_owned(),
            Self::LineTooLong => "split the line with line continuations, or move its text into a file that is copied".to_owned(),
            Self::NotUtf8 => "save the file as UTF-8".to_owned(),
            Self::BadEscapeToken(_) => "write `# escape=\\` or `# escape=` with a backtick".to_owned(),
            Self::RepeatedDirective(name) => format!("keep one `# {name}=` line"),
            Self::UnterminatedHeredoc { name } => {
                format!(
                    "put `{name}` on a line of its own, without anything before or after it (tabs before it are fine with `<<-`)"
                )
            }
            Self::OutsideStage => "only `ARG` may stand before the first `FROM`".to_owned(),
            Self::NotStringArray => "put every element in double quotes".to_owned(),
            Self::NotJson(name) => format!("write `{name} [\"/bin/sh\", \"-c\"]`"),
            _ => return None,
        };
        Some(text)
    }
}

fn nearest(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}
