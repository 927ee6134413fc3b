//! A repository, found from a folder.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::{GitError, Objects};
use crate::context::ContentId;
use crate::process::{Cancel, Finished, Run};

/// How long git may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer: names of all files of a large repository, or ids of a million commits.
const ANSWER: usize = 256 << 20;

/// A repository with a work tree.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Root of the work tree, absolute, without links.
    pub root: Utf8PathBuf,
    /// Whether history ends where the clone was cut off.
    pub shallow: bool,
    /// Its objects.
    pub objects: Objects,
}

impl Repository {
    /// Finds the repository that holds a folder.
    ///
    /// # Errors
    /// [`GitError`]: no git, no repository, a bare one, or one of another format.
    pub fn open(folder: &Utf8Path, cancel: &Cancel) -> Result<Self, GitError> {
        let args = ["rev-parse", "--is-bare-repository", "--is-shallow-repository", "--git-path", "objects", "--show-toplevel"];
        let finished = command(folder, args).output(cancel)?;
        let mut lines = finished.stdout.lines();
        let bare = lines.next() == Some("true");
        if bare {
            return Err(GitError::Bare { folder: folder.to_owned() });
        }
        if !finished.success() {
            let outside = finished.stderr.contains("not a git repository");
            return Err(if outside {
                GitError::NoRepository { folder: folder.to_owned() }
            } else {
                failed("rev-parse", &finished)
            });
        }
        let shallow = lines.next() == Some("true");
        let (Some(objects), Some(root)) = (lines.next(), lines.next()) else { return Err(failed("rev-parse", &finished)) };
        let root = Utf8Path::new(root).canonicalize_utf8().unwrap_or_else(|_| root.into());
        // Older gits know one format only, and give the question back.
        let format = answer(folder, ["rev-parse", "--show-object-format"], cancel)?;
        if format.trim() == "sha256" {
            return Err(GitError::Format { root, format: format.trim().to_owned() });
        }
        Ok(Self { root, shallow, objects: Objects::open(&folder.join(objects))? })
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// A revision that git does not know here.
    pub fn resolve(&self, revision: &str, cancel: &Cancel) -> Result<ContentId, GitError> {
        let wanted = format!("{revision}^{{commit}}");
        let finished = command(&self.root, ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).output(cancel)?;
        let id = if finished.success() { ContentId::parse(finished.stdout.trim()) } else { None };
        id.ok_or_else(|| self.unknown(revision))
    }

    /// The latest commits of a range along first parents, the latest first.
    ///
    /// # Errors
    /// A range that git does not know here.
    pub fn list(&self, range: &str, limit: usize, cancel: &Cancel) -> Result<Vec<ContentId>, GitError> {
        let limit = format!("--max-count={limit}");
        let finished =
            command(&self.root, ["rev-list", "--first-parent", &limit, "--end-of-options", range, "--"]).output(cancel)?;
        if !finished.success() {
            let unborn = range == "HEAD" && self.resolve("HEAD", cancel).is_err();
            return Err(if unborn {
                GitError::NoCommit { root: self.root.clone() }
            } else if finished.stderr.contains("bad revision") || finished.stderr.contains("unknown revision") {
                self.unknown(range)
            } else {
                failed("rev-list", &finished)
            });
        }
        Ok(finished.stdout.lines().filter_map(ContentId::parse).collect())
    }

    fn unknown(&self, revision: &str) -> GitError {
        GitError::Revision { revision: revision.to_owned(), shallow: self.shallow }
    }

    /// What git prints when run in the root.
    pub(super) fn ask<const N: usize>(&self, args: [&str; N], cancel: &Cancel) -> Result<String, GitError> {
        answer(&self.root, args, cancel)
    }

    /// A path of the work tree relative to a folder; nothing for what lies elsewhere.
    pub(crate) fn within(&self, path: &str, folder: &Utf8Path) -> Option<String> {
        self.root.join(path).strip_prefix(folder).ok().map(|path| path.as_str().to_owned())
    }
}

/// Git in a folder.
pub(crate) fn command<const N: usize>(folder: &Utf8Path, args: [&str; N]) -> Run {
    // The repository is the one that holds the folder, also when a hook of another one starts kiln.
    let run = Run::new("git").args(args).cwd(folder).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env("LC_ALL", "C");
    // Nothing is written: a person's own git is not in the way, and a context that holds git's folder stays as it is.
    let run = run.env("GIT_OPTIONAL_LOCKS", "0");
    run.timeout(PATIENCE).capture(ANSWER)
}

fn answer<const N: usize>(folder: &Utf8Path, args: [&str; N], cancel: &Cancel) -> Result<String, GitError> {
    let finished = command(folder, args).output(cancel)?;
    if finished.success() { Ok(finished.stdout) } else { Err(failed(args[0], &finished)) }
}

fn failed(command: &str, finished: &Finished) -> GitError {
    let last = finished.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    GitError::Failed { command: command.to_owned(), said: last.trim_start_matches("fatal: ").to_owned() }
}
