//! The Dockerfiles of a repository, each read once and with its stages connected.

use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Context, SourceFile};
use crate::dockerfile::evaluate::{Base, Graph, Options};
use crate::dockerfile::parse::Instruction;
use crate::dockerfile::parse::{File, ParseError, Run, Step, parse};

/// A Dockerfile that BuildKit can read.
#[derive(Debug, Clone)]
pub struct Dockerfile {
    /// Its path and text.
    pub source: Rc<SourceFile>,
    /// As written.
    pub file: File,
    /// Its stages, for a build without arguments; `None` where BuildKit refuses them.
    pub graph: Option<Graph>,
}

/// A Dockerfile that BuildKit refuses.
#[derive(Debug, Clone)]
pub struct BrokenDockerfile {
    /// Its path and text.
    pub source: Rc<SourceFile>,
    /// Why.
    pub error: ParseError,
}

/// What [`Context::dockerfiles`] reads.
#[derive(Debug, Default)]
pub(super) struct Dockerfiles {
    pub(super) read: Vec<Dockerfile>,
    pub(super) broken: Vec<BrokenDockerfile>,
}

impl Dockerfiles {
    pub(super) fn look(context: &Context<'_>) -> Self {
        let mut all = Self::default();
        for path in context.project.docker_files.iter().filter(|path| is_dockerfile(path) && !is_incidental(path)) {
            let Some(source) = context.file(path) else { continue };
            match parse(source.text.as_bytes()) {
                Ok(file) => {
                    let graph = Graph::new(&file, &Options::default()).ok();
                    all.read.push(Dockerfile { source, file, graph });
                }
                Err(error) => all.broken.push(BrokenDockerfile { source, error }),
            }
        }
        all
    }
}

impl Dockerfile {
    /// The folder it is in, relative to the repository; empty for the root.
    #[must_use]
    pub fn folder(&self) -> &Utf8Path {
        self.source.path.parent().unwrap_or_else(|| Utf8Path::new(""))
    }

    /// A stage and those it is based on, itself first, by index.
    #[must_use]
    pub fn ancestry(&self, stage: usize) -> Vec<usize> {
        let mut found = vec![stage];
        let Some(graph) = &self.graph else { return found };
        let mut at = stage;
        while let Some(Base::Stage(base)) = graph.stages.get(at).map(|stage| &stage.base) {
            at = *base;
            found.push(at);
        }
        found
    }

    /// The image at the bottom of a stage, with variables expanded; `None` for `scratch` and named contexts.
    #[must_use]
    pub fn image(&self, stage: usize) -> Option<&str> {
        let bottom = self.ancestry(stage).pop()?;
        match &self.graph.as_ref()?.stages.get(bottom)?.base {
            Base::Image(image) => Some(image),
            _ => None,
        }
    }

    /// Every `RUN`, with the index of its stage.
    pub fn runs(&self) -> impl Iterator<Item = (usize, &Step, &Run)> {
        self.file.stages.iter().enumerate().flat_map(|(index, stage)| {
            stage.steps.iter().filter_map(move |step| match &step.instruction {
                Instruction::Run(run) => Some((index, step, run)),
                _ => None,
            })
        })
    }
}

/// What a `RUN` runs, as one text: the shell's text, heredocs, or the words of the exec form.
#[must_use]
pub fn command_text(run: &Run) -> String {
    let mut text = run.command.words.join(" ");
    for heredoc in &run.command.heredocs {
        text.push('\n');
        text.push_str(&heredoc.text());
    }
    text
}

/// `project.docker_files` has compose, bake and ignore files, too.
fn is_dockerfile(path: &Utf8PathBuf) -> bool {
    let name = path.file_name().unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    !lower.ends_with(".dockerignore") && (lower.starts_with("dockerfile") || lower.ends_with(".dockerfile"))
}

/// Examples, tests and vendored code build no image of this repository.
fn is_incidental(path: &Utf8Path) -> bool {
    path.parent().is_some_and(crate::project::is_incidental)
}
