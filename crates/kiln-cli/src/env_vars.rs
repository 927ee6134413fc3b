//! Every environment variable that kiln reads, and the only place that reads them.

use std::collections::BTreeMap;

/// Repository to work on, as `--project`.
pub(crate) const PROJECT: &str = "KILN_PROJECT";
/// How progress is shown, as `--progress`.
pub(crate) const PROGRESS: &str = "KILN_PROGRESS";
/// The docker client to use instead of `docker` in `PATH`.
pub(crate) const DOCKER: &str = "KILN_DOCKER";
/// The binary that runs inside image builds, as `kiln build --tool`.
pub(crate) const TOOL: &str = "KILN_TOOL";
/// The builder instance, as `--builder`; buildx's own variable.
pub(crate) const BUILDER: &str = "BUILDX_BUILDER";
/// cargo's home, as `--cargo-home`.
pub(crate) const CARGO_HOME: &str = "CARGO_HOME";
/// The cargo program, as `--cargo`.
pub(crate) const CARGO: &str = "CARGO";

/// All variables that are valid UTF-8: what a build inside an image may read.
pub(crate) fn all() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The value of an environment variable, if it is set, not empty and valid UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
