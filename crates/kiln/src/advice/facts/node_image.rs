//! Which Node a package is built with: the base images of the Dockerfiles that build it, else what kiln would take.

use camino::{Utf8Path, Utf8PathBuf};

use crate::advice::{Context, Dockerfile, command_text};
use crate::project::node::{NodeVersion, NodeWorkspace, Version};

/// A Node that builds a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeImage {
    /// The version; open numbers are the highest, because a tag like `20` moves.
    pub(crate) version: Version,
    /// The image, or `node:TAG` where no Dockerfile has been written yet.
    pub(crate) image: String,
    /// Where it is written.
    pub(crate) path: Utf8PathBuf,
    /// Line there, from 1.
    pub(crate) line: usize,
    /// Whether its C library is musl.
    pub(crate) musl: bool,
    /// Whether it stands in a Dockerfile.
    pub(crate) in_dockerfile: bool,
}

/// A number that no release reaches.
const OPEN: u64 = 999;

/// Code names, which are tags, too.
const CODE_NAMES: [(&str, u64); 6] = [("krypton", 24), ("jod", 22), ("iron", 20), ("hydrogen", 18), ("gallium", 16), ("lts", 24)];

/// Programs that install or build a Node package.
const BUILDERS: [&str; 8] = ["npm ", "npx ", "pnpm ", "yarn", "bun ", "rollup ", "vite ", "webpack"];

impl NodeImage {
    /// As people call it: `Node 18`, `Node 20.11`.
    pub(crate) fn name(&self) -> String {
        let Version { major, minor, patch, .. } = self.version;
        match (minor, patch) {
            (OPEN, _) => format!("Node {major}"),
            (minor, OPEN) => format!("Node {major}.{minor}"),
            (minor, patch) => format!("Node {major}.{minor}.{patch}"),
        }
    }

    /// Whether it looks at the syntax of a `.js` file without `"type"`: from 20.19 and 22.7.
    pub(crate) fn detects_modules(&self) -> bool {
        self.is_at_least(&[(20, 19), (22, 7)])
    }

    /// Whether it knows `with { type: 'json' }`: from 18.20 and 20.10.
    pub(crate) fn knows_with(&self) -> bool {
        self.is_at_least(&[(18, 20), (20, 10), (21, 0)])
    }

    /// Whether it knows `assert { type: 'json' }`: up to 21.
    pub(crate) const fn knows_assert(&self) -> bool {
        self.version.major < 22 && self.version.major >= 16
    }

    /// Whether it knows `import.meta.dirname`: from 20.11 and 21.2.
    pub(crate) fn knows_dirname(&self) -> bool {
        self.is_at_least(&[(20, 11), (21, 2)])
    }

    /// Whether it is at least the given minor of its own line, or of a newer line than all of them.
    fn is_at_least(&self, lines: &[(u64, u64)]) -> bool {
        let Version { major, minor, .. } = self.version;
        match lines.iter().find(|(line, _)| *line == major) {
            Some((_, least)) => minor >= *least,
            None => lines.iter().all(|(line, _)| major > *line),
        }
    }
}

/// Version and C library of an image's reference; `None` if it is no Node image.
pub(crate) fn parse(image: &str) -> Option<(Version, bool)> {
    let image = image.split('@').next().unwrap_or(image);
    let last = image.rsplit('/').next()?;
    let (name, tag) = last.split_once(':').unwrap_or((last, "latest"));
    if !matches!(name, "node" | "javascript-node" | "typescript-node") {
        return None;
    }
    let musl = tag.contains("alpine");
    let mut parts = tag.split('-');
    // Development container images put their own version first: `1-22-bookworm`.
    let first =
        if name == "node" { parts.next()? } else { parts.find(|part| part.parse::<u64>().is_ok_and(|n| n > 9)).unwrap_or("lts") };
    let version = match CODE_NAMES.iter().find(|(code, _)| *code == first) {
        Some((_, major)) => Version::new(*major, OPEN, OPEN),
        None if first.starts_with(|c: char| c.is_ascii_digit()) => {
            let mut numbers = first.split('.').map(str::parse::<u64>);
            let major = numbers.next()?.ok()?;
            let minor = numbers.next().map_or(Some(OPEN), Result::ok)?;
            let patch = numbers.next().map_or(Some(OPEN), Result::ok)?;
            Version::new(major, minor, patch)
        }
        // `latest`, `current`, `bookworm-slim`, `alpine`: newer than any rule is about.
        None => Version::new(OPEN, OPEN, OPEN),
    };
    Some((version, musl))
}

/// The Nodes that build the package in `folder` (relative to the repository).
pub(crate) fn of(context: &Context<'_>, workspace: &NodeWorkspace, folder: &Utf8Path) -> Vec<NodeImage> {
    let mut found: Vec<NodeImage> = Vec::new();
    for above in folder.ancestors() {
        for dockerfile in context.dockerfiles().iter().filter(|dockerfile| dockerfile.folder() == above) {
            for image in images(dockerfile) {
                if !found.iter().any(|known| (&known.version, known.musl) == (&image.version, image.musl)) {
                    found.push(image);
                }
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    let asked = workspace.node_version.as_ref();
    let tag = asked.map_or(NodeVersion::DEFAULT_TAG, |version| version.tag.as_str());
    let image = format!("node:{tag}");
    let Some((version, musl)) = parse(&image) else { return Vec::new() };
    let root = context.relative(&workspace.directory).unwrap_or_default();
    let path = asked.map_or_else(|| root.join("package.json"), |version| root.join(&version.path));
    vec![NodeImage { version, image, path, line: asked.map_or(1, |version| version.line), musl, in_dockerfile: false }]
}

/// The Node images of the stages that install or build; of all stages where none does.
fn images(dockerfile: &Dockerfile) -> Vec<NodeImage> {
    let stages = (0..dockerfile.stages().len())
        .filter_map(|stage| Some((stage, dockerfile.image(stage)?, parse(dockerfile.image(stage)?)?)))
        .collect::<Vec<_>>();
    let builds = |stage: usize| {
        dockerfile.runs().any(|(index, _, run)| {
            let text = command_text(run);
            index == stage && BUILDERS.iter().any(|builder| text.contains(builder))
        })
    };
    let chosen: Vec<_> = stages.iter().filter(|(stage, ..)| builds(*stage)).collect();
    let chosen = if chosen.is_empty() { stages.iter().collect() } else { chosen };
    let image = |(stage, image, (version, musl)): &(usize, &str, (Version, bool))| {
        let bottom = dockerfile.ancestry(*stage).pop().unwrap_or(*stage);
        NodeImage {
            version: version.clone(),
            image: (*image).to_owned(),
            path: dockerfile.file.path.clone(),
            line: dockerfile.stages()[bottom].lines.first,
            musl: *musl,
            in_dockerfile: true,
        }
    };
    chosen.into_iter().map(image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_tells_version_and_c_library() {
        let table = [
            ("node:18-alpine3.20", Some((18, OPEN, true))),
            ("docker.io/library/node:20.11-bookworm-slim@sha256:ab", Some((20, 11, false))),
            ("node:iron", Some((20, OPEN, false))),
            ("node:lts-alpine", Some((24, OPEN, true))),
            ("node", Some((OPEN, OPEN, false))),
            ("node:slim", Some((OPEN, OPEN, false))),
            ("mcr.microsoft.com/devcontainers/javascript-node:1-22-bookworm", Some((22, OPEN, false))),
            ("nginx:1", None),
            ("acme/node-base:18", None),
        ];
        for (image, expected) in table {
            let found = parse(image).map(|(version, musl)| (version.major, version.minor, musl));
            assert_eq!(found, expected, "{image}");
        }
    }

    #[test]
    fn abilities_are_those_of_the_release_lines() {
        let node = |tag: &str| {
            let (version, musl) = parse(&format!("node:{tag}")).unwrap();
            NodeImage { version, image: String::new(), path: "".into(), line: 1, musl, in_dockerfile: true }
        };
        let table = [
            ("18", [false, true, true]),
            ("18.19", [false, false, true]),
            ("20.9", [false, false, true]),
            ("20.18.1", [false, true, true]),
            ("20", [true, true, true]),
            ("21", [false, true, true]),
            ("22.6", [false, true, false]),
            ("22.11", [true, true, false]),
            ("22", [true, true, false]),
            ("24", [true, true, false]),
        ];
        for (tag, expected) in table {
            let node = node(tag);
            let found = [node.detects_modules(), node.knows_with(), node.knows_assert()];
            assert_eq!(found, expected, "{tag}");
        }
        assert_eq!(node("18").name(), "Node 18");
        assert_eq!(node("20.11").name(), "Node 20.11");
    }
}
