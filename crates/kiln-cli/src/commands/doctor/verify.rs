//! Whether rollup loads a configuration that `--fix` changed: asked of the project's own rollup, where it and Node are there.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::process::{Cancel, Run};

/// How long a configuration may take to load.
const PATIENCE: Duration = Duration::from_secs(30);

/// Loads the file that is its argument as rollup's command line does. Exit codes: 0 it loads, 1 it does not, 3 there is no rollup.
const PROGRAM: &str = "
const path = process.argv[1];
let load;
try { load = require('module').createRequire(path)('rollup/loadConfigFile'); } catch { process.exit(3); }
(load.loadConfigFile || load)(path, {}).then(
  () => process.exit(0),
  error => { console.error(error.message); process.exit(1); },
);
";

/// What rollup says about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loads {
    Yes,
    No(String),
    /// No Node, no rollup, or no answer.
    Unknown,
}

/// Asks for each rollup configuration among the files.
pub(super) fn rollup_configs<'a>(
    root: &Utf8Path,
    paths: impl Iterator<Item = &'a Utf8Path>,
    cancel: &Cancel,
) -> Vec<(Utf8PathBuf, Loads)> {
    let is_config = |path: &&Utf8Path| path.file_name().is_some_and(|name| name.starts_with("rollup.config."));
    paths.filter(is_config).map(|path| (path.to_owned(), load(&root.join(path), cancel))).collect()
}

fn load(config: &Utf8Path, cancel: &Cancel) -> Loads {
    let folder = config.parent().unwrap_or_else(|| Utf8Path::new("/"));
    let run = Run::new("node").args(["-e", PROGRAM, config.as_str()]).cwd(folder).timeout(PATIENCE);
    let Ok(finished) = run.output(cancel) else { return Loads::Unknown };
    match finished.code {
        Some(0) => Loads::Yes,
        Some(1) => Loads::No(finished.stderr.lines().next().unwrap_or("no reason given").to_owned()),
        _ => Loads::Unknown,
    }
}
