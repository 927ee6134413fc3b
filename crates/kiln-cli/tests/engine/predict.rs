//! What is predicted against what the engine does: random Dockerfiles, random edits, one build after each.
//!
//! `KILN_TEST_PAIRS` says how many pairs of builds (40), `KILN_TEST_SEED` where to begin. Each disagreement is told with the Dockerfiles.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::{BuildRequest, Buildx, Engine as _, Output};
use kiln::event::{BuildState, StepStatus};
use kiln::predict::{Model, Subject, Verdict, predict};

use crate::support::environment;

const IMAGE: &str = "debian:bookworm-slim";

/// A small generator of numbers: the same seed gives the same Dockerfiles and edits.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = usize::try_from(self.0 >> 33).unwrap_or_default();
        number % limit.max(1)
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

#[derive(Debug, Clone)]
struct Stage {
    head: String,
    lines: Vec<String>,
}

/// A repository in a state: what is edited.
#[derive(Debug, Clone)]
struct State {
    global: String,
    stages: Vec<Stage>,
    build_args: Vec<(String, String)>,
}

impl State {
    /// Some stages of some instructions. `nonce` keeps the engine from knowing them already.
    fn new(random: &mut Random, nonce: &str) -> Self {
        let mut stages = Vec::new();
        for number in 0..1 + random.below(3) {
            let base = match random.below(4) {
                0 if number > 0 => format!("s{}", random.below(number)),
                _ => IMAGE.to_owned(),
            };
            let mut lines = vec![format!("WORKDIR /n{nonce}-{}", if base == IMAGE { "a" } else { "b" })];
            lines.push("RUN mkdir -p /o /p && echo 1 > /o/f".to_owned());
            for _ in 0..2 + random.below(4) {
                lines.push(instruction(random, number));
            }
            stages.push(Stage { head: format!("FROM {base} AS s{number}"), lines });
        }
        // The last one uses each that came before.
        for number in 0..stages.len() - 1 {
            let line = random.of(&[
                "COPY --from=s# /o /from#",
                "COPY --from=# /o/f /from#/",
                "RUN --mount=type=bind,from=s#,source=/o,target=/m true",
                "RUN --mount=type=bind,from=s#,target=/m,rw true",
            ]);
            let line = line.replace('#', &number.to_string());
            let last = stages.last_mut().expect("there is one");
            let at = 2 + random.below(last.lines.len() - 1);
            last.lines.insert(at, line);
        }
        Self { global: "ARG G=1".to_owned(), stages, build_args: Vec::new() }
    }

    fn dockerfile(&self) -> String {
        let stages = self.stages.iter().map(|stage| format!("{}\n{}\n", stage.head, stage.lines.join("\n")));
        format!("{}\n{}", self.global, stages.collect::<String>())
    }

    fn line(&mut self, random: &mut Random) -> Option<&mut String> {
        let stage = random.below(self.stages.len());
        let lines = &mut self.stages[stage].lines;
        let at = random.below(lines.len());
        // The first one is the nonce.
        lines.get_mut(at).filter(|_| at > 1)
    }
}

fn instruction(random: &mut Random, stage: usize) -> String {
    let pool = [
        "RUN echo # >> /o/f",
        "RUN  echo   #   $V",
        "RUN [\"/bin/sh\", \"-c\", \"echo #\"]",
        "RUN <<E\necho # >> /o/h\nE",
        "RUN cat <<E > /o/h\n#\nE",
        "RUN <<E\n#!/bin/sh\necho #\nE",
        "RUN --mount=type=bind,target=/m,source=src ls /m",
        "RUN --mount=target=/m true #",
        "RUN --mount=target=/m,rw,source=src touch /m/new",
        "RUN --mount=target=/m,source=src --mount=target=/k,source=one.txt true",
        "RUN --mount=type=cache,target=/c true",
        "RUN --mount=type=cache,target=/c,sharing=locked true",
        "RUN --mount=type=cache,id=c#,target=/c true",
        "RUN --mount=type=cache,target=/c,uid=# true",
        "RUN --mount=type=cache,target=/c,from=s0,source=/o true",
        "RUN --mount=type=tmpfs,target=/t true",
        "RUN --mount=type=secret,id=s# true",
        "RUN --mount=type=ssh true",
        "RUN --network=none echo #",
        "COPY src /x",
        "COPY src/ /x/",
        "COPY src/sub /y/",
        "COPY . /all",
        "COPY *.json /j/",
        "COPY s*c /w/",
        "COPY src/*/d?ep.txt /w/",
        "COPY one.txt two.txt /m/",
        "COPY two.txt one.txt src /m/",
        "COPY src src/sub/deep.txt /m/",
        "COPY --chmod=0755 one.txt /o/",
        "COPY --chown=1:2 one.txt .",
        "COPY --link src /linked/",
        "COPY --link --chmod=600 one.txt /linked/",
        "COPY --exclude=*.md src /e/",
        "COPY --exclude=sub . /e/",
        "COPY --exclude=**/deep.txt . /e2/",
        "COPY <<E /h.txt\ntext # $V\nE",
        "COPY <<\"E\" /h.txt\ntext # $V\nE",
        "COPY link /l",
        "COPY dirlink /dl",
        "COPY dirlink/sub /dls/",
        "COPY ${V:-one}.txt /v",
        "ADD one.txt /add",
        "ADD src /adds/",
        "WORKDIR rel#",
        "WORKDIR /",
        "ENV A=# B=2",
        "ENV V=one",
        "ARG V=two",
        "ARG U",
        "ARG G",
        "ARG TARGETPLATFORM",
        "USER #",
        "USER root",
        "SHELL [\"/bin/bash\", \"-c\"]",
        "LABEL l=#",
        "EXPOSE 8#",
        "CMD [\"#\"]",
    ];
    loop {
        let line = pool[random.below(pool.len())];
        // The first stage has none before it.
        if !(stage == 0 && line.contains("from=s0")) {
            return line.replace('#', &(1 + random.below(3)).to_string());
        }
    }
}

/// Edits the Dockerfile or the arguments, and says how.
fn edit_state(random: &mut Random, state: &mut State) -> String {
    let stage = random.below(state.stages.len());
    let at = 2 + random.below(state.stages[stage].lines.len() - 1);
    let choice = random.below(12);
    match choice {
        0 => {
            let line = instruction(random, stage);
            state.stages[stage].lines.insert(at, line.clone());
            format!("stage {stage}: insert `{line}` at {at}")
        }
        1 if state.stages[stage].lines.len() > 3
            && at < state.stages[stage].lines.len()
            && !state.stages[stage].lines[at].contains("/o") =>
        {
            let line = state.stages[stage].lines.remove(at);
            format!("stage {stage}: remove `{line}`")
        }
        2 | 3 => match state.line(random) {
            Some(line) => {
                *line = line.replace('1', "4").replace('2', "1").replace('3', "2");
                format!("numbers: `{line}`")
            }
            None => "nothing".to_owned(),
        },
        4 => match state.line(random) {
            Some(line) if !line.contains('\n') => {
                *line = format!("# a comment\n{}", line.replacen("RUN ", "run ", 1).replacen("COPY ", "Copy ", 1));
                format!("words only: `{line}`")
            }
            _ => "nothing".to_owned(),
        },
        5 => {
            let argument = random.of(&["U", "V", "G", "X", "http_proxy", "SOURCE_DATE_EPOCH"]);
            let value = random.of(&["one", "two"]);
            let value = if argument == "SOURCE_DATE_EPOCH" { "1700000000" } else { value };
            state.build_args.retain(|(name, _)| name != argument);
            state.build_args.push((argument.to_owned(), value.to_owned()));
            format!("--build-arg {argument}={value}")
        }
        6 => {
            state.build_args.clear();
            "no --build-arg".to_owned()
        }
        7 => {
            state.global = format!("ARG G={}", random.below(3));
            format!("global {}", state.global)
        }
        8 if at + 1 < state.stages[stage].lines.len() => {
            state.stages[stage].lines.swap(at, at + 1);
            format!("stage {stage}: swap {at} and the next")
        }
        9 => {
            state.stages.insert(
                0,
                Stage {
                    head: format!("FROM {IMAGE} AS unused{}", random.below(1000)),
                    lines: vec!["RUN false".to_owned(), "RUN false".to_owned(), "ENV A=1".to_owned()],
                },
            );
            // Indexes would mean other stages now.
            for stage in &mut state.stages {
                for line in &mut stage.lines {
                    for number in (0..9).rev() {
                        *line = line.replace(&format!("--from={number} "), &format!("--from={} ", number + 1));
                    }
                }
            }
            "a stage that nobody needs".to_owned()
        }
        10 => {
            let line = random.of(&["LABEL q=1", "EXPOSE 1", "STOPSIGNAL 9", "CMD x", "HEALTHCHECK NONE", "VOLUME /v", "ARG Z"]);
            state.stages[stage].lines.insert(at, line.to_owned());
            format!("stage {stage}: insert `{line}` at {at}")
        }
        _ => {
            let line = random.of(&["ENV N=1", "ARG N=1", "USER 3", "WORKDIR deeper", "RUN true"]);
            state.stages[stage].lines.insert(at, line.to_owned());
            format!("stage {stage}: insert `{line}` at {at}")
        }
    }
}

/// Edits a file of the context, and says how.
fn edit_files(random: &mut Random, context: &Utf8Path, round: usize) -> String {
    let path = random.of(&[
        "one.txt",
        "two.txt",
        "a.json",
        "b.json",
        "src/x.md",
        "src/y.rs",
        "src/sub/deep.txt",
        "ignored/i",
        "docs/d.md",
    ]);
    let file = context.join(path);
    let made = match random.below(12) {
        0..4 => fs::write(&file, format!("{path} {round}")),
        // Without a change.
        4 => fs::read(&file).and_then(|bytes| fs::write(&file, bytes)),
        5 => {
            let mode = if random.below(2) == 0 { 0o755 } else { 0o600 };
            fs::set_permissions(&file, fs::Permissions::from_mode(mode))
        }
        6 => fs::write(
            context.join(random.of(&["src/new.rs", "src/sub/new.txt", "c.json", "new.txt", "src/new.md"])),
            format!("{round}"),
        ),
        7 => fs::remove_file(context.join(random.of(&[
            "src/new.rs",
            "src/sub/new.txt",
            "c.json",
            "new.txt",
            "src/new.md",
            "b.json",
        ]))),
        8 => fs::create_dir_all(context.join(random.of(&["empty", "src/empty", "docs/empty"]))),
        9 => {
            let (link, target) = (context.join("link"), random.of(&["one.txt", "two.txt", "src/x.md"]));
            fs::remove_file(&link).and_then(|()| symlink(target, &link))
        }
        10 => fs::rename(context.join("src/y.rs"), context.join("src/z.rs"))
            .or_else(|_| fs::rename(context.join("src/z.rs"), context.join("src/y.rs"))),
        _ => fs::write(
            context.join(".dockerignore"),
            random.of(&[
                "ignored\n",
                "# none\nignored\n",
                "ignored\n**/*.md\n",
                "ignored\ndocs\n",
                "ignored\n**/*.md\n!src/x.md\n",
            ]),
        ),
    };
    format!("file round {round} ({path}){}", if made.is_ok() { "" } else { ": no" })
}

fn fill(context: &Utf8Path) {
    for (path, text) in [
        (".dockerignore", "ignored\n"),
        ("one.txt", "1"),
        ("two.txt", "2"),
        ("a.json", "a"),
        ("b.json", "b"),
        ("src/x.md", "x"),
        ("src/y.rs", "y"),
        ("src/sub/deep.txt", "deep"),
        ("ignored/i", "i"),
        ("docs/d.md", "d"),
    ] {
        let file = context.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    symlink("one.txt", context.join("link")).expect("a link");
    symlink("src", context.join("dirlink")).expect("a link");
}

#[derive(Debug, Default)]
struct Score {
    pairs: usize,
    agreeing: usize,
    steps: usize,
    unknown: usize,
    failed: usize,
    disagreements: Vec<String>,
}

struct Bench {
    engine: Buildx,
    root: Utf8PathBuf,
}

impl Bench {
    fn subject(&self, state: &State) -> Subject {
        Subject {
            context: self.root.join("context"),
            dockerfile: self.root.join("context/Dockerfile"),
            build_args: state.build_args.iter().cloned().collect(),
            ..Subject::default()
        }
    }

    fn model(&self, state: &State) -> Option<Model> {
        fs::write(self.root.join("context/Dockerfile"), state.dockerfile()).expect("a Dockerfile");
        self.subject(state).model(None).ok()
    }

    fn build(&self, state: &State) -> Option<BuildState> {
        let request = BuildRequest {
            name: "pair".to_owned(),
            context: self.root.join("context"),
            dockerfile: self.root.join("context/Dockerfile"),
            build_args: state.build_args.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
            output: Output::Discard,
            ..BuildRequest::default()
        };
        let mut seen = BuildState::new();
        let built = self.engine.build(&request, &mut |event| seen.apply(&event));
        built.ok().map(|_| seen)
    }

    /// A chain of builds with an edit before each; all that were built before are known.
    fn chain(&self, random: &mut Random, nonce: &str, length: usize, score: &mut Score) {
        let context = self.root.join("context");
        let _ = fs::remove_dir_all(&context);
        fs::create_dir_all(&context).expect("a folder");
        fill(&context);
        let mut state = State::new(random, nonce);
        let mut known: Vec<Model> = Vec::new();
        let mut edits = vec!["first".to_owned()];
        let mut history: Vec<State> = Vec::new();
        for round in 0..=length {
            let before = state.clone();
            if round > 0 {
                edits.clear();
                for _ in 0..1 + random.below(2) * random.below(3) {
                    edits.push(match random.below(9) {
                        0..4 => edit_files(random, &context, round),
                        8 if !history.is_empty() => {
                            state = history[random.below(history.len())].clone();
                            "an earlier Dockerfile".to_owned()
                        }
                        _ => edit_state(random, &mut state),
                    });
                }
            }
            let Some(mut model) = self.model(&state) else {
                state = before;
                continue;
            };
            let prediction = predict(&model, &known);
            let Some(seen) = self.build(&state) else {
                score.failed += 1;
                state = before;
                continue;
            };
            if round > 0 {
                self.compare(&model, &prediction, &seen, &edits, &state, score);
            }
            model.settle(&seen, true);
            history.push(state.clone());
            known.insert(0, model);
        }
    }

    fn compare(
        &self,
        model: &Model,
        prediction: &kiln::predict::Prediction,
        seen: &BuildState,
        edits: &[String],
        state: &State,
        score: &mut Score,
    ) {
        let told = seen.dockerfile_steps();
        let ran: Vec<&str> = model
            .steps
            .iter()
            .filter(|step| {
                told.iter().any(|told| {
                    told.name.stage() == Some(&step.place.stage)
                        && told.name.position().is_some_and(|(index, _)| index == step.place.index)
                        && told.final_status(true) == StepStatus::Ran
                })
            })
            .map(|step| step.key.as_str())
            .collect();
        let mut wrong = Vec::new();
        for (step, predicted) in model.steps.iter().zip(&prediction.steps) {
            let did_run = ran.contains(&step.key.as_str());
            score.steps += 1;
            match predicted.verdict {
                Verdict::Unknown => score.unknown += 1,
                Verdict::Runs if did_run => {}
                Verdict::Cached if !did_run => {}
                verdict => wrong.push(format!(
                    "{} {} `{}`: {verdict:?}, reasons {:?}",
                    step.place.stage, step.place.index, step.text, predicted.reasons
                )),
            }
        }
        score.pairs += 1;
        if wrong.is_empty() {
            score.agreeing += 1;
        } else {
            let names: Vec<String> = told.iter().map(|step| format!("{} {:?}", step.name, step.final_status(true))).collect();
            score.disagreements.push(format!(
                "{}\nafter {edits:?}, args {:?}\n{}\n{}",
                wrong.join("\n"),
                state.build_args,
                state.dockerfile(),
                names.join("\n")
            ));
        }
    }
}

#[test]
#[ignore = "needs a Docker Engine"]
fn predictions_are_what_the_engine_does() {
    let number = |name: &str, default: usize| environment(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (wanted, seed) = (number("KILN_TEST_PAIRS", 40), number("KILN_TEST_SEED", 1));
    let folder = tempfile::tempdir().expect("a folder");
    let root = Utf8Path::from_path(folder.path()).expect("a path").to_owned();
    let bench = Bench { engine: Buildx::new(root.join("state")), root };
    let mut score = Score::default();
    let run = std::process::id();
    for chain in 0.. {
        if score.pairs >= wanted {
            break;
        }
        assert!(chain < wanted * 3, "the engine builds nothing: {score:?}");
        let mut random = Random(u64::try_from(seed * 1_000_003 + chain).unwrap_or_default());
        for _ in 0..8 {
            random.below(2);
        }
        bench.chain(&mut random, &format!("{run}x{chain}"), 9.min(wanted), &mut score);
    }
    let share = |part: usize, whole: usize| {
        100.0 * f64::from(u32::try_from(part).unwrap_or(0)) / f64::from(u32::try_from(whole.max(1)).unwrap_or(1))
    };
    let summary = format!(
        "{} pairs, {} agree; {} steps, {} unknown ({:.1} %); {} builds failed",
        score.pairs,
        score.agreeing,
        score.steps,
        score.unknown,
        share(score.unknown, score.steps),
        score.failed
    );
    fs::write(
        std::env::temp_dir().join("kiln-predict-pairs.txt"),
        format!("{summary}\n\n{}\n", score.disagreements.join("\n\n----\n")),
    )
    .expect("a report");
    assert!(score.disagreements.is_empty(), "{summary}\n\n{}", score.disagreements.join("\n\n----\n"));
    assert!(share(score.unknown, score.steps) < 5.0, "{summary}");
}
