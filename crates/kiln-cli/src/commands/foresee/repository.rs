//! Errors of git repositories, with ways out.

use kiln::git::GitError;
use kiln::process::ProcessError;

use crate::error::{CommandError, Kind};

/// An error about a repository or revision.
pub(crate) fn error(error: &GitError) -> CommandError {
    let (kind, hint) = match error {
        GitError::Process(ProcessError::Cancelled { .. }) => return CommandError::new(Kind::Interrupted, "interrupted"),
        GitError::Process(ProcessError::NotFound { .. }) => {
            (Kind::User, Some("install git: kiln asks it what revisions are called"))
        }
        GitError::Process(ProcessError::TimedOut { .. }) => (Kind::Transient, None),
        GitError::NoRepository { .. } | GitError::Bare { .. } => (Kind::User, Some("name a checkout with `--project DIR`")),
        GitError::NoCommit { .. } => {
            (Kind::User, Some("commit something first: what a commit costs is told from the one before"))
        }
        GitError::Revision { shallow: true, .. } => {
            (Kind::User, Some("this clone is shallow: `git fetch --unshallow`, or in CI a checkout with the whole history"))
        }
        GitError::Revision { .. } => {
            (Kind::User, Some("`git log --oneline` and `git branch --all` show what there is; `git fetch` brings more"))
        }
        GitError::Missing { .. } => (
            Kind::User,
            Some(
                "the clone is partial or shallow: `git fetch --unshallow`, or `git fetch --refetch --no-filter`, brings what is missing",
            ),
        ),
        GitError::Object { .. } => (Kind::User, Some("`git fsck` tells what is damaged")),
        _ => (Kind::User, None),
    };
    let message = CommandError::from_error(kind, error);
    match hint {
        Some(hint) => message.hint(hint),
        None => message,
    }
}
