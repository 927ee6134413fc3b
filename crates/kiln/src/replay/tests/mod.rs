//! Commits replayed, and the same commits checked out and foreseen one by one.

mod since;

use std::fs;

use super::{Image, Note, Replay, Request, Whose, load, replay, save};
use crate::context::{ContentId, Entry};
use crate::git::tests::Sandbox;
use crate::plan::Variant;
use crate::predict::{Model, Prediction, Remedy, Subject, Verdict, predict};
use crate::process::Cancel;

fn subject(sandbox: &Sandbox, context: &str, dockerfile: &str) -> Subject {
    let context = if context.is_empty() { sandbox.root.clone() } else { sandbox.root.join(context) };
    Subject { context, dockerfile: sandbox.root.join(dockerfile), ..Subject::default() }
}

fn image(subject: &Subject) -> Image {
    let fixed = [subject.dockerfile.clone(), subject.context.join(".dockerignore")].into_iter().filter_map(|path| {
        let content = ContentId::of(&fs::read(&path).ok()?);
        Some((path, Entry::File { mode: 0o644, content }))
    });
    Image {
        service: "app".to_owned(),
        variant: Some(Variant::Prod),
        dockerfile: subject.dockerfile.clone(),
        whose: Whose::Repository,
        inputs: subject.frame(None, None).unwrap(),
        context: subject.context.clone(),
        fixed: fixed.collect(),
    }
}

/// Replays with 10 seconds for each `RUN`.
fn replayed(sandbox: &Sandbox, images: &[Image], range: &str) -> Replay {
    let scratch = sandbox.root.parent().unwrap().join("scratch");
    let price = |_: &Image, step: &crate::predict::ModelStep| (step.operation.kind == "run").then_some(10.0);
    let (repository, cancel) = (sandbox.open(), Cancel::new());
    let request =
        Request { repository: &repository, range, commits: 100, images, price: &price, scratch: &scratch, cancel: &cancel };
    replay(&request).unwrap()
}

/// One letter for each step that is predicted.
fn told(prediction: &Prediction) -> String {
    let letter = |verdict| match verdict {
        Verdict::Cached => '.',
        Verdict::Runs => 'R',
        Verdict::Unknown => '?',
    };
    prediction.steps.iter().map(|step| letter(step.verdict)).collect()
}

/// The same for one build of a replay.
fn letters(replay: &Replay, commit: usize, image: usize) -> String {
    let build = &replay.commits[commit].builds[image];
    let letter = |step: usize| match build.steps.iter().find(|known| known.step == step).map(|step| step.verdict) {
        None => '.',
        Some(Verdict::Runs) => 'R',
        Some(_) => '?',
    };
    (0..replay.images[image].steps.len()).map(letter).collect()
}

const DOCKERFILE: &str = "\
FROM debian AS base
COPY package*.json /app/
RUN npm ci
FROM base AS build
COPY . /app
RUN make
FROM debian
COPY --from=build /app/out /out
COPY --exclude=*.md docs /docs
RUN --mount=type=bind,source=src,target=/src check
";

/// A repository with some history of all kinds of changes; the Docker files are not part of it.
fn grown() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "/Dockerfile\n/.dockerignore\n");
    sandbox.write("package.json", "{}");
    sandbox.write("src/a.rs", "1");
    sandbox.write("docs/guide.md", "1");
    sandbox.write("docs/page.html", "1");
    sandbox.write("notes/n", "1");
    sandbox.commit("begin");
    let steps: &[&[(&str, &str)]] = &[
        &[("src/a.rs", "2")],
        &[("docs/guide.md", "2")],
        &[("notes/n", "2")],
        &[("src/a.rs", "1")],
        &[("package.json", "{ }"), ("src/a.rs", "2")],
        &[("src/b/c.rs", "new")],
        &[("src/b/c.rs", "")],
        &[("docs/page.html", "2"), ("docs/guide.md", "1")],
        &[("package-lock.json", "{}")],
        &[],
        &[("package-lock.json", "")],
        &[("docs/guide.md", "3"), ("README.md", "1")],
    ];
    for (number, step) in steps.iter().enumerate() {
        for (path, text) in *step {
            if text.is_empty() {
                fs::remove_file(sandbox.root.join(path)).unwrap();
                // As git does when it checks out.
                let _ = fs::remove_dir(sandbox.root.join(path).parent().unwrap());
            } else {
                sandbox.write(path, text);
            }
        }
        sandbox.commit(&format!("step {number}"));
    }
    sandbox
}

#[test]
fn each_commit_is_judged_as_if_it_had_been_checked_out_and_built() {
    let sandbox = grown();
    sandbox.write("Dockerfile", DOCKERFILE);
    sandbox.write(".dockerignore", "notes\n.git\n");
    let subject = subject(&sandbox, "", "Dockerfile");
    let replay = replayed(&sandbox, &[image(&subject)], "HEAD");
    assert_eq!(replay.commits.len(), 12);
    let mut known: Vec<Model> = Vec::new();
    let ids = sandbox.git(&["rev-list", "--reverse", "main"]);
    let mut seen = String::new();
    for (at, id) in ids.lines().enumerate() {
        sandbox.git(&["checkout", "--quiet", id]);
        let mut model = subject.model(None).unwrap();
        let prediction = predict(&model, &known);
        if at > 0 {
            assert_eq!(replay.commits[at - 1].id, id);
            let expected = told(&prediction);
            assert_eq!(letters(&replay, at - 1, 0), expected, "{}", replay.commits[at - 1].subject);
            seen += &expected;
        }
        model.steps.iter_mut().for_each(|step| step.done = true);
        known.insert(0, model);
    }
    assert!(['.', 'R', '?'].iter().all(|letter| seen.contains(*letter)), "{seen}");
}

#[test]
fn costs_are_summed_and_files_are_blamed() {
    let sandbox = grown();
    sandbox.write("Dockerfile", "FROM debian\nCOPY package*.json /app/\nRUN npm ci\nCOPY . /app\nRUN make\n");
    sandbox.write(".dockerignore", ".git\n");
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD");
    let image = &replay.images[0];
    let guide = image.worst.iter().find(|file| file.path == "docs/guide.md").unwrap();
    assert_eq!((guide.rebuilds, guide.alone, guide.ignorable), (3, 1, true));
    assert!((guide.seconds - 10.0).abs() < 1e-9, "`make` once: {guide:?}");
    let ignore = image.savings.iter().find(|saving| matches!(saving.remedy, Remedy::Ignore { .. })).unwrap();
    assert_eq!(ignore.remedy, Remedy::Ignore { patterns: vec!["README.md".to_owned(), "docs".to_owned()] });
    assert_eq!((ignore.rebuilds, ignore.steps, ignore.unmeasured), (3, 6, 3), "`COPY` and `make` each time");
    let totals = image.totals;
    let sum: f64 = replay.commits.iter().map(|commit| commit.builds[0].seconds).sum();
    assert!((totals.seconds - sum).abs() < 1e-9 && totals.seconds > 0.0);
    let rebuilds = replay.commits.iter().filter(|commit| !commit.builds[0].steps.is_empty()).count();
    assert_eq!((totals.rebuilds, totals.unknown), (rebuilds, 0));
    // The same file is none to ignore where an instruction names its folder.
    sandbox.write("Dockerfile", DOCKERFILE);
    let replay = replayed(&sandbox, &[self::image(&subject(&sandbox, "", "Dockerfile"))], "HEAD");
    let guide = replay.images[0].worst.iter().find(|file| file.path == "docs/guide.md").unwrap();
    assert!(!guide.ignorable);
}

#[test]
fn dependencies_that_sources_install_again_are_a_saving() {
    let sandbox = grown();
    sandbox.write("Dockerfile", "FROM debian\nCOPY . /app\nRUN npm ci\nRUN make\n");
    sandbox.write(".dockerignore", ".git\n");
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD~11..HEAD~10");
    let [saving] = replay.images[0].savings.as_slice() else { panic!("{:?}", replay.images[0].savings) };
    assert!(matches!(&saving.remedy, Remedy::Ignore { patterns } if patterns == &["docs"]), "{saving:?}");
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD~12..HEAD~11");
    let [saving] = replay.images[0].savings.as_slice() else { panic!("{:?}", replay.images[0].savings) };
    assert!(matches!(&saving.remedy, Remedy::ManifestsFirst { install } if install.line == 3), "{saving:?}");
    assert_eq!((saving.rebuilds, saving.steps), (1, 1));
}

#[test]
fn a_docker_file_is_that_of_today_in_every_commit() {
    let sandbox = Sandbox::new();
    sandbox.write("a", "1");
    sandbox.write("Dockerfile", "FROM one\nCOPY . /x\n");
    sandbox.commit("one");
    sandbox.write("Dockerfile", "FROM two\nCOPY . /x\n");
    sandbox.commit("only the Dockerfile");
    sandbox.write(".dockerignore", ".git\nb\n");
    sandbox.write("b", "1");
    sandbox.commit("only what is ignored today");
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD");
    assert_eq!((letters(&replay, 0, 0), letters(&replay, 1, 0)), (".".to_owned(), ".".to_owned()));
    // With `.git` in it the context is another one each time.
    sandbox.write(".dockerignore", "b\n");
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD");
    assert_eq!((letters(&replay, 0, 0), letters(&replay, 1, 0)), ("R".to_owned(), "R".to_owned()));
    assert!(matches!(replay.notes.as_slice(), [Note::GitFolder { .. }]), "{:?}", replay.notes);
    assert_eq!(replay.commits[0].builds[0].steps[0].paths, [".git/HEAD"]);
}

#[test]
fn a_commit_without_what_is_copied_cannot_be_built_and_is_no_rebuild() {
    let sandbox = Sandbox::new();
    sandbox.write("a", "1");
    sandbox.write("sub/app/src", "1");
    sandbox.commit("one");
    fs::remove_file(sandbox.root.join("a")).unwrap();
    sandbox.commit("without");
    sandbox.write("a", "1");
    sandbox.commit("as before");
    sandbox.write("a", "2");
    sandbox.commit("changed");
    sandbox.write("Dockerfile", "FROM x\nCOPY a /a\n");
    sandbox.write("sub/Dockerfile", "FROM x\nCOPY app /a\n");
    let images = [image(&subject(&sandbox, "", "Dockerfile")), image(&subject(&sandbox, "sub", "sub/Dockerfile"))];
    let replay = replayed(&sandbox, &images, "HEAD");
    assert_eq!(replay.commits[0].builds[0].missing, ["a"]);
    assert_eq!((letters(&replay, 1, 0), letters(&replay, 2, 0)), (".".to_owned(), "R".to_owned()));
    assert_eq!((replay.images[0].totals.unbuildable, replay.images[0].totals.rebuilds), (1, 1));
    assert_eq!(replay.images[1].totals.rebuilds, 0, "another context");
    // What never could be built before is no rebuild either.
    sandbox.write("later", "1");
    sandbox.commit("what is copied comes late");
    sandbox.write("Dockerfile", "FROM x\nCOPY later a /a/\n");
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD");
    let totals = replay.images[0].totals;
    assert_eq!((totals.unbuildable, totals.rebuilds, totals.unknown), (3, 0, 0), "{:?}", replay.images[0].worst);
}

const RUST: &str = "\
FROM kiln AS kiln
FROM debian AS planner
RUN --mount=type=bind,target=/src --mount=type=bind,from=kiln,source=/kiln,target=/bin/kiln kiln recipe prepare /src --output /recipe.json
FROM debian
COPY --from=planner /recipe.json /
RUN cook
RUN --mount=type=bind,target=/src compile
";

#[test]
fn recipes_are_computed_for_each_commit() {
    let sandbox = Sandbox::new();
    let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let lock = "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n";
    sandbox.write("Cargo.toml", manifest);
    sandbox.write("Cargo.lock", lock);
    sandbox.write("src/main.rs", "fn main() {}");
    sandbox.commit("one");
    sandbox.write("src/main.rs", "fn main() { }");
    sandbox.commit("a source");
    sandbox.write("Cargo.toml", &manifest.replace("0.1.0", "0.2.0"));
    sandbox.write("Cargo.lock", &lock.replace("0.1.0", "0.2.0"));
    sandbox.commit("a version");
    sandbox.write("Cargo.toml", &format!("{manifest}[profile.release]\nopt-level = 1\n"));
    sandbox.write("Cargo.lock", lock);
    sandbox.commit("another profile");
    sandbox.write("src/other.rs", "fn main() {}");
    sandbox.commit("a source that no manifest names");
    sandbox.write("Cargo.toml", &format!("{manifest}[[bin]]\nname = \"app\"\npath = \"src/other.rs\"\n"));
    // Without its file the recipe could not be made, and what reads it would be unknown.
    sandbox.commit("one that is named is looked for");
    sandbox.write("Dockerfile", RUST);
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD");
    let all: Vec<String> = (0..5).map(|commit| letters(&replay, commit, 0)).collect();
    assert_eq!(all, ["R..R", "R..R", "RRRR", "R..R", "R..R"], "{:#?}", replay.images[0].steps);
}

#[test]
fn a_replay_is_kept_for_the_report() {
    let sandbox = grown();
    sandbox.write("Dockerfile", DOCKERFILE);
    let replay = replayed(&sandbox, &[image(&subject(&sandbox, "", "Dockerfile"))], "HEAD~3..HEAD");
    assert_eq!(replay.commits.len(), 3);
    let state = sandbox.root.parent().unwrap();
    assert_eq!(load(state).unwrap(), None);
    save(state, &replay).unwrap();
    assert_eq!(load(state).unwrap(), Some(replay));
    fs::write(state.join("replay.json"), "{\"schema\": 99, \"replay\": []}").unwrap();
    assert_eq!(load(state).unwrap(), None);
    fs::write(state.join("replay.json"), "{\"schema\": 1, \"replay\": 5}").unwrap();
    load(state).unwrap_err();
}
