//! `npm install` in place of `npm ci`.

use crate::advice::dockerfile::{context_sources, is_broad, run_commands};
use crate::advice::{Context, Dockerfile, Findings, Fix, Group, Rule, Severity};
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
    for dockerfile in context.dockerfiles() {
        for stage in 0..dockerfile.stages().len() {
            let steps = dockerfile.lineage(stage);
            let own = steps.len() - dockerfile.stages()[stage].steps.len();
            for (position, step) in steps.iter().enumerate().skip(own) {
                let guilty = run_commands(step).into_iter().find(|command| {
                    command.program() == "npm"
                        && matches!(command.operands().as_slice(), ["install" | "i"])
                        && !command.has("-g")
                        && !command.has("--global")
                });
                let Some(command) = guilty else { continue };
                let word = if command.operands() == ["i"] { "npm i" } else { "npm install" };
                let place = dockerfile.locate(step.lines, word);
                let lock = context.exists(&dockerfile.context.join("package-lock.json"));
                let is_written = dockerfile.file.text.get(place.clone()) == Some(word);
                let fix = (lock && is_written && takes_lock(dockerfile, &steps[..position]))
                    .then(|| Fix::new("run npm ci").replace(&dockerfile.file, place.clone(), "npm ci"));
                findings
                    .at(&dockerfile.file, place, "npm may take other versions than those of package-lock.json and rewrite it inside of the build, where nobody sees it")
                    .help("write `npm ci`, and copy package-lock.json before it")
                    .fix(fix);
            }
        }
    }
}

/// Whether the lockfile beside the context's root is there when the step runs.
fn takes_lock(dockerfile: &Dockerfile, before: &[&Step]) -> bool {
    let has = |path: &str| {
        is_broad(path) || matches!(path.trim_start_matches("./"), "package-lock.json" | "package*.json" | "*.json" | "package*")
    };
    dockerfile.is_sent("package-lock.json") && before.iter().any(|step| context_sources(step).into_iter().any(has))
}
