//! npm that does not run install scripts of dependencies unless they are allowed.

use serde_json::Value;

use crate::advice::{Context, Findings, Group, Rule, Severity, command_text};
use crate::plan::PackageManager;
use crate::project::node::{NodeWorkspace, Version};

pub(super) const RULE: Rule = Rule {
    id: "npm-blocked-scripts",
    group: Group::Native,
    severity: Severity::Error,
    summary: "npm 11.19 or newer blocks install scripts of dependencies that are not allowed",
    fixable: false,
    check,
};

/// The first npm that blocks them by default.
const FIRST: Version = Version::new(11, 19, 0);

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        if workspace.manager() != Some(PackageManager::Npm) {
            continue;
        }
        let (Some(lock), Some(root)) = (context.node_lock(workspace), workspace.root()) else { continue };
        let Some(reason) = blocking_npm(context, workspace) else { continue };
        let allowed = root.manifest.document.get("allowScripts").and_then(Value::as_object);
        let is_allowed = |name: &str| {
            allowed.is_some_and(|table| {
                table.keys().any(|key| key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('@')))
            })
        };
        let mut blocked: Vec<&str> = lock
            .packages
            .iter()
            // fsevents is for macOS; esbuild's script only checks, its program is a package of its own.
            .filter(|(name, list)| {
                list.iter().any(|locked| locked.install_script) && !matches!(name.as_str(), "fsevents" | "esbuild")
            })
            .map(|(name, _)| name.as_str())
            .filter(|name| !is_allowed(name))
            .collect();
        blocked.truncate(5);
        let Some(file) = context.relative(&root.manifest.path).and_then(|path| context.file(&path)) else { continue };
        if blocked.is_empty() {
            continue;
        }
        let line = root
            .manifest
            .dependencies
            .iter()
            .find(|dependency| blocked.contains(&dependency.name.as_str()))
            .map_or(1, |d| d.line);
        findings
            .line(
                &file,
                line,
                format!(
                    "npm warn install scripts not yet covered by allowScripts: `{}`; {reason}, so native parts stay unbuilt and fail when they \
                     are loaded",
                    blocked.join("`, `")
                ),
            )
            .help("run `npm install-scripts approve` for those you trust, and commit package.json");
    }
}

/// Where it is said that npm is one that blocks.
fn blocking_npm(context: &Context<'_>, workspace: &NodeWorkspace) -> Option<String> {
    let pinned = workspace.pinned_manager.as_ref().filter(|pinned| pinned.manager == PackageManager::Npm);
    if let Some(version) = pinned.and_then(|pinned| pinned.version.as_ref()) {
        return Version::parse(version).filter(|version| *version >= FIRST).map(|_| format!("package.json pins npm {version}"));
    }
    let folder = context.relative(&workspace.directory)?;
    let dockerfiles = context.dockerfiles().iter().filter(|dockerfile| folder.starts_with(dockerfile.folder()));
    let mut installs = dockerfiles.flat_map(|dockerfile| {
        dockerfile.runs().filter_map(move |(_, step, run)| {
            let text = command_text(run);
            let wanted = text.split_whitespace().find_map(|word| word.strip_prefix("npm@"))?;
            let wanted = wanted.trim_end_matches([';', '&', '"', '\'']);
            let newest = matches!(wanted, "latest" | "11" | "^11" | "12" | "next-11");
            let is_global = text.contains("-g") || text.contains("--global");
            let blocks = newest || Version::parse(wanted).is_some_and(|version| version >= FIRST);
            (is_global && blocks).then(|| format!("{}:{} installs npm {wanted}", dockerfile.file.path, step.lines.first))
        })
    });
    installs.next()
}
