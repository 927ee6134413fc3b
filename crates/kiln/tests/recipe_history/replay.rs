//! One repository, commit by commit.

use std::process::Command;

use camino::Utf8Path;
use cargo_platform::Cfg;
use kiln::project::cargo::CargoWorkspace;
use kiln::recipe::{Recipe, prepare, stub_workspace};

use crate::facts::{self, HOST};
use crate::repository::{self, Subject};
use crate::store::{Chef, Store, Verdict, keep};
use crate::unit_graph;

/// Of the commits that touch nothing that counts, each so-manieth is put to cargo all the same: to prove the rule.
const SAMPLE: usize = 20;

/// Two neighbouring commits, and the digests of their recipes.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) commits: [String; 2],
    pub(crate) recipes: [String; 2],
}

/// Changes by one tool's recipe, set against those of the units.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How often the recipe changed.
    pub(crate) changes: usize,
    /// Where it changed and the units did not.
    pub(crate) fakes: Vec<Pair>,
    /// Where the units changed and it did not.
    pub(crate) missed: Vec<Pair>,
    /// Commits for which the tool made none.
    pub(crate) failures: usize,
}

impl Tally {
    fn pair(&mut self, old: &Point, new: &Point, recipe: impl Fn(&Point) -> Option<&str>) {
        let (Some(before), Some(after)) = (recipe(old), recipe(new)) else {
            self.failures += usize::from(recipe(new).is_none());
            return;
        };
        let pair = || Pair { commits: [old.commit.clone(), new.commit.clone()], recipes: [before.to_owned(), after.to_owned()] };
        match (before != after, old.verdict != new.verdict) {
            (true, true) => self.changes += 1,
            (true, false) => {
                self.changes += 1;
                self.fakes.push(pair());
            }
            (false, true) => self.missed.push(pair()),
            (false, false) => {}
        }
    }
}

/// What was found in one repository.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// Commits replayed.
    pub(crate) commits: usize,
    /// Of these, those put to cargo.
    pub(crate) asked: usize,
    /// Of those that touch nothing that counts, how many were put to cargo for proof.
    pub(crate) sampled: usize,
    /// Commits that cargo refuses, with its reason.
    pub(crate) refused: Vec<(String, String)>,
    /// Commits that cargo builds and kiln refuses.
    pub(crate) refused_by_kiln: Vec<(String, String)>,
    /// Commits at which the stub's external units are not those of the workspace: commit, what is missing, what is too much.
    pub(crate) unequal: Vec<(String, Vec<String>, Vec<String>)>,
    /// Distinct recipes, each of whose stub was put to cargo.
    pub(crate) stubs: usize,
    /// Changes of the units.
    pub(crate) changes: usize,
    pub(crate) kiln: Tally,
    pub(crate) chef: Tally,
    pub(crate) chef_binary: Tally,
}

/// A commit that cargo builds.
struct Point {
    commit: String,
    verdict: Verdict,
    recipe: Option<String>,
    chef: Option<Chef>,
}

/// Replays a repository; what was answered before is in the folder.
pub(crate) fn replay(subject: &Subject, folder: &Utf8Path, chef: Option<&Utf8Path>) -> Outcome {
    let clone = folder.join("clone");
    repository::clone(subject, &clone);
    let workspace = clone.join(&subject.folder);
    let cfgs = cfgs(folder);
    let mut verdicts = Store::open(&folder.join("cargo.jsonl"));
    let mut chefs = Store::open(&folder.join("chef.jsonl"));
    let mut stubs = Store::open(&folder.join("stubs.jsonl"));
    let mut outcome = Outcome { name: subject.name.clone(), ..Outcome::default() };
    let mut known: Option<(String, Verdict, Option<Chef>)> = None;
    let mut last: Option<Point> = None;
    let mut seen = std::collections::HashSet::new();
    for (position, commit) in repository::commits(subject, &clone).into_iter().enumerate() {
        repository::check_out(&clone, &commit.id);
        outcome.commits += 1;
        let recipe = recipe(&workspace, &clone, subject);
        let digest = match &recipe {
            Ok(recipe) => recipe.digest()[..16].to_owned(),
            Err(message) => message.clone(),
        };
        let sampled = !commit.counts && position % SAMPLE == 0;
        let carried = known.clone().filter(|(before, ..)| !commit.counts && !sampled && *before == digest);
        let (verdict, by_chef) = match carried {
            Some((_, verdict, by_chef)) => (verdict, by_chef),
            None => {
                outcome.asked += 1;
                outcome.sampled += usize::from(sampled);
                let verdict = verdicts.get(&format!("{} {} {}", commit.id, subject.package, subject.binary), || {
                    ask(subject, folder, &workspace, &clone, &cfgs)
                });
                let by_chef = chef.map(|chef| chefs.get(&commit.id, || cook(chef, subject, folder, &workspace)));
                (verdict, by_chef)
            }
        };
        known = Some((digest.clone(), verdict.clone(), by_chef.clone()));
        let units = match &verdict {
            Verdict::Refused(reason) => {
                outcome.refused.push((commit.id, reason.clone()));
                continue;
            }
            Verdict::Units { units, .. } => units,
        };
        match &recipe {
            Err(message) => outcome.refused_by_kiln.push((commit.id.clone(), message.clone())),
            Ok(recipe) => {
                if seen.insert(digest.clone()) {
                    std::fs::create_dir_all(folder.join("recipes")).unwrap();
                    std::fs::write(folder.join("recipes").join(format!("{digest}.json")), recipe.to_json()).unwrap();
                    outcome.stubs += 1;
                }
                let stub = stubs.get(&digest, || graph_of_stub(recipe, folder));
                if stub.as_ref() != Ok(units) {
                    let (missing, surplus) = difference(folder, units, &stub);
                    outcome.unequal.push((commit.id.clone(), missing, surplus));
                }
            }
        }
        let point = Point { commit: commit.id, verdict, recipe: recipe.is_ok().then_some(digest), chef: by_chef };
        if let Some(last) = &last {
            outcome.changes += usize::from(last.verdict != point.verdict);
            outcome.kiln.pair(last, &point, |point| point.recipe.as_deref());
            if chef.is_some() {
                outcome.chef.pair(last, &point, |point| point.chef.as_ref()?.plain.as_deref());
                outcome.chef_binary.pair(last, &point, |point| point.chef.as_ref()?.binary.as_deref());
            }
        }
        last = Some(point);
    }
    outcome
}

fn recipe(workspace: &Utf8Path, clone: &Utf8Path, subject: &Subject) -> Result<Recipe, String> {
    let workspace = CargoWorkspace::load(workspace, clone).map_err(|error| error.to_string())?;
    prepare(&workspace, &subject.selection(), HOST).map_err(|error| error.to_string())
}

/// What both builds are asked with. Their toolchain is that of the test, whatever the repository wants.
fn shared_flags(target: &Utf8Path) -> [&str; 4] {
    ["--release", "--ignore-rust-version", "--target-dir", target.as_str()]
}

fn ask(subject: &Subject, folder: &Utf8Path, workspace: &Utf8Path, clone: &Utf8Path, cfgs: &[Cfg]) -> Verdict {
    let target = folder.join("target");
    // Without the package, cargo would unify features over all members.
    let mut flags = vec!["--locked", "-p", &subject.package, "--bin", &subject.binary];
    flags.extend(shared_flags(&target));
    match unit_graph::units(workspace, &flags) {
        Err(message) => Verdict::Refused(message),
        Ok(units) => {
            let facts = facts::facts(workspace, clone, &units, cfgs);
            Verdict::Units {
                units: keep(&folder.join("units"), "txt", &lines(units)),
                facts: keep(&folder.join("facts"), "txt", &facts),
            }
        }
    }
}

fn lines(units: impl IntoIterator<Item = String>) -> String {
    units.into_iter().map(|unit| unit + "\n").collect()
}

/// Digest of the stub's external units.
fn graph_of_stub(recipe: &Recipe, folder: &Utf8Path) -> Result<String, String> {
    let stub = folder.join("stub");
    if stub.exists() {
        std::fs::remove_dir_all(&stub).unwrap();
    }
    for (path, text) in stub_workspace(recipe) {
        std::fs::create_dir_all(stub.join(&path).parent().unwrap()).unwrap();
        std::fs::write(stub.join(path), text).unwrap();
    }
    let target = folder.join("target");
    let units = unit_graph::units(&stub, &shared_flags(&target))?;
    Ok(keep(&folder.join("units"), "txt", &lines(units)))
}

fn difference(folder: &Utf8Path, real: &str, stub: &Result<String, String>) -> (Vec<String>, Vec<String>) {
    let read = |digest: &str| std::fs::read_to_string(folder.join("units").join(format!("{digest}.txt"))).unwrap();
    let real = read(real);
    let stub = match stub {
        Ok(stub) => read(stub),
        Err(message) => return (vec![message.clone()], Vec::new()),
    };
    let only = |one: &str, other: &str| {
        let other: std::collections::HashSet<_> = other.lines().collect();
        one.lines().filter(|line| !other.contains(line)).map(str::to_owned).collect()
    };
    (only(&real, &stub), only(&stub, &real))
}

/// cargo-chef's recipes of the workspace as it lies there.
fn cook(chef: &Utf8Path, subject: &Subject, folder: &Utf8Path, workspace: &Utf8Path) -> Chef {
    let path = folder.join("chef.json");
    let recipe = |flags: &[&str]| {
        let mut arguments = vec!["chef", "prepare", "--recipe-path", path.as_str()];
        arguments.extend(flags);
        let done = run(chef.as_str(), &arguments, workspace)?;
        let text = std::fs::read(&path).ok()?;
        std::fs::remove_file(&path).ok()?;
        done.then(|| blake3::hash(&text).to_hex()[..16].to_owned())
    };
    Chef { plain: recipe(&[]), binary: recipe(&["--bin", &subject.binary]) }
}

#[expect(clippy::disallowed_methods, reason = "the test compares with another tool")]
fn run(program: &str, arguments: &[&str], folder: &Utf8Path) -> Option<bool> {
    let output = Command::new(program).args(arguments).current_dir(folder).output().ok()?;
    Some(output.status.success())
}

/// What holds on this machine, as the compiler says.
#[expect(clippy::disallowed_methods, reason = "the test asks the compiler")]
fn cfgs(folder: &Utf8Path) -> Vec<Cfg> {
    let output = Command::new("rustc").args(["--print", "cfg"]).current_dir(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}
