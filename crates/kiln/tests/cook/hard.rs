//! Cooks that are killed, and cooks that share a mount: the layer is always that of a clean cook, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kiln::process::Cancel;
use kiln::recipe::{CargoReport, CookRequest, Limits, Recipe, StepError, cook};
use serde::{Deserialize, Serialize};

use crate::kill::killed_after;
use crate::support::{Bench, differences};

/// One cook, as a child process can be told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Job {
    recipe: String,
    stub: PathBuf,
    mount: PathBuf,
    cargo_home: PathBuf,
    output: PathBuf,
    /// How much the mount may hold beside what this cook uses.
    bytes: u64,
}

impl Job {
    fn new(bench: &Bench, recipe: &Recipe, output: &str) -> Self {
        Self {
            recipe: recipe.to_json(),
            stub: bench.at("stub"),
            mount: bench.at("mounted"),
            cargo_home: bench.at("cargo"),
            output: bench.at(output),
            bytes: u64::MAX,
        }
    }

    fn run(&self) -> Result<CargoReport, StepError> {
        let request = CookRequest {
            recipe: &Recipe::from_json(&self.recipe).unwrap(),
            stub_folder: &self.stub,
            mount: &self.mount,
            cargo_home: &self.cargo_home,
            output: &self.output,
            seed: None,
            secret_variables: &[],
            vendored: None,
            cargo: Path::new("cargo"),
            environment: &BTreeMap::new(),
            system_files: &[],
            limits: Limits { bytes: self.bytes, ..Limits::default() },
            now: SystemTime::now(),
        };
        cook(&request, &Cancel::new(), &mut |_| {}).map(|(report, _)| report)
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The other half of [`killed_after`].
#[test]
#[ignore = "the child of another test"]
fn child() {
    let job: Job = serde_json::from_str(&setting("COOK_JOB").unwrap()).unwrap();
    job.run().unwrap();
}

/// The recipes of two versions of the workspace, with the layers of clean cooks.
fn recipes(bench: &Bench) -> [(Recipe, PathBuf); 2] {
    ["", "\"extra_traits\""].map(|features| {
        bench.features(features);
        let recipe = bench.recipe();
        let layer = format!("clean-{}", features.len());
        Job::new(bench, &recipe, &layer).run().unwrap();
        fs::remove_dir_all(bench.at("mounted")).unwrap();
        (recipe, bench.at(&layer))
    })
}

#[test]
fn a_cook_that_is_killed_leaves_a_mount_that_the_next_one_can_use() {
    let kills = setting("KILN_COOK_KILLS").map_or(3, |text| text.parse().unwrap());
    let bench = Bench::new("");
    let recipes = recipes(&bench);
    let mut number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let mut next = |limit: u32| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 8) % limit
    };
    let (mut in_time, mut moments) = (0, Vec::new());
    while in_time < kills && moments.len() < 5 * kills {
        let (recipe, clean) = &recipes[next(2) as usize];
        if next(2) == 0 {
            // Nothing is there yet, or everything of the other recipe.
            let _ = fs::remove_dir_all(bench.at("mounted"));
        }
        let job = Job::new(&bench, recipe, "killed");
        let moment = Duration::from_millis(u64::from(next(1500)));
        in_time += usize::from(!killed_after("hard::child", "COOK_JOB", &serde_json::to_string(&job).unwrap(), moment));
        moments.push(moment.as_millis());
        // What the step wrote outside of mounts goes with its container.
        let _ = fs::remove_dir_all(bench.at("killed"));
        let _ = fs::remove_dir_all(bench.at("stub"));
        let layer = format!("after-{}", moments.len());
        Job::new(&bench, recipe, &layer).run().unwrap();
        assert_eq!(differences(clean, &bench.at(&layer)), Vec::<PathBuf>::new(), "killed after {moments:?} ms");
    }
    assert_eq!(in_time, kills, "too late: {moments:?} ms");
    writeln!(stderr(), "{in_time} cooks killed, {} ended before; after {moments:?} ms", moments.len() - in_time).unwrap();
}

#[test]
fn two_recipes_cook_at_once_on_one_mount_and_neither_loses_a_unit() {
    let bench = Bench::new("");
    let recipes = recipes(&bench);
    for round in 0..3 {
        std::thread::scope(|scope| {
            let cooks = [0, 1].map(|which| {
                let mut job = Job::new(&bench, &recipes[which].0, &format!("layer-{round}-{which}"));
                // Each container has a place of its own for it.
                job.stub = bench.at(&format!("stub-{which}"));
                // No room for what the other one uses: it is removed whenever nobody needs it.
                job.bytes = 0;
                scope.spawn(move || job.run().unwrap())
            });
            cooks.into_iter().for_each(|cook| drop(cook.join().unwrap()));
        });
        for (which, (_, clean)) in recipes.iter().enumerate() {
            let layer = bench.at(&format!("layer-{round}-{which}"));
            assert_eq!(differences(clean, &layer), Vec::<PathBuf>::new(), "round {round}");
        }
    }
    // What only the first one used is gone: the bound is kept.
    let job = Job { bytes: 0, ..Job::new(&bench, &recipes[0].0, "last") };
    job.run().unwrap();
    let other = Job::new(&bench, &recipes[1].0, "other").run().unwrap();
    assert!(other.external_compiled.len() == 1 && other.external_compiled[0].starts_with("libc "), "{other:?}");
}
