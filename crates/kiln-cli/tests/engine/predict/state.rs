//! A Dockerfile and the options of its build: what is edited.

use std::collections::{BTreeMap, BTreeSet};

use super::pieces::{FILES, FROM_STAGES, PARENTS, Piece, RUNS, SETTINGS, TRIGGERS};
use super::random::Random;

/// What the engine of the test has, and where things are.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    /// An image with a shell.
    pub(super) image: String,
    /// Another one.
    pub(super) other: String,
    /// One with triggers.
    pub(super) onbuild: String,
    /// Address of the server.
    pub(super) url: String,
    /// Whether the engine knows `--parents`.
    pub(super) parents: bool,
}

/// One instruction and the feature that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) feature: &'static str,
    pub(super) text: String,
}

/// What a stage begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Image,
    Stage(usize),
    /// An argument that names an image or a stage.
    Argument,
    Platform,
    Onbuild,
    Scratch,
    Context,
}

#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) head: Line,
    pub(super) lines: Vec<Line>,
    /// Whether there is a shell.
    pub(super) runs: bool,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    /// Sets a chain apart from all others on the engine.
    id: String,
    pub(super) global: String,
    pub(super) stages: Vec<Stage>,
    pub(super) build_args: BTreeMap<String, String>,
    pub(super) target: Option<String>,
    pub(super) platform: bool,
}

impl State {
    /// Some stages of some instructions.
    pub(super) fn new(random: &mut Random, around: &Around, id: &str) -> Self {
        let mut state = Self {
            id: id.to_owned(),
            global: "ARG G=1".to_owned(),
            stages: Vec::new(),
            build_args: BTreeMap::new(),
            target: None,
            platform: false,
        };
        for number in 0..1 + random.below(3) {
            let base = match random.below(12) {
                0..3 if number > 0 => Base::Stage(random.below(number)),
                3 => Base::Argument,
                4 => Base::Platform,
                5 => Base::Onbuild,
                6 => Base::Scratch,
                7 => Base::Context,
                _ => Base::Image,
            };
            let stage = state.stage(random, around, number, base);
            state.stages.push(stage);
        }
        // The last one uses each that came before.
        for number in 0..state.stages.len() - 1 {
            let last = state.stages.len() - 1;
            let usable: Vec<Piece> =
                FROM_STAGES.iter().filter(|(_, text)| state.stages[last].runs || !text.starts_with("RUN")).copied().collect();
            let (feature, text) = usable[random.below(usable.len())];
            let text = text.replace("{s}", &number.to_string()).replace("{id}", &state.id);
            let lines = &mut state.stages[last].lines;
            let at = 1 + random.below(lines.len());
            lines.insert(at, Line { feature, text });
        }
        state
    }

    fn stage(&mut self, random: &mut Random, around: &Around, number: usize, base: Base) -> Stage {
        let Around { image, onbuild, .. } = around;
        let (feature, from, runs) = match base {
            Base::Image => ("image", image.clone(), true),
            Base::Stage(base) => {
                if random.one_in(3) && !matches!(self.stages[base].head.feature, "scratch" | "named context") {
                    let (feature, text) = TRIGGERS[random.below(TRIGGERS.len())];
                    let text = text.replace("{n}", &(1 + random.below(3)).to_string());
                    self.stages[base].lines.push(Line { feature, text });
                }
                ("stage", format!("s{base}"), self.stages[base].runs)
            }
            Base::Argument => {
                self.global = format!("ARG G=1\nARG BASE={image}");
                ("argument in FROM", "${BASE}".to_owned(), true)
            }
            Base::Platform => ("--platform", format!("--platform=$BUILDPLATFORM {image}"), true),
            Base::Onbuild => ("ONBUILD", onbuild.clone(), true),
            Base::Scratch => ("scratch", "scratch".to_owned(), false),
            Base::Context => ("named context", "extra".to_owned(), false),
        };
        let head = Line { feature, text: format!("FROM {from} AS s{number}") };
        let own = Line { feature: "working directory", text: format!("WORKDIR /n{}-{number}", self.id) };
        // Other stages ask for these.
        let made = if runs { "RUN mkdir -p /o /p && echo 1 > /o/f" } else { "COPY one.txt /o/f" };
        let made = Line { feature: if runs { "run" } else { "copy" }, text: made.to_owned() };
        let mut stage = Stage { head, lines: vec![own, made], runs };
        for _ in 0..2 + random.below(4) {
            let line = self.instruction(random, around, runs);
            stage.lines.push(line);
        }
        stage
    }

    pub(super) fn instruction(&self, random: &mut Random, around: &Around, runs: bool) -> Line {
        let pool = match random.below(11) {
            0..4 if runs => RUNS,
            4 if around.parents => PARENTS,
            5..7 => SETTINGS,
            _ => FILES,
        };
        let (feature, text) = pool[random.below(pool.len())];
        let number = (1 + random.below(3)).to_string();
        Line { feature, text: text.replace("{n}", &number).replace("{id}", &self.id).replace("{url}", &around.url) }
    }

    pub(super) fn dockerfile(&self) -> String {
        let mut text = format!("{}\n", self.global);
        for line in self.stages.iter().flat_map(|stage| std::iter::once(&stage.head).chain(&stage.lines)) {
            text = text + &line.text + "\n";
        }
        text
    }

    /// Features that the Dockerfile and the options use.
    pub(super) fn features(&self) -> BTreeSet<&'static str> {
        let lines = self.stages.iter().flat_map(|stage| std::iter::once(&stage.head).chain(&stage.lines));
        let mut features: BTreeSet<&'static str> = lines.map(|line| line.feature).collect();
        features.extend((self.stages.len() > 1).then_some("several stages"));
        features.extend(self.target.is_some().then_some("--target"));
        features.extend(self.platform.then_some("--platform"));
        features.extend((!self.build_args.is_empty()).then_some("--build-arg"));
        features
    }

    /// Name of a stage.
    pub(super) fn name_of(&self, number: usize) -> Option<String> {
        self.stages[number].head.text.split_once(" AS ").map(|(_, name)| name.to_owned())
    }

    /// A line that may be changed: neither what sets the chain apart nor what others ask for.
    pub(super) fn any_line(&mut self, random: &mut Random) -> Option<&mut Line> {
        let stage = random.below(self.stages.len());
        let lines = &mut self.stages[stage].lines;
        let at = random.below(lines.len());
        lines.get_mut(at).filter(|_| at > 1)
    }
}
