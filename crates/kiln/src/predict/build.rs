//! From a Dockerfile, options and contexts to a [`Model`].

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::ImageFacts;
use super::model::{MODEL_SCHEMA, Model, ModelStep, Origin, Read, Source as ReadSource, StepPlace};
use super::operation::{Operation, is_remote};
use super::outputs::{self, KnownOutputs};
use super::source::{self, Effect};
use crate::context::{Selection, Selector, Tree};
use crate::dockerfile::evaluate::{
    Base, Environment, EvaluatedStage, EvaluatedStep, EvaluationError, Graph, Options, Platform, Source,
};
use crate::dockerfile::parse::{self, File, Instruction, MountKind, ParseError, Step};
use crate::image_name::familiar;

/// What a build is made of.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The Dockerfile.
    pub dockerfile: Vec<u8>,
    /// What the build is asked for.
    pub options: Options,
    /// Files of the contexts by name; the main context has the empty one.
    pub trees: BTreeMap<String, Tree>,
    /// Text of the ignore file that counts.
    pub ignore: String,
    /// What is known of base images, by reference as the Dockerfile names them.
    pub images: BTreeMap<String, ImageFacts>,
    /// Whether the builder can merge layers: it then makes `COPY --link` apart.
    pub merges: bool,
}

/// Something that knows what is in contexts.
pub trait Contents {
    /// What selectors choose from a context, without the files; `None` where there is no such context.
    fn selection(&self, context: &str, selectors: &[Selector]) -> Option<Selection>;
}

impl Contents for BTreeMap<String, Tree> {
    fn selection(&self, context: &str, selectors: &[Selector]) -> Option<Selection> {
        Some(Selection::without_files(self.get(context)?, selectors))
    }
}

/// A build that BuildKit would refuse, too.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PredictError {
    /// The Dockerfile does not parse.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It parses, but cannot be built as asked.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// It has more of something than anybody writes. BuildKit would try.
    #[error("more {what} than can be followed")]
    TooLarge {
        /// Of what.
        what: &'static str,
    },
}

/// More steps than this are no Dockerfile: an image has 127 layers at most.
const MAX_STEPS: usize = 10_000;
/// So many steps of a stage are looked through for what has a part in what is read from it: no image has more layers.
const MAX_DEPTH: usize = 127;
/// So many variables are followed at most, those of all steps taken together.
const MAX_VARIABLES: usize = 1_000_000;

impl Model {
    /// The model of a build. `outputs` computes what steps of kiln's own leave.
    ///
    /// # Errors
    /// What BuildKit refuses before it runs anything.
    pub fn new(inputs: Inputs, outputs: &dyn KnownOutputs) -> Result<Self, PredictError> {
        let model = Self::of(&inputs, &inputs.trees, outputs)?;
        let Inputs { trees, ignore, .. } = inputs;
        Ok(Self { trees, ignore, ..model })
    }

    /// The same, with the contents of contexts from elsewhere than [`Inputs::trees`]: the model has no files.
    ///
    /// # Errors
    /// What BuildKit refuses before it runs anything.
    pub fn of(inputs: &Inputs, contents: &dyn Contents, outputs: &dyn KnownOutputs) -> Result<Self, PredictError> {
        let file = parse::parse(&inputs.dockerfile)?;
        let graph = Graph::new(&file, &inputs.options)?;
        let mut builder = Builder {
            graph: &graph,
            inputs,
            contents,
            selections: RefCell::default(),
            outputs,
            named: names_stages(&file),
            variables: 0,
            steps: Vec::new(),
            written: Vec::new(),
            links: Vec::new(),
            ends: Vec::new(),
        };
        let mut stages: Vec<Option<EvaluatedStage>> = Vec::new();
        let mut platforms: Vec<Platform> = Vec::new();
        for index in 0..graph.stages.len() {
            let stage = &graph.stages[index];
            let inherited = if let Base::Stage(base) = stage.base { Some(platforms[base].clone()) } else { None };
            platforms.push(stage.platform.clone().or(inherited).unwrap_or_else(|| inputs.options.target_platform.clone()));
            if !stage.reachable {
                builder.ends.push(Origin::Scratch);
                stages.push(None);
                continue;
            }
            let (base, image) = match &stage.base {
                Base::Stage(base) => (stages[*base].as_ref(), None),
                Base::Image(image) => (None, inputs.images.get(image).and_then(|facts| facts.config.as_ref())),
                Base::Scratch | Base::Context(_) => (None, None),
            };
            builder.count(base.map_or(0, EvaluatedStage::variables))?;
            let evaluated = graph.evaluate(&file, index, base, image)?;
            builder.stage(index, &evaluated, &platforms[index])?;
            stages.push(Some(evaluated));
        }
        let steps = builder.steps;
        let declared = declared(&file);
        let (arguments, images) = (inputs.options.build_args.clone(), inputs.images.clone());
        Ok(Self { schema: MODEL_SCHEMA, steps, arguments, declared, images, merges: inputs.merges, ..Self::default() })
    }
}

/// Whether BuildKit shows names of stages. It leaves out that of a stage that stands alone and takes nothing from elsewhere; each mount of
/// a `RUN` counts as something that is taken, whatever its kind.
fn names_stages(file: &File) -> bool {
    let takes = |step: &Step| match &step.instruction {
        Instruction::Run(run) => !run.mounts.is_empty(),
        Instruction::Copy(copy) => copy.from.is_some(),
        _ => false,
    };
    file.stages.len() > 1 || file.stages.iter().flat_map(|stage| &stage.steps).any(takes)
}

/// Whether a Dockerfile may have steps that are made apart where the builder can merge layers.
#[must_use]
pub fn uses_link(dockerfile: &[u8]) -> bool {
    dockerfile.windows(6).any(|word| word == b"--link")
}

/// Names that any `ARG` declares.
fn declared(file: &File) -> Vec<String> {
    let steps = file.global_arguments.iter().chain(file.stages.iter().flat_map(|stage| &stage.steps));
    let arguments =
        steps.filter_map(|step| if let Instruction::Arg(arguments) = &step.instruction { Some(arguments) } else { None });
    let mut names: Vec<String> = arguments.flatten().map(|argument| argument.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// By name of the context, and selectors.
type Selections = BTreeMap<(String, Vec<Selector>), Option<Selection>>;

struct Builder<'a> {
    graph: &'a Graph,
    inputs: &'a Inputs,
    contents: &'a dyn Contents,
    /// What selectors choose from contexts, as far as that was asked: several steps often read the same.
    selections: RefCell<Selections>,
    outputs: &'a dyn KnownOutputs,
    /// Whether stages are called by their names.
    named: bool,
    /// How many variables steps have been given.
    variables: usize,
    steps: Vec<ModelStep>,
    /// Files that a step is known to leave, by path, with a hash.
    written: Vec<BTreeMap<String, String>>,
    /// Whether programs may have made links in what a step leaves.
    links: Vec<bool>,
    /// What each stage ends with.
    ends: Vec<Origin>,
}

/// What has a part in what is read from a stage.
struct Part {
    /// The program, image or folder that the stage begins with, as far as that is of interest.
    ground: Origin,
    /// Hash of the file instructions on top of it; empty if there are none.
    above: String,
}

impl Builder<'_> {
    /// Counts variables, which each step and each stage gets for itself.
    fn count(&mut self, variables: usize) -> Result<(), PredictError> {
        self.variables += variables;
        if self.variables > MAX_VARIABLES { Err(PredictError::TooLarge { what: "variables" }) } else { Ok(()) }
    }

    fn stage(&mut self, index: usize, evaluated: &EvaluatedStage, platform: &Platform) -> Result<(), PredictError> {
        let stage = &self.graph.stages[index];
        let mut base = match &stage.base {
            Base::Scratch => Origin::Scratch,
            Base::Stage(base) => self.ends[*base].clone(),
            Base::Context(name) => Origin::Context(name.clone()),
            Base::Image(image) => Origin::Image(image.clone()),
        };
        // The image itself is counted.
        let mut number = u32::from(matches!(stage.base, Base::Image(_) | Base::Context(_)));
        let mut trigger = number;
        let steps: &[EvaluatedStep] = if stage.replaced { &[] } else { &evaluated.steps };
        for step in steps {
            use Instruction::{Add, Copy, Run, Workdir};
            if !matches!(step.instruction, Run(_) | Copy(_) | Add(_) | Workdir(_)) {
                continue;
            }
            let counter = if step.position.is_some() { &mut number } else { &mut trigger };
            // `WORKDIR /` has a number, though it is no step.
            *counter += u32::from(matches!(step.instruction, Workdir(_)) && step.workdir == "/");
            let environment = evaluated.environment(step);
            let Some((operation, reads, linked)) = self.operation(&environment, step, platform) else { continue };
            self.count(environment.count())?;
            if self.steps.len() >= MAX_STEPS {
                return Err(PredictError::TooLarge { what: "steps" });
            }
            *counter += 1;
            let index_in_stage = *counter;
            let base_key = self.identity(&base);
            let operation_key = operation.key();
            let mut key = vec![operation_key.as_str()];
            if !linked {
                key.push(&base_key);
            }
            let read: Vec<String> = reads.iter().map(Read::key).collect();
            key.extend(read.iter().map(String::as_str));
            let key = hash(&key);
            let output = if linked { hash(&["merge", &base_key, &key]) } else { key.clone() };
            let text = if step.position.is_some() { step.original.clone() } else { format!("ONBUILD {}", step.original) };
            self.written.push(self.written_by(step, &operation));
            let links_below = if let Origin::Step(number) = base { self.links[number] } else { false };
            self.links.push(links_below || operation.kind == "run" && source::makes_links(step));
            let variables = named(&text).filter_map(|name| Some((name.to_owned(), environment.get(name)?.to_owned()))).collect();
            let name = if self.named { stage.name.clone() } else { "stage-0".to_owned() };
            let place = StepPlace { stage: name, index: index_in_stage, line: step.lines.first };
            self.steps.push(ModelStep {
                place,
                text,
                operation,
                variables,
                base: std::mem::replace(&mut base, Origin::Step(self.steps.len())),
                base_key,
                linked,
                reads,
                operation_key,
                key,
                output,
                done: false,
                name: None,
            });
        }
        self.ends.push(base);
        Ok(())
    }

    /// What a step does and reads; nothing for instructions that are no steps to BuildKit.
    fn operation(
        &self,
        environment: &Environment,
        step: &EvaluatedStep,
        platform: &Platform,
    ) -> Option<(Operation, Vec<Read>, bool)> {
        match &step.instruction {
            Instruction::Run(run) => {
                let environment =
                    environment.in_order().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                let namespace = self.inputs.options.build_args.get("BUILDKIT_CACHE_MOUNT_NS").map_or("", String::as_str);
                Some((Operation::run(step, run, environment, platform, namespace), self.mounted(step), false))
            }
            Instruction::Copy(copy) => {
                let linked = copy.link && copy.chmod.is_none() && self.inputs.merges;
                let origin = match &copy.from {
                    None => Origin::Context(String::new()),
                    Some(from) => self.origin(from, true),
                };
                let selectors = copy
                    .sources
                    .iter()
                    .map(|source| if copy.parents { parents(source, &copy.excludes) } else { filtered(source, &copy.excludes) });
                let reads = self.reads(vec![(origin, selectors.collect())]);
                Some((Operation::copy(step, copy, linked), reads, linked))
            }
            Instruction::Add(add) => {
                let linked = add.link && add.chmod.is_none() && self.inputs.merges;
                let local = add.sources.iter().filter(|source| !is_remote(source));
                let local = local.map(|source| filtered(source, &add.excludes)).collect();
                let remote = add.sources.iter().filter(|source| is_remote(source));
                let remote = remote.map(|source| (Origin::Remote(source.clone()), Vec::new()));
                let reads = self.reads(remote.chain([(Origin::Context(String::new()), local)]).collect());
                Some((Operation::add(step, add, linked), reads, linked))
            }
            // The root is there already.
            Instruction::Workdir(_) if step.workdir != "/" => {
                let dated = self.inputs.options.build_args.get("SOURCE_DATE_EPOCH");
                let mut operation = Operation::workdir(step, dated.is_some());
                operation.flags.extend(dated.cloned());
                Some((operation, Vec::new(), false))
            }
            _ => None,
        }
    }

    /// What the mounts of a `RUN` read: one entry for each origin, as BuildKit has one input for each.
    fn mounted(&self, step: &EvaluatedStep) -> Vec<Read> {
        let mut mounts: Vec<_> = step.mounts.iter().collect();
        mounts.sort_by(|a, b| a.target.cmp(&b.target));
        let mut found: Vec<(Origin, Vec<Selector>)> = Vec::new();
        for mount in mounts {
            let origin = match (&mount.from, mount.kind) {
                (Some(from), MountKind::Bind | MountKind::Cache) => self.origin(from, false),
                (None, MountKind::Bind) => Origin::Context(String::new()),
                _ => continue,
            };
            let selector = Selector::new(mount.source.as_deref().unwrap_or("/"), false);
            match found.iter_mut().find(|(known, _)| *known == origin) {
                Some((_, selectors)) => selectors.push(selector),
                None => found.push((origin, vec![selector])),
            }
        }
        self.reads(found)
    }

    fn reads(&self, found: Vec<(Origin, Vec<Selector>)>) -> Vec<Read> {
        let used = found.into_iter().filter(|(origin, selectors)| !selectors.is_empty() || matches!(origin, Origin::Remote(_)));
        used.map(|(origin, selectors)| {
            let part = self.part(&origin, &selectors);
            let mut missing = Vec::new();
            let content = if part.above.is_empty() { self.content(&part.ground, &selectors, &mut missing) } else { None };
            let (files, source) = match part.ground {
                _ if !matches!(origin, Origin::Step(_)) => (None, None),
                Origin::Step(_) if part.ground == origin => (None, None),
                Origin::Step(step) => {
                    let (key, above) = (self.identity(&part.ground), part.above);
                    (None, Some(ReadSource { step, key, above }))
                }
                _ => (self.ground(&part.ground).map(|ground| hash(&["files", &ground, &part.above])), None),
            };
            Read { origin_key: self.identity(&origin), origin, source, selectors, content, files, missing }
        })
        .collect()
    }

    /// What has a part in what is read from an origin.
    fn part(&self, origin: &Origin, selectors: &[Selector]) -> Part {
        let mut above = Vec::new();
        let mut at = origin;
        for _ in 0..MAX_DEPTH {
            let Origin::Step(number) = at else { break };
            if self.links[*number] {
                break;
            }
            let step = &self.steps[*number];
            match source::effect(&step.operation, selectors) {
                Effect::None => {}
                Effect::Files => {
                    above.push(step.operation_key.clone());
                    above.extend(step.reads.iter().map(Read::identity));
                }
                Effect::Any => break,
            }
            at = &step.base;
        }
        let parts: Vec<&str> = above.iter().map(String::as_str).collect();
        Part { ground: at.clone(), above: if above.is_empty() { String::new() } else { hash(&parts) } }
    }

    /// Identity of what is below all steps; none for a step.
    fn ground(&self, origin: &Origin) -> Option<String> {
        match origin {
            Origin::Step(_) => None,
            // BuildKit has no key for such a folder, but its files are known.
            Origin::Context(name) => Some(hash(&["context", &self.selection(name, &[Selector::new("/", false)])?.hash])),
            origin => Some(self.identity(origin)),
        }
    }

    fn content(&self, origin: &Origin, selectors: &[Selector], missing: &mut Vec<String>) -> Option<String> {
        match origin {
            Origin::Context(name) => {
                let selection = self.selection(name, selectors)?;
                *missing = selection.missing;
                Some(selection.hash)
            }
            Origin::Scratch => Some(Selection::without_files(&Tree::default(), selectors).hash),
            Origin::Step(number) => {
                let known = &self.written[*number];
                let known: Option<Vec<&str>> =
                    selectors.iter().map(|selector| known.get(&selector.path).map(String::as_str)).collect();
                known.filter(|known| !known.is_empty()).map(|known| hash(&known))
            }
            Origin::Image(_) | Origin::Remote(_) => None,
        }
    }

    fn selection(&self, context: &str, selectors: &[Selector]) -> Option<Selection> {
        let mut known = self.selections.borrow_mut();
        let selection = known.entry((context.to_owned(), selectors.to_vec()));
        selection.or_insert_with(|| self.contents.selection(context, selectors)).clone()
    }

    fn written_by(&self, step: &EvaluatedStep, operation: &Operation) -> BTreeMap<String, String> {
        if operation.kind != "run" {
            return BTreeMap::new();
        }
        let Some(call) = outputs::recognise(&step.argv, &step.mounts) else { return BTreeMap::new() };
        self.outputs.of(&call).unwrap_or_default()
    }

    fn origin(&self, from: &str, by_index: bool) -> Origin {
        match self.graph.source(&self.inputs.options, from, by_index) {
            Source::Main => Origin::Context(String::new()),
            Source::Scratch => Origin::Scratch,
            // A stage of this name that does not come before is refused elsewhere.
            Source::Stage(stage) => self.ends.get(stage).cloned().unwrap_or(Origin::Scratch),
            Source::Context(name) => Origin::Context(name),
            Source::Image(image) => Origin::Image(image),
        }
    }

    fn identity(&self, origin: &Origin) -> String {
        match origin {
            Origin::Scratch => "scratch".to_owned(),
            Origin::Step(number) => self.steps[*number].output.clone(),
            Origin::Image(image) => match self.inputs.images.get(image) {
                Some(ImageFacts { id, .. }) if !id.is_empty() => format!("image {id}"),
                _ => format!("image {}", familiar(image)),
            },
            Origin::Context(name) => format!("context {name}"),
            Origin::Remote(address) => format!("remote {address}"),
        }
    }
}

/// One hash of several texts.
pub(super) fn hash(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or_default().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

fn filtered(source: &str, excludes: &[String]) -> Selector {
    Selector { exclude: excludes.to_vec(), ..Selector::new(source, true) }
}

/// `--parents`: what is before `/./` is the root of the copy, the rest a pattern below it.
fn parents(source: &str, excludes: &[String]) -> Selector {
    let (root, pattern) = source.split_once("/./").unwrap_or(("", source));
    let pattern = Selector::new(pattern, false).path;
    let include = if pattern.is_empty() { Vec::new() } else { vec![pattern] };
    Selector { include, exclude: excludes.to_vec(), ..Selector::new(root, false) }
}

/// Names of variables that a text mentions: `$NAME`, `${NAME…}`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        Some(&rest[..end]).filter(|name| !name.is_empty())
    })
}
