//! Write: typed Dockerfile instructions with `Display`, and the stages of each kind of image.
//!
//! A [`Dockerfile`] is a value that kiln can reason about; only `Display` turns it into text, and it alone knows how
//! Dockerfiles quote. [`render`] decides the stages of a service's variant from the plan.

mod apt;
mod chef;
#[cfg(test)]
mod chef_tests;
mod display;
mod escape;
pub mod evaluate;
mod namespace;
mod network;
mod nginx;
mod node;
mod node_manager;
pub mod parse;
#[cfg(test)]
mod peer_tests;
mod peers;
#[cfg(test)]
mod random_tests;
mod rust;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod written_tests;

use camino::Utf8PathBuf;

use crate::plan::{ImageEngine, Plan, Service, ServiceKind, Variant};

pub use escape::shell_word;
pub use namespace::{foundation, in_namespace};
pub use peers::{Peer, render_peer};
pub(crate) use rust::inside;
pub use rust::{LAYER_STAGE, SEED_ARGUMENT};

/// The Dockerfile of one variant of a service.
#[must_use]
pub fn render(plan: &Plan, service: &Service, variant: Variant) -> Dockerfile {
    match &service.kind {
        ServiceKind::Rust(rust) if plan.engine == ImageEngine::Chef => chef::dockerfile(plan, service, rust, variant),
        ServiceKind::Rust(rust) => rust::dockerfile(plan, service, rust, variant),
        ServiceKind::Node(node) => node::dockerfile(plan, service, node, variant),
    }
}

/// A Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Comment lines at the top.
    pub comments: Vec<String>,
    /// Arguments before the first `FROM`, with the defaults that `docker build --check` wants.
    pub args: Vec<(String, String)>,
    /// Stages, in order.
    pub stages: Vec<Stage>,
}

/// A `FROM` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What the stage holds and what makes it run again.
    pub comments: Vec<String>,
    /// Image reference, stage name or `${ARG}`.
    pub from: String,
    /// Name of the stage.
    pub name: String,
    /// Its instructions.
    pub instructions: Vec<Instruction>,
}

impl Stage {
    /// An empty stage.
    #[must_use]
    pub fn new<const N: usize>(from: impl Into<String>, name: impl Into<String>, comments: [&str; N]) -> Self {
        Self {
            comments: comments.iter().map(|line| (*line).to_owned()).collect(),
            from: from.into(),
            name: name.into(),
            instructions: Vec::new(),
        }
    }

    /// Adds an instruction.
    pub fn push(&mut self, instruction: Instruction) {
        self.instructions.push(instruction);
    }
}

/// One instruction within a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// A line for people.
    Comment(String),
    /// `RUN`
    Run(Run),
    /// `COPY`
    Copy(Copy),
    /// `COPY <<EOF`: a file whose text stands in the Dockerfile.
    File {
        /// Path in the image.
        destination: String,
        /// Its text; nothing in it is expanded.
        text: String,
    },
    /// `ENV`, one instruction for all pairs.
    Env(Vec<(String, Word)>),
    /// `ARG`; an empty default declares the argument without a value.
    Arg(String, String),
    /// `WORKDIR`
    Workdir(String),
    /// `USER`
    User(String),
    /// `EXPOSE`
    Expose(u16),
    /// `STOPSIGNAL`
    StopSignal(String),
    /// `HEALTHCHECK` in exec form.
    Healthcheck {
        /// The command.
        command: Vec<String>,
        /// `--start-period`, in seconds.
        start_period: u32,
    },
    /// `ENTRYPOINT` in exec form.
    Entrypoint(Vec<String>),
    /// `CMD` in exec form.
    Cmd(Vec<String>),
    /// `LABEL`
    Label(String, String),
}

/// A value of `ENV`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Taken as it is.
    Literal(String),
    /// The value of a variable of the stage or its base image.
    Variable(String),
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Literal(text.to_owned())
    }
}

/// A `RUN` instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// Mounts, in order.
    pub mounts: Vec<Mount>,
    /// What runs.
    pub command: Command,
}

/// What a `RUN` runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Shell text, one entry for each line; the lines are joined with `\`.
    Shell(Vec<String>),
    /// A program with its arguments, without a shell.
    Exec(Vec<String>),
    /// A script of several lines in the default shell, which stops at the first failure only if it says so.
    Heredoc(String),
}

impl Default for Command {
    fn default() -> Self {
        Self::Shell(Vec::new())
    }
}

/// A `--mount` of a `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// Files of the context or of a stage.
    Bind {
        /// Stage or image; the context when absent.
        from: Option<String>,
        /// Path in it.
        source: String,
        /// Where the step sees it.
        target: String,
        /// Whether the step may write; what it writes is thrown away.
        writable: bool,
    },
    /// A folder that stays on the builder between builds.
    Cache {
        /// Identity of the folder.
        id: String,
        /// Where the step sees it.
        target: String,
        /// What happens when two steps want it at once.
        sharing: Sharing,
    },
    /// A secret, never part of a layer.
    Secret {
        /// Its id.
        id: String,
        /// Path; `/run/secrets/ID` when absent.
        target: Option<String>,
        /// Whether the build fails without it.
        required: bool,
    },
    /// A folder in memory, never part of a layer.
    Tmpfs {
        /// Where the step sees it.
        target: String,
    },
}

/// What happens when two steps want the same cache mount at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Both get it.
    Shared,
    /// The second waits.
    Locked,
}

/// A `COPY` instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copy {
    /// Stage or image; the context when absent.
    pub from: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--chown`
    pub chown: Option<String>,
    /// `--chmod`
    pub chmod: Option<String>,
    /// Literal paths; characters that would be a pattern are escaped.
    pub sources: Vec<Utf8PathBuf>,
    /// Path in the image.
    pub destination: String,
}
