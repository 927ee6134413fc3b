//! Which root manifest a manifest belongs to.

use camino::{Utf8Path, Utf8PathBuf};

use super::document::Document;
use super::inherit::WorkspaceTable;
use super::{CargoError, package, paths};

/// A root manifest: of a workspace, or of a package on its own.
pub(super) struct Root {
    pub(super) document: Document,
    /// Absent for a package on its own.
    pub(super) workspace: Option<WorkspaceTable>,
}

impl Root {
    /// Absolute folder of the manifest.
    pub(super) fn folder(&self) -> &Utf8Path {
        self.document.path.parent().unwrap_or(Utf8Path::new("/"))
    }
}

/// The root for the manifest in `folder`: itself, the one that its `package.workspace` names, or the nearest one above that
/// does not exclude it, no further up than `boundary`.
pub(super) fn root_of(folder: &Utf8Path, boundary: &Utf8Path) -> Result<Root, CargoError> {
    let document = Document::read(&folder.join("Cargo.toml"))?;
    if let Some(workspace) = WorkspaceTable::read(&document)? {
        return Ok(Root { document, workspace: Some(workspace) });
    }
    let Some(package) = package::table(&document)? else {
        return Err(CargoError::NotAManifest { path: document.path });
    };
    if let Some(pointer) = document.string(package, "package", "workspace")? {
        let root = Document::read(&paths::normalize(&folder.join(pointer)).join("Cargo.toml"))?;
        return match WorkspaceTable::read(&root)? {
            Some(workspace) => Ok(Root { document: root, workspace: Some(workspace) }),
            None => Err(CargoError::NotAManifest { path: root.path }),
        };
    }
    match above(folder, boundary)? {
        Some((document, workspace)) => Ok(Root { document, workspace: Some(workspace) }),
        None => Ok(Root { document, workspace: None }),
    }
}

/// The nearest workspace root above `folder` that does not exclude it.
pub(super) fn above(folder: &Utf8Path, boundary: &Utf8Path) -> Result<Option<(Document, WorkspaceTable)>, CargoError> {
    for ancestor in folder.ancestors().skip(1).take_while(|ancestor| ancestor.starts_with(boundary)) {
        let path = ancestor.join("Cargo.toml");
        if !path.is_file() {
            continue;
        }
        let document = Document::read(&path)?;
        if let Some(workspace) = WorkspaceTable::read(&document)?
            && !workspace.excludes(folder)
        {
            return Ok(Some((document, workspace)));
        }
    }
    Ok(None)
}

/// The folder that `package.workspace` names, absolute.
pub(super) fn pointer(document: &Document) -> Result<Option<Utf8PathBuf>, CargoError> {
    let Some(package) = package::table(document)? else { return Ok(None) };
    let folder = document.path.parent().unwrap_or(Utf8Path::new("/"));
    let pointer = document.string(package, "package", "workspace")?;
    Ok(pointer.map(|pointer| paths::normalize(&folder.join(pointer))))
}
