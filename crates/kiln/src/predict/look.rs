//! Reads what a build is made of from disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::outputs::FolderOutputs;
use super::{ImageFacts, Inputs, Model, PredictError};
use crate::context::{ContextError, Entry, Hashes, IgnoreFile, Tree, read_context, read_ignore, read_text_file};
use crate::dockerfile::evaluate::{Options, Platform};

/// Which build to look at.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The context, absolute.
    pub context: Utf8PathBuf,
    /// The Dockerfile, absolute.
    pub dockerfile: Utf8PathBuf,
    /// Named contexts: folders, absolute.
    pub named_contexts: BTreeMap<String, Utf8PathBuf>,
    /// `--target`
    pub target: Option<String>,
    /// `--build-arg`s
    pub build_args: BTreeMap<String, String>,
    /// `--platform`
    pub platform: Option<Platform>,
    /// What is known of base images.
    pub images: BTreeMap<String, ImageFacts>,
    /// Whether the builder can merge layers.
    pub merges: bool,
}

/// A build that cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The Dockerfile cannot be read.
    #[error("cannot read `{path}`")]
    Dockerfile {
        /// The Dockerfile.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The Dockerfile is not one that BuildKit builds.
    #[error("`{path}`: {problem}")]
    Predict {
        /// The Dockerfile.
        path: Utf8PathBuf,
        /// What is wrong with it.
        problem: Box<PredictError>,
    },
    /// A context cannot be read.
    #[error(transparent)]
    Context(#[from] ContextError),
}

impl Subject {
    /// The same build of the same files, whatever Docker's defaults are.
    pub(crate) fn options(&self) -> Options {
        let build_platform = Platform::linux(architecture());
        Options {
            build_args: self.build_args.clone(),
            target: self.target.clone(),
            target_platform: self.platform.clone().unwrap_or_else(|| build_platform.clone()),
            build_platform,
            contexts: self.named_contexts.keys().cloned().collect(),
        }
    }

    /// Reads Dockerfile, ignore file and contexts. What is known of folders is in `memory`, where there is one.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn inputs(&self, memory: Option<&Memory>) -> Result<Inputs, SubjectError> {
        let dockerfile = read_text_file(&self.dockerfile)
            .map_err(|source| SubjectError::Dockerfile { path: self.dockerfile.clone(), source })?;
        let (rules, ignore_path) = read_ignore(&self.context, Some(&self.dockerfile))?;
        let ignore = ignore_path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let mut trees = BTreeMap::from([(String::new(), read(&self.context, &rules, memory)?)]);
        for (name, folder) in &self.named_contexts {
            let (rules, _) = read_ignore(folder, None)?;
            trees.insert(name.clone(), read(folder, &rules, memory)?);
        }
        let (images, merges) = (self.images.clone(), self.merges);
        Ok(Inputs { dockerfile, options: self.options(), trees, ignore, images, merges })
    }

    /// The same without the files of the main context. Dockerfile and ignore file are those that are given, or those on disk.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn frame(&self, given: Option<(Vec<u8>, String)>, memory: Option<&Memory>) -> Result<Inputs, SubjectError> {
        let (dockerfile, ignore) = match given {
            Some(given) => given,
            None => {
                let failed = |source| SubjectError::Dockerfile { path: self.dockerfile.clone(), source };
                let dockerfile = read_text_file(&self.dockerfile).map_err(failed)?;
                let (_, ignore) = read_ignore(&self.context, Some(&self.dockerfile))?;
                (dockerfile, ignore.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default())
            }
        };
        let mut trees = BTreeMap::new();
        for (name, folder) in &self.named_contexts {
            let (rules, _) = read_ignore(folder, None)?;
            trees.insert(name.clone(), read(folder, &rules, memory)?);
        }
        let (images, merges) = (self.images.clone(), self.merges);
        Ok(Inputs { dockerfile, options: self.options(), trees, ignore, images, merges })
    }

    /// The model of this build.
    ///
    /// # Errors
    /// What cannot be read, and what BuildKit refuses.
    pub fn model(&self, memory: Option<&Memory>) -> Result<Model, SubjectError> {
        let inputs = self.inputs(memory)?;
        let outputs = FolderOutputs { context: self.context.clone() };
        Model::new(inputs, &outputs)
            .map_err(|problem| SubjectError::Predict { path: self.dockerfile.clone(), problem: Box::new(problem) })
    }
}

/// What is known of folders, so that images which share one have it read once: as long as the value lives, a folder is as it was when it
/// was first read. Several threads can share it.
#[derive(Debug)]
pub struct Memory {
    /// Where hashes of contents are remembered.
    folder: Utf8PathBuf,
    /// By path. Different folders are read side by side, each by one thread at a time.
    folders: Mutex<BTreeMap<Utf8PathBuf, Arc<Mutex<Folder>>>>,
}

/// What is known of one folder.
#[derive(Debug, Default)]
struct Folder {
    /// Hashes of contents, once they are loaded.
    hashes: Option<Hashes>,
    /// What is in it under some rules.
    trees: Vec<(IgnoreFile, Tree)>,
}

impl Memory {
    /// A memory that remembers hashes of contents in a folder.
    #[must_use]
    pub const fn new(folder: Utf8PathBuf) -> Self {
        Self { folder, folders: Mutex::new(BTreeMap::new()) }
    }

    fn read(&self, path: &Utf8Path, rules: &IgnoreFile) -> Result<Tree, ContextError> {
        let folder = Arc::clone(lock(&self.folders).entry(path.to_owned()).or_default());
        let mut folder = lock(&folder);
        if let Some((_, tree)) = folder.trees.iter().find(|(known, _)| known == rules) {
            return Ok(tree.clone());
        }
        let file = self.folder.join(format!("{}.hashes", crate::text::short_hash(path.as_str().as_bytes())));
        let hashes = folder.hashes.get_or_insert_with(|| Hashes::load(&file));
        let tree = read_context(path, rules, hashes)?;
        // Without a memory the next time takes longer, nothing else.
        let _ = hashes.save(&file);
        folder.trees.push((rules.clone(), tree.clone()));
        Ok(tree)
    }
}

/// What a thread that panicked knew is still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The files of a folder that are not ignored.
pub(crate) fn read(folder: &Utf8Path, rules: &IgnoreFile, memory: Option<&Memory>) -> Result<Tree, ContextError> {
    match memory {
        Some(memory) => memory.read(folder, rules),
        None => read_context(folder, rules, &mut Hashes::default()),
    }
}

const fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

impl Inputs {
    /// The same files, but that one has other content (or is new). The path is relative to the main context.
    pub fn touch(&mut self, path: &str) {
        let Some(tree) = self.trees.get_mut("") else { return };
        let rules = IgnoreFile::parse(&self.ignore).unwrap_or_default();
        if rules.excludes(path) {
            return;
        }
        let mut entries = tree.entries().to_vec();
        let content = crate::context::ContentId::of(format!("another {path}").as_bytes());
        let mode = match tree.get(path) {
            Some(Entry::File { mode, .. }) => *mode,
            _ => 0o644,
        };
        entries.retain(|(known, _)| known != path);
        entries.push((path.to_owned(), Entry::File { mode, content }));
        *tree = Tree::new(entries);
    }
}
