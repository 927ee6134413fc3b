//! The work tree against a revision: what a build of each is made of.
//!
//! What git does not say to be different is the same on both sides, so that files that git ignores, line endings, Git LFS and permissions
//! beyond the executable bit make no difference.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::shadow::{Shadow, concerns_any};
use crate::context::evolving::Touched;
use crate::context::{ContentId, ContextError, Entry, IgnoreFile, Tree};
use crate::git::{Before, GitError, Node, NodeKind, Repository, Worktree};
use crate::predict::outputs::{FolderOutputs, KnownOutputs, RecipeCall};
use crate::predict::{Inputs, Model, Subject, SubjectError, read};
use crate::process::Cancel;

/// A comparison that is not possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinceError {
    /// The revision cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The work tree cannot be read, or a Dockerfile is none.
    #[error(transparent)]
    Subject(#[from] SubjectError),
}

/// A revision that work trees are compared with.
#[derive(Debug)]
pub struct Since {
    repository: Repository,
    commit: ContentId,
    differences: Worktree,
}

/// What stood at a path.
enum At {
    /// What stands there now, if anything does.
    Same,
    Nothing,
    Was(Node),
}

impl Since {
    /// Looks at the repository that holds a folder.
    ///
    /// # Errors
    /// [`GitError`]: no repository, or no such revision.
    pub fn new(folder: &Utf8Path, revision: &str, cancel: &Cancel) -> Result<Self, GitError> {
        let repository = Repository::open(folder, cancel)?;
        let commit = repository.resolve(revision, cancel)?;
        let differences = Worktree::since(&repository, commit, cancel)?;
        Ok(Self { repository, commit, differences })
    }

    /// The commit.
    #[must_use]
    pub const fn commit(&self) -> ContentId {
        self.commit
    }

    /// The models of a build now and at the revision; nothing for the latter if there was no Dockerfile. `scratch` is a folder of this
    /// call's own, for manifests.
    ///
    /// # Errors
    /// What cannot be read, and what BuildKit refuses.
    pub fn models(
        &self,
        subject: &Subject,
        memory: Option<&Utf8Path>,
        scratch: &Utf8Path,
    ) -> Result<(Model, Option<Model>), SinceError> {
        let now = subject.inputs(memory)?;
        let then = self.inputs(subject, memory, &now)?;
        let empty = Tree::default();
        let main = |inputs: &Inputs| inputs.trees.get("").unwrap_or(&empty).clone();
        let (tree, before) = (main(&now), then.as_ref().map(main));
        // Recipes are made in the same way on both sides, so that nothing else than the files makes a difference.
        let folder = || -> Box<dyn KnownOutputs> { Box::new(FolderOutputs { context: subject.context.clone() }) };
        let matters = before.as_ref().is_some_and(|before| differing(before, &tree).iter().any(concerns_any));
        let outputs = |name: &str, tree: &Tree, git: bool| -> Box<dyn KnownOutputs> {
            if !matters {
                return folder();
            }
            let (shadow, tree) = (self.shadow(&subject.context, scratch.join(name), git), tree.clone());
            Box::new(Lazy { shadow: RefCell::new(shadow), tree, filled: Cell::new(false) })
        };
        let refused = |source| SubjectError::Predict { path: subject.dockerfile.clone(), source: Box::new(source) };
        let before = match (then, &before) {
            (Some(then), Some(before)) => Some(Model::new(then, &*outputs("then", before, true)).map_err(refused)?),
            _ => None,
        };
        let now = Model::new(now, &*outputs("now", &tree, false)).map_err(refused)?;
        let before = before.map(|mut model| {
            model.steps.iter_mut().for_each(|step| step.done = true);
            model
        });
        Ok((now, before))
    }

    fn inputs(&self, subject: &Subject, memory: Option<&Utf8Path>, now: &Inputs) -> Result<Option<Inputs>, SinceError> {
        let Some(dockerfile) = self.bytes(&subject.dockerfile)? else { return Ok(None) };
        let beside = Utf8PathBuf::from(format!("{}.dockerignore", subject.dockerfile));
        let (rules, ignore) = self.ignore([beside, subject.context.join(".dockerignore")])?;
        let mut trees = BTreeMap::new();
        for (name, folder) in [(String::new(), &subject.context)]
            .into_iter()
            .chain(subject.named_contexts.iter().map(|(name, folder)| (name.clone(), folder)))
        {
            let own;
            let rules = if name.is_empty() {
                &rules
            } else {
                own = self.ignore([folder.join(".dockerignore")])?.0;
                &own
            };
            let same_rules = name.is_empty() && ignore == now.ignore;
            let tree = match now.trees.get(&name).filter(|_| same_rules) {
                Some(tree) => tree.clone(),
                None => read(folder, rules, memory).map_err(SubjectError::from)?,
            };
            trees.insert(name, self.tree(folder, rules, tree)?);
        }
        let (options, images) = (subject.options(), subject.images.clone());
        Ok(Some(Inputs { dockerfile, options, trees, ignore, images, merges: subject.merges }))
    }

    /// The first of some ignore files that was there.
    fn ignore<const N: usize>(&self, paths: [Utf8PathBuf; N]) -> Result<(IgnoreFile, String), SinceError> {
        for path in paths {
            let Some(bytes) = self.bytes(&path)? else { continue };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let rules = IgnoreFile::parse(&text).map_err(|source| SubjectError::from(ContextError::Ignore { path, source }))?;
            return Ok((rules, text));
        }
        Ok((IgnoreFile::default(), String::new()))
    }

    /// What a file held; nothing if there was none.
    fn bytes(&self, path: &Utf8Path) -> Result<Option<Vec<u8>>, SinceError> {
        match self.at(path) {
            At::Nothing => Ok(None),
            At::Was(node) => Ok(Some(self.repository.objects.blob(node.id)?)),
            At::Same => match fs::read(path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(SubjectError::Context(ContextError::Read { path: path.to_owned(), source }).into()),
            },
        }
    }

    fn at(&self, path: &Utf8Path) -> At {
        let Ok(path) = path.strip_prefix(&self.repository.root) else { return At::Same };
        match self.differences.differing.get(path.as_str()) {
            Some(Before::Nothing) => At::Nothing,
            Some(Before::Was(node)) => At::Was(*node),
            None if self.is_untracked(path.as_str()) => At::Nothing,
            None => At::Same,
        }
    }

    fn is_untracked(&self, path: &str) -> bool {
        let untracked = &self.differences.untracked;
        untracked.contains(path) || path.match_indices('/').any(|(end, _)| untracked.contains(&path[..=end]))
    }

    /// A tree of now as it was.
    fn tree(&self, folder: &Utf8Path, rules: &IgnoreFile, now: Tree) -> Result<Tree, SinceError> {
        let mut entries: BTreeMap<String, Entry> = now.entries().iter().cloned().collect();
        for untracked in &self.differences.untracked {
            let Some(path) = self.repository.within(untracked, folder) else { continue };
            let path = path.trim_end_matches('/');
            if untracked.ends_with('/') {
                entries.retain(|known, _| !is_within(known, path));
            } else {
                entries.remove(path);
            }
            leave_empty(&mut entries, path);
        }
        for (path, before) in &self.differences.differing {
            let Some(path) = self.repository.within(path, folder) else { continue };
            match before {
                Before::Nothing => {
                    entries.remove(&path);
                    leave_empty(&mut entries, &path);
                }
                // What the submodule had at another commit is not known: all of it counts as changed.
                Before::Was(Node { kind: NodeKind::Submodule, id }) => {
                    for (_, entry) in entries.iter_mut().filter(|(known, _)| is_within(known, &path)) {
                        if let Entry::File { content, .. } = entry {
                            *content = *id;
                        }
                    }
                }
                Before::Was(node) if !rules.excludes(&path) => {
                    let entry = self.entry(*node, entries.get(&path))?;
                    entries.insert(path, entry);
                }
                Before::Was(_) => {}
            }
        }
        // What is in `.git` is another one after each commit.
        let index = self.repository.within(".git/index", folder);
        if let Some(Entry::File { content, .. }) = index.and_then(|index| entries.get_mut(&index)) {
            *content = self.commit;
        }
        Ok(Tree::new(entries.into_iter().collect()))
    }

    fn entry(&self, node: Node, now: Option<&Entry>) -> Result<Entry, GitError> {
        let executable = match node.kind {
            NodeKind::Link => return Ok(Entry::Link { target: self.repository.objects.link(node.id)? }),
            kind => kind == NodeKind::Executable,
        };
        // Git knows no other permissions than to execute: the others are those of now.
        let mode = match now {
            Some(Entry::File { mode, .. }) => *mode,
            _ => 0o644,
        };
        let mode = if executable { mode | ((mode & 0o444) >> 2) } else { mode & !0o111 };
        Ok(Entry::File { mode, content: node.id })
    }

    /// A folder for manifests, which come from the work tree where git does not say that they are others.
    fn shadow(&self, context: &Utf8Path, folder: Utf8PathBuf, git: bool) -> Shadow {
        let objects = self.repository.objects.clone();
        let root = self.repository.root.clone();
        let differing: Vec<String> = self.differences.differing.keys().cloned().collect();
        let context = context.to_owned();
        let source = move |path: &str, id: ContentId| {
            let path = context.join(path);
            let inside = path.strip_prefix(&root).ok();
            let changed =
                inside.is_some_and(|inside| differing.binary_search_by(|known| known.as_str().cmp(inside.as_str())).is_ok());
            if git && changed { objects.blob(id).map_err(io::Error::other) } else { fs::read(&path) }
        };
        Shadow::new(folder, Box::new(source))
    }
}

/// A shadow that is filled when a recipe is asked for: most Dockerfiles have none.
struct Lazy {
    shadow: RefCell<Shadow>,
    tree: Tree,
    filled: Cell<bool>,
}

impl KnownOutputs for Lazy {
    fn of(&self, call: &RecipeCall) -> Option<BTreeMap<String, String>> {
        if !self.filled.replace(true) {
            let entries = self.tree.entries().iter().map(|(path, entry)| (path, entry));
            self.shadow.borrow_mut().apply(&differing_from_nothing(&self.tree), entries);
        }
        self.shadow.borrow().of(call)
    }
}

/// Takes away the folders above a path in which nothing is left.
fn leave_empty(entries: &mut BTreeMap<String, Entry>, path: &str) {
    let ends: Vec<usize> = path.match_indices('/').map(|(end, _)| end).collect();
    for end in ends.into_iter().rev() {
        let folder = &path[..end];
        let first = format!("{folder}/");
        if entries.range(first.clone()..).next().is_some_and(|(path, _)| path.starts_with(&first)) {
            return;
        }
        entries.remove(folder);
    }
}

fn differing_from_nothing(tree: &Tree) -> Vec<Touched> {
    let entries = tree.entries().iter();
    entries.map(|(path, entry)| Touched { path: path.clone(), before: None, after: Some(entry.clone()) }).collect()
}

fn differing(before: &Tree, after: &Tree) -> Vec<Touched> {
    let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (before.entries().iter().cloned().collect(), after.entries().iter().cloned().collect());
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let touched =
        |path: &String| Touched { path: path.clone(), before: before.get(path).cloned(), after: after.get(path).cloned() };
    paths.into_iter().map(touched).filter(|touched| touched.before != touched.after).collect()
}

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
