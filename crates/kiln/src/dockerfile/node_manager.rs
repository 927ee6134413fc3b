//! Command lines of Node package managers that only images need; the others are in the plan.

use super::shell_word;
use crate::plan::{LateScript, NodeService, PackageManager};

/// Installs exactly what is locked, with or without development dependencies.
pub(super) fn install(manager: PackageManager, production: bool) -> Vec<String> {
    let mut lines: Vec<String> = manager.install_commands().iter().map(|line| (*line).to_owned()).collect();
    if !production {
        return lines;
    }
    if manager == PackageManager::YarnBerry {
        return vec!["yarn workspaces focus --all --production".to_owned()];
    }
    if manager == PackageManager::Pnpm
        && let Some(fetch) = lines.first_mut()
    {
        *fetch += " --prod";
    }
    if let Some(last) = lines.last_mut() {
        *last += match manager {
            PackageManager::Npm => " --omit=dev",
            PackageManager::Pnpm => " --prod",
            PackageManager::YarnClassic | PackageManager::YarnBerry | PackageManager::Bun => " --production",
        };
    }
    lines
}

/// Takes scripts out of manifests that an install would run before there are sources.
pub(super) fn without_scripts(scripts: &[LateScript]) -> Vec<String> {
    let lines = scripts.iter().map(|late| {
        let line = format!("npm pkg delete {}", shell_word(&format!("scripts.{}", late.script)));
        if late.directory == "." { line } else { format!("(cd {} && {line})", shell_word(late.directory.as_str())) }
    });
    lines.collect()
}

/// Removes development dependencies from a workspace, where the manager can without installing anew.
pub(super) fn prune(manager: PackageManager) -> Option<String> {
    (manager == PackageManager::Npm).then(|| manager.prune_command().to_owned())
}

/// Removes development dependencies from what is installed for a package on its own. `None` where a second install, without them, is
/// the better way.
pub(super) fn prune_installed(node: &NodeService) -> Option<String> {
    let can = matches!(node.manager, PackageManager::Npm | PackageManager::Pnpm);
    (can && node.runs_install_scripts).then(|| node.manager.prune_command().to_owned())
}

/// Removes TypeScript's build info from mounted folders. It says that files were written which are not there: the compiler would
/// leave them out.
pub(super) fn without_build_info(folders: &[String]) -> Option<String> {
    // The plugin of rollup keeps what was written beside the build info.
    let folders = folders.iter().filter(|folder| *folder != ".rollup.cache" && *folder != ".next/cache");
    let folders: Vec<String> = folders.map(|folder| shell_word(folder)).collect();
    // Without a folder `find` would look into all of them.
    (!folders.is_empty()).then(|| format!("find {} -name '*.tsbuildinfo' -delete", folders.join(" ")))
}

/// Runs a script such that its server can be reached from outside of the container, in exec form.
pub(super) fn development(node: &NodeService, script: &str) -> Vec<String> {
    let mut command: Vec<String> = [node.manager.program(), "run", script].map(str::to_owned).to_vec();
    // Vite listens on the loopback interface only, unless told otherwise.
    if matches!(node.bundler.as_deref(), Some("vite" | "astro")) {
        if node.manager == PackageManager::Npm {
            command.push("--".to_owned());
        }
        command.extend(["--host".to_owned(), "0.0.0.0".to_owned()]);
    }
    command
}
