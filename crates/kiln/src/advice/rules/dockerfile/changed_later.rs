//! Owner or mode of copied files changed in a later step.

use crate::advice::dockerfile::run_commands;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::Instruction;

pub(super) const RULE: Rule = Rule {
    id: "changed-after-copy",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "a step changes owner or mode of files that an earlier one copied",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for stage in dockerfile.stages() {
            let mut copied: Vec<&str> = Vec::new();
            for step in &stage.steps {
                if let Instruction::Copy(copy) = &step.instruction {
                    copied.push(copy.destination.trim_end_matches('/'));
                }
                for command in run_commands(step).iter().filter(|command| matches!(command.program(), "chown" | "chmod")) {
                    let recursive = command.has("-R") || command.has("--recursive");
                    let target = command
                        .operands()
                        .into_iter()
                        .skip(1)
                        .map(|path| path.trim_end_matches('/'))
                        .find(|path| !path.is_empty() && copied.contains(path));
                    let (true, Some(target)) = (recursive, target) else { continue };
                    let flag = command.program();
                    findings
                        .at(&dockerfile.file, dockerfile.locate(step.lines, &command.words.join(" ")), format!("everything below `{target}` is in the image twice: once as it was copied, once as `{flag}` leaves it"))
                        .help(format!("give it while copying: `COPY --{flag}=…`"));
                }
            }
        }
    }
}
