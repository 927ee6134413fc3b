//! Files that a program opens when it runs, and that its image does not carry.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use crate::advice::facts::run_time_reads::{RunTimeRead, run_time_reads};
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::plan::{APP, RustService, Service, ServiceKind, Variant, join};
use crate::settings::service_head;
use crate::sqlx::program_files;

pub(super) const RULE: Rule = Rule {
    id: "files-not-in-image",
    group: Group::General,
    severity: Severity::Warning,
    summary: "a Rust program opens files of the repository that its image does not carry",
    fixable: false,
    check,
};

/// First parts of paths that only a checkout has: no image is to carry them.
const OF_CHECKOUTS: [&str; 8] = ["src", "target", "tests", "benches", "examples", "Cargo.toml", "Cargo.lock", "node_modules"];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for service in &context.plan().services {
        if let ServiceKind::Rust(rust) = &service.kind
            && is_of_kiln(context, service)
        {
            check_service(context, service, rust, findings);
        }
    }
}

/// Whether an image that runs the program alone is built by a Dockerfile of kiln: those of persons are theirs.
fn is_of_kiln(context: &Context<'_>, service: &Service) -> bool {
    [Variant::Prod, Variant::Fast].into_iter().any(|variant| {
        let path = service.files.dockerfile(variant);
        let is_generated = |text: &str| crate::files::is_generated(path, text.trim_start_matches('\u{feff}'));
        context.file(path).is_some_and(|file| is_generated(&file.text))
    })
}

fn check_service(context: &Context<'_>, service: &Service, rust: &RustService, findings: &mut Findings<'_>) {
    let folder = context.project.root.join(join(&service.context, &rust.workspace));
    let Some(workspace) = context.project.cargo.iter().find(|workspace| workspace.directory == folder) else { return };
    let Some(workspace_folder) = context.relative(&workspace.directory) else { return };
    let mut told = BTreeSet::new();
    for package in workspace.closure(&rust.package, false) {
        let Some(package_folder) = context.relative(&workspace.folder(package)) else { continue };
        for (path, tokens) in program_files(workspace, package) {
            for read in run_time_reads(tokens) {
                let bases = [&workspace_folder, &package_folder];
                let Some((found, asset)) = bases.into_iter().find_map(|base| asset(context, base, &read)) else { continue };
                if is_carried(service, &found, &asset) || !told.insert(found.clone()) {
                    continue;
                }
                let (Some(setting), Some(file)) =
                    (setting(service, &found, &asset), context.relative(&path).and_then(|path| context.file(&path)))
                else {
                    continue;
                };
                let message = format!(
                    "the program opens `{}` when it runs, and the images of `{}` have no `{APP}/{asset}`: No such file or directory (os error 2)",
                    read.path, service.name
                );
                let help = format!(
                    "add `\"{setting}\"` to the list `assets` under `{}` in kiln.toml, then `kiln init`",
                    service_head(&service.name)
                );
                findings.line(&file, read.place.line, message).help(help);
            }
        }
    }
}

/// What the image would have to carry for a path to be there: the path in the repository, and as the program sees it. Nothing where the
/// repository has no such file.
fn asset(context: &Context<'_>, base: &Utf8Path, read: &RunTimeRead) -> Option<(Utf8PathBuf, Utf8PathBuf)> {
    let path = Utf8Path::new(&read.path);
    if path.iter().next().is_none_or(|first| OF_CHECKOUTS.contains(&first)) {
        return None;
    }
    let wanted = join(base, path);
    let is_it = |known: &Utf8PathBuf| *known == wanted || (read.any_extension && known.with_extension("") == wanted);
    let paths = context.paths();
    // Only what git keeps: what a program has written itself is no file of the image.
    let asset = if let Some(file) = paths.iter().find(|known| is_it(known)) {
        // One that lies in a folder has others beside it.
        match path.parent().filter(|parent| !parent.as_str().is_empty()) {
            Some(parent) => parent.to_owned(),
            None => file.file_name()?.into(),
        }
    } else if paths.iter().any(|known| known.starts_with(&wanted)) {
        path.to_owned()
    } else {
        return None;
    };
    Some((join(base, &asset), asset))
}

/// Whether the image has it already, or a volume lies there.
fn is_carried(service: &Service, found: &Utf8Path, asset: &Utf8Path) -> bool {
    let inside = Utf8Path::new(APP).join(asset);
    service.assets.iter().any(|carried| {
        let from = join(&service.context, &carried.from);
        from == "." || found.starts_with(&from) || inside.starts_with(carried.to.trim_end_matches('/'))
    }) || service.volumes.iter().any(|volume| inside.starts_with(volume))
}

/// The entry of `assets`; nothing for what lies outside of the build context.
fn setting(service: &Service, found: &Utf8Path, asset: &Utf8Path) -> Option<String> {
    if service.context != "." && !found.starts_with(&service.context) {
        return None;
    }
    let folder = Utf8Path::new(if service.path == "." { "" } else { service.path.as_str() });
    if let Ok(own) = found.strip_prefix(folder) {
        return Some(if own == asset { own.to_string() } else { format!("{own}:{APP}/{asset}") });
    }
    let up = "../".repeat(folder.components().count());
    Some(format!("{up}{found}:{APP}/{asset}"))
}
