//! `SQLX_OFFLINE` set before the dependencies are compiled.

use super::dockerfiles;
use super::steps::{Compiles, compiles, set_before};
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};
use crate::dockerfile::parse::Instruction;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-offline-before-cook",
    group: Group::Sqlx,
    severity: Severity::Note,
    summary: "`SQLX_OFFLINE` is set before the dependencies are compiled",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (dockerfile, _) in dockerfiles(context) {
        let all = compiles(dockerfile);
        let mut told = Vec::new();
        for cook in all.iter().filter(|compile| compile.what == Compiles::Dependencies) {
            let Some(set) = set_before(dockerfile, cook.stage, cook.index, "SQLX_OFFLINE") else { continue };
            if told.contains(&(set.stage, set.index)) {
                continue;
            }
            told.push((set.stage, set.index));
            let file = &dockerfile.file;
            let span = file.line_span(set.step.lines.first);
            // A line of its own can go to where it is needed, if that is in the same stage.
            let alone = set.step.lines.first == set.step.lines.last
                && matches!(&set.step.instruction, Instruction::Env(pairs) if pairs.len() == 1)
                && set.step.comments.is_empty();
            let mut later = all.iter().filter(|compile| compile.what == Compiles::Application);
            let target = later.find(|compile| compile.stage == set.stage && compile.index > cook.index);
            let fix = target.filter(|_| alone && cook.stage == set.stage).map(|target| {
                let end = file.text[span.end..].find('\n').map_or(file.text.len(), |at| span.end + at + 1);
                let before = file.line_span(target.step.lines.first).start;
                Fix::new("move it behind the dependencies").replace(file, span.start..end, "").insert(
                    file,
                    before,
                    format!("{}\n", &file.text[span.clone()]),
                )
            });
            findings
                .line(
                    file,
                    set.step.lines.first,
                    "dependencies have no queries, but a change of this line compiles all of them again, because the steps after it are keyed by it",
                )
                .help("set it in the stage that compiles the application, after the dependencies")
                .fix(fix);
        }
    }
}
