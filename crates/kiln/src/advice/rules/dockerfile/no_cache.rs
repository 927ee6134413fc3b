//! `--no-cache` in scripts.

use camino::Utf8Path;

use crate::advice::{Context, Findings, Group, Rule, Severity, SourceFile};

pub(super) const RULE: Rule = Rule {
    id: "no-cache",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a script builds images with --no-cache",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for path in context.paths().iter().filter(|path| is_script(path)) {
        let Some(file) = context.file(path) else { continue };
        if file.text.contains("--no-cache") {
            look(&file, findings);
        }
    }
}

fn is_script(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let in_ci = path.components().any(|part| matches!(part.as_str(), ".github" | ".circleci" | ".ci" | ".buildkite" | ".gitea"));
    matches!(
        name,
        "Makefile"
            | "makefile"
            | "GNUmakefile"
            | "justfile"
            | "Justfile"
            | "Jenkinsfile"
            | "package.json"
            | ".gitlab-ci.yml"
            | "Taskfile.yml"
            | "azure-pipelines.yml"
            | "bitbucket-pipelines.yml"
    ) || matches!(path.extension(), Some("sh" | "bash" | "mk"))
        || (in_ci && matches!(path.extension(), Some("yml" | "yaml")))
}

/// Whether quotes in a file are the shell's.
fn is_shell(path: &Utf8Path) -> bool {
    !matches!(path.extension(), Some("json" | "yml" | "yaml"))
}

/// Whether what follows on a line is within quotes, as what a script prints is, and not what a shell is to run (`-c`).
fn is_text(before: &str) -> bool {
    let mut open: Option<(usize, char)> = None;
    let mut escaped = false;
    for (at, letter) in before.char_indices() {
        match (letter, open) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            ('"' | '\'', None) => open = Some((at, letter)),
            (_, Some((_, quote))) if quote == letter => open = None,
            _ => {}
        }
    }
    open.is_some_and(|(at, _)| !before[..at].trim_end().ends_with("-c"))
}

fn look(file: &SourceFile, findings: &mut Findings<'_>) {
    let mut builds = false;
    for (index, line) in file.text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with('#') {
            continue;
        }
        let starts = [
            "docker build",
            "docker buildx",
            "buildx build",
            "buildx bake",
            "compose build",
            "docker-compose build",
            "docker image build",
            "podman build",
            "$(DOCKER) build",
        ];
        let quoted = |at: usize| is_shell(&file.path) && is_text(&code[..at]);
        builds |= starts.iter().any(|start| code.find(start).is_some_and(|at| !quoted(at)));
        if builds && let Some(place) = file.find_on_line(index + 1, "--no-cache") {
            // `--no-cache-filter` is about single stages; it empties their mounts as well.
            findings
                .at(file, place, "every build here starts from nothing, and empties the cache mounts (cargo registry, npm, apt) of all other builds on that engine, too")
                .help("drop `--no-cache`; use `--pull` for a new base image, or change an `ARG` to run one step again");
        }
        builds &= code.ends_with('\\');
    }
}
