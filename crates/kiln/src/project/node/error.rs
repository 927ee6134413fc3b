use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Why a Node workspace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file or folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not UTF-8 text.
    #[error("`{path}` is not UTF-8 text (line {line})")]
    NotText {
        /// The file.
        path: Utf8PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
    },
    /// JSON that cannot be parsed.
    #[error("`{path}` line {line} is not valid JSON")]
    Json {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// YAML that cannot be parsed.
    #[error("`{path}` line {line} is not valid YAML")]
    Yaml {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: u64,
        /// What the parser says.
        source: Box<serde_saphyr::Error>,
    },
    /// A key holds a value of the wrong type.
    #[error("`{path}` line {line}: `{key}` must be {expected}")]
    Shape {
        /// The file.
        path: Utf8PathBuf,
        /// Line of the key, from 1.
        line: usize,
        /// The key, with dots between levels.
        key: String,
        /// What it must be, with its article.
        expected: &'static str,
    },
    /// A workspace glob that is not a glob.
    #[error("`{path}` line {line}: `{pattern}` is not a glob pattern")]
    Glob {
        /// The file.
        path: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The pattern.
        pattern: String,
        /// Why.
        source: glob::PatternError,
    },
    /// A path below the folder is not UTF-8.
    #[error("a file name in `{path}` is not valid UTF-8: {name}")]
    PathNotText {
        /// The folder.
        path: Utf8PathBuf,
        /// The name, with replacement characters.
        name: String,
    },
}

impl NodeError {
    /// The file or folder that is to blame, and the line in it, from 1; the first where no single line is.
    #[must_use]
    pub fn place(&self) -> (&Utf8Path, usize) {
        match self {
            Self::Read { path, .. } | Self::PathNotText { path, .. } => (path, 1),
            Self::NotText { path, line }
            | Self::Json { path, line, .. }
            | Self::Shape { path, line, .. }
            | Self::Glob { path, line, .. } => (path, *line),
            Self::Yaml { path, line, .. } => (path, usize::try_from(*line).unwrap_or(1)),
        }
    }
}
