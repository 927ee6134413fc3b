//! The Dockerfiles of a repository, each read once: parsed, its stages connected, with the context and the ignore file that a build would use.

use std::fs;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};

use super::shell::{Command, commands};
use super::{Context, SourceFile};
use crate::context::{IgnoreError, IgnoreFile};
use crate::dockerfile::evaluate::{Base, EvaluationError, Graph, Options};
use crate::dockerfile::parse::{self, File, Instruction, Lines, ParseError, ParseErrorKind, ParsedStage, Run, Step};
use crate::plan::Variant;
use crate::project::is_incidental;

/// A Dockerfile of the repository.
#[derive(Debug)]
pub struct Dockerfile {
    /// Its text.
    pub file: Rc<SourceFile>,
    /// What BuildKit reads.
    pub parsed: Result<File, ParseError>,
    /// Its stages, for a build without arguments; absent where it does not parse.
    pub graph: Option<Result<Graph, EvaluationError>>,
    /// The folder that is most likely its build context, relative to the repository: the one that has what it copies.
    pub context: Utf8PathBuf,
    /// The ignore file that applies.
    pub ignore_path: Utf8PathBuf,
    /// Its rules; empty where there is no such file.
    pub ignore: Result<IgnoreFile, IgnoreError>,
}

/// A file with the name of a Dockerfile that no rule can look into.
#[derive(Debug)]
pub struct UnreadDockerfile {
    /// The file.
    pub path: Utf8PathBuf,
    /// Why.
    pub reason: Unread,
}

/// Why a Dockerfile is not looked into.
#[derive(Debug)]
pub enum Unread {
    /// It cannot be read.
    Io(io::Error),
    /// BuildKit refuses it.
    Refused(ParseError),
    /// BuildKit reads it, but it has bytes in its comments that are not UTF-8.
    NotText,
}

/// The Dockerfiles of a repository.
#[derive(Debug, Default)]
pub(super) struct Dockerfiles {
    pub(super) read: Vec<Dockerfile>,
    pub(super) unread: Vec<UnreadDockerfile>,
}

/// Names of files that make a folder the root of something that is built.
const MANIFESTS: [&str; 7] = ["package.json", "Cargo.toml", "go.mod", "pyproject.toml", "requirements.txt", "Gemfile", "pom.xml"];

impl Dockerfiles {
    /// All of them, by path. Those in folders of test data are none of the repository's builds.
    pub(super) fn find(context: &Context<'_>) -> Self {
        let mut all = Self::default();
        let is_test_data = |path: &Utf8Path| path.parent().is_some_and(is_incidental);
        for path in context.paths().iter().filter(|path| is_dockerfile(path) && !is_test_data(path)) {
            match context.file(path) {
                Some(file) => all.read.push(Dockerfile::read(context, file)),
                None => all.unread.extend(unread(context, path).map(|reason| UnreadDockerfile { path: path.clone(), reason })),
            }
        }
        all
    }
}

/// What is wrong with a file that is no text; `None` for what is no file at all.
fn unread(context: &Context<'_>, path: &Utf8Path) -> Option<Unread> {
    let absolute = context.project.root.join(path);
    let metadata = match fs::metadata(&absolute) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return None,
        Err(error) => return Some(Unread::Io(error)),
    };
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if length > parse::MAX_FILE {
        return Some(Unread::Refused(ParseError { lines: None, kind: ParseErrorKind::TooLarge }));
    }
    Some(match fs::read(&absolute).map(|bytes| parse::parse(&bytes)) {
        Err(error) => Unread::Io(error),
        Ok(Err(error)) => Unread::Refused(error),
        Ok(Ok(_)) => Unread::NotText,
    })
}

/// Names that say that something else is made of the file first.
const TEMPLATES: [&str; 12] = ["md", "j2", "jinja", "jinja2", "tmpl", "tpl", "template", "erb", "mustache", "hbs", "in", "m4"];

pub(super) fn is_dockerfile(path: &Utf8Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let stem = ["Dockerfile", "Containerfile"]
        .iter()
        .any(|stem| name == *stem || name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-', '_'])));
    let is_other = path.extension().is_some_and(|extension| extension == "dockerignore" || TEMPLATES.contains(&extension));
    (stem && !is_other) || name == "dockerfile" || name.ends_with(".Dockerfile") || name.ends_with(".dockerfile")
}

/// The context of the service that a Dockerfile is of.
fn context_of_service(context: &Context<'_>, path: &Utf8Path) -> Option<Utf8PathBuf> {
    let is_of = |service: &&crate::plan::Service| Variant::ALL.iter().any(|variant| service.files.dockerfile(*variant) == path);
    let service = context.plan().services.iter().find(is_of)?;
    Some(if service.context == "." { Utf8PathBuf::new() } else { service.context.clone() })
}

/// The folder, among those above a Dockerfile, that holds most of what it copies by name; the nearest of several. Where nothing is copied by
/// name, that of its service, or the nearest with a manifest.
fn build_context(context: &Context<'_>, path: &Utf8Path, parsed: Option<&File>) -> Utf8PathBuf {
    let folders: Vec<&Utf8Path> = path.ancestors().skip(1).collect();
    let nearest = folders.first().copied().unwrap_or(Utf8Path::new("")).to_owned();
    let mut named = Vec::new();
    for step in parsed.into_iter().flat_map(|file| &file.stages).flat_map(|stage| &stage.steps) {
        let sources = context_sources(step).into_iter().map(|source| source.trim_matches('/').to_owned());
        named.extend(
            sources.filter(|source| !matches!(source.as_str(), "" | "." | "..") && !source.contains(['*', '?', '[', '$', ':'])),
        );
    }
    if named.is_empty()
        && let Some(folder) = context_of_service(context, path)
    {
        return folder;
    }
    let score = |folder: &Utf8Path| {
        let found = named.iter().filter(|source| context.exists(&folder.join(source))).count();
        let manifest = MANIFESTS.iter().any(|name| context.exists(&folder.join(name)));
        (found, named.is_empty() && manifest)
    };
    let mut best: Option<(&Utf8Path, (usize, bool))> = None;
    for folder in folders {
        let score = score(folder);
        if best.is_none_or(|(_, known)| score > known) {
            best = Some((folder, score));
        }
    }
    best.map_or(nearest, |(folder, _)| folder.to_owned())
}

/// What a `COPY` or `ADD` takes from the context; empty for other steps, stages and addresses.
pub(super) fn context_sources(step: &Step) -> Vec<&str> {
    match &step.instruction {
        Instruction::Copy(copy) if copy.from.is_none() => copy.sources.iter().map(String::as_str).collect(),
        Instruction::Add(add) => add.sources.iter().map(String::as_str).filter(|source| !is_address(source)).collect(),
        _ => Vec::new(),
    }
}

/// What the bind mounts of a `RUN` take from the context; the whole of it is the empty text.
pub(super) fn mounted_sources(step: &Step) -> Vec<String> {
    let Instruction::Run(run) = &step.instruction else { return Vec::new() };
    let mounts = run.mounts.iter().filter_map(|mount| mount.literal().ok());
    let bound = mounts.filter(|mount| mount.kind == parse::MountKind::Bind && mount.from.is_none());
    bound.map(|mount| mount.source.as_deref().unwrap_or_default().to_owned()).collect()
}

/// Whether an `ADD` source comes from elsewhere.
pub(super) fn is_address(source: &str) -> bool {
    ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|scheme| source.starts_with(scheme))
}

/// Whether a source is the whole context.
pub(super) fn is_broad(source: &str) -> bool {
    matches!(source.trim_start_matches("./").trim_matches('/'), "" | "." | "*" | "**")
}

/// The commands that a `RUN` starts, as far as they can be read off its text.
pub(super) fn run_commands(step: &Step) -> Vec<Command> {
    let Instruction::Run(run) = &step.instruction else { return Vec::new() };
    if !run.command.shell {
        // Behind a shell the last word is the text; otherwise the words are the command.
        return match run.command.words.as_slice() {
            [shell, flag, text] if shell.ends_with("sh") && flag.starts_with('-') => commands(text),
            words => vec![Command { words: words.to_vec(), piped: false }],
        };
    }
    let mut found = Vec::new();
    if !run.command.is_one_heredoc() {
        found.extend(run.command.words.iter().flat_map(|text| commands(text)));
    }
    found.extend(run.command.heredocs.iter().flat_map(|heredoc| commands(&heredoc.text())));
    found
}

impl Dockerfile {
    fn read(context: &Context<'_>, file: Rc<SourceFile>) -> Self {
        let parsed = parse::parse(file.text.as_bytes());
        let graph = parsed.as_ref().ok().map(|file| Graph::new(file, &Options::default()));
        let folder =
            context_of_service(context, &file.path).unwrap_or_else(|| build_context(context, &file.path, parsed.as_ref().ok()));
        let own = Utf8PathBuf::from(format!("{}.dockerignore", file.path));
        let ignore_path = if context.exists(&own) { own } else { folder.join(".dockerignore") };
        let ignore = IgnoreFile::parse(&context.lossy(&ignore_path));
        Self { file, parsed, graph, context: folder, ignore_path, ignore }
    }

    /// The folder it is in, relative to the repository; empty for the root.
    #[must_use]
    pub fn folder(&self) -> &Utf8Path {
        self.file.path.parent().unwrap_or_else(|| Utf8Path::new(""))
    }

    /// A stage and those it is based on, itself first, by index.
    #[must_use]
    pub fn ancestry(&self, stage: usize) -> Vec<usize> {
        let mut found = vec![stage];
        while let Some(base) = self.base(found[found.len() - 1]) {
            found.push(base);
        }
        found
    }

    /// The image at the bottom of a stage, with variables expanded; `None` for `scratch` and named contexts.
    #[must_use]
    pub fn image(&self, stage: usize) -> Option<&str> {
        let bottom = self.ancestry(stage).pop()?;
        match &self.graph.as_ref()?.as_ref().ok()?.stages.get(bottom)?.base {
            Base::Image(image) => Some(image),
            _ => None,
        }
    }

    /// Every `RUN`, with the index of its stage.
    pub fn runs(&self) -> impl Iterator<Item = (usize, &Step, &Run)> {
        self.steps().filter_map(|(index, step)| match &step.instruction {
            Instruction::Run(run) => Some((index, step, run)),
            _ => None,
        })
    }

    /// The stages; none where the file does not parse.
    #[must_use]
    pub fn stages(&self) -> &[ParsedStage] {
        self.parsed.as_ref().map_or(&[], |file| file.stages.as_slice())
    }

    /// Every instruction, with the index of its stage.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.stages().iter().enumerate().flat_map(|(index, stage)| stage.steps.iter().map(move |step| (index, step)))
    }

    /// The steps of a stage and before them those of the stages of this file that it is based on.
    #[must_use]
    pub fn lineage(&self, stage: usize) -> Vec<&Step> {
        self.ancestry(stage).iter().rev().filter_map(|index| self.stages().get(*index)).flat_map(|stage| &stage.steps).collect()
    }

    /// The earlier stage that a stage is based on.
    #[must_use]
    pub fn base(&self, stage: usize) -> Option<usize> {
        if let Some(Ok(graph)) = &self.graph {
            return match graph.stages.get(stage)?.base {
                Base::Stage(base) => Some(base),
                _ => None,
            };
        }
        // What BuildKit refuses for another reason is looked at all the same.
        let image = &self.stages().get(stage)?.from.image;
        self.stages()[..stage].iter().rposition(|earlier| earlier.from.name.as_deref() == Some(image.as_str()))
    }

    /// The last stage, which a plain `docker build` builds.
    #[must_use]
    pub fn last_stage(&self) -> Option<usize> {
        self.stages().len().checked_sub(1)
    }

    /// The bytes of an instruction's lines.
    #[must_use]
    pub fn span(&self, lines: Lines) -> Range<usize> {
        let start = self.file.line_span(lines.first).start;
        start..self.file.line_span(lines.last).end.max(start)
    }

    /// Where a text stands first within an instruction; its first line where it does not.
    #[must_use]
    pub fn locate(&self, lines: Lines, text: &str) -> Range<usize> {
        let span = self.span(lines);
        match self.file.text.get(span.clone()).and_then(|body| body.find(text)) {
            Some(at) if !text.is_empty() => span.start + at..span.start + at + text.len(),
            _ => self.file.line_span(lines.first),
        }
    }

    /// Whether a path of the context is sent to a build.
    #[must_use]
    pub fn is_sent(&self, path: &str) -> bool {
        self.ignore.as_ref().is_ok_and(|ignore| !ignore.excludes(path))
    }

    /// The first step that takes the whole context: `COPY .`, or a bind mount of it.
    #[must_use]
    pub fn broad_step(&self) -> Option<&Step> {
        self.steps().map(|(_, step)| step).find(|step| takes_context(step))
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

/// Whether a step takes the whole context.
fn takes_context(step: &Step) -> bool {
    context_sources(step).into_iter().any(is_broad) || mounted_sources(step).iter().any(|source| is_broad(source))
}
