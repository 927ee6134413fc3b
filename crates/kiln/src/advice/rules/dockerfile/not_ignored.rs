//! Folders and files that should not be part of the context.

use camino::Utf8Path;

use crate::advice::{Context, Dockerfile, Findings, Fix, Group, Rule, Severity, SourceFile};

pub(super) const TARGET: Rule = Rule {
    id: "target-not-ignored",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "cargo's target folder is part of the build context",
    fixable: true,
    check: |context, findings| {
        check(context, findings, &["Cargo.toml"], "target", "**/target", MANY, &["target/"]);
    },
};

pub(super) const NODE_MODULES: Rule = Rule {
    id: "node-modules-not-ignored",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "node_modules is part of the build context",
    fixable: true,
    check: |context, findings| {
        check(context, findings, &["package.json"], "node_modules", "**/node_modules", FOREIGN, &["node_modules/"]);
    },
};

pub(super) const GIT: Rule = Rule {
    id: "git-in-context",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "the .git folder is part of the build context",
    fixable: true,
    check: |context, findings| {
        check(
            context,
            findings,
            &[".git", ".gitignore", ".github"],
            ".git",
            ".git",
            COMMITS,
            &[".git/", "git ", "vergen", "built"],
        );
    },
};

pub(super) const DOCKERFILE: Rule = Rule {
    id: "dockerfile-in-context",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "the Dockerfile is part of what it copies",
    fixable: true,
    check: own_text,
};

const MANY: &str = "`transferring context` sends every artifact of local builds, gigabytes of them, and each local `cargo build` runs this step and all after it again";
const FOREIGN: &str = "packages of this machine get into the image, over those that the build installed: `invalid ELF header`, `Cannot find module @rollup/rollup-linux-x64-musl`";
const COMMITS: &str =
    "every commit, fetch and branch switch runs this step and all after it again, and the history becomes part of a layer";

/// Finds Dockerfiles that take their whole context while `path` is in it. It is where one of `signs` is, beside which it comes to be. Quiet where
/// the Dockerfile mentions one of `uses`: then it may need it.
fn check(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    signs: &[&str],
    path: &str,
    pattern: &str,
    message: &str,
    uses: &[&str],
) {
    for dockerfile in context.dockerfiles() {
        let Some(step) = dockerfile.broad_step() else { continue };
        let is_there = signs.iter().any(|sign| context.exists(&dockerfile.context.join(sign)));
        let inner = [path.to_owned(), format!("{path}/x")];
        // Somebody wants it.
        let brought_back =
            context.file(&dockerfile.ignore_path).is_some_and(|file| file.text.lines().any(|line| brings_back(line, path)));
        let is_used =
            uses.iter().any(|text| dockerfile.steps().any(|(_, other)| other.original.contains(text) && crosses(other)));
        if !is_there
            || dockerfile.ignore.is_err()
            || brought_back
            || is_used
            || inner.iter().all(|path| !dockerfile.is_sent(path))
        {
            continue;
        }
        findings
            .line(&dockerfile.file, step.lines.first, format!("`{path}` is not ignored: {message}"))
            .help(format!("add `{pattern}` to {}", dockerfile.ignore_path))
            .fix(ignore(context, dockerfile, pattern));
    }
}

/// Whether a line of an ignore file is an exception for a path by its name.
fn brings_back(line: &str, path: &str) -> bool {
    let Some(pattern) = line.trim().strip_prefix('!') else { return false };
    let pattern = pattern.trim().trim_start_matches("./").trim_start_matches('/').trim_start_matches("**/");
    pattern.trim_end_matches("/**").trim_end_matches('/') == path
}

/// Whether a step takes something of the context, or runs a program that could read it there.
fn crosses(step: &crate::dockerfile::parse::Step) -> bool {
    match &step.instruction {
        crate::dockerfile::parse::Instruction::Copy(copy) => copy.from.is_none(),
        crate::dockerfile::parse::Instruction::Run(_) => step.original.contains("git ") || step.original.contains("vergen"),
        _ => false,
    }
}

fn own_text(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let (Some(step), Ok(path)) = (dockerfile.broad_step(), dockerfile.file.path.strip_prefix(&dockerfile.context)) else {
            continue;
        };
        if dockerfile.ignore.is_err() || !dockerfile.is_sent(path.as_str()) {
            continue;
        }
        findings
            .line(
                &dockerfile.file,
                step.lines.first,
                format!("an edit of this very file, even of a comment, runs this step and all after it again: it reads `{path}`"),
            )
            .help(format!("add `{path}` to {}; BuildKit reads it all the same", dockerfile.ignore_path))
            .fix(ignore(context, dockerfile, path.as_str()));
    }
}

/// A line at the end of the ignore file, which is made where there is none.
fn ignore(context: &Context<'_>, dockerfile: &Dockerfile, pattern: &str) -> Fix {
    let path: &Utf8Path = &dockerfile.ignore_path;
    let missing = SourceFile { path: path.to_owned(), text: String::new() };
    let known = context.file(path);
    let file = known.as_deref().unwrap_or(&missing);
    let start = if file.text.is_empty() || file.text.ends_with('\n') { "" } else { "\n" };
    Fix::new(format!("ignore {pattern}")).insert(file, file.text.len(), format!("{start}{pattern}\n"))
}
