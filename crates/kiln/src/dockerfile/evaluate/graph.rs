//! Stages: what each is based on, what it copies from, and which of them a build needs.

use std::collections::{BTreeSet, HashMap};

use super::super::parse::{File, Instruction, Lexer, Lines, ParsedStage, Step, parse_trigger};
use super::{Environment, EvaluationError, EvaluationErrorKind, Options, Platform};

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An earlier stage, by index.
    Stage(usize),
    /// A named context.
    Context(String),
    /// An image.
    Image(String),
}

/// Where a `COPY`, `ADD` or mount takes files from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The build context.
    Main,
    /// Nothing: an empty folder.
    Scratch,
    /// A stage, by index.
    Stage(usize),
    /// A named context.
    Context(String),
    /// An image.
    Image(String),
}

/// The stages of a Dockerfile for one build.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Stages in the order of the file.
    pub stages: Vec<GraphStage>,
    /// Index of the stage that is built.
    pub target: usize,
    /// Global arguments and platform arguments.
    pub global: Environment,
    /// Indexes of stages by their names, those of the whole file.
    names: HashMap<String, usize>,
    pub(super) escape: char,
    pub(super) build_args: std::collections::BTreeMap<String, String>,
}

/// One stage.
#[derive(Debug, Clone)]
pub struct GraphStage {
    /// Its name; `stage-N` where it has none.
    pub name: String,
    /// Lines of its `FROM`.
    pub lines: Lines,
    /// What it begins with.
    pub base: Base,
    /// `--platform`, expanded.
    pub platform: Option<Platform>,
    /// Stages it needs, by index: its base and what it copies or mounts from.
    pub needs: BTreeSet<usize>,
    /// Whether the target needs it.
    pub reachable: bool,
    /// Whether a named context of the stage's name stands for it, so that its instructions do not count.
    pub replaced: bool,
}

impl Graph {
    /// Expands `FROM` lines and connects stages.
    ///
    /// # Errors
    /// What BuildKit refuses: blank bases, unknown targets and stage indexes, stages that need each other or a later one.
    pub fn new(file: &File, options: &Options) -> Result<Self, EvaluationError> {
        let escape = file.directives.escape_character();
        let global = global(file, options, escape)?;
        let build_args = options.build_args.clone();
        let mut graph = Self { stages: Vec::new(), target: 0, global, names: HashMap::new(), escape, build_args };
        let mut names: HashMap<String, usize> = HashMap::new();
        for (index, stage) in file.stages.iter().enumerate() {
            let stage_graph = graph.stage(index, stage, &names, options)?;
            graph.stages.push(stage_graph);
            if let Some(name) = &stage.from.name {
                names.insert(name.clone(), index);
            }
        }
        graph.target = match options.target.as_deref().filter(|target| !target.is_empty()) {
            None => graph.stages.len() - 1,
            Some(target) => *names
                .get(target.to_lowercase().as_str())
                .ok_or_else(|| EvaluationError { lines: None, kind: EvaluationErrorKind::NoTarget(target.to_owned()) })?,
        };
        let mut edges = Vec::new();
        for (index, stage) in file.stages.iter().enumerate().filter(|(index, _)| !graph.stages[*index].replaced) {
            for step in stage.steps.iter().chain(&triggers(file, &graph.stages[index])) {
                for (source, mount) in sources(step, options, &names, file.stages.len())? {
                    if let Source::Stage(from) = source {
                        edges.push(Edge { stage: index, from, lines: step.lines, mount });
                    }
                }
            }
        }
        for edge in &edges {
            graph.stages[edge.stage].needs.insert(edge.from);
        }
        graph.names = names;
        graph.check_cycles(&edges)?;
        graph.mark_reachable();
        graph.check_order(&edges)?;
        Ok(graph)
    }

    /// Where `--from=name` of a `COPY`, or of a mount, takes its files from.
    ///
    /// The names are those of the whole file, as in BuildKit; numbers are stages for `COPY` alone.
    #[must_use]
    pub fn source(&self, options: &Options, from: &str, by_index: bool) -> Source {
        named_source(from, options, &self.names, by_index.then_some(self.stages.len()))
            .unwrap_or_else(|_| Source::Image(from.to_owned()))
    }

    fn stage(
        &self,
        index: usize,
        stage: &ParsedStage,
        names: &HashMap<String, usize>,
        options: &Options,
    ) -> Result<GraphStage, EvaluationError> {
        let at = |kind| EvaluationError { lines: Some(stage.lines), kind };
        let lexer = Lexer::new(self.escape);
        let expand = |word: &str| {
            let expanded = lexer.word(word, &|name| self.global.get(name).map(str::to_owned));
            expanded.map(|expanded| expanded.text).map_err(|error| at(EvaluationErrorKind::Word { word: word.to_owned(), error }))
        };
        let image = expand(&stage.from.image)?;
        if image.is_empty() {
            return Err(at(EvaluationErrorKind::BlankBase(stage.from.image.clone())));
        }
        let platform = match &stage.from.platform {
            None => None,
            Some(expression) => {
                let text = expand(expression)?;
                if text.is_empty() {
                    return Err(at(EvaluationErrorKind::BlankPlatform(expression.clone())));
                }
                Some(Platform::parse(&text).ok_or_else(|| at(EvaluationErrorKind::BadPlatform(text)))?)
            }
        };
        // A stage that is itself replaced by a context keeps its name; what it does no longer matters.
        let own = stage.from.name.as_deref().filter(|name| options.contexts.contains(*name));
        let base = match (own, names.get(image.as_str()), options.context(&image)) {
            (Some(name), ..) => Base::Context(name.to_owned()),
            (None, Some(&earlier), _) => Base::Stage(earlier),
            (None, None, _) if image == "scratch" => Base::Scratch,
            (None, None, Some(context)) => Base::Context(context.clone()),
            (None, None, None) if !is_reference(&image) => return Err(at(bad_reference(image))),
            (None, None, None) => Base::Image(image),
        };
        let needs = if let Base::Stage(earlier) = base { BTreeSet::from([earlier]) } else { BTreeSet::new() };
        let name = stage.from.name.clone().unwrap_or_else(|| format!("stage-{index}"));
        Ok(GraphStage { name, lines: stage.lines, base, platform, needs, reachable: false, replaced: own.is_some() })
    }

    /// Refuses stages that need each other.
    fn check_cycles(&self, edges: &[Edge]) -> Result<(), EvaluationError> {
        let mut state = vec![0_u8; self.stages.len()];
        for start in 0..self.stages.len() {
            // Depth first without recursion: a chain of thousands of stages is fine.
            let mut path: Vec<(usize, Vec<usize>)> = Vec::new();
            let mut enter = Some(start);
            loop {
                if let Some(stage) = enter.take() {
                    match state[stage] {
                        0 => {
                            state[stage] = 1;
                            path.push((stage, self.stages[stage].needs.iter().copied().collect()));
                        }
                        1 => {
                            let from = path.last().map_or(stage, |(stage, _)| *stage);
                            let closing = edges.iter().find(|edge| edge.stage == from && edge.from == stage);
                            let lines = closing.map_or(self.stages[from].lines, |edge| edge.lines);
                            let kind = EvaluationErrorKind::Circular(self.stages[stage].name.clone());
                            return Err(EvaluationError { lines: Some(lines), kind });
                        }
                        _ => {}
                    }
                }
                let Some((stage, rest)) = path.last_mut() else { break };
                match rest.pop() {
                    Some(next) => enter = Some(next),
                    None => {
                        state[*stage] = 2;
                        path.pop();
                    }
                }
            }
        }
        Ok(())
    }

    /// Refuses files of a stage further down. BuildKit looks only at stages that the target needs.
    fn check_order(&self, edges: &[Edge]) -> Result<(), EvaluationError> {
        let Some(edge) = edges.iter().find(|edge| edge.from > edge.stage && self.stages[edge.stage].reachable) else {
            return Ok(());
        };
        let (from, stage) = (self.stages[edge.from].name.clone(), self.stages[edge.stage].name.clone());
        let kind = match &edge.mount {
            Some(target) => EvaluationErrorKind::LaterMount { from, target: target.clone() },
            None => EvaluationErrorKind::LaterStage { from, stage },
        };
        Err(EvaluationError { lines: Some(edge.lines), kind })
    }

    fn mark_reachable(&mut self) {
        let mut open = vec![self.target];
        while let Some(index) = open.pop() {
            if !std::mem::replace(&mut self.stages[index].reachable, true) {
                open.extend(self.stages[index].needs.iter().copied());
            }
        }
    }
}

/// The triggers that a stage inherits from another one, as instructions on the line of its `FROM`. Those that do not parse are told when
/// the stage is evaluated.
fn triggers(file: &File, stage: &GraphStage) -> Vec<Step> {
    let Base::Stage(base) = stage.base else { return Vec::new() };
    let texts = file.stages[base].steps.iter().filter_map(|step| match &step.instruction {
        Instruction::Onbuild(text) => Some(text),
        _ => None,
    });
    texts.filter_map(|text| Some(Step { lines: stage.lines, ..parse_trigger(text).ok()? })).collect()
}

/// Whether a name can be that of an image, as far as its characters go.
fn is_reference(name: &str) -> bool {
    has_reference_characters(name) && !repository_is_upper(name)
}

fn bad_reference(name: String) -> EvaluationErrorKind {
    let upper = has_reference_characters(&name) && repository_is_upper(&name);
    EvaluationErrorKind::BadReference { name, upper }
}

fn has_reference_characters(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@[]".contains(c))
}

/// Whether the path of an image name has letters that no repository may have; tags, digests and hosts may.
fn repository_is_upper(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or(name);
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    let path = name.split_once('/').map_or(name, |(host, path)| if host.contains(['.', ':']) { path } else { name });
    path.chars().any(char::is_uppercase)
}

/// That a step of a stage takes files from another stage.
#[derive(Debug)]
struct Edge {
    stage: usize,
    from: usize,
    lines: Lines,
    /// Target of the mount, where it is one.
    mount: Option<String>,
}

/// The sources of one instruction, and the targets of those that are mounts.
fn sources(
    step: &Step,
    options: &Options,
    names: &HashMap<String, usize>,
    stages: usize,
) -> Result<Vec<(Source, Option<String>)>, EvaluationError> {
    let at = |kind| EvaluationError { lines: Some(step.lines), kind };
    match &step.instruction {
        Instruction::Copy(copy) => match &copy.from {
            Some(from) => Ok(vec![(named_source(from, options, names, Some(stages)).map_err(at)?, None)]),
            None => Ok(Vec::new()),
        },
        Instruction::Run(run) => {
            let named = run.mounts.iter().filter_map(|mount| Some((mount, mount.from.as_ref()?)));
            named
                .map(|(mount, from)| {
                    let target = mount.literal().ok().and_then(|mount| mount.target).unwrap_or_default();
                    Ok((named_source(from, options, names, None).map_err(at)?, Some(target)))
                })
                .collect()
        }
        _ => Ok(Vec::new()),
    }
}

fn named_source(
    from: &str,
    options: &Options,
    names: &HashMap<String, usize>,
    stages: Option<usize>,
) -> Result<Source, EvaluationErrorKind> {
    if let (Some(stages), Ok(index)) = (stages, from.parse::<i64>()) {
        let stage = usize::try_from(index).ok().filter(|index| *index < stages);
        return stage.map(Source::Stage).ok_or(EvaluationErrorKind::NoStage(index));
    }
    let lower = from.to_lowercase();
    Ok(match (names.get(lower.as_str()), options.context(from)) {
        (Some(&stage), _) => Source::Stage(stage),
        (None, _) if from == "scratch" => Source::Scratch,
        (None, Some(context)) => Source::Context(context.clone()),
        (None, None) if stages.is_some() && from.find('$').is_some_and(|at| at + 1 < from.len()) => {
            return Err(EvaluationErrorKind::VariableInFrom);
        }
        (None, None) if !is_reference(from) => return Err(bad_reference(from.to_owned())),
        (None, None) => Source::Image(from.to_owned()),
    })
}

/// Platform arguments, then the `ARG`s before the first `FROM`.
fn global(file: &File, options: &Options, escape: char) -> Result<Environment, EvaluationError> {
    let (build, target) = (&options.build_platform, &options.target_platform);
    let stage = options.target.clone().filter(|target| !target.is_empty()).unwrap_or_else(|| "default".to_owned());
    let platform = [
        ("BUILDPLATFORM", build.to_string()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", String::new()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", build.variant.clone()),
        ("TARGETPLATFORM", target.to_string()),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", String::new()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", target.variant.clone()),
        ("TARGETSTAGE", stage),
    ];
    let mut global = Environment::default();
    for (name, value) in platform {
        let value = options.build_args.get(name).cloned().unwrap_or(value);
        global.set(name, value);
    }
    let lexer = Lexer::new(escape);
    for step in &file.global_arguments {
        let Instruction::Arg(arguments) = &step.instruction else { continue };
        for argument in arguments {
            let value = match (options.build_args.get(&argument.name), &argument.default) {
                (Some(given), _) => given.clone(),
                (None, None) => continue,
                (None, Some(default)) => {
                    let expanded = lexer.word(default, &|name| global.get(name).map(str::to_owned));
                    expanded.map(|expanded| expanded.text).map_err(|error| EvaluationError {
                        lines: Some(step.lines),
                        kind: EvaluationErrorKind::Word { word: default.clone(), error },
                    })?
                }
            };
            global.set(argument.name.clone(), value);
        }
    }
    Ok(global)
}
