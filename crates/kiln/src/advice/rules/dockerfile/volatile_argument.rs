//! Values that change with every build, before steps that are expensive.

use super::install;
use crate::advice::dockerfile::run_commands;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::Instruction;

pub(super) const RULE: Rule = Rule {
    id: "volatile-argument",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "an argument that changes with every build stands before installations",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for stage in dockerfile.stages() {
            for (position, step) in stage.steps.iter().enumerate() {
                let names: Vec<&str> = match &step.instruction {
                    Instruction::Arg(arguments) => arguments
                        .iter()
                        .filter(|argument| !is_pin(argument.default.as_deref()))
                        .map(|argument| argument.name.as_str())
                        .collect(),
                    Instruction::Env(pairs) => {
                        pairs.iter().filter(|pair| pair.value.contains('$')).map(|pair| pair.name.as_str()).collect()
                    }
                    _ => continue,
                };
                let Some(name) = names.into_iter().find(|name| is_volatile(name)) else { continue };
                let hit = stage.steps[position + 1..].iter().find_map(|step| {
                    let commands = run_commands(step);
                    let system = commands.iter().any(install::system_packages).then(|| "the installation of packages".to_owned());
                    let what =
                        commands.iter().find_map(install::dependencies).map(|command| format!("`{command}`")).or(system)?;
                    Some((step.lines.first, what))
                });
                let Some((line, what)) = hit else { continue };
                findings
                    .at(
                        &dockerfile.file,
                        dockerfile.locate(step.lines, name),
                        format!("a new value of `{name}` runs {what} (line {line}) again, whether it is used there or not"),
                    )
                    .help(format!("move `{name}` below, right before the step that uses it"));
            }
        }
    }
}

/// Whether a name says that its value belongs to one build or commit.
fn is_volatile(name: &str) -> bool {
    let words: Vec<String> = name.split('_').map(str::to_ascii_uppercase).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let any = |list: &[&str]| list.iter().any(|word| has(word));
    any(&["COMMIT", "REVISION", "TIMESTAMP", "CACHEBUST", "CACHEBUSTER"])
        || (has("BUILD") && any(&["DATE", "TIME", "NUMBER", "ID", "NO"]))
        || (has("GIT") && any(&["SHA", "HASH", "REF", "BRANCH", "TAG", "DESCRIBE", "REV"]))
        || (has("VCS") && any(&["REF", "SHA"]))
        || (any(&["CI", "GITHUB"]) && any(&["SHA", "RUN", "JOB", "PIPELINE", "REF"]))
        || (has("CACHE") && has("BUST"))
}

/// A default that is a hash or version is written down on purpose.
fn is_pin(default: Option<&str>) -> bool {
    let is_hash = |text: &str| text.len() >= 7 && text.chars().all(|c| c.is_ascii_hexdigit());
    let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.');
    default.is_some_and(|text| is_hash(text) || is_version(text))
}
