//! A lock without the platform packages of the image.

use crate::advice::facts::node_image::{self, NodeImage};
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::project::node::Version;

pub(super) const RULE: Rule = Rule {
    id: "platform-packages",
    group: Group::Native,
    severity: Severity::Error,
    summary: "the lock lacks the platform packages that a native tool needs in the image",
    fixable: false,
    check,
};

/// A tool whose program comes in a package for each platform.
struct Tool {
    /// Its package.
    package: &'static str,
    /// What the names of its platform packages begin with.
    prefix: &'static str,
    /// How they end for x86-64 Linux with glibc, and with musl.
    ends: [&'static str; 2],
    /// What it says when the package is missing; `"…"` stands for the package.
    error: &'static str,
    /// What the packages were called before.
    formerly: Option<Formerly>,
}

/// The names of platform packages before some version.
struct Formerly {
    /// The first version with today's names.
    until: (u64, u64),
    prefix: &'static str,
    ends: [&'static str; 2],
}

const fn tool(package: &'static str, prefix: &'static str, ends: [&'static str; 2], error: &'static str) -> Tool {
    Tool { package, prefix, ends, error, formerly: None }
}

const NAPI: [&str; 2] = ["linux-x64-gnu", "linux-x64-musl"];
const TOOLS: [Tool; 9] = [
    tool(
        "rollup",
        "@rollup/rollup-",
        NAPI,
        "Cannot find module @rollup/rollup-…; npm has a bug related to optional dependencies",
    ),
    // One static program for both C libraries.
    Tool {
        package: "esbuild",
        prefix: "@esbuild/",
        ends: ["linux-x64", "linux-x64"],
        error: "The package \"…\" could not be found, and is needed by esbuild",
        // Newer platforms had today's names from the start: 0.15 has `@esbuild/linux-loong64` beside `esbuild-linux-64`.
        formerly: Some(Formerly { until: (0, 16), prefix: "esbuild-", ends: ["linux-64", "linux-64"] }),
    },
    tool("@swc/core", "@swc/core-", NAPI, "Failed to load native binding"),
    tool("lightningcss", "lightningcss-", NAPI, "Cannot find module '../lightningcss.….node'"),
    tool("sharp", "@img/sharp-", ["linux-x64", "linuxmusl-x64"], "Could not load the \"sharp\" module using the … runtime"),
    tool(
        "@tailwindcss/oxide",
        "@tailwindcss/oxide-",
        NAPI,
        "Cannot find native binding. npm has a bug related to optional dependencies",
    ),
    tool(
        "@parcel/watcher",
        "@parcel/watcher-",
        ["linux-x64-glibc", "linux-x64-musl"],
        "No prebuild or local build of @parcel/watcher found",
    ),
    tool("rolldown", "@rolldown/binding-", NAPI, "Cannot find native binding. npm has a bug related to optional dependencies"),
    tool("@biomejs/biome", "@biomejs/cli-", ["linux-x64", "linux-x64-musl"], "The @biomejs/cli-… package is not installed"),
];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        let Some(lock) = context.node_lock(workspace) else { continue };
        let Some(folder) = context.relative(&workspace.directory) else { continue };
        let nodes = node_image::of(context, workspace, &folder);
        let Some(path) = workspace.lockfile().map(|lock| folder.join(&lock.name)) else { continue };
        let Some(file) = context.file(&path) else { continue };
        for tool in &TOOLS {
            let Some(own) = lock.packages.get(tool.package).and_then(|list| list.first()) else { continue };
            let (prefix, ends) = tool.names(&own.version);
            // Older versions were compiled at install, or had no packages for platforms.
            let known: Vec<&String> = lock.packages.keys().filter(|name| name.starts_with(prefix) && is_platform(name)).collect();
            // The package for x86-64 Linux with the image's C library.
            let needed = |node: &NodeImage| format!("{prefix}{}", ends[usize::from(node.musl)]);
            let Some((node, needed)) = nodes.iter().map(|node| (node, needed(node))).find(|(_, needed)| !known.contains(&needed))
            else {
                continue;
            };
            if known.is_empty() {
                continue;
            }
            let message = format!(
                "`{needed}` is not in the lock, which has {}: `{}` in `{}` ({}:{}) will say: {}",
                some(&known),
                tool.package,
                node.image,
                node.path,
                node.line,
                tool.error.replace("\"…\"", &format!("\"{needed}\""))
            );
            let other = if node.musl && ends[0] != ends[1] {
                "; or take a base image with glibc (`-slim` in place of `-alpine`)"
            } else {
                ""
            };
            findings.line(&file, own.line, message).help(format!(
                "remove node_modules and the lockfile and install again with npm 11.3 or newer (npm/cli#4828){other}"
            ));
        }
    }
}

impl Tool {
    /// What the names of its platform packages begin and end with in a version.
    fn names(&self, version: &Version) -> (&'static str, [&'static str; 2]) {
        match &self.formerly {
            Some(formerly) if (version.major, version.minor) < formerly.until => (formerly.prefix, formerly.ends),
            _ => (self.prefix, self.ends),
        }
    }
}

fn is_platform(name: &str) -> bool {
    ["linux", "darwin", "win32", "freebsd", "android"].iter().any(|system| name.contains(system))
}

/// The first of some names, and how many there are.
fn some(names: &[&String]) -> String {
    match names {
        [] => "none".to_owned(),
        [only] => format!("`{only}` only"),
        [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
    }
}
