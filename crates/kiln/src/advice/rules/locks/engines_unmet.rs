//! A base image whose Node a locked dependency excludes.

use crate::advice::facts::node_image;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::project::node::Range;

pub(super) const RULE: Rule = Rule {
    id: "engines-unmet",
    group: Group::Locks,
    severity: Severity::Warning,
    summary: "a dependency's engines exclude the Node of the base image",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        let Some(lock) = context.node_lock(workspace) else { continue };
        for package in &workspace.packages {
            let Some(manifest) = context.relative(&package.manifest.path).and_then(|path| context.file(&path)) else { continue };
            let folder = manifest.path.parent().unwrap_or_else(|| "".into());
            let nodes = node_image::of(context, workspace, folder);
            for dependency in &package.manifest.dependencies {
                let top = format!("node_modules/{}", dependency.name);
                let entry = lock.packages.get(&dependency.name).and_then(|list| list.iter().find(|locked| locked.key == top));
                let Some((entry, engines)) = entry.and_then(|entry| Some((entry, entry.node.as_ref()?))) else { continue };
                let Some(range) = Range::parse(engines) else { continue };
                let Some(node) = nodes.iter().find(|node| !range.contains(&node.version)) else { continue };
                let message = format!(
                    "`{}` {} wants Node {engines}, and the image has {} (`{}`, {}:{}): npm warn EBADENGINE, and it may fail at run time; \
                     with `engine-strict`, and with yarn, the install stops",
                    dependency.name,
                    entry.version,
                    node.name(),
                    node.image,
                    node.path,
                    node.line
                );
                findings
                    .line(&manifest, dependency.line, message)
                    .help("take a newer base image, or an older version of the package");
            }
        }
    }
}
