//! Every configuration body × extension × `"type"` × rollup × Node: the rules fire if and only if rollup fails.
//!
//! What rollup does is in `rollup-matrix.txt`, which `make rollup-matrix` makes with real rollups and Nodes; there, each cell that fails is
//! also fixed and run again. A sample of the table is compared with the rules by `make unit`, all of it by `make rules-matrix`.

mod bodies;
mod real;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use kiln::advice::{Group, Severity, rules};

use crate::support::World;
use bodies::{BODIES, Body};

pub(crate) const NODES: [&str; 4] = ["18.20.8", "20.18.0", "20.20.2", "22.23.3"];
const EXTENSIONS: [&str; 3] = ["js", "mjs", "cjs"];
const TYPES: [&str; 3] = ["-", "commonjs", "module"];
const ROLLUPS: [&str; 3] = ["2.80.0", "3.30.0", "4.68.8"];

/// One cell.
#[derive(Debug, Clone, Copy)]
struct Cell {
    body: &'static Body,
    extension: &'static str,
    package_type: &'static str,
    rollup: &'static str,
    node: &'static str,
}

/// Why no fix can help: the base image is too old for the plugin.
const IMAGE: &str = "engines-unmet";

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for body in &BODIES {
            for extension in EXTENSIONS {
                for package_type in TYPES {
                    for rollup in ROLLUPS {
                        cells.extend(NODES.map(|node| Self { body, extension, package_type, rollup, node }));
                    }
                }
            }
        }
        cells
    }

    /// The row of the table, without its verdicts.
    fn row(&self) -> String {
        let major = self.rollup.split('.').next().unwrap_or_default();
        format!("{} {} {} {major}", self.body.name, self.extension, self.package_type)
    }

    /// The package: manifest, lock, Dockerfile, configuration and a source.
    fn write(&self) -> World {
        let world = World::empty();
        let package_type =
            if self.package_type == "-" { String::new() } else { format!("\"type\": \"{}\", ", self.package_type) };
        let (plugin, engines) = if self.body.new_plugin { ("1.0.2", ">=20.0.0") } else { ("0.4.4", ">=14.0.0") };
        let rollup = self.rollup;
        world.write(
            "package.json",
            &format!(
                "{{ \"name\": \"web\", \"version\": \"1.0.0\", {package_type}\"scripts\": {{ \"build\": \"rollup -c rollup.config.{}\" }},\n\
                 \"devDependencies\": {{ \"rollup\": \"^{rollup}\", \"@rollup/plugin-terser\": \"^{plugin}\" }} }}\n",
                self.extension
            ),
        );
        world.write(
            "package-lock.json",
            &format!(
                "{{ \"name\": \"web\", \"lockfileVersion\": 3, \"packages\": {{\n\
                 \"node_modules/rollup\": {{ \"version\": \"{rollup}\" }},\n\
                 \"node_modules/@rollup/plugin-terser\": {{ \"version\": \"{plugin}\", \"engines\": {{ \"node\": \"{engines}\" }} }} }} }}\n"
            ),
        );
        world.write("Dockerfile", &format!("FROM node:{}\nCOPY . .\nRUN npm run build\n", self.node));
        world.write(&format!("rollup.config.{}", self.extension), self.body.text);
        world.write("src/index.js", "export const a = 1;\n");
        world
    }
}

fn table_path() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/rollup-matrix.txt")
}

/// Rows of the table: four verdicts each, `.` for a build and `X` for a failure.
fn table() -> BTreeMap<String, String> {
    let text = fs::read_to_string(table_path()).expect("the table");
    let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    rows.map(|(row, verdicts)| (row.to_owned(), verdicts.to_owned())).collect()
}

fn render(verdicts: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# What rollup does with each configuration body (bodies.rs), extension, \"type\" and rollup version, on Node {}.\n\
         # `.`: it builds; `X`: it fails. Made by `make rollup-matrix`.\n",
        NODES.join(", ")
    );
    for (row, verdicts) in verdicts {
        let _ = writeln!(text, "{row} {verdicts}");
    }
    text
}

/// Rules that say what happens when rollup loads its configuration, with findings that matter.
fn fires(world: &World) -> Vec<&'static str> {
    let asked = rules::all().filter(|rule| rule.id == IMAGE || rule.group == Group::Frontend).map(|rule| rule.id.to_owned());
    let found = world.examine_only(asked.collect());
    found.iter().filter(|finding| finding.severity > Severity::Note).map(|finding| finding.rule).collect()
}

/// Looks at each cell on one of as many threads as there are processors.
fn in_parallel(cells: &[Cell], look: impl Fn(Cell) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    look(*cell);
                }
            });
        }
    });
}

/// Every body × extension × `"type"`, each with the next rollup and Node in turn.
#[test]
fn rules_fire_if_and_only_if_rollup_fails_in_a_sample() {
    let cells = Cell::all();
    let versions = ROLLUPS.len() * NODES.len();
    let sample: Vec<Cell> = cells
        .chunks(versions)
        .enumerate()
        // 5 and the number of versions have no common divisor, so that each is met.
        .map(|(number, same)| same[number * 5 % versions])
        .collect();
    for rollup in ROLLUPS {
        for node in NODES {
            assert!(
                sample.iter().any(|cell| (cell.rollup, cell.node) == (rollup, node)),
                "no cell with rollup {rollup} on Node {node}"
            );
        }
    }
    let failing = disagreements(&sample);
    assert!(failing > sample.len() / 4 && failing < sample.len(), "{failing} of {} cells fail", sample.len());
}

#[test]
#[ignore = "looks at 2,916 repositories: make rules-matrix"]
fn rules_fire_if_and_only_if_rollup_fails_in_every_cell() {
    let (cells, table) = (Cell::all(), table());
    let failing = disagreements(&cells);
    assert_eq!(
        (cells.len(), failing),
        (table.len() * NODES.len(), table.values().flat_map(|row| row.bytes()).filter(|v| *v == b'X').count())
    );
}

/// Compares the rules with the table; gives the number of cells in which rollup fails.
#[track_caller]
fn disagreements(cells: &[Cell]) -> usize {
    let table = table();
    let failing = AtomicUsize::new(0);
    let differences = Mutex::new(Vec::new());
    in_parallel(cells, |cell| {
        let verdicts = table.get(&cell.row()).unwrap_or_else(|| panic!("the table has no row `{}`", cell.row()));
        let column = NODES.iter().position(|node| *node == cell.node).expect("a known Node");
        let fails = verdicts.as_bytes()[column] == b'X';
        failing.fetch_add(usize::from(fails), Ordering::Relaxed);
        let rules = fires(&cell.write());
        if fails == rules.is_empty() {
            let rollup = if fails { "fails" } else { "builds" };
            let difference = format!("{} on Node {}: rollup {rollup}, rules: {rules:?}", cell.row(), cell.node);
            differences.lock().expect("no thread has panicked").push(difference);
        }
    });
    let mut differences = differences.into_inner().expect("no thread has panicked");
    differences.sort();
    assert!(differences.is_empty(), "{} of {} cells differ:\n{}", differences.len(), cells.len(), differences.join("\n"));
    failing.into_inner()
}
