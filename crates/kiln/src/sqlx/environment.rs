//! `SQLX_OFFLINE_DIR`, as each version of SQLx reads it.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::version::OfflineDirectory;

const NAME: &str = "SQLX_OFFLINE_DIR";

/// The folder that the environment or a `.env` names for query data, for a package that is compiled in its workspace.
pub(super) fn offline_directory(
    how: OfflineDirectory,
    variables: &BTreeMap<String, String>,
    package: &Utf8Path,
    workspace: &Utf8Path,
) -> Option<Utf8PathBuf> {
    let from_environment = || variables.get(NAME).cloned();
    let found = match how {
        OfflineDirectory::No => None,
        OfflineDirectory::Environment => from_environment().or_else(|| nearest(package, workspace)),
        OfflineDirectory::DotenvOnly => nearest(package, workspace),
        OfflineDirectory::Ancestors => {
            // Each file on the way up overrides those below it.
            let outermost = || package.ancestors().filter_map(|folder| value(&folder.join(".env"))).last();
            from_environment().or_else(outermost)
        }
    }?;
    // The compiler runs in the folder of the workspace.
    Some(workspace.join(found))
}

/// The `.env` beside the manifest if there is one, else the first from the workspace upwards.
fn nearest(package: &Utf8Path, workspace: &Utf8Path) -> Option<String> {
    let own = package.join(".env");
    if own.exists() {
        return value(&own);
    }
    let found = workspace.ancestors().map(|folder| folder.join(".env")).find(|path| path.is_file())?;
    value(&found)
}

fn value(dotenv: &Utf8Path) -> Option<String> {
    let text = fs::read_to_string(dotenv).ok()?;
    text.lines().filter_map(|line| assigned(line, NAME)).next_back()
}

/// The value of `NAME=value`, `export NAME="value" # comment`.
fn assigned(line: &str, name: &str) -> Option<String> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let written = line.strip_prefix(name)?.trim_start().strip_prefix('=')?.trim();
    for quote in ['"', '\''] {
        if let Some(inside) = written.strip_prefix(quote) {
            return inside.split_once(quote).map(|(value, _)| value.to_owned());
        }
    }
    let value = written.split(" #").next().unwrap_or_default().trim();
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_dotenv_file_are_read_with_quotes_and_comments() {
        for (line, expected) in [
            ("SQLX_OFFLINE_DIR=data", Some("data")),
            ("  export SQLX_OFFLINE_DIR = \"a b\" # why", Some("a b")),
            ("SQLX_OFFLINE_DIR='x#y'", Some("x#y")),
            ("SQLX_OFFLINE_DIR=x # y", Some("x")),
            ("SQLX_OFFLINE=true", None),
            ("# SQLX_OFFLINE_DIR=x", None),
            ("SQLX_OFFLINE_DIR=", None),
        ] {
            assert_eq!(assigned(line, NAME).as_deref(), expected, "{line}");
        }
    }
}
