//! What a unit declares to read: rustc's dependency files and the output of build scripts.

use std::path::{Component, Path, PathBuf};

/// What a dependency file lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Declared {
    /// Files, as rustc wrote them.
    pub(super) files: Vec<String>,
    /// Environment variables.
    pub(super) variables: Vec<String>,
}

/// Reads a dependency file in rustc's form: rules of `make`, with `# env-dep:NAME=value` lines.
#[must_use]
pub(super) fn dependency_file(text: &str) -> Declared {
    let mut declared = Declared::default();
    for line in text.lines() {
        if let Some(variable) = line.strip_prefix("# env-dep:") {
            let name = variable.split_once('=').map_or(variable, |(name, _)| name);
            declared.variables.push(name.to_owned());
        } else if let Some(path) = line.strip_suffix(':').filter(|_| !line.starts_with('#')) {
            // rustc repeats each prerequisite as a target of its own.
            declared.files.push(unescape(path));
        }
    }
    declared
}

fn unescape(path: &str) -> String {
    path.replace("\\ ", " ")
}

/// The value of a directive of a build script: `cargo:NAME=value` or `cargo::NAME=value`.
fn directive<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.strip_prefix("cargo:")?;
    rest.strip_prefix(':').unwrap_or(rest).strip_prefix(name)?.strip_prefix('=')
}

/// The paths that a build script asks to be watched.
pub(super) fn rerun_if_changed(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| directive(line, "rerun-if-changed"))
}

/// The environment variables that a build script asks to be watched.
pub(super) fn rerun_if_env_changed(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| directive(line, "rerun-if-env-changed"))
}

/// The path without `.` and `..`, as far as that can be told without looking.
#[must_use]
pub(in crate::recipe) fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            component => normal.push(component),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependency_files_give_paths_and_variables() {
        let text = "/t/deps/a-1.d: src/main.rs src/a\\ b.txt\n\n/t/deps/a-1: src/main.rs src/a\\ b.txt\n\nsrc/main.rs:\n\
                    src/a\\ b.txt:\n\n# env-dep:GREETING=hello\n# env-dep:UNSET\n";
        let declared = dependency_file(text);
        assert_eq!(declared.files, ["src/main.rs", "src/a b.txt"]);
        assert_eq!(declared.variables, ["GREETING", "UNSET"]);
    }

    #[test]
    fn directives_of_both_forms_are_read() {
        let output = "cargo:rerun-if-changed=a.txt\nhello\ncargo::rerun-if-changed=b\ncargo:rerun-if-env-changed=X\n";
        assert_eq!(rerun_if_changed(output).collect::<Vec<_>>(), ["a.txt", "b"]);
        assert_eq!(rerun_if_env_changed(output).collect::<Vec<_>>(), ["X"]);
    }

    #[test]
    fn paths_are_normalized() {
        assert_eq!(normalized(Path::new("m/src/../x.txt")), Path::new("m/x.txt"));
        assert_eq!(normalized(Path::new("/a/./b/../../c")), Path::new("/c"));
    }
}
