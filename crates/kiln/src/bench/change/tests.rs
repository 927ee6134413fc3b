//! Choices in real and generated repositories, applied for several rounds.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use semver::Version;

use super::*;
use crate::plan::Plan;
use crate::plan::fixtures::{bundle, decide, lock, workspace};
use crate::process::{Cancel, Run};
use crate::project::fixture::Fixture;
use crate::project::look;
use crate::project::node::NodeWorkspace;
use crate::settings::Settings;

/// A registry in which everything has the versions 1.0.0 to 1.0.20, and whose tools edit locks as cargo and npm would.
#[derive(Default)]
struct Registry {
    /// Crates that do not move.
    stuck: BTreeSet<String>,
    calls: RefCell<Vec<String>>,
}

impl LockTool for Registry {
    fn crate_releases(&self, _: &Utf8Path, name: &str, _: &str, _: Option<&str>) -> Result<Vec<Release>, ToolError> {
        self.calls.borrow_mut().push(format!("releases {name}"));
        Ok((0..=20).map(|patch| Release { version: Version::new(1, 0, patch), rust_version: None }).collect())
    }

    fn move_crate(&self, workspace: &Utf8Path, name: &str, from: &str, to: &str) -> Result<(), ToolError> {
        if self.stuck.contains(name) {
            return Err(ToolError::Failed { command: "cargo update".to_owned(), message: "error: no".to_owned() });
        }
        let path = workspace.join("Cargo.lock");
        let text = fs::read_to_string(&path).unwrap();
        let old = format!("name = \"{name}\"\nversion = \"{from}\"");
        assert!(text.contains(&old), "{name} {from}");
        fs::write(&path, text.replace(&old, &format!("name = \"{name}\"\nversion = \"{to}\""))).unwrap();
        Ok(())
    }

    fn npm_versions(&self, _: &Utf8Path, _: &str) -> Result<Vec<Version>, ToolError> {
        Ok((0..=20).map(|patch| Version::new(4, 0, patch)).collect())
    }

    fn move_npm(&self, directory: &Utf8Path, _: Option<&Utf8Path>, _: &str, to: &str, _: bool) -> Result<(), ToolError> {
        for file in ["package.json", "package-lock.json"] {
            let path = directory.join(file);
            let text = fs::read_to_string(&path).unwrap();
            let start = text.rfind("\"4.0.").unwrap() + 1;
            let end = start + text[start..].find('"').unwrap();
            fs::write(path, format!("{}{to}{}", &text[..start], &text[end..])).unwrap();
        }
        Ok(())
    }
}

/// Neither cargo nor npm.
struct NoTools;

impl NoTools {
    fn missing<T>(program: &str) -> Result<T, ToolError> {
        Err(ToolError::Missing { program: program.to_owned() })
    }
}

impl LockTool for NoTools {
    fn crate_releases(&self, _: &Utf8Path, _: &str, _: &str, _: Option<&str>) -> Result<Vec<Release>, ToolError> {
        Self::missing("cargo")
    }

    fn move_crate(&self, _: &Utf8Path, _: &str, _: &str, _: &str) -> Result<(), ToolError> {
        Self::missing("cargo")
    }

    fn npm_versions(&self, _: &Utf8Path, _: &str) -> Result<Vec<Version>, ToolError> {
        Self::missing("npm")
    }

    fn move_npm(&self, _: &Utf8Path, _: Option<&Utf8Path>, _: &str, _: &str, _: bool) -> Result<(), ToolError> {
        Self::missing("npm")
    }
}

type Outcome = Vec<(Scenario, Result<Choice, NotApplicable>)>;

fn choices(fixture: &Fixture, tools: &dyn LockTool) -> Outcome {
    choose(&look(fixture.path()).unwrap(), &decide(fixture, ""), fixture.path(), tools)
}

fn choice(outcome: &Outcome, scenario: Scenario) -> Choice {
    let (_, found) = outcome.iter().find(|(other, _)| *other == scenario).unwrap();
    found.clone().unwrap_or_else(|error| panic!("{}: {error}", scenario.name()))
}

fn refusal(outcome: &Outcome, scenario: Scenario) -> NotApplicable {
    let (_, found) = outcome.iter().find(|(other, _)| *other == scenario).unwrap();
    found.clone().unwrap_err()
}

/// kiro, in a folder of its own.
fn kiro() -> (Fixture, Plan) {
    let source = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kiro");
    let mut fixture = Fixture::new();
    let mut next = vec![source.clone()];
    while let Some(folder) = next.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true if matches!(entry.file_name(), "target" | "node_modules" | "dist") => {}
                true => next.push(entry.path().to_owned()),
                false => {
                    if let Ok(text) = fs::read_to_string(entry.path()) {
                        fixture = fixture.file(entry.path().strip_prefix(&source).unwrap().as_str(), &text);
                    }
                }
            }
        }
    }
    let settings = Settings::parse(&fs::read_to_string(source.join("kiln.toml")).unwrap()).unwrap();
    let plan = crate::plan::plan(&look(fixture.path()).unwrap(), &settings);
    (fixture, plan)
}

/// Every file of a repository.
fn state(root: &Utf8Path) -> Vec<(Utf8PathBuf, String)> {
    let mut files = Vec::new();
    let mut next = vec![root.to_owned()];
    while let Some(folder) = next.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let path = entry.unwrap().path().to_owned();
            if path.is_dir() {
                next.push(path);
            } else {
                files.push((path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// Applies five rounds (or as many as there are). Each must change files, only those that it names, to what no round before had.
fn rounds(fixture: &Fixture, choice: &Choice, tools: &dyn LockTool) {
    let root = fixture.path();
    let mut seen = vec![state(root)];
    for round in 1..=choice.max_rounds.unwrap_or(5).min(5) {
        let changed = choice.apply(root, round, tools).unwrap_or_else(|error| panic!("{choice:?} {round}: {error}"));
        let now = state(root);
        let before = seen.last().unwrap();
        assert_eq!(now.len(), before.len(), "{choice:?}: files left behind");
        let differ: Vec<_> = now.iter().zip(before).filter(|(new, old)| new != old).map(|(new, _)| new.0.clone()).collect();
        assert_eq!(changed, differ, "{choice:?} {round}");
        assert!(changed.iter().all(|path| choice.files().contains(path)));
        if choice.change == Change::None {
            assert!(changed.is_empty());
        } else {
            assert!(!seen.contains(&now), "{choice:?}: round {round} was there before");
        }
        seen.push(now);
    }
    // Marks are replaced, not added: the last round is as long as the first, but for what grows by design.
    let length = |state: &[(Utf8PathBuf, String)]| state.iter().map(|(_, text)| text.lines().count()).sum::<usize>();
    if !matches!(choice.change, Change::CargoAdd { .. }) {
        assert_eq!(length(&seen[1]), length(seen.last().unwrap()), "{choice:?}");
    }
    // What was looked at can be looked at again, and locks agree with manifests.
    let project = look(root).unwrap();
    for workspace in &project.cargo {
        assert!(workspace.lock_disagreements().is_empty(), "{choice:?}: {:?}", workspace.lock_disagreements());
    }
    for workspace in &project.node {
        assert!(workspace.disagreement.is_none(), "{choice:?}: {:?}", workspace.disagreement);
    }
}

#[test]
fn every_choice_of_kiro_can_be_made_for_five_rounds() {
    let (fixture, plan) = kiro();
    let tools = NoTools;
    let before = state(fixture.path());
    let outcome = choose(&look(fixture.path()).unwrap(), &plan, fixture.path(), &tools);
    assert_eq!(state(fixture.path()), before, "choosing leaves nothing behind");
    let whats: Vec<String> = outcome
        .iter()
        .map(|(scenario, found)| match found {
            Ok(choice) => format!("{} ({}): {}", scenario.name(), choice.service, choice.what),
            Err(error) => format!("{}: skipped: {error}", scenario.name()),
        })
        .collect();
    insta::assert_snapshot!(whats.join("\n"), @r"
    cold (backend): nothing is edited
    no-op (backend): nothing is edited
    docs (backend): README.md: one line
    source-bin (backend): backend/crates/kiro-server/src/main.rs: one line in `fn main`
    source-lib (backend): backend/crates/kiro-domain/src/lib.rs: one item; 3 local packages depend on `kiro-domain`
    comment (backend): backend/crates/kiro-server/src/main.rs: one comment
    version-bump (backend): backend/Cargo.toml and Cargo.lock: the version of 4 packages
    add-dependency (backend): backend/crates/kiro-server/Cargo.toml and Cargo.lock: a new crate (`void`)
    bump-leaf: skipped: it needs `cargo` on this machine to change the lock
    bump-core: skipped: it needs `cargo` on this machine to change the lock
    lock-only: skipped: it needs `cargo` on this machine to change the lock
    frontend-source (frontend): frontend/src/main.js: one line
    frontend-dependency: skipped: it needs `npm` on this machine to change the lock
    frontend-version (frontend): frontend/package.json and package-lock.json: the version
    branch-switch-back (backend): backend/crates/kiro-domain/src/lib.rs: one item; 3 local packages depend on `kiro-domain`; backend/crates/kiro-server/src/main.rs: one line in `fn main`; and back
    fresh-builder (backend): nothing is edited
    gc-ed-mount (backend): nothing is edited
    ");
    // All in one copy, one after the other, as a bench does.
    for choice in outcome.iter().filter_map(|(_, found)| found.as_ref().ok()) {
        rounds(&fixture, choice, &tools);
    }
}

#[test]
fn a_branch_goes_there_and_back() {
    let (fixture, plan) = kiro();
    let outcome = choose(&look(fixture.path()).unwrap(), &plan, fixture.path(), &NoTools);
    let branch = choice(&outcome, Scenario::BranchSwitchBack);
    let before = state(fixture.path());
    let snapshot = Snapshot::take(fixture.path(), &branch.files()).unwrap();
    let changed = branch.apply(fixture.path(), 1, &NoTools).unwrap();
    assert_eq!(changed.len(), 2);
    assert_eq!(snapshot.restore().unwrap(), changed);
    assert_eq!(state(fixture.path()), before);
    assert!(snapshot.restore().unwrap().is_empty());
}

/// A server with external crates: `base` is below most others, `leaf` and `small` are asked for by the server alone, and `tests` is
/// only for an `xtask`.
fn external() -> Fixture {
    let external = |name: &str, dependencies: &[&str]| {
        let list: String = dependencies.iter().map(|name| format!(" \"{name}\",\n")).collect();
        let list = if list.is_empty() { list } else { format!("dependencies = [\n{list}]\n") };
        format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"1.0.10\"\nsource = \
             \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n{list}"
        )
    };
    let text = [
        lock(&["server"]).replace("0.1.0\"\n", "0.1.0\"\ndependencies = [\n \"leaf\",\n \"mid\",\n \"small\",\n]\n"),
        lock(&["xtask"]).replace("version = 4\n", "").replace("0.1.0\"\n", "0.1.0\"\ndependencies = [\n \"tests\",\n]\n"),
        external("base", &[]),
        external("leaf", &["mid"]),
        external("mid", &["base"]),
        external("small", &[]),
        external("tests", &[]),
    ];
    Fixture::new()
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"server\", \"xtask\"]\n")
        .binary("server", "server", "[dependencies]\nleaf = \"1\"\nmid = \"1\"\nsmall = \"1\"\n")
        .binary("xtask", "xtask", "[dependencies]\ntests = \"1\"\n")
        .file("Cargo.lock", &text.concat())
}

#[test]
fn crates_to_move_are_chosen_by_their_place_in_the_graph() {
    let fixture = external();
    let tools = Registry::default();
    let outcome = choices(&fixture, &tools);
    let moved = |scenario| match choice(&outcome, scenario).change {
        Change::CargoMove { package, versions, .. } => (package, versions.len() - 1, versions[1].clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(moved(Scenario::BumpLeaf), ("small".to_owned(), 8, "1.0.9".to_owned()));
    assert_eq!(moved(Scenario::BumpCore), ("base".to_owned(), 8, "1.0.9".to_owned()));
    assert_eq!(moved(Scenario::LockOnly), ("tests".to_owned(), 8, "1.0.9".to_owned()));
    for scenario in [Scenario::BumpLeaf, Scenario::BumpCore, Scenario::LockOnly] {
        rounds(&fixture, &choice(&outcome, scenario), &tools);
    }

    // Scenarios that move nothing ask no registry.
    let tools = Registry::default();
    let project = look(fixture.path()).unwrap();
    let some = choose_from(&[Scenario::SourceBin, Scenario::Cold], &project, &decide(&fixture, ""), fixture.path(), &tools);
    assert_eq!(some.iter().map(|(scenario, _)| *scenario).collect::<Vec<_>>(), [Scenario::SourceBin, Scenario::Cold]);
    assert!(tools.calls.borrow().is_empty());

    // One that does not move makes room for the next.
    let tools = Registry { stuck: BTreeSet::from(["small".to_owned()]), ..Registry::default() };
    let fixture = external();
    let outcome = choices(&fixture, &tools);
    let Change::CargoMove { package, .. } = choice(&outcome, Scenario::BumpLeaf).change else { panic!() };
    assert_eq!(package, "leaf");
    assert_eq!(tools.calls.borrow()[..2], ["releases small", "releases leaf"]);
}

#[test]
fn what_does_not_apply_says_why() {
    let outcome = choices(&external(), &NoTools);
    assert_eq!(refusal(&outcome, Scenario::BumpLeaf), NotApplicable::NoTool { program: "cargo".to_owned() });
    assert_eq!(refusal(&outcome, Scenario::SourceLib), NotApplicable::NoLibrary { package: "server".to_owned() });
    assert_eq!(refusal(&outcome, Scenario::Docs), NotApplicable::NoDocs);
    assert_eq!(refusal(&outcome, Scenario::FrontendSource), NotApplicable::NoNodeService);
    let outcome = choices(&bundle(), &NoTools);
    assert_eq!(refusal(&outcome, Scenario::SourceBin), NotApplicable::NoRustService);
    assert_eq!(refusal(&outcome, Scenario::FrontendDependency), NotApplicable::NoTool { program: "npm".to_owned() });
    let outcome = choices(&Fixture::new().file("README.md", "x"), &NoTools);
    assert_eq!(refusal(&outcome, Scenario::Cold), NotApplicable::NoService);
    let pinned = external().file(
        "xtask/Cargo.toml",
        "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\n\n[dependencies]\nserver = { path = \"../server\", version = \"=0.1.0\" }\n",
    );
    let error = refusal(&choices(&pinned, &NoTools), Scenario::VersionBump).to_string();
    assert_eq!(error, "xtask/Cargo.toml:6 asks for `server` =0.1.0");
}

#[test]
fn frontends_alone_and_members_of_workspaces_change_too() {
    let tools = Registry::default();
    let fixture = bundle();
    for (_, found) in choices(&fixture, &tools).iter().filter(|(_, found)| found.is_ok()) {
        rounds(&fixture, found.as_ref().unwrap(), &tools);
    }
    let fixture = workspace().file("README.md", "# Demo");
    for (_, found) in choices(&fixture, &tools).iter().filter(|(_, found)| found.is_ok()) {
        rounds(&fixture, found.as_ref().unwrap(), &tools);
    }
}

#[test]
fn files_outside_of_the_copy_are_never_touched() {
    let other = Fixture::new().file("main.rs", "fn main() {}\n");
    let fixture = Fixture::new().file("a", "");
    std::os::unix::fs::symlink(other.path(), fixture.path().join("src")).unwrap();
    for path in ["../main.rs", "src/main.rs", other.path().join("main.rs").as_str()] {
        let choice = Choice {
            scenario: Scenario::SourceBin,
            service: "a".to_owned(),
            what: String::new(),
            max_rounds: Some(3),
            change: Change::RustMain { path: path.into() },
        };
        let error = choice.apply(fixture.path(), 1, &NoTools).unwrap_err();
        assert!(matches!(error, ChangeError::Outside { .. }), "{path}: {error}");
        assert!(matches!(choice.apply(fixture.path(), 4, &NoTools), Err(ChangeError::NoRound { rounds: 3, .. })));
    }
    assert_eq!(fs::read_to_string(other.path().join("main.rs")).unwrap(), "fn main() {}\n");
}

/// Compiles a crate with rustc, every lint that a line could hurt denied.
fn compile(folder: &Utf8Path, text: &str, kind: &str, edition: &str) {
    const DENIED: &str = "#![forbid(unsafe_code)]\n#![deny(warnings, missing_docs, unused, unused_results, unreachable_pub, \
                          unused_qualifications, let_underscore_drop, future_incompatible)]\n//! Documented.\n";
    let path = folder.join("crate.rs");
    fs::write(&path, format!("{DENIED}{text}")).unwrap();
    let arguments = ["--edition", edition, "--crate-type", kind, "--emit", "metadata,obj", "--crate-name", "a", path.as_str()];
    let run = Run::new("rustc").args(arguments).cwd(folder).output(&Cancel::new()).unwrap();
    assert!(run.success(), "{}\n{text}", run.stderr);
}

#[test]
fn changed_sources_compile_with_every_kind_of_main() {
    let folder = Fixture::new();
    let mains = [
        "fn main() {}",
        "fn main() -> Result<(), std::fmt::Error> { Ok(()) }",
        "fn main() -> std::process::ExitCode {\n    #![allow(clippy::all)]\n    std::process::ExitCode::SUCCESS\n}",
        "use std::fmt::Error;\n/// Runs.\n#[inline]\npub fn main() -> Result<(), Error> { let s = \"}\"; drop(s.to_owned()); Ok(()) }",
        "macro_rules! start { () => { fn main() {} } }\nstart!();",
        "mod inner { pub(crate) fn main() {} }\nuse inner::main;",
    ];
    for (main, edition) in mains.iter().zip(["2015", "2018", "2021", "2024", "2024", "2021"]) {
        let once = rust_source::comment(&rust_source::in_main(main, "a:1"), "a:1");
        compile(folder.path(), &rust_source::in_main(&once, "a:2"), "bin", edition);
    }
    // As `#[tokio::main]` sees it: an asynchronous body in a function of the compiler's.
    let asynchronous = rust_source::in_main("async fn main() -> Result<(), std::fmt::Error> { Ok(()) }", "a:1");
    let library = asynchronous.replace("async fn main", "/// Runs.\n/// # Errors\n/// Never.\npub async fn main");
    compile(folder.path(), &library, "lib", "2021");
    for (proc_macro, kind) in [(false, "lib"), (true, "proc-macro")] {
        compile(folder.path(), &rust_source::in_library("", "a:3", proc_macro), kind, "2024");
    }
}

#[test]
fn a_changed_line_is_in_the_program() {
    let folder = Fixture::new();
    let built = |round: u32| {
        let text = rust_source::in_main("fn main() { println!(\"hello\"); }", &format!("a:{round}"));
        fs::write(folder.path().join("main.rs"), text).unwrap();
        let run = Run::new("rustc").args(["-O", "-Clink-dead-code=no", "main.rs"]).cwd(folder.path());
        assert!(run.output(&Cancel::new()).unwrap().success());
        fs::read(folder.path().join("main")).unwrap()
    };
    let contains = |program: &[u8], mark: &[u8]| program.windows(mark.len()).any(|window| window == mark);
    let (first, second) = (built(1), built(2));
    assert!(contains(&first, b"kiln bench a:1") && contains(&second, b"kiln bench a:2"));
    assert!(!contains(&second, b"kiln bench a:1"));
}

#[test]
fn only_the_versions_of_a_node_member_move() {
    let fixture = Fixture::new()
        .file("package.json", r#"{"name":"all","version":"1.0.0","private":true,"workspaces":["web"]}"#)
        .file("web/package.json", "{\n\t\"name\": \"web\", \"version\" : \"1.0.0\"\n}")
        .file("package-lock.json", r#"{"name":"all","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"all","version":"1.0.0","workspaces":["web"]},"web":{"version":"1.0.0"},"node_modules/web":{"resolved":"web","link":true}}}"#);
    let choice = Choice {
        scenario: Scenario::FrontendVersion,
        service: "web".to_owned(),
        what: String::new(),
        max_rounds: None,
        change: Change::NpmVersion {
            manifest: "web/package.json".into(),
            lock: Some("package-lock.json".into()),
            key: "web".to_owned(),
            from: "1.0.0".to_owned(),
        },
    };
    let _ = choice.apply(fixture.path(), 7, &NoTools).unwrap();
    let read = |path: &str| fs::read_to_string(fixture.path().join(path)).unwrap();
    assert_eq!(read("web/package.json"), "{\n\t\"name\": \"web\", \"version\" : \"1.0.7\"\n}");
    assert!(read("package-lock.json").contains(r#""web":{"version":"1.0.7"}"#));
    assert_eq!(read("package-lock.json").matches("1.0.7").count(), 1);
    assert!(NodeWorkspace::load(fixture.path()).is_ok());
}

/// With the cargo and npm of this machine and their registries: in CI and by hand, `cargo test -p kiln --lib bench -- --ignored`.
#[test]
#[ignore = "asks crates.io and npm"]
fn dependencies_of_kiro_move_with_the_tools_of_this_machine() {
    let (fixture, plan) = kiro();
    let home = Run::new("sh").args(["-c", "printf %s \"${CARGO_HOME:-$HOME/.cargo}\""]).output(&Cancel::new()).unwrap().stdout;
    let tools = HostTools::new(home.trim().into(), Cancel::new());
    let before = state(fixture.path());
    let outcome = choose(&look(fixture.path()).unwrap(), &plan, fixture.path(), &tools);
    assert_eq!(state(fixture.path()), before, "choosing leaves nothing behind");
    let backend = fixture.path().join("backend");
    for (scenario, found) in &outcome {
        let choice = found.as_ref().unwrap_or_else(|error| panic!("{}: {error}", scenario.name()));
        assert!(choice.max_rounds.is_none_or(|rounds| rounds >= 5), "{choice:?}");
        rounds(&fixture, choice, &tools);
        // cargo agrees with the lock, to the byte.
        let run = Run::new("cargo").args(["update", "--workspace", "--locked"]).cwd(&backend).output(&Cancel::new()).unwrap();
        assert!(run.success(), "{choice:?}: {}", run.stderr);
    }
}
