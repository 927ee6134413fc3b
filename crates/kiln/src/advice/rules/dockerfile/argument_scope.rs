//! Arguments that a stage uses without declaring them.

use std::collections::BTreeSet;

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, Step};

pub(super) const RULE: Rule = Rule {
    id: "argument-not-in-stage",
    group: Group::Dockerfile,
    severity: Severity::Error,
    summary: "a stage uses a global argument that it does not declare",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let Ok(file) = &dockerfile.parsed else { continue };
        let global: BTreeSet<&str> = file.global_arguments.iter().flat_map(|step| defined(step)).collect();
        for stage in 0..file.stages.len() {
            let steps = dockerfile.lineage(stage);
            let own = steps.len() - file.stages[stage].steps.len();
            let mut known: BTreeSet<&str> = steps[..own].iter().flat_map(|step| defined(step)).collect();
            for step in &steps[own..] {
                let missing = global.iter().find_map(|name| Some((*name, used(step, name).filter(|_| !known.contains(name))?)));
                if let Some((name, written)) = missing {
                    findings
                        .at(
                            &dockerfile.file,
                            dockerfile.locate(step.lines, &written),
                            format!("`{written}` is empty here: an `ARG` before the first `FROM` is known to `FROM` lines only"),
                        )
                        .help(format!("add `ARG {name}` to this stage, right before the step"));
                }
                known.extend(defined(step));
            }
        }
    }
}

fn defined(step: &Step) -> Vec<&str> {
    match &step.instruction {
        Instruction::Arg(arguments) => arguments.iter().map(|argument| argument.name.as_str()).collect(),
        Instruction::Env(pairs) => pairs.iter().map(|pair| pair.name.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// How an instruction uses a variable, as written; `None` if it does not, or sets it in the shell itself.
fn used(step: &Step, name: &str) -> Option<String> {
    if matches!(
        step.instruction,
        Instruction::Onbuild(_) | Instruction::Healthcheck(_) | Instruction::Cmd(_) | Instruction::Entrypoint(_)
    ) {
        return None;
    }
    let text = &step.original;
    if text.contains(&format!("{name}=")) || text.contains(&format!("for {name} in")) || text.contains(&format!("read {name}")) {
        return None;
    }
    let braced = format!("${{{name}}}");
    if text.contains(&braced) {
        return Some(braced);
    }
    let plain = format!("${name}");
    let ends = |at: usize| !text[at + plain.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let escaped = |at: usize| text[..at].ends_with(['\\', '\'']);
    text.match_indices(&plain).any(|(at, _)| ends(at) && !escaped(at)).then_some(plain)
}
