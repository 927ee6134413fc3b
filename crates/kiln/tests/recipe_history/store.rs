//! What was answered, by commit: JSON lines that a later run continues.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;

use camino::Utf8Path;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What cargo says of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Digests of the external units and of the facts beside them; the texts are in `units/` and `facts/`.
    Units { units: String, facts: String },
    /// It refuses to build; why.
    Refused(String),
}

/// Digests of cargo-chef's recipes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chef {
    /// Of all that is in the workspace, as its documentation shows it.
    pub(crate) plain: Option<String>,
    /// With `--bin`.
    pub(crate) binary: Option<String>,
}

/// A file of JSON lines, each an answer by key.
pub(crate) struct Store<T> {
    file: File,
    known: HashMap<String, T>,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    key: String,
    answer: T,
}

impl<T: Clone + Serialize + DeserializeOwned> Store<T> {
    pub(crate) fn open(path: &Utf8Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // The last line is only half there if the run before was killed.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line<T>>(line).ok());
        let known = lines.map(|line| (line.key, line.answer)).collect();
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        if !text.is_empty() && !text.ends_with('\n') {
            writeln!(file).unwrap();
        }
        Self { file, known }
    }

    /// The answer, asked for if it is not known yet.
    pub(crate) fn get(&mut self, key: &str, ask: impl FnOnce() -> T) -> T {
        if let Some(known) = self.known.get(key) {
            return known.clone();
        }
        let answer = ask();
        let line = Line { key: key.to_owned(), answer: answer.clone() };
        writeln!(self.file, "{}", serde_json::to_string(&line).unwrap()).unwrap();
        self.known.insert(line.key, line.answer);
        answer
    }
}

/// Keeps a text under its digest, and returns that.
pub(crate) fn keep(folder: &Utf8Path, extension: &str, text: &str) -> String {
    let digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(format!("{digest}.{extension}")), text).unwrap();
    digest
}
