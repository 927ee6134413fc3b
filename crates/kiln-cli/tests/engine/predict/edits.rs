//! Edits of files, of the Dockerfile and of the options, and what the reasons must say of each.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

use super::pieces::Piece;
use super::random::Random;
use super::state::{Around, Line, Stage, State};
use crate::support::command;

/// What was edited, as far as reasons speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Nothing that any step could see.
    Nothing,
    /// These paths of a context.
    Files(Vec<String>),
    /// An ignore file.
    Ignore,
    /// A build argument.
    Argument(String),
    /// The Dockerfile or an option.
    Text,
}

#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) kind: &'static str,
    pub(super) what: What,
    pub(super) told: String,
}

/// Folders of a chain.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) context: Utf8PathBuf,
    /// A named context.
    pub(super) extra: Utf8PathBuf,
}

impl Folders {
    pub(super) fn fill(&self) {
        // A trigger of an image reads it before anything sets the chain apart.
        let own = format!("1 {}", self.context);
        for (path, text) in [
            (".dockerignore", "ignored\n"),
            ("one.txt", own.as_str()),
            ("two.txt", "2"),
            ("with space.txt", "3"),
            ("a.json", "a"),
            ("b.json", "b"),
            ("src/x.md", "x"),
            ("src/y.rs", "y"),
            ("src/sub/deep.txt", "deep"),
            ("ignored/i", "i"),
            ("docs/d.md", "d"),
        ] {
            write(&self.context.join(path), text).expect("a file");
        }
        symlink("one.txt", self.context.join("link")).expect("a link");
        symlink("src", self.context.join("dirlink")).expect("a link");
        self.archive("first").expect("an archive");
        write(&self.secret(), "secret").expect("a file");
        for (path, text) in [("f", "f"), ("d/g", "g"), ("ignored/i", "i"), (".dockerignore", "ignored\n")] {
            write(&self.extra.join(path), text).expect("a file");
        }
    }

    /// A secret that steps can mount.
    pub(super) fn secret(&self) -> Utf8PathBuf {
        self.extra.with_extension("secret")
    }

    /// An archive with one file.
    fn archive(&self, text: &str) -> io::Result<()> {
        let folder = self.extra.with_extension("tar.d");
        write(&folder.join("packed/p.txt"), text)?;
        let made = command("tar").arg("-C").arg(&folder).arg("-cf").arg(self.context.join("some.tar")).arg("packed").status()?;
        if made.success() { Ok(()) } else { Err(io::Error::other("tar failed")) }
    }
}

fn write(path: &Utf8Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("a folder"))?;
    fs::write(path, text)
}

/// Edits something of a chain.
pub(super) fn edit(random: &mut Random, state: &mut State, folders: &Folders, around: &Around, round: usize) -> Edit {
    match random.below(9) {
        0..4 => files(random, folders, round),
        4 => named_context(random, folders, round),
        _ => text(random, state, around),
    }
}

fn nothing() -> Edit {
    Edit { kind: "nothing", what: What::Nothing, told: "nothing".to_owned() }
}

/// Edits a file of the main context.
fn files(random: &mut Random, folders: &Folders, round: usize) -> Edit {
    const PATHS: [&str; 10] = [
        "one.txt",
        "two.txt",
        "with space.txt",
        "a.json",
        "b.json",
        "src/x.md",
        "src/y.rs",
        "src/sub/deep.txt",
        "ignored/i",
        "docs/d.md",
    ];
    const NEW: [&str; 5] = ["src/new.rs", "src/sub/new.txt", "c.json", "new.txt", "src/new.md"];
    let context = &folders.context;
    let path = random.of(&PATHS);
    let file = context.join(path);
    let one = |path: &str| What::Files(vec![path.to_owned()]);
    let (kind, what, made) = match random.below(15) {
        0..4 => ("content", one(path), fs::write(&file, format!("{path} {round} {}", folders.context))),
        4 => ("without a change", What::Nothing, fs::read(&file).and_then(|bytes| fs::write(&file, bytes))),
        5 => {
            let time = SystemTime::now() - Duration::from_secs(1_000_000 + u64::try_from(round).unwrap_or_default());
            let made = fs::File::options().append(true).open(&file).and_then(|file| file.set_modified(time));
            ("time only", What::Nothing, made)
        }
        6 | 7 => {
            let mode = if random.one_in(2) { 0o755 } else { 0o600 };
            ("mode", one(path), fs::set_permissions(&file, fs::Permissions::from_mode(mode)))
        }
        8 => {
            let new = random.of(&NEW);
            ("new file", one(new), fs::write(context.join(new), format!("{round}")))
        }
        9 => {
            let gone = random.of(&["src/new.rs", "src/sub/new.txt", "c.json", "new.txt", "src/new.md", "b.json"]);
            ("removed file", one(gone), fs::remove_file(context.join(gone)))
        }
        10 => {
            let folder = random.of(&["empty", "src/empty", "docs/empty"]);
            ("new folder", one(folder), fs::create_dir_all(context.join(folder)))
        }
        11 => {
            let (link, target) = (context.join("link"), random.of(&["one.txt", "two.txt", "src/x.md"]));
            let paths = ["link", "one.txt", "two.txt", "src/x.md"].map(str::to_owned).to_vec();
            ("link", What::Files(paths), fs::remove_file(&link).and_then(|()| symlink(target, &link)))
        }
        12 => {
            let (a, b) = (context.join("src/y.rs"), context.join("src/z.rs"));
            let paths = vec!["src/y.rs".to_owned(), "src/z.rs".to_owned()];
            ("rename", What::Files(paths), fs::rename(&a, &b).or_else(|_| fs::rename(&b, &a)))
        }
        13 => ("archive", one("some.tar"), folders.archive(&format!("{round}"))),
        _ => {
            let rules = random.of(&[
                "ignored\n",
                "# none\nignored\n",
                "ignored\n**/*.md\n",
                "ignored\ndocs\n",
                "ignored\n**/*.md\n!src/x.md\n",
            ]);
            if random.one_in(3) {
                let own = context.join("Dockerfile.dockerignore");
                let made = if own.exists() { fs::remove_file(own) } else { fs::write(own, rules) };
                ("ignore file of the Dockerfile", What::Ignore, made)
            } else {
                ("ignore file", What::Ignore, fs::write(context.join(".dockerignore"), rules))
            }
        }
    };
    let what = if made.is_ok() { what } else { What::Nothing };
    Edit { kind, told: format!("{kind}: {what:?}, round {round}"), what }
}

/// Edits a file of the named context, or the secret.
fn named_context(random: &mut Random, folders: &Folders, round: usize) -> Edit {
    if random.one_in(4) {
        fs::write(folders.secret(), format!("{round}")).expect("a file");
        return Edit { kind: "secret", what: What::Nothing, told: "the secret".to_owned() };
    }
    let path = random.of(&["f", "d/g", "ignored/i"]);
    let made = fs::write(folders.extra.join(path), format!("{round}"));
    made.expect("a file");
    Edit {
        kind: "named context",
        what: What::Files(vec![path.to_owned()]),
        told: format!("named context: {path}, round {round}"),
    }
}

/// Edits the Dockerfile or the options.
fn text(random: &mut Random, state: &mut State, around: &Around) -> Edit {
    let stage = random.below(state.stages.len());
    let runs = state.stages[stage].runs;
    let at = 2 + random.below(state.stages[stage].lines.len() - 1);
    let changed = |kind: &'static str, told: String| Edit { kind, what: What::Text, told };
    match random.below(16) {
        0 | 1 => {
            let line = state.instruction(random, around, runs);
            let told = format!("stage {stage}: insert `{}` at {at}", line.text);
            state.stages[stage].lines.insert(at, line);
            changed("new instruction", told)
        }
        2 => {
            let lines = &mut state.stages[stage].lines;
            if lines.len() > 3 && at < lines.len() && !lines[at].text.contains("/o") {
                let line = lines.remove(at);
                changed("removed instruction", format!("stage {stage}: remove `{}`", line.text))
            } else {
                nothing()
            }
        }
        3 | 4 => match state.any_line(random) {
            Some(line) => {
                // Names of stages have numbers, too.
                let kept = line.text.contains("from=");
                if !kept {
                    line.text = line.text.replace('1', "4").replace('2', "1").replace('3', "2");
                }
                changed("instruction text", format!("numbers: `{}`", line.text))
            }
            None => nothing(),
        },
        5 => match state.any_line(random) {
            Some(line) if !line.text.contains('\n') => {
                line.text = format!("# a comment\n{}", line.text.replacen("RUN ", "run ", 1).replacen("COPY ", "Copy ", 1));
                Edit { kind: "words only", what: What::Text, told: format!("words only: `{}`", line.text) }
            }
            _ => nothing(),
        },
        6 | 7 => {
            let name = random.of(&["U", "V", "G", "X", "http_proxy", "SOURCE_DATE_EPOCH", "BUILDKIT_CACHE_MOUNT_NS"]);
            let value = random.of(&["one", "two"]);
            let value = if name == "SOURCE_DATE_EPOCH" { "1700000000" } else { value };
            state.build_args.insert(name.to_owned(), value.to_owned());
            Edit { kind: "build argument", what: What::Argument(name.to_owned()), told: format!("--build-arg {name}={value}") }
        }
        8 => {
            state.build_args.clear();
            changed("build argument", "no --build-arg".to_owned())
        }
        9 => {
            let rest = state.global.split_once('\n').map(|(_, rest)| format!("\n{rest}")).unwrap_or_default();
            state.global = format!("ARG G={}{rest}", random.below(3));
            changed("global argument", format!("global {}", state.global))
        }
        10 if at + 1 < state.stages[stage].lines.len() => {
            state.stages[stage].lines.swap(at, at + 1);
            changed("order", format!("stage {stage}: swap {at} and the next"))
        }
        11 => {
            unused_stage(state, &around.image, random.below(1000));
            changed("unused stage", "a stage that nobody needs".to_owned())
        }
        12 => {
            let head = &mut state.stages[stage].head;
            let (from, to) = (format!("FROM {} ", around.image), format!("FROM {} ", around.other));
            let text = if head.text.starts_with(&from) { head.text.replace(&from, &to) } else { head.text.replace(&to, &from) };
            let told = format!("base image: `{text}`");
            head.text = text;
            changed("base image", told)
        }
        13 => {
            let names: Vec<String> = (0..state.stages.len())
                .filter_map(|number| state.name_of(number))
                .filter(|name| !name.starts_with("unused"))
                .collect();
            state.target = names.get(random.below(names.len() + 1)).cloned();
            changed("--target", format!("--target {:?}", state.target))
        }
        14 => {
            state.platform = !state.platform;
            changed("--platform", format!("--platform {}", state.platform))
        }
        _ => {
            const MORE: [Piece; 9] = [
                ("environment", "ENV N=1"),
                ("argument", "ARG N=1"),
                ("user", "USER 3"),
                ("working directory", "WORKDIR deeper"),
                ("configuration", "LABEL q=1"),
                ("configuration", "STOPSIGNAL 9"),
                ("configuration", "HEALTHCHECK NONE"),
                ("configuration", "VOLUME /v"),
                ("argument", "ARG Z"),
            ];
            let (feature, text) = MORE[random.below(MORE.len())];
            state.stages[stage].lines.insert(at, Line { feature, text: text.to_owned() });
            changed("new setting", format!("stage {stage}: insert `{text}` at {at}"))
        }
    }
}

/// A stage before all others. Indexes mean other stages then.
fn unused_stage(state: &mut State, image: &str, number: usize) {
    for line in state.stages.iter_mut().flat_map(|stage| &mut stage.lines) {
        for number in (0..9).rev() {
            line.text = line.text.replace(&format!("--from={number} "), &format!("--from={} ", number + 1));
        }
    }
    let line = |text: &str| Line { feature: "unused stage", text: text.to_owned() };
    let head = line(&format!("FROM {image} AS unused{number}"));
    state.stages.insert(0, Stage { head, lines: vec![line("RUN false"), line("RUN false"), line("ENV A=1")], runs: true });
}
