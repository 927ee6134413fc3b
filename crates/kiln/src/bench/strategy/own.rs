//! The repository's own Dockerfile as it is, in a namespace.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::context::IgnoreFile;
use crate::text::Text;

/// A Dockerfile that a person wrote, with its ignore file.
#[derive(Debug, Clone)]
pub(super) struct OwnDockerfile {
    text: String,
    /// Text of the ignore file in force.
    pub(super) ignore: String,
}

impl OwnDockerfile {
    /// Reads the Dockerfile of a service, unless kiln wrote it.
    pub(super) fn read(root: &Utf8Path, dockerfile: &Utf8Path, context: &Utf8Path) -> Result<Self, String> {
        let path = root.join(dockerfile);
        let Ok(text) = fs::read_to_string(&path) else { return Err(format!("there is no `{dockerfile}`")) };
        if text.lines().next().is_some_and(|line| line.starts_with("# Written by kiln ")) {
            return Err(format!("`{dockerfile}` is kiln's"));
        }
        let beside = Utf8PathBuf::from(format!("{path}.dockerignore"));
        let ignore = fs::read_to_string(beside).or_else(|_| fs::read_to_string(root.join(context).join(".dockerignore")));
        Ok(Self { text, ignore: ignore.unwrap_or_default() })
    }

    /// Leaves files out of the context that are kiln's, not the repository's: they would make steps run that read nothing else new. Paths
    /// are relative to the root.
    pub(super) fn leave_out<'a>(&mut self, context: &Utf8Path, files: impl IntoIterator<Item = &'a Utf8Path>) {
        for file in files {
            let path = if context == "." { Some(file) } else { file.strip_prefix(context).ok() };
            if let Some(path) = path {
                self.ignore.push('\n');
                self.ignore.push_str(path.as_str());
            }
        }
        self.ignore.push('\n');
    }

    /// Whether builds are sent git's own folder, as some read their version from it.
    pub(super) fn sends_git(&self) -> bool {
        IgnoreFile::parse(&self.ignore).is_ok_and(|ignore| !ignore.excludes(".git/HEAD"))
    }

    /// The text with the namespace's folder behind each `FROM`, so that every step runs in a namespace that is new.
    pub(super) fn in_namespace(&self, folder: &str, label: &str) -> String {
        let mut text = Text::default();
        let mut in_from = false;
        for line in self.text.lines() {
            text += format_args!("{line}\n");
            in_from |= line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("from"));
            if in_from && !line.trim_end().ends_with('\\') {
                in_from = false;
                // The folder is made without changing the working directory of an image that has one.
                text += format_args!("COPY <<\"EOF\" {folder}/namespace\n{folder}\nEOF\n");
            }
        }
        text += format_args!("LABEL {label}\n");
        text.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_kiln_are_no_part_of_the_context() {
        let mut own = OwnDockerfile { text: String::new(), ignore: "docs\n!kiln.toml".to_owned() };
        let files = ["kiln.toml", ".kiln", "api/Dockerfile"].map(Utf8Path::new);
        let mut other = own.clone();
        own.leave_out(Utf8Path::new("."), files);
        assert_eq!(own.ignore, "docs\n!kiln.toml\nkiln.toml\n.kiln\napi/Dockerfile\n");
        other.leave_out(Utf8Path::new("api"), files);
        assert_eq!(other.ignore, "docs\n!kiln.toml\nDockerfile\n");
    }

    #[test]
    fn git_is_sent_unless_the_ignore_file_says_otherwise() {
        for (ignore, sent) in [("", true), ("target\n", true), (".git\n", false), ("*\n!src\n", false), ("*\n!.git\n", true)] {
            let own = OwnDockerfile { text: String::new(), ignore: ignore.to_owned() };
            assert_eq!(own.sends_git(), sent, "{ignore:?}");
        }
    }

    #[test]
    fn each_stage_begins_with_the_namespace() {
        let own = OwnDockerfile { text: "FROM a AS b\nRUN x\nfrom \\\n  c\nRUN y".to_owned(), ignore: String::new() };
        let mark = "COPY <<\"EOF\" /ns/namespace\n/ns\nEOF\n";
        let expected = format!("FROM a AS b\n{mark}RUN x\nfrom \\\n  c\n{mark}RUN y\nLABEL k=v\n");
        assert_eq!(own.in_namespace("/ns", "k=v"), expected);
    }
}
