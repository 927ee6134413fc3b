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
use crate::context::{ContentId, ContextError, Entry, IgnoreFile, Tree, is_within};
use crate::git::{Before, GitError, Node, NodeKind, Objects, Repository, Worktree};
use crate::predict::outputs::{FolderOutputs, KnownOutputs, RecipeCall};
use crate::predict::{Inputs, Memory, Model, Subject, SubjectError, read};
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
    /// Submodules that differ, by path from the root, as far as they have the commit that the repository had of them.
    submodules: BTreeMap<String, Self>,
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
        Self::of(repository, commit, cancel)
    }

    fn of(repository: Repository, commit: ContentId, cancel: &Cancel) -> Result<Self, GitError> {
        let differences = Worktree::since(&repository, commit, cancel)?;
        let mut submodules = BTreeMap::new();
        for (path, before) in &differences.differing {
            let Before::Was(Node { kind: NodeKind::Submodule, id }) = before else { continue };
            let folder = repository.root.join(path);
            // In a folder without a repository of its own git would answer for the one around it.
            if !folder.join(".git").exists() {
                continue;
            }
            match Repository::open(&folder, cancel).and_then(|inner| Self::of(inner, *id, cancel)) {
                Ok(inner) => drop(submodules.insert(path.clone(), inner)),
                Err(error @ GitError::Process(_)) => return Err(error),
                // It was never checked out at that commit, or is damaged: what it had is not known.
                Err(_) => {}
            }
        }
        Ok(Self { repository, commit, differences, submodules })
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
        memory: Option<&Memory>,
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
        let refused = |problem| SubjectError::Predict { path: subject.dockerfile.clone(), problem: Box::new(problem) };
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

    fn inputs(&self, subject: &Subject, memory: Option<&Memory>, now: &Inputs) -> Result<Option<Inputs>, SinceError> {
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
        if let Some(inner) = self.submodules.values().find(|inner| path.starts_with(&inner.repository.root)) {
            return inner.bytes(path);
        }
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
        let above = || path.as_str().match_indices('/').map(|(end, _)| &path.as_str()[..end]);
        match self.differences.differing.get(path.as_str()) {
            Some(Before::Nothing) => At::Nothing,
            Some(Before::Was(node)) => At::Was(*node),
            None if self.is_untracked(path.as_str()) => At::Nothing,
            // In a submodule that is new.
            None if above().any(|above| self.differences.differing.get(above) == Some(&Before::Nothing)) => At::Nothing,
            None => At::Same,
        }
    }

    fn is_untracked(&self, path: &str) -> bool {
        let untracked = &self.differences.untracked;
        untracked.contains(path) || path.match_indices('/').any(|(end, _)| untracked.contains(&path[..=end]))
    }

    /// A path of the work tree as one of a folder: empty where the folder is what stands there, or lies in it. Nothing for what lies elsewhere.
    fn seen_from(&self, folder: &Utf8Path, path: &str) -> Option<String> {
        let path = self.repository.root.join(path);
        if folder.starts_with(&path) {
            return Some(String::new());
        }
        path.strip_prefix(folder).ok().map(|path| path.as_str().trim_end_matches('/').to_owned())
    }

    /// A tree of now as it was.
    fn tree(&self, folder: &Utf8Path, rules: &IgnoreFile, now: Tree) -> Result<Tree, SinceError> {
        let mut entries: BTreeMap<String, Entry> = now.entries().iter().cloned().collect();
        self.take_back(folder, rules, &mut entries)?;
        Ok(Tree::new(entries.into_iter().collect()))
    }

    /// Makes of the entries of now those that were.
    fn take_back(&self, folder: &Utf8Path, rules: &IgnoreFile, entries: &mut BTreeMap<String, Entry>) -> Result<(), SinceError> {
        for untracked in &self.differences.untracked {
            let Some(path) = self.seen_from(folder, untracked) else { continue };
            remove(entries, &path);
            leave_empty(entries, &path);
        }
        for (name, before) in &self.differences.differing {
            let Some(path) = self.seen_from(folder, name) else { continue };
            match before {
                Before::Nothing => {
                    remove(entries, &path);
                    leave_empty(entries, &path);
                }
                Before::Was(Node { kind: NodeKind::Submodule, id }) => match self.submodules.get(name) {
                    Some(inner) => inner.take_back(folder, rules, entries)?,
                    None if !path.is_empty() && rules.excludes(&path) => {}
                    None => unknown_before(entries, &path, *id),
                },
                // Where the context is now, there was a file.
                Before::Was(_) if path.is_empty() => entries.clear(),
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
        Ok(())
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
        let mut before = Blobs::default();
        if git {
            self.collect(&mut before);
        }
        let context = context.to_owned();
        Shadow::new(folder, Box::new(move |path: &str, id: ContentId| before.read(&context.join(path), id)))
    }

    fn collect(&self, before: &mut Blobs) {
        let root = &self.repository.root;
        self.submodules.values().for_each(|inner| inner.collect(before));
        for (path, was) in &self.differences.differing {
            match was {
                Before::Was(Node { kind: NodeKind::Submodule, .. }) if self.submodules.contains_key(path) => {}
                Before::Was(Node { kind: NodeKind::Submodule, .. }) => before.unknown.push(root.join(path)),
                _ => drop(before.differing.insert(root.join(path), before.objects.len())),
            }
        }
        before.objects.push(self.repository.objects.clone());
    }
}

/// Where contents of before are to be had.
#[derive(Default)]
struct Blobs {
    objects: Vec<Objects>,
    /// Files that differ, with the number of their repository.
    differing: BTreeMap<Utf8PathBuf, usize>,
    /// Folders of which nothing is known.
    unknown: Vec<Utf8PathBuf>,
}

impl Blobs {
    fn read(&self, path: &Utf8Path, id: ContentId) -> io::Result<Vec<u8>> {
        if self.unknown.iter().any(|folder| path.starts_with(folder)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        match self.differing.get(path) {
            Some(&number) => self.objects[number].blob(id).map_err(io::Error::other),
            None => fs::read(path),
        }
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

/// Takes away what stands at a path, and all below it.
fn remove(entries: &mut BTreeMap<String, Entry>, path: &str) {
    if path.is_empty() {
        return entries.clear();
    }
    entries.remove(path);
    let first = format!("{path}/");
    let below: Vec<String> =
        entries.range(first.clone()..).map(|(below, _)| below.clone()).take_while(|below| below.starts_with(&first)).collect();
    below.iter().for_each(|below| drop(entries.remove(below)));
}

/// What a submodule had at a commit is not known: all that it has counts as changed, or, where it is gone, one file that stands for it.
fn unknown_before(entries: &mut BTreeMap<String, Entry>, path: &str, id: ContentId) {
    let mut any = false;
    for (_, entry) in entries.iter_mut().filter(|(known, _)| is_within(known, path)) {
        if let Entry::File { content, .. } = entry {
            *content = id;
            any = true;
        }
    }
    if !any && !path.is_empty() {
        entries.insert(path.to_owned(), Entry::File { mode: 0o644, content: id });
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
