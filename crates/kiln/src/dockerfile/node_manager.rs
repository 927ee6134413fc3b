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

/// Removes development dependencies, where the manager can without installing anew.
pub(super) fn prune(manager: PackageManager) -> Option<String> {
    (manager == PackageManager::Npm).then(|| "npm prune --omit=dev --no-audit --no-fund".to_owned())
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
