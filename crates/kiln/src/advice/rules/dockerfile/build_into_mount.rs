//! A build whose result stays in a cache mount.

use crate::advice::dockerfile::run_commands;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, MountKind, Step};

pub(super) const RULE: Rule = Rule {
    id: "build-into-mount",
    group: Group::Dockerfile,
    severity: Severity::Error,
    summary: "a build writes into a cache mount only, so that its layer is empty",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (index, step) in dockerfile.steps() {
            let Instruction::Run(run) = &step.instruction else { continue };
            let caches = run
                .mounts
                .iter()
                .filter_map(|mount| Some((mount, mount.literal().ok()?)))
                .filter(|(_, mount)| mount.kind == MountKind::Cache);
            let target = caches.filter_map(|(spec, mount)| Some((spec, mount.target?))).find(|(_, target)| is_target(target));
            let Some((spec, target)) = target else { continue };
            let commands = run_commands(step);
            let cooks = commands.iter().any(|command| command.is("cargo", &["chef", "cook"]));
            let builds = commands.iter().any(|command| command.is("cargo", &["build"]));
            let keeps = commands.iter().any(|command| {
                matches!(command.program(), "cp" | "mv" | "install" | "rsync" | "tar" | "ln" | "kiln")
                    || command.is("cargo", &["install"])
                    || ["--out-dir", "--artifact-dir", "--root"].iter().any(|option| command.has(option))
            });
            if keeps {
                continue;
            }
            let place = dockerfile.locate(step.lines, &spec.text);
            if cooks {
                let message = format!(
                    "the layer of `cargo chef cook` is empty: `{target}` is a cache mount, so a fresh builder and every cache export have nothing"
                );
                findings.at(&dockerfile.file, place, message).help("cook without a mount on the target folder, or export the result in the same step, as `kiln recipe cook` does");
            } else if builds && let Some((line, path)) = taken_from(dockerfile.steps(), index, dockerfile, &target) {
                let message = format!(
                    "line {line} fails: `\"{path}\": not found`, because `{target}` is a cache mount and no part of the layer"
                );
                findings
                    .at(&dockerfile.file, place, message)
                    .help("copy the binary out of the mount in the same `RUN`: `&& cp target/release/app /usr/local/bin/`");
            }
        }
    }
}

fn is_target(path: &str) -> bool {
    path.trim_end_matches('/').rsplit('/').next() == Some("target")
}

/// A later `COPY --from` of something below the mount's target.
fn taken_from<'a>(
    steps: impl Iterator<Item = (usize, &'a Step)>,
    stage: usize,
    dockerfile: &crate::advice::Dockerfile,
    target: &str,
) -> Option<(usize, String)> {
    let name = dockerfile.stages()[stage].from.name.clone();
    let folder = target.trim_matches('/').rsplit('/').next().unwrap_or(target);
    for (_, step) in steps {
        let Instruction::Copy(copy) = &step.instruction else { continue };
        let Some(from) = copy.from.as_deref().map(str::to_lowercase) else { continue };
        if Some(&from) != name.as_ref() && from != stage.to_string() {
            continue;
        }
        let below = |path: &&String| {
            path.starts_with(&format!("{}/", target.trim_end_matches('/'))) || path.contains(&format!("/{folder}/release/"))
        };
        if let Some(path) = copy.sources.iter().find(below) {
            return Some((step.lines.first, path.clone()));
        }
    }
    None
}
