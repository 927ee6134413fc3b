//! Commits that were replayed, checked out and built one after the other: does the engine run the steps that were told?
//!
//! `KILN_TEST_COMMITS` says how many commits (8). `KILN_TEST_REPOSITORY` names a repository and `KILN_TEST_DOCKERFILE` a Dockerfile for it, in
//! place of the generated ones.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::context::{ContentId, Entry};
use kiln::engine::{BuildRequest, Buildx, Engine as _, Output};
use kiln::event::{BuildState, StepStatus};
use kiln::git::Repository;
use kiln::predict::{Subject, Verdict};
use kiln::process::Cancel;
use kiln::replay::{Image, Replay, Request, Whose, replay};

use crate::support::{environment, git, this_run};

/// `NONCE` keeps the engine from knowing the steps already.
const DOCKERFILE: &str = "\
FROM debian:bookworm-slim AS dependencies
WORKDIR /NONCE
COPY package*.json ./
RUN sha256sum package*.json > /installed
FROM dependencies AS build
COPY . ./
RUN find . -type f | sort | xargs sha256sum > /built
RUN --mount=type=bind,source=src,target=/m ls -R /m
FROM debian:bookworm-slim
WORKDIR /NONCE
COPY --from=build /built /installed /out/
COPY --exclude=*.md docs /docs
COPY link /link
RUN --mount=type=bind,from=build,source=/built,target=/m cat /m
";
const IGNORE: &str = ".git\nDockerfile\n.dockerignore\nnotes\n";

/// A repository with commits of many kinds.
fn generate(root: &Utf8Path, commits: usize) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    git(root, &["init", "--quiet", "--initial-branch=main"]);
    for (path, text) in
        [("package.json", "{}"), ("src/a.js", "a"), ("src/b/c.js", "c"), ("docs/page.html", "p"), ("notes/n", "n")]
    {
        write(path, text);
    }
    std::os::unix::fs::symlink("src/a.js", root.join("link")).expect("a link");
    commit(root);
    for number in 0..commits {
        match number % 10 {
            0 => write("src/a.js", &format!("a {number}")),
            1 => write("notes/n", &format!("n {number}")),
            2 => write("docs/guide.md", &format!("g {number}")),
            3 => write("docs/page.html", &format!("p {number}")),
            4 => write("package.json", &format!("{{ \"{number}\": 1 }}")),
            // Back to what was built at first.
            5 => write("src/a.js", "a"),
            6 => write(&format!("src/new{number}/x.js"), "x"),
            7 => fs::remove_dir_all(root.join(format!("src/new{}", number - 1))).expect("a folder"),
            8 => {
                let mode = if number % 20 == 8 { 0o755 } else { 0o644 };
                fs::set_permissions(root.join("src/b/c.js"), fs::Permissions::from_mode(mode)).expect("a file");
            }
            _ => {
                let target = if number % 20 == 9 { "src/b/c.js" } else { "src/a.js" };
                fs::remove_file(root.join("link")).expect("a link");
                std::os::unix::fs::symlink(target, root.join("link")).expect("a link");
            }
        }
        commit(root);
    }
}

fn commit(root: &Utf8Path) {
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--allow-empty", "-m", "change"]);
}

#[derive(Debug, Default)]
struct Score {
    commits: usize,
    steps: usize,
    ran: usize,
    unknown: usize,
    unknown_that_ran: usize,
    disagreements: String,
}

/// The replay of a repository whose Docker files lie in its root.
fn told(root: &Utf8Path, scratch: &Utf8Path, commits: usize) -> Replay {
    let subject = Subject { context: root.to_owned(), dockerfile: root.join("Dockerfile"), ..Subject::default() };
    let fixed = ["Dockerfile", ".dockerignore"].map(|name| {
        let content = ContentId::of(&fs::read(root.join(name)).expect("a Docker file"));
        (root.join(name), Entry::File { mode: 0o644, content })
    });
    let image = Image {
        service: "app".to_owned(),
        variant: None,
        dockerfile: "Dockerfile".into(),
        whose: Whose::Repository,
        inputs: subject.frame(None, None).expect("Docker files"),
        context: root.to_owned(),
        fixed: fixed.into_iter().collect(),
    };
    let cancel = Cancel::new();
    let repository = Repository::open(root, &cancel).expect("a repository");
    let (images, price) = ([image], |_: &Image, _: &kiln::predict::ModelStep| None);
    let request =
        Request { repository: &repository, range: "HEAD", commits, images: &images, price: &price, scratch, cancel: &cancel };
    replay(&request).expect("a replay")
}

fn build(engine: &Buildx, root: &Utf8Path) -> BuildState {
    let request = BuildRequest {
        name: "replayed".to_owned(),
        context: root.to_owned(),
        dockerfile: root.join("Dockerfile"),
        output: Output::Discard,
        ..BuildRequest::default()
    };
    let mut seen = BuildState::new();
    engine.build(&request, &mut |event| seen.apply(&event)).unwrap_or_else(|error| panic!("{error}: {seen:?}"));
    seen
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn commits_cost_what_replay_says() {
    let commits = environment("KILN_TEST_COMMITS").and_then(|text| text.parse().ok()).unwrap_or(8);
    let folder = tempfile::tempdir().expect("a folder");
    let parent = Utf8Path::from_path(folder.path()).expect("a path").canonicalize_utf8().expect("a path");
    let root = parent.join("repository");
    let dockerfile = match environment("KILN_TEST_REPOSITORY") {
        Some(repository) => {
            git(&parent, &["clone", "--quiet", &repository, "repository"]);
            environment("KILN_TEST_DOCKERFILE").map(|path| fs::read_to_string(path).expect("a Dockerfile"))
        }
        None => {
            fs::create_dir(&root).expect("a folder");
            generate(&root, commits);
            None
        }
    };
    let nonce = format!("n{}", this_run());
    let write = || {
        let text = dockerfile.as_deref().unwrap_or(DOCKERFILE).replace("NONCE", &nonce);
        fs::write(root.join("Dockerfile"), text).expect("written");
        fs::write(root.join(".dockerignore"), IGNORE).expect("written");
    };
    write();
    let replayed = told(&root, &parent.join("scratch"), commits);
    assert_eq!(replayed.commits.len(), commits);
    let engine = Buildx::new(parent.join("state"));
    let check_out = |id: &str| {
        git(&root, &["checkout", "--quiet", "--force", "--detach", id]);
        write();
    };
    check_out(&format!("{}~1", replayed.commits[0].id));
    build(&engine, &root);
    let mut score = Score::default();
    for commit in &replayed.commits {
        check_out(&commit.id);
        let seen = build(&engine, &root);
        compare(&replayed, commit, &seen, &mut score);
    }
    let Score { commits, steps, ran, unknown, unknown_that_ran, .. } = score;
    let summary = format!("{commits} commits, {steps} steps, {ran} ran, {unknown} unknown of which {unknown_that_ran} ran");
    let report: Utf8PathBuf = Utf8PathBuf::try_from(std::env::temp_dir()).expect("a path").join("kiln-replay-commits.txt");
    fs::write(report, format!("{summary}\n{}", score.disagreements)).expect("a report");
    assert!(score.disagreements.is_empty(), "{summary}\n{}", score.disagreements);
    assert!(ran > 0 && steps > ran, "{summary}");
}

fn compare(replayed: &Replay, commit: &kiln::replay::ReplayedCommit, seen: &BuildState, score: &mut Score) {
    let told = seen.dockerfile_steps();
    let build = &commit.builds[0];
    assert!(build.missing.is_empty(), "{}: {:?} is missing", commit.id, build.missing);
    score.commits += 1;
    for (number, step) in replayed.images[0].steps.iter().enumerate() {
        let found = told.iter().find(|told| {
            told.name.stage() == Some(&step.place.stage)
                && told.name.position().is_some_and(|(index, _)| index == step.place.index)
        });
        let ran = found.is_some_and(|told| told.final_status(true) == StepStatus::Ran);
        let verdict = build.steps.iter().find(|known| known.step == number).map_or(Verdict::Cached, |known| known.verdict);
        score.steps += 1;
        score.ran += usize::from(ran);
        match verdict {
            Verdict::Unknown => {
                score.unknown += 1;
                score.unknown_that_ran += usize::from(ran);
            }
            verdict if ran == (verdict == Verdict::Runs) => {}
            verdict => {
                let paths = build.steps.iter().find(|known| known.step == number).map(|known| known.paths.clone());
                let _ = writeln!(
                    score.disagreements,
                    "{} {}: {} {} `{}` was told as {verdict:?} ({paths:?}), and {}",
                    commit.id,
                    commit.subject,
                    step.place.stage,
                    step.place.index,
                    step.instruction,
                    if ran { "ran" } else { "did not run" }
                );
            }
        }
    }
}
