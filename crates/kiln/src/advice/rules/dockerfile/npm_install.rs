//! `npm install` in place of `npm ci`.

use crate::advice::dockerfile_source::{context_sources, is_broad, run_commands};
use crate::advice::{Context, DockerfileSource, Findings, Fix, Group, Rule, Severity};
use crate::dockerfile::parse::Step;

pub(super) const RULE: Rule = Rule {
    id: "npm-install",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "npm install where npm ci would take the lockfile as it is",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for source in context.dockerfile_sources() {
        for stage in 0..source.stages().len() {
            let steps = source.lineage(stage);
            let own = steps.len() - source.stages()[stage].steps.len();
            for (position, step) in steps.iter().enumerate().skip(own) {
                let guilty = run_commands(step).into_iter().find(|command| {
                    command.program() == "npm"
                        && matches!(command.operands().as_slice(), ["install" | "i"])
                        && !command.has("-g")
                        && !command.has("--global")
                });
                let Some(command) = guilty else { continue };
                let word = if command.operands() == ["i"] { "npm i" } else { "npm install" };
                let place = source.locate(step.lines, word);
                let lock = context.exists(&source.context.join("package-lock.json"));
                let is_written = source.file.text.get(place.clone()) == Some(word);
                let fix = (lock && is_written && takes_lock(source, &steps[..position]))
                    .then(|| Fix::new("run npm ci").replace(&source.file, place.clone(), "npm ci"));
                findings
                    .at(&source.file, place, "npm may take other versions than those of package-lock.json and rewrite it inside of the build, where nobody sees it")
                    .help("write `npm ci`, and copy package-lock.json before it")
                    .fix(fix);
            }
        }
    }
}

/// Whether the lockfile beside the context's root is there when the step runs.
fn takes_lock(source: &DockerfileSource, before: &[&Step]) -> bool {
    let has = |path: &str| {
        is_broad(path) || matches!(path.trim_start_matches("./"), "package-lock.json" | "package*.json" | "*.json" | "package*")
    };
    source.is_sent("package-lock.json") && before.iter().any(|step| context_sources(step).into_iter().any(has))
}
