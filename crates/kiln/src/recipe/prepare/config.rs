//! What a recipe keeps of `.cargo/config.toml`.
//!
//! The files are merged as cargo merges them, then everything that cannot change an external unit is dropped: aliases, terminal
//! settings, `jobs`, target folders, runners, tables for other targets, and secrets (tokens never enter a recipe).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use cargo_platform::{Cfg, Platform};

use super::canonical::{self, Table, Value};
use super::error::PrepareError;
use super::platform::{Machine, Machines, Side, Verdict};
use crate::project::cargo::CargoConfig;

/// cargo's configuration, taken apart.
#[derive(Debug)]
pub(super) struct Config {
    /// What the recipe keeps, as canonical text.
    pub(super) text: String,
    /// `[profile]`.
    pub(super) profiles: Table,
    /// `[patch]`, with relative paths made relative to the workspace root.
    pub(super) patches: Table,
    /// The target in force, if one is given to cargo.
    pub(super) target: Option<String>,
    /// Cfgs of target and host.
    pub(super) machines: Machines,
    /// Index URL by registry name.
    pub(super) registries: BTreeMap<String, String>,
    /// `links` names whose build scripts are overridden, for the target and for the host.
    overridden: [BTreeSet<String>; 2],
}

impl Config {
    /// Whether the build script of a package with this `links` key is replaced by configuration.
    pub(super) fn overrides(&self, links: &str, side: Side) -> bool {
        self.overridden[index(side)].contains(links)
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::Target => 0,
        Side::Host => 1,
    }
}

/// Reads the configuration files, nearest first; `target` is the one given by flag.
pub(super) fn read(configs: &[CargoConfig], target: Option<&str>, host: &str) -> Result<Config, PrepareError> {
    let mut table = Table::new();
    for config in configs.iter().rev() {
        let mut layer = canonical::parse(&config.text)
            .map_err(|error| PrepareError::BadToml { path: config.path.clone(), message: error.to_string() })?;
        normalize(&mut layer, base(&config.path));
        canonical::merge(&mut table, layer, true);
    }
    let file = || configs.first().map_or_else(|| Utf8PathBuf::from(".cargo/config.toml"), |config| config.path.clone());

    let target = match target {
        Some(target) => Some(target.to_owned()),
        None => build_target(&table)?,
    };
    let build_flags = table.get("build").and_then(Value::as_table).and_then(|build| build.get("rustflags"));
    let build_flags = build_flags.map(Value::words).unwrap_or_default();
    let bare = |triple: &str| Machine::new(triple, Vec::new());
    let (target_machine, host_machine) = (bare(target.as_deref().unwrap_or(host)), bare(host));
    let target_tables = match table.get("target") {
        Some(Value::Table(tables)) => tables.clone(),
        _ => Table::new(),
    };

    let mut kept = Table::new();
    let mut flags = [Vec::new(), Vec::new()];
    let mut overridden = [BTreeSet::new(), BTreeSet::new()];
    for (key, value) in target_tables {
        let Value::Table(mut value) = value else { continue };
        let platform = Platform::from_str(&key).map_err(|error| PrepareError::BadPlatform {
            file: file(),
            platform: key.clone(),
            message: error.to_string(),
        })?;
        let applies = [target_machine.applies(&platform), host_machine.applies(&platform)];
        if applies == [Verdict::No, Verdict::No] {
            continue;
        }
        value.remove("runner");
        value.remove("rustdocflags");
        for side in [Side::Target, Side::Host].map(index) {
            if applies[side] != Verdict::No {
                flags[side].extend(value.get("rustflags").map(Value::words).unwrap_or_default());
                overridden[side]
                    .extend(value.iter().filter(|(_, value)| value.as_table().is_some()).map(|(links, _)| links.clone()));
            }
        }
        if !value.is_empty() {
            kept.insert(key, Value::Table(value));
        }
    }
    // `build.rustflags` counts only where no `target` table has flags, and flags reach the host only when no target is given.
    let [target_flags, host_flags] = flags.map(|flags| if flags.is_empty() { build_flags.clone() } else { flags });
    let host_flags = if target.is_none() { host_flags } else { Vec::new() };
    let machines = Machines::new(
        Machine::new(target.as_deref().unwrap_or(host), cfgs(&target_flags)),
        Machine::new(host, cfgs(&host_flags)),
    );

    let registries = names_and_indexes(&table);
    let take = |table: &mut Table, key: &str| match table.remove(key) {
        Some(Value::Table(inner)) => inner,
        _ => Table::new(),
    };
    let profiles = take(&mut table, "profile");
    let patches = take(&mut table, "patch");
    table.insert("target".to_owned(), Value::Table(kept));
    prune(&mut table);
    Ok(Config { text: canonical::render(&table), profiles, patches, target, machines, registries, overridden })
}

/// The folder that a file's relative paths start from: that which holds `.cargo`.
fn base(path: &Utf8Path) -> &Utf8Path {
    path.parent().and_then(Utf8Path::parent).unwrap_or_else(|| Utf8Path::new(""))
}

fn build_target(table: &Table) -> Result<Option<String>, PrepareError> {
    let Some(Value::Table(build)) = table.get("build") else { return Ok(None) };
    match build.get("target").map(|target| match target {
        Value::Text(target) => vec![target.clone()],
        other => other.words(),
    }) {
        None => Ok(None),
        Some(targets) if targets.len() > 1 => Err(PrepareError::SeveralTargets { targets }),
        Some(targets) => Ok(targets.into_iter().next()),
    }
}

fn names_and_indexes(table: &Table) -> BTreeMap<String, String> {
    let Some(Value::Table(registries)) = table.get("registries") else { return BTreeMap::new() };
    registries
        .iter()
        .filter_map(|(name, registry)| Some((name.clone(), registry.as_table()?.get("index")?.as_str()?.to_owned())))
        .collect()
}

fn cfgs(flags: &[String]) -> Vec<Cfg> {
    let mut cfgs = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let value = match flag.strip_prefix("--cfg") {
            Some("") => flags.next().map(String::as_str),
            Some(value) => value.strip_prefix('='),
            None => None,
        };
        cfgs.extend(value.and_then(|value| Cfg::from_str(value).ok()));
    }
    cfgs
}

/// Makes one file's spelling that of all: flags as lists, paths relative to the workspace root.
fn normalize(table: &mut Table, base: &Utf8Path) {
    let flags = |table: &mut Table| {
        if let Some(value) = table.get_mut("rustflags") {
            *value = Value::Array(value.words().into_iter().map(Value::Text).collect());
        }
    };
    if let Some(Value::Table(build)) = table.get_mut("build") {
        flags(build);
        for key in ["rustc", "rustc-wrapper"] {
            if let Some(value) = build.get_mut(key) {
                rebase_program(value, base);
            }
        }
        if let Some(Value::Text(target)) = build.get_mut("target")
            && target.ends_with(".json")
        {
            *target = join(base, target);
        }
    }
    for_each_table(table, "target", |target| {
        flags(target);
        if let Some(linker) = target.get_mut("linker") {
            rebase_program(linker, base);
        }
    });
    for_each_table(table, "source", |source| {
        for key in ["directory", "local-registry"] {
            if let Some(Value::Text(path)) = source.get_mut(key) {
                *path = join(base, path);
            }
        }
    });
    if let Some(Value::Table(http)) = table.get_mut("http")
        && let Some(Value::Text(path)) = http.get_mut("cainfo")
    {
        *path = join(base, path);
    }
    for_each_table(table, "env", |variable| {
        if variable.get("relative") == Some(&Value::Literal("true".to_owned()))
            && let Some(Value::Text(path)) = variable.get_mut("value")
        {
            *path = join(base, path);
        }
    });
    if let Some(Value::Table(sources)) = table.get_mut("patch") {
        for dependencies in sources.values_mut().filter_map(Value::as_table_mut) {
            for dependency in dependencies.values_mut().filter_map(Value::as_table_mut) {
                if let Some(Value::Text(path)) = dependency.get_mut("path") {
                    *path = join(base, path);
                }
            }
        }
    }
}

fn for_each_table(table: &mut Table, key: &str, mut change: impl FnMut(&mut Table)) {
    if let Some(Value::Table(tables)) = table.get_mut(key) {
        tables.values_mut().filter_map(Value::as_table_mut).for_each(&mut change);
    }
}

/// cargo takes a program with a slash as a path, and one without as a name to look up.
fn rebase_program(value: &mut Value, base: &Utf8Path) {
    if let Value::Text(program) = value
        && program.contains('/')
    {
        *program = join(base, program);
    }
}

fn join(base: &Utf8Path, path: &str) -> String {
    if Utf8Path::new(path).is_absolute() {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in base.as_str().split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Drops what no external unit depends on, and secrets.
fn prune(table: &mut Table) {
    const KEPT: [&str; 11] =
        ["build", "credential-alias", "env", "host", "http", "net", "registries", "registry", "source", "target", "unstable"];
    table.retain(|key, _| KEPT.contains(&key.as_str()));
    if let Some(Value::Table(build)) = table.get_mut("build") {
        build.retain(|key, _| matches!(key.as_str(), "rustc" | "rustc-wrapper" | "rustflags"));
    }
    if let Some(Value::Table(registry)) = table.get_mut("registry") {
        registry.retain(|key, _| key == "global-credential-providers");
    }
    for_each_table(table, "registries", |registry| {
        registry.remove("token");
        registry.remove("secret-key");
    });
    if let Some(Value::Table(registries)) = table.get_mut("registries") {
        registries.retain(|_, registry| registry.as_table().is_none_or(|registry| !registry.is_empty()));
    }
    table.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
}
