//! `package.json`.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{NodeError, json};

/// In which table of the manifest a dependency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencySection {
    /// `dependencies`
    Normal,
    /// `devDependencies`
    Development,
    /// `optionalDependencies`
    Optional,
    /// `peerDependencies`
    Peer,
}

impl DependencySection {
    /// All sections, in the order in which they are read.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Development, Self::Optional, Self::Peer];

    /// The key in `package.json`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Normal => "dependencies",
            Self::Development => "devDependencies",
            Self::Optional => "optionalDependencies",
            Self::Peer => "peerDependencies",
        }
    }
}

/// A dependency as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeDependency {
    /// Name under which it is installed.
    pub name: String,
    /// Range, tag, URL or path.
    pub specifier: String,
    /// Table.
    pub section: DependencySection,
    /// Line in the manifest, from 1.
    pub line: usize,
}

/// A `package.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// Absolute path of the file.
    pub path: Utf8PathBuf,
    /// `name`
    pub name: Option<String>,
    /// `version`
    pub version: Option<String>,
    /// Whether `type` is `module`.
    pub is_module: bool,
    /// `private`
    pub private: bool,
    /// `main`
    pub main: Option<String>,
    /// `scripts`
    pub scripts: BTreeMap<String, String>,
    /// `engines`
    pub engines: BTreeMap<String, String>,
    /// Every dependency, section by section.
    pub dependencies: Vec<NodeDependency>,
    /// The whole document.
    #[serde(skip)]
    pub document: Map<String, Value>,
    /// The text, for line numbers.
    #[serde(skip)]
    pub text: String,
}

impl Manifest {
    /// Reads a `package.json`. A byte order mark is tolerated.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is no JSON, or has a value of the wrong type where kiln needs it.
    pub fn load(path: &Utf8Path) -> Result<Self, NodeError> {
        Self::parse(path, json::read_text(path)?)
    }

    /// Parses the text of a `package.json`; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As [`Manifest::load`].
    pub fn parse(path: &Utf8Path, text: String) -> Result<Self, NodeError> {
        let value = if text.trim().is_empty() { Value::Null } else { json::parse(path, &text)? };
        let shape = |keys: &[&str], expected| NodeError::Shape {
            path: path.to_owned(),
            line: json::line_of(&text, keys),
            key: if keys.is_empty() { "package.json".to_owned() } else { keys.join(".") },
            expected,
        };
        let Value::Object(document) = value else { return Err(shape(&[], "an object")) };
        let string = |key: &str| match document.get(key) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            None | Some(Value::Null) => Ok(None),
            Some(_) => Err(shape(&[key], "a string")),
        };
        let strings = |key: &str| -> Result<BTreeMap<String, String>, NodeError> {
            match document.get(key) {
                None | Some(Value::Null) => Ok(BTreeMap::new()),
                Some(Value::Object(table)) => table
                    .iter()
                    .map(|(name, value)| match value {
                        Value::String(text) => Ok((name.clone(), text.clone())),
                        _ => Err(shape(&[key, name], "a string")),
                    })
                    .collect(),
                Some(_) => Err(shape(&[key], "an object")),
            }
        };
        let mut dependencies = Vec::new();
        for section in DependencySection::ALL {
            for (name, specifier) in strings(section.key())? {
                let line = json::line_of(&text, &[section.key(), &name]);
                dependencies.push(NodeDependency { name, specifier, section, line });
            }
        }
        // An array or a string here is an old form that npm ignores.
        let engines =
            if matches!(document.get("engines"), Some(Value::Object(_))) { strings("engines")? } else { BTreeMap::new() };
        Ok(Self {
            path: path.to_owned(),
            name: string("name")?,
            version: string("version")?,
            is_module: document.get("type").and_then(Value::as_str) == Some("module"),
            private: document.get("private") == Some(&Value::Bool(true)),
            main: document.get("main").and_then(Value::as_str).map(str::to_owned),
            scripts: strings("scripts")?,
            engines,
            dependencies,
            document,
            text,
        })
    }

    /// Whether the package depends on `name`, in any section but peers.
    #[must_use]
    pub fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name && dependency.section != DependencySection::Peer)
    }

    /// Whether `dependencies` (what is there at run time) has `name`.
    #[must_use]
    pub fn runs_with(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name && dependency.section == DependencySection::Normal)
    }

    /// Line of the value under the keys, from 1.
    #[must_use]
    pub fn line_of(&self, keys: &[&str]) -> usize {
        json::line_of(&self.text, keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, NodeError> {
        Manifest::parse(Utf8Path::new("web/package.json"), text.to_owned())
    }

    #[test]
    fn a_manifest_keeps_the_line_of_each_dependency() {
        let manifest =
            parse("{\n \"name\": \"a\",\n \"dependencies\": {\n  \"b\": \"1\"\n },\n \"devDependencies\": {\"b\": \"2\"}\n}")
                .unwrap();
        let lines = manifest.dependencies.iter().map(|d| (d.section, d.line)).collect::<Vec<_>>();
        assert_eq!(lines, [(DependencySection::Normal, 4), (DependencySection::Development, 6)]);
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let table = [
            ("{\n \"name\": \"a\",\n}", "`web/package.json` line 3 is not valid JSON"),
            ("[]", "`web/package.json` line 1: `package.json` must be an object"),
            ("", "`web/package.json` line 1: `package.json` must be an object"),
            ("{\n \"scripts\": []}", "`web/package.json` line 2: `scripts` must be an object"),
            ("{\n \"dependencies\": {\n  \"a\": 1}}", "`web/package.json` line 3: `dependencies.a` must be a string"),
        ];
        for (text, message) in table {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }
}
