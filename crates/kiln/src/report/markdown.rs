//! A document that a team can commit: what was set up, what it costs, how to use it, and the measured table.
//!
//! It says nothing of when it was made, so it changes only when something that it tells of has changed.

use super::marks::{code, heads, plain, table};
use super::measured::{Saving, first_savings};
use super::{Build, Measured, Report};
use crate::bench::result::Results;
use crate::bench::statistics::Summary;
use crate::files::targets;
use crate::plan::{ImageEngine, Plan, Service, ServiceKind, Variant};
use crate::text::{Text, bytes, seconds};

/// The document's usual name.
pub const FILE_NAME: &str = "DOCKER_BUILD_OPTIMIZATION.md";

/// The document. `kiln_mk` is the text of the project's `kiln.mk`, empty where there is none.
#[must_use]
pub fn document(report: &Report, plan: &Plan, kiln_mk: &str) -> String {
    let mut text = Text::new("");
    text += format_args!("# Docker builds of {}\n\n", plain(&plan.project));
    text += "How the images of this repository are built, what a build costs, and how to use it. `kiln report --markdown` writes this file anew \
             from recorded builds and measurements.\n";
    in_short(&mut text, report);
    set_up(&mut text, plan);
    costs(&mut text, report);
    usage(&mut text, plan, kiln_mk);
    measured(&mut text, report);
    text.finish()
}

/// What a source edit costs, for those who read no further.
fn in_short(text: &mut Text, report: &Report) {
    let rows = report.main_run().map(Results::rows).unwrap_or_default();
    for (number, Saving { row, naive, percent }) in first_savings(&rows).into_iter().enumerate() {
        *text += if number == 0 { "\n" } else { "" };
        let (service, took, before) = (plain(&row.service), seconds(row.seconds.median), seconds(naive));
        *text += format_args!(
            "- An edit of {service} is in an image after **{took}**; copying everything and building takes {before} ({percent:.0} % less).\n"
        );
    }
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
    *text +=
        &table(&heads(&["service", "what it is", "built on → runs on", "Dockerfiles: production, development, quick"]), 4, &rows);
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
    *text += &table(&heads(&columns), 1, &rows);
    *text += "\nMedians of recorded builds, as they came: on the machines and with the edits of those who built.\n";
}

fn usage(text: &mut Text, plan: &Plan, kiln_mk: &str) {
    *text += "\n## How to use it\n\n";
    *text += "The files are plain: `docker build`, `docker buildx bake` and `docker compose up` take them as they are.";
    if plan.engine == ImageEngine::Chef {
        *text += "\n";
        return;
    }
    *text += " With kiln:\n\n";
    let asks_databases = |service: &Service| matches!(&service.kind, ServiceKind::Rust(rust) if rust.sqlx.is_some());
    let with_sqlx = plan.services.iter().any(asks_databases);
    let targets = targets(kiln_mk).into_iter().filter(|(_, command, _)| with_sqlx || !command.starts_with("sqlx"));
    let targets: Vec<_> = targets.collect();
    let with_make = targets.iter().any(|(name, ..)| name.is_some());
    let row = |(name, command, what): &(Option<&str>, &str, &str)| {
        let make = name.map(|name| code(&format!("make {name}"))).unwrap_or_default();
        let cells = [code(&format!("kiln {command}")), plain(what)];
        with_make.then_some(make).into_iter().chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = targets.iter().map(row).collect();
    let columns: &[&str] = if with_make { &["target", "runs", "what it does"] } else { &["command", "what it does"] };
    *text += &table(&heads(columns), 3, &rows);
    *text += "\n`kiln report` shows all builds in a page, `kiln report --last` the last one in the terminal.\n";
}

fn measured(text: &mut Text, report: &Report) {
    *text += "\n## What was measured\n\n";
    match report.main_run() {
        Some(run) => *text += &Measured::of(run).markdown(),
        None => {
            *text += "Nothing yet: `kiln bench --quick` measures usual changes in a copy of the repository, in some minutes.\n";
        }
    }
}
