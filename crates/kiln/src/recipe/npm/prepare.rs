use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Map, Value};

use super::manifest::{Mask, has_install_script, masked};
use super::versions::masked_versions;
use super::{NpmRecipe, NpmRecipeError, NpmRemark, RecipeFile, config, lock};
use crate::plan::PackageManager;
use crate::project::node::{InstallScript, Manifest, NodeWorkspace, install_inputs, path_within, pnpm_patches, script_closure};

/// What stands for the file of a `bin` of a local package: package managers link only what is there.
pub(crate) const BIN_STUB: &str = "#!/usr/bin/env node\n";

/// Folders of yarn that an install reads; its caches are not among them.
const YARN_FOLDERS: [&str; 3] = [".yarn/releases", ".yarn/plugins", ".yarn/patches"];

/// Reads the workspace in `directory` and gives what its install needs. Pure but for reading.
///
/// # Errors
///
/// A workspace that cannot be read, has no lockfile or several, or whose lock does not hold what its manifests ask for.
pub fn prepare_npm(directory: &Utf8Path) -> Result<NpmRecipe, NpmRecipeError> {
    let workspace = NodeWorkspace::load(directory)?;
    let Some(manager) = workspace.manager() else {
        let lockfiles = workspace.lockfiles.iter().map(|lock| lock.name.to_string()).collect();
        return Err(NpmRecipeError::SeveralLocks { path: directory.to_owned(), lockfiles });
    };
    let Some(lockfile) = workspace.lockfile() else {
        return Err(NpmRecipeError::MissingLock { path: directory.join("package.json") });
    };
    if let Some(found) = &workspace.disagreement {
        return Err(NpmRecipeError::StaleLock { lockfile: lockfile.name.clone(), found: Box::new(found.clone()) });
    }
    let recipe = NpmRecipe { manager, files: BTreeMap::new(), remarks: Vec::new() };
    let mut preparation = Preparation { root: directory, manager, recipe };
    let locals = preparation.locals(&workspace)?;
    preparation.manifests_and_lock(&locals, &lockfile.name)?;
    preparation.configuration(&workspace)?;
    preparation.patches(&locals)?;
    let mut recipe = preparation.recipe;
    recipe.remarks.sort();
    Ok(recipe)
}

/// Configuration files of a workspace in which a secret is written out, each with its text without it. What cannot be read or
/// understood is not there: the recipe says so.
pub(crate) fn cleaned_configuration(workspace: &NodeWorkspace) -> BTreeMap<Utf8PathBuf, String> {
    let mut cleaned = BTreeMap::new();
    for path in &workspace.config_files {
        let Ok(text) = fs::read_to_string(workspace.directory.join(path)) else { continue };
        let mut remarks = Vec::new();
        if let Ok(kept) = without_secrets(path, text, &mut remarks)
            && !remarks.is_empty()
        {
            cleaned.insert(path.clone(), kept);
        }
    }
    cleaned
}

/// A configuration file as the recipe has it.
fn without_secrets(path: &Utf8Path, text: String, remarks: &mut Vec<NpmRemark>) -> Result<String, NpmRecipeError> {
    Ok(match path.as_str() {
        ".npmrc" | ".yarnrc" => config::npmrc(path, &text, remarks),
        ".yarnrc.yml" => config::yarnrc(path, &text, remarks),
        "bunfig.toml" => config::bunfig(path, &text, remarks)?,
        _ => text,
    })
}

/// A package whose manifest the install reads: root, member, or a folder that one of them links.
struct Local {
    /// Folder relative to the root, `.` for the root.
    directory: Utf8PathBuf,
    manifest: Manifest,
    scripts: Vec<InstallScript>,
}

struct Preparation<'a> {
    root: &'a Utf8Path,
    manager: PackageManager,
    recipe: NpmRecipe,
}

impl Preparation<'_> {
    /// The packages of the workspace and the folders that they link, each once. What is copied at install is put into the recipe whole.
    fn locals(&mut self, workspace: &NodeWorkspace) -> Result<Vec<Local>, NpmRecipeError> {
        let mut locals = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = Vec::new();
        for package in workspace.packages.iter().rev() {
            open.push((package.directory.clone(), package.manifest.clone(), package.install_scripts.clone()));
        }
        seen.extend(workspace.packages.iter().map(|package| package.directory.clone()));
        while let Some((directory, manifest, scripts)) = open.pop() {
            for dependency in &manifest.dependencies {
                let Some(path) = local_path(&dependency.specifier) else { continue };
                let Ok(target) = path_within(&directory, path) else {
                    self.recipe
                        .remarks
                        .push(NpmRemark::OutsideDependency { name: dependency.name.clone(), path: path.to_owned() });
                    continue;
                };
                let absolute = self.root.join(&target);
                if absolute.is_file() {
                    self.copy(&target)?;
                } else if absolute.join("package.json").is_file() && !seen.contains(&target) {
                    seen.insert(target.clone());
                    let copies = self.manager != PackageManager::Npm && dependency.specifier.starts_with("file:");
                    if copies {
                        self.copy_folder(&target)?;
                    } else {
                        let manifest = Manifest::load(&absolute.join("package.json"))?;
                        let scripts = install_inputs(self.root, &target, &manifest, self.manager);
                        open.push((target, manifest, scripts));
                    }
                }
            }
            locals.push(Local { directory, manifest, scripts });
        }
        locals.sort_by(|a, b| (a.directory != ".", &a.directory).cmp(&(b.directory != ".", &b.directory)));
        Ok(locals)
    }

    fn manifests_and_lock(&mut self, locals: &[Local], lockfile: &Utf8Path) -> Result<(), NpmRecipeError> {
        let lock_document = if self.manager == PackageManager::Npm { Some(self.npm_lock(lockfile)?) } else { None };
        let versions = locals.iter().filter_map(|local| Some((local.manifest.name.clone()?, local.manifest.version.clone()?)));
        let versions = versions.collect::<BTreeMap<_, _>>();
        let mut ranges: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let asked = locals.iter().flat_map(|local| &local.manifest.dependencies).map(|d| (d.name.as_str(), d.specifier.as_str()));
        let locked = lock_document.iter().flat_map(|lock| lock::specifiers(lock, |name| versions.contains_key(name)));
        for (name, specifier) in asked.chain(locked).filter(|(name, _)| versions.contains_key(*name)) {
            ranges.entry(name.to_owned()).or_default().push(specifier.to_owned());
        }
        let masks = masked_versions(&versions, &ranges);

        let mut own_entries = BTreeMap::new();
        for local in locals {
            let is_root = local.directory == ".";
            let name = local.manifest.name.as_deref();
            // yarn berry and bun write the root's name into their lock; a name that others ask for is needed everywhere.
            let named_in_lock = matches!(self.manager, PackageManager::YarnBerry | PackageManager::Bun);
            let keep_name = !is_root || named_in_lock || name.is_some_and(|name| ranges.contains_key(name));
            let version = name.and_then(|name| masks.get(name)).map_or("0.0.0", String::as_str);
            let mask = Mask { keep_name, version: Some(version), scripts: &local.scripts };
            self.json(&local.directory.join("package.json"), masked(&local.manifest, &mask));
            if !is_root {
                self.bin_stubs(local);
            }
            for script in &local.scripts {
                match script {
                    InstallScript::Nothing { .. } => {}
                    InstallScript::Files { files, .. } => {
                        for path in files {
                            self.copy(path)?;
                        }
                    }
                    InstallScript::NeedsSources { name, why, .. } => {
                        self.recipe.remarks.push(NpmRemark::late(&local.directory, name, why));
                    }
                }
            }
            let key = if is_root { String::new() } else { local.directory.to_string() };
            let version = local.manifest.version.as_ref().map(|_| version.to_owned());
            own_entries.insert(key, lock::SelfEntry { keep_name, version, install_script: has_install_script(&local.scripts) });
        }
        match lock_document {
            Some(document) => self.json(lockfile, lock::masked(&document, &own_entries)),
            None if lockfile == "bun.lock" => {
                let bytes = lock::masked_bun(&self.text(lockfile)?, &masks).into_bytes();
                self.recipe.files.insert(lockfile.to_owned(), RecipeFile { bytes, executable: false });
            }
            None => self.copy(lockfile)?,
        }
        Ok(())
    }

    fn npm_lock(&self, lockfile: &Utf8Path) -> Result<Map<String, Value>, NpmRecipeError> {
        let path = self.root.join(lockfile);
        let text = self.text(lockfile)?;
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| NpmRecipeError::Lock { path })
    }

    /// Registry configuration, without secrets; what it refers to.
    fn configuration(&mut self, workspace: &NodeWorkspace) -> Result<(), NpmRecipeError> {
        for path in &workspace.config_files {
            let text = self.text(path)?;
            let kept = without_secrets(path, text, &mut self.recipe.remarks)?;
            self.named_files(path, &kept)?;
            if !kept.is_empty() {
                self.recipe.files.insert(path.clone(), RecipeFile { bytes: kept.into_bytes(), executable: false });
            }
        }
        if matches!(self.manager, PackageManager::YarnBerry | PackageManager::YarnClassic) {
            for folder in YARN_FOLDERS {
                self.copy_folder(Utf8Path::new(folder))?;
            }
        }
        Ok(())
    }

    /// Files that a configuration file refers to: `cafile=./ca.pem`, `yarn-path ".yarn/releases/…"`, what `.pnpmfile.cjs` requires.
    fn named_files(&mut self, path: &Utf8Path, text: &str) -> Result<(), NpmRecipeError> {
        let root = Utf8Path::new(".");
        let mut named = Vec::new();
        if path.as_str().starts_with(".pnpmfile") {
            named.extend(script_closure(self.root, root, path.as_str()).unwrap_or_default());
        } else if path != "pnpm-workspace.yaml" {
            let words = text.split(|c: char| c.is_whitespace() || matches!(c, '=' | '"' | '\''));
            let paths = words.filter(|word| word.contains('/') || word.ends_with(".pem") || word.ends_with(".crt"));
            named.extend(paths.filter_map(|word| path_within(root, word).ok()).filter(|path| self.root.join(path).is_file()));
        }
        named.iter().try_for_each(|path| self.copy(path))
    }

    /// Patch files that manifests and pnpm's settings name.
    fn patches(&mut self, locals: &[Local]) -> Result<(), NpmRecipeError> {
        let mut named = Vec::new();
        for local in locals {
            let document = &local.manifest.document;
            for table in
                [document.get("patchedDependencies"), document.get("pnpm").and_then(|pnpm| pnpm.get("patchedDependencies"))]
            {
                named.extend(
                    table
                        .and_then(Value::as_object)
                        .into_iter()
                        .flatten()
                        .filter_map(|(_, path)| Some((&*local.directory, path.as_str()?.to_owned()))),
                );
            }
            // `patch:left-pad@npm%3A1.3.0#~/.yarn/patches/left-pad.patch`
            let resolutions = document
                .get("resolutions")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter_map(|(_, value)| value.as_str());
            let specifiers =
                local.manifest.dependencies.iter().map(|dependency| dependency.specifier.as_str()).chain(resolutions);
            for specifier in specifiers.filter(|specifier| specifier.starts_with("patch:")) {
                let Some((_, rest)) = specifier.split_once('#') else { continue };
                let path = rest.split("::").next().unwrap_or(rest);
                let (from, path) = path.strip_prefix("~/").map_or((&*local.directory, path), |path| (Utf8Path::new("."), path));
                named.push((from, path.to_owned()));
            }
        }
        let in_settings = pnpm_patches(self.root)?;
        named.extend(in_settings.into_iter().map(|path| (Utf8Path::new("."), path)));
        for (from, path) in named {
            if let Ok(path) = path_within(from, &path)
                && self.root.join(&path).is_file()
            {
                self.copy(&path)?;
            }
        }
        Ok(())
    }

    fn bin_stubs(&mut self, local: &Local) {
        let bins: Vec<&str> = match local.manifest.document.get("bin") {
            Some(Value::String(path)) => vec![path],
            Some(Value::Object(table)) => table.values().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for bin in bins {
            if let Ok(path) = path_within(&local.directory, bin)
                && self.root.join(&path).is_file()
            {
                let stub = RecipeFile { bytes: BIN_STUB.as_bytes().to_vec(), executable: true };
                self.recipe.files.entry(path).or_insert(stub);
            }
        }
    }

    fn json(&mut self, path: &Utf8Path, document: Map<String, Value>) {
        let text = format!("{:#}\n", Value::Object(document));
        let path = path.components().filter(|part| part.as_str() != ".").collect();
        self.recipe.files.insert(path, RecipeFile { bytes: text.into_bytes(), executable: false });
    }

    fn text(&self, path: &Utf8Path) -> Result<String, NpmRecipeError> {
        let path = self.root.join(path);
        fs::read_to_string(&path).map_err(|source| NpmRecipeError::Read { path, source })
    }

    fn copy(&mut self, path: &Utf8Path) -> Result<(), NpmRecipeError> {
        let absolute = self.root.join(path);
        let failed = |source| NpmRecipeError::Read { path: absolute.clone(), source };
        let bytes = fs::read(&absolute).map_err(failed)?;
        let executable = is_executable(&fs::metadata(&absolute).map_err(failed)?);
        self.recipe.files.insert(path.to_owned(), RecipeFile { bytes, executable });
        Ok(())
    }

    fn copy_folder(&mut self, path: &Utf8Path) -> Result<(), NpmRecipeError> {
        let absolute = self.root.join(path);
        if !absolute.is_dir() {
            return Ok(());
        }
        let failed = |source| NpmRecipeError::Read { path: absolute.clone(), source };
        for entry in absolute.read_dir_utf8().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let below = path.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && !matches!(entry.file_name(), "node_modules" | ".git") {
                self.copy_folder(&below)?;
            } else if kind.is_file() {
                self.copy(&below)?;
            }
        }
        Ok(())
    }
}

/// The path in `file:../x`, `link:…`, `portal:…`, `./x` or `../x`.
fn local_path(specifier: &str) -> Option<&str> {
    let named = ["file:", "link:", "portal:"].iter().find_map(|protocol| specifier.strip_prefix(protocol));
    named.or_else(|| (specifier.starts_with("./") || specifier.starts_with("../")).then_some(specifier))
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}
