//! A build context on its way through the commits.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::image::{Prepared, Walk};
use super::{Image, ReplayError, Replayed, Shadow};
use crate::context::evolving::SUBMODULE;
use crate::context::{ContentId, Entry, Evolving, IgnoreFile};
use crate::git::{Change, GitError, History, NodeKind, Repository};
use crate::process::{Cancel, ProcessError};

/// Stands for all of `.git`, which is another one after each commit.
const GIT_FILE: &str = ".git/HEAD";

/// A context that some images share: the same folder, ignore file and fixed files.
#[derive(Debug)]
pub(super) struct Place {
    /// Its folder, absolute.
    folder: Utf8PathBuf,
    /// Root of the repository, absolute.
    root: Utf8PathBuf,
    ignore: String,
    rules: IgnoreFile,
    /// Files that are the same in all commits, by path in the context.
    fixed: BTreeMap<String, Entry>,
    /// Numbers of the images.
    pub(super) images: Vec<usize>,
}

/// What was found on the way.
#[derive(Debug)]
pub(super) struct Walked {
    /// For each image, by number, its builds after each commit but the first.
    pub(super) builds: Vec<(usize, Vec<Replayed>)>,
    /// Manifests that are not in this clone.
    pub(super) lacking: Vec<String>,
}

impl Place {
    /// The contexts of images.
    pub(super) fn of(images: &[Image], repository: &Repository) -> Result<Vec<Self>, ReplayError> {
        let mut places: Vec<Self> = Vec::new();
        for (number, image) in images.iter().enumerate() {
            let inside = image
                .fixed
                .iter()
                .filter_map(|(path, entry)| Some((path.strip_prefix(&image.context).ok()?.as_str().to_owned(), entry.clone())));
            let fixed: BTreeMap<String, Entry> = inside.collect();
            let ignore = &image.inputs.ignore;
            let known =
                places.iter_mut().find(|place| place.folder == image.context && place.ignore == *ignore && place.fixed == fixed);
            if let Some(known) = known {
                known.images.push(number);
                continue;
            }
            let rules =
                IgnoreFile::parse(ignore).map_err(|source| ReplayError::Ignore { path: image.dockerfile.clone(), source })?;
            places.push(Self {
                folder: image.context.clone(),
                root: repository.root.clone(),
                ignore: ignore.clone(),
                rules,
                fixed,
                images: vec![number],
            });
        }
        Ok(places)
    }

    /// Whether `.git` is part of the context.
    pub(super) fn shows_git(&self) -> bool {
        self.git_file().is_some_and(|path| !self.rules.excludes(&path))
    }

    fn git_file(&self) -> Option<String> {
        // In a worktree or submodule it is a file, which stays as it is.
        let is_folder = self.root.join(".git").is_dir();
        is_folder.then(|| self.inside(GIT_FILE)).flatten()
    }

    /// A path of the repository as one of the context.
    fn inside(&self, path: &str) -> Option<String> {
        if self.folder == self.root {
            return Some(path.to_owned());
        }
        let path = self.root.join(path);
        path.strip_prefix(&self.folder).ok().map(|path| path.as_str().to_owned())
    }

    /// Goes through the commits, and has each image built after each.
    pub(super) fn walk(
        &self,
        history: &History,
        prepared: &[Prepared],
        mut shadow: Shadow,
        cancel: &Cancel,
    ) -> Result<Walked, GitError> {
        let mut context = Evolving::new(self.rules.clone());
        for (path, entry) in &self.fixed {
            context.set(path, Some(entry.clone()));
        }
        let mut walks: Vec<(usize, Walk<'_>)> =
            self.images.iter().map(|&image| (image, Walk::new(&prepared[image], &mut context))).collect();
        let needs_shadow = walks.iter().any(|(_, walk)| walk.has_recipes());
        let mut builds: Vec<(usize, Vec<Replayed>)> = self.images.iter().map(|&image| (image, Vec::new())).collect();
        let git_file = self.git_file();
        for (at, changes) in history.changes.iter().enumerate() {
            if cancel.is_set() {
                return Err(ProcessError::Cancelled { program: "git".to_owned() }.into());
            }
            self.apply(&mut context, changes);
            if let Some(path) = &git_file {
                context.set(path, Some(Entry::File { mode: 0o644, content: history.commits[at].id }));
            }
            let (mut touched, watched) = context.settle();
            // Docker files are not read by recipes, and git may not have those of today.
            touched.retain(|touched| !self.fixed.contains_key(&touched.path));
            if needs_shadow {
                shadow.apply(&touched, context.entries().iter());
            }
            for ((_, walk), (_, builds)) in walks.iter_mut().zip(&mut builds) {
                let built = walk.build(&context, &watched, &shadow);
                if at > 0 {
                    builds.push(built);
                }
            }
        }
        Ok(Walked { builds, lacking: shadow.into_lacking() })
    }

    fn apply(&self, context: &mut Evolving, changes: &[Change]) {
        let here = |change: &Change| self.inside(&change.path).filter(|path| !self.fixed.contains_key(path));
        // What goes, goes first: a folder may take the place of a file.
        for change in changes.iter().filter(|change| change.after.is_none()) {
            if let Some(path) = here(change) {
                context.set(&path, None);
            }
        }
        for change in changes {
            let (Some(node), Some(path)) = (change.after, here(change)) else { continue };
            context.set(&path, entry(node.kind, node.id, change.target.as_deref()));
        }
    }
}

/// What git writes into a work tree, with the permissions that it has nearly everywhere.
fn entry(kind: NodeKind, content: ContentId, target: Option<&str>) -> Option<Entry> {
    match kind {
        NodeKind::Folder => None,
        NodeKind::File => Some(Entry::File { mode: 0o644, content }),
        NodeKind::Executable => Some(Entry::File { mode: 0o755, content }),
        NodeKind::Link => Some(Entry::Link { target: target.unwrap_or_default().to_owned() }),
        NodeKind::Submodule => Some(Entry::File { mode: SUBMODULE, content }),
    }
}
