//! One stage, instruction by instruction.

use std::collections::HashMap;

use super::super::parse::{
    Add, Argument, CommandLine, Copy, Expanded, File, InlineFile, Instruction, Lexer, Lines, MountError, MountKind, Pair,
    ParsedMount, Run, Step, WordError, parse_trigger,
};
use super::{Environment, EvaluationError, EvaluationErrorKind, Graph, ImageConfig};

/// What BuildKit adds to images without a `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage with everything expanded.
#[derive(Debug, Clone, Default)]
pub struct EvaluatedStage {
    /// Its steps, triggers of the base first.
    pub steps: Vec<EvaluatedStep>,
    /// Names that instructions used though nothing sets them, with the line.
    pub unset: Vec<(usize, String)>,
    /// Variables that the stage begins with.
    base: Environment,
    /// What `ENV` and `ARG` define, in order.
    definitions: Vec<(String, String)>,
    /// Variables at its end.
    environment: Environment,
    /// What it leaves to stages that are based on it.
    config: Config,
}

/// One instruction with its variables expanded.
#[derive(Debug, Clone)]
pub struct EvaluatedStep {
    /// Position among the stage's steps in the file; absent for a trigger of the base.
    pub position: Option<usize>,
    /// Lines in the Dockerfile; those of `FROM` for a trigger.
    pub lines: Lines,
    /// The instruction as written, continuations joined; that of a trigger without `ONBUILD`.
    pub original: String,
    /// The instruction, expanded as BuildKit expands it. A `RUN` keeps its command, which only the shell expands.
    pub instruction: Instruction,
    /// `RUN`: its mounts, expanded.
    pub mounts: Vec<ParsedMount>,
    /// `RUN`: the program and its arguments, shell included.
    pub argv: Vec<String>,
    /// `RUN` of a heredoc with a `#!` line: the script that is mounted and run.
    pub script: Option<InlineScript>,
    /// Folder in which it runs; for `WORKDIR` the new one.
    pub workdir: String,
    /// User as which it runs; root when empty.
    pub user: String,
    /// How many definitions of the stage it sees.
    definitions: usize,
}

/// A script whose text stands in the Dockerfile; BuildKit mounts it at `/dev/pipes/<name>` with mode 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineScript {
    /// Delimiter of the heredoc.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// An image's configuration while it is made.
#[derive(Debug, Clone, Default)]
struct Config {
    env: Vec<(String, String)>,
    positions: HashMap<String, usize>,
    workdir: String,
    user: String,
    shell: Vec<String>,
    onbuild: Vec<String>,
}

impl Config {
    /// Replaces in place, unlike [`Environment::set`].
    fn set(&mut self, name: &str, value: &str) {
        if let Some(&at) = self.positions.get(name) {
            value.clone_into(&mut self.env[at].1);
        } else {
            self.positions.insert(name.to_owned(), self.env.len());
            self.env.push((name.to_owned(), value.to_owned()));
        }
    }
}

impl EvaluatedStage {
    /// The variables that a step sees, in the order that is part of its key. For `ENV` and `ARG`, those before it.
    #[must_use]
    pub fn environment(&self, step: &EvaluatedStep) -> Environment {
        let mut environment = self.base.clone();
        for (name, value) in &self.definitions[..step.definitions] {
            environment.set(name.as_str(), value.as_str());
        }
        environment
    }

    /// How many variables there are at its end, and so at the begin of stages that are based on it.
    #[must_use]
    pub fn variables(&self) -> usize {
        self.environment.count()
    }

    /// The configuration of the image that this stage makes, as its children inherit it.
    #[must_use]
    pub fn image(&self) -> ImageConfig {
        let Config { env, workdir, user, shell, onbuild, .. } = self.config.clone();
        ImageConfig { env, workdir, user, shell, onbuild }
    }
}

impl Graph {
    /// Expands the instructions of one stage.
    ///
    /// `base` is the evaluated stage it is based on, if it is based on one; `image` what is known of its base image otherwise.
    ///
    /// # Errors
    /// Words that cannot be expanded, bad mounts, triggers that do not parse.
    pub fn evaluate(
        &self,
        file: &File,
        index: usize,
        base: Option<&EvaluatedStage>,
        image: Option<&ImageConfig>,
    ) -> Result<EvaluatedStage, EvaluationError> {
        let mut stage = EvaluatedStage::default();
        match (base, image) {
            (Some(base), _) => {
                stage.environment = base.environment.clone();
                stage.config = base.config.clone();
            }
            (None, Some(image)) => {
                image.env.iter().for_each(|(name, value)| stage.config.set(name, value));
                stage.config.workdir.clone_from(&image.workdir);
                stage.config.user.clone_from(&image.user);
                stage.config.shell.clone_from(&image.shell);
                stage.config.onbuild.clone_from(&image.onbuild);
            }
            (None, None) => {}
        }
        if !stage.config.positions.contains_key("PATH") {
            stage.config.set("PATH", DEFAULT_PATH);
        }
        for (name, value) in &stage.config.env {
            stage.environment.set(name.as_str(), value.as_str());
        }
        stage.base = stage.environment.clone();
        if stage.config.workdir.is_empty() {
            "/".clone_into(&mut stage.config.workdir);
        }
        let from = file.stages[index].lines;
        for trigger in std::mem::take(&mut stage.config.onbuild) {
            let step = parse_trigger(&trigger)
                .map_err(|error| EvaluationError { lines: Some(from), kind: EvaluationErrorKind::Trigger(error.kind) })?;
            self.step(&mut stage, &step, None, from)?;
        }
        for (position, step) in file.stages[index].steps.iter().enumerate() {
            self.step(&mut stage, step, Some(position), step.lines)?;
        }
        Ok(stage)
    }

    fn step(
        &self,
        stage: &mut EvaluatedStage,
        step: &Step,
        position: Option<usize>,
        lines: Lines,
    ) -> Result<(), EvaluationError> {
        let at = |kind| EvaluationError { lines: Some(lines), kind };
        let definitions = stage.definitions.len();
        let mut evaluated = EvaluatedStep {
            position,
            lines,
            original: step.original.clone(),
            instruction: step.instruction.clone(),
            mounts: Vec::new(),
            argv: Vec::new(),
            script: None,
            workdir: stage.config.workdir.clone(),
            user: stage.config.user.clone(),
            definitions,
        };
        if let Instruction::Arg(arguments) = &mut evaluated.instruction {
            for argument in arguments {
                let (value, unset) = self.argument(stage, argument).map_err(at)?;
                stage.unset.extend(unset.into_iter().map(|name| (lines.first, name)));
                argument.default.clone_from(&value);
                if let Some(value) = value {
                    stage.define(&argument.name, &value);
                }
            }
            stage.steps.push(evaluated);
            return Ok(());
        }
        let mut expansion = Expansion { lexer: Lexer::new(self.escape), environment: &stage.environment, unset: Vec::new() };
        expansion.instruction(&mut evaluated.instruction).map_err(at)?;
        if let Instruction::Run(run) = &evaluated.instruction {
            evaluated.mounts = expansion.mounts(run, &evaluated.workdir).map_err(at)?;
            (evaluated.argv, evaluated.script) = command(&run.command, &stage.config.shell);
        }
        let unset = std::mem::take(&mut expansion.unset);
        stage.unset.extend(unset.into_iter().map(|name| (lines.first, name)));
        stage.apply(&mut evaluated);
        stage.steps.push(evaluated);
        Ok(())
    }

    /// The value that an `ARG` gives its name: from outside, else its default, else that of the global argument.
    fn argument(
        &self,
        stage: &EvaluatedStage,
        argument: &Argument,
    ) -> Result<(Option<String>, Vec<String>), EvaluationErrorKind> {
        let mut expansion = Expansion { lexer: Lexer::new(self.escape), environment: &stage.environment, unset: Vec::new() };
        let value = match (self.build_args.get(&argument.name), argument.default.clone()) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(mut default)) => {
                expansion.word(&mut default)?;
                Some(default)
            }
            (None, None) => self.global.get(&argument.name).map(str::to_owned),
        };
        Ok((value, expansion.unset))
    }
}

impl EvaluatedStage {
    fn define(&mut self, name: &str, value: &str) {
        self.environment.set(name, value);
        self.definitions.push((name.to_owned(), value.to_owned()));
    }

    /// What an expanded instruction changes for those after it.
    fn apply(&mut self, step: &mut EvaluatedStep) {
        match &step.instruction {
            Instruction::Env(pairs) => {
                for Pair { name, value } in pairs {
                    self.define(name, value);
                    self.config.set(name, value);
                }
            }
            Instruction::Workdir(path) => {
                // An absolute path stays as it is written, also with a slash at its end.
                step.workdir = match path.as_str() {
                    "" => self.config.workdir.clone(),
                    path if path.starts_with('/') => path.to_owned(),
                    path => joined(&self.config.workdir, path),
                };
                self.config.workdir.clone_from(&step.workdir);
            }
            Instruction::User(user) => self.config.user.clone_from(user),
            Instruction::Shell(shell) => self.config.shell.clone_from(shell),
            Instruction::Onbuild(trigger) => self.config.onbuild.push(trigger.clone()),
            _ => {}
        }
    }
}

/// An absolute path within an image, `.` and `..` resolved by text.
fn joined(folder: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The program that a `RUN` starts, and the script it needs for that.
fn command(command: &CommandLine, shell: &[String]) -> (Vec<String>, Option<InlineScript>) {
    let mut words = command.words.clone();
    let mut script = None;
    if let (Some(first), [line]) = (command.heredocs.first(), words.as_mut_slice()) {
        if !command.is_one_heredoc() {
            // The shell itself reads the heredocs.
            for heredoc in &command.heredocs {
                line.push('\n');
                line.push_str(&heredoc.content);
                line.push_str(&heredoc.name);
            }
        } else if first.content.starts_with("#!") {
            *line = format!("/dev/pipes/{}", first.name);
            script = Some(InlineScript { name: first.name.clone(), text: first.text() });
        } else {
            *line = first.text();
        }
    }
    if !command.shell {
        return (words, script);
    }
    let mut argv = if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell.to_vec() };
    argv.push(words.join(" "));
    (argv, script)
}

/// Expands the words of an instruction.
struct Expansion<'a> {
    lexer: Lexer,
    environment: &'a Environment,
    unset: Vec<String>,
}

impl Expansion<'_> {
    fn expanded(&self, lexer: Lexer, word: &str) -> Result<Expanded, EvaluationErrorKind> {
        let expanded = lexer.word(word, &|name| self.environment.get(name).map(str::to_owned));
        expanded.map_err(|error| EvaluationErrorKind::Word { word: word.to_owned(), error })
    }

    fn word(&mut self, word: &mut String) -> Result<(), EvaluationErrorKind> {
        let expanded = self.expanded(self.lexer, word)?;
        *word = expanded.text;
        self.unset.extend(expanded.unset);
        Ok(())
    }

    fn words<'w>(&mut self, words: impl IntoIterator<Item = &'w mut String>) -> Result<(), EvaluationErrorKind> {
        words.into_iter().try_for_each(|word| self.word(word))
    }

    fn files(&mut self, files: &mut [InlineFile]) -> Result<(), EvaluationErrorKind> {
        for file in files.iter_mut().filter(|file| file.expands) {
            let expanded = self.expanded(Lexer::for_heredoc(), &file.text)?;
            file.text = expanded.text;
            self.unset.extend(expanded.unset);
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: &mut Instruction) -> Result<(), EvaluationErrorKind> {
        match instruction {
            Instruction::Env(pairs) | Instruction::Label(pairs) => {
                pairs.iter_mut().try_for_each(|pair| self.words([&mut pair.name, &mut pair.value]))
            }
            Instruction::Add(Add { chown, chmod, checksum, excludes, sources, files, destination, .. }) => {
                self.words(chown.iter_mut().chain(chmod).chain(checksum).chain(excludes).chain(sources).chain([destination]))?;
                self.files(files)
            }
            Instruction::Copy(Copy { chown, chmod, excludes, sources, files, destination, .. }) => {
                self.words(chown.iter_mut().chain(chmod).chain(excludes).chain(sources).chain([destination]))?;
                self.files(files)
            }
            Instruction::Workdir(word) | Instruction::User(word) | Instruction::StopSignal(word) => self.word(word),
            Instruction::Volume(words) => self.words(words),
            Instruction::Expose(ports) => self.ports(ports),
            // Commands are for the shell, health checks and triggers for later.
            _ => Ok(()),
        }
    }

    /// One word of `EXPOSE` can become several ports.
    fn ports(&mut self, ports: &mut Vec<String>) -> Result<(), EvaluationErrorKind> {
        let mut expanded = Vec::new();
        for port in ports.iter() {
            let words = self.lexer.words(port, &|name| self.environment.get(name).map(str::to_owned));
            expanded.extend(words.map_err(|error| EvaluationErrorKind::Word { word: port.clone(), error })?);
        }
        *ports = expanded;
        Ok(())
    }

    fn mounts(&mut self, run: &Run, workdir: &str) -> Result<Vec<ParsedMount>, EvaluationErrorKind> {
        let unset = std::cell::RefCell::new(Vec::new());
        let expand = |value: &str| -> Result<String, WordError> {
            let expanded = self.lexer.word(value, &|name| self.environment.get(name).map(str::to_owned))?;
            unset.borrow_mut().extend(expanded.unset);
            Ok(expanded.text)
        };
        let checked = |mount: ParsedMount| {
            let whole = joined(workdir, mount.target.as_deref().unwrap_or_default()) == "/";
            let is_folder = matches!(mount.kind, MountKind::Bind | MountKind::Cache | MountKind::Tmpfs);
            if whole && is_folder { Err(MountError::BadTarget("/".to_owned())) } else { Ok(mount) }
        };
        let mounts = run
            .mounts
            .iter()
            .map(|mount| mount.expanded(&expand).and_then(checked).map_err(EvaluationErrorKind::Mount))
            .collect();
        self.unset.extend(unset.into_inner());
        mounts
    }
}
