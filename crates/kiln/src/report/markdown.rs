//! A document that a team can commit: what was set up, what it costs, how to use it, and the measured table.
//!
//! It says nothing of when it was made, so it changes only when something that it tells of has changed.

use std::fmt::Write as _;

use super::visible::visible;
use super::{Build, Report};
use crate::bench::Strategy;
use crate::bench::result::{Results, Row};
use crate::bench::statistics::Summary;
use crate::files::targets;
use crate::plan::{ImageEngine, Plan, Service, ServiceKind, Variant};
use crate::text::{Text, bytes, count, seconds};

/// The document's usual name.
pub const FILE_NAME: &str = "DOCKER_BUILD_OPTIMIZATION.md";

/// The document.
#[must_use]
pub fn document(report: &Report, plan: &Plan) -> String {
    let mut text = Text::new("");
    text += format_args!("# Docker builds of {}\n\n", plain(&plan.project));
    text += "How the images of this repository are built, what a build costs, and how to keep it quick. `kiln report --markdown` writes this \
             file anew from recorded builds and measurements.\n";
    set_up(&mut text, plan);
    costs(&mut text, report);
    usage(&mut text, plan);
    measured(&mut text, report);
    text.finish()
}

/// Text that stays text in Markdown and in a cell of a table.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in visible(text, false).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~' | '!' | '$') {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// Text in code, which nothing in it can end.
fn code(text: &str) -> String {
    let text = visible(text, false).replace('`', "'").replace('|', "\\|");
    format!("`{}`", text.trim())
}

/// A table; cells are Markdown already.
fn table(text: &mut Text, heads: &[String], numbers_from: usize, rows: &[Vec<String>]) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    *text += &line(heads);
    let rules: String = (0..heads.len()).map(|column| if column < numbers_from { "---|" } else { "---:|" }).collect();
    *text += format_args!("|{rules}\n");
    for row in rows {
        *text += &line(row);
    }
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn set_up(text: &mut Text, plan: &Plan) {
    *text += "\n## What was set up\n\n";
    let row = |service: &Service| {
        let what = match &service.kind {
            ServiceKind::Rust(rust) => format!("Rust {}, {}", plain(&rust.toolchain), code(&rust.binaries.join(", "))),
            ServiceKind::Node(node) => format!("Node {}, {}", plain(&node.node_version), code(&node.lockfile)),
        };
        let files: Vec<String> = Variant::ALL.iter().map(|variant| code(service.files.dockerfile(*variant).as_str())).collect();
        let bases = format!("{} → {}", code(&service.base_images.build), code(&service.base_images.runtime));
        vec![plain(&service.name), what, bases, files.join(", ")]
    };
    let rows: Vec<Vec<String>> = plan.services.iter().map(row).collect();
    table(
        text,
        &heads(&["service", "what it is", "built on → runs on", "Dockerfiles: production, development, quick"]),
        4,
        &rows,
    );
    *text += "\n";
    let is_rust = |service: &Service| matches!(service.kind, ServiceKind::Rust(_));
    if plan.services.iter().any(is_rust) {
        *text += "Rust images: dependencies are a layer of their own, made from what decides them alone (manifests and lock, without versions of \
                  local packages). ";
        *text += match plan.engine {
            ImageEngine::Kiln => {
                "A cache mount keeps what cargo compiled, so another version of one crate compiles that crate and those that \
                 depend on it. The sources come in last, on a target folder that is kept, with contents compared, so that no old binary is shipped.\n"
            }
            ImageEngine::Chef => "cargo-chef makes them.\n",
        };
    }
    if !plan.services.iter().all(is_rust) {
        *text += "Node images: packages are installed from the lockfile in a layer that a new version or script of the package itself does not touch; \
                  downloads and tool caches are cache mounts.\n";
    }
}

fn costs(text: &mut Text, report: &Report) {
    *text += "\n## What it costs now\n\n";
    let lanes = report.lanes();
    if lanes.is_empty() {
        *text += "No build is recorded yet: `kiln build` records each.\n";
        return;
    }
    let median = |builds: &[&Build], busy: bool| {
        let chosen = builds.iter().filter(|build| build.succeeded() && (build.ran() > 0) == busy);
        let summary = Summary::of(chosen.map(|build| build.seconds));
        summary.map_or_else(|| "–".to_owned(), |summary| seconds(summary.median))
    };
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .map(|(name, builds)| {
            let longest = builds.iter().filter(|build| build.succeeded()).map(|build| build.seconds).max_by(f64::total_cmp);
            let size = builds.iter().rev().find_map(|build| build.size);
            vec![
                plain(name),
                builds.len().to_string(),
                median(builds, false),
                median(builds, true),
                longest.map_or_else(|| "–".to_owned(), seconds),
                size.map_or_else(|| "–".to_owned(), bytes),
            ]
        })
        .collect();
    let columns = ["image", "recorded builds", "nothing to do", "steps to run", "longest", "image size"];
    table(text, &heads(&columns), 1, &rows);
    *text += "\nMedians of recorded builds, as they came: on the machines and with the edits of those who built.\n";
}

fn usage(text: &mut Text, plan: &Plan) {
    *text += "\n## How to use it\n\n";
    *text += "The files are plain: `docker build`, `docker buildx bake` and `docker compose up` take them as they are.";
    if plan.engine == ImageEngine::Chef {
        *text += "\n";
        return;
    }
    *text += " With kiln:\n\n";
    let rows: Vec<Vec<String>> = targets()
        .map(|(name, command, what)| vec![code(&format!("make {name}")), code(&format!("kiln {command}")), plain(what)])
        .collect();
    table(text, &heads(&["target", "runs", "what it does"]), 3, &rows);
    *text += "\n`kiln report` shows all builds in a page, `kiln report --last` the last one in the terminal.\n";
}

fn measured(text: &mut Text, report: &Report) {
    *text += "\n## What was measured\n\n";
    let Some(run) = report.main_run() else {
        *text += "Nothing yet: `kiln bench --quick` measures usual changes in a copy of the repository, in some minutes.\n";
        return;
    };
    let rows = run.rows();
    let strategies: Vec<Strategy> =
        Strategy::ALL.into_iter().filter(|strategy| rows.iter().any(|row| row.strategy == *strategy)).collect();
    let mut columns = heads(&["change", "service"]);
    columns.extend(strategies.iter().map(|strategy| strategy.name().to_owned()));
    let saves = strategies.contains(&Strategy::Naive) && strategies.contains(&Strategy::Kiln);
    columns.extend(saves.then(|| "kiln saves".to_owned()));
    let mut keys: Vec<_> = rows.iter().map(|row| (row.scenario, row.service.as_str())).collect();
    keys.dedup();
    let lines: Vec<Vec<String>> = keys
        .into_iter()
        .map(|(scenario, service)| {
            let find = |strategy| {
                let is = |row: &&Row| row.scenario == scenario && row.service == service && row.strategy == strategy;
                rows.iter().find(is)
            };
            let mut cells = vec![format!("{}: {}", scenario.name(), scenario.description()), plain(service)];
            cells.extend(strategies.iter().map(|strategy| find(*strategy).map_or_else(|| "–".to_owned(), cell)));
            let percent = find(Strategy::Kiln).and_then(|row| row.reduction_pct);
            cells.extend(saves.then(|| percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent:.0} %"))));
            cells
        })
        .collect();
    table(text, &columns, 2, &lines);
    *text += "\n";
    *text += &notes(run, &rows);
}

fn cell(row: &Row) -> String {
    format!("{}{}", if row.noisy { "~" } else { "" }, seconds(row.seconds.median))
}

fn notes(run: &Results, rows: &[Row]) -> String {
    let machine = &run.header.machine;
    let samples = |pick: fn(usize, usize) -> usize| rows.iter().map(|row| row.samples).reduce(pick).unwrap_or(0);
    let (least, most) = (samples(usize::min), samples(usize::max));
    let number = if least == most { count(most, "sample") } else { format!("{least} to {most} samples") };
    let mut about = vec![count(machine.cores, "core")];
    about.extend(machine.memory.map(|memory| format!("{} of memory", bytes(memory))));
    about.extend(machine.engine.as_ref().map(|engine| format!("Docker {}", plain(engine))));
    about.extend(machine.storage.as_deref().map(plain));
    let mut notes = String::new();
    let day = run.header.started.strftime("%Y-%m-%d");
    let _ = writeln!(notes, "Medians of {number}, {day}, on {}.", about.join(", "));
    if run.end.is_none() {
        notes.push_str("The run did not come to its end; `kiln bench --continue` goes on with it.\n");
    }
    let noisy = rows.iter().filter(|row| row.noisy).count();
    if noisy > 0 {
        let _ = writeln!(notes, "`~` marks {} that other work or a wide spread make doubtful.", count(noisy, "measurement"));
    }
    let strategies = [
        (Strategy::Naive, "`naive` copies everything and builds"),
        (Strategy::Mounts, "`mounts` has cache mounts as in Docker's guides"),
        (Strategy::Chef, "`chef` is cargo-chef as its README has it"),
        (Strategy::Native, "`native` is the work alone in a warm container, without an image"),
        (Strategy::Own, "`own` is the repository's own Dockerfile"),
    ];
    let used = strategies.into_iter().filter(|(strategy, _)| rows.iter().any(|row| row.strategy == *strategy));
    let used: Vec<&str> = used.map(|(_, words)| words).collect();
    if !used.is_empty() {
        let _ = writeln!(notes, "{}.", used.join("; "));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(plain("a|b <script> [x](y) *z* \u{1b}[0m"), "a\\|b \\<script\\> \\[x\\](y) \\*z\\* ␛\\[0m");
        assert_eq!(code("a`b|c\n"), "`a'b\\|c␊`");
    }
}
