//! The value of a Dockerfile: stages of typed instructions, nothing expanded.

use std::time::Duration;

use serde::Serialize;

use super::heredoc::delimiter;
use super::{Directives, Heredoc, Lines, MountSpec};

/// A Dockerfile as BuildKit reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Parser directives at the top.
    pub directives: Directives,
    /// `ARG`s before the first `FROM`, each instruction with its lines.
    pub global_arguments: Vec<Step>,
    /// Stages in order. Never empty.
    pub stages: Vec<ParsedStage>,
    /// What BuildKit warns about.
    pub warnings: Vec<Warning>,
}

/// A `FROM` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedStage {
    /// Its `FROM`.
    pub from: From,
    /// Lines of the `FROM` instruction.
    pub lines: Lines,
    /// Text of the `FROM` instruction, continuations joined.
    pub original: String,
    /// Comment lines right above the `FROM`.
    pub comments: Vec<String>,
    /// Its instructions in order.
    pub steps: Vec<Step>,
}

/// A `FROM` instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// Image, stage or `scratch`, before expansion.
    pub image: String,
    /// `--platform`, before expansion.
    pub platform: Option<String>,
    /// Name of the stage, in lower case as BuildKit keeps it.
    pub name: Option<String>,
}

/// One instruction and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The instruction.
    pub instruction: Instruction,
    /// Its keyword as written.
    pub keyword: String,
    /// Its whole text: continuations joined without comments and empty lines, inner spaces kept; heredoc bodies are not part of it.
    pub original: String,
    /// Its lines.
    pub lines: Lines,
    /// Comment lines right above it.
    pub comments: Vec<String>,
    /// Its heredocs, in order.
    pub heredocs: Vec<Heredoc>,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// `ADD`
    Add(Add),
    /// `ARG`
    Arg(Vec<Argument>),
    /// `CMD`
    Cmd(CommandLine),
    /// `COPY`
    Copy(Copy),
    /// `ENTRYPOINT`
    Entrypoint(CommandLine),
    /// `ENV`
    Env(Vec<Pair>),
    /// `EXPOSE`, sorted as BuildKit sorts it.
    Expose(Vec<String>),
    /// `HEALTHCHECK`
    Healthcheck(Healthcheck),
    /// `LABEL`
    Label(Vec<Pair>),
    /// `MAINTAINER`
    Maintainer(String),
    /// `ONBUILD`: text of the trigger, heredocs included. Read it with [`super::parse_trigger`].
    Onbuild(String),
    /// `RUN`
    Run(Run),
    /// `SHELL`
    Shell(Vec<String>),
    /// `STOPSIGNAL`
    StopSignal(String),
    /// `USER`
    User(String),
    /// `VOLUME`
    Volume(Vec<String>),
    /// `WORKDIR`
    Workdir(String),
}

impl Instruction {
    /// The keyword in upper case.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Add(_) => "ADD",
            Self::Arg(_) => "ARG",
            Self::Cmd(_) => "CMD",
            Self::Copy(_) => "COPY",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Env(_) => "ENV",
            Self::Expose(_) => "EXPOSE",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Label(_) => "LABEL",
            Self::Maintainer(_) => "MAINTAINER",
            Self::Onbuild(_) => "ONBUILD",
            Self::Run(_) => "RUN",
            Self::Shell(_) => "SHELL",
            Self::StopSignal(_) => "STOPSIGNAL",
            Self::User(_) => "USER",
            Self::Volume(_) => "VOLUME",
            Self::Workdir(_) => "WORKDIR",
        }
    }
}

/// One name of an `ARG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its default; absent for a bare `ARG NAME`.
    pub default: Option<String>,
}

/// One pair of `ENV` or `LABEL`, quotes kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The command of `RUN`, `CMD` and `ENTRYPOINT`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Shell form: the text, as one word (none if there is no text). Exec form: the words.
    pub words: Vec<String>,
    /// Whether a shell runs it.
    pub shell: bool,
    /// Heredocs of a `RUN`.
    pub heredocs: Vec<Heredoc>,
}

impl CommandLine {
    /// Whether the whole command is one heredoc, so that its text is the command: not `cat <<EOF`, but `<<EOF`.
    #[must_use]
    pub fn is_one_heredoc(&self) -> bool {
        !self.heredocs.is_empty() && self.words.first().is_some_and(|word| delimiter(word).is_some())
    }
}

/// A `RUN` instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// `--mount`s in order.
    pub mounts: Vec<MountSpec>,
    /// `--network`: `default`, `none` or `host`.
    pub network: Option<String>,
    /// `--security`: `sandbox` or `insecure`.
    pub security: Option<String>,
    /// `--device`s in order.
    pub devices: Vec<String>,
    /// What runs.
    pub command: CommandLine,
}

/// A file whose text stands in the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineFile {
    /// Delimiter of the heredoc, which is the file's name.
    pub name: String,
    /// Its text, before expansion; tabs are already cut for `<<-`.
    pub text: String,
    /// Whether variables in it are expanded.
    pub expands: bool,
}

/// A `COPY` instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copy {
    /// `--from`: stage name, stage index, named context or image.
    pub from: Option<String>,
    /// `--chown`
    pub chown: Option<String>,
    /// `--chmod`
    pub chmod: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude`s in order.
    pub excludes: Vec<String>,
    /// Paths and patterns.
    pub sources: Vec<String>,
    /// Heredocs among the sources.
    pub files: Vec<InlineFile>,
    /// Where to.
    pub destination: String,
}

/// An `ADD` instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Add {
    /// `--chown`
    pub chown: Option<String>,
    /// `--chmod`
    pub chmod: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--keep-git-dir`
    pub keep_git_dir: Option<bool>,
    /// `--checksum`
    pub checksum: Option<String>,
    /// `--unpack`; absent means: archives of the context only.
    pub unpack: Option<bool>,
    /// `--exclude`s in order.
    pub excludes: Vec<String>,
    /// Paths, patterns and addresses.
    pub sources: Vec<String>,
    /// Heredocs among the sources.
    pub files: Vec<InlineFile>,
    /// Where to.
    pub destination: String,
}

/// A `HEALTHCHECK` instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// What runs; absent for `HEALTHCHECK NONE`.
    pub command: Option<CommandLine>,
    /// `--interval`; zero means inherited.
    pub interval: Duration,
    /// `--timeout`
    pub timeout: Duration,
    /// `--start-period`
    pub start_period: Duration,
    /// `--start-interval`
    pub start_interval: Duration,
    /// `--retries`
    pub retries: u32,
}

/// What BuildKit warns about while it reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The instruction it stands in.
    pub lines: Lines,
    /// The empty line within a continued instruction.
    pub empty_line: usize,
}
