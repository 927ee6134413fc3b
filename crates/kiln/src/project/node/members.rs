//! Workspace members and the files that configure a package manager.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use glob::{MatchOptions, Pattern};
use serde::Deserialize;
use serde_json::Value;

use super::{DependencySection, Manifest, NodeError, json};

/// What kiln reads of `pnpm-workspace.yaml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PnpmWorkspace {
    /// Globs of member folders.
    packages: Option<Vec<String>>,
    /// Package to patch file.
    patched_dependencies: BTreeMap<String, String>,
}

impl PnpmWorkspace {
    /// Reads the file, if it is there.
    fn load(directory: &Utf8Path) -> Result<Option<Self>, NodeError> {
        let path = directory.join("pnpm-workspace.yaml");
        let Some(text) = json::read_text_if_there(&path)? else { return Ok(None) };
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Some(Self::default()));
        }
        serde_saphyr::from_str(&text).map(Some).map_err(|source| NodeError::Yaml {
            path,
            line: source.location().map_or(1, |location| location.line()),
            source: Box::new(source),
        })
    }
}

/// Patch files that `pnpm-workspace.yaml` names, relative to its folder.
pub(crate) fn pnpm_patches(directory: &Utf8Path) -> Result<Vec<String>, NodeError> {
    let settings = PnpmWorkspace::load(directory)?.unwrap_or_default();
    Ok(settings.patched_dependencies.into_values().collect())
}

/// Globs that name the folders of workspace members.
#[derive(Debug, Clone, Default)]
pub struct WorkspaceGlobs {
    wanted: Vec<(String, Vec<Pattern>)>,
    unwanted: Vec<Pattern>,
}

const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

impl WorkspaceGlobs {
    /// Reads `pnpm-workspace.yaml`, else `workspaces` of the manifest (an array, or an object with `packages`).
    ///
    /// # Errors
    ///
    /// A value of the wrong type, or a pattern that is no glob.
    pub fn read(directory: &Utf8Path, manifest: &Manifest) -> Result<Self, NodeError> {
        if let Some(packages) = PnpmWorkspace::load(directory)?.and_then(|workspace| workspace.packages) {
            let path = directory.join("pnpm-workspace.yaml");
            let text = json::read_text(&path)?;
            let line = |pattern: &str| 1 + text.lines().position(|line| line.contains(pattern)).unwrap_or(0);
            return Self::parse(&packages, |pattern| (path.clone(), line(pattern)));
        }
        let workspaces = match manifest.document.get("workspaces") {
            Some(Value::Object(table)) => table.get("packages"),
            other => other,
        };
        let line = manifest.line_of(&["workspaces"]);
        let shape = || NodeError::Shape {
            path: manifest.path.clone(),
            line,
            key: "workspaces".to_owned(),
            expected: "an array of strings, or an object with such a `packages`",
        };
        let patterns = match workspaces {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(shape)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(shape()),
        };
        Self::parse(&patterns, |_| (manifest.path.clone(), line))
    }

    fn parse(patterns: &[String], place: impl Fn(&str) -> (Utf8PathBuf, usize)) -> Result<Self, NodeError> {
        let mut globs = Self::default();
        for text in patterns {
            let compile = |text: &str| {
                Pattern::new(text).map_err(|source| {
                    let (path, line) = place(text);
                    NodeError::Glob { path, line, pattern: text.to_owned(), source }
                })
            };
            let (negated, bare) = text.strip_prefix('!').map_or((false, text.as_str()), |rest| (true, rest));
            let bare = bare.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
            if bare.is_empty() || bare == "." {
                continue;
            }
            if negated {
                globs.unwanted.push(compile(bare)?);
            } else {
                let segments = bare.split('/').map(compile).collect::<Result<_, _>>()?;
                globs.wanted.push((bare.to_owned(), segments));
            }
        }
        Ok(globs)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether a folder, relative to the workspace root, is a member's.
    #[must_use]
    pub fn matches(&self, folder: &Utf8Path) -> bool {
        let names = folder.components().map(|component| component.as_str()).collect::<Vec<_>>();
        self.wanted.iter().any(|(_, segments)| segments_match(segments, &names)) && !self.refuses(folder)
    }

    fn refuses(&self, folder: &Utf8Path) -> bool {
        self.unwanted.iter().any(|pattern| pattern.matches_with(folder.as_str(), MATCHING))
            || folder.components().any(|component| component.as_str() == "node_modules")
    }
}

fn segments_match(segments: &[Pattern], names: &[&str]) -> bool {
    match (segments.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((segment, rest)), _) if segment.as_str() == "**" => {
            segments_match(rest, names) || names.split_first().is_some_and(|(_, names)| segments_match(segments, names))
        }
        (Some((segment, rest)), Some((name, names))) => segment.matches_with(name, MATCHING) && segments_match(rest, names),
        _ => false,
    }
}

/// Folders of the members that are there, sorted.
pub(super) fn expand(directory: &Utf8Path, globs: &WorkspaceGlobs) -> Result<Vec<Utf8PathBuf>, NodeError> {
    let mut found = BTreeSet::new();
    for (_, segments) in &globs.wanted {
        descend(directory, Utf8Path::new(""), segments, &mut found)?;
    }
    Ok(found.into_iter().filter(|folder| !globs.refuses(folder)).collect())
}

fn descend(root: &Utf8Path, below: &Utf8Path, segments: &[Pattern], found: &mut BTreeSet<Utf8PathBuf>) -> Result<(), NodeError> {
    let Some((segment, rest)) = segments.split_first() else {
        if below != "" && root.join(below).join("package.json").is_file() {
            found.insert(below.to_owned());
        }
        return Ok(());
    };
    let any_depth = segment.as_str() == "**";
    if any_depth {
        descend(root, below, rest, found)?;
    } else if !segment.as_str().contains(['*', '?', '[']) {
        let folder = below.join(segment.as_str());
        return if root.join(&folder).is_dir() { descend(root, &folder, rest, found) } else { Ok(()) };
    }
    let folder = root.join(below);
    let failed = |source| NodeError::Read { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name == "node_modules" || name == ".git" {
            continue;
        }
        // A symlink is followed where the pattern names a level, never by `**`: no loop can arise.
        let kind = entry.file_type().map_err(failed)?;
        if any_depth {
            if kind.is_dir() {
                descend(root, &below.join(name), segments, found)?;
            }
        } else if segment.matches_with(name, MATCHING) && root.join(below).join(name).is_dir() {
            descend(root, &below.join(name), rest, found)?;
        }
    }
    Ok(())
}

/// Names of members that other members depend on.
pub(super) fn depended_on(manifests: &[(Utf8PathBuf, Manifest)]) -> BTreeSet<String> {
    let names = manifests.iter().filter_map(|(_, manifest)| manifest.name.as_deref()).collect::<BTreeSet<_>>();
    let dependencies = manifests.iter().flat_map(|(_, manifest)| &manifest.dependencies);
    dependencies
        .filter(|dependency| dependency.section != DependencySection::Peer && names.contains(dependency.name.as_str()))
        .map(|dependency| dependency.name.clone())
        .collect()
}

/// Files that package managers read beside the manifest and the lock, in the order in which they are listed.
const CONFIG_FILES: [&str; 7] =
    [".npmrc", ".pnpmfile.cjs", ".pnpmfile.mjs", ".yarnrc", ".yarnrc.yml", "bunfig.toml", "pnpm-workspace.yaml"];

/// Those that are there.
pub(super) fn config_files(directory: &Utf8Path) -> Vec<Utf8PathBuf> {
    CONFIG_FILES.iter().filter(|name| directory.join(name).is_file()).map(Utf8PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(manifest: &str) -> Result<WorkspaceGlobs, NodeError> {
        let manifest = Manifest::parse(Utf8Path::new("package.json"), manifest.to_owned())?;
        WorkspaceGlobs::read(Utf8Path::new("/nowhere"), &manifest)
    }

    #[test]
    fn globs_match_folders_as_the_package_managers_do() {
        let table = [
            (r#"["packages/*"]"#, "packages/a", true),
            (r#"["packages/*"]"#, "packages/a/b", false),
            (r#"["./packages/*/"]"#, "packages/a", true),
            (r#"["packages/**"]"#, "packages/a/b", true),
            (r#"["packages/**"]"#, "packages/a/node_modules/x", false),
            (r#"["packages/*", "!packages/a"]"#, "packages/a", false),
            (r#"["packages/*", "!**/test"]"#, "packages/test", false),
            (r#"["web"]"#, "web", true),
            (r#"{"packages": ["web"], "nohoist": []}"#, "web", true),
            (r#"["app-?"]"#, "app-1", true),
        ];
        for (workspaces, folder, expected) in table {
            let globs = globs(&format!("{{\"workspaces\": {workspaces}}}")).unwrap();
            assert_eq!(globs.matches(Utf8Path::new(folder)), expected, "{workspaces} {folder}");
        }
    }

    #[test]
    fn a_bad_pattern_is_told_with_its_line() {
        let message = globs("{\n \"workspaces\": [\"a/[\"]\n}").unwrap_err().to_string();
        assert_eq!(message, "`package.json` line 2: `[` is not a glob pattern");
        let message = globs("{\n \"workspaces\": 1\n}").unwrap_err().to_string();
        assert_eq!(
            message,
            "`package.json` line 2: `workspaces` must be an array of strings, or an object with such a `packages`"
        );
    }
}
