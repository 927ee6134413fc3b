//! Read: a Dockerfile that somebody wrote, exactly as BuildKit reads it.
//!
//! [`parse`] turns bytes into a [`File`]: directives, global arguments, and stages of typed instructions, each with its lines and with the text
//! that BuildKit puts into cache keys. Nothing is expanded yet: [`Lexer`] expands words, and the evaluation applies arguments and
//! environment in their scope. The rules are those of BuildKit's Dockerfile frontend, odd ones included; where kiln stops earlier, the
//! constant says so ([`MAX_FILE`], [`MAX_LINE`], [`MAX_DEPTH`], [`MAX_WORD`]).
//!
//! Takes time linear in its input and never panics, whatever the input is.

mod directive;
mod error;
mod flag;
mod heredoc;
mod instruction;
mod json;
mod lexer;
mod line;
mod mount;
mod node;
mod pattern;
mod read;
#[cfg(test)]
mod tests;
mod word;

pub use directive::Directives;
pub use error::{Lines, Located, ParseError, ParseErrorKind};
pub use heredoc::Heredoc;
pub use instruction::{
    Add, Argument, CommandLine, Copy, File, From, Healthcheck, InlineFile, Instruction, Pair, ParsedStage, Run, Step, Warning,
};
pub use lexer::{Expanded, Lexer, MAX_DEPTH, MAX_WORD, WordError};
pub use line::{MAX_FILE, MAX_LINE};
pub use mount::{MountError, MountKind, MountSharing, MountSpec, ParsedMount};

/// Reads a Dockerfile.
///
/// # Errors
/// What BuildKit refuses, in its words and with the lines it points at; also a file or line beyond the limits of this module, and text that
/// is not UTF-8 outside of comments.
pub fn parse(source: &[u8]) -> Result<File, ParseError> {
    let document = node::read(source)?;
    read::file(document)
}

/// Reads the one instruction that an `ONBUILD` trigger holds.
///
/// # Errors
/// As [`parse`]; also when the trigger is not a single instruction.
pub fn parse_trigger(trigger: &str) -> Result<Step, ParseError> {
    let mut document = node::read(trigger.as_bytes())?;
    match (document.nodes.pop(), document.nodes.is_empty()) {
        (Some(node), true) => read::step(node),
        _ => Err(ParseError { lines: None, kind: ParseErrorKind::NotOneTrigger }),
    }
}
