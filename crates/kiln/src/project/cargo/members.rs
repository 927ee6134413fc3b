//! `members` and `default-members`: globs become folders.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::document::Document;
use super::inherit::WorkspaceTable;
use super::{CargoError, CargoPackage, paths};

/// A folder that `members` names.
pub(super) struct Member {
    /// Absolute folder.
    pub(super) folder: Utf8PathBuf,
    entry: String,
    line: usize,
}

impl Member {
    /// The member's manifest.
    pub(super) fn document(&self, root: &Utf8Path) -> Result<Document, CargoError> {
        match Document::read(&self.folder.join("Cargo.toml")) {
            Err(CargoError::Read { source, .. })
                if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                Err(CargoError::MissingMember {
                    path: root.to_owned(),
                    line: self.line,
                    member: self.entry.clone(),
                    folder: self.folder.clone(),
                })
            }
            other => other,
        }
    }
}

/// The folders that `members` names, in its order, without the excluded ones.
pub(super) fn listed(workspace: &WorkspaceTable, manifest: &Utf8Path) -> Result<Vec<Member>, CargoError> {
    let mut members = expand(workspace, &workspace.members, manifest)?;
    members.retain(|member| !workspace.excludes(&member.folder));
    Ok(members)
}

/// The folders that `default-members` names, relative to the root.
pub(super) fn default_members(
    workspace: &WorkspaceTable,
    manifest: &Utf8Path,
    packages: &BTreeMap<Utf8PathBuf, CargoPackage>,
) -> Result<Vec<Utf8PathBuf>, CargoError> {
    let mut folders = Vec::new();
    for member in expand(workspace, &workspace.default_members, manifest)? {
        let folder = paths::relative(&workspace.folder, &member.folder);
        if packages.get(&folder).is_some_and(|package| package.member) {
            folders.push(folder);
        } else if !workspace.excludes(&member.folder) {
            let Member { entry, line, .. } = member;
            return Err(CargoError::NotADefaultMember { path: manifest.to_owned(), line, member: entry });
        }
    }
    Ok(folders)
}

fn expand(workspace: &WorkspaceTable, entries: &[(String, usize)], manifest: &Utf8Path) -> Result<Vec<Member>, CargoError> {
    let mut members = Vec::new();
    for (entry, line) in entries {
        let member = |folder| Member { folder, entry: entry.clone(), line: *line };
        if !entry.contains(['*', '?', '[']) {
            members.push(member(paths::normalize(&workspace.folder.join(entry))));
            continue;
        }
        let wrong = |source| CargoError::Glob { path: manifest.to_owned(), line: *line, pattern: entry.clone(), source };
        glob::Pattern::new(entry).map_err(wrong)?;
        // The pattern is joined to the folder as cargo does it, but the folder's own letters are no pattern.
        let pattern = format!("{}/{entry}", glob::Pattern::escape(workspace.folder.as_str()));
        let found = glob::glob(&pattern).map_err(wrong)?;
        let before = members.len();
        for path in found {
            let path = path.map_err(|error| CargoError::Read {
                path: Utf8PathBuf::from(error.path().to_string_lossy().into_owned()),
                source: error.into(),
            })?;
            if path.is_dir() {
                let path = Utf8PathBuf::from_path_buf(path).map_err(|path| CargoError::NameNotUtf8 {
                    folder: workspace.folder.clone(),
                    name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                })?;
                members.push(member(paths::normalize(&path)));
            }
        }
        // Like cargo: a pattern without a match is taken for the name of a folder.
        if members.len() == before {
            members.push(member(paths::normalize(&workspace.folder.join(entry))));
        }
    }
    Ok(members)
}
