//! What is built beyond the commit: files that a person has edited and not committed.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::process::{Cancel, Finished, Run};

/// How many paths a record keeps.
const PATHS: usize = 20;
/// Longer than a usual `git status`, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Files below a folder that differ from the commit that is checked out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// How many they are; new ones count, ignored ones do not.
    pub files: usize,
    /// The first of them, relative to the root of the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Utf8PathBuf>,
}

impl Edited {
    /// Asks git, which may take a while: to be run beside a build. Nothing where there is no git, no repository, or no answer.
    ///
    /// Takes no lock, so that a person's own git is not in the way of a build, nor the other way round.
    #[must_use]
    pub fn look(folder: &Utf8Path, cancel: &Cancel) -> Option<Self> {
        let args = ["--no-optional-locks", "status", "--porcelain", "-z", "--untracked-files=all", "--", "."];
        let run = Run::new("git").args(args).cwd(folder).capture(8 << 20).timeout(PATIENCE);
        let finished = run.output(cancel).ok().filter(Finished::success)?;
        Some(parse(&finished.stdout))
    }
}

/// Reads `XY PATH NUL`, where a rename or copy has its former path as one more field.
fn parse(status: &str) -> Edited {
    let mut edited = Edited::default();
    let mut fields = status.split('\0');
    while let Some(field) = fields.next() {
        let Some((state, path)) = field.split_at_checked(3).filter(|(_, path)| !path.is_empty()) else { continue };
        if state.starts_with(['R', 'C']) {
            let _ = fields.next();
        }
        edited.files += 1;
        if edited.paths.len() < PATHS {
            edited.paths.push(path.into());
        }
    }
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edited_new_deleted_and_renamed_files_are_counted_once() {
        let edited = parse(" M src/main.rs\0?? new file\0R  to.rs\0from.rs\0 D gone\0\n");
        assert_eq!(edited.files, 4);
        assert_eq!(edited.paths, ["src/main.rs", "new file", "to.rs", "gone"]);
        assert_eq!(parse(""), Edited::default());
        let many = (0..50).map(|number| format!("?? {number}\0")).collect::<String>();
        assert_eq!((parse(&many).files, parse(&many).paths.len()), (50, PATHS));
    }
}
