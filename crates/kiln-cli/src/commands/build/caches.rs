//! Caches outside of the engine: which ones each build reads and writes, and what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::context::IgnoreFile;
use kiln::engine::{CacheKind, CacheRef, CacheRefError};
use kiln::event::EXPORTING;
use kiln::plan::Plan;
use kiln::plan::reference::{PlaceholderError, Placeholders, expand};
use kiln::settings::{At, FILE_NAME};

use super::Args;
use super::jobs::Job;
use super::session::Builds;
use crate::commands::Context;
use crate::commands::project::settings;
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// As `--cache-from`, it stands for no cache at all.
const NONE: &str = "none";

/// A cache as a person wrote it.
#[derive(Debug, Clone)]
struct Given {
    value: String,
    origin: Origin,
    /// What its folder is relative to: the current one on the command line, the project's in `kiln.toml`.
    base: Utf8PathBuf,
}

#[derive(Debug, Clone, Copy)]
enum Origin {
    Flag(&'static str),
    Setting { key: &'static str, line: usize },
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Flag(flag) => write!(f, "`{flag} {}`", self.value),
            Origin::Setting { key, line } => write!(f, "{FILE_NAME}:{line}: cache `{}` under `{key}`", self.value),
        }
    }
}

/// Tells each job its caches.
pub(super) fn fill(
    context: &Context,
    args: &Args,
    plan: &Plan,
    root: &Utf8Path,
    branch: Option<&str>,
    jobs: &mut [Job],
) -> Result<(), CommandError> {
    let (from, to) = given(args, root)?;
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let contexts: Vec<Seen> = jobs.iter().map(Seen::of).collect();
    for job in jobs {
        let values = Placeholders { service: &job.service, variant: job.variant.name(), branch };
        // One scope and one tag for each image, always: what a build of one service writes, a build of all finds.
        let own = format!("{}-{}", job.service, job.variant.name());
        let scope = format!("{}-{own}", plan.project);
        for given in &from {
            let expanded = match expand(&given.value, &values) {
                // On the main branch of a fork, in a detached checkout: the other caches will do.
                Err(PlaceholderError::NoBranch { .. }) => {
                    context.ui.note(&format!("cache `{}` not used: no branch is checked out", given.value));
                    continue;
                }
                expanded => expanded.map_err(|error| placeholder_error(given, &error))?,
            };
            for mut cache in CacheRef::sources(&expanded).map_err(|error| reference_error(given, &error))? {
                if let Some(variable) = missing_for_gha(&cache) {
                    context.ui.note(&format!("cache `{}` not used: `{variable}` is not set", given.value));
                    continue;
                }
                complete(&mut cache, given, &scope);
                if !job.request.cache_from.contains(&cache) {
                    job.request.cache_from.push(cache);
                }
            }
        }
        for given in &to {
            let expanded = expand(&given.value, &values).map_err(|error| placeholder_error(given, &error))?;
            for mut cache in CacheRef::destinations(&expanded).map_err(|error| reference_error(given, &error))? {
                if let Some(variable) = missing_for_gha(&cache) {
                    return Err(no_github_actions(given, variable));
                }
                complete(&mut cache, given, &scope);
                if cache.kind() == CacheKind::Local {
                    cache.set_default("tag", own.clone());
                }
                cache.fill_in_export();
                let label = label(job);
                if let Some(folder) = cache.folder()
                    && let Some(seen) = contexts.iter().find(|context| context.has(folder))
                {
                    return Err(inside_of_context(given, folder, seen));
                }
                if let Some(place) = cache.place()
                    && let Some(other) = places.insert(place, label.clone())
                {
                    return Err(collision(given, &cache, &other, &label));
                }
                job.request.cache_to.push(cache);
            }
        }
    }
    Ok(())
}

/// What a build sees of the file system.
#[derive(Debug)]
struct Seen {
    label: String,
    context: Utf8PathBuf,
    /// The ignore file that BuildKit takes, as far as it can be read.
    ignore: Option<(Utf8PathBuf, IgnoreFile)>,
}

impl Seen {
    fn of(job: &Job) -> Self {
        let request = &job.request;
        let files = [Utf8PathBuf::from(format!("{}.dockerignore", request.dockerfile)), request.context.join(".dockerignore")];
        let ignore = files.into_iter().find_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            Some((path, IgnoreFile::parse(&text).ok()?))
        });
        Self { label: label(job), context: request.context.clone(), ignore }
    }

    fn has(&self, folder: &Utf8Path) -> bool {
        let Ok(relative) = folder.strip_prefix(&self.context) else { return false };
        !self.ignore.as_ref().is_some_and(|(_, rules)| rules.excludes(relative.as_str()))
    }
}

/// With each export the context would be another one, and the steps that mount it would run again.
fn inside_of_context(given: &Given, folder: &Utf8Path, seen: &Seen) -> CommandError {
    let message = format!("{given}: `{folder}` is part of the build context of {}, which each export would change", seen.label);
    let error = CommandError::new(Kind::User, message).hint(format!("put it outside of `{}`", seen.context));
    match &seen.ignore {
        Some((path, rules)) if rules.excludes(".kiln") => {
            error.hint(format!("or into `{}`, which `{path}` leaves out", seen.context.join(".kiln/cache")))
        }
        Some((path, _)) => error.hint(format!("or leave it out by a line in `{path}`")),
        None => error,
    }
}

fn label(job: &Job) -> String {
    format!("`{}` ({})", job.service, job.variant.name())
}

/// The caches to read and to write: those of the command line, else those of `kiln.toml`.
fn given(args: &Args, root: &Utf8Path) -> Result<(Vec<Given>, Vec<Given>), CommandError> {
    let current = camino::absolute_utf8(".").unwrap_or_else(|_| root.to_owned());
    let flags = |values: &[String], flag| -> Vec<Given> {
        let given = |value: &String| Given { value: value.clone(), origin: Origin::Flag(flag), base: current.clone() };
        values.iter().filter(|value| *value != NONE).map(given).collect()
    };
    let set = |values: Option<At<Vec<String>>>, key| -> Vec<Given> {
        let Some(At { value: values, line }) = values else { return Vec::new() };
        let given = |value| Given { value, origin: Origin::Setting { key, line }, base: root.to_owned() };
        values.into_iter().map(given).collect()
    };
    let settings = settings(root)?.cache;
    let from = if args.cache_from.is_empty() { set(settings.from, "from") } else { flags(&args.cache_from, "--cache-from") };
    let to = match (args.cache_to.is_empty(), args.export_cache) {
        (false, _) => flags(&args.cache_to, "--cache-to"),
        (true, true) if settings.to.is_none() => {
            return Err(CommandError::new(Kind::User, "`--export-cache` has nowhere to write to: kiln.toml names no cache")
                .hint("write into kiln.toml:\n\n    [cache]\n    to = \"registry.example/shop/cache:{service}-{variant}-{branch}\"\n")
                .hint("or name one here: `--cache-to CACHE`"));
        }
        (true, true) => set(settings.to, "to"),
        (true, false) => Vec::new(),
    };
    Ok((from, to))
}

fn complete(cache: &mut CacheRef, given: &Given, scope: &str) {
    cache.resolve(&given.base);
    if cache.kind() == CacheKind::Gha {
        cache.set_default("scope", scope);
    }
}

/// The variable without which buildx leaves out a cache of GitHub Actions, without a word.
fn missing_for_gha(cache: &CacheRef) -> Option<&'static str> {
    if cache.kind() != CacheKind::Gha {
        return None;
    }
    let token = cache.get("token").is_some() || env_vars::read(env_vars::GHA_TOKEN).is_some();
    let url = ["url", "url_v2"].iter().any(|key| cache.get(key).is_some())
        || env_vars::GHA_URLS.iter().any(|name| env_vars::read(name).is_some());
    match (token, url) {
        (false, _) => Some(env_vars::GHA_TOKEN),
        (true, false) => Some(env_vars::GHA_URLS[0]),
        (true, true) => None,
    }
}

fn no_github_actions(given: &Given, variable: &str) -> CommandError {
    let message = format!("{given}: the cache of GitHub Actions is out of reach: `{variable}` is not set");
    CommandError::new(Kind::User, message)
        .hint("in a workflow, GitHub shows it to actions only: put a step with `crazy-max/ghaction-github-runtime` before the one that runs kiln")
        .hint("elsewhere use another kind of cache: `type=registry,ref=IMAGE` or `type=local,dest=FOLDER`")
}

fn reference_error(given: &Given, error: &CacheRefError) -> CommandError {
    let message = CommandError::new(Kind::User, format!("{given}: {error}"));
    match error {
        CacheRefError::UnknownType { suggestion: Some(near), .. } | CacheRefError::UnknownKey { suggestion: near, .. } => {
            message.hint(format!("did you mean `{near}`?"))
        }
        CacheRefError::UnknownType { .. } | CacheRefError::NoType => {
            message.hint(format!("the types are {}", CacheKind::ALL.map(CacheKind::name).join(", ")))
        }
        CacheRefError::InlineSource => message.hint("write `--cache-from IMAGE`"),
        CacheRefError::InlineMax => message.hint("`type=registry,ref=IMAGE` has the steps of all stages"),
        CacheRefError::Empty | CacheRefError::NoPair { .. } | CacheRefError::Quote => {
            message.hint("for example: `type=registry,ref=registry.example/shop/cache:main` or `type=local,dest=FOLDER`")
        }
        CacheRefError::Missing { .. } | CacheRefError::Mode { .. } => message,
    }
}

fn placeholder_error(given: &Given, error: &PlaceholderError) -> CommandError {
    let message = CommandError::new(Kind::User, format!("{given}: {error}"));
    match error {
        PlaceholderError::NoBranch { .. } => message.hint("check out a branch, or name it: `KILN_BRANCH=main`"),
        _ => message,
    }
}

fn collision(given: &Given, cache: &CacheRef, one: &str, other: &str) -> CommandError {
    if one == other {
        return CommandError::new(Kind::User, format!("{given}: {one} would write to `{}` twice", cache.label()));
    }
    let message = format!("{given}: {one} and {other} would both write to `{}`, and only one cache would be left", cache.label());
    let key = match cache.kind() {
        CacheKind::Registry => "ref",
        CacheKind::Local => "tag",
        CacheKind::Gha => "scope",
        CacheKind::S3 | CacheKind::Azblob | CacheKind::Inline => "name",
    };
    let value = cache.get(key).unwrap_or("cache");
    let separator =
        if cache.kind() == CacheKind::Registry && !value.rsplit('/').next().unwrap_or(value).contains(':') { ':' } else { '-' };
    CommandError::new(Kind::User, message).hint(format!("give each its own: `{key}={value}{separator}{{service}}-{{variant}}`"))
}

/// Says which caches were not there, and which could not be written. The same sentence for several builds comes once.
pub(super) fn report(context: &Context, builds: &Builds) {
    let mut said = Vec::new();
    let mut once = |line: String, say: &dyn Fn(&str)| {
        if !said.contains(&line) {
            say(&line);
            said.push(line);
        }
    };
    for build in &builds.builds {
        for (cache, reason) in build.state.caches_not_used() {
            once(format!("cache `{cache}` not used: {}", plain_reason(reason)), &|line| context.ui.note(line));
        }
        // A build that had to write its cache failed because of it, and says so.
        if build.result.is_ok() {
            for (cache, reason) in build.state.caches_not_written() {
                let to = cache.strip_prefix(EXPORTING).unwrap_or(cache);
                let label = label(&build.job);
                once(format!("the cache of {label} was not written ({to}): {reason}"), &|line| context.ui.warn(line));
            }
        }
    }
}

/// What BuildKit says about a cache that it cannot import, without the names of the layers it went through.
fn plain_reason(reason: &str) -> String {
    let reason = reason.strip_prefix("failed to configure registry cache importer: ").unwrap_or(reason);
    if reason.ends_with(": not found") { "there is none yet".to_owned() } else { reason.to_owned() }
}
