//! How the container starts: user, command, script.

use crate::advice::dockerfile_source::context_sources;
use crate::advice::{Context, DockerfileSource, Findings, Fix, Group, Rule, Severity};
use crate::dockerfile::parse::{CommandLine, Instruction, Step};

pub(super) const ROOT: Rule = Rule {
    id: "runs-as-root",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "the container runs as root",
    fixable: false,
    check: root,
};

pub(super) const SHELL_FORM: Rule = Rule {
    id: "shell-form-command",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a shell stands between the container and its program",
    fixable: true,
    check: shell_form,
};

pub(super) const OVERRIDDEN: Rule = Rule {
    id: "overridden-command",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a stage has several CMD or ENTRYPOINT, and the last one counts",
    fixable: false,
    check: overridden,
};

pub(super) const SCRIPT: Rule = Rule {
    id: "script-not-executable",
    group: Group::Dockerfile,
    severity: Severity::Error,
    summary: "the container starts a script that is not executable",
    fixable: true,
    check: script,
};

fn root(context: &Context<'_>, findings: &mut Findings<'_>) {
    for source in context.dockerfile_sources() {
        let Some(last) = source.last_stage() else { continue };
        let steps = source.lineage(last);
        let starts = steps.iter().any(|step| matches!(step.instruction, Instruction::Cmd(_) | Instruction::Entrypoint(_)));
        let user = steps.iter().rev().find_map(|step| match &step.instruction {
            Instruction::User(user) => Some((step, user.as_str())),
            _ => None,
        });
        let mut first = last;
        while let Some(base) = source.base(first) {
            first = base;
        }
        let image = &source.stages()[first].from.image;
        // What these start as is their own matter.
        let unknown = ["nonroot", "unprivileged", "distroless", "rootless", "chainguard", "bitnami"]
            .iter()
            .any(|word| image.contains(word));
        let line = match user {
            None if starts && !unknown => source.stages()[last].lines.first,
            Some((step, user)) if matches!(user.split(':').next(), Some("root" | "0")) && starts => step.lines.first,
            _ => continue,
        };
        findings
            .line(&source.file, line, "the program runs as root: whoever takes it over owns the container, and files it writes to mounted folders belong to root")
            .help("end the stage with `USER 65532:65532`, or a user that an earlier step makes");
    }
}

fn shell_form(context: &Context<'_>, findings: &mut Findings<'_>) {
    for source in context.dockerfile_sources() {
        let Some(last) = source.last_stage() else { continue };
        let steps = source.lineage(last);
        let both = steps.iter().any(|step| matches!(step.instruction, Instruction::Entrypoint(_)))
            && steps.iter().any(|step| matches!(step.instruction, Instruction::Cmd(_)));
        let custom = steps.iter().any(|step| matches!(step.instruction, Instruction::Shell(_)));
        for step in steps {
            let (Instruction::Cmd(command) | Instruction::Entrypoint(command)) = &step.instruction else { continue };
            let Some(text) = command.words.first().filter(|text| command.shell && !text.trim_start().starts_with("exec ")) else {
                continue;
            };
            let fix = if both || custom { None } else { exec_form(source, step, text) };
            findings
                .line(&source.file, step.lines.first, format!("`docker stop` waits ten seconds and then kills the program: {} starts `/bin/sh -c`, which passes no signal on", step.instruction.keyword()))
                .help("write the command as a list: `[\"program\", \"argument\"]`, or begin it with `exec`")
                .fix(fix);
        }
    }
}

/// The command as a list, where no shell is needed to read it.
fn exec_form(source: &DockerfileSource, step: &Step, text: &str) -> Option<Fix> {
    let is_plain =
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/' | ':' | '@' | '+' | ','));
    if !is_plain || step.lines.first != step.lines.last {
        return None;
    }
    let words: Vec<String> = text.split_whitespace().map(|word| format!("\"{word}\"")).collect();
    let place = source.locate(step.lines, text);
    (source.file.text.get(place.clone()) == Some(text))
        .then(|| Fix::new("write it as a list").replace(&source.file, place, format!("[{}]", words.join(", "))))
}

fn overridden(context: &Context<'_>, findings: &mut Findings<'_>) {
    for source in context.dockerfile_sources() {
        for stage in source.stages() {
            for keyword in ["CMD", "ENTRYPOINT", "HEALTHCHECK"] {
                let mut steps = stage.steps.iter().filter(|step| step.instruction.keyword() == keyword).rev();
                let Some(last) = steps.next() else { continue };
                for step in steps {
                    findings
                        .line(
                            &source.file,
                            step.lines.first,
                            format!("this {keyword} has no effect: that of line {} takes its place", last.lines.first),
                        )
                        .help(format!("remove it, or that of line {}", last.lines.first));
                }
            }
        }
    }
}

fn script(context: &Context<'_>, findings: &mut Findings<'_>) {
    for source in context.dockerfile_sources() {
        let Some(last) = source.last_stage() else { continue };
        let steps = source.lineage(last);
        let start = steps.iter().rev().find_map(|step| match &step.instruction {
            Instruction::Entrypoint(command) => program(command),
            _ => None,
        });
        let start = start.or_else(|| {
            steps
                .iter()
                .rev()
                .find_map(|step| if let Instruction::Cmd(command) = &step.instruction { program(command) } else { None })
        });
        let Some(start) = start else { continue };
        let name = start.rsplit('/').next().unwrap_or(start);
        let mended = steps.iter().any(|step| step.original.contains("chmod") && matches!(step.instruction, Instruction::Run(_)));
        for step in &steps {
            let Instruction::Copy(copy) = &step.instruction else { continue };
            let Some(path) = context_sources(step).into_iter().find(|path| path.rsplit('/').next() == Some(name)) else {
                continue;
            };
            let file = source.context.join(path.trim_start_matches("./"));
            let absolute = context.project.root.join(&file);
            if copy.chmod.is_some()
                || mended
                || context.file(&file).is_none_or(|file| !file.text.starts_with("#!"))
                || is_executable(&absolute)
            {
                continue;
            }
            let place = source.locate(step.lines, &step.keyword);
            let fix = Fix::new("copy it with --chmod=755").insert(&source.file, place.end, " --chmod=755");
            findings
                .at(
                    &source.file,
                    source.locate(step.lines, path),
                    format!(
                        "the container does not start: `exec: \"{start}\": permission denied`; `{path}` is not executable here"
                    ),
                )
                .help(format!("`git update-index --chmod=+x {file}`, or `COPY --chmod=755`"))
                .fix(fix);
        }
    }
}

fn program(command: &CommandLine) -> Option<&str> {
    let first = command.words.first().filter(|_| !command.shell)?;
    first.starts_with(['/', '.']).then_some(first.as_str())
}

#[cfg(unix)]
fn is_executable(path: &camino::Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Elsewhere files have no such mode, and BuildKit's client makes all of them executable.
#[cfg(not(unix))]
fn is_executable(_path: &camino::Utf8Path) -> bool {
    true
}
