//! Lockfiles that git ignores.

use camino::Utf8Path;
use ignore::gitignore::GitignoreBuilder;

use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const CARGO: Rule = Rule {
    id: "cargo-lock-ignored",
    group: Group::Locks,
    severity: Severity::Error,
    summary: "git ignores the Cargo.lock of a workspace that makes a binary",
    fixable: false,
    check: cargo,
};

pub(super) const NODE: Rule = Rule {
    id: "node-lock-ignored",
    group: Group::Locks,
    severity: Severity::Error,
    summary: "git ignores the lockfile of a Node package",
    fixable: false,
    check: node,
};

fn cargo(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.cargo.iter().filter(|workspace| !workspace.incidental) {
        if workspace.packages.iter().any(|package| !package.binaries.is_empty()) {
            ignored(context, &workspace.directory, &["Cargo.lock"], findings);
        }
    }
}

fn node(context: &Context<'_>, findings: &mut Findings<'_>) {
    for workspace in context.project.node.iter().filter(|workspace| !workspace.incidental) {
        let names: Vec<&str> = workspace.lockfile().map(|lock| lock.name.as_str()).into_iter().collect();
        ignored(context, &workspace.directory, &names, findings);
    }
}

/// Looks through the `.gitignore` files from the root down to the folder; the nearest that speaks of the lock decides.
fn ignored(context: &Context<'_>, directory: &Utf8Path, names: &[&str], findings: &mut Findings<'_>) {
    let Some(folder) = context.relative(directory) else { return };
    for name in names {
        let lock = folder.join(name);
        for above in folder.ancestors() {
            let Some(file) = context.file(&above.join(".gitignore")) else { continue };
            let mut builder = GitignoreBuilder::new(context.project.root.join(above));
            for line in file.text.lines() {
                // A pattern that git does not understand ignores nothing.
                let _ = builder.add_line(None, line);
            }
            let Ok(rules) = builder.build() else { continue };
            let matched = rules.matched_path_or_any_parents(context.project.root.join(&lock), false);
            if matched.is_none() {
                continue;
            }
            if let ignore::Match::Ignore(glob) = matched {
                let line = file.text.lines().position(|line| line.trim() == glob.original()).map_or(1, |index| index + 1);
                findings
                    .line(
                        &file,
                        line,
                        format!("git ignores {lock}: a clone, as CI has it, has no lock, and its image gets other dependencies or none at all"),
                    )
                    .help(format!("remove the pattern and commit {lock}"));
            }
            break;
        }
    }
}
