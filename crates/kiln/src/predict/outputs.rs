//! What kiln's own recipe steps leave: computed, not guessed.
//!
//! A step is recognised by its whole command line; whatever else runs in it makes it a foreign one.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::context::Selector;
use crate::dockerfile::parse::{MountKind, ParsedMount};
use crate::project::cargo::CargoWorkspace;
use crate::recipe::npm::prepare_npm;
use crate::recipe::{Selection, prepare};

/// A recipe command within an image build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeCall {
    /// Its folder, relative to the context.
    pub folder: String,
    /// Folder above which it reads nothing, relative to the context.
    pub boundary: String,
    /// What it makes.
    pub kind: RecipeKind,
    /// Where it writes, without slash at the begin.
    pub output: String,
}

/// What a recipe command makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipeKind {
    /// `kiln recipe prepare`
    Cargo(Selection),
    /// `kiln recipe npm`
    Npm,
}

/// Something that knows what recipe commands leave.
pub trait KnownOutputs {
    /// Hashes by path of what the command writes; `None` where it cannot be known.
    fn of(&self, call: &RecipeCall) -> Option<BTreeMap<String, String>>;
}

/// Nothing is known.
#[derive(Debug, Clone, Copy)]
pub struct NoOutputs;

impl KnownOutputs for NoOutputs {
    fn of(&self, _: &RecipeCall) -> Option<BTreeMap<String, String>> {
        None
    }
}

/// Computes recipes from a context on disk.
#[derive(Debug, Clone)]
pub struct FolderOutputs {
    /// The context.
    pub context: Utf8PathBuf,
}

impl KnownOutputs for FolderOutputs {
    fn of(&self, call: &RecipeCall) -> Option<BTreeMap<String, String>> {
        recipe(&self.context, call)
    }
}

/// Computes one recipe from files on disk. `None` where the command would fail.
pub fn recipe(context: &Utf8Path, call: &RecipeCall) -> Option<BTreeMap<String, String>> {
    let folder = if call.folder.is_empty() { context.to_owned() } else { context.join(&call.folder) };
    let content = match &call.kind {
        RecipeKind::Cargo(selection) => {
            let boundary = if call.boundary.is_empty() { context.to_owned() } else { context.join(&call.boundary) };
            let workspace = CargoWorkspace::load(&folder, &boundary).ok()?;
            // The machine that compiles is the same for all builds that are compared.
            prepare(&workspace, selection, "x86_64-unknown-linux-gnu").ok()?.digest()
        }
        RecipeKind::Npm => {
            let recipe = prepare_npm(&folder).ok()?;
            let mut hasher = blake3::Hasher::new();
            for (path, file) in &recipe.files {
                for part in [path.as_str().as_bytes(), &file.bytes, &[u8::from(file.executable)]] {
                    hasher.update(&u64::try_from(part.len()).ok()?.to_le_bytes());
                    hasher.update(part);
                }
            }
            hasher.finalize().to_hex().to_string()
        }
    };
    Some(BTreeMap::from([(call.output.clone(), content)]))
}

/// Whether a recipe may read the content of a file of this name. Rust sources only count by being there.
#[must_use]
pub fn decides_recipe(name: &str) -> bool {
    !(name.ends_with(".rs") || name.ends_with(".md"))
        && (name.starts_with("Cargo.")
            || name.starts_with("rust-toolchain")
            || name.starts_with("config")
            || !name.contains('.')
            || ["json", "yaml", "yml", "lock", "npmrc", "yarnrc", "lockb", "patch", "toml", "js", "cjs", "mjs"]
                .iter()
                .any(|ending| name.ends_with(ending)))
}

/// The recipe command that a `RUN` is, if it is one and nothing else.
pub(super) fn recognise(argv: &[String], mounts: &[ParsedMount]) -> Option<RecipeCall> {
    let [shell, flag, script] = argv else { return None };
    if shell != "/bin/sh" || flag != "-c" || script.contains([';', '&', '|', '<', '>', '`', '$', '(', '"', '*', '\\']) {
        return None;
    }
    let words: Vec<String> = script.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect();
    let (command, rest) = words.split_at_checked(3)?;
    let prepares = match command {
        [kiln, recipe, prepare] if kiln == "kiln" && recipe == "recipe" && prepare == "prepare" => true,
        [kiln, recipe, npm] if kiln == "kiln" && recipe == "recipe" && npm == "npm" => false,
        _ => return None,
    };
    let (mut folder, mut output, mut context, mut selection) =
        (None, None, None, Selection { profile: "release".to_owned(), ..Selection::default() });
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--output" => output = rest.next(),
            "--context" if prepares => context = rest.next(),
            "--package" if prepares => selection.package = rest.next().cloned(),
            "--bin" if prepares => selection.binaries.push(rest.next()?.clone()),
            "--profile" if prepares => selection.profile.clone_from(rest.next()?),
            "--features" if prepares => selection.features.extend(rest.next()?.split(',').map(str::to_owned)),
            "--no-default-features" if prepares => selection.no_default_features = true,
            "--target" if prepares => selection.target = rest.next().cloned(),
            flag if flag.starts_with('-') => return None,
            _ if folder.is_none() => folder = Some(word),
            _ => return None,
        }
    }
    let below = |path: &str| in_context(path, mounts);
    let folder = below(folder?)?;
    let boundary = if prepares { below(context.map_or("/src", String::as_str))? } else { folder.clone() };
    let kind = if prepares { RecipeKind::Cargo(selection) } else { RecipeKind::Npm };
    Some(RecipeCall { folder, boundary, kind, output: Selector::new(output?, false).path })
}

/// The place in the context that a path of the step is, by its bind mounts.
fn in_context(path: &str, mounts: &[ParsedMount]) -> Option<String> {
    let mount = mounts.iter().find(|mount| {
        let target = mount.target.as_deref().unwrap_or_default().trim_end_matches('/');
        let inside = path.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        mount.kind == MountKind::Bind && mount.from.is_none() && inside && !target.is_empty()
    })?;
    let rest = path.strip_prefix(mount.target.as_deref()?.trim_end_matches('/'))?;
    Some(Selector::new(&format!("{}/{rest}", mount.source.as_deref().unwrap_or_default()), false).path)
}
