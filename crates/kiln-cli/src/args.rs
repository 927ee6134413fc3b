//! What can be typed. Doc comments are the help.

use camino::Utf8PathBuf;
use clap::{Args, Parser, ValueEnum};

use crate::commands::Command;
use crate::env_vars;

/// Makes Docker builds of Rust and Node repositories as fast as they can be, and shows why they are.
#[derive(Debug, Parser)]
#[command(name = "kiln", version, propagate_version = true, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Repository to work on
    #[arg(long, value_name = "DIR", default_value = ".", global = true, env = env_vars::PROJECT)]
    pub(crate) project: Utf8PathBuf,
    /// Print one JSON document on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How progress is shown
    #[arg(long, value_name = "MODE", default_value = "auto", global = true, env = env_vars::PROGRESS)]
    pub(crate) progress: Progress,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(crate) color: Color,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A live tree on a terminal, plain lines elsewhere
    Auto,
    /// A live tree
    Tty,
    /// One line per event
    Plain,
    /// One JSON object per event, on stderr
    Json,
    /// Only errors
    Quiet,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
