//! What a step does, apart from what it stands on and what it reads: the part of a key that stands in the Dockerfile.

use serde::{Deserialize, Serialize};

use crate::context::Selector;
use crate::dockerfile::evaluate::{EvaluatedStep, Platform};
use crate::dockerfile::parse::{Add, Copy, InlineFile, MountKind, MountSharing, ParsedMount, Run};

/// What a step does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// `run`, `copy`, `add` or `workdir`.
    pub kind: String,
    /// Program and arguments of a `RUN`; for others what they are made of, in a form of kiln's own.
    pub words: Vec<String>,
    /// Flags and mounts, in a form of kiln's own.
    pub flags: Vec<String>,
    /// Environment of a `RUN`, in the order that counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<(String, String)>,
    /// Folder in which a `RUN` runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workdir: String,
    /// User of a `RUN` or `WORKDIR`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

impl Operation {
    /// A hash of it all.
    #[must_use]
    pub fn key(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        blake3::hash(&bytes).to_hex()[..32].to_owned()
    }

    pub(super) fn run(
        step: &EvaluatedStep,
        run: &Run,
        environment: Vec<(String, String)>,
        platform: &Platform,
        ns: &str,
    ) -> Self {
        let mut flags = vec![format!("platform {platform}")];
        let other = |value: &Option<String>, default: &str| value.clone().filter(|value| value != default && !value.is_empty());
        flags.extend(other(&run.network, "default").map(|network| format!("network {network}")));
        flags.extend(other(&run.security, "sandbox").map(|security| format!("security {security}")));
        flags.extend(run.devices.iter().map(|device| format!("device {device}")));
        flags.extend(step.script.as_ref().map(|script| format!("script {} {}", script.name, script.text)));
        let mut mounts: Vec<String> = step.mounts.iter().map(|mount| self::mount(mount, &step.workdir, ns)).collect();
        // BuildKit sorts them by target.
        mounts.sort();
        flags.extend(mounts);
        Self {
            kind: "run".to_owned(),
            words: step.argv.clone(),
            flags,
            environment,
            workdir: step.workdir.clone(),
            user: step.user.clone(),
        }
    }

    pub(super) fn workdir(step: &EvaluatedStep, dated: bool) -> Self {
        let flags = if dated { vec!["dated".to_owned()] } else { Vec::new() };
        let words = vec![step.workdir.clone()];
        Self { kind: "workdir".to_owned(), words, flags, user: step.user.clone(), ..Self::default() }
    }

    pub(super) fn copy(step: &EvaluatedStep, copy: &Copy, linked: bool) -> Self {
        let flags = [("chown", &copy.chown), ("chmod", &copy.chmod)];
        let mut flags: Vec<String> =
            flags.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect();
        flags.extend(copy.excludes.iter().map(|pattern| format!("exclude {pattern}")));
        flags.extend(copy.parents.then(|| "parents".to_owned()));
        flags.extend(linked.then(|| "link".to_owned()));
        let names = copy.sources.iter().map(|source| if copy.parents { source.clone() } else { base_name(source) });
        let words = names.chain(inline(&copy.files)).chain([destination(&step.workdir, &copy.destination)]);
        Self { kind: "copy".to_owned(), words: words.collect(), flags, ..Self::default() }
    }

    pub(super) fn add(step: &EvaluatedStep, add: &Add, linked: bool) -> Self {
        let flags = [("chown", &add.chown), ("chmod", &add.chmod), ("checksum", &add.checksum)];
        let mut flags: Vec<String> =
            flags.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect();
        flags.extend(add.excludes.iter().map(|pattern| format!("exclude {pattern}")));
        flags.extend(add.keep_git_dir.map(|keep| format!("keep-git-dir {keep}")));
        flags.extend(add.unpack.map(|unpack| format!("unpack {unpack}")));
        flags.extend(linked.then(|| "link".to_owned()));
        let names = add.sources.iter().map(|source| if is_remote(source) { source.clone() } else { base_name(source) });
        let words = names.chain(inline(&add.files)).chain([destination(&step.workdir, &add.destination)]);
        Self { kind: "add".to_owned(), words: words.collect(), flags, ..Self::default() }
    }
}

/// Whether the source of an `ADD` is an address.
pub(super) fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|scheme| source.starts_with(scheme))
}

/// A mount without what does not count: the path of a bind mount, and the names of cache mounts, with one exception.
fn mount(mount: &ParsedMount, workdir: &str, namespace: &str) -> String {
    let target = mount.target.as_deref().map(|target| absolute(workdir, target));
    let mut text = format!("mount {} {}", target.as_deref().unwrap_or_default(), mount.kind.name());
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format_args!(" {name}={value}").to_string());
        }
    };
    add("ro", Some(mount.read_only.to_string()));
    match mount.kind {
        MountKind::Bind => {}
        MountKind::Cache => {
            // BuildKit drops id and sharing from the key, unless both are the default: then the id, which holds the namespace, stays.
            let id = mount.id.as_deref().or(mount.target.as_deref()).unwrap_or_default();
            let shared = mount.sharing.is_none_or(|sharing| sharing == MountSharing::Shared);
            let default = shared && target.as_deref().is_some_and(|target| absolute("/", id) == target && id.starts_with('/'));
            add("default", default.then(|| namespace.to_owned()));
            add("mode", mount.mode.map(|mode| format!("{mode:o}")));
            add("uid", mount.uid.map(|uid| uid.to_string()));
            add("gid", mount.gid.map(|gid| gid.to_string()));
        }
        MountKind::Tmpfs => add("size", mount.size.map(|size| size.to_string())),
        MountKind::Secret | MountKind::Ssh => {
            add("id", mount.id.clone().or_else(|| mount.source.clone()));
            add("env", mount.env.clone());
            add("mode", mount.mode.map(|mode| format!("{mode:o}")));
            add("uid", mount.uid.map(|uid| uid.to_string()));
            add("gid", mount.gid.map(|gid| gid.to_string()));
            add("required", mount.required.then(|| "true".to_owned()));
        }
    }
    text
}

/// The last part of a source's path, which is part of the key, unlike the folders before it.
fn base_name(source: &str) -> String {
    let path = Selector::new(source, false).path;
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("/").to_owned()
}

fn inline(files: &[InlineFile]) -> impl Iterator<Item = String> {
    files.iter().map(|file| format!("<<{}\n{}", file.name, file.text))
}

/// A destination, absolute; a slash or dot at the end counts.
fn destination(workdir: &str, destination: &str) -> String {
    let written = if matches!(destination, "" | ".") { "./" } else { destination };
    let mut path = absolute(workdir, written);
    if written.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    } else if written.ends_with("/.") {
        path.push_str(if path.ends_with('/') { "." } else { "/." });
    }
    path
}

fn absolute(workdir: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{workdir}/{path}") };
    format!("/{}", Selector::new(&whole, false).path)
}
