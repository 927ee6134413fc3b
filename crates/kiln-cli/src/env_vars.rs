//! Every environment variable that kiln reads, and the only place that reads them.

/// Repository to work on, as `--project`.
pub(crate) const PROJECT: &str = "KILN_PROJECT";
/// How progress is shown, as `--progress`.
pub(crate) const PROGRESS: &str = "KILN_PROGRESS";

/// The value of an environment variable, if it is set, not empty and valid UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
