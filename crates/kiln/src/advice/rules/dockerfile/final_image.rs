//! How the container starts: user, command, script.

use camino::Utf8Path;

use crate::advice::dockerfile::context_sources;
use crate::advice::{Context, Dockerfile, Findings, Fix, Group, Rule, Severity};
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
    for dockerfile in context.dockerfiles().iter().filter(|dockerfile| !is_for_development(&dockerfile.file.path)) {
        let Some(last) = dockerfile.last_stage() else { continue };
        let steps = dockerfile.lineage(last);
        let starts = steps.iter().any(|step| matches!(step.instruction, Instruction::Cmd(_) | Instruction::Entrypoint(_)));
        let user = steps.iter().rev().find_map(|step| match &step.instruction {
            Instruction::User(user) => Some((step, user.as_str())),
            _ => None,
        });
        let mut first = last;
        while let Some(base) = dockerfile.base(first) {
            first = base;
        }
        let image = &dockerfile.stages()[first].from.image;
        // What these start as is their own matter.
        let unknown = ["nonroot", "unprivileged", "distroless", "rootless", "chainguard", "bitnami"]
            .iter()
            .any(|word| image.contains(word));
        let line = match user {
            None if starts && !unknown => dockerfile.stages()[last].lines.first,
            Some((step, user)) if matches!(user.split(':').next(), Some("root" | "0")) && starts => step.lines.first,
            _ => continue,
        };
        findings
            .line(&dockerfile.file, line, "the program runs as root: whoever takes it over owns the container, and files it writes to mounted folders belong to root")
            .help("end the stage with `USER 65532:65532`, or a user that an earlier step makes");
    }
}

/// Whether the name says that the image is a tool of those who develop: it works on their files, and is shipped to nobody.
fn is_for_development(path: &Utf8Path) -> bool {
    let parts = path.file_name().unwrap_or_default().split(['.', '-', '_']);
    path.components().any(|part| part.as_str() == ".devcontainer")
        || parts.map(str::to_ascii_lowercase).any(|part| matches!(part.as_str(), "dev" | "devel" | "development" | "test" | "ci"))
}

fn shell_form(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let Some(last) = dockerfile.last_stage() else { continue };
        let steps = dockerfile.lineage(last);
        let both = steps.iter().any(|step| matches!(step.instruction, Instruction::Entrypoint(_)))
            && steps.iter().any(|step| matches!(step.instruction, Instruction::Cmd(_)));
        let custom = steps.iter().any(|step| matches!(step.instruction, Instruction::Shell(_)));
        for step in steps {
            let (Instruction::Cmd(command) | Instruction::Entrypoint(command)) = &step.instruction else { continue };
            let Some(text) = command.words.first().filter(|text| command.shell && !text.trim_start().starts_with("exec ")) else {
                continue;
            };
            let fix = if both || custom { None } else { exec_form(dockerfile, step, text) };
            findings
                .line(&dockerfile.file, step.lines.first, format!("`docker stop` waits ten seconds and then kills the program: {} starts `/bin/sh -c`, which passes no signal on", step.instruction.keyword()))
                .help("write the command as a list: `[\"program\", \"argument\"]`, or begin it with `exec`")
                .fix(fix);
        }
    }
}

/// The command as a list, where no shell is needed to read it.
fn exec_form(dockerfile: &Dockerfile, step: &Step, text: &str) -> Option<Fix> {
    let is_plain =
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/' | ':' | '@' | '+' | ','));
    if !is_plain || step.lines.first != step.lines.last {
        return None;
    }
    let words: Vec<String> = text.split_whitespace().map(|word| format!("\"{word}\"")).collect();
    let place = dockerfile.locate(step.lines, text);
    (dockerfile.file.text.get(place.clone()) == Some(text))
        .then(|| Fix::new("write it as a list").replace(&dockerfile.file, place, format!("[{}]", words.join(", "))))
}

fn overridden(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for stage in dockerfile.stages() {
            for keyword in ["CMD", "ENTRYPOINT", "HEALTHCHECK"] {
                let mut steps = stage.steps.iter().filter(|step| step.instruction.keyword() == keyword).rev();
                let Some(last) = steps.next() else { continue };
                for step in steps {
                    findings
                        .line(
                            &dockerfile.file,
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
    for dockerfile in context.dockerfiles() {
        let Some(last) = dockerfile.last_stage() else { continue };
        let steps = dockerfile.lineage(last);
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
            let file = dockerfile.context.join(path.trim_start_matches("./"));
            let absolute = context.project.root.join(&file);
            if copy.chmod.is_some()
                || mended
                || context.file(&file).is_none_or(|file| !file.text.starts_with("#!"))
                || is_executable(&absolute)
            {
                continue;
            }
            let place = dockerfile.locate(step.lines, &step.keyword);
            let fix = Fix::new("copy it with --chmod=755").insert(&dockerfile.file, place.end, " --chmod=755");
            findings
                .at(
                    &dockerfile.file,
                    dockerfile.locate(step.lines, path),
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
fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Elsewhere files have no such mode, and BuildKit's client makes all of them executable.
#[cfg(not(unix))]
fn is_executable(_path: &Utf8Path) -> bool {
    true
}
