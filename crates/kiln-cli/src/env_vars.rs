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
/// Where programs keep what they know between runs; `~/.local/state` when absent.
pub(crate) const STATE: &str = "XDG_STATE_HOME";
/// The user's home.
pub(crate) const HOME: &str = "HOME";
/// cargo's home, as `--cargo-home`.
pub(crate) const CARGO_HOME: &str = "CARGO_HOME";
/// Where tools are installed that commands need, as `--tools`.
pub(crate) const TOOLS: &str = "KILN_TOOLS";
/// The database that queries are compiled against; SQLx' own variable.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";
/// The number of the process with which kiln is to end: `kiln bench` sets it for the builds that it measures.
pub(crate) const ENDS_WITH: &str = kiln::bench::ENDS_WITH;
/// The cargo program, as `--cargo`.
pub(crate) const CARGO: &str = "CARGO";

/// Whether the caches of `kiln.toml` are written, as `kiln build --export-cache`.
pub(crate) const EXPORT_CACHE: &str = "KILN_EXPORT_CACHE";
/// The token of a GitHub Actions job for its cache.
pub(crate) const GHA_TOKEN: &str = "ACTIONS_RUNTIME_TOKEN";
/// Where the cache service of GitHub Actions is: its present one, and the one before.
pub(crate) const GHA_URLS: [&str; 2] = ["ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL"];
/// The branch that is built, for `{branch}`, and what CI systems call it: they check out a commit and no branch.
///
/// For a pull request GitHub's is `12/merge` and not the name that its author chose, which might be `main`.
pub(crate) const BRANCH: [&str; 7] = [
    "KILN_BRANCH",
    "GITHUB_REF_NAME",
    "CI_COMMIT_REF_NAME",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "BITBUCKET_BRANCH",
    "BRANCH_NAME",
];

/// All variables that are valid UTF-8: what a build inside an image may read.
pub(crate) fn all() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The docker client.
pub(crate) fn docker() -> String {
    read(DOCKER).unwrap_or_else(|| "docker".to_owned())
}

/// The value of an environment variable, if it is set, not empty and valid UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
