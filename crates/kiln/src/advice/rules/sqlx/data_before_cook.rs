//! Query data copied before the dependencies are compiled.

use super::dockerfiles;
use super::steps::{Compiles, compiles};
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::Instruction;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-before-cook",
    group: Group::Sqlx,
    severity: Severity::Warning,
    summary: "query data is copied before the dependencies are compiled",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (dockerfile, _) in dockerfiles(context) {
        for cook in compiles(dockerfile).iter().filter(|compile| compile.what == Compiles::Dependencies) {
            for stage in dockerfile.ancestry(cook.stage) {
                let Some(parsed) = dockerfile.stages().get(stage) else { continue };
                let seen = if stage == cook.stage { cook.index } else { parsed.steps.len() };
                for step in parsed.steps.iter().take(seen) {
                    let Instruction::Copy(copy) = &step.instruction else { continue };
                    let data =
                        |source: &String| source.trim_end_matches('/').ends_with(".sqlx") || source.ends_with("sqlx-data.json");
                    if copy.from.is_none() && copy.sources.iter().any(data) {
                        findings
                            .line(
                                &dockerfile.file,
                                step.lines.first,
                                "each changed query compiles all dependencies again: they come after this step",
                            )
                            .help("copy `.sqlx` together with the sources, after the dependencies are compiled");
                    }
                }
            }
        }
    }
}
