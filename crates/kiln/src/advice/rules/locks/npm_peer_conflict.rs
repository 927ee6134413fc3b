//! An npm lock made with other peer rules than `npm ci` has.

use crate::advice::facts::node_lock::{Locked, NodeLock};
use crate::advice::{Context, Findings, Group, Rule, Severity, command_text};
use crate::plan::PackageManager;
use crate::project::node::{NodeWorkspace, Range};

pub(super) const RULE: Rule = Rule {
    id: "npm-peer-conflict",
    group: Group::Locks,
    severity: Severity::Error,
    summary: "a package-lock.json was made with --legacy-peer-deps or --force, which npm ci does not know of",
    fixable: false,
    check,
};

/// What makes npm accept such a lock.
const LENIENT: [&str; 4] = ["--legacy-peer-deps", "--force", "NPM_CONFIG_LEGACY_PEER_DEPS", "npm_config_legacy_peer_deps"];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        if workspace.manager() != Some(PackageManager::Npm) || is_lenient(context, workspace) {
            continue;
        }
        let Some(lock) = context.node_lock(workspace) else { continue };
        for package in &workspace.packages {
            let Some(manifest) = context.relative(&package.manifest.path).and_then(|path| context.file(&path)) else { continue };
            // npm stops for what the manifests ask for; conflicts further down it only warns about.
            for dependency in &package.manifest.dependencies {
                let top = format!("node_modules/{}", dependency.name);
                let entry = lock.packages.get(&dependency.name).and_then(|list| list.iter().find(|locked| locked.key == top));
                let problem = entry.and_then(|entry| Some((entry, conflict(&lock, entry)?)));
                let Some((entry, (peer, range, found))) = problem else { continue };
                let name = &dependency.name;
                let message = match found {
                    Some(found) => format!(
                        "npm error ERESOLVE could not resolve: peer {peer}@\"{range}\" from {name}@{}, and the lock has {peer} {found}",
                        entry.version
                    ),
                    None => format!(
                        "npm error code EUSAGE: Missing: {peer}@{range} from lock file, a peer of {name}@{}",
                        entry.version
                    ),
                };
                findings.line(&manifest, dependency.line, format!("{message}; the lock was made with other peer rules")).help(
                    "let the versions agree and run `npm install`; or, to keep it as it is, write `legacy-peer-deps=true` into .npmrc and copy \
                     that before `npm ci`",
                );
            }
        }
    }
}

/// Whether `.npmrc` or a Dockerfile tells npm to be lenient.
fn is_lenient(context: &Context<'_>, workspace: &NodeWorkspace) -> bool {
    let settings = context.relative(&workspace.directory).and_then(|folder| context.file(&folder.join(".npmrc")));
    let in_settings = settings.is_some_and(|file| {
        let mut lines = file.text.lines().map(|line| line.replace(' ', ""));
        lines.any(|line| line == "legacy-peer-deps=true" || line == "force=true")
    });
    in_settings
        || context.dockerfiles().iter().any(|dockerfile| {
            LENIENT[2..].iter().any(|name| dockerfile.file.text.contains(name))
                || dockerfile.runs().any(|(_, _, run)| {
                    let text = command_text(run);
                    text.contains("npm ") && LENIENT[..2].iter().any(|flag| text.contains(flag))
                })
        })
}

/// A peer that the lock does not have as asked: its name, range, and what the lock has.
fn conflict(lock: &NodeLock, entry: &Locked) -> Option<(String, String, Option<String>)> {
    entry.peers.iter().find_map(|(peer, range)| {
        let wanted = Range::parse(range)?;
        let top = format!("node_modules/{peer}");
        let found = lock.packages.get(peer).and_then(|list| list.iter().find(|locked| locked.key == top));
        match found {
            Some(found) if wanted.contains(&found.version) => None,
            // The specific rule has better advice.
            Some(_) if entry.key.ends_with("/rollup-plugin-terser") => None,
            Some(found) => Some((peer.clone(), range.clone(), Some(found.version.to_string()))),
            None if entry.optional_peers.contains(peer) => None,
            None => Some((peer.clone(), range.clone(), None)),
        }
    })
}
